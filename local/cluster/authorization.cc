#include "local/cluster/authorization.h"

namespace kiln::local {

namespace {

bool Matches(const AclEntity& entity, const std::optional<std::string>& value) {
  switch (entity.type) {
    case AclEntity::Type::kAny:
    case AclEntity::Type::kNone:
      return true;
    case AclEntity::Type::kSome:
      return value && entity.values.count(*value) > 0;
  }
  return false;
}

}  // namespace

bool Allows(const std::vector<Acl>& entries, bool permissive,
            const std::optional<std::string>& subject, const std::string& object) {
  for (const Acl& acl : entries) {
    if (!Matches(acl.subjects, subject) || !Matches(acl.objects, object)) continue;
    return acl.subjects.type != AclEntity::Type::kNone &&
           acl.objects.type != AclEntity::Type::kNone;
  }
  return permissive;
}

}  // namespace kiln::local

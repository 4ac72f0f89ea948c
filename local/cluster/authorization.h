// Access control lists as Mesos's local authorizer reads them. Pure.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace kiln::local {

// Whom an entry speaks of.
struct AclEntity {
  enum class Type { kSome, kAny, kNone };
  Type type = Type::kSome;
  std::set<std::string> values;
};

struct Acl {
  AclEntity subjects;  // principals
  AclEntity objects;   // roles, or users
};

// The first entry that speaks of the subject and the object decides; without one, `permissive`.
struct Acls {
  bool permissive = true;
  std::vector<Acl> register_frameworks;  // roles
  std::vector<Acl> run_tasks;            // users
};

bool Allows(const std::vector<Acl>& entries, bool permissive,
            const std::optional<std::string>& subject, const std::string& object);

}  // namespace kiln::local

#include <string_view>

#include "base/fnv.h"
#include "scheduler/lifecycle/quarantine.h"

namespace kiln::scheduler {
namespace {

// Over the parts, each with its end.
class Hash {
 public:
  Hash& operator<<(std::string_view part) {
    value_ = Fnv1a({"", 1}, Fnv1a(part, value_));
    return *this;
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = kFnvBasis;
};

// What the work does and to what; not how far it goes.
struct Put {
  Hash& hash;

  void operator()(const CommandWork& work) const {
    hash << "command" << work.image << work.shell;
    for (const std::string& argument : work.argv) hash << argument;
  }
  void operator()(const TrainWork& work) const { hash << "train" << work.data.uri; }
  void operator()(const MergeWork& work) const { hash << "merge" << work.train.data.uri; }
  void operator()(const ServeWork& work) const {
    hash << "serve";
    for (const ModelRef& model : work.models) hash << model.name;
  }
  void operator()(const ScoreWork& work) const {
    hash << "score" << work.model.name << work.data.uri;
  }
  void operator()(const SearchWork& work) const { hash << "search" << work.data.uri; }
};

}  // namespace

uint64_t LikenessOf(const Group& group) {
  Hash hash;
  std::visit(Put{hash}, group.work);
  return hash.value();
}

}  // namespace kiln::scheduler

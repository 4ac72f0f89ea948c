#include <string_view>

#include "scheduler/lifecycle/quarantine.h"

namespace kiln::scheduler {
namespace {

// FNV-1a over the parts, each with its end: the same in every life of the scheduler.
class Hash {
 public:
  Hash& operator<<(std::string_view part) {
    for (const char c : part) Add(static_cast<unsigned char>(c));
    Add(0);
    return *this;
  }
  uint64_t value() const { return value_; }

 private:
  void Add(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001b3; }
  uint64_t value_ = 0xcbf29ce484222325;
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

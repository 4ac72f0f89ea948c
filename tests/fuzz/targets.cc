#include "tests/fuzz/targets.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace kiln::fuzz {
namespace {

constexpr Target kTargets[] = {
    {"recordio", FeedRecordIo},
    {"http", FeedHttp},
    {"mesos_event", FeedMesosEvent},
    {"mesos_json", FeedMesosJson},
    {"master_node", FeedMasterNode},
    {"state_record", FeedStateRecord},
    {"changes", FeedChanges},
    {"job", FeedJob},
    {"settings", FeedSettings},
    {"words", FeedWords},
    {"predict", FeedPredict},
    {"model", FeedModel},
    {"npy", FeedNpy},
    {"csv", FeedCsv},
};

}  // namespace

std::span<const Target> Targets() { return kTargets; }

const Target* FindTarget(std::string_view name) {
  const auto* found = std::ranges::find(kTargets, name, &Target::name);
  return found == std::end(kTargets) ? nullptr : found;
}

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: does not hold: %s\n", what);
  std::abort();
}

}  // namespace kiln::fuzz

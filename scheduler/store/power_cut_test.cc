// The power goes at every write, sync and removal that the SQLite store does.
#include <gtest/gtest.h>

#include "scheduler/store/lossy_disk_for_test.h"
#include "scheduler/store/store.h"
#include "tests/support/process.h"

namespace kiln::scheduler {
namespace {

std::string TextOf(Revision revision, size_t bytes) {
  std::string text = std::to_string(revision);
  text.resize(bytes, '.');
  return text;
}

// Commits of two records that must agree, in two lives of a store, so that the log is folded
// between them. How many were acknowledged.
Revision Commits(const std::string& path, size_t bytes) {
  Revision acknowledged = 0;
  for (int life = 0; life < 2; ++life) {
    auto store = OpenSqliteStore(path);
    if (!store) return acknowledged;
    for (int i = 0; i < 3; ++i) {
      const std::string text = TextOf(acknowledged + 1, bytes);
      const Change changes[] = {{"a", "x", text}, {"b", "x", text}};
      if (!(*store)->Commit(acknowledged, changes)) return acknowledged;
      ++acknowledged;
    }
  }
  return acknowledged;
}

// The commits that were acknowledged are there, with one more or without, and one can go on.
void Check(const std::string& path, Revision acknowledged, size_t bytes) {
  const LossyDisk quick;  // as it syncs nothing
  const auto store = OpenSqliteStore(path);
  ASSERT_TRUE(store.has_value()) << store.error().message;
  const auto records = (*store)->Load();
  ASSERT_TRUE(records.has_value()) << records.error().message;
  EXPECT_GE(records->revision, acknowledged);
  EXPECT_LE(records->revision, acknowledged + 1);
  std::map<std::pair<std::string, std::string>, std::string> expected;
  if (records->revision > 0) {
    const std::string text = TextOf(records->revision, bytes);
    expected = {{{"a", "x"}, text}, {{"b", "x"}, text}};
  }
  EXPECT_TRUE(records->bytes == expected);
  EXPECT_TRUE((*store)->Commit(records->revision, {}));
}

// One run of commits with a cut, and what is left of it in each way. Whether there was so much to
// do.
bool CutOnce(int at, size_t bytes) {
  const support::TempFolder folder;
  LossyDisk disk;
  disk.CutAt(at);
  const Revision acknowledged = Commits(folder.File("state"), bytes);
  disk.Rest();
  for (const Unsynced unsynced : {Unsynced::kKept, Unsynced::kLost, Unsynced::kTorn}) {
    SCOPED_TRACE(fmt::format("cut at {} with what is not synced {}", at,
                             unsynced == Unsynced::kKept   ? "kept"
                             : unsynced == Unsynced::kLost ? "lost"
                                                           : "torn"));
    const support::TempFolder after;
    disk.Leave(unsynced, static_cast<uint64_t>(at), after.path());
    Check(after.File("state"), acknowledged, bytes);
  }
  return disk.cut();
}

TEST(PowerCut, LosesNoAcknowledgedCommitAndLeavesNoneInHalf) {
  int at = 0;
  while (CutOnce(at, 6000)) ++at;
  EXPECT_GT(at, 50);  // there was something to cut
}

}  // namespace
}  // namespace kiln::scheduler

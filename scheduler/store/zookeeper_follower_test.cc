#include <gtest/gtest.h>

#include <random>

#include "scheduler/store/follower.h"
#include "scheduler/store/store.h"
#include "tests/support/zookeeper_server.h"

namespace kiln::scheduler {
namespace {

// A path that nobody used.
wire::ZookeeperAddress NewAddress() {
  static int last = 0;
  return {support::SharedZookeeperServer().address(), "/read/" + std::to_string(++last), ""};
}

using Known = std::map<std::pair<std::string, std::string>, std::string>;

void Apply(const News& news, Known& known) {
  if (news.whole) known.clear();
  for (const Change& change : news.changes) {
    known.erase({change.kind, change.key});
    if (change.bytes) known[{change.kind, change.key}] = *change.bytes;
  }
}

TEST(ZookeeperFollower, KnowsWhatIsWrittenThroughFoldsAndTakesNothingOver) {
  const auto address = NewAddress();
  const auto follower = FollowZookeeperStore(address);
  EXPECT_EQ(follower->Next().error().code, ErrorCode::kNotFound);
  // Every few commits fold pages, and most of what is written has several parts.
  const auto store =
      OpenZookeeperStore(address, {.node = 64, .log_entries = 4, .log_bytes = 1000}).value();
  const auto memory = OpenMemoryStore();
  std::mt19937 random(1);
  const auto below = [&](size_t end) { return random() % end; };
  Known known;
  int whole = 0;
  for (Revision revision = 0; revision < 200; ++revision) {
    std::vector<Change> changes(below(6));
    for (Change& change : changes) {
      change = {below(2) == 0 ? "job" : "task", std::to_string(below(30)), std::nullopt};
      if (below(4) > 0) change.bytes = std::string(below(150), static_cast<char>('a' + below(26)));
    }
    ASSERT_TRUE(memory->Commit(revision, changes));
    const auto done = store->Commit(revision, changes);
    ASSERT_TRUE(done) << done.error().message;
    // Some commits are read one by one, and others have long been folded.
    if (below(revision < 100 ? 3 : 50) != 0) continue;
    const auto news = follower->Next();
    ASSERT_TRUE(news) << news.error().message;
    whole += news->whole ? 1 : 0;
    Apply(*news, known);
    ASSERT_EQ(known, memory->Load()->bytes) << revision;
  }
  EXPECT_GT(whole, 1);
  EXPECT_LT(whole, 20);
  Apply(*follower->Next(), known);
  EXPECT_EQ(known, memory->Load()->bytes);
  const auto nothing = follower->Next();
  EXPECT_FALSE(nothing->whole);
  EXPECT_TRUE(nothing->changes.empty());
}

}  // namespace
}  // namespace kiln::scheduler

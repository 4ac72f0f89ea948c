#include "wire/net/loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <thread>
#include <vector>

namespace kiln::net {
namespace {

using std::chrono::milliseconds;
constexpr auto kLong = std::chrono::seconds(20);

TEST(LoopTest, PostsRunInOrderAndStopEndsTheRun) {
  Loop loop;
  std::vector<int> seen;
  for (int i = 0; i < 3; ++i) loop.Post([&, i] { seen.push_back(i); });
  loop.Stop();
  loop.Post([&] { seen.push_back(3); });
  loop.Run();
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2}));
  loop.Stop();
  loop.Run();
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3}));
}

TEST(LoopTest, AStopMeantForOneRunDoesNotEndTheNext) {
  Loop loop;
  loop.Post([&] {
    loop.Stop();
    loop.Stop();
  });
  loop.Run();
  bool fired = false;
  auto handle = loop.After(milliseconds(1), [&] {
    fired = true;
    loop.Stop();
  });
  loop.RunFor(kLong);
  EXPECT_TRUE(fired);
}

TEST(LoopTest, ADroppedTimerDoesNotFire) {
  Loop loop;
  std::vector<std::string> seen;
  auto first = loop.After(milliseconds(1), [&] { seen.push_back("first"); });
  auto second = loop.After(milliseconds(2), [&] { seen.push_back("second"); });
  auto last = loop.After(milliseconds(20), [&] { loop.Stop(); });
  second.Reset();
  loop.RunFor(kLong);
  EXPECT_EQ(seen, std::vector<std::string>{"first"});
}

TEST(LoopTest, ATimerMayReplaceItselfWhileItFires) {
  Loop loop;
  int count = 0;
  Handle handle;
  std::function<void()> again = [&] {
    if (++count == 3) return loop.Stop();
    handle = loop.After(milliseconds(1), again);
  };
  handle = loop.After(milliseconds(1), again);
  loop.RunFor(kLong);
  EXPECT_EQ(count, 3);
}

TEST(LoopTest, EveryRepeatsUntilDropped) {
  Loop loop;
  int count = 0;
  Handle handle = loop.Every(milliseconds(1), [&] {
    if (++count == 3) handle.Reset();
  });
  auto last = loop.After(milliseconds(30), [&] { loop.Stop(); });
  loop.RunFor(kLong);
  EXPECT_EQ(count, 3);
}

TEST(LoopTest, AReadableDescriptorIsToldUntilItIsRead) {
  Loop loop;
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  ASSERT_EQ(write(pipe_ends[1], "abc", 3), 3);
  std::string read_bytes;
  auto handle = loop.WatchReadable(pipe_ends[0], [&] {
    char byte;
    ASSERT_EQ(read(pipe_ends[0], &byte, 1), 1);
    read_bytes += byte;
    if (read_bytes.size() == 3) loop.Stop();
  });
  loop.RunFor(kLong);
  EXPECT_EQ(read_bytes, "abc");
  handle.Reset();
  EXPECT_EQ(write(pipe_ends[1], "d", 1), 1);  // the descriptor is still the caller's
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(LoopTest, SignalsComeToTheLoop) {
  Loop loop;
  int count = 0;
  auto handle = loop.OnSignal(SIGUSR1, [&] {
    if (++count == 2) return loop.Stop();
    kill(getpid(), SIGUSR1);
  });
  kill(getpid(), SIGUSR1);
  loop.RunFor(kLong);
  EXPECT_EQ(count, 2);
}

TEST(LoopTest, OffloadedWorkRunsElsewhereAndEndsOnTheLoop) {
  Loop loop;
  std::thread::id work, done;
  loop.Offload([&] { work = std::this_thread::get_id(); },
               [&] {
                 done = std::this_thread::get_id();
                 loop.Stop();
               });
  loop.RunFor(kLong);
  EXPECT_NE(work, std::this_thread::get_id());
  EXPECT_EQ(done, std::this_thread::get_id());
}

}  // namespace
}  // namespace kiln::net

// Partitions between schedulers, ZooKeeper and Mesos, each on a machine of its own.
#include <gtest/gtest.h>

#include "tests/integration/trio.h"

namespace kiln::integration {
namespace {

// As long as a session of this ZooKeeper, so that who is cut off from it is replaced. All kinds,
// for longer, are in tools/bench partitions.
TEST(PartitionsTest, WorkGoesOnAfterTheHealAndNothingIsDoneTwice) {
  auto network = Network::Make(Trio::Machines());
  if (!network) GTEST_SKIP() << network.error().message;
  Trio trio(**network);
  for (const Partition partition : {Partition::kLeaderFromZookeeper, Partition::kLeaderFromAll}) {
    const auto seconds = trio.Suffer(partition, std::chrono::seconds(4));
    ASSERT_TRUE(seconds) << NameOf(partition) << "\n" << trio.Logs();
    EXPECT_LT(*seconds, 10) << NameOf(partition) << "\n" << trio.Logs();
  }
  EXPECT_EQ(trio.Faults(), std::vector<std::string>{}) << trio.Logs();
}

}  // namespace
}  // namespace kiln::integration

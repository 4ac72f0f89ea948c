// kill -9 of everything but the work. tools/bench kills does it longer, with more work.
#include "tests/integration/kill_rounds.h"

#include <gtest/gtest.h>

namespace kiln::integration {
namespace {

TEST(KillRoundsTest, NothingIsLostStartedTwiceOrKilledThatShouldLive) {
  KillRounds rounds(120);
  ASSERT_TRUE(rounds.Start()) << rounds.Logs();
  for (const Victim victim : kVictims) {
    EXPECT_EQ(rounds.Round(victim), std::vector<std::string>{}) << NameOf(victim) << "\n"
                                                                << rounds.Logs();
  }
}

}  // namespace
}  // namespace kiln::integration

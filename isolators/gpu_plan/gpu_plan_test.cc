#include "isolators/gpu_plan/gpu_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace kiln::isolators {
namespace {

const DeviceNumber kControl{195, 255};
const DeviceNumber kUvm{511, 0};
const ContainerId kOne{"one"};
const ContainerId kTwo{"two"};

GpuPlan FourGpus() {
  std::vector<GpuDevice> inventory;
  for (int i = 0; i < 4; ++i) inventory.push_back({{"GPU-" + std::to_string(i)}, {{195, i}}});
  return GpuPlan(inventory, {kControl, kUvm});
}

TEST(GpuPlanTest, FirstGrantOpensTheDeviceAndTheControlNodes) {
  GpuPlan plan = FourGpus();
  EXPECT_EQ(plan.Grant(kOne, {{"GPU-2"}}),
            (DeviceChange{.deny = {}, .allow = {{195, 2}, kControl, kUvm}}));
  EXPECT_EQ(plan.Free(), (std::vector<GpuId>{{"GPU-0"}, {"GPU-1"}, {"GPU-3"}}));
}

TEST(GpuPlanTest, ChangeOfTheSetDeniesWhatLeftAndAllowsWhatCame) {
  GpuPlan plan = FourGpus();
  ASSERT_TRUE(plan.Grant(kOne, {{"GPU-0"}, {"GPU-1"}}));
  EXPECT_EQ(plan.Grant(kOne, {{"GPU-1"}, {"GPU-3"}}),
            (DeviceChange{.deny = {{195, 0}}, .allow = {{195, 3}}}));
  EXPECT_EQ(plan.Grant(kOne, {}),
            (DeviceChange{.deny = {{195, 1}, {195, 3}, kControl, kUvm}, .allow = {}}));
}

TEST(GpuPlanTest, RefusalLeavesEverythingAsItWas) {
  GpuPlan plan = FourGpus();
  ASSERT_TRUE(plan.Grant(kOne, {{"GPU-0"}}));
  EXPECT_EQ(plan.Grant(kTwo, {{"GPU-1"}, {"GPU-9"}}),
            Fail(ErrorCode::kNotFound, "GPU GPU-9 is not on this agent, which has 4 GPUs"));
  EXPECT_EQ(plan.Grant(kTwo, {{"GPU-0"}}),
            Fail(ErrorCode::kConflict, "GPU GPU-0 is held by another container, expected it free"));
  EXPECT_EQ(plan.GrantCount(kTwo, 4),
            Fail(ErrorCode::kUnavailable, "container asks for 4 GPUs, 3 are free"));
  EXPECT_TRUE(plan.HeldBy(kTwo).empty());
}

TEST(GpuPlanTest, ByCountTheLastAddedGoesFirst) {
  GpuPlan plan = FourGpus();
  ASSERT_TRUE(plan.GrantCount(kOne, 1));
  ASSERT_TRUE(plan.GrantCount(kTwo, 1));
  ASSERT_TRUE(plan.GrantCount(kOne, 3));
  EXPECT_EQ(plan.HeldBy(kOne), (std::vector<GpuId>{{"GPU-0"}, {"GPU-2"}, {"GPU-3"}}));
  ASSERT_TRUE(plan.GrantCount(kOne, 2));
  EXPECT_EQ(plan.HeldBy(kOne), (std::vector<GpuId>{{"GPU-0"}, {"GPU-2"}}));
}

TEST(GpuPlanTest, SlicesOfOneDeviceShareItsNode) {
  GpuPlan plan({{{"MIG-a"}, {{195, 0}, {237, 1}}}, {{"MIG-b"}, {{195, 0}, {237, 2}}}}, {});
  ASSERT_TRUE(plan.Grant(kOne, {{"MIG-a"}, {"MIG-b"}}));
  EXPECT_EQ(plan.Grant(kOne, {{"MIG-b"}}), (DeviceChange{.deny = {{237, 1}}, .allow = {}}));
}

TEST(GpuPlanTest, SickDeviceIsKeptAndNotGivenAnew) {
  GpuPlan plan({{{"GPU-0"}, {{195, 0}}}, {{"GPU-1"}, {{195, 1}}, false}}, {});
  plan.Recover(kOne, {{195, 0}, {195, 1}});
  EXPECT_EQ(plan.Grant(kOne, {{"GPU-0"}, {"GPU-1"}}), DeviceChange{});
  EXPECT_EQ(plan.GrantCount(kOne, 2), DeviceChange{});
  EXPECT_EQ(plan.Grant(kOne, {{"GPU-0"}}), (DeviceChange{.deny = {{195, 1}}, .allow = {}}));
  EXPECT_EQ(plan.Grant(kTwo, {{"GPU-1"}}),
            Fail(ErrorCode::kUnavailable, "GPU GPU-1 is sick, expected a healthy one"));
  EXPECT_TRUE(plan.Free().empty());
}

TEST(GpuPlanTest, RecoveryReadsHoldingsFromTheKernelAndTakesBackWhatIsHeldTwice) {
  GpuPlan plan = FourGpus();
  EXPECT_EQ(plan.Recover(kOne, {{1, 3}, {195, 0}, {195, 1}, kControl, kUvm}), DeviceChange{});
  EXPECT_EQ(plan.HeldBy(kOne), (std::vector<GpuId>{{"GPU-0"}, {"GPU-1"}}));
  EXPECT_EQ(plan.Recover(kTwo, {{195, 1}, {195, 3}, kControl}),
            (DeviceChange{.deny = {{195, 1}}, .allow = {kUvm}}));
  plan.Release(kOne);
  EXPECT_EQ(plan.Free(), (std::vector<GpuId>{{"GPU-0"}, {"GPU-1"}, {"GPU-2"}}));
}

TEST(GpuPlanTest, NoGpuIsEverHeldTwice) {
  GpuPlan plan = FourGpus();
  Random random(7);
  for (int step = 0; step < 2000; ++step) {
    const ContainerId container{std::to_string(random.Below(3))};
    std::set<GpuId> wanted;
    for (uint64_t i = random.Below(4); i > 0; --i)
      wanted.insert({"GPU-" + std::to_string(random.Below(5))});
    switch (random.Below(3)) {
      case 0:
        (void)plan.Grant(container, wanted);
        break;
      case 1:
        (void)plan.GrantCount(container, static_cast<int>(random.Below(6)));
        break;
      default:
        plan.Release(container);
    }
    size_t held = 0;
    std::set<GpuId> distinct;
    for (const char* name : {"0", "1", "2"})
      for (const GpuId& id : plan.HeldBy({name})) ++held, distinct.insert(id);
    ASSERT_EQ(held, distinct.size()) << "step " << step;
    ASSERT_EQ(held + plan.Free().size(), 4u) << "step " << step;
  }
}

}  // namespace
}  // namespace kiln::isolators

#include "scheduler/placement/gpus.h"

#include <gmock/gmock.h>

namespace kiln::scheduler {
namespace {

using testing::ElementsAre;

Gpu Device(const std::string& id, const std::string& group = "", GpuLink link = GpuLink::kNvlink) {
  return {.id = {id},
          .model = "NVIDIA_A100-SXM4-40GB",
          .memory = GiB(40),
          .link_group = group,
          .link = group.empty() ? GpuLink::kSystem : link};
}

Agent With(std::vector<Gpu> gpus) { return {.id = {"a"}, .gpus = std::move(gpus)}; }

Resources All(const Agent& agent) {
  Resources resources;
  for (const Gpu& gpu : agent.gpus) resources += {.gpu_ids = {gpu.id}};
  return resources;
}

std::vector<std::string> Names(const std::optional<GpuChoice>& choice) {
  std::vector<std::string> names;
  if (choice) {
    for (const GpuId& id : choice->ids) names.push_back(id.text);
  }
  return names;
}

TEST(Gpus, ModelsMatchByWholeWords) {
  EXPECT_TRUE(IsModel("", "anything"));
  EXPECT_TRUE(IsModel("A100", "NVIDIA_A100-SXM4-40GB"));
  EXPECT_TRUE(IsModel("a100-sxm4", "NVIDIA A100-SXM4-40GB"));
  EXPECT_FALSE(IsModel("A10", "NVIDIA_A100-SXM4-40GB"));
  EXPECT_FALSE(IsModel("H100", "A100"));
}

TEST(Gpus, LargeLinkedSetsStayWhole) {
  const Agent agent = With({Device("g0", "x"), Device("g1", "x"), Device("g2", "x"),
                            Device("g3", "y"), Device("g4", "y"), Device("g5")});
  EXPECT_THAT(Names(ChooseGpus({.count = 1}, agent, All(agent))), ElementsAre("g5"));
  EXPECT_THAT(Names(ChooseGpus({.count = 2}, agent, All(agent))), ElementsAre("g3", "g4"));
  EXPECT_THAT(Names(ChooseGpus({.count = 3}, agent, All(agent))), ElementsAre("g0", "g1", "g2"));
  EXPECT_EQ(ChooseGpus({.count = 4}, agent, All(agent))->ids.size(), 4U);
}

TEST(Gpus, ALinkThatIsAskedForIsNeverCrossed) {
  const Agent agent =
      With({Device("g0", "x"), Device("g1", "x"), Device("g2", "p", GpuLink::kPcieSwitch),
            Device("g3", "p", GpuLink::kPcieSwitch), Device("g4", "p", GpuLink::kPcieSwitch)});
  EXPECT_THAT(Names(ChooseGpus({.count = 2, .link = "nvlink"}, agent, All(agent))),
              ElementsAre("g0", "g1"));
  EXPECT_EQ(ChooseGpus({.count = 3, .link = "nvlink"}, agent, All(agent)), std::nullopt);
  EXPECT_THAT(Names(ChooseGpus({.count = 3, .link = "pcie"}, agent, All(agent))),
              ElementsAre("g2", "g3", "g4"));
  EXPECT_EQ(MostTogether({.count = 9, .link = "nvlink"}, agent, All(agent).gpu_ids), 2);
}

TEST(Gpus, SickSmallAndOtherModelsAreNotTaken) {
  Agent agent = With({Device("g0"), Device("g1"), Device("g2")});
  agent.gpus[0].healthy = false;
  agent.gpus[1].memory = GiB(20);
  EXPECT_THAT(Names(ChooseGpus({.count = 1, .memory = GiB(40)}, agent, All(agent))),
              ElementsAre("g2"));
  EXPECT_EQ(ChooseGpus({.count = 3}, agent, All(agent)), std::nullopt);
  EXPECT_EQ(ChooseGpus({.count = 1, .model = "H100"}, agent, All(agent)), std::nullopt);
}

TEST(Gpus, OnAStockAgentOnlyTheirNumberIsKnown) {
  const auto choice = ChooseGpus({.count = 2}, With({}), {.gpus = 3});
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->count, 2);
  EXPECT_TRUE(choice->ids.empty());
  EXPECT_EQ(ChooseGpus({.count = 1, .model = "A100"}, With({}), {.gpus = 3}), std::nullopt);
  EXPECT_EQ(ChooseGpus({.count = 4}, With({}), {.gpus = 3}), std::nullopt);
}

TEST(Gpus, AShareComesFromTheFullestDeviceThatHasRoom) {
  Agent agent = With({Device("g0"), Device("g1"), Device("g2"), Device("g3")});
  agent.gpus[3].healthy = false;
  const Resources free{.gpu_ids = {{"g0"}},
                       .gpu_shares = {{{"g1"}, 300}, {{"g2"}, 600}, {{"g3"}, 500}}};
  const auto from = [&](double share, int wanted_free) {
    return ChooseShare({.share = share}, agent, free, wanted_free);
  };
  EXPECT_EQ(from(0.25, 0), (GpuShare{{"g1"}, 250}));
  EXPECT_EQ(from(0.3334, 0), (GpuShare{{"g2"}, 334}));
  EXPECT_EQ(from(0.7, 0), (GpuShare{{"g0"}, 700}));
  EXPECT_EQ(from(0.25, 1000), (GpuShare{{"g0"}, 250}));
  EXPECT_EQ(from(0.25, 500), (GpuShare{{"g1"}, 250}));
  EXPECT_EQ(ChooseShare({.share = 0.1, .model = "H100"}, agent, free, 0), std::nullopt);
  // Devices that the inventory leaves out are devices all the same.
  EXPECT_EQ(ChooseShare({.share = 0.1}, With({}), free, 0), (GpuShare{{"g1"}, 100}));
  EXPECT_EQ(ChooseShare({.share = 0.1, .model = "A100"}, With({}), free, 0), std::nullopt);
}

TEST(Gpus, ADeviceIsOpenedForSharesAndClosedAgain) {
  Resources free{.gpu_ids = {{"g0"}, {"g1"}}, .gpu_shares = {{{"g2"}, 300}}};
  const Resources before = free;
  OpenDevice({"g1"}, free);
  EXPECT_EQ(free, (Resources{.gpu_ids = {{"g0"}}, .gpu_shares = {{{"g1"}, 1000}, {{"g2"}, 300}}}));
  CloseDevice({"g1"}, free);
  EXPECT_EQ(free, before);
}

}  // namespace
}  // namespace kiln::scheduler

#include "model/gpu_inventory.h"

#include <gtest/gtest.h>

namespace kiln {
namespace {

TEST(GpuInventoryTest, ReadsDevicesAndSkipsComments) {
  const auto gpus = ParseGpuInventory(
      "# two of a kind\n"
      "GPU-0 model=A100 memory=40GiB minor=0 link=nvlink:a\n"
      "\n"
      "MIG-7 model=A100 memory=5GiB minor=1 mig=1g.5gb unhealthy  # a slice\n");
  ASSERT_TRUE(gpus) << gpus.error().message;
  EXPECT_EQ(*gpus, (std::vector<Gpu>{{.id = {"GPU-0"},
                                      .model = "A100",
                                      .memory = GiB(40),
                                      .minor = 0,
                                      .mig = "",
                                      .link_group = "a",
                                      .link = GpuLink::kNvlink,
                                      .healthy = true},
                                     {.id = {"MIG-7"},
                                      .model = "A100",
                                      .memory = GiB(5),
                                      .minor = 1,
                                      .mig = "1g.5gb",
                                      .link_group = "",
                                      .link = GpuLink::kSystem,
                                      .healthy = false}}));
}

TEST(GpuInventoryTest, FaultsNameLineFoundAndExpected) {
  const std::pair<const char*, const char*> cases[] = {
      {"GPU-0 minor=x", "GPU inventory line 1: minor is \"x\", expected a whole number from 0"},
      {"\nGPU-0 size=1",
       "GPU inventory line 2: \"size\" is not known, expected model=, memory=, minor=, mig=, link= "
       "or unhealthy"},
      {"GPU-0 link=nvlink",
       "GPU inventory line 1: link is \"nvlink\", expected KIND:NAME such as nvlink:a"},
      {"GPU-0 link=fast:a",
       "GPU inventory line 1: link kind is \"fast\", expected nvlink, pcie, socket or system"},
      {"GPU-0\nGPU-0", "GPU inventory line 2: GPU-0 stands there twice"},
  };
  for (const auto& [text, message] : cases) {
    SCOPED_TRACE(text);
    const auto gpus = ParseGpuInventory(text);
    ASSERT_FALSE(gpus);
    EXPECT_EQ(gpus.error().message, message);
  }
}

TEST(GpuInventoryTest, AttributeTravelsThereAndBackInMesosTextCharacters) {
  const std::vector<Gpu> gpus = *ParseGpuInventory(
      "GPU-0 model=A100-SXM4-40GB memory=40GiB minor=0 link=nvlink:a\nGPU-1 model=T4 memory=15GiB "
      "minor=1\nMIG-7 model=A100 memory=5GiB minor=2 mig=1g.5gb+me");
  const std::string text = FormatGpuAttribute(gpus);
  EXPECT_EQ(text,
            "GPU-0.A100-SXM4-40GB.40960.0.nvlink.a/GPU-1.T4.15360.1.system./"
            "MIG-7.A100.5120.2.system..1g_5gb-me");
  EXPECT_EQ(ParseGpuAttribute(text), gpus);
  EXPECT_FALSE(ParseGpuAttribute("GPU-0.A100"));
}

}  // namespace
}  // namespace kiln

#include "isolators/nvml/nvml.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "model/gpu_inventory.h"

namespace kiln::isolators {
namespace {

class NvmlTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / ("kiln-nvml-" + std::to_string(getpid()));
    setenv("KILN_FAKE_NVML", path_.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("KILN_FAKE_NVML_LOST");
    std::filesystem::remove(path_);
  }
  void Write(const std::string& text) { std::ofstream(path_) << text; }

  // What NVML tells of the machine that `text` describes.
  Result<GpuListing> Listed(const std::string& text) {
    Write(text);
    auto nvml = LoadNvml(KILN_FAKE_NVML_LIBRARY);
    if (!nvml) return Failure(nvml.error());
    return (*nvml)->Read();
  }

  std::filesystem::path path_;
};

TEST_F(NvmlTest, LibraryTellsDevicesLinksAndHealth) {
  const std::string text =
      "GPU-0 model=A100 memory=40GiB minor=0 link=nvlink:0\n"
      "GPU-1 model=A100 memory=40GiB minor=1 link=nvlink:0\n"
      "GPU-2 model=T4 memory=15GiB minor=2\n";
  EXPECT_EQ(Listed(text)->gpus, ParseGpuInventory(text));
}

TEST_F(NvmlTest, BridgesJoinPairs) {
  const std::string text =
      "GPU-0 model=A100 memory=40GiB minor=0 link=nvlink:0\n"
      "GPU-1 model=A100 memory=40GiB minor=1 link=nvlink:1\n"
      "GPU-2 model=A100 memory=40GiB minor=2 link=nvlink:0\n"
      "GPU-3 model=A100 memory=40GiB minor=3 link=nvlink:1\n";
  EXPECT_EQ(Listed(text)->gpus, ParseGpuInventory(text));
}

TEST_F(NvmlTest, LostDeviceIsThereButSick) {
  const auto listing = Listed("GPU-0 model=A100 memory=40GiB minor=0 unhealthy\n");
  ASSERT_TRUE(listing);
  EXPECT_FALSE(listing->gpus.at(0).healthy);
  EXPECT_EQ(listing->gpus.at(0).id.text, "GPU-0");
}

TEST_F(NvmlTest, DeviceWithoutAHandleIsLeftOut) {
  setenv("KILN_FAKE_NVML_LOST", "GPU-1", 1);
  const auto listing = Listed(
      "GPU-0 model=A100 memory=40GiB minor=0 link=nvlink:0\n"
      "GPU-1 model=A100 memory=40GiB minor=1 link=nvlink:0\n"
      "GPU-2 model=A100 memory=40GiB minor=2 link=nvlink:0\n");
  ASSERT_TRUE(listing) << listing.error().message;
  ASSERT_EQ(listing->gpus.size(), 2u);
  EXPECT_EQ(listing->gpus[1].id.text, "GPU-2");
  EXPECT_EQ(listing->gpus[1].link_group, "0");
  EXPECT_EQ(listing->left_out,
            std::vector<std::string>{"GPU 1: nvmlDeviceGetHandleByIndex failed: GPU is lost"});
}

TEST_F(NvmlTest, DeviceThatDoesNotTellItsMemoryIsHealthy) {
  EXPECT_TRUE(Listed("GPU-0 model=GB10 minor=0\n")->gpus.at(0).healthy);
}

TEST_F(NvmlTest, SlicesStandInPlaceOfTheirDevice) {
  const auto listing = Listed(
      "GPU-0 model=A100 memory=40GiB minor=0 link=nvlink:0\n"
      "MIG-a model=A100 memory=5GiB minor=1 mig=1g.5gb gi=7 ci=0\n"
      "MIG-b model=A100 memory=20GiB minor=1 mig=3g.20gb gi=2 ci=1\n"
      "GPU-3 model=A100 memory=40GiB minor=3 link=nvlink:0\n");
  ASSERT_TRUE(listing) << listing.error().message;
  EXPECT_EQ(listing->capabilities.at({"MIG-b"}),
            (std::vector<std::string>{"gpu1/mig/gi2/access", "gpu1/mig/gi2/ci1/access"}));
  EXPECT_EQ(listing, InventoryFromFile(path_)->Read());
}

TEST_F(NvmlTest, MissingLibraryAndFailedStartAreSaid) {
  EXPECT_EQ(LoadNvml("libkiln-no-such.so").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(LoadNvml(KILN_FAKE_NVML_LIBRARY).error().message, "nvmlInit failed: Uninitialized");
}

TEST_F(NvmlTest, FileIsReadAnewEachTime) {
  Write("GPU-0 minor=0\n");
  auto inventory = InventoryFromFile(path_);
  EXPECT_TRUE(inventory->Read()->gpus.at(0).healthy);
  Write("GPU-0 minor=0 unhealthy\n");
  EXPECT_FALSE(inventory->Read()->gpus.at(0).healthy);
  Write("GPU-0 colour=red\n");
  EXPECT_NE(inventory->Read().error().message.find("line 1"), std::string::npos);
}

TEST_F(NvmlTest, FileTellsTheInstancesOfASlice) {
  auto inventory = InventoryFromFile(path_);
  Write("# gi=1 ci=1\n\nMIG-a minor=1 gi=7 mig=1g.5gb ci=0\nMIG-b minor=1 mig=1g.5gb gi=7\n");
  const auto listing = inventory->Read();
  ASSERT_TRUE(listing) << listing.error().message;
  EXPECT_EQ(listing->gpus.at(0).mig, "1g.5gb");
  EXPECT_EQ(listing->capabilities,
            (std::map<GpuId, std::vector<std::string>>{
                {{"MIG-a"}, {"gpu1/mig/gi7/access", "gpu1/mig/gi7/ci0/access"}}}));
  Write("\nMIG-a minor=1 mig=1g.5gb gi=7x ci=0\n");
  EXPECT_NE(inventory->Read().error().message.find("line 2: \"gi\""), std::string::npos);
}

}  // namespace
}  // namespace kiln::isolators

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
  void TearDown() override { std::filesystem::remove(path_); }
  void Write(const std::string& text) { std::ofstream(path_) << text; }

  std::filesystem::path path_;
};

TEST_F(NvmlTest, LibraryTellsDevicesLinksAndHealth) {
  Write(
      "GPU-0 model=A100 memory=40GiB minor=0 link=nvlink:0\n"
      "GPU-1 model=A100 memory=40GiB minor=1 link=nvlink:0\n"
      "GPU-2 model=T4 memory=15GiB minor=2\n");
  auto nvml = LoadNvml(KILN_FAKE_NVML_LIBRARY);
  ASSERT_TRUE(nvml) << nvml.error().message;
  std::ifstream in(path_);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ((*nvml)->Read(), ParseGpuInventory(text));
}

TEST_F(NvmlTest, LostDeviceIsThereButSick) {
  Write("GPU-0 model=A100 memory=40GiB minor=0 unhealthy\n");
  auto nvml = LoadNvml(KILN_FAKE_NVML_LIBRARY);
  ASSERT_TRUE(nvml) << nvml.error().message;
  const auto gpus = (*nvml)->Read();
  ASSERT_TRUE(gpus);
  EXPECT_FALSE(gpus->at(0).healthy);
  EXPECT_EQ(gpus->at(0).id.text, "GPU-0");
}

TEST_F(NvmlTest, MissingLibraryAndFailedStartAreSaid) {
  EXPECT_EQ(LoadNvml("libkiln-no-such.so").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(LoadNvml(KILN_FAKE_NVML_LIBRARY).error().message, "nvmlInit failed: Uninitialized");
}

TEST_F(NvmlTest, FileIsReadAnewEachTime) {
  Write("GPU-0 minor=0\n");
  auto inventory = InventoryFromFile(path_);
  EXPECT_TRUE(inventory->Read()->at(0).healthy);
  Write("GPU-0 minor=0 unhealthy\n");
  EXPECT_FALSE(inventory->Read()->at(0).healthy);
  Write("GPU-0 colour=red\n");
  EXPECT_NE(inventory->Read().error().message.find("line 1"), std::string::npos);
}

}  // namespace
}  // namespace kiln::isolators

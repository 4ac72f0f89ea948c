// Files stand in for the kernel's cgroup here; device_cgroup_test.cc asks the kernel.
#include "isolators/cgroups/gpu_isolation.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace kiln::isolators {
namespace {

class GpuIsolationTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ =
        std::filesystem::temp_directory_path() / ("kiln-gpu-isolation-" + std::to_string(getpid()));
    for (const char* container : {"c1", "c2"}) {
      std::filesystem::create_directories(root_ / "mesos" / container);
      for (const char* file : {"devices.allow", "devices.deny", "devices.list"})
        std::ofstream(root_ / "mesos" / container / file).flush();
    }
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  GpuIsolation Make() {
    return GpuIsolation({.hierarchy = root_, .dev = root_},
                        {{.id = {"GPU-0"}, .minor = 0},
                         {.id = {"GPU-1"}, .minor = 1},
                         {.id = {"GPU-2"}, .minor = 2, .healthy = false}});
  }
  // What was last written; a file keeps only that, where the kernel takes each rule in turn.
  std::string Last(const char* container, const char* file) {
    std::ifstream in(root_ / "mesos" / container / file);
    return std::string((std::istreambuf_iterator<char>(in)), {});
  }

  std::filesystem::path root_;
};

using Names = std::set<GpuId>;

TEST_F(GpuIsolationTest, NothingIsWrittenBeforeTheCgroupIsThere) {
  GpuIsolation isolation = Make();
  ASSERT_TRUE(isolation.Prepare({"c1"}, Names{{"GPU-1"}}));
  EXPECT_EQ(Last("c1", "devices.allow"), "");
  ASSERT_TRUE(isolation.Isolate({"c1"}));
  EXPECT_EQ(Last("c1", "devices.allow"), "c 195:1 rwm");
}

TEST_F(GpuIsolationTest, UpdateTakesBackAndFreesForOthers) {
  GpuIsolation isolation = Make();
  ASSERT_TRUE(isolation.Update({"c1"}, 2));
  EXPECT_FALSE(isolation.Update({"c2"}, Names{{"GPU-0"}}));
  ASSERT_TRUE(isolation.Update({"c1"}, Names{{"GPU-1"}}));
  EXPECT_EQ(Last("c1", "devices.deny"), "c 195:0 rwm");
  EXPECT_TRUE(isolation.Update({"c2"}, Names{{"GPU-0"}}));
}

TEST_F(GpuIsolationTest, SickDeviceIsGivenToNobody) {
  GpuIsolation isolation = Make();
  EXPECT_EQ(isolation.Prepare({"c1"}, Names{{"GPU-2"}}).error().message,
            "GPU GPU-2 is not on this agent, which has 2 GPUs");
  EXPECT_FALSE(isolation.Prepare({"c1"}, 3));
}

TEST_F(GpuIsolationTest, GrantThatCannotBeWrittenIsTakenBack) {
  GpuIsolation isolation = Make();
  EXPECT_FALSE(isolation.Update({"no-such-container"}, 1));
  EXPECT_EQ(isolation.plan().Free().size(), 2u);
}

TEST_F(GpuIsolationTest, RecoveryGivesEachDeviceToOneContainer) {
  for (const char* container : {"c1", "c2"})
    std::ofstream(root_ / "mesos" / container / "devices.list") << "c 195:0 rwm\n";
  GpuIsolation isolation = Make();
  ASSERT_TRUE(isolation.Recover({"c1"}));
  ASSERT_TRUE(isolation.Recover({"c2"}));
  EXPECT_EQ(isolation.plan().HeldBy({"c1"}), std::vector<GpuId>{{"GPU-0"}});
  EXPECT_EQ(Last("c2", "devices.deny"), "c 195:0 rwm");
  isolation.Cleanup({"c1"});
  EXPECT_EQ(isolation.plan().Free().size(), 2u);
}

}  // namespace
}  // namespace kiln::isolators

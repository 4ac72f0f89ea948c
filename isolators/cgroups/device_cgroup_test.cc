// Run as root where the kernel has the devices controller, these tests ask the kernel itself: a
// child inside the group opens character devices that the test makes.
#include "isolators/cgroups/device_cgroup.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace kiln::isolators {
namespace {

// The kernel's own memory devices: safe to open, always there.
constexpr DeviceNumber kNull{1, 3};
constexpr DeviceNumber kZero{1, 5};

class DeviceCgroupKernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (getuid() != 0) GTEST_SKIP() << "needs root to make devices and cgroups";
    const auto hierarchy = DeviceCgroup::FindHierarchy();
    if (!hierarchy) GTEST_SKIP() << hierarchy.error().message;
    const std::string name = "kiln-test-" + std::to_string(getpid());
    group_ = DeviceCgroup(*hierarchy + "/" + name);
    if (const Status made = group_.Create(); !made) GTEST_SKIP() << made.error().message;
    folder_ = std::filesystem::temp_directory_path() / name;
    std::filesystem::create_directory(folder_);
    Make("null", kNull);
    Make("zero", kZero);
  }
  void TearDown() override {
    std::filesystem::remove_all(folder_);
    EXPECT_TRUE(group_.Remove());
  }
  void Make(const char* name, DeviceNumber node) {
    ASSERT_EQ(mknod((folder_ / name).c_str(), S_IFCHR | 0600,
                    makedev(static_cast<unsigned>(node.major), static_cast<unsigned>(node.minor))),
              0);
  }
  // The errno of open(2) by a process inside the group; 0 when it opens.
  int OpenInside(const char* name) {
    const std::string path = folder_ / name;
    const pid_t child = fork();
    if (child == 0) {
      if (!group_.AddProcess(getpid())) _exit(255);
      _exit(open(path.c_str(), O_RDWR) >= 0 ? 0 : errno);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  }

  DeviceCgroup group_{""};
  std::filesystem::path folder_;
};

TEST_F(DeviceCgroupKernelTest, KernelOpensExactlyWhatIsAllowed) {
  ASSERT_TRUE(group_.DenyAll());
  EXPECT_EQ(OpenInside("null"), EPERM);
  ASSERT_TRUE(group_.Apply({.deny = {}, .allow = {kNull}}));
  EXPECT_EQ(OpenInside("null"), 0);
  EXPECT_EQ(OpenInside("zero"), EPERM);
  EXPECT_EQ(group_.Allowed(), std::set<DeviceNumber>{kNull});
  ASSERT_TRUE(group_.Apply({.deny = {kNull}, .allow = {kZero}}));
  EXPECT_EQ(OpenInside("null"), EPERM);
  EXPECT_EQ(OpenInside("zero"), 0);
}

TEST_F(DeviceCgroupKernelTest, GroupIsClosedOnceAllIsDenied) {
  EXPECT_EQ(
      group_.CheckClosed().error().message,
      "cgroup " + group_.folder() + " lets every device pass, expected a list of single devices");
  ASSERT_TRUE(group_.DenyAll());
  EXPECT_TRUE(group_.CheckClosed());
  ASSERT_TRUE(group_.Apply({.deny = {}, .allow = {kNull}}));
  EXPECT_TRUE(group_.CheckClosed());
}

TEST_F(DeviceCgroupKernelTest, PlanIsRecoveredFromTheKernel) {
  const std::vector<GpuDevice> inventory = {{{"GPU-null"}, {kNull}}, {{"GPU-zero"}, {kZero}}};
  GpuPlan plan(inventory, {});
  ASSERT_TRUE(group_.DenyAll());
  ASSERT_TRUE(group_.Apply(*plan.Grant({"c"}, {{"GPU-zero"}})));

  GpuPlan again(inventory, {});
  EXPECT_EQ(again.Recover({"c"}, *group_.Allowed()), DeviceChange{});
  EXPECT_EQ(again.HeldBy({"c"}), std::vector<GpuId>{{"GPU-zero"}});
}

TEST(DeviceCgroupTest, ListIsReadWithoutWildcards) {
  EXPECT_EQ(ParseDevicesList("a *:* rwm\nc *:* m\nb 8:0 rwm\nc 195:0 rw\nc 195:255 rwm\nc 1:9 m\n"),
            (std::set<DeviceNumber>{{195, 0}, {195, 255}}));
}

TEST(DeviceCgroupTest, MissingHierarchyAndGroupAreSaid) {
  EXPECT_EQ(DeviceCgroup::FindHierarchy("/dev/null").error().message,
            "no cgroup v1 hierarchy with the devices controller in /dev/null");
  EXPECT_EQ(DeviceCgroup("/nowhere/g").DenyAll().error().message,
            "cannot write \"a\" to /nowhere/g/devices.deny: No such file or directory");
  EXPECT_EQ(DeviceCgroup("/nowhere/g").Allowed().error().code, ErrorCode::kNotFound);
  EXPECT_EQ(DeviceCgroup("/dev").Allowed().error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace kiln::isolators

// Files stand in for the kernel's cgroup here; device_cgroup_test.cc asks the kernel.
#include "isolators/cgroups/gpu_isolation.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
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
    return *GpuIsolation::Create({.hierarchy = root_, .dev = root_},
                                 {{.id = {"GPU-0"}, .minor = 0},
                                  {.id = {"GPU-1"}, .minor = 1},
                                  {.id = {"GPU-2"}, .minor = 2, .healthy = false}});
  }
  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  // A character device without being root.
  void MakeNode(const char* name, const char* device) {
    std::filesystem::create_symlink(device, root_ / name);
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
            "GPU GPU-2 is sick, expected a healthy one");
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

TEST_F(GpuIsolationTest, SickDeviceStaysWithItsContainerOverARestart) {
  Write("mesos/c1/devices.list", "c 195:0 rwm\nc 195:2 rwm\n");
  GpuIsolation isolation = Make();
  ASSERT_TRUE(isolation.Recover({"c1"}));
  EXPECT_TRUE(isolation.Update({"c1"}, Names{{"GPU-0"}, {"GPU-2"}}));
  EXPECT_FALSE(isolation.Prepare({"c2"}, Names{{"GPU-2"}}));
  // A change that cannot be written leaves it there too.
  std::filesystem::remove_all(root_ / "mesos/c1");
  EXPECT_FALSE(isolation.Update({"c1"}, Names{{"GPU-0"}}));
  EXPECT_TRUE(isolation.Update({"c1"}, Names{{"GPU-0"}, {"GPU-2"}}));
}

TEST_F(GpuIsolationTest, RecoveryTellsAGroupThatIsGoneFromOneThatCannotBeRead) {
  GpuIsolation isolation = Make();
  EXPECT_TRUE(isolation.Recover({"no-such-container"}));
  Write("mesos/c1/devices.list", "c 195:0 rwm\n");
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const Status recovered = isolation.Recover({"c1"});
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_FALSE(recovered);
}

TEST_F(GpuIsolationTest, GroupThatIsMissingOrOpenIsRefusedAlsoWithoutGpus) {
  GpuIsolation isolation = Make();
  EXPECT_TRUE(isolation.Isolate({"c1"}));
  Write("mesos/c1/devices.list", "a *:* rwm\n");
  EXPECT_EQ(isolation.Isolate({"c1"}).error().message,
            "isolator cgroups/devices is not on: cgroup " + (root_ / "mesos/c1").string() +
                " lets every device pass, expected a list of single devices");
  EXPECT_EQ(isolation.Isolate({"no-such-container"}).error().code, ErrorCode::kNotFound);
}

TEST_F(GpuIsolationTest, UvmIsMadeWhereItIsMissing) {
  int loads = 0;
  GpuIsolationOptions options{.hierarchy = root_, .dev = root_, .proc = root_};
  options.load_uvm = [&]() -> Status {
    if (++loads > 1) MakeNode("nvidia-uvm", "/dev/zero");
    return {};
  };
  MakeNode("nvidiactl", "/dev/null");
  const auto refused = GpuIsolation::Create(options, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            (root_ / "nvidia-uvm").string() +
                " is missing, expected the character device of NVIDIA's driver");
  auto isolation = GpuIsolation::Create(options, {{.id = {"GPU-0"}, .minor = 0}});
  ASSERT_TRUE(isolation) << isolation.error().message;
  Write("mesos/c1/devices.list", "c 1:3 rwm\nc 195:0 rwm\n");
  ASSERT_TRUE(isolation->Recover({"c1"}));
  EXPECT_EQ(Last("c1", "devices.allow"), "c 1:5 rwm");
  ASSERT_TRUE(GpuIsolation::Create(options, {}));
  EXPECT_EQ(loads, 2);
  std::filesystem::remove(root_ / "nvidiactl");
  EXPECT_EQ(GpuIsolation::Create(options, {}).error().code, ErrorCode::kFailedPrecondition);
}

TEST_F(GpuIsolationTest, UvmIsLoadedByTheDriversProgram) {
  Write("nvidia-modprobe", "#!/bin/sh\n[ \"$*\" = '-u -c 0' ] && [ -e \"$0.works\" ]\n");
  std::filesystem::permissions(root_ / "nvidia-modprobe", std::filesystem::perms::owner_all);
  const std::string path = std::getenv("PATH");
  setenv("PATH", (root_.string() + ":" + path).c_str(), 1);
  EXPECT_EQ(LoadUvm().error().code, ErrorCode::kFailedPrecondition);
  Write("nvidia-modprobe.works", "");
  EXPECT_TRUE(LoadUvm());
  setenv("PATH", path.c_str(), 1);
}

TEST_F(GpuIsolationTest, SlicesOfOneDeviceAreToldApartByTheirCapabilities) {
  Write("devices", "Character devices:\n  1 mem\n236 nvidia-caps\n237 nvidia-caps-imex\n");
  const std::string folder = "driver/nvidia/capabilities/";
  const std::vector<Gpu> gpus = {{.id = {"MIG-a"}, .minor = 1, .mig = "1g.5gb"},
                                 {.id = {"MIG-b"}, .minor = 1, .mig = "1g.5gb"}};
  GpuCapabilities capabilities;
  for (const auto& [id, first] : {std::pair("MIG-a", 66), std::pair("MIG-b", 75)}) {
    for (int minor : {first, first + 1}) {
      capabilities[{id}].push_back(std::to_string(minor));
      Write(folder + std::to_string(minor),
            "DeviceFileMinor: " + std::to_string(minor) + "\nDeviceFileMode: 292\n");
    }
  }
  const GpuIsolationOptions options{.hierarchy = root_, .dev = root_, .proc = root_};
  auto isolation = GpuIsolation::Create(options, gpus, capabilities);
  ASSERT_TRUE(isolation) << isolation.error().message;
  ASSERT_TRUE(isolation->Update({"c1"}, Names{{"MIG-b"}}));
  EXPECT_EQ(Last("c1", "devices.allow"), "c 236:76 rwm");

  Write("mesos/c1/devices.list", "c 195:1 rwm\nc 236:75 rwm\nc 236:76 rwm\n");
  Write("mesos/c2/devices.list", "c 195:1 rwm\nc 236:66 rwm\nc 236:67 rwm\n");
  auto again = *GpuIsolation::Create(options, gpus, capabilities);
  ASSERT_TRUE(again.Recover({"c1"}));
  ASSERT_TRUE(again.Recover({"c2"}));
  EXPECT_EQ(again.plan().HeldBy({"c1"}), std::vector<GpuId>{{"MIG-b"}});
  EXPECT_EQ(again.plan().HeldBy({"c2"}), std::vector<GpuId>{{"MIG-a"}});
  for (const char* container : {"c1", "c2"}) EXPECT_EQ(Last(container, "devices.deny"), "");

  EXPECT_EQ(GpuIsolation::Create(options, gpus).error().message,
            "GPU slice MIG-a has 0 capabilities, expected those of its GPU instance (gi=) and its "
            "compute instance (ci=)");
  Write(folder + "66", "nothing\n");
  EXPECT_EQ(GpuIsolation::Create(options, gpus, capabilities).error().message,
            "GPU slice MIG-a: " + (root_ / folder / "66").string() +
                " is \"nothing\n\", expected \"DeviceFileMinor: N\"");
}

}  // namespace
}  // namespace kiln::isolators

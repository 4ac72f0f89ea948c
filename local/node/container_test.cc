#include "local/node/container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "local/node/agent_flags.h"
#include "local/node/agent_token.h"
#include "local/node/container_environment.h"
#include "local/node/files.h"

namespace kiln::local {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::string Content(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class ContainerTest : public testing::Test {
 protected:
  ContainerTest() {
    std::string name = (fs::temp_directory_path() / "kiln-container-XXXXXX").string();
    folder_ = fs::canonical(mkdtemp(name.data())).string();
    fs::create_directories(Sandbox());
  }
  ~ContainerTest() override {
    containers_.reset();
    fs::remove_all(folder_);
  }
  std::string Sandbox() const { return folder_ + "/sandbox"; }

  void Open(bool cgroups = false) {
    ContainerCallbacks callbacks;
    callbacks.started = [this](const RunKey&, pid_t pid) { pid_ = pid; };
    callbacks.failed = [this](const RunKey&, const std::string& why) {
      failure_ = why;
      loop_.Stop();
    };
    callbacks.ended = [this](const RunKey&, const ContainerEnd& end) {
      end_ = end;
      loop_.Stop();
    };
    containers_ = std::make_unique<Containers>(loop_, folder_ + "/run", cgroups, callbacks);
  }
  ContainerSpec Shell(const std::string& command) const {
    ContainerSpec spec;
    spec.key = {"f", "e", "c"};
    spec.process = {"/bin/sh", {"sh", "-c", command}, {"PATH=/usr/bin:/bin"}, Sandbox(), {}, {}};
    spec.limits = {0.5, uint64_t{64} << 20, {}};
    return spec;
  }
  // Until the container has ended, or the time is over.
  void RunUntilEnd() { loop_.RunFor(seconds(20)); }
  // Until a file in the sandbox has content.
  std::string Await(const std::string& name) {
    for (int i = 0; i < 1000 && Content(Sandbox() + "/" + name).empty(); ++i) {
      loop_.RunFor(milliseconds(10));
    }
    return Content(Sandbox() + "/" + name);
  }

  net::Loop loop_;
  std::string folder_;
  std::unique_ptr<Containers> containers_;
  pid_t pid_ = 0;
  std::optional<ContainerEnd> end_;
  std::string failure_;
};

TEST_F(ContainerTest, TellsTheStatusAndKeepsTheOutput) {
  Open();
  containers_->Launch(Shell("echo out; echo err >&2; exit 3"));
  RunUntilEnd();
  ASSERT_TRUE(end_);
  EXPECT_EQ(end_->status, 3 << 8);
  EXPECT_EQ(end_->reason, std::nullopt);
  EXPECT_EQ(Content(Sandbox() + "/stdout"), "out\n");
  EXPECT_EQ(Content(Sandbox() + "/stderr"), "err\n");
}

TEST_F(ContainerTest, AProgramThatDoesNotExistExitsWithOneAndSaysSo) {
  Open();
  ContainerSpec spec = Shell("");
  spec.process.program = "/no/such/program";
  containers_->Launch(spec);
  RunUntilEnd();
  ASSERT_TRUE(end_);
  EXPECT_EQ(end_->status, 1 << 8);
  EXPECT_EQ(Content(Sandbox() + "/stderr"),
            "Failed to execute command: No such file or directory\n");
}

TEST_F(ContainerTest, DestroyEndsTheWholeTreeAlsoWhatHasLeftItsSession) {
  Open();
  containers_->Launch(
      Shell("setsid sh -c 'echo $$ > far; sleep 1000' & sleep 1000 & echo $! > near; wait"));
  const pid_t far = std::stoi(Await("far"));
  const pid_t near = std::stoi(Await("near"));
  containers_->Destroy("c");
  RunUntilEnd();
  ASSERT_TRUE(end_);
  EXPECT_EQ(end_->status, SIGKILL);
  EXPECT_FALSE(StartMark(far));
  EXPECT_FALSE(StartMark(near));
}

TEST_F(ContainerTest, WhatAnExecutorLeavesBehindEndsWithIt) {
  Open();
  containers_->Launch(Shell("setsid sh -c 'echo $$ > far; sleep 1000' & sleep 0.3; exit 0"));
  const pid_t far = std::stoi(Await("far"));
  RunUntilEnd();
  ASSERT_TRUE(end_);
  EXPECT_FALSE(StartMark(far));
}

TEST_F(ContainerTest, ALaterLifeWatchesWhatTheFormerOneStarted) {
  Open();
  containers_->Launch(Shell("echo ready > ready; while [ ! -e go ]; do sleep 0.01; done"));
  Await("ready");
  const pid_t pid = pid_;
  containers_.reset();
  Open();
  EXPECT_EQ(containers_->Attach({"f", "e", "c"}, Sandbox()), pid);
  std::ofstream(Sandbox() + "/go") << "go";
  RunUntilEnd();
  ASSERT_TRUE(end_);
  EXPECT_EQ(end_->status, 0);
  EXPECT_EQ(containers_->Attach({"f", "e", "c"}, Sandbox()), std::nullopt);
}

TEST_F(ContainerTest, StraysOfAFormerLifeEnd) {
  Open();
  containers_->Launch(Shell("echo ready > ready; sleep 1000"));
  Await("ready");
  containers_.reset();
  Open();
  containers_->EndStrays();
  for (int i = 0; i < 500 && StartMark(pid_); ++i) loop_.RunFor(milliseconds(10));
  EXPECT_FALSE(StartMark(pid_));
}

TEST_F(ContainerTest, UrisAreInTheSandboxBeforeTheStart) {
  std::ofstream(folder_ + "/data.txt") << "data\n";
  std::ofstream(folder_ + "/tool") << "#!/bin/sh\necho tool\n";
  ASSERT_EQ(std::system(("tar -C " + folder_ + " -czf " + folder_ + "/a.tgz data.txt").c_str()), 0);
  Open();
  ContainerSpec spec = Shell("cat data.txt named.txt; ./tool");
  spec.uris.resize(3);
  spec.uris[0].set_value("file://" + folder_ + "/a.tgz");
  spec.uris[1].set_value(folder_ + "/data.txt");
  spec.uris[1].set_output_file("named.txt");
  spec.uris[2].set_value(folder_ + "/tool");
  spec.uris[2].set_executable(true);
  containers_->Launch(spec);
  RunUntilEnd();
  ASSERT_TRUE(end_);
  EXPECT_EQ(Content(Sandbox() + "/stdout"), "data\ndata\ntool\n");
}

TEST_F(ContainerTest, AUriThatCannotBeFetchedFailsTheLaunch) {
  Open();
  ContainerSpec spec = Shell("exit 0");
  spec.uris.emplace_back().set_value("file:///no/such/file");
  containers_->Launch(spec);
  RunUntilEnd();
  EXPECT_EQ(failure_, "Failed to fetch all URIs for container 'c': exited with status 1");
  EXPECT_THAT(Content(Sandbox() + "/stderr"), testing::HasSubstr("/no/such/file"));
}

TEST_F(ContainerTest, DestroyedWhileItIsFilledItNeverStarts) {
  Open();
  containers_->Launch(Shell("exit 0"));
  containers_->Destroy("c");
  RunUntilEnd();
  EXPECT_EQ(failure_, "Container destroyed during its launch");
}

TEST_F(ContainerTest, MemoryBeyondTheLimitEndsTheContainerWithItsReason) {
  Open(true);
  if (!containers_->has_cgroups()) GTEST_SKIP() << "control groups cannot be made here";
  containers_->Launch(Shell("python3 -c 'x = bytearray(200 << 20); print(len(x))' || sleep 1000"));
  RunUntilEnd();
  ASSERT_TRUE(end_);
  EXPECT_EQ(end_->reason, mesos::v1::TaskStatus::REASON_CONTAINER_LIMITATION_MEMORY);
  EXPECT_THAT(end_->message, testing::HasSubstr("Memory limit exceeded: Requested: 64MB"));
}

TEST_F(ContainerTest, NoGroupIsLeftBehind) {
  Open(true);
  if (!containers_->has_cgroups()) GTEST_SKIP() << "control groups cannot be made here";
  containers_->Launch(Shell("sleep 1000 & exit 0"));
  RunUntilEnd();
  ASSERT_TRUE(end_);
  containers_.reset();
  const std::string name = "kiln-" + std::to_string(getpid());
  for (const char* root : {"/sys/fs/cgroup/", "/sys/fs/cgroup/cpu/", "/sys/fs/cgroup/memory/"}) {
    EXPECT_FALSE(fs::exists(root + name)) << root;
  }
}

// ---- files

TEST_F(ContainerTest, FilesAreThoseOfSandboxesOnly) {
  const std::string run = folder_ + "/frameworks/f/executors/e/runs/c";
  fs::create_directories(run);
  fs::create_directory_symlink("c", folder_ + "/frameworks/f/executors/e/runs/latest");
  std::ofstream(run + "/stdout") << "hello from the task\n";
  std::ofstream(folder_ + "/secret") << "secret";
  fs::create_symlink(folder_ + "/secret", run + "/link");
  const SandboxFiles files(folder_);
  const std::string latest = "/frameworks/f/executors/e/runs/latest";
  EXPECT_EQ(files.Resolve(latest + "/stdout"), run + "/stdout");
  EXPECT_EQ(files.Resolve(run + "/stdout"), run + "/stdout");
  for (const std::string& path :
       {latest + "/nope", latest + "/link", latest + "/../../../../x", std::string("/secret"),
        std::string("/frameworks"), std::string("/nope"), std::string()}) {
    EXPECT_EQ(files.Resolve(path), std::nullopt) << path;
  }
  const auto piece = files.Read(latest + "/stdout", 6, 4);
  ASSERT_TRUE(piece);
  EXPECT_EQ(piece->size, 20u);
  EXPECT_EQ(piece->data, "from");
  EXPECT_EQ(files.Read(latest + "/stdout", 100, {})->data, "");
  EXPECT_EQ(files.Read(latest, 0, {}).error().message, "Cannot read a directory.\n");
  EXPECT_EQ(files.List(latest)->front().path(), latest + "/link");
  EXPECT_EQ(ModeText(0100644), "-rw-r--r--");
}

// ---- tokens, flags, environment

TEST(AgentTokenTest, OnlyWhatWasSignedHereCounts) {
  const RunKey key{"f", "e \"1\"", "c"};
  const std::string token = MakeToken(key, "secret");
  const auto claims = CheckToken(token, "secret");
  ASSERT_TRUE(claims);
  EXPECT_EQ((RunKey{claims->framework_id, claims->executor_id, claims->container_id}), key);
  EXPECT_EQ(CheckToken(token, "other").error().message,
            "Invalid JWT: Token signature does not match");
  EXPECT_EQ(CheckToken("abc", "secret").error().message,
            "Invalid JWT: Expected 3 components in token, got 1");
}

TEST(AgentTokenTest, HeadersThatAreRefused) {
  const std::string challenge = "Bearer realm=\"mesos-agent-executor\"";
  EXPECT_EQ(CheckAuthorization(std::nullopt, "s").error().message, challenge);
  EXPECT_EQ(CheckAuthorization("Basic abc", "s").error().message,
            challenge +
                ", error=\"invalid_token\", error_description=\"Scheme 'Basic' "
                "unsupported\"");
}

TEST(AgentFlagsTest, FlagsOfAMesosAgent) {
  const auto flags = ParseAgentFlags({"--hostname=a", "--resources=cpus:2;mem:1024",
                                      "--executor_registration_timeout=2secs", "--no-switch_user",
                                      "--isolation=cgroups/cpu,cgroups/mem"});
  ASSERT_TRUE(flags) << flags.error().message;
  EXPECT_EQ(flags->hostname, "a");
  EXPECT_EQ(flags->resources.size(), 2u);
  EXPECT_EQ(flags->executor_registration_timeout, seconds(2));
  EXPECT_FALSE(flags->switch_user);
  EXPECT_TRUE(flags->cgroups);
  EXPECT_EQ(ParseAgentFlags({"--colour=red"}).error().message, "agent flag --colour is not known");
  EXPECT_FALSE(ParseAgentFlags({"--recovery_timeout=soon"}));
}

TEST(ExecutorEnvironmentTest, TheCommandsOwnVariablesWin) {
  LaunchContainer launch;
  launch.key = {"f", "e", "c"};
  launch.framework.set_checkpoint(true);
  auto* variable = launch.executor.mutable_command()->mutable_environment()->add_variables();
  variable->set_name("MESOS_SANDBOX");
  variable->set_value("/mine");
  const auto lines =
      ExecutorEnvironment({&launch, "/sandbox", "a", "slave(1)@127.0.0.1:5051", "127.0.0.1:5051",
                           "127.0.0.1", "", seconds(5), seconds(900), seconds(2)});
  EXPECT_THAT(
      lines,
      testing::UnorderedElementsAre(
          "LIBPROCESS_IP=127.0.0.1", "LIBPROCESS_PORT=0", "MESOS_AGENT_ENDPOINT=127.0.0.1:5051",
          "MESOS_CHECKPOINT=1", "MESOS_DIRECTORY=/sandbox", "MESOS_EXECUTOR_ID=e",
          "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=5secs", "MESOS_FRAMEWORK_ID=f",
          "MESOS_HTTP_COMMAND_EXECUTOR=0", "MESOS_RECOVERY_TIMEOUT=15mins", "MESOS_SANDBOX=/mine",
          "MESOS_SLAVE_ID=a", "MESOS_SLAVE_PID=slave(1)@127.0.0.1:5051",
          "MESOS_SUBSCRIPTION_BACKOFF_MAX=2secs",
          "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
}

TEST_F(ContainerTest, AProcessThatHasStartedHoldsNothingOfThisOne) {
  // As a listening socket: whoever closes it wants its port to be free.
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const auto pid = StartProcess({.program = "sleep",
                                 .arguments = {"sleep", "1000"},
                                 .environment = {},
                                 .directory = folder_});
  ASSERT_TRUE(pid) << pid.error().message;
  close(ends[1]);
  pollfd end{.fd = ends[0], .events = POLLIN};
  EXPECT_EQ(poll(&end, 1, 0), 1) << "nobody holds the other end";
  close(ends[0]);
  kill(*pid, SIGKILL);
  waitpid(*pid, nullptr, 0);
}

}  // namespace
}  // namespace kiln::local

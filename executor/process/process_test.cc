#include "executor/process/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "base/file.h"
#include "executor/process/command.h"

namespace kiln::executor {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
constexpr auto kLong = std::chrono::seconds(20);

class ProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "kiln_process_XXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
  }
  void TearDown() override { std::system(("rm -rf " + folder_).c_str()); }

  ProcessSpec Shell(const std::string& line) {
    ProcessSpec spec;
    SetShellLine(spec, line);
    spec.environment = OwnEnvironment();
    spec.directory = folder_;
    spec.stdout_path = folder_ + "/stdout";
    spec.stderr_path = folder_ + "/stderr";
    return spec;
  }
  // Runs it to its end; gives how it ended.
  std::string Run(ProcessSpec spec) {
    std::string text = "still running";
    auto process = Process::Start(loop_, std::move(spec), [&](ExitStatus status) {
      text = status.Text();
      loop_.Stop();
    });
    if (!process) return process.error().message;
    loop_.RunFor(kLong);
    return text;
  }
  std::string Read(const std::string& name) { return ReadFile(folder_ + "/" + name).value_or(""); }
  // Waits until the file has a line in it, and gives it as a number.
  int WaitForNumber(const std::string& name) {
    for (int i = 0; i < 2000 && !Read(name).ends_with('\n'); ++i) loop_.RunFor(milliseconds(5));
    return std::atoi(Read(name).c_str());
  }
  // A process that ended may still be a zombie of whoever adopted it.
  static bool IsAlive(int pid) {
    std::ifstream in(fmt::format("/proc/{}/stat", pid));
    std::string line;
    std::getline(in, line);
    size_t at = line.rfind(')');
    return at != std::string::npos && line.substr(at + 2, 1) != "Z";
  }
  bool WaitForDeath(int pid) {
    for (int i = 0; i < 2000 && IsAlive(pid); ++i) loop_.RunFor(milliseconds(5));
    return !IsAlive(pid);
  }

  net::Loop loop_;
  std::string folder_;
};

TEST_F(ProcessTest, EndsAreToldInMesossWords) {
  const std::pair<const char*, const char*> kCases[] = {
      {"exit 0", "exited with status 0"},
      {"exit 3", "exited with status 3"},
      {"/no/such/program", "exited with status 127"},
      {"kill -KILL $$", "terminated with signal Killed"},
      {"kill -TERM $$", "terminated with signal Terminated"},
      {"ulimit -c 0; kill -SEGV $$", "terminated with signal Segmentation fault"},
  };
  for (auto [line, text] : kCases) EXPECT_EQ(Run(Shell(line)), text) << line;
}

TEST_F(ProcessTest, ArgumentsAreTheWholeArgv) {
  ProcessSpec spec = Shell("");
  spec.program = "sh";
  spec.argv = {"other-name", "-c", "echo \"$0 $1\"", "a b", "c  d"};
  EXPECT_EQ(Run(spec), "exited with status 0");
  EXPECT_EQ(Read("stdout"), "a b c  d\n");
}

TEST_F(ProcessTest, WhatCannotBeStartedFailsWithItsReasonOnStderr) {
  ProcessSpec spec = Shell("");
  spec.program = "/no/such/program";
  EXPECT_EQ(Run(spec), "exited with status 1");
  spec.program = "no-such-name";
  EXPECT_EQ(Run(spec), "exited with status 1");
  spec = Shell("true");
  spec.directory = "/no/such/folder";
  EXPECT_EQ(Run(spec), "exited with status 1");
  EXPECT_EQ(Read("stderr"),
            "cannot execute /no/such/program: No such file or directory\n"
            "cannot execute no-such-name: No such file or directory\n"
            "cannot enter /no/such/folder: No such file or directory\n");
}

TEST_F(ProcessTest, EnvironmentAndDirectoryAreThoseGivenAndOutputIsAppended) {
  std::ofstream(folder_ + "/stdout") << "before\n";
  ProcessSpec spec = Shell("echo $ONE-$TWO; pwd; echo oops >&2");
  spec.environment = {{"ONE", "1"}};
  EXPECT_EQ(Run(spec), "exited with status 0");
  EXPECT_EQ(Read("stdout"), "before\n1-\n" + folder_ + "\n");
  EXPECT_EQ(Read("stderr"), "oops\n");
}

TEST_F(ProcessTest, OpenFilesOfThisProcessAreNotInherited) {
  std::ofstream open_file(folder_ + "/open");
  EXPECT_EQ(Run(Shell("ls /proc/self/fd | wc -l")), "exited with status 0");
  EXPECT_EQ(Read("stdout"), "4\n");  // three, and the folder that ls reads
}

TEST_F(ProcessTest, ASignalReachesGrandchildrenAndOtherSessions) {
  std::string ended;
  auto process = Process::Start(
      loop_, Shell("sleep 1000 & echo $! > child; setsid sh -c 'echo $$ > far; sleep 1000' & wait"),
      [&](ExitStatus status) {
        ended = status.Text();
        loop_.Stop();
      });
  ASSERT_TRUE(process.has_value());
  int child = WaitForNumber("child"), far = WaitForNumber("far");
  ASSERT_TRUE(IsAlive(child) && IsAlive(far));
  (*process)->Signal(SIGTERM);
  loop_.RunFor(kLong);
  EXPECT_EQ(ended, "terminated with signal Terminated");
  EXPECT_TRUE(WaitForDeath(child));
  EXPECT_TRUE(WaitForDeath(far));
}

TEST_F(ProcessTest, WhatAProcessLeavesBehindInItsSessionEndsWithIt) {
  EXPECT_EQ(Run(Shell("(trap '' TERM HUP; echo started > ready; sleep 1000) & echo $! > child; "
                      "while [ ! -e ready ]; do sleep 0.01; done; exit 5")),
            "exited with status 5");
  EXPECT_TRUE(WaitForDeath(WaitForNumber("child")));
}

TEST_F(ProcessTest, WhatHasLeftItsSessionAndItsParentEndsWithIt) {
  for (const char* end : {"exit 5", "kill -9 $$"}) {
    Run(
        Shell("rm -f far; (setsid sh -c 'trap \"\" TERM HUP; echo $$ > far; exec sleep 1000' &); "
              "while [ ! -s far ]; do sleep 0.01; done; " +
              std::string(end)));
    EXPECT_FALSE(IsAlive(WaitForNumber("far"))) << end;
  }
}

TEST_F(ProcessTest, OneThatIgnoresTermIsEndedByKill) {
  std::string ended;
  auto process =
      Process::Start(loop_, Shell("trap '' TERM; echo 1 > ready; while true; do sleep 0.1; done"),
                     [&](ExitStatus status) {
                       ended = status.Text();
                       loop_.Stop();
                     });
  WaitForNumber("ready");
  (*process)->Signal(SIGTERM);
  loop_.RunFor(milliseconds(50));
  EXPECT_EQ(ended, "");
  (*process)->Signal(SIGKILL);
  loop_.RunFor(kLong);
  EXPECT_EQ(ended, "terminated with signal Killed");
}

TEST_F(ProcessTest, WithoutItsSupervisorItEndsAndThatIsTold) {
  std::string ended;
  auto process = Process::Start(loop_, Shell("echo $PPID > supervisor; exec sleep 1000"),
                                [&](ExitStatus status) {
                                  ended = status.Text();
                                  loop_.Stop();
                                });
  kill(WaitForNumber("supervisor"), SIGKILL);
  loop_.RunFor(kLong);
  EXPECT_EQ(ended, "terminated with signal Killed");
  EXPECT_TRUE(WaitForDeath((*process)->pid()));
}

TEST_F(ProcessTest, ADestroyedProcessIsDead) {
  auto process = Process::Start(loop_, Shell("echo $$ > pid; sleep 1000"), [](ExitStatus) {});
  int pid = WaitForNumber("pid");
  EXPECT_TRUE(IsAlive(pid));
  process->reset();
  EXPECT_TRUE(WaitForDeath(pid));
}

TEST_F(ProcessTest, RootMayRunAsAnotherUser) {
  if (geteuid() != 0 || getpwnam("nobody") == nullptr) GTEST_SKIP() << "takes root";
  ProcessSpec spec = Shell("id -un");
  spec.user = "nobody";
  std::system(("chmod 777 " + folder_).c_str());
  EXPECT_EQ(Run(spec), "exited with status 0");
  EXPECT_EQ(Read("stdout"), "nobody\n");
  spec.user = "no-such-user";
  EXPECT_EQ(Run(spec), "user no-such-user is not known here");
}

TEST(CommandTest, ACommandsEnvironmentComesOverTheSurroundings) {
  mesos::v1::CommandInfo command;
  command.set_value("echo hi");
  auto* variable = command.mutable_environment()->add_variables();
  variable->set_name("A");
  variable->set_value("inner");
  ProcessSpec spec = SpecOf(command, {"/box", {{"A", "outer"}, {"B", "b"}}});
  EXPECT_EQ(spec.program, "/bin/sh");
  EXPECT_THAT(spec.argv, testing::ElementsAre("sh", "-c", "echo hi"));
  EXPECT_EQ(spec.environment, (std::map<std::string, std::string>{{"A", "inner"}, {"B", "b"}}));
  EXPECT_EQ(spec.directory, "/box");
  command.set_shell(false);
  command.set_value("/bin/echo");
  EXPECT_THAT(SpecOf(command, {}).argv, testing::ElementsAre("/bin/echo"));
}

TEST(CommandTest, TheExecutorsTokenIsNotForTasks) {
  setenv("MESOS_EXECUTOR_AUTHENTICATION_TOKEN", "secret", 1);
  EXPECT_FALSE(OwnEnvironment().contains("MESOS_EXECUTOR_AUTHENTICATION_TOKEN"));
  EXPECT_TRUE(OwnEnvironment().contains("PATH"));
  unsetenv("MESOS_EXECUTOR_AUTHENTICATION_TOKEN");
}

}  // namespace
}  // namespace kiln::executor

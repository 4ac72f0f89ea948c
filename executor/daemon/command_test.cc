// Commands: what Mesos's own command executor tells, as recorded.
#include <gmock/gmock.h>

#include "base/file.h"
#include "executor/daemon/agent_for_test.h"

namespace kiln::executor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CommandDaemonTest : public DaemonTest {};

TEST_F(CommandDaemonTest, EndsAreThoseOfMesossCommandExecutor) {
  struct Case {
    const char *line, *end;
  };
  for (const Case& c : {
           Case{"sleep 0.02; exit 0", "FINISHED: Command exited with status 0"},
           {"exit 3", "FAILED: Command exited with status 3"},
           {"/no/such/program", "FAILED: Command exited with status 127"},
           {"kill -KILL $$", "FAILED: Command terminated with signal Killed"},
       }) {
    agent_.statuses.clear();
    exit_code_.reset();
    Start();
    agent_.Launch(CommandTask("t", c.line));
    ASSERT_TRUE(RunUntilExit()) << c.line;
    EXPECT_THAT(StatusesOf("t"), ElementsAre("RUNNING", c.end));
    EXPECT_EQ(exit_code_, 0);
    daemon_.reset();
  }
}

TEST_F(CommandDaemonTest, AProgramThatDoesNotExistFailsBehindRunning) {
  Start();
  auto task = TaskOf("t");
  task.mutable_command()->set_shell(false);
  task.mutable_command()->set_value("/no/such/program");
  task.mutable_command()->add_arguments("x");
  agent_.Launch(task);
  RunUntilExit();
  EXPECT_THAT(StatusesOf("t"), ElementsAre("RUNNING", "FAILED: Command exited with status 1"));
}

TEST_F(CommandDaemonTest, AKilledCommandIsKilledGently) {
  Start();
  agent_.Launch(CommandTask("t", "sleep 1000"));
  RunUntilRunning("t");
  agent_.Kill("t");
  RunUntilExit();
  EXPECT_THAT(StatusesOf("t"), ElementsAre("RUNNING", "KILLING",
                                           "KILLED: Command terminated with signal Terminated"));
}

TEST_F(CommandDaemonTest, AFrameworkThatDoesNotDeclareTheKillingStateIsNotToldOfIt) {
  agent_.killing_state = false;
  Start();
  agent_.Launch(CommandTask("t", "sleep 1000"));
  RunUntilRunning("t");
  agent_.Kill("t");
  RunUntilExit();
  EXPECT_THAT(StatusesOf("t"),
              ElementsAre("RUNNING", "KILLED: Command terminated with signal Terminated"));
}

TEST_F(CommandDaemonTest, OneThatIgnoresTermIsKilledBehindItsGrace) {
  Start();
  auto task = CommandTask(
      "t", "trap '' TERM; touch " + folder_ + "/ready; while true; do sleep 0.01; done");
  task.mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(50'000'000);
  agent_.Launch(task);
  RunUntil([&] { return ReadFile(folder_ + "/ready").has_value(); });
  agent_.Kill("t");
  RunUntilExit();
  EXPECT_THAT(StatusesOf("t"),
              ElementsAre("RUNNING", "KILLING", "KILLED: Command terminated with signal Killed"));
}

TEST_F(CommandDaemonTest, MaxCompletionTimeFailsIt) {
  Start();
  auto task = CommandTask("t", "sleep 1000");
  task.mutable_max_completion_time()->set_nanoseconds(30'000'000);
  agent_.Launch(task);
  RunUntilExit();
  EXPECT_THAT(
      StatusesOf("t"),
      ElementsAre("RUNNING", "FAILED reason=33: Command terminated with signal Terminated"));
}

TEST_F(CommandDaemonTest, ASickTaskIsKilledAsRecorded) {
  Start();
  auto task = CommandTask("t", "sleep 0.3; touch sick; sleep 1000");
  auto* check = task.mutable_health_check();
  check->set_type(mesos::v1::HealthCheck::COMMAND);
  check->mutable_command()->set_value("test ! -e sick");
  check->set_delay_seconds(0);
  check->set_interval_seconds(0.05);
  check->set_grace_period_seconds(0);
  check->set_consecutive_failures(2);
  agent_.Launch(task);
  RunUntilExit();
  EXPECT_THAT(StatusesOf("t"),
              ElementsAre("RUNNING", "RUNNING reason=29 healthy=1", "RUNNING reason=29 healthy=0",
                          "RUNNING reason=29 healthy=0", "KILLING",
                          "KILLED healthy=0: Command terminated with signal Terminated"));
}

TEST_F(CommandDaemonTest, ShutdownKillsAndExits) {
  Start();
  agent_.Launch(CommandTask("t", "sleep 1000"));
  RunUntilRunning("t");
  agent_.ShutDown();
  RunUntilExit();
  EXPECT_THAT(StatusesOf("t"),
              ElementsAre("RUNNING", "KILLED: Command terminated with signal Terminated"));
}

TEST_F(CommandDaemonTest, SecretsAreVariablesAndFilesThatGoWithTheCommand) {
  Start();
  v1::Work work;
  work.mutable_command()->set_shell(true);
  work.mutable_command()->set_value(
      "echo $S3 $(cat key) $(stat -Lc %a key) $(basename $KILN_CA_FILE) $(cat $KILN_CA_FILE) > out");
  work.set_job("j");
  work.set_api_authority("pem");
  v1::Secret& variable = *work.add_secrets();
  variable.set_env("S3");
  variable.set_value("hush");
  v1::Secret& file = *work.add_secrets();
  file.set_file("key");
  file.set_value("quiet");
  agent_.Launch(WorkTask("t", work));
  RunUntilExit();
  EXPECT_THAT(StatusesOf("t"), ElementsAre("RUNNING", "FINISHED: Command exited with status 0"));
  EXPECT_EQ(ReadFile(folder_ + "/out").value_or(""), "hush quiet 600 .kiln-ca.pem pem\n");
  EXPECT_EQ(ReadFile(folder_ + "/key").value_or(""), "");
}

TEST_F(CommandDaemonTest, KilnsCommandsHaveFilesEnvironmentAndGpus) {
  Start();
  scheduler_.artifacts["tools/hello.txt"] = "hello";
  v1::Work work;
  work.set_job("j");
  work.set_index(2);
  work.set_count(4);
  auto* command = work.mutable_command();
  command->set_shell(true);
  command->set_value(
      "echo $(cat greeting) $NAME $CUDA_VISIBLE_DEVICES $NVIDIA_VISIBLE_DEVICES $MESOS_TASK_ID "
      "$PORT0 $PORT1 $PORTS $HOST $KILN_JOB $KILN_INDEX $KILN_COUNT $KILN_TOKEN > "
      "out");
  (*command->mutable_environment())["NAME"] = "kiln";
  auto* uri = command->add_uris();
  uri->set_value("artifact:tools/hello.txt");
  uri->set_output_file("greeting");
  auto task = WorkTask("t", work);
  auto* gpus = task.add_resources();
  gpus->set_name("nvidia_gpu");
  gpus->set_type(mesos::v1::Value::SET);
  gpus->mutable_set()->add_item("GPU-a");
  gpus->mutable_set()->add_item("GPU-b");
  auto* ports = task.add_resources();
  ports->set_name("ports");
  ports->set_type(mesos::v1::Value::RANGES);
  for (uint64_t port : {31005, 31009}) {
    auto* range = ports->mutable_ranges()->add_range();
    range->set_begin(port);
    range->set_end(port);
  }
  agent_.Launch(task);
  RunUntilExit();
  EXPECT_THAT(StatusesOf("t"), ElementsAre("RUNNING", "FINISHED: Command exited with status 0"));
  EXPECT_EQ(ReadFile(folder_ + "/out").value_or(""),
            "hello kiln GPU-a,GPU-b GPU-a,GPU-b t 31005 31009 31005,31009 127.0.0.1 j 2 4 "
            "of-the-job\n");
}

TEST_F(CommandDaemonTest, CommandsThatShareAGpuHaveFoldersAndOutputOfTheirOwn) {
  Start();
  for (const std::string id : {"one", "two"}) {
    v1::Work work;
    work.set_gpu("GPU-c");
    work.set_gpu_milli(250);
    work.mutable_command()->set_shell(true);
    work.mutable_command()->set_value(
        "echo $CUDA_VISIBLE_DEVICES $KILN_GPU_SHARE $MESOS_TASK_ID; echo oops $MESOS_TASK_ID >&2");
    agent_.Launch(WorkTask(id, work));
  }
  RunUntilEnd("one");
  RunUntilEnd("two");
  EXPECT_EQ(ReadFile(folder_ + "/one/stdout").value_or(""), "GPU-c 0.25 one\n");
  EXPECT_EQ(ReadFile(folder_ + "/two/stdout").value_or(""), "GPU-c 0.25 two\n");
  EXPECT_EQ(ReadFile(folder_ + "/two/stderr").value_or(""), "oops two\n");
}

TEST_F(CommandDaemonTest, ACheckpointIsToldEachTimeThatItsFileIsTouched) {
  Start();
  const std::string wait = "; while [ ! -e again ]; do sleep 0.01; done; ";
  for (const auto& [id, then] : std::map<std::string, std::string>{
           {"once", "sleep 1000"}, {"twice", "touch $KILN_CHECKPOINT; sleep 1000"}}) {
    v1::Work work;
    work.set_gpu("GPU-c");  // so that they share the executor
    work.mutable_command()->set_shell(true);
    work.mutable_command()->set_value("touch $KILN_CHECKPOINT" + wait + then);
    agent_.Launch(WorkTask(id, work));
  }
  RunUntil([&] { return ReportOf("twice").checkpoints() == 1; });
  ASSERT_TRUE(WriteFile(folder_ + "/once/again", ""));
  ASSERT_TRUE(WriteFile(folder_ + "/twice/again", ""));
  RunUntil([&] { return ReportOf("twice").checkpoints() == 2; });
  EXPECT_EQ(ReportOf("once").checkpoints(), 1);
  agent_.ShutDown();
  RunUntilExit();
}

TEST_F(CommandDaemonTest, ACommandNamesThoseOfItsGpusThatAreSick) {
  Start();
  v1::Work work;
  work.mutable_command()->set_shell(true);
  work.mutable_command()->set_value("echo GPU-b GPU-of-others > $KILN_SICK_GPUS; exit 3");
  auto task = WorkTask("t", work);
  auto* gpus = task.add_resources();
  gpus->set_name("nvidia_gpu");
  gpus->set_type(mesos::v1::Value::SET);
  gpus->mutable_set()->add_item("GPU-a");
  gpus->mutable_set()->add_item("GPU-b");
  agent_.Launch(task);
  RunUntilExit();
  EXPECT_THAT(StatusesOf("t"), ElementsAre("RUNNING", "FAILED: Command exited with status 3"));
  EXPECT_THAT(ReportOf("t").sick_gpus(), ElementsAre("GPU-b"));
}

TEST_F(CommandDaemonTest, AMissingFileFailsBeforeTheStart) {
  Start();
  v1::Work work;
  work.mutable_command()->set_value("true");
  work.mutable_command()->add_uris()->set_value("file:///no/such/file");
  agent_.Launch(WorkTask("t", work));
  RunUntilExit();
  EXPECT_THAT(StatusesOf("t"),
              ElementsAre("FAILED reason=21: Failed to fetch all URIs: cannot copy "
                          "/no/such/file: No such file or directory"));
}

TEST_F(CommandDaemonTest, WithoutAnAcknowledgementItKeepsTheUpdateForTheNextLifeOfTheAgent) {
  Start(true);
  agent_.acknowledge = false;
  agent_.Launch(CommandTask("t", "true"));
  RunUntilEnd("t");
  agent_.Die();
  loop_.RunFor(std::chrono::milliseconds(30));
  agent_.acknowledge = true;
  agent_.statuses.clear();
  agent_.Listen(std::stoi(agent_.address().substr(10)));
  RunUntilExit();
  ASSERT_EQ(agent_.subscriptions.size(), 2u);
  EXPECT_EQ(agent_.subscriptions[1].unacknowledged_tasks_size(), 1);
  EXPECT_THAT(StatusesOf("t"), ElementsAre("RUNNING", "FINISHED: Command exited with status 0"));
}

TEST_F(CommandDaemonTest, AnAgentThatRecoversGetsTheUpdatesAgain) {
  Start(true);
  agent_.refuse_updates = 2;
  agent_.Launch(CommandTask("t", "true"));
  RunUntilExit();
  EXPECT_THAT(StatusesOf("t"), ElementsAre("RUNNING", "FINISHED: Command exited with status 0"));
}

TEST_F(CommandDaemonTest, WithoutCheckpointingALostAgentIsTheEnd) {
  Start(false);
  agent_.Launch(CommandTask("t", "echo $$ > pid; sleep 1000"));
  RunUntil([&] { return ReadFile(folder_ + "/pid").value_or("").ends_with('\n'); });
  agent_.Die();
  RunUntilExit();
  EXPECT_NE(kill(std::stoi(*ReadFile(folder_ + "/pid")), 0), 0);
}

TEST_F(CommandDaemonTest, WorkThatIsNotKnownIsAnError) {
  Start();
  auto task = TaskOf("t");
  task.set_data("no work");
  agent_.Launch(task);
  RunUntilEnd("t");
  EXPECT_THAT(StatusesOf("t"), ElementsAre(HasSubstr("ERROR: task t: found 7 bytes")));
  EXPECT_EQ(exit_code_, std::nullopt);
}

}  // namespace
}  // namespace kiln::executor

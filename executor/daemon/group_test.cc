// Task groups: what Mesos's own default executor tells, as recorded.
#include <gmock/gmock.h>

#include <filesystem>

#include "base/file.h"
#include "executor/daemon/agent_for_test.h"

namespace kiln::executor {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

class GroupDaemonTest : public DaemonTest {
 protected:
  GroupDaemonTest() { agent_.default_executor = true; }

  std::string Output(const std::string& task) {
    return ReadFile(folder_ + "/tasks/" + task + "/stdout").value_or("");
  }
};

TEST_F(GroupDaemonTest, OneThatFailsTakesItsGroupAlongAndNobodyElse) {
  Start();
  agent_.LaunchGroup({CommandTask("other", "while [ ! -e end ]; do sleep 0.02; done")});
  agent_.LaunchGroup({CommandTask("fails", "while [ ! -e end ]; do sleep 0.02; done; exit 3"),
                      CommandTask("stays", "sleep 1000")});
  for (const char* task : {"other", "fails", "stays"}) RunUntilRunning(task);
  ASSERT_TRUE(WriteFile(folder_ + "/tasks/fails/end", ""));
  RunUntilEnd("stays");
  EXPECT_THAT(StatusesOf("fails"), ElementsAre("RUNNING", "FAILED: Command exited with status 3"));
  EXPECT_THAT(
      StatusesOf("stays"),
      ElementsAre("RUNNING", "KILLING", "KILLED: Command terminated with signal Terminated"));
  EXPECT_THAT(StatusesOf("other"), ElementsAre("RUNNING"));
  EXPECT_FALSE(exit_code_.has_value());
  ASSERT_TRUE(WriteFile(folder_ + "/tasks/other/end", ""));
  ASSERT_TRUE(RunUntilExit());
  EXPECT_THAT(StatusesOf("other"),
              ElementsAre("RUNNING", "FINISHED: Command exited with status 0"));
  EXPECT_EQ(exit_code_, 0);
}

TEST_F(GroupDaemonTest, EachHasAFolderOfItsOwnWithItsFilesAndWhatItSharesOfItsParents) {
  Start();
  ASSERT_TRUE(WriteFile(folder_ + "/greeting.txt", "hello"));
  auto task = CommandTask("t",
                          "cat greeting.txt; echo $NAME $MESOS_CONTAINER_IP; echo kept > shared/x; "
                          "[ $MESOS_SANDBOX = $(pwd -P) ]");
  task.mutable_command()->add_uris()->set_value(folder_ + "/greeting.txt");
  auto* name = task.mutable_command()->mutable_environment()->add_variables();
  name->set_name("NAME");
  name->set_type(mesos::v1::Environment::Variable::SECRET);
  name->mutable_secret()->mutable_value()->set_data(" world");
  auto* container = task.mutable_container();
  container->set_type(mesos::v1::ContainerInfo::MESOS);
  auto* volume = container->add_volumes();
  volume->set_container_path("shared");
  volume->set_mode(mesos::v1::Volume::RW);
  volume->mutable_source()->set_type(mesos::v1::Volume::Source::SANDBOX_PATH);
  auto* path = volume->mutable_source()->mutable_sandbox_path();
  path->set_type(mesos::v1::Volume::Source::SandboxPath::PARENT);
  path->set_path("common");
  agent_.LaunchGroup({task});
  ASSERT_TRUE(RunUntilExit());
  EXPECT_THAT(StatusesOf("t"), ElementsAre("RUNNING", "FINISHED: Command exited with status 0"));
  EXPECT_EQ(Output("t"), "helloworld 127.0.0.1\n");
  EXPECT_EQ(ReadFile(folder_ + "/common/x").value_or(""), "kept\n");
  const auto& status = agent_.statuses.back().container_status().container_id();
  EXPECT_EQ(status.parent().value(), "pod");
  EXPECT_TRUE(
      std::filesystem::equivalent(folder_ + "/tasks/t", folder_ + "/containers/" + status.value()));
}

TEST_F(GroupDaemonTest, WhatItCannotContainFails) {
  const auto with = [&](auto change) {
    auto task = CommandTask("t", "true");
    change(task);
    if (!task.has_container()) return task;
    task.mutable_container()->set_type(mesos::v1::ContainerInfo::MESOS);
    for (auto& volume : *task.mutable_container()->mutable_volumes()) {
      volume.set_mode(mesos::v1::Volume::RW);
    }
    return task;
  };
  struct Case {
    mesos::v1::TaskInfo task;
    const char* end;
  };
  const Case cases[] = {
      {with([](auto& task) {
         auto& image = *task.mutable_container()->mutable_mesos()->mutable_image();
         image.set_type(mesos::v1::Image::DOCKER);
       }),
       "FAILED reason=21: Container images"},
      {with([](auto& task) { (*task.mutable_limits())["cpus"].set_value(2); }),
       "FAILED reason=21: Limits"},
      {with([](auto& task) {
         auto* volume = task.mutable_container()->add_volumes();
         volume->mutable_source()->set_type(mesos::v1::Volume::Source::SANDBOX_PATH);
         auto* path = volume->mutable_source()->mutable_sandbox_path();
         path->set_type(mesos::v1::Volume::Source::SandboxPath::PARENT);
         path->set_path("../up");
         volume->set_container_path("x");
       }),
       "FAILED reason=21: volume ../up at x is not in the sandbox"},
      {with([](auto& task) { task.mutable_command()->add_uris()->set_value("/no/such"); }),
       "FAILED reason=21: Failed to fetch all URIs"},
      {with([](auto& task) { task.clear_command(); }), "FAILED: task t: found no command"}};
  for (const Case& each : cases) {
    agent_.statuses.clear();
    exit_code_.reset();
    Start();
    agent_.LaunchGroup({each.task, CommandTask("u", "sleep 1000")});
    ASSERT_TRUE(RunUntilExit()) << each.end;
    EXPECT_THAT(StatusesOf("t"), ElementsAre(StartsWith(each.end)));
    EXPECT_THAT(StatusesOf("u").back(), StartsWith("KILLED"));
    daemon_.reset();
  }
}

}  // namespace
}  // namespace kiln::executor

// Other people's frameworks run on local mode: a scheduler and an executor on the mesos-go library.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/mesos/local_mesos.h"

namespace kiln::replay {
namespace {

using testing::HasSubstr;

class GoFrameworkTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(KILN_GO_FRAMEWORK).empty()) {
      GTEST_SKIP() << "go or the package golang-github-mesos-mesos-go-dev is missing";
    }
    Scenario scenario;
    scenario.agents = {
        {.flags = {"--hostname=127.0.0.1"}, .resources = "cpus:2;mem:1024;disk:1024"}};
    Bindings bindings;
    auto mesos = LocalMesos::Start(KILN_LOCAL_PROGRAM, scenario, bindings);
    ASSERT_TRUE(mesos) << mesos.error().message;
    mesos_ = *std::move(mesos);
  }
  // What the framework prints.
  std::string Run(const std::string& mode) {
    const std::string master = "127.0.0.1:" + std::to_string(*mesos_->PortOf("master"));
    const auto run = support::RunProgram({KILN_GO_FRAMEWORK, mode, master, GetParam()});
    EXPECT_EQ(run.code, 0) << run.output << mesos_->Log();
    return run.output;
  }

  std::unique_ptr<LocalMesos> mesos_;
};

TEST_P(GoFrameworkTest, RunsATaskOnItsOwnExecutor) {
  const std::string output = Run("scheduler");
  EXPECT_THAT(output, HasSubstr("go-task TASK_RUNNING go-executor says TASK_RUNNING"));
  EXPECT_THAT(output, HasSubstr("go-task TASK_FINISHED go-executor says TASK_FINISHED said by the "
                                "scheduler"));
}

TEST_P(GoFrameworkTest, AGroupOnTheDefaultExecutorEndsWithTheTaskThatFails) {
  const std::string output = Run("group");
  for (const char* line : {"fails TASK_STARTING", "stays TASK_STARTING", "fails TASK_RUNNING",
                           "stays TASK_RUNNING", "fails TASK_FAILED Command exited with status 3",
                           "stays TASK_KILLED Command terminated with signal Terminated"}) {
    EXPECT_THAT(output, HasSubstr(line));
  }
  const auto sandbox = mesos_->SandboxWith("go-executor", "tasks");
  ASSERT_TRUE(sandbox.has_value());
  EXPECT_EQ(support::ReadFile(*sandbox / "tasks" / "fails" / "stdout"), "here I fail\n");
}

INSTANTIATE_TEST_SUITE_P(Codecs, GoFrameworkTest, testing::Values("json", "protobuf"),
                         [](const auto& codec) { return std::string(codec.param); });

}  // namespace
}  // namespace kiln::replay

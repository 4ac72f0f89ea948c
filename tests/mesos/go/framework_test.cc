// Other people's frameworks run on local mode: a scheduler and an executor on the mesos-go library.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/mesos/local_mesos.h"

namespace kiln::replay {
namespace {

using testing::HasSubstr;

class GoFrameworkTest : public testing::TestWithParam<const char*> {};

TEST_P(GoFrameworkTest, RunsATaskOnItsOwnExecutor) {
  const std::string framework = KILN_GO_FRAMEWORK;
  if (framework.empty()) {
    GTEST_SKIP() << "go or the package golang-github-mesos-mesos-go-dev is missing";
  }
  Scenario scenario;
  scenario.agents = {{.flags = {"--hostname=127.0.0.1"}, .resources = "cpus:2;mem:1024;disk:1024"}};
  Bindings bindings;
  const auto mesos = LocalMesos::Start(KILN_LOCAL_PROGRAM, scenario, bindings);
  ASSERT_TRUE(mesos) << mesos.error().message;
  const std::string master = "127.0.0.1:" + std::to_string(*(*mesos)->PortOf("master"));
  const auto run = support::RunProgram({framework, "scheduler", master, GetParam()});
  EXPECT_EQ(run.code, 0) << run.output << (*mesos)->Log();
  EXPECT_THAT(run.output, HasSubstr("TASK_RUNNING go-executor says TASK_RUNNING"));
  EXPECT_THAT(run.output,
              HasSubstr("TASK_FINISHED go-executor says TASK_FINISHED said by the scheduler"));
}

INSTANTIATE_TEST_SUITE_P(Codecs, GoFrameworkTest, testing::Values("json", "protobuf"),
                         [](const auto& codec) { return std::string(codec.param); });

}  // namespace
}  // namespace kiln::replay

// `kiln local up` after a kill -9 of the one before.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/integration/cluster.h"

namespace kiln::integration {
namespace {

using wire::Json;

class KilledLocalTest : public testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(Local("down", {}).code, 0); }

  support::RunOutcome Local(const char* verb, const std::vector<std::string>& arguments) {
    std::vector<std::string> argv = {Program("kiln"),       "--json", "local", "--dir",
                                     folder_.File("local"), verb};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return support::RunProgram(argv);
  }
  // Gives its process.
  pid_t Up() {
    const auto up = Local("up", {"--port", "0", "--api-port", "0", "--cpus", "2", "--detach"});
    const auto json = wire::ParseJson(up.output);
    EXPECT_TRUE(json) << up.output;
    if (!json) return -1;
    api_ = "http://" + json->at("api").get<std::string>();
    return json->at("pid");
  }
  // Its tasks, once so many of them run.
  Json Running(size_t count) {
    Json tasks;
    EXPECT_TRUE(support::Eventually([&] {
      tasks = Ask("GET", api_ + "/v1/jobs/stay/tasks").json["tasks"];
      return std::count_if(tasks.begin(), tasks.end(), [](const Json& task) {
               return task.value("state", "") == "TASK_RUNNING";
             }) == static_cast<std::ptrdiff_t>(count);
    })) << tasks;
    return tasks;
  }

  support::TempFolder folder_;
  std::string api_;
};

TEST_F(KilledLocalTest, TasksLiveOnAndAreNotStartedAgain) {
  const pid_t node = Up();
  ASSERT_GT(node, 0);
  ASSERT_EQ(Ask("POST", api_ + "/v1/jobs",
                R"(
name: stay
kind: service
groups: [{name: g, count: 2, cpus: 0.1, mem: 16MiB, run: {command: 'echo began >> )" +
                    folder_.File("begun") + R"(; sleep 300'}}])")
                .status,
            201);
  Running(2);
  kill(node, SIGKILL);
  ASSERT_GT(Up(), 0);
  const Json tasks = Running(2);
  EXPECT_EQ(tasks.size(), 2u) << tasks;
  EXPECT_EQ(support::ReadFile(folder_.File("begun")), "began\nbegan\n");
}

}  // namespace
}  // namespace kiln::integration

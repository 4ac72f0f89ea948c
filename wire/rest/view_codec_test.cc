#include "wire/rest/view_codec.h"

#include <gtest/gtest.h>

#include "wire/rest/json.h"

namespace kiln::wire {
namespace {

TEST(InstantToJson, IsIsoTimeInUtc) {
  EXPECT_EQ(InstantToJson({1'738'324'800'250'999'999}), "2025-01-31T12:00:00.250Z");
  EXPECT_EQ(InstantToJson({}), nullptr);
}

TEST(ResourcesToJson, HasOnlyWhatIsThere) {
  EXPECT_EQ(DumpJson(ResourcesToJson({})), "{}");
  EXPECT_EQ(DumpJson(ResourcesToJson({.cpus_milli = 1500,
                                      .revocable_cpus_milli = 2500,
                                      .mem = MiB(512),
                                      .gpus = 2,
                                      .gpu_ids = {{"GPU-1"}},
                                      .gpu_shares = {{{"GPU-2"}, 250}},
                                      .ports = {{31000, 31005}, {31010, 31010}}})),
            R"({"cpus":1.5,"revocable_cpus":2.5,"mem":"512MiB","gpus":2,"gpu_ids":["GPU-1"],)"
            R"("gpu_shares":{"GPU-2":0.25},)"
            R"("ports":["31000-31005","31010"]})");
}

TEST(TaskToJson, HasTheWholeTask) {
  Task task;
  task.id = {"kiln-1-0"};
  task.member = {"digits", "trainer", 2};
  task.attempt = 1;
  task.evictions = 2;
  task.preempted_by = "job x of priority 9";
  task.agent = {"agent-S0"};
  task.hostname = "host1";
  task.executor = {"executor-1"};
  task.resources.cpus_milli = 1000;
  task.state = TaskState::kFailed;
  task.message = "exit status 1";
  task.reason = "COMMAND_EXECUTOR_FAILED";
  task.charge = Charge::kJob;
  task.healthy = true;
  task.fraction = 0.5;
  task.endpoint = "host1:31000";
  task.result = "row\n1\n";
  task.launched = {1'000'000'000};
  EXPECT_EQ(
      DumpJson(TaskToJson(task)),
      R"({"id":"kiln-1-0","job":"digits","group":"trainer","index":2,"attempt":1,"evictions":2,)"
      R"("state":"TASK_FAILED","message":"exit status 1",)"
      R"("reason":"COMMAND_EXECUTOR_FAILED","charge":"job","healthy":true,"fraction":0.5,)"
      R"("endpoint":"host1:31000","result":"row\n1\n","preempted_by":"job x of priority 9",)"
      R"("checkpointed":null,"agent_id":"agent-S0","hostname":"host1",)"
      R"("executor_id":"executor-1","resources":{"cpus":1.0},)"
      R"("launched":"1970-01-01T00:00:01.000Z","started":null,"ended":null})");
}

TEST(AgentToJson, HasAttributesAndGpus) {
  Agent agent;
  agent.id = {"S0"};
  agent.hostname = "host1";
  agent.attributes = {{"rack", "r1"}};
  agent.gpus = {{{"GPU-1"}, "A100", GiB(40), 0, "", "a", GpuLink::kNvlink, true}};
  EXPECT_EQ(DumpJson(AgentToJson(agent)),
            R"({"id":"S0","hostname":"host1","region":"","zone":"","attributes":{"rack":"r1"},)"
            R"("gpus":[{"id":"GPU-1","model":"A100","memory":"40GiB","minor":0,"mig":"",)"
            R"("link_group":"a","link":"nvlink","healthy":true}]})");
}

}  // namespace
}  // namespace kiln::wire

#include "local/node/master_json.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "local/cluster/master_fixture.h"

namespace kiln::local {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class MasterJsonTest : public MasterTest {
 protected:
  std::vector<std::string> Ask(const std::string& query) {
    net::Request request;
    request.target = "/tasks" + query;
    std::vector<std::string> ids;
    const auto json = nlohmann::json::parse(TasksJson(*master_, request));
    for (const auto& task : json["tasks"]) {
      ids.push_back(task["id"]);
    }
    return ids;
  }
  void Run(const std::string& id) {
    Launch(id);
    Report(id, mesos::v1::TASK_RUNNING, {}, ++time_);
    Wait(std::chrono::seconds(2));  // for the next offer
  }

  double time_ = 0;
};

TEST_F(MasterJsonTest, TheNewestComeFirstAndAreChosen) {
  AddAgent();
  Subscribe();
  for (const char* id : {"b", "a", "c"}) Run(id);
  EXPECT_THAT(Ask(""), ElementsAre("c", "a", "b"));
  EXPECT_THAT(Ask("?order=asc"), ElementsAre("b", "a", "c"));
  EXPECT_THAT(Ask("?limit=1&offset=1"), ElementsAre("a"));
  EXPECT_THAT(Ask("?offset=9"), IsEmpty());
  EXPECT_THAT(Ask("?limit=x"), ElementsAre("c", "a", "b"));
  EXPECT_THAT(Ask("?task_id=b&framework_id=" + id_), ElementsAre("b"));
  EXPECT_THAT(Ask("?framework_id=other"), IsEmpty());
  Call call;
  call.set_type(Call::TEARDOWN);
  Send(call);
  EXPECT_THAT(Ask("?order=asc"), ElementsAre("b", "a", "c")) << "of frameworks that are over, too";
}

TEST_F(MasterJsonTest, AgentsAndFrameworksAreChosenById) {
  AddAgent();
  Subscribe();
  const auto count = [&](auto json_of, const char* list, const std::string& query) {
    net::Request request;
    request.target = "/x" + query;
    return nlohmann::json::parse(json_of(*master_, request))[list].size();
  };
  const std::string agent = master_->agents().begin()->first;
  EXPECT_EQ(count(AgentsJson, "slaves", "?slave_id=" + agent), 1U);
  EXPECT_EQ(count(AgentsJson, "slaves", "?slave_id=other"), 0U);
  EXPECT_EQ(count(FrameworksJson, "frameworks", "?framework_id=" + id_), 1U);
  EXPECT_EQ(count(FrameworksJson, "frameworks", "?framework_id=other"), 0U);
  Call call;
  call.set_type(Call::TEARDOWN);
  Send(call);
  EXPECT_EQ(count(FrameworksJson, "completed_frameworks", "?framework_id=" + id_), 1U);
  EXPECT_EQ(count(FrameworksJson, "completed_frameworks", "?framework_id=other"), 0U);
}

}  // namespace
}  // namespace kiln::local

// The main job on a real cluster of processes, with parts of it killed on the way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <future>
#include <map>
#include <set>

#include "executor/formats/table.h"
#include "tests/integration/cluster.h"

namespace kiln::integration {
namespace {

using wire::Json;

constexpr const char* kDigits = KILN_SOURCE_ROOT "/examples/digits/digits.csv.gz";

// A job of examples/digits with its data by absolute path, as the command line would have uploaded
// it.
std::string Example(const std::string& name) {
  std::string text = support::ReadFile(std::string(KILN_SOURCE_ROOT "/examples/digits/") + name);
  const std::string file = "digits.csv.gz";
  for (size_t at = text.find("data: " + file); at != std::string::npos;
       at = text.find("data: " + file, at + 1))
    text.replace(at + 6, file.size(), kDigits);
  return text;
}

executor::Table Digits() { return *executor::ReadTable(kDigits, {.target = "digit"}); }

class MainJobTest : public testing::Test {
 protected:
  void TearDown() override {
    if (HasFailure()) std::fputs(cluster_.Logs().c_str(), stderr);
  }
  void Submit(const std::string& example) {
    const Reply reply = cluster_.Api("POST", "/v1/jobs", Example(example));
    ASSERT_EQ(reply.status, 201) << reply.body;
  }
  void Train() {
    Submit("forest.yaml");
    ASSERT_TRUE(cluster_.Reaches("digits-forest", "SUCCEEDED")) << cluster_.Job("digits-forest");
  }
  void Serve() {
    Submit("serve.yaml");
    ASSERT_TRUE(
        support::Eventually([&] { return cluster_.Endpoints("digits-serve").size() == 2; }));
  }
  // Online answers and batch results are equal row by row, and right.
  void ExpectScoresEqualOnlineAnswers() {
    const executor::Table digits = Digits();
    const Json predictions = Predictions(digits);
    size_t row = 0, right = 0;
    for (int part = 0; part < 8; ++part) {
      const Reply file =
          cluster_.Api("GET", fmt::format("/v1/artifacts/scores/digits/part-{:05}.csv", part));
      ASSERT_EQ(file.status, 200) << part;
      std::istringstream lines(file.body);
      std::string line;
      std::getline(lines, line);
      ASSERT_THAT(line, testing::StartsWith("row,prediction"));
      for (; std::getline(lines, line); ++row) {
        const int answer = predictions.at(row).at("class").get<int>();
        ASSERT_EQ(line.substr(0, line.find(',', line.find(',') + 1)),
                  fmt::format("{},{}", row, answer));
        right += std::to_string(answer) == digits.labels.at(row);
      }
    }
    EXPECT_EQ(row, digits.Rows());
    EXPECT_GT(static_cast<double>(right) / static_cast<double>(row), 0.98);
  }
  // What a replica says of all rows.
  Json Predictions(const executor::Table& digits) {
    Json instances = Json::array();
    for (size_t row = 0; row < digits.Rows(); ++row) {
      const auto begin = digits.values.begin() + static_cast<long>(row * digits.columns.size());
      instances.push_back(
          std::vector<float>(begin, begin + static_cast<long>(digits.columns.size())));
    }
    const Reply online = Ask(
        "POST", "http://" + cluster_.Endpoints("digits-serve").at(0) + "/v1/models/digits:predict",
        wire::DumpJson({{"instances", instances}}));
    EXPECT_EQ(online.status, 200) << online.body;
    return online.json.at("predictions");
  }
  double Accuracy() {
    const Json model = cluster_.Api("GET", "/v1/models/digits/versions/1").json;
    return model.at("metrics").at("accuracy");
  }
  // Every member has ended well exactly once: no work was lost and none was done twice.
  void ExpectEachMemberFinishedOnce(const std::string& job, size_t members) {
    std::map<std::string, int> finished;
    for (const Json& task : cluster_.Tasks(job))
      finished[task.at("group").get<std::string>() + "/" +
               std::to_string(task.at("index").get<int>())] += task.at("state") == "TASK_FINISHED";
    EXPECT_EQ(finished.size(), members);
    for (const auto& [member, count] : finished) EXPECT_EQ(count, 1) << member;
  }
  void ExpectOneVersion() {
    EXPECT_EQ(cluster_.Api("GET", "/v1/models/digits/versions").json.at("versions").size(), 1u);
  }

  Cluster cluster_;
};

TEST_F(MainJobTest, TrainsRegistersServesAndScores) {
  Train();
  ExpectEachMemberFinishedOnce("digits-forest", 5);
  ExpectOneVersion();
  EXPECT_GE(Accuracy(), 0.96);

  Serve();
  Submit("score.yaml");
  ASSERT_TRUE(cluster_.Reaches("digits-score", "SUCCEEDED")) << cluster_.Job("digits-score");
  ExpectEachMemberFinishedOnce("digits-score", 8);
  ExpectScoresEqualOnlineAnswers();
}

TEST_F(MainJobTest, ServingSurvivesTheDeathOfAReplica) {
  Train();
  Serve();
  const std::vector<std::string> before = cluster_.Endpoints("digits-serve");
  kill(cluster_.Executors("digits-serve").at(0), SIGKILL);
  EXPECT_TRUE(support::Eventually([&] {
    const auto now = cluster_.Endpoints("digits-serve");
    return now.size() == 2 && now != before;
  }));
}

TEST_F(MainJobTest, SearchFindsTheClassOfTheQuery) {
  Submit("search.yaml");
  ASSERT_TRUE(cluster_.Reaches("digits-like-three", "SUCCEEDED"))
      << cluster_.Job("digits-like-three");
  const Reply part = cluster_.Api("GET", "/v1/artifacts/search/like-three/part-00000.csv");
  ASSERT_EQ(part.status, 200);
  std::istringstream lines(part.body);
  std::string head, best;
  std::getline(lines, head);
  std::getline(lines, best);
  EXPECT_EQ(head, "row,key,score,rows");
  EXPECT_THAT(best, testing::HasSubstr(",3,")) << part.body;
}

TEST_F(MainJobTest, GangThatCannotFitSaysWhy) {
  Submit("huge.yaml");
  Json why;
  ASSERT_TRUE(support::Eventually([&] {
    why = cluster_.Api("GET", "/v1/jobs/digits-huge/why").json;
    return why.contains("refusals") && !why.at("refusals").empty() &&
           why.at("refusals").at(0).at("blocker") == "CPUS";
  })) << why;
  EXPECT_THAT(why.at("refusals").at(0).at("reason").get<std::string>(),
              testing::HasSubstr("needs 64 cpus"));
  EXPECT_TRUE(cluster_.Tasks("digits-huge").empty());
}

TEST_F(MainJobTest, SchedulerKilledInTheMiddleLosesNothing) {
  const std::string file = cluster_.folder() / "forest.yaml";
  std::ofstream(file) << Example("forest.yaml");
  // The command that waits for the job waits for the scheduler too.
  auto command = std::async(std::launch::async, [&] {
    return cluster_.Kiln({"job", "submit", file, "--wait"});
  });
  ASSERT_TRUE(support::Eventually([&] { return !cluster_.Tasks("digits-forest").empty(); }));
  cluster_.KillScheduler();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  cluster_.StartScheduler();
  ASSERT_TRUE(cluster_.Reaches("digits-forest", "SUCCEEDED")) << cluster_.Job("digits-forest");
  const auto outcome = command.get();
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, testing::HasSubstr("no answer from"));
  ExpectEachMemberFinishedOnce("digits-forest", 5);
  ExpectOneVersion();
}

TEST_F(MainJobTest, ExecutorKilledInTheMiddleIsReplaced) {
  Submit("forest.yaml");
  ASSERT_TRUE(support::Eventually([&] { return !cluster_.Executors().empty(); }));
  kill(cluster_.Executors().at(0), SIGKILL);
  ASSERT_TRUE(cluster_.Reaches("digits-forest", "SUCCEEDED")) << cluster_.Job("digits-forest");
  ExpectEachMemberFinishedOnce("digits-forest", 5);
  ExpectOneVersion();
}

TEST_F(MainJobTest, AgentKilledInTheMiddleComesBackWithItsTasks) {
  Submit("forest.yaml");
  ASSERT_TRUE(support::Eventually([&] { return !cluster_.Executors().empty(); }));
  cluster_.Inject("kill_agent", "agent1");
  cluster_.Inject("start_agent", "agent1");
  ASSERT_TRUE(cluster_.Reaches("digits-forest", "SUCCEEDED")) << cluster_.Job("digits-forest");
  ExpectEachMemberFinishedOnce("digits-forest", 5);
  ExpectOneVersion();
}

TEST_F(MainJobTest, LocalMesosKilledInTheMiddleComesBackWithItsTasks) {
  Submit("forest.yaml");
  ASSERT_TRUE(support::Eventually([&] { return !cluster_.Executors().empty(); }));
  cluster_.KillLocal();
  cluster_.StartLocal();
  ASSERT_TRUE(cluster_.Reaches("digits-forest", "SUCCEEDED", std::chrono::seconds(120)))
      << cluster_.Job("digits-forest");
  ExpectEachMemberFinishedOnce("digits-forest", 5);
  ExpectOneVersion();
}

// Each of them dies while replicas serve and partitions are scored.
using Kill = void (*)(Cluster&);
struct Victim {
  const char* name;
  Kill kill;
};

class ServingAndScoringTest : public MainJobTest, public testing::WithParamInterface<Victim> {};

TEST_P(ServingAndScoringTest, SurvivesADeathInTheMiddle) {
  Train();
  Serve();
  Submit("score.yaml");
  ASSERT_TRUE(support::Eventually([&] { return !cluster_.Executors("digits-score").empty(); }));
  GetParam().kill(cluster_);
  ASSERT_TRUE(cluster_.Reaches("digits-score", "SUCCEEDED")) << cluster_.Job("digits-score");
  ExpectEachMemberFinishedOnce("digits-score", 8);
  ASSERT_TRUE(support::Eventually([&] { return cluster_.Endpoints("digits-serve").size() == 2; }));
  ExpectScoresEqualOnlineAnswers();
}

INSTANTIATE_TEST_SUITE_P(Of, ServingAndScoringTest,
                         testing::Values(Victim{"Scheduler",
                                                [](Cluster& cluster) {
                                                  cluster.KillScheduler();
                                                  cluster.StartScheduler();
                                                }},
                                         Victim{"Executor",
                                                [](Cluster& cluster) {
                                                  for (const pid_t pid :
                                                       cluster.Executors("digits-score")) {
                                                    kill(pid, SIGKILL);
                                                  }
                                                }},
                                         Victim{"LocalMesos",
                                                [](Cluster& cluster) {
                                                  cluster.KillLocal();
                                                  cluster.StartLocal();
                                                }}),
                         [](const auto& victim) { return std::string(victim.param.name); });

}  // namespace
}  // namespace kiln::integration

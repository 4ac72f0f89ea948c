// Kiln's own work under an agent and a scheduler.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/random.h"
#include "base/sha256.h"
#include "executor/daemon/agent_for_test.h"
#include "executor/daemon/artifacts.h"
#include "executor/daemon/kernel_work.h"
#include "executor/kernels/model.h"
#include "wire/net/client.h"

namespace kiln::executor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class KernelDaemonTest : public DaemonTest {
 protected:
  // Two clouds of points, one for each class; every key has two rows.
  std::string Clouds(int rows) {
    Random random(1);
    std::string text = "id,x,y,kind\n";
    for (int i = 0; i < rows; ++i) {
      bool red = i % 2 == 0;
      text += fmt::format("k{},{:.4f},{:.4f},{}\n", i / 2, random.Unit() + (red ? 0 : 3),
                          random.Unit(), red ? "red" : "blue");
    }
    return text;
  }
  v1::Work TrainWork(int index = 0, int count = 1) {
    v1::Work work;
    work.set_job("j");
    work.set_job_digest(0xabc);
    work.set_index(index);
    work.set_count(count);
    auto* train = work.mutable_train();
    train->set_algorithm(v1::RANDOM_FOREST_CLASSIFIER);
    train->mutable_data()->set_uri("artifact:data/clouds.csv");
    train->mutable_data()->set_target("kind");
    train->mutable_data()->set_key("id");
    train->set_model("clouds");
    train->set_seed(5);
    train->set_trees(8);
    train->set_test_fraction(0.25);
    return work;
  }
  std::string Artifact(const std::string& name) { return scheduler_.artifacts[name]; }
};

TEST_F(KernelDaemonTest, ATrainingPublishesMeasuresAndRegistersItsModel) {
  Start();
  scheduler_.artifacts["data/clouds.csv"] = Clouds(200);
  agent_.Launch(WorkTask("t", TrainWork()));
  RunUntilEnd("t");
  EXPECT_THAT(StatusesOf("t"), ElementsAre("RUNNING", "FINISHED: model clouds version 7"));
  v1::Report report = ReportOf("t");
  EXPECT_EQ(report.rows(), 200);
  EXPECT_EQ(report.fraction(), 1);
  EXPECT_EQ(report.metrics().at("accuracy"), 1);
  auto model = DecodeModel("m", Artifact("models/clouds/j-0000000000000abc"));
  ASSERT_TRUE(model.has_value());
  EXPECT_THAT(model->features, ElementsAre("x", "y"));
  ASSERT_EQ(scheduler_.registrations.size(), 1u);
  const std::string& registration = scheduler_.registrations[0];
  EXPECT_THAT(registration,
              StartsWith("POST /v1/models/clouds/versions "
                         R"({"uri":"artifact:models/clouds/j-0000000000000abc","job":"j",)"
                         R"("metrics":{"accuracy":1,"log_loss":)"));
  EXPECT_THAT(registration,
              HasSubstr(R"("data_digest":")" + Sha256Hex(Clouds(200)) + R"(","parameters":{)"));
  EXPECT_THAT(registration,
              HasSubstr(R"("algorithm":"random_forest_classifier","features":["x","y"]})"));
}

TEST_F(KernelDaemonTest, MembersSideBySideAndAMergeGiveTheModelOfOne) {
  Start();
  scheduler_.artifacts["data/clouds.csv"] = Clouds(200);
  agent_.Launch(WorkTask("whole", TrainWork()));
  RunUntilEnd("whole");
  std::string whole = Artifact("models/clouds/j-0000000000000abc");
  for (int i = 0; i < 3; ++i) agent_.Launch(WorkTask(fmt::format("m{}", i), TrainWork(i, 3)));
  for (int i = 0; i < 3; ++i) RunUntilEnd(fmt::format("m{}", i));
  EXPECT_THAT(StatusesOf("m1"), ElementsAre("RUNNING", "FINISHED: trees 2 to 4"));
  scheduler_.artifacts.erase("models/clouds/j-0000000000000abc");
  v1::Work merge;
  merge.set_job("j");
  merge.set_job_digest(0xabc);
  merge.set_count(1);
  *merge.mutable_merge()->mutable_train() = TrainWork().train();
  merge.mutable_merge()->set_parts(3);
  agent_.Launch(WorkTask("merge", merge));
  RunUntilEnd("merge");
  EXPECT_THAT(StatusesOf("merge"), ElementsAre("RUNNING", "FINISHED: model clouds version 7"));
  EXPECT_EQ(Artifact("models/clouds/j-0000000000000abc"), whole);
}

TEST_F(KernelDaemonTest, ScoringWritesAPartForEachMember) {
  Start();
  scheduler_.artifacts["data/clouds.csv"] = Clouds(200);
  agent_.Launch(WorkTask("train", TrainWork()));
  RunUntilEnd("train");
  for (int index = 0; index < 2; ++index) {
    v1::Work work;
    work.set_index(index);
    work.set_count(2);
    auto* score = work.mutable_score();
    score->mutable_model()->set_uri("artifact:models/clouds/j-0000000000000abc");
    score->mutable_data()->set_uri("artifact:data/clouds.csv");
    score->mutable_data()->set_key("id");
    score->set_output(index == 0 ? "artifact:out" : folder_ + "/out");
    agent_.Launch(WorkTask(fmt::format("s{}", index), work));
  }
  RunUntilEnd("s0");
  RunUntilEnd("s1");
  std::string first = Artifact("out/part-00000.csv");
  std::string second = ReadFile(folder_ + "/out/part-00001.csv").value_or("");
  EXPECT_THAT(first, StartsWith("row,id,prediction,probability_"));
  EXPECT_EQ(std::ranges::count(first, '\n') + std::ranges::count(second, '\n'), 202);
  EXPECT_THAT(first + second, HasSubstr("\n0,k0,red,"));
  EXPECT_THAT(first + second, HasSubstr("\n199,k99,blue,"));
  EXPECT_EQ(ReportOf("s0").rows() + ReportOf("s1").rows(), 200);
}

TEST_F(KernelDaemonTest, ASearchFindsTheKeysMostLikeTheQuery) {
  Start();
  scheduler_.artifacts["vectors.csv"] = "key,a,b\np,1,0\nq,0,1\np,3,1\nq,2,2\nr,0,0.5\n";
  v1::Work work;
  work.set_count(1);
  auto* search = work.mutable_search();
  search->mutable_data()->set_uri("artifact:vectors.csv");
  search->mutable_data()->set_key("key");
  search->add_query(1);
  search->add_query(0);
  search->set_top(2);
  search->set_aggregate(v1::Search::MAX);
  search->set_rows_per_key(1);
  search->set_output("artifact:found/");
  agent_.Launch(WorkTask("t", work));
  RunUntilEnd("t");
  EXPECT_EQ(Artifact("found/part-00000.csv"), "row,key,score,rows\n2,p,3,1\n3,q,2,1\n");
  search->clear_output();
  agent_.Launch(WorkTask("told", work));
  RunUntilEnd("told");
  EXPECT_EQ(ReportOf("told").result(), "row,key,score,rows\n2,p,3,1\n3,q,2,1\n");
  search->add_query(5);
  agent_.Launch(WorkTask("bad", work));
  RunUntilEnd("bad");
  EXPECT_THAT(StatusesOf("bad"),
              testing::Contains(HasSubstr("ERROR: query: found 3 numbers, expected 2")));
}

TEST_F(KernelDaemonTest, AResultThatIsTooLargeToBeToldNeedsAnOutput) {
  Start();
  std::string& vectors = scheduler_.artifacts["vectors.csv"];
  vectors = "key,a\n";
  for (int row = 0; row < 500; ++row) vectors += fmt::format("k{},1\n", row);
  v1::Work work;
  work.set_count(1);
  auto* search = work.mutable_search();
  search->mutable_data()->set_uri("artifact:vectors.csv");
  search->mutable_data()->set_key("key");
  search->add_query(1);
  search->set_top(500);
  search->set_aggregate(v1::Search::MAX);
  search->set_rows_per_key(1);
  agent_.Launch(WorkTask("t", work));
  RunUntilEnd("t");
  EXPECT_THAT(StatusesOf("t"),
              testing::Contains(HasSubstr("expected at most 4096, or an output to write it to")));
}

TEST_F(KernelDaemonTest, AServerTellsItsEndpointAnswersAndEndsWhenKilled) {
  Start();
  scheduler_.artifacts["data/clouds.csv"] = Clouds(200);
  agent_.Launch(WorkTask("train", TrainWork()));
  RunUntilEnd("train");
  v1::Work work;
  auto* model = work.mutable_serve()->add_models();
  model->set_name("clouds");
  model->set_version(7);
  model->set_uri("artifact:models/clouds/j-0000000000000abc");
  agent_.Launch(WorkTask("s", work));
  RunUntil([&] { return !ReportOf("s").endpoint().empty(); });
  EXPECT_THAT(StatusesOf("s"), ElementsAre("RUNNING", "RUNNING healthy=1"));
  Result<net::Response> answer = Fail(ErrorCode::kInternal, "none");
  std::atomic<bool> done = false;
  std::thread client([&] {
    answer = net::Fetch("http://" + ReportOf("s").endpoint() + "/v1/models/clouds:predict",
                        {"POST", "/", {}, R"({"instances": [[0.5, 0.5], [3.5, 0.5]]})", {}});
    done = true;
  });
  RunUntil([&] { return done.load(); });
  client.join();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200) << answer->body;
  EXPECT_THAT(answer->body, HasSubstr("red"));
  agent_.Kill("s");
  RunUntilEnd("s");
  EXPECT_THAT(StatusesOf("s"), ElementsAre("RUNNING", "RUNNING healthy=1", "KILLING",
                                           "KILLED: model server was stopped"));
}

TEST_F(KernelDaemonTest, ASchedulerThatIsAwayIsWaitedFor) {
  Start();
  scheduler_.artifacts["data/clouds.csv"] = Clouds(50);
  scheduler_.away = 2;
  agent_.Launch(WorkTask("t", TrainWork()));
  RunUntilEnd("t");
  EXPECT_THAT(StatusesOf("t"), ElementsAre("RUNNING", "FINISHED: model clouds version 7"));
}

TEST_F(KernelDaemonTest, AFullStoreIsWaitedFor) {
  Start();
  scheduler_.artifacts["data/clouds.csv"] = Clouds(50);
  scheduler_.full = 2;
  agent_.Launch(WorkTask("t", TrainWork()));
  RunUntilEnd("t");
  EXPECT_THAT(StatusesOf("t"), ElementsAre("RUNNING", "FINISHED: model clouds version 7"));
}

TEST_F(KernelDaemonTest, ABadRowIsNamedAsTheJobNamesItsData) {
  Start();
  scheduler_.artifacts["data/clouds.csv"] = Clouds(4) + "k9,M\xfcller,1,red\n";
  agent_.Launch(WorkTask("t", TrainWork()));
  RunUntilEnd("t");
  EXPECT_THAT(StatusesOf("t").back(),
              "ERROR: artifact:data/clouds.csv line 6: column x is \"M\xef\xbf\xbdller\", "
              "expected a number");
}

TEST_F(KernelDaemonTest, AKillEndsTheWaitForAScheduler) {
  Start();
  scheduler_.away = 1'000'000;
  agent_.Launch(WorkTask("t", TrainWork()));
  RunUntilRunning("t");
  agent_.Kill("t");
  RunUntilEnd("t");
  EXPECT_THAT(StatusesOf("t"), ElementsAre("RUNNING", "KILLING", "KILLED: work was cancelled"));
}

TEST_F(KernelDaemonTest, WhatCanNeverWorkIsAnErrorAndWhatIsMissingAFailure) {
  Start();
  scheduler_.artifacts["data/clouds.csv"] = Clouds(50);
  auto work = TrainWork();
  work.mutable_train()->mutable_data()->set_target("colour");
  agent_.Launch(WorkTask("target", work));
  RunUntilEnd("target");
  EXPECT_THAT(StatusesOf("target").back(), StartsWith("ERROR: "));
  work.mutable_train()->mutable_data()->set_uri("artifact:none");
  agent_.Launch(WorkTask("data", work));
  RunUntilEnd("data");
  EXPECT_THAT(StatusesOf("data").back(), HasSubstr("FAILED: "));
  EXPECT_EQ(exit_code_, std::nullopt);
}

TEST_F(KernelDaemonTest, ManyTasksRunSideBySideAndLeaveNothingBehind) {
  Start();
  scheduler_.artifacts["data/clouds.csv"] = Clouds(100);
  for (int i = 0; i < 30; ++i) agent_.Launch(WorkTask(fmt::format("t{}", i), TrainWork(i % 4, 4)));
  for (int i = 0; i < 30; ++i) {
    RunUntilEnd(fmt::format("t{}", i));
    // Who is quick in a crowd does not tell that it runs.
    EXPECT_THAT(StatusesOf(fmt::format("t{}", i)),
                testing::AnyOf(ElementsAre("RUNNING", StartsWith("FINISHED: trees")),
                               ElementsAre(StartsWith("FINISHED: trees"))));
  }
  agent_.ShutDown();
  RunUntilExit();
  std::error_code ec;
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/.work", ec)) << ec.message();
}

// A kernel of the test's own, to see the thread's side.
TEST_F(KernelDaemonTest, AKernelThatDoesNotStopIsLeftBehind) {
  std::vector<std::string> told;
  WorkContext context;
  context.loop = &loop_;
  context.task = TaskOf("t");
  context.scratch = folder_ + "/.work/t";
  context.tell = [&](Input input) {
    loop_.Post([&, input = std::move(input)] {
      if (std::holds_alternative<WorkStarted>(input)) told.push_back("started");
      if (const auto* end = std::get_if<WorkEnded>(&input))
        told.push_back("ended: " + end->message);
    });
  };
  auto release = std::make_shared<CancelFlag>();
  auto over = std::make_shared<std::atomic<bool>>(false);
  auto work = StartKernel(context, [release, over](const KernelContext&) -> Result<v1::Report> {
    release->WaitFor(std::chrono::seconds(30));
    *over = true;
    return v1::Report();
  });
  work->Stop(false);
  loop_.RunFor(std::chrono::milliseconds(20));
  EXPECT_THAT(told, ElementsAre("started"));
  work->Stop(true);
  release->Set();
  RunUntil([&] { return over->load() && told.size() == 2; });
  loop_.RunFor(std::chrono::milliseconds(10));
  EXPECT_THAT(told, ElementsAre("started", "ended: work did not stop in time and was left behind"));
}

TEST(ArtifactsTest, RegistrationsAreJson) {
  EXPECT_EQ(RegistrationJson({"m",
                              "artifact:m",
                              "j\"",
                              {{"r2", 0.5}, {"x", NAN}},
                              "d",
                              {{"seed", "1"}},
                              "linear_regression",
                              {"a", "b"}}),
            R"({"uri":"artifact:m","job":"j\"","metrics":{"r2":0.5,"x":null},"data_digest":"d",)"
            R"("parameters":{"seed":"1"},"algorithm":"linear_regression","features":["a","b"]})");
}

}  // namespace
}  // namespace kiln::executor

// A scheduler that asks for tokens, its tasks and the command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/integration/cluster.h"

namespace kiln::integration {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kSubmit = "submit-0123456789abcdef";
constexpr const char* kView = "view-0123456789abcdef";

// With all that tasks do: data in, parts and models out, by kernels and by commands.
class TokensTest : public testing::Test {
 protected:
  TokensTest() {
    std::ofstream(folder_.File("tokens"))
        << "submit sam " << kSubmit << "\nview vera " << kView << "\n";
    chmod(folder_.File("tokens").c_str(), 0600);
    cluster_.emplace(Cluster::Options{
        .scheduler_flags = {"--tokens-file=" + folder_.File("tokens")}, .token = kSubmit});
  }
  void TearDown() override {
    if (HasFailure()) std::fputs(cluster_->Logs().c_str(), stderr);
  }
  // A command that puts an artifact once `flag` is there, and then asks for more than it may.
  std::string Publisher() {
    const std::string file = folder_.File("publisher.yaml"), kiln = Program("kiln");
    std::ofstream(file) << "name: publisher\nkind: training\nretries: 0\ngroups:\n- name: main\n"
                        << "  run:\n    command: |\n"
                        << "      until [ -e " << folder_.File("flag") << " ]; do sleep 0.1; done\n"
                        << "      echo made > made; " << kiln
                        << " artifact put made out/made || exit 1\n"
                        << "      " << kiln << " job list; test $? = 77\n";
    return file;
  }

  support::TempFolder folder_;
  std::optional<Cluster> cluster_;
};

TEST_F(TokensTest, TheFileIsReadAgainAndAWrongOneChangesNothing) {
  const std::string jobs = cluster_->api() + "/v1/jobs";
  constexpr const char* kNew = "new-0123456789abcdef";
  std::ofstream(folder_.File("tokens")) << "view nora " << kNew << "\n";
  kill(cluster_->scheduler_pid(), SIGHUP);
  EXPECT_TRUE(support::Eventually([&] { return Ask("GET", jobs, "", kNew).status == 200; }));
  EXPECT_EQ(Ask("GET", jobs, "", kView).status, 401);
  std::ofstream(folder_.File("tokens")) << "all of us\n";
  kill(cluster_->scheduler_pid(), SIGHUP);
  EXPECT_TRUE(support::Eventually(
      [&] { return cluster_->Logs().find("the tokens of before stay") != std::string::npos; }));
  EXPECT_EQ(Ask("GET", jobs, "", kNew).status, 200);
}

TEST_F(TokensTest, PeopleAndTasksDoWhatTheyMayAndNothingElse) {
  const std::string jobs = cluster_->api() + "/v1/jobs";
  EXPECT_EQ(Ask("GET", cluster_->api() + "/v1/health").status / 100, 2);
  EXPECT_EQ(Ask("GET", jobs).status, 401);
  EXPECT_EQ(Ask("GET", jobs, "", kView).status, 200);
  EXPECT_EQ(Ask("POST", jobs, "{}", kView).status, 403);
  EXPECT_EQ(cluster_->Api("POST", "/v1/agents/agent1/quarantine", "{}").status, 403);
  const auto stranger = support::RunProgram({Program("kiln"), "--api", cluster_->api(), "--token",
                                             "who-0123456789abcdef", "job", "list"});
  EXPECT_EQ(stranger.code, 77);
  EXPECT_THAT(stranger.output, HasSubstr("the token is not known"));

  const auto trained =
      cluster_->Kiln({"job", "submit", KILN_SOURCE_ROOT "/examples/digits/forest.yaml", "--wait"});
  EXPECT_EQ(trained.code, 0) << trained.output;
  EXPECT_EQ(cluster_->Api("GET", "/v1/models/digits/versions/1").status, 200);

  // A task's token outlives the scheduler that gave it.
  ASSERT_EQ(cluster_->Kiln({"job", "submit", Publisher()}).code, 0);
  ASSERT_TRUE(cluster_->Reaches("publisher", "RUNNING"));
  ASSERT_TRUE(support::Eventually([&] { return !cluster_->Executors("publisher").empty(); }));
  cluster_->KillScheduler();
  cluster_->StartScheduler();
  std::ofstream(folder_.File("flag")).flush();
  EXPECT_TRUE(cluster_->Reaches("publisher", "SUCCEEDED")) << cluster_->Job("publisher");
  EXPECT_EQ(cluster_->Api("GET", "/v1/artifacts/out/made").body, "made\n");

  std::string state;
  for (const char* name : {"state.db", "state.db-wal"}) {
    state += support::ReadFile(cluster_->folder() / name);
  }
  EXPECT_THAT(state, HasSubstr("publisher"));
  const std::string errors = cluster_->Api("GET", "/v1/jobs/publisher/log?file=stderr").body;
  EXPECT_THAT(errors, HasSubstr("the token is of a job's tasks: expected one with access view"));
  for (const std::string& text :
       {state, errors, cluster_->Logs(), cluster_->Api("GET", "/v1/jobs/publisher/tasks").body}) {
    for (const char* secret : {kSubmit, kView, "kiln-job."}) {
      EXPECT_THAT(text, Not(HasSubstr(secret)));
    }
  }
}

}  // namespace
}  // namespace kiln::integration

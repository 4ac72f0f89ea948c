// What is too large, and ports that somebody else has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/integration/cluster.h"
#include "tests/integration/raw_client.h"
#include "tests/support/held_port.h"

namespace kiln::integration {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using wire::Json;

constexpr size_t kGigabyte = size_t{1} << 30;
// Sanitizers keep what was freed for a while.
constexpr int64_t kMemoryMax = int64_t{KILN_SANITIZED ? 600 : 300} << 20;

// 413 comes long before the body has, and the memory of the server stays what it was.
void ExpectTooLarge(const std::string& url, const std::vector<pid_t>& servers, size_t limit) {
  for (const bool chunked : {false, true}) {
    const EndlessReply reply = SendEndless(url, "POST", kGigabyte, chunked);
    EXPECT_THAT(reply.answer, StartsWith("HTTP/1.1 413 Payload Too Large\r\n")) << url;
    EXPECT_THAT(reply.answer, HasSubstr(fmt::format("expected at most {}", limit)));
    EXPECT_LE(reply.sent, chunked ? limit + (64 << 20) : size_t{16} << 20) << url;
    for (const pid_t server : servers) {
      EXPECT_LT(support::ResidentBytes(server), kMemoryMax) << url;
    }
  }
}

struct PredictCase {
  const char* body;
  int status;
  const char* error;
};

const PredictCase kPredictCases[] = {
    {"", 400, "JSON Parse error: The document is empty"},
    {"hello", 400, "JSON Parse error: Invalid value. at offset: 0"},
    {"[]", 400, "JSON Value: [] Is not object"},
    {"{}", 400, "Missing 'inputs' or 'instances' key"},
    {R"({"instances":[[1]]})", 400, "input features has the shape [1,1], expected [-1,2]"},
    {R"({"instances":[[1,2,3]]})", 400, "input features has the shape [1,3], expected [-1,2]"},
    {R"({"instances":[[1,2],[1]]})", 400,
     "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting tensor "
     "size: 2 but got: 1"},
    {R"({"instances":[[1,"b"]]})", 400,
     "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: "
     "\"b\" Type: String is not of expected type: float"},
};

class LimitsTest : public testing::Test {
 protected:
  LimitsTest()
      : cluster_(
            {.agents = 1,
             .resources = fmt::format("cpus:8;mem:4096;disk:4096;ports:[{0}-{0}]", port_.port()),
             .scheduler_flags = {},
             .state = ""}) {}
  void TearDown() override {
    EXPECT_LT(cluster_.Api("GET", "/v1/health").status, 300);
    if (HasFailure()) std::fputs(cluster_.Logs().c_str(), stderr);
  }
  void Submit(const Json& job) {
    const Reply reply = cluster_.Api("POST", "/v1/jobs", wire::DumpJson(job));
    ASSERT_EQ(reply.status, 201) << reply.body;
  }
  // Registers the model `m` of the features a and b.
  void Train() {
    const std::string file = cluster_.folder() / "good.csv";
    std::ofstream out(file);
    out << "a,b,y\n";
    for (int i = 0; i < 40; ++i) out << i << "," << i % 7 << "," << i % 2 << "\n";
    out.close();
    Submit({{"name", "train"},
            {"kind", "training"},
            {"groups",
             {{{"name", "g"},
               {"run",
                {{"train",
                  {{"algorithm", "random_forest"},
                   {"data", file},
                   {"target", "y"},
                   {"model", "m"}}}}}}}}});
    ASSERT_TRUE(cluster_.Reaches("train", "SUCCEEDED")) << cluster_.Job("train");
  }

  support::HeldPort port_;
  Cluster cluster_;
};

TEST_F(LimitsTest, AServerWaitsForItsPortAndRefusesWhatIsWrong) {
  Train();
  Submit(
      {{"name", "serve"},
       {"kind", "serving"},
       {"groups",
        {{{"name", "g"}, {"cpus", 0.5}, {"ports", 1}, {"run", {{"serve", {{"model", "m"}}}}}}}}});
  // Its only port is taken.
  Json why;
  EXPECT_TRUE(support::Eventually([&] {
    why = cluster_.Api("GET", "/v1/jobs/serve/why").json;
    return why["refusals"].size() == 1 && why["refusals"][0]["blocker"] == "BACKOFF";
  })) << why;
  EXPECT_THAT(why["refusals"][0]["reason"].get<std::string>(),
              testing::EndsWith(fmt::format(
                  "s: cannot listen on 127.0.0.1:{}: address already in use", port_.port())));
  port_.Release();
  ASSERT_TRUE(support::Eventually([&] { return cluster_.Endpoints("serve").size() == 1; }))
      << cluster_.Tasks("serve").back();

  const std::string server = "http://" + cluster_.Endpoints("serve").at(0);
  const std::string predict = server + "/v1/models/m:predict";
  for (const PredictCase& c : kPredictCases) {
    const Reply reply = Ask("POST", predict, c.body);
    EXPECT_EQ(reply.status, c.status) << c.body;
    EXPECT_EQ(reply.json["error"], c.error) << c.body;
  }
  EXPECT_EQ(
      Ask("POST", server + "/v1/models/a%2Fb:predict", "{\"instances\":[[1,2]]}").json["error"],
      "Servable not found for request: Latest(a/b)");
  ExpectTooLarge(predict, cluster_.Executors(), size_t{32} << 20);
  EXPECT_EQ(Ask("POST", predict, "{\"instances\":[[1,2]]}").status, 200);
  EXPECT_EQ(cluster_.Kiln({"job", "kill", "serve"}).code, 0);
  EXPECT_TRUE(cluster_.Reaches("serve", "KILLED"));
}

TEST_F(LimitsTest, AGigabyteIsRefusedByTheSchedulerAndByLocalMode) {
  ExpectTooLarge(cluster_.api() + "/v1/jobs", {cluster_.scheduler_pid()}, size_t{16} << 20);
  ExpectTooLarge(cluster_.master() + "/api/v1/scheduler", {cluster_.local_pid()}, size_t{64} << 20);
  EXPECT_EQ(Ask("GET", cluster_.master() + "/health").status, 200);

  // An artifact is as large as the disk: it goes by in pieces.
  const std::string file = cluster_.folder() / "large";
  std::ofstream(file).close();
  std::filesystem::resize_file(file, 256 << 20);
  EXPECT_EQ(cluster_.Kiln({"artifact", "put", file, "large"}).code, 0);
  EXPECT_LT(support::ResidentBytes(cluster_.scheduler_pid()), kMemoryMax / 2);
}

// Programs whose port is taken say so and end.
TEST(PortTest, ATakenPortIsNamedAndNothingIsLeft) {
  const support::HeldPort port;
  const support::TempFolder folder;
  const std::string address = fmt::format("127.0.0.1:{}", port.port());
  const std::string taken = "cannot listen on " + address + ": address already in use";
  const std::string number = std::to_string(port.port());
  struct Case {
    std::vector<std::string> argv;
    int code;
    std::string output;
  };
  const Case cases[] = {
      {{Program("kiln-scheduler"), "--master=127.0.0.1:1", "--state=" + folder.File("s.db"),
        "--listen=" + address},
       69,
       "kiln-scheduler: " + taken + "\n"},
      {{Program("kiln-local"), "--work_dir=" + folder.File("l"), "--port=" + number},
       1,
       "kiln-local: " + taken + "\n"},
      {{Program("kiln"), "local", "--dir", folder.File("k"), "up", "--port", number, "--api-port",
        "0"},
       69,
       "error: --port: " + taken + ", expected a free port or 0\n"},
      {{Program("kiln"), "local", "--dir", folder.File("k"), "up", "--port", "0", "--api-port",
        number, "--detach"},
       69,
       "error: --api-port: " + taken + ", expected a free port or 0\n"},
  };
  for (const Case& c : cases) {
    const support::RunOutcome outcome = support::RunProgram(c.argv);
    EXPECT_EQ(outcome.code, c.code) << c.argv[0];
    EXPECT_EQ(outcome.output, c.output);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << c.argv[0];
  }
}

}  // namespace
}  // namespace kiln::integration

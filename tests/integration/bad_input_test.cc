// What people get wrong, over the real daemons and the real command line: every case ends with one
// sentence and the right code, and leaves nothing behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/integration/cluster.h"
#include "wire/net/client.h"

namespace kiln::integration {
namespace {

using testing::HasSubstr;
using wire::Json;

class BadInputTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    Cluster::Options options;
    options.agents = 1;
    options.resources = "cpus:32;mem:16384;disk:4096;ports:[31000-31100]";
    cluster_ = std::make_unique<Cluster>(options);
  }
  static void TearDownTestSuite() { cluster_.reset(); }

  void TearDown() override {
    EXPECT_LT(cluster_->Api("GET", "/v1/health").status, 300);
    if (HasFailure()) std::fputs(cluster_->Logs().c_str(), stderr);
  }
  static std::string File(const std::string& name, const std::string& bytes) {
    const std::string path = cluster_->folder() / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  // Nothing was stored, uploaded or registered.
  static void ExpectNothing() {
    EXPECT_EQ(cluster_->Api("GET", "/v1/jobs").json["jobs"], Json::array());
    EXPECT_EQ(cluster_->Api("GET", "/v1/models").json["models"], Json::array());
    EXPECT_EQ(cluster_->Api("GET", "/v1/artifacts").json["entries"], Json::array());
  }

  static std::unique_ptr<Cluster> cluster_;
};
std::unique_ptr<Cluster> BadInputTest::cluster_;

constexpr const char* kYaml = "application/yaml";
constexpr const char* kJson = "application/json";

// A job with one group and more keys of the group.
std::string WithGroup(const std::string& keys) {
  return "name: a\nkind: training\ngroups: [{name: g, run: {command: 'true'}, " + keys + "}]\n";
}
// A job with more keys of its own.
std::string WithKeys(const std::string& keys) {
  return "name: a\nkind: training\ngroups: [{name: g, run: {command: 'true'}}]\n" + keys + "\n";
}
std::string WithRun(const std::string& kind, const std::string& run) {
  return "name: a\nkind: " + kind + "\ngroups: [{name: g, run: " + run + "}]\n";
}

const std::string kNameRule =
    ": expected 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends";
const std::string kSizeRule =
    ": expected a number and a unit of B, kB, KB, MB, GB, TB, KiB, MiB, GiB, TiB, as in "
    "\"512MiB\"";
const std::string kUriRule =
    ": expected artifact:PATH, http://HOST/PATH, file:///PATH or a path that begins with /";

struct BadJob {
  std::string text;
  std::string field;
  std::string message;
};

const BadJob kBadJobs[] = {
    {"", "", "the document is empty: expected a map"},
    {"hello", "", "document is \"hello\": expected a map"},
    {"{\"name\":", "",
     "no JSON: line 1, column 9: syntax error while parsing value - unexpected end of input; "
     "expected '[', '{', or a literal"},
    {"name: a\nname: b\n", "", "line 2: key \"name\" stands twice: expected once"},
    {"name: M\xfcller\n", "", "line 1: byte 0xfc is no UTF-8: expected text"},
    {std::string(50'000, '['), "", "nested too deep: expected at most 100 levels"},
    {[] {
       std::string text;
       for (int i = 0; i < 20'000; ++i) text += "{\"a\":";
       return text;
     }(),
     "", "nested too deep: expected at most 100 levels"},
    {"name: a\ngrups: []\n", "grups",
     "key \"grups\" is not known: the nearest known key is \"groups\""},
    {WithGroup("cpu: 1"), "groups[0].cpu",
     "key \"cpu\" is not known: the nearest known key is \"cpus\""},
    {WithGroup("mem: 512MBi"), "groups[0].mem",
     "mem: size is \"512MBi\", with unknown unit \"MBi\"" + kSizeRule},
    {WithGroup("mem: 512"), "groups[0].mem",
     "mem is 512: expected a number and a unit, as in \"512MiB\""},
    {WithGroup("disk: -1GiB"), "groups[0].disk", "disk: size is \"-1GiB\", negative" + kSizeRule},
    {WithGroup("count: -1"), "groups[0].count",
     "count is -1: expected a whole number from 1 to 100000"},
    {WithGroup("count: 0"), "groups[0].count",
     "count is 0: expected a whole number from 1 to 100000"},
    {WithGroup("count: 1e9"), "groups[0].count",
     "count is 1000000000.0: expected a whole number from 1 to 100000"},
    {WithGroup("cpus: 1e308"), "groups[0].cpus",
     "cpus is 1e+308: expected a number from 0.01 to 4096"},
    {WithGroup("cpus: .nan"), "groups[0].cpus",
     "cpus is \".nan\": expected a number from 0.01 to 4096"},
    {WithGroup("constraints: [[hostname, LIKE, '(((']]"), "groups[0].constraints[0]",
     "value of the constraint on hostname is \"(((\": expected a regular expression of at most 256 "
     "characters without back-references"},
    {WithGroup("after: [g]"), "groups[0].after",
     "group g waits for itself: expected an order that ends"},
    {WithKeys("after: [a]"), "after[0]",
     "job a waits for itself: expected the name of another job"},
    {WithKeys("role: nosuch"), "role", "role is \"nosuch\": expected one of *"},
    {WithKeys("pool: a/b"), "pool", "pool is \"a/b\"" + kNameRule},
    {"name: a/b\nkind: training\ngroups: [{name: g, run: {command: 'true'}}]\n", "name",
     "name is \"a/b\"" + kNameRule},
    {"name: a\nkind: training\ngroups: [{name: g/h, run: {command: 'true'}}]\n", "groups[0].name",
     "name of the group is \"g/h\"" + kNameRule},
    {WithRun("serving", "{serve: {model: m/n}}, ports: 1"), "groups[0].run.serve.model",
     "model is \"m/n\"" + kNameRule},
    {WithRun("training",
             "{train: {algorithm: random_forest, trees: 3, data: /x, target: y, model: m}}, "
             "count: 5"),
     "groups[0].run.train.trees", "trees is 3: expected one at least for each of 5 members"},
    {WithRun("scoring", "{score: {model: m, data: /x, output: scores}}"), "groups[0].run.output",
     "output is \"scores\"" + kUriRule},
    {WithRun("scoring", "{score: {model: m, data: /x, output: 'artifact:../x'}}"),
     "groups[0].run.output", "output is \"artifact:../x\"" + kUriRule},
    {WithRun("scoring", "{score: {model: m, data: 's3://b/x', output: 'artifact:x'}}"),
     "groups[0].run.data", "data is \"s3://b/x\"" + kUriRule},
};

TEST_F(BadInputTest, ABadJobIsRefusedWithItsFieldByRest) {
  for (const BadJob& c : kBadJobs) {
    const Reply reply = cluster_->Api("POST", "/v1/jobs", c.text);
    Json error = {{"code", "INVALID_ARGUMENT"}, {"message", c.message}};
    if (!c.field.empty()) error["field"] = c.field;
    EXPECT_EQ(reply.status, 400) << c.text.substr(0, 200);
    EXPECT_EQ(reply.json["error"], error) << c.text.substr(0, 200);
  }
  ExpectNothing();
}

TEST_F(BadInputTest, ABadJobIsRefusedWithItsFieldByTheCommandLine) {
  const std::string file = File("job.yaml", "");
  for (const BadJob& c : kBadJobs) {
    File("job.yaml", c.text);
    const support::RunOutcome outcome = cluster_->Kiln({"job", "submit", file});
    EXPECT_EQ(outcome.code, 64) << c.text.substr(0, 200);
    // What the scheduler refuses is told without the file.
    EXPECT_THAT(outcome.output,
                testing::AnyOf(testing::StartsWith("error: " + file + ": " + c.field),
                               testing::StartsWith("error: " + c.field)));
    EXPECT_THAT(outcome.output, testing::EndsWith(": " + c.message + "\n"));
  }
  ExpectNothing();
}

TEST_F(BadInputTest, WrongCommandsEndWithOneSentence) {
  struct Case {
    std::vector<std::string> arguments;
    int code;
    std::string output;
  };
  const std::string folder = cluster_->folder();
  const std::string job =
      File("data.yaml", WithRun("training",
                                "{train: {algorithm: linear, data: nosuch.csv, target: y, "
                                "model: m}}"));
  const std::string half =
      File("half.yaml",
           "name: a\nkind: training\ngroups:\n"
           "- {name: g, run: {train: {algorithm: linear, data: there.csv, target: y, "
           "model: m}}}\n"
           "- {name: h, run: {train: {algorithm: linear, data: nosuch.csv, target: y, "
           "model: m}}}\n");
  File("there.csv", "a,y\n1,2\n");
  const std::string missing = "No such file or directory";
  const Case cases[] = {
      {{"job", "submit", folder + "/nosuch.yaml"},
       66,
       "error: cannot read " + folder + "/nosuch.yaml: " + missing + "\n"},
      {{"job", "submit", folder}, 64, "error: cannot read " + folder + ": Is a directory\n"},
      {{"job", "submit", job},
       66,
       "error: groups[0].run.data: cannot read " + folder + "/nosuch.csv: " + missing +
           ": expected the data beside the job file\n"},
      {{"job", "submit", half},
       66,
       "error: groups[1].run.data: cannot read " + folder + "/nosuch.csv: " + missing +
           ": expected the data beside the job file\n"},
      {{"artifact", "put", folder + "/nosuch", "x"},
       66,
       "error: cannot read " + folder + "/nosuch: " + missing + "\n"},
      {{"artifact", "put", folder + "/there.csv", "../x"},
       64,
       "error: path is \"../x\": expected names between slashes, none of them empty, \".\" "
       "or \"..\"\n"},
      {{"artifact", "get", "nosuch", folder + "/got"},
       66,
       "error: artifact nosuch is not there\n"},
      {{"job", "sumbit", job}, 2, "error: command is \"sumbit\": expected submit\n"},
      {{"job", "show", "a/b"},
       66,
       "error: job a/b is not known: expected one of those in /v1/jobs\n"},
      {{"job", "list", "--phase", "FINE"},
       64,
       "error: phase is FINE: expected WAITING, RUNNING, SUCCEEDED, FAILED, KILLING or "
       "KILLED\n"},
      {{"model", "show", "nosuch"},
       66,
       "error: model nosuch is not known: expected one of those in /v1/models\n"},
      {{"--api", "http://127.0.0.1:1", "job", "list"},
       69,
       "error: no answer from http://127.0.0.1:1: Connection refused: expected a kiln-scheduler "
       "there\n"},
  };
  for (const Case& c : cases) {
    const support::RunOutcome outcome = cluster_->Kiln(c.arguments);
    EXPECT_EQ(outcome.code, c.code) << testing::PrintToString(c.arguments);
    EXPECT_EQ(outcome.output, c.output);
  }
  EXPECT_FALSE(std::filesystem::exists(folder + "/got"));
  EXPECT_EQ(cluster_->Kiln({"local", "up", "--cpus", "-1"}).code, 2);
  ExpectNothing();
}

TEST_F(BadInputTest, WrongRequestsAreAnsweredWithTheirCode) {
  struct Case {
    const char* method;
    const char* path;
    const char* type;
    std::string body;
    int status;
    std::string message;
  };
  const Case cases[] = {
      {"POST", "/v1/jobs", "image/png", "x", 415,
       "Content-Type is image/png: expected application/yaml or application/json"},
      {"POST", "/v1/jobs", kYaml, std::string(2 << 20, 'a'), 400,
       "the document is YAML of 2097152 bytes: expected at most 1048576, or JSON"},
      {"PATCH", "/v1/jobs", kJson, "{}", 405, "method of /v1/jobs is PATCH: expected GET, POST"},
      {"GET", "/v1/nosuch", kJson, "", 404,
       "path is /v1/nosuch: expected one of those in /v1/openapi.json"},
      {"GET", "/v1/jobs/a%2Fb/why", kJson, "", 404,
       "job a/b is not known: expected one of those in /v1/jobs"},
      {"GET", "/v1/jobs?phase=FINE", kJson, "", 400,
       "phase is FINE: expected WAITING, RUNNING, SUCCEEDED, FAILED, KILLING or KILLED"},
      {"POST", "/v1/models/a%2Fb/versions", kJson, R"({"uri":"/x"})", 400,
       "model is \"a/b\"" + kNameRule},
      {"POST", "/v1/models/m/versions", kJson, "x", 400,
       "body: no JSON: line 1, column 1: syntax error while parsing value - invalid literal; last "
       "read: 'x'"},
      {"POST", "/v1/models/m/versions", kJson, R"({"uri":"x/y"})", 400,
       "uri is \"x/y\"" + kUriRule},
      {"POST", "/v1/models/m/versions", kJson, R"({"uri":"/x","metrics":{"a":"b"}})", 400,
       "a is \"b\": expected a number"},
      {"PUT", "/v1/artifacts/a%2F..%2Fb", kJson, "x", 400,
       "path is \"a/../b\": expected names between slashes, none of them empty, \".\" or \"..\""},
      {"DELETE", "/v1/artifacts/nosuch", kJson, "", 404, "artifact nosuch is not there"},
      {"POST", "/v1/tasks/a%2Fb/kill", kJson, "", 404,
       "task a/b is not known: expected one of those in /v1/jobs/NAME/tasks"},
  };
  for (const Case& c : cases) {
    const auto reply = net::Fetch(cluster_->api() + c.path,
                                  {c.method, "/", {{"Content-Type", c.type}}, c.body, ""});
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->status, c.status) << c.path;
    EXPECT_EQ(wire::ParseJson(reply->body).value_or(Json())["error"]["message"], c.message)
        << reply->body;
  }
  ExpectNothing();
}

// The last test but those that leave jobs: what it stores has to end by itself.
TEST_F(BadInputTest, JobsThatDisagreeAreRefused) {
  const auto text = [](const std::string& name, const std::string& keys) {
    return "name: " + name + "\nkind: training\ngroups: [{name: g, run: {command: 'true'}}]\n" +
           keys + "\n";
  };
  EXPECT_EQ(cluster_->Api("POST", "/v1/jobs", text("b", "after: [c]")).status, 201);
  EXPECT_EQ(cluster_->Api("POST", "/v1/jobs", text("b", "after: [c]")).status, 200);
  struct Case {
    std::string text;
    int code;
    std::string output;
  };
  const Case cases[] = {
      {text("b", "after: [d]"), 73,
       "error: job b is WAITING with other content: expected another name, or to wait for its "
       "end\n"},
      {text("c", "after: [b]"), 64,
       "error: after: job c waits for itself by way of b: expected an order that ends\n"},
  };
  for (const Case& c : cases) {
    const auto outcome = cluster_->Kiln({"job", "submit", File("job.yaml", c.text)});
    EXPECT_EQ(outcome.code, c.code);
    EXPECT_EQ(outcome.output, c.output);
  }
  EXPECT_EQ(cluster_->Api("GET", "/v1/jobs").json["jobs"].size(), 1u);
  EXPECT_EQ(cluster_->Api("POST", "/v1/jobs/b/kill").status, 200);
}

// Tasks that meet bad bytes.

constexpr int kRows = 40;

// "a,b,y" with rows that a forest can learn, and more lines.
std::string Csv(const std::string& more) {
  std::string text = "a,b,y\n";
  for (int i = 0; i < kRows; ++i) text += fmt::format("{},{},{}\n", i, i % 7, i % 2);
  return text + more;
}

Json JobOf(const std::string& name, const std::string& kind, Json run) {
  const Json group = {{"name", "g"}, {"cpus", 0.1}, {"mem", "64MiB"}, {"run", std::move(run)}};
  return {{"name", name}, {"kind", kind}, {"retries", 0}, {"groups", {group}}};
}

struct BadWork {
  std::string name;
  std::string kind;
  Json run;
  std::string message;
};

// Submits them together; each fails with its message.
void ExpectFailures(Cluster& cluster, const std::vector<BadWork>& works) {
  for (const BadWork& work : works) {
    const Reply reply =
        cluster.Api("POST", "/v1/jobs", wire::DumpJson(JobOf(work.name, work.kind, work.run)));
    EXPECT_EQ(reply.status, 201) << reply.body;
  }
  for (const BadWork& work : works) {
    EXPECT_TRUE(cluster.Reaches(work.name, "FAILED")) << work.name;
    EXPECT_EQ(cluster.Job(work.name)["message"], "g[0] failed 1 of 1 times: " + work.message);
  }
}

TEST_F(BadInputTest, BadDataFailsATrainingWithItsPlace) {
  struct Case {
    std::string name;
    std::string bytes;
    std::string message;  // behind the file's name
  };
  const Case cases[] = {
      {"empty", "", " is empty, expected a table"},
      {"header", "a,b,y\n", ": the table has no rows, expected some"},
      {"hole", Csv("1,,1\n"), " line 42: column b is empty, expected a number"},
      {"short", Csv("1,1\n"), " line 42: 2 cells, expected 3"},
      {"text", Csv("1,abc,1\n"), " line 42: column b is \"abc\", expected a number"},
      {"latin", Csv("1,M\xfcller,1\n"),
       " line 42: column b is \"M\xef\xbf\xbdller\", expected a number"},
      {"nan", Csv("1,nan,1\n"), " line 42: column b is nan, expected a finite number"},
      {"label", Csv("1,1,\n"), " line 42: column y is empty, expected a label"},
      {"quote", Csv("1,\"1,1\n"), " line 42: the quote of cell 2 is not closed, expected a \""},
      {"column", "a,b,z\n1,2,3\n", " line 1: there is no column y, the nearest is a"},
      {"one-class", "a,b,y\n1,2,3\n1,2,3\n", ": the target y has 1 classes, expected 2 to 65536"},
  };
  std::vector<BadWork> works;
  const auto train = [](const std::string& data) {
    return Json{{"train",
                 {{"algorithm", "random_forest"},
                  {"trees", 4},
                  {"data", data},
                  {"target", "y"},
                  {"model", "never"}}}};
  };
  for (const Case& c : cases) {
    const std::string file = File(c.name + ".csv", c.bytes);
    works.push_back({"train-" + c.name, "training", train(file), file + c.message});
  }
  // A file of the artifact store goes by its name there.
  ASSERT_EQ(cluster_->Kiln({"artifact", "put", File("hole.csv", Csv("1,,1\n")), "bad.csv"}).code,
            0);
  works.push_back({"train-artifact", "training", train("artifact:bad.csv"),
                   "artifact:bad.csv line 42: column b is empty, expected a number"});
  works.push_back({"train-gone", "training", train("/nosuch/x.csv"),
                   "cannot read /nosuch/x.csv: No such file or directory"});
  works.push_back(
      {"train-gone-artifact", "training", train("artifact:gone.csv"),
       cluster_->api() + "/v1/artifacts/gone.csv: found status 404 Not Found, expected 200"});
  ExpectFailures(*cluster_, works);
  EXPECT_EQ(cluster_->Api("GET", "/v1/models").json["models"], Json::array());

  // What stands in the state can be read again.
  cluster_->KillScheduler();
  cluster_->StartScheduler();
  EXPECT_EQ(cluster_->Job("train-latin")["phase"], "FAILED");
}

// A model by the name `shape`, of the features a and b, and others that are none.
void RegisterModels(Cluster& cluster, const std::string& good_csv, const std::string& damaged) {
  const Json train = {{"train",
                       {{"algorithm", "random_forest"},
                        {"trees", 4},
                        {"data", good_csv},
                        {"target", "y"},
                        {"model", "shape"}}}};
  ASSERT_EQ(
      cluster.Api("POST", "/v1/jobs", wire::DumpJson(JobOf("good", "training", train))).status,
      201);
  ASSERT_TRUE(cluster.Reaches("good", "SUCCEEDED")) << cluster.Job("good");
  for (const auto& [name, uri] :
       std::map<std::string, std::string>{{"damaged", damaged}, {"gone", "/nosuch/model"}}) {
    ASSERT_EQ(
        cluster.Api("POST", "/v1/models/" + name + "/versions", wire::DumpJson({{"uri", uri}}))
            .status,
        201);
  }
}

TEST_F(BadInputTest, ModelsThatDoNotFitFailScoring) {
  const std::string damaged =
      File("model", std::string("KILNMODEL\1\0\0\0\7\0\0\0\0\0\0\0nonsense", 29));
  const std::string good = File("good.csv", Csv(""));
  ASSERT_NO_FATAL_FAILURE(RegisterModels(*cluster_, good, damaged));
  const std::string other = File("other.csv", "a,c,d\n1,2,3\n");
  const auto score = [](const std::string& model, const std::string& data,
                        std::vector<std::string> columns = {}) {
    return Json{{"score",
                 {{"model", model},
                  {"data", data},
                  {"columns", std::move(columns)},
                  {"output", "artifact:never"}}}};
  };
  const std::vector<BadWork> works = {
      {"score-damaged", "scoring", score("damaged", good),
       damaged + " is cut off: 8 bytes of content, expected 7"},
      {"score-gone", "scoring", score("gone", good),
       "cannot read /nosuch/model: No such file or directory"},
      {"score-other", "scoring", score("shape", other),
       other + " line 1: there is no column b, the nearest is a"},
      {"score-wide", "scoring", score("shape", other, {"a", "c", "d"}),
       other + ": the rows have 3 columns, the model expects 2"},
      {"search-wide",
       "scoring",
       {{"search", {{"data", other}, {"query", {1, 2}}, {"output", "artifact:never"}}}},
       "query: found 2 numbers, expected 3, as many as the data has columns"},
  };
  ExpectFailures(*cluster_, works);
  EXPECT_EQ(cluster_->Api("GET", "/v1/artifacts/never").status, 404);

  // A server that cannot load its model is tried again, and `why` says what failed.
  Json serve = JobOf("serve-damaged", "serving", {{"serve", {{"model", "damaged"}}}});
  ASSERT_EQ(cluster_->Api("POST", "/v1/jobs", wire::DumpJson(serve)).status, 201);
  Json why;
  EXPECT_TRUE(support::Eventually([&] {
    why = cluster_->Api("GET", "/v1/jobs/serve-damaged/why").json;
    return why["refusals"].size() == 1 && why["refusals"][0]["blocker"] == "BACKOFF";
  })) << why;
  EXPECT_THAT(why["refusals"][0]["reason"].get<std::string>(),
              testing::EndsWith("s: " + damaged + " is cut off: 8 bytes of content, expected 7"));
  EXPECT_EQ(cluster_->Api("POST", "/v1/jobs/serve-damaged/kill").status, 200);
}

}  // namespace
}  // namespace kiln::integration

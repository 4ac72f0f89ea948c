// Jobs, models and the cluster over HTTP.
#include "scheduler/api/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "scheduler/api/fake/api_host.h"
#include "wire/net/client.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using wire::Json;

constexpr const char* kJob =
    "name: sleeper\nkind: service\ngroups:\n- {name: main, count: 2, "
    "run: {command: sleep 60}}\n";

class ApiTest : public testing::Test {
 protected:
  net::Response Ask(const std::string& method, const std::string& target, std::string body = "",
                    net::Headers headers = {}) {
    auto response =
        net::Fetch(host_.url() + target, {method, target, std::move(headers), std::move(body), ""});
    EXPECT_TRUE(response) << response.error().message;
    return response.value_or(net::Response{0, {}, ""});
  }
  Json AskJson(const std::string& method, const std::string& target, int status,
               std::string body = "") {
    net::Response response = Ask(method, target, std::move(body));
    EXPECT_EQ(response.status, status) << target << ": " << response.body;
    return wire::ParseJson(response.body).value_or(Json());
  }
  // "CODE field: message" of an error.
  std::string AskError(const std::string& method, const std::string& target, int status,
                       std::string body = "") {
    const Json error = AskJson(method, target, status, std::move(body))["error"];
    return error.value("code", "") + " " + error.value("field", "") + ": " +
           error.value("message", "");
  }
  void PutTask(int index, int attempt, TaskState state) {
    host_.Change([&](FakeBackend& backend) {
      Task task;
      task.id = {fmt::format("t-{}-{}", index, attempt)};
      task.member = {"sleeper", "main", index};
      task.attempt = attempt;
      task.state = state;
      task.fraction = 0.5;
      task.hostname = "host1";
      task.resources.cpus_milli = 1000;
      backend.data.tasks[task.id] = task;
    });
  }

  ApiHost host_;
};

TEST_F(ApiTest, SubmitIsIdempotentByNameAndContent) {
  const Json created = AskJson("POST", "/v1/jobs", 201, kJob);
  EXPECT_EQ(created["name"], "sleeper");
  EXPECT_EQ(created["phase"], "WAITING");
  EXPECT_EQ(created["members"], 2);
  EXPECT_EQ(AskJson("POST", "/v1/jobs", 200, kJob), created);
  // The same content as JSON.
  EXPECT_EQ(AskJson("POST", "/v1/jobs", 200,
                    R"({"kind":"service","name":"sleeper","groups":[{"run":{"command":
                    {"shell":"sleep 60"}},"name":"main","count":2,"cpus":1}]})"),
            created);
  std::string other = kJob;
  other.replace(other.find("60"), 2, "61");
  EXPECT_EQ(AskError("POST", "/v1/jobs", 409, other),
            "CONFLICT : job sleeper is there with another content");
  EXPECT_EQ(Ask("POST", "/v1/jobs", kJob).headers.Get("Location"), "/v1/jobs/sleeper");
}

TEST_F(ApiTest, ADryRunOfASubmitSaysWhetherItWouldBeTaken) {
  EXPECT_EQ(AskJson("POST", "/v1/jobs?dry_run=true", 200, kJob), (Json{{"name", "sleeper"}}));
  EXPECT_EQ(AskJson("GET", "/v1/jobs", 200), (Json{{"jobs", Json::array()}}));
  AskJson("POST", "/v1/jobs", 201, kJob);
  std::string other = kJob;
  other.replace(other.find("60"), 2, "61");
  EXPECT_EQ(AskError("POST", "/v1/jobs?dry_run=true", 409, other),
            "CONFLICT : job sleeper is there with another content");
  EXPECT_EQ(AskError("POST", "/v1/jobs?dry_run=1", 400, kJob),
            "INVALID_ARGUMENT dry_run: dry_run is \"1\": expected true or false");
}

TEST_F(ApiTest, AFullDiskIs507) {
  host_.Change([](FakeBackend& backend) {
    backend.disk = Fail(ErrorCode::kResourceExhausted, "state s cannot be written");
  });
  EXPECT_EQ(AskError("POST", "/v1/jobs", 507, kJob),
            "RESOURCE_EXHAUSTED : state s cannot be written");
}

TEST_F(ApiTest, ABadJobIsRefusedWithItsField) {
  EXPECT_EQ(AskError("POST", "/v1/jobs", 400, ""),
            "INVALID_ARGUMENT : the document is empty: expected a map");
  EXPECT_EQ(AskError("POST", "/v1/jobs", 400, "{\"name\": "),
            "INVALID_ARGUMENT : no JSON: line 1, column 10: syntax error while parsing value - "
            "unexpected end of input; expected '[', '{', or a literal");
  EXPECT_EQ(AskError("POST", "/v1/jobs", 400,
                     "name: a\nkind: service\ngroups: [{name: g, cpu: 1, run: {command: ls}}]"),
            "INVALID_ARGUMENT groups[0].cpu: key \"cpu\" is not known: the nearest known key is "
            "\"cpus\"");
  EXPECT_THAT(AskError("POST", "/v1/jobs", 400,
                       "name: a/b\nkind: service\ngroups: [{name: g, run: {command: ls}}]"),
              HasSubstr("INVALID_ARGUMENT name: name is \"a/b\": expected"));
  EXPECT_EQ(AskError("POST", "/v1/jobs", 400,
                     "name: a\nkind: scoring\ngroups: [{name: g, run: {search: {data: x.csv, "
                     "query: [1], output: 'artifact:o'}}}]"),
            "INVALID_ARGUMENT groups[0].run.data: data is \"x.csv\": expected artifact:PATH, "
            "http://HOST/PATH, file:///PATH or a path that begins with /");
  EXPECT_EQ(AskError("GET", "/v1/jobs?phase=FINE", 400),
            "INVALID_ARGUMENT phase: phase is FINE: expected WAITING, RUNNING, SUCCEEDED, FAILED, "
            "KILLING or KILLED");
  net::Response typed = Ask("POST", "/v1/jobs", kJob, {{"Content-Type", "image/png"}});
  EXPECT_EQ(typed.status, 415);
  EXPECT_THAT(typed.body, HasSubstr("Content-Type is image/png: expected application/yaml"));
  host_.Change([](FakeBackend& backend) { EXPECT_TRUE(backend.data.jobs.empty()); });
}

TEST_F(ApiTest, ATooLargeBodyIsRefused) {
  EXPECT_THAT(AskError("POST", "/v1/jobs", 413, std::string(17 << 20, 'x')),
              HasSubstr("expected at most 16777216"));
}

TEST_F(ApiTest, ListsAndShowsJobsByTheLastAttempts) {
  AskJson("POST", "/v1/jobs", 201, kJob);
  PutTask(0, 0, TaskState::kFailed);
  PutTask(0, 1, TaskState::kRunning);
  PutTask(1, 0, TaskState::kFinished);
  const Json summary = AskJson("GET", "/v1/jobs", 200)["jobs"][0];
  EXPECT_EQ(wire::DumpJson(summary),
            R"({"name":"sleeper","kind":"service","phase":"WAITING","message":"","role":"",)"
            R"("priority":50,"digest":")" +
                summary["digest"].get<std::string>() +
                R"(","submitted":"2025-01-31T12:00:00.000Z","ended":null,"members":2,"starting":0,)"
                R"("running":1,"finished":1,"fraction":0.75})");
  EXPECT_EQ(AskJson("GET", "/v1/jobs?phase=RUNNING", 200)["jobs"].size(), 0);
  const Json detail = AskJson("GET", "/v1/jobs/sleeper", 200);
  EXPECT_EQ(detail["groups"][0]["running"], 1);
  EXPECT_EQ(wire::DumpJson(detail["job"]),
            R"({"name":"sleeper","kind":"service","groups":[{"name":"main","count":2,)"
            R"("run":{"command":{"shell":"sleep 60"}}}]})");
  const Json tasks = AskJson("GET", "/v1/jobs/sleeper/tasks", 200)["tasks"];
  ASSERT_EQ(tasks.size(), 3);
  EXPECT_EQ(tasks[1]["id"], "t-0-1");
}

TEST_F(ApiTest, SaysWhyAJobWaits) {
  AskJson("POST", "/v1/jobs", 201, kJob);
  host_.Change([](FakeBackend& backend) {
    backend.refusals = {{"sleeper",
                         "main",
                         2,
                         Blocker::kCpus,
                         "needs 8 cpus",
                         "host1 lacks 2 cpus",
                         "job a",
                         {Instant{1'000'000'000}, "about"}},
                        {"other", "main", 1, Blocker::kGang, "x"}};
  });
  EXPECT_EQ(wire::DumpJson(AskJson("GET", "/v1/jobs/sleeper/why", 200)),
            R"({"job":"sleeper","phase":"WAITING","message":"","refusals":[{"job":"sleeper",)"
            R"("group":"main","members":2,"blocker":"CPUS","reason":"needs 8 cpus",)"
            R"("nearest":"host1 lacks 2 cpus","held_by":"job a",)"
            R"("estimated_start":"1970-01-01T00:00:01.000Z","estimate":"about"}]})");
}

TEST_F(ApiTest, PlansWithoutSubmitting) {
  host_.Change([](FakeBackend& backend) {
    AgentView view;
    view.agent.id = {"S0"};
    view.agent.hostname = "host1";
    backend.agents = {view};
    backend.plan.launches = {{{"sleeper", "main", 0}, {"S0"}, {}, {.cpus_milli = 1000}}};
    backend.plan.refusals = {{"sleeper", "main", 1, Blocker::kMem, "needs memory"}};
  });
  EXPECT_EQ(wire::DumpJson(AskJson("POST", "/v1/plan", 200, kJob)),
            R"({"fits":false,"launches":[{"group":"main","index":0,"agent_id":"S0","hostname":)"
            R"("host1","resources":{"cpus":1.0}}],"refusals":[{"job":"sleeper","group":"main",)"
            R"("members":1,"blocker":"MEM","reason":"needs memory","nearest":"","held_by":"",)"
            R"("estimated_start":null,"estimate":""}]})");
  EXPECT_EQ(AskJson("GET", "/v1/jobs", 200)["jobs"].size(), 0);
}

TEST_F(ApiTest, KillsJobsAndTasks) {
  AskJson("POST", "/v1/jobs", 201, kJob);
  PutTask(0, 0, TaskState::kRunning);
  EXPECT_EQ(AskJson("POST", "/v1/tasks/t-0-0/kill", 200)["id"], "t-0-0");
  EXPECT_EQ(AskJson("DELETE", "/v1/jobs/sleeper", 200)["phase"], "KILLING");
  EXPECT_EQ(AskJson("POST", "/v1/jobs/sleeper/kill", 200)["phase"], "KILLING");
  host_.Change([](FakeBackend& b) { EXPECT_TRUE(b.data.tasks.at({"t-0-0"}).kill_wanted); });
}

TEST_F(ApiTest, WhatIsNotThereIsNotFound) {
  const std::pair<const char*, const char*> cases[] = {
      {"/v1/jobs/nope", "NOT_FOUND : job nope is not known: expected one of those in /v1/jobs"},
      {"/v1/jobs/a%2Fb/why", "NOT_FOUND : job a/b is not known: expected one of those in /v1/jobs"},
      {"/v1/jobs/nope/log", "NOT_FOUND : job nope is not known: expected one of those in /v1/jobs"},
      {"/v1/models/nope",
       "NOT_FOUND : model nope is not known: expected one of those in "
       "/v1/models"},
      {"/v1/job", "NOT_FOUND : path is /v1/job: expected one of those in /v1/openapi.json"},
      {"/v1/jobs/a/b/c",
       "NOT_FOUND : path is /v1/jobs/a/b/c: expected one of those in "
       "/v1/openapi.json"},
      {"/v1/jobs/", "NOT_FOUND : path is /v1/jobs/: expected one of those in /v1/openapi.json"},
      {"/v1/plans/other", "NOT_FOUND : plan other is not known: expected deploy"},
  };
  for (const auto& [target, message] : cases) EXPECT_EQ(AskError("GET", target, 404), message);
}

TEST_F(ApiTest, AnotherMethodIsToldWhatIsAllowed) {
  net::Response response = Ask("PATCH", "/v1/jobs/x");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.headers.Get("Allow"), "GET, DELETE");
  EXPECT_THAT(response.body, HasSubstr("method of /v1/jobs/x is PATCH: expected GET, DELETE"));
}

TEST_F(ApiTest, RegistersModelsAndMovesLabels) {
  const char* version = R"({"uri":"artifact:models/digits/a","job":"digits-forest","job_digest":
      "00000000000000ff","algorithm":"random_forest","features":["a","b"],
      "metrics":{"accuracy":0.97},"parameters":{"trees":"200"}})";
  EXPECT_EQ(wire::DumpJson(AskJson("POST", "/v1/models/digits/versions", 201, version)),
            R"({"model":"digits","version":1})");
  EXPECT_EQ(AskJson("POST", "/v1/models/digits/versions", 201, version)["version"], 1);
  EXPECT_EQ(AskJson("POST", "/v1/models", 201, R"({"model":"digits","uri":"/u"})")["version"], 2);
  EXPECT_EQ(wire::DumpJson(AskJson("GET", "/v1/models/digits/versions/1", 200)),
            R"({"version":1,"created":"2025-01-31T12:00:00.000Z","model":"digits","uri":)"
            R"("artifact:models/digits/a","job":"digits-forest","job_digest":"00000000000000ff",)"
            R"("algorithm":"random_forest","features":["a","b"],"metrics":{"accuracy":0.97},)"
            R"("parameters":{"trees":"200"}})");
  EXPECT_EQ(AskJson("PUT", "/v1/models/digits/labels/live", 200, R"({"version":2})")["labels"],
            Json({{"live", 2}}));
  EXPECT_EQ(AskJson("GET", "/v1/models", 200)["models"][0]["latest"], 2);
  EXPECT_EQ(AskError("PUT", "/v1/models/digits/labels/live", 404, R"({"version":3})"),
            "NOT_FOUND : model digits has no version 3: expected 1 to 2");
  EXPECT_EQ(AskError("PUT", "/v1/models/digits/labels/live", 400, R"({"version":"2"})"),
            "INVALID_ARGUMENT version: body is {\"version\":\"2\"}: expected {\"version\": N}");
  EXPECT_EQ(AskJson("DELETE", "/v1/models/digits/labels/live", 200)["labels"], Json::object());
  EXPECT_EQ(AskError("DELETE", "/v1/models/digits/labels/live", 404),
            "NOT_FOUND : model digits has no label live");
  EXPECT_EQ(AskError("POST", "/v1/models/digits/versions", 400, "{}"),
            "INVALID_ARGUMENT uri: uri is missing");
  EXPECT_EQ(AskError("POST", "/v1/models/digits/versions", 400, "x"),
            "INVALID_ARGUMENT : body: no JSON: line 1, column 1: syntax error while parsing value "
            "- invalid literal; last read: 'x'");
}

TEST_F(ApiTest, TellsEndpointsOfRunningServers) {
  host_.Change([](FakeBackend& backend) {
    Group group;
    group.name = "server";
    group.work = ServeWork{{{"digits", {}, ""}}};
    JobRecord record;
    record.job.name = "serve";
    record.job.kind = JobKind::kServing;
    record.job.groups = {group};
    backend.data.jobs["serve"] = record;
    Task task;
    task.id = {"s-0"};
    task.member = {"serve", "server", 0};
    task.state = TaskState::kRunning;
    task.endpoint = "10.0.0.1:31000";
    task.healthy = true;
    backend.data.tasks[task.id] = task;
    task.id = {"s-1"};
    task.state = TaskState::kFailed;
    backend.data.tasks[task.id] = task;
  });
  EXPECT_EQ(wire::DumpJson(AskJson("GET", "/v1/endpoints", 200)),
            R"({"endpoints":[{"job":"serve","group":"server","index":0,"task":"s-0","state":)"
            R"("TASK_RUNNING","address":"10.0.0.1:31000","models":["digits"],"healthy":true}]})");
  EXPECT_EQ(wire::DumpJson(AskJson("GET", "/v1/endpoints/serve", 200)),
            R"({"address":["10.0.0.1:31000"],)"
            R"("dns":["serve-server-0.kiln.autoip.dcos.thisdcos.directory:31000"]})");
}

TEST_F(ApiTest, HealthIsAliveInAnyCase) {
  EXPECT_EQ(wire::DumpJson(AskJson("GET", "/v1/health", 200)),
            R"({"status":"ready","connected":true,"recovered":true,"framework_id":"framework-1",)"
            R"("master":"127.0.0.1:5050","problem":""})");
  EXPECT_EQ(AskJson("GET", "/v1/plans/deploy", 200)["status"], "COMPLETE");
  host_.Change([](FakeBackend& backend) { backend.health.connected = false; });
  EXPECT_EQ(AskJson("GET", "/v1/health", 202)["status"], "starting");
  EXPECT_EQ(AskJson("GET", "/v1/plans/deploy", 202)["status"], "IN_PROGRESS");
}

TEST_F(ApiTest, MetricsAreInPrometheusForm) {
  AskJson("POST", "/v1/jobs", 201, kJob);
  const net::Response response = Ask("GET", "/v1/metrics/prometheus");
  EXPECT_THAT(response.body, HasSubstr("# TYPE kiln_jobs gauge\nkiln_jobs{phase=\"WAITING\"} 1\n"));
  EXPECT_THAT(response.body,
              HasSubstr("# TYPE kiln_launches_total counter\nkiln_launches_total 3"));
}

TEST_F(ApiTest, AgentsShowWhatIsFreeAndUsed) {
  host_.Change([](FakeBackend& backend) {
    AgentView view;
    view.agent.id = {"S0"};
    view.agent.hostname = "host1";
    view.offered = {.cpus_milli = 4000, .mem = GiB(8)};
    view.tasks = 2;
    backend.agents = {view};
  });
  const Json agent = AskJson("GET", "/v1/agents", 200)["agents"][0];
  EXPECT_EQ(wire::DumpJson(agent["free"]), R"({"cpus":4.0,"mem":"8GiB"})");
  EXPECT_EQ(agent["tasks"], 2);
  EXPECT_EQ(agent["standing"], "HEALTHY");
  EXPECT_EQ(agent["quarantine"], Json::array());
}

TEST_F(ApiTest, AnOperatorQuarantinesAndReleases) {
  host_.Change([](FakeBackend& backend) {
    AgentView view;
    view.agent.id = {"S0"};
    backend.agents = {view};
  });
  const Json agent = AskJson("POST", "/v1/agents/S0/quarantine", 200,
                             R"({"gpu": "g1", "time": "90s", "reason": "hot"})");
  EXPECT_EQ(agent["standing"], "HEALTHY");
  EXPECT_EQ(wire::DumpJson(agent["quarantine"]),
            R"([{"gpu":"g1","standing":"QUARANTINED","since":"2025-01-31T12:00:00.000Z",)"
            R"("until":"2025-01-31T12:01:30.000Z","reason":"gpu g1 of agent S0 is quarantined )"
            R"(until 2025-01-31T12:01:30Z, hot"}])");
  EXPECT_EQ(AskJson("POST", "/v1/agents/S0/quarantine", 200)["standing"], "QUARANTINED");
  EXPECT_THAT(Ask("GET", "/v1/metrics/prometheus").body,
              testing::AllOf(HasSubstr("kiln_agents_suspect{standing=\"QUARANTINED\"} 1"),
                             HasSubstr("kiln_gpus_suspect{standing=\"QUARANTINED\"} 1")));
  EXPECT_EQ(AskJson("POST", "/v1/agents/S0/release", 200)["standing"], "HEALTHY");
  EXPECT_EQ(AskError("POST", "/v1/agents/S0/release", 412),
            "FAILED_PRECONDITION : agent S0 is healthy");
  EXPECT_EQ(
      AskError("POST", "/v1/agents/S0/quarantine", 400, R"({"until": "1h"})"),
      "INVALID_ARGUMENT until: key \"until\" is not known: expected one of gpu, time, reason");
}

TEST_F(ApiTest, RolesHaveWhatIsSetAndWhatIsUsed) {
  host_.Change([](FakeBackend& backend) {
    backend.roles = {{.role = {.name = "a/b",
                               .weight = 2,
                               .quota = {0, 0, 0, 8'000},
                               .limit = {4000, kUnlimited, kUnlimited, 0}},
                      .used = {1500, GiB(2).count, 0, 0},
                      .share = 0.25,
                      .counted = 0.5}};
  });
  EXPECT_EQ(wire::DumpJson(AskJson("GET", "/v1/roles", 200)),
            R"({"roles":[{"name":"a/b","weight":2.0,"quota":{"gpus":8.0},)"
            R"("limit":{"cpus":4.0,"gpus":0.0},"used":{"cpus":1.5,"mem":"2GiB"},)"
            R"("share":0.25,"counted_share":0.5}]})");
}

TEST_F(ApiTest, ServesItsDescriptionsAndAPage) {
  EXPECT_EQ(AskJson("GET", "/v1/schema/job", 200)["title"], "Kiln job file");
  EXPECT_EQ(AskJson("GET", "/v1/openapi.json", 200)["openapi"], "3.1.0");
  const net::Response page = Ask("GET", "/");
  EXPECT_EQ(page.headers.Get("Content-Type"), "text/html; charset=utf-8");
  EXPECT_THAT(page.body, testing::Not(HasSubstr("\"/v1")));
  EXPECT_EQ(Ask("HEAD", "/v1/health").body, "");
}

std::string Published(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

TEST_F(ApiTest, ThePublishedDescriptionIsOfTheseRoutes) {
  const std::string file = KILN_SOURCE_DIR "/scheduler/api/openapi.json";
  const std::string made = wire::PrettyJson(host_.api().router().OpenApi());
  if (getenv("KILN_UPDATE_GOLDEN") != nullptr) std::ofstream(file) << made;
  EXPECT_EQ(Published(file), made)
      << "KILN_UPDATE_GOLDEN=1 in the environment of this test writes " << file;
  // Both ways: every route is described, and every description is a route.
  std::set<std::string> described, routed;
  const Json paths = wire::ParseJson(Published(file)).value()["paths"];
  for (const auto& [path, methods] : paths.items()) {
    for (const auto& [method, operation] : methods.items()) described.insert(method + " " + path);
  }
  for (const Route& route : host_.api().router().routes()) {
    std::string line = route.method;
    std::transform(line.begin(), line.end(), line.begin(), ::tolower);
    std::string path = route.pattern;
    if (path.find("...") != std::string::npos) path.erase(path.find("..."), 3);
    routed.insert(line + " " + path);
  }
  EXPECT_EQ(described, routed);
  EXPECT_EQ(routed.size(), host_.api().router().routes().size());
}

TEST_F(ApiTest, TheBodiesOfRequestsAreDescribed) {
  const Json api = host_.api().router().OpenApi();
  const auto& schemas = api["components"]["schemas"];
  EXPECT_EQ(schemas["Job"]["required"], Json({"name", "kind", "groups"}));
  EXPECT_EQ(schemas["ModelVersion"]["required"], Json({"model", "uri"}));
  EXPECT_EQ(schemas["VersionOfModel"]["required"], Json({"uri"}));
  for (const Route& route : host_.api().router().routes()) {
    if (route.schema != nullptr) EXPECT_TRUE(schemas.contains(route.schema)) << route.pattern;
  }
}

TEST(ApiUninstall, TearsDownBeforeItSaysSo) {
  ApiOptions options;
  options.uninstall = true;
  ApiHost host(options);
  auto ask = [&] { return net::Fetch(host.url() + "/v1/plans/deploy").value(); };
  host.Change([](FakeBackend& backend) {
    backend.teardown_outcome = Fail(ErrorCode::kUnavailable, "no master");
  });
  net::Response response = ask();
  while (response.body.find("no master") == std::string::npos) response = ask();
  EXPECT_EQ(response.status, 202);
  host.Change([](FakeBackend& backend) { backend.teardown_outcome = {}; });
  while (response.status != 200) response = ask();
  host.Change([](FakeBackend& backend) { EXPECT_GE(backend.teardowns, 2); });
  EXPECT_EQ(net::Fetch(host.url() + "/v1/state/frameworkId")->body, "[]\n");
}

}  // namespace
}  // namespace kiln::scheduler

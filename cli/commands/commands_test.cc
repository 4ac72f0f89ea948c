// The commands against the API with a fake backend: what they print and how they end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "base/file.h"
#include "cli/commands/local_node.h"
#include "cli/commands/program.h"
#include "cli/output/exit_code.h"
#include "scheduler/api/fake/api_host.h"
#include "scheduler/store/store.h"
#include "wire/net/client.h"
#include "wire/rest/json.h"

namespace kiln::cli {
namespace {

using scheduler::ApiHost;
using scheduler::FakeBackend;
using scheduler::JobPhase;
using testing::HasSubstr;

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

Outcome RunWith(std::map<std::string, std::string> environment, std::vector<std::string> arguments,
                std::string name = "kiln") {
  std::ostringstream out, err;
  const int code =
      Run({std::move(name), std::move(arguments), std::move(environment), out, err, false});
  return {code, out.str(), err.str()};
}

constexpr const char* kSleeper =
    "name: sleeper\nkind: service\ngroups:\n- {name: main, count: 2, run: {command: sleep 60}}\n";
constexpr const char* kTraining =
    "name: forest\nkind: training\ngroups:\n- name: trainer\n  run:\n    train: {algorithm: "
    "random_forest, data: data/digits.csv, target: digit, model: digits}\n";

class CommandsTest : public testing::Test {
 protected:
  Outcome Kiln(std::vector<std::string> arguments) {
    return RunWith({{"KILN_API", host_.url()}}, std::move(arguments));
  }
  std::string File(const std::string& name, const std::string& text) {
    const auto path = host_.folder() / name;
    std::filesystem::create_directories(path.parent_path());
    EXPECT_TRUE(WriteFile(path, text));
    return path;
  }
  void SubmitSleeper() {
    EXPECT_EQ(Kiln({"job", "submit", File("sleeper.yaml", kSleeper)}).code, 0);
  }
  void PutTask(const std::string& job, int index, TaskState state, std::string message = "") {
    host_.Change([&](FakeBackend& backend) {
      Task task;
      task.id = {fmt::format("{}-{}", job, index)};
      task.member = {job, backend.data.jobs.at(job).job.groups[0].name, index};
      task.state = state;
      task.message = std::move(message);
      task.hostname = "host1";
      task.fraction = state == TaskState::kRunning ? 0.5 : 0;
      backend.data.tasks[task.id] = task;
    });
  }
  void SetPhase(const std::string& job, JobPhase phase, std::string message = "") {
    host_.Change([&](FakeBackend& backend) {
      backend.data.jobs.at(job).phase = phase;
      backend.data.jobs.at(job).message = std::move(message);
    });
  }

  ApiHost host_;
};

TEST_F(CommandsTest, SubmitPrintsTheNameAndListsIt) {
  const std::string file = File("sleeper.yaml", kSleeper);
  Outcome outcome = Kiln({"job", "submit", file});
  EXPECT_EQ(outcome.out + outcome.err, "sleeper\n");
  EXPECT_EQ(Kiln({"job", "submit", file}).code, kExitDone);
  PutTask("sleeper", 0, TaskState::kRunning);
  EXPECT_EQ(Kiln({"job", "list"}).out,
            "NAME     KIND     PHASE    RUNNING  FINISHED  MEMBERS  DONE  SUBMITTED\n"
            "sleeper  service  WAITING        1         0        2  -     "
            "2025-01-31T12:00:00.000Z\n");
  EXPECT_EQ(Kiln({"job", "list", "-q"}).out, "sleeper\n");
  EXPECT_EQ(Kiln({"job", "list", "--phase", "FAILED", "-q"}).out, "");
  EXPECT_THAT(Kiln({"job", "list", "--json"}).out, HasSubstr("  \"jobs\": [\n"));
}

TEST_F(CommandsTest, ShowHasTheJobItsGroupsAndTasks) {
  SubmitSleeper();
  PutTask("sleeper", 0, TaskState::kRunning);
  PutTask("sleeper", 1, TaskState::kFailed, "exit status 3");
  EXPECT_EQ(Kiln({"job", "show", "sleeper"}).out,
            "name:      sleeper\n"
            "kind:      service\n"
            "phase:     WAITING\n"
            "message:   -\n"
            "role:      -\n"
            "priority:  50\n"
            "submitted: 2025-01-31T12:00:00.000Z\n"
            "ended:     -\n"
            "\n"
            "GROUP  MEMBERS  STARTING  RUNNING  FINISHED  DONE\n"
            "main         2         0        1         0   25%\n"
            "\n"
            "TASK       GROUP  INDEX  ATTEMPT  STATE         HOST   MESSAGE\n"
            "sleeper-0  main       0        0  TASK_RUNNING  host1  -\n"
            "sleeper-1  main       1        0  TASK_FAILED   host1  exit status 3\n");
}

TEST_F(CommandsTest, ShowTellsWhatAGangAsksFor) {
  const std::pair<const char*, const char*> cases[] = {
      {"all", "all members"},
      {"{members: 2, prefer: rack}", "2 members, prefers one rack"},
      {"{require: zone, prefer: rack}", "all members, in one zone, prefers one rack"}};
  int number = 0;
  for (const auto& [gang, text] : cases) {
    const std::string name = fmt::format("gang-{}", ++number);
    Kiln({"job", "submit",
          File(name + ".yaml", "name: " + name + "\nkind: service\ngang: " + gang +
                                   "\ngroups: [{name: g, count: 4, run: {command: sleep}}]\n")});
    EXPECT_THAT(Kiln({"job", "show", name}).out,
                HasSubstr(std::string("\ngang:      ") + text + "\n"));
  }
}

TEST_F(CommandsTest, WhyNamesTheBlocker) {
  SubmitSleeper();
  Outcome outcome = Kiln({"job", "why", "sleeper"});
  EXPECT_EQ(outcome.err, "nothing of sleeper waits, it is WAITING\n");
  host_.Change([](FakeBackend& backend) {
    backend.refusals = {{"sleeper", "main", 2, scheduler::Blocker::kCpus, "needs 8 cpus"}};
  });
  EXPECT_EQ(Kiln({"job", "why", "sleeper"}).out,
            "GROUP  WAITING  BLOCKER  REASON\n"
            "main         2  CPUS     needs 8 cpus\n");
  host_.Change([](FakeBackend& backend) {
    scheduler::Refusal& refusal = backend.refusals[0];
    refusal.nearest = "host1 lacks 2 cpus";
    refusal.held_by = "job a (2 cpus on host1)";
    refusal.estimate = {Instant{1'000'000'000}, "about, by how long work like what runs took"};
    backend.refusals.push_back(refusal);
    backend.refusals[1].estimate = {std::nullopt, "none while this lasts"};
    backend.refusals[1].nearest = backend.refusals[1].held_by = "";
  });
  EXPECT_EQ(
      Kiln({"job", "why", "sleeper"}).out,
      "GROUP  WAITING  BLOCKER  REASON\n"
      "main         2  CPUS     needs 8 cpus\n"
      "main         2  CPUS     needs 8 cpus\n"
      "\n"
      "GROUP  NEAREST             HELD BY                  STARTS\n"
      "main   host1 lacks 2 cpus  job a (2 cpus on host1)  1970-01-01T00:00:01.000Z, about, by "
      "how long work like what runs took\n"
      "main   -                   -                        none while this lasts\n");
}

TEST_F(CommandsTest, SubmitUploadsTheDataBesideTheJobFile) {
  File("data/digits.csv", "a,digit\n1,2\n");
  Outcome outcome = Kiln({"job", "submit", File("forest.yaml", kTraining)});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "uploaded digits.csv (12B)\n");
  std::string uri;
  host_.Change([&](FakeBackend& backend) {
    uri = std::get<TrainWork>(backend.data.jobs.at("forest").job.groups[0].work).data.uri;
  });
  EXPECT_EQ(uri, "artifact:uploads/f19c372da6916177/digits.csv");
  EXPECT_EQ(net::Fetch(host_.url() + "/v1/artifacts/" + uri.substr(9))->body, "a,digit\n1,2\n");
  // Another job of that name is refused before its data are sent.
  File("data/digits.csv", "a,digit\n1,3\n");
  outcome = Kiln({"job", "submit", host_.folder() / "forest.yaml"});
  EXPECT_EQ(outcome.code, 73);
  EXPECT_THAT(outcome.err, testing::Not(testing::HasSubstr("uploaded")));
  File("data/digits.csv", "a,digit\n1,2\n");
  // The same again: the same job, and nothing to send.
  outcome = Kiln({"job", "submit", host_.folder() / "forest.yaml"});
  EXPECT_EQ(outcome.out + outcome.err, "forest\n");
}

TEST_F(CommandsTest, WaitShowsProgressUntilTheEnd) {
  SubmitSleeper();
  PutTask("sleeper", 0, TaskState::kFinished);
  PutTask("sleeper", 1, TaskState::kFinished);
  SetPhase("sleeper", JobPhase::kSucceeded);
  const std::string file = host_.folder() / "sleeper.yaml";
  Outcome outcome = Kiln({"job", "submit", file, "--wait"});
  EXPECT_EQ(outcome.code, kExitDone);
  EXPECT_EQ(outcome.err, "sleeper SUCCEEDED, 0 of 2 running, 2 finished\n");
  SetPhase("sleeper", JobPhase::kFailed, "member 1 failed 4 times");
  outcome = Kiln({"job", "submit", file, "--wait"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_EQ(outcome.err,
            "sleeper FAILED, 0 of 2 running, 2 finished\n"
            "error: job sleeper is FAILED: member 1 failed 4 times\n"
            "`kiln job log sleeper --stderr` shows what it printed\n");
  EXPECT_EQ(Kiln({"job", "why", "sleeper"}).err,
            "nothing of sleeper waits, it is FAILED: member 1 failed 4 times\n");
  // A service is there when all of it runs.
  PutTask("sleeper", 0, TaskState::kRunning);
  PutTask("sleeper", 1, TaskState::kRunning);
  SetPhase("sleeper", JobPhase::kRunning);
  EXPECT_EQ(Kiln({"job", "submit", file, "--wait"}).err,
            "sleeper RUNNING, 2 of 2 running, 0 finished\n");
}

TEST_F(CommandsTest, WaitSaysWhyAndGivesUpInTime) {
  host_.Change([](FakeBackend& backend) {
    backend.refusals = {{"sleeper", "main", 2, scheduler::Blocker::kCpus, "needs 8 cpus"}};
  });
  Outcome outcome =
      Kiln({"job", "submit", File("sleeper.yaml", kSleeper), "--wait", "--timeout", "1ms"});
  EXPECT_EQ(outcome.code, 69);
  EXPECT_EQ(outcome.err,
            "sleeper WAITING, 0 of 2 running, 0 finished, waits for CPUS: needs 8 cpus\n"
            "error: job sleeper is WAITING after 1ms\n");
}

TEST_F(CommandsTest, PlanPrintsPlacesAndReasons) {
  const std::string file = File("sleeper.yaml", kSleeper);
  host_.Change([](FakeBackend& backend) {
    scheduler::AgentView view;
    view.agent.id = {"S0"};
    view.agent.hostname = "host1";
    backend.agents = {view};
    backend.plan.launches = {
        {{"sleeper", "main", 0}, {"S0"}, {}, {.cpus_milli = 1500, .mem = MiB(512)}}};
  });
  Outcome outcome = Kiln({"job", "plan", file});
  EXPECT_EQ(outcome.code, kExitDone);
  EXPECT_EQ(outcome.out,
            "GROUP  INDEX  HOST   RESOURCES\n"
            "main       0  host1  cpus 1.5, mem 512MiB\n");
  host_.Change([](FakeBackend& backend) {
    backend.plan.refusals = {{"sleeper", "main", 1, scheduler::Blocker::kMem, "needs 512MiB"}};
  });
  outcome = Kiln({"job", "plan", file});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.out, HasSubstr("\n\nGROUP  WAITING  BLOCKER  REASON\n"
                                     "main         1  MEM      needs 512MiB\n"));
}

TEST_F(CommandsTest, KillIsSilent) {
  SubmitSleeper();
  PutTask("sleeper", 0, TaskState::kRunning);
  Outcome outcome = Kiln({"task", "kill", "sleeper-0"});
  EXPECT_EQ(outcome.out + outcome.err, "");
  outcome = Kiln({"job", "kill", "sleeper"});
  EXPECT_EQ(outcome.out + outcome.err, "");
  host_.Change([](FakeBackend& backend) {
    EXPECT_TRUE(backend.data.tasks.at({"sleeper-0"}).kill_wanted);
    EXPECT_EQ(backend.data.jobs.at("sleeper").phase, JobPhase::kKilling);
  });
}

TEST_F(CommandsTest, OneThatCannotBeKilledSparesNoOther) {
  SubmitSleeper();
  const Outcome outcome = Kiln({"job", "kill", "a", "sleeper", "b", "--json"});
  EXPECT_EQ(outcome.code, 66);
  EXPECT_EQ(outcome.err,
            "error: job a is not known: expected one of those in /v1/jobs\n"
            "error: job b is not known: expected one of those in /v1/jobs\n");
  EXPECT_EQ(wire::ParseJson(outcome.out)->at(0).at("name"), "sleeper");
  host_.Change([](FakeBackend& backend) {
    EXPECT_EQ(backend.data.jobs.at("sleeper").phase, JobPhase::kKilling);
  });
}

TEST_F(CommandsTest, TextsOfOthersForgeNoLines) {
  SubmitSleeper();
  SetPhase("sleeper", JobPhase::kFailed, "a\x1b[31m\nphase:     SUCCEEDED");
  PutTask("sleeper", 0, TaskState::kFailed);
  host_.Change([](FakeBackend& backend) {
    backend.data.tasks.at({"sleeper-0"}).result = "row\n\x1b[31m1\n";
  });
  const std::string clean = "a [31m phase:     SUCCEEDED\n";
  const Outcome shown = Kiln({"job", "show", "sleeper"});
  EXPECT_THAT(shown.out, HasSubstr("message:   " + clean));
  EXPECT_THAT(shown.out, HasSubstr("result of sleeper-0:\nrow\n [31m1\n"));
  EXPECT_EQ(Kiln({"job", "why", "sleeper"}).err,
            "nothing of sleeper waits, it is FAILED: " + clean);
  EXPECT_THAT(Kiln({"job", "submit", host_.folder() / "sleeper.yaml", "--wait"}).err,
              HasSubstr("error: job sleeper is FAILED: " + clean));
  EXPECT_EQ(Kiln({"job", "show", "a\x1b\nb"}).err,
            "error: job a  b is not known: expected one of those in /v1/jobs\n");
}

TEST_F(CommandsTest, ModelsAreListedShownAndPromoted) {
  host_.Change([](FakeBackend& backend) {
    for (const char* job : {"one", "two"}) {
      scheduler::ModelVersion version;
      version.model = "digits";
      version.uri = "artifact:x";
      version.job = job;
      version.algorithm = "random_forest";
      version.metrics = {{"accuracy", 0.9712345}};
      backend.Register(version, [](Result<int64_t>) {});
    }
  });
  EXPECT_EQ(Kiln({"model", "promote", "digits", "1"}).code, kExitDone);
  EXPECT_EQ(Kiln({"model", "list"}).out,
            "NAME    LATEST  LABELS  METRICS\n"
            "digits       2  live 1  accuracy 0.9712\n");
  EXPECT_EQ(Kiln({"model", "show", "digits"}).out,
            "VERSION  LABELS  ALGORITHM      METRICS          JOB  CREATED\n"
            "      1  live    random_forest  accuracy 0.9712  one  2025-01-31T12:00:00.000Z\n"
            "      2  -       random_forest  accuracy 0.9712  two  2025-01-31T12:00:00.000Z\n");
  Outcome outcome = Kiln({"model", "promote", "digits", "9"});
  EXPECT_EQ(outcome.code, 66);
  EXPECT_EQ(outcome.err, "error: model digits has no version 9: expected 1 to 2\n");
}

TEST_F(CommandsTest, EndpointsAndAgentsAreTables) {
  host_.Change([](FakeBackend& backend) {
    scheduler::AgentView view;
    view.agent.id = {"S0"};
    view.agent.hostname = "host1";
    view.domain = "eu/r7";
    view.agent.gpus.resize(2);
    view.agent.gpus[0].model = view.agent.gpus[1].model = "A100";
    view.offered = {.cpus_milli = 4000, .ports = {{31000, 31999}}};
    view.tasks = 1;
    backend.agents = {view};
    Task task;
    task.id = {"s-0"};
    task.member = {"serve", "server", 0};
    task.state = TaskState::kRunning;
    task.endpoint = "10.0.0.1:31000";
    backend.data.tasks[task.id] = task;
  });
  EXPECT_EQ(Kiln({"endpoint", "list"}).out,
            "ADDRESS         JOB    MODELS  HEALTHY  TASK\n"
            "10.0.0.1:31000  serve  -       -        s-0\n");
  EXPECT_EQ(Kiln({"endpoint", "list", "-q"}).out, "10.0.0.1:31000\n");
  EXPECT_EQ(Kiln({"agent", "list"}).out,
            "HOST   DOMAIN  TASKS  FREE                       USED  GPUS    HEALTH   ID\n"
            "host1  eu/r7       1  cpus 4, ports 31000-31999  -     2 A100  healthy  S0\n");
}

TEST_F(CommandsTest, AnAgentIsQuarantinedAndReleased) {
  host_.Change([](FakeBackend& backend) {
    scheduler::AgentView view;
    view.agent.id = {"S0"};
    backend.agents = {view};
  });
  const auto health = [this] {
    return wire::ParseJson(Kiln({"agent", "list", "--json"}).out)->at("agents").at(0);
  };
  Outcome outcome = Kiln({"agent", "quarantine", "S0", "--for", "1h", "--reason", "new disk"});
  EXPECT_EQ(outcome.code, kExitDone) << outcome.err;
  EXPECT_EQ(Kiln({"agent", "quarantine", "S0", "--gpu", "g1"}).code, kExitDone);
  EXPECT_THAT(Kiln({"agent", "list"}).out,
              HasSubstr("quarantined until 2025-01-31T13:00:00.000Z, 1 gpu out"));
  EXPECT_EQ(health()["standing"], "QUARANTINED");
  EXPECT_EQ(health()["quarantine"][1]["gpu"], "g1");
  EXPECT_EQ(Kiln({"agent", "release", "S0"}).code, kExitDone);
  EXPECT_EQ(Kiln({"agent", "release", "S0", "--gpu", "g1"}).code, kExitDone);
  EXPECT_THAT(Kiln({"agent", "list"}).out, HasSubstr("healthy"));
  outcome = Kiln({"agent", "release", "S0"});
  EXPECT_EQ(outcome.code, 75);
  EXPECT_THAT(outcome.err, HasSubstr("agent S0 is healthy"));
  EXPECT_EQ(Kiln({"agent", "quarantine", "S0", "--for", "soon"}).code, 64);
}

TEST_F(CommandsTest, RolesAreATable) {
  host_.Change([](FakeBackend& backend) {
    backend.roles = {{.role = {.name = "*"}},
                     {.role = {.name = "a/b",
                               .weight = 2.5,
                               .quota = {0, 0, 0, 8'000},
                               .limit = {kUnlimited, kUnlimited, kUnlimited, 16'000}},
                      .used = {1500, 0, 0, 3'000},
                      .share = 0.125}};
  });
  EXPECT_EQ(Kiln({"role", "list"}).out,
            "ROLE  WEIGHT  QUOTA   LIMIT    USED              SHARE\n"
            "*        1.0  -       -        -                  0.0%\n"
            "a/b      2.5  gpus 8  gpus 16  cpus 1.5, gpus 3  12.5%\n");
  EXPECT_EQ(Kiln({"role", "list", "-q"}).out, "*\na/b\n");
}

TEST_F(CommandsTest, ArtifactsGoAndComeBack) {
  const std::string file = File("x.bin", "hello");
  EXPECT_EQ(Kiln({"artifact", "put", file, "data/x.bin"}).code, kExitDone);
  EXPECT_EQ(Kiln({"artifact", "list"}).out, "NAME   SIZE  DIGEST\ndata/  -     -\n");
  EXPECT_EQ(Kiln({"artifact", "list", "data"}).out,
            "NAME   SIZE  DIGEST\nx.bin     5  2cf24dba5fb0a30e\n");
  const std::string back = host_.folder() / "back";
  EXPECT_EQ(Kiln({"artifact", "get", "artifact:data/x.bin", back}).code, kExitDone);
  EXPECT_EQ(ReadFile(back).value(), "hello");
  Outcome outcome = Kiln({"artifact", "get", "data/none", back});
  EXPECT_EQ(outcome.code, 66) << outcome.err;
  EXPECT_EQ(Kiln({"artifact", "put", file, "../x"}).code, 64);
}

TEST_F(CommandsTest, AnArtifactIsAFileOrAFolder) {
  // A file whose bytes look like an answer, which is not asked for.
  EXPECT_EQ(Kiln({"artifact", "put", File("x.json", "[1,2]"), "data/x.json"}).code, kExitDone);
  const std::string kept = File("kept", "as it is");
  const std::string folder = host_.folder().string(), pipe = folder + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  struct Case {
    std::vector<std::string> arguments;
    int code;
    std::string err;
  };
  const Case cases[] = {
      {{"artifact", "get", "data", kept}, 64, "data is a folder: expected a file"},
      {{"artifact", "list", "data/x.json"}, 64, "data/x.json is a file: expected a folder"},
      {{"artifact", "get", "data/x.json", folder + "/none/x"},
       66,
       "cannot write " + folder + "/none/x: No such file or directory"},
      {{"artifact", "get", "data/x.json", folder},
       64,
       "cannot write " + folder + ": Is a directory"},
      {{"artifact", "put", pipe, "data/y"},
       64,
       pipe + " is a folder, a pipe or a device: expected a regular file"}};
  for (const Case& c : cases) {
    const Outcome outcome = Kiln(c.arguments);
    EXPECT_EQ(outcome.err, "error: " + c.err + "\n");
    EXPECT_EQ(outcome.code, c.code) << c.err;
  }
  EXPECT_EQ(ReadFile(kept).value(), "as it is");
}

TEST_F(CommandsTest, OutputThatCannotBeWrittenIsAnError) {
  SubmitSleeper();
  const std::string state = File("state.db", "");
  ASSERT_TRUE(scheduler::OpenSqliteStore(state).value()->Commit(0, {}));
  const auto run = [&](std::vector<std::string> arguments) {
    std::ofstream out("/dev/full");
    std::ostringstream err;
    const int code =
        cli::Run({"kiln", std::move(arguments), {{"KILN_API", host_.url()}}, out, err, false});
    return std::pair(code, err.str());
  };
  const std::pair lost(74,
                       std::string("error: cannot write the output: No space left on device\n"));
  EXPECT_EQ(run({"job", "list"}), lost);
  EXPECT_EQ(run({"job", "show", "sleeper", "--json"}), lost);
  EXPECT_EQ(run({"state", "verify", state}), lost);
  EXPECT_EQ(run({"--help"}), lost);
  EXPECT_EQ(run({}), lost);
  EXPECT_EQ(run({"job", "show", "nope"}).first, 66);
}

TEST_F(CommandsTest, ErrorsAreOneSentenceWithACode) {
  const std::string bad = File("bad.yaml", "name: a\nkind: service\nretrys: 2\n");
  const std::string missing = File("missing.yaml", kTraining);
  const std::string dead = "http://127.0.0.1:1";
  struct Case {
    std::vector<std::string> arguments;
    int code;
    std::string err;
  };
  const Case cases[] = {
      {{"job", "show", "nope"},
       66,
       "error: job nope is not known: expected one of those in /v1/jobs\n"},
      {{"job", "submit", bad},
       64,
       "error: " + bad +
           ": retrys: key \"retrys\" is not known: the nearest known key is "
           "\"retries\"\n"},
      {{"job", "submit", "/no/file.yaml"},
       66,
       "error: cannot read /no/file.yaml: No such file or directory\n"},
      {{"job", "submit", missing},
       66,
       "error: groups[0].run.data: cannot read " + (host_.folder() / "data/digits.csv").string() +
           ": No such file or directory: expected the data beside the job file\n"},
      {{"job", "list", "--api", dead},
       69,
       "error: no answer from http://127.0.0.1:1: Connection refused: expected a kiln-scheduler "
       "there\n"},
      {{"job", "list", "--phase", "running"},
       64,
       "error: phase is running: expected WAITING, RUNNING, SUCCEEDED, FAILED, KILLING or "
       "KILLED\n"},
      {{"job", "list", "--phase", "a b"},
       64,
       "error: phase is a b: expected WAITING, RUNNING, SUCCEEDED, FAILED, KILLING or KILLED\n"},
      {{"artifact", "get", "nope"}, 66, "error: artifact nope is not there\n"},
      {{"job", "list", "--api", "ftp://host"},
       64,
       "error: --api: url 'ftp://host': found scheme 'ftp', expected http or https\n"},
      {{"job", "list", "--api", "https://127.0.0.1:1", "--ca-file", "/none/ca.pem"},
       64,
       "error: file /none/ca.pem: No such file or directory: expected PEM certificates\n"},
  };
  for (const Case& c : cases) {
    const Outcome outcome = Kiln(c.arguments);
    EXPECT_EQ(outcome.code, c.code) << c.err;
    EXPECT_EQ(outcome.err, c.err);
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(CommandsTest, AConflictIsToldApart) {
  SubmitSleeper();
  std::string other = kSleeper;
  other.replace(other.find("60"), 2, "61");
  const Outcome outcome = Kiln({"job", "submit", File("sleeper.yaml", other)});
  EXPECT_EQ(outcome.code, 73);
  EXPECT_EQ(outcome.err, "error: job sleeper is there with another content\n");
}

TEST(Program, WrongArgumentsAreUsage) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"jbo"}, "command is \"jbo\": expected job"},
      {{"--json", "job", "sumbit", "x"}, "command is \"sumbit\": expected submit"},
      {{"local", "sideways"}, "command is \"sideways\": expected one of up, down"},
      {{"submit", "x"}, "command is \"submit\": expected job submit"},
      {{"logs", "x"}, "command is \"logs\": expected job log"},
      {{"kill", "x"}, "command is \"kill\": expected one of job kill, task kill"},
      {{"local"}, "command is missing: expected one of up, down"},
      {{"job", "show"}, "NAME is required: `kiln job show --help` tells more"},
      {{"job", "list", "x"}, "argument \"x\" is one too many: `kiln job list --help` tells more"},
      {{"job", "list", "--fase", "x"}, "option is \"--fase\": expected --phase"},
      {{"job", "list", "--bogus"}, "option is \"--bogus\": `kiln job list --help` tells more"},
      {{"local", "up", "--agents", "0"},
       "--agents: Value 0 not in range 1 to 1000: `kiln local up --help` tells more"}};
  for (const auto& [arguments, message] : cases) {
    const Outcome outcome = RunWith({}, arguments);
    EXPECT_EQ(outcome.code, kExitUsage);
    EXPECT_EQ(outcome.err, fmt::format("error: {}\n", message));
  }
  EXPECT_THAT(RunWith({}, {}).out, HasSubstr("Exit codes: 0 done"));
  EXPECT_EQ(RunWith({}, {"--help"}).code, kExitDone);
  EXPECT_EQ(RunWith({{"HOME", "/nowhere"}}, {"job", "list"}).err,
            "error: the address of the API is not known: expected --api, KILN_API or "
            "`kiln local up` in /nowhere/.kiln/local\n");
  EXPECT_EQ(RunWith({{"HOME", "/nowhere"}}, {"local", "down"}).err,
            "error: no local node runs in /nowhere/.kiln/local: expected one of `kiln local up`\n");
}

TEST(Program, AnswersAsASubcommandOfDcos) {
  const std::string name = "/home/u/.dcos/clusters/1/subcommands/kiln/env/bin/dcos-kiln";
  EXPECT_EQ(RunWith({}, {"kiln", "--info"}, name).out,
            "Kiln schedules machine learning on Apache Mesos\n");
  EXPECT_THAT(RunWith({}, {"kiln", "--config-schema"}, name).out, HasSubstr("\"service_name\""));
  EXPECT_THAT(RunWith({}, {"kiln"}, name).out, HasSubstr("dcos kiln [OPTIONS] SUBCOMMAND"));
  EXPECT_THAT(RunWith({}, {"kiln", "--version"}, name).out, HasSubstr("kiln "));
}

TEST(Program, DcosGivesAddressServiceAndToken) {
  net::Loop loop;
  std::string target, authorization;
  auto server = net::Server::Listen(loop, {}, [&](std::shared_ptr<net::Exchange> exchange) {
                  target = exchange->request().target;
                  authorization = exchange->request().headers.Get("Authorization").value_or("");
                  exchange->Respond({200, {}, "{\"jobs\":[]}"});
                }).value();
  std::thread thread([&] { loop.Run(); });
  std::map<std::string, std::string> environment = {{"DCOS_URL", "http://" + server->address()},
                                                    {"DCOS_ACS_TOKEN", "secret"}};
  EXPECT_EQ(RunWith(environment, {"kiln", "job", "list"}, "dcos-kiln").code, kExitDone);
  EXPECT_EQ(target, "/service/kiln/v1/jobs");
  EXPECT_EQ(authorization, "token=secret");
  EXPECT_EQ(RunWith(environment, {"kiln", "--name", "dev/kiln", "job", "list"}, "dcos-kiln").code,
            0);
  EXPECT_EQ(target, "/service/dev/kiln/v1/jobs");
  EXPECT_EQ(
      RunWith(environment, {"kiln", "-vv", "--name", "a b", "job", "list", "-y"}, "dcos-kiln").err,
      "");
  EXPECT_EQ(target, "/service/a%20b/v1/jobs");
  environment["DCOS_KILN_SERVICE_NAME"] = "other";
  EXPECT_EQ(RunWith(environment, {"kiln", "job", "list"}, "dcos-kiln").code, 0);
  EXPECT_EQ(target, "/service/other/v1/jobs");
  // Kiln's own token takes nothing from DC/OS's.
  environment["KILN_TOKEN"] = "mine";
  EXPECT_EQ(RunWith(environment, {"kiln", "job", "list", "--token", "x"}, "dcos-kiln").code, 0);
  EXPECT_EQ(authorization, "token=secret");
  // Which is for the cluster alone.
  environment["KILN_API"] = server->address();
  EXPECT_EQ(RunWith(environment, {"job", "list"}).code, 0);
  EXPECT_EQ(authorization, "Bearer mine");
  EXPECT_EQ(RunWith(environment, {"job", "list", "--token", "other"}).code, 0);
  EXPECT_EQ(authorization, "Bearer other");
  environment.erase("KILN_TOKEN");
  EXPECT_EQ(RunWith(environment, {"job", "list"}).code, 0);
  EXPECT_EQ(authorization, "");
  loop.Stop();
  thread.join();
}

TEST_F(CommandsTest, AnOldDcosIsAskedForTheAddress) {
  const std::string program =
      File("bin/dcos", "#!/bin/sh\n[ $3 = core.dcos_url ] && echo " + host_.url() + "/nowhere\n");
  chmod(program.c_str(), 0755);
  const std::string before = getenv("PATH");
  setenv("PATH", ((host_.folder() / "bin").string() + ":" + before).c_str(), 1);
  const Outcome outcome = RunWith({}, {"kiln", "job", "list"}, "dcos-kiln");
  setenv("PATH", before.c_str(), 1);
  EXPECT_EQ(outcome.err,
            "error: path is /nowhere/service/kiln/v1/jobs: expected one of those in "
            "/v1/openapi.json\n");
  // The one that calls says where it is.
  const std::string other =
      File("a 'b/dcos", "#!/bin/sh\n[ $3 = core.dcos_url ] && echo " + host_.url() + "/other\n");
  chmod(other.c_str(), 0755);
  EXPECT_THAT(
      RunWith({{"DCOS_CLI_EXECUTABLE_PATH", other}}, {"kiln", "job", "list"}, "dcos-kiln").err,
      HasSubstr("path is /other/service/kiln/v1/jobs"));
}

TEST_F(CommandsTest, ADetachedNodeThatDoesNotStartSaysWhy) {
  const auto state = RunLocalDetached(
      {.dir = host_.folder() / "local", .port = 0, .api_port = 0, .gpus = "/none/gpus"});
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().message, "cannot read /none/gpus: No such file or directory");
  EXPECT_EQ(state.error().code, ErrorCode::kNotFound);
}

TEST_F(CommandsTest, AStateIsBackedUpVerifiedAndRestored) {
  const std::string state = File("state.db", ""), backup = host_.folder() / "backup.db",
                    restored = host_.folder() / "restored.db";
  ASSERT_TRUE(scheduler::OpenSqliteStore(state).value()->Commit(0, {}));
  const auto shown = [](const std::string& file) {
    return "file:      " + file +
           "\nschema:    1\nrevision:  1\nframework: -\nsize:      4KiB\nrecords:   -\n";
  };
  EXPECT_EQ(Kiln({"state", "backup", state, backup}).out, shown(backup));
  EXPECT_EQ(Kiln({"state", "verify", backup}).out, shown(backup));
  EXPECT_EQ(Kiln({"state", "restore", backup, restored, "-q"}).out, "");
  EXPECT_THAT(Kiln({"state", "verify", restored, "--json"}).out,
              HasSubstr("\"records\": {\n    \"meta\": 1\n  }"));
  const Outcome again = Kiln({"state", "restore", backup, restored});
  EXPECT_EQ(again.err, "error: " + restored + " is there, expected no file of that name\n");
  EXPECT_EQ(again.code, 73);
  EXPECT_EQ(Kiln({"state", "backup", "zk://h:1/kiln", backup}).err,
            "error: STATE: state is in ZooKeeper, expected a file: ZooKeeper keeps copies and "
            "backups of its nodes itself\n");
}

}  // namespace
}  // namespace kiln::cli

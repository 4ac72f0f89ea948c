#include "wire/rest/job_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/rest/json.h"

namespace kiln::wire {
namespace {

constexpr const char* kTraining = R"(
name: digits-forest
kind: training
role: research
priority: 60
groups:
  - name: trainer
    count: 4
    cpus: 1.5
    mem: 1GiB
    gpus: 2
    constraints: [[hostname, MAX_PER, 2], ["@zone", GROUP_BY]]
    run:
      train: {algorithm: random_forest, trees: 200, data: digits.csv, target: digit, model: digits}
gang: all
preemptible: false
retries: 5
after: [digits-clean]
labels: {team: vision}
)";

Job TrainingJob() {
  TrainWork train;
  train.trees = 200;
  train.data.uri = "digits.csv";
  train.data.target = "digit";
  train.model = "digits";
  Group group;
  group.name = "trainer";
  group.count = 4;
  group.cpus_milli = 1500;
  group.mem = GiB(1);
  group.gpus.count = 2;
  group.constraints = {{"hostname", ConstraintOperator::kMaxPer, "2"},
                       {"@zone", ConstraintOperator::kGroupBy, ""}};
  group.work = train;
  Job job;
  job.name = "digits-forest";
  job.role = "research";
  job.priority = 60;
  job.groups = {group};
  job.gang_members = 4;
  job.preemptible = false;
  job.retries = 5;
  job.after = {"digits-clean"};
  job.labels = {{"team", "vision"}};
  return job;
}

// A job with one group whose keys are `group`.
std::string WithGroup(const std::string& kind, const std::string& group) {
  return "{name: a, kind: " + kind + ", groups: [{name: g, " + group + "}]}";
}

// A job of four members.
std::string WithGang(const std::string& gang) {
  return "{name: a, kind: service, gang: " + gang +
         ", groups: [{name: g, count: 4, run: {command: ls}}]}";
}

Job Read(const std::string& text) {
  // YAML in braces: a leading line keeps it from being taken for JSON.
  auto job = DecodeJob("# job\n" + text);
  EXPECT_TRUE(job) << text << ": " << job.error().field << ": " << job.error().message;
  return job.value_or(Job{});
}

TEST(JobCodec, AGroupMayAskForRevocableCpus) {
  const Job job = Read(WithGroup("service", "revocable: true, run: {command: ls}"));
  EXPECT_TRUE(job.groups[0].revocable);
  EXPECT_EQ(JobToJson(job)["groups"][0]["revocable"], true);
  const auto faulty =
      DecodeJob("# job\n" + WithGroup("service", "revocable: true, gpus: 1, run: {command: ls}"));
  ASSERT_FALSE(faulty);
  EXPECT_EQ(faulty.error().field, "groups[0].revocable");
}

TEST(JobCodec, SaysHowLongAMemberIsWaitedForThatIsCutOff) {
  const auto with = [](const std::string& text) {
    return "{name: a, kind: service, unreachable: " + text +
           ", groups: [{name: g, run: {command: ls}}]}";
  };
  const std::pair<const char*, std::optional<Duration>> cases[] = {
      {"usual", std::nullopt},
      {"wait", kForever},
      {"replace", Duration(0)},
      {"90s", std::chrono::seconds(90)}};
  for (const auto& [text, wait] : cases) {
    const Job job = Read(with(text));
    EXPECT_EQ(job.unreachable_wait, wait) << text;
    EXPECT_EQ(JobToJson(job).value("unreachable", "usual"), text);
  }
  for (const char* text : {"soon", "5", "[]", "400d", "-1s"}) {
    const auto faulty = DecodeJob("# job\n" + with(text));
    ASSERT_FALSE(faulty) << text;
    EXPECT_EQ(faulty.error().field, "unreachable");
    EXPECT_THAT(faulty.error().message,
                testing::EndsWith("expected usual, wait, replace, or a time of at most 365d"));
  }
}

TEST(JobCodec, ReadsAJobFile) {
  auto job = DecodeJob(kTraining);
  ASSERT_TRUE(job) << job.error().field << ": " << job.error().message;
  EXPECT_EQ(*job, TrainingJob());
}

TEST(JobCodec, WritesWhatDiffersFromTheDefaults) {
  EXPECT_EQ(
      DumpJson(JobToJson(TrainingJob())),
      R"({"name":"digits-forest","kind":"training","role":"research","priority":60,"groups":[)"
      R"({"name":"trainer","count":4,"cpus":1.5,"mem":"1GiB","gpus":{"count":2},"constraints":)"
      R"([["hostname","MAX_PER","2"],["@zone","GROUP_BY"]],"run":{"train":{"algorithm":)"
      R"("random_forest","data":"digits.csv","target":"digit","model":"digits","trees":200}}}],)"
      R"("gang":"all","preemptible":false,"retries":5,"after":["digits-clean"],"labels":{"team":"vision"}})");
}

TEST(JobCodec, WhatItWritesItReadsBack) {
  const std::string jobs[] = {
      kTraining,
      WithGroup("service", "run: {command: sleep 5}, ports: 2, health: {}, gpus: {share: 0.5}"),
      WithGroup("service",
                "run: {command: {argv: [a, b], env: {X: y}, uris: [u, {value: v, extract: false}], "
                "image: i}}, kill_grace: 1500ms, max_completion: 1h, disk: 1GB"),
      WithGroup("serving", "run: {serve: {model: digits, label: live}}"),
      WithGroup("training",
                "volumes: [{path: data, size: 10GiB}, {path: tmp, size: 1MiB}], "
                "run: {command: ls}"),
      WithGroup("training",
                "secrets: [{name: s3, env: S3_KEY}, {name: tls, file: tls.pem}], "
                "run: {command: ls}"),
      WithGang("{members: 3, prefer: rack}"),
      WithGang("{require: zone, prefer: rack}"),
      "{name: a, kind: service, unreachable: wait, groups: [{name: g, run: {command: ls}}]}",
      WithGroup("serving", "run: {serve: {models: [digits, {model: other, version: 2}]}}"),
      WithGroup("scoring", "run: {score: {model: m, data: d, output: o, key: k, partitions: 8}}"),
      WithGroup("scoring",
                "run: {search: {data: d, query: [0.5, 1], top: 3, metric: dot, aggregate: sum, "
                "key: k, rows_per_key: 2, output: o}}"),
      WithGroup(
          "service",
          "run: {command: 'true'}, gpus: {count: 2, model: A100, memory: 40GiB, link: nvlink}, "
          "health: {type: command, command: 'true', interval: 1s}"),
  };
  for (const std::string& text : jobs) {
    const Job job = Read(text);
    auto again = JobFromJson(JobToJson(job));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, job) << text;
  }
}

TEST(JobCodec, ShortFormsMeanTheLongOnes) {
  const std::pair<std::string, std::string> pairs[] = {
      {WithGroup("service", "run: {command: ls}"),
       WithGroup("service", "run: {command: {shell: ls}}")},
      {WithGroup("service", "run: {command: [ls, -l]}"),
       WithGroup("service", "run: {command: {argv: [ls, -l]}}")},
      {WithGroup("service", "gpus: 3, run: {command: ls}"),
       WithGroup("service", "gpus: {count: 3}, run: {command: ls}")},
      {WithGroup("scoring", "run: {score: {model: m, data: d, output: o, partitions: 8}}"),
       WithGroup("scoring", "count: 8, run: {score: {model: m, data: d, output: o}}")},
      {WithGang("all"), WithGang("{members: 4}")},
      {WithGang("{require: rack}"), WithGang("{members: 0, require: rack}")},
      {WithGroup("serving", "run: {serve: {model: m}}"),
       WithGroup("serving", "ports: 1, run: {serve: {models: [m]}}")},
  };
  for (const auto& [shorter, longer] : pairs) {
    EXPECT_EQ(Read(shorter), Read(longer));
    EXPECT_EQ(JobDigest(Read(shorter)), JobDigest(Read(longer)));
  }
}

TEST(JobCodec, AnExpandedJobShowsItsMerge) {
  const Json json = JobToJson(ExpandGroups(TrainingJob()));
  EXPECT_EQ(DumpJson(json["groups"][1]["run"]),
            R"({"merge":{"parts":4,"algorithm":"random_forest","data":"digits.csv","target":)"
            R"("digit","model":"digits","trees":200}})");
}

TEST(JobDigest, TellsJobsApart) {
  Job other = TrainingJob();
  other.groups[0].count = 5;
  EXPECT_EQ(JobDigest(TrainingJob()), JobDigest(TrainingJob()));
  EXPECT_NE(JobDigest(TrainingJob()), JobDigest(other));
}

struct BadFile {
  std::string text;
  const char* field;
  const char* message;
};
const std::string kRun = "run: {command: ls}";
const BadFile kBadFiles[] = {
    {"", "", "the document is empty: expected a map"},
    {"# a job\nname: M\xfcller\n", "", "line 2: byte 0xfc is no UTF-8: expected text"},
    {"{nmae: a}", "nmae", "key \"nmae\" is not known: the nearest known key is \"name\""},
    {"- a\n", "", "document is [\"a\"]: expected a map"},
    {"{\"name\": }", "",
     "no JSON: line 1, column 10: syntax error while parsing value - unexpected '}'; expected "
     "'[', '{', or a literal"},
    {"name: [\n", "", "no YAML: line 2, column 1: end of sequence flow not found"},
    {"name: a\ngroups:\n\t- name: g\n", "",
     "line 3: begins with a tab: expected spaces, as YAML does"},
    {"name: a\ngroups:\n- name: g\n\tcount: 2\n", "",
     "line 4: begins with a tab: expected spaces, as YAML does"},
    {"{\"name\":\"a\",\"name\":\"b\"}", "", "key \"name\" stands twice: expected once"},
    {"name: a\nname: b\n", "", "line 2: key \"name\" stands twice: expected once"},
    {"name: a\n---\nname: b\n", "", "more than one document in one file: expected one"},
    {"{a: b}, c\n", "", "more than one document in one file: expected one"},
    {"nmae: a\n", "nmae", "key \"nmae\" is not known: the nearest known key is \"name\""},
    {"name: a\n", "kind", "kind is missing"},
    {"name: a\nkind: trainig\n", "kind",
     "kind is \"trainig\": expected one of training, serving, scoring, service"},
    {"name: a\nkind: service\ngroups: []\n", "groups", "groups is []: expected at least 1"},
    {"name: a/b\nkind: service\ngroups: [{name: g, " + kRun + "}]\n", "name",
     "name is \"a/b\": expected 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both "
     "ends"},
    {WithGroup("service", kRun + ", cpu: 2"), "groups[0].cpu",
     "key \"cpu\" is not known: the nearest known key is \"cpus\""},
    {WithGroup("service", kRun + ", count: -1"), "groups[0].count",
     "count is -1: expected a whole number from 1 to 100000"},
    {WithGroup("service", kRun + ", count: 1.5"), "groups[0].count",
     "count is 1.5: expected a whole number from 1 to 100000"},
    {WithGroup("service", kRun + ", cpus: two"), "groups[0].cpus",
     "cpus is \"two\": expected a number from 0.01 to 4096"},
    {WithGroup("service", kRun + ", mem: 512"), "groups[0].mem",
     "mem is 512: expected a number and a unit, as in \"512MiB\""},
    {WithGroup("service", kRun + ", mem: 512Mb"), "groups[0].mem",
     "mem: size is \"512Mb\", with unknown unit \"Mb\": expected a number and a unit of B, kB, "
     "KB, MB, GB, TB, KiB, MiB, GiB, TiB, as in \"512MiB\""},
    {WithGroup("service", kRun + ", mem: -1MiB"), "groups[0].mem",
     "mem: size is \"-1MiB\", negative: expected a number and a unit of B, kB, KB, MB, GB, TB, "
     "KiB, MiB, GiB, TiB, as in \"512MiB\""},
    {WithGroup("service", "run: {command: ls, serve: {}}"), "groups[0].run",
     "run is {\"command\":\"ls\",\"serve\":{}}: expected a map with one of command, train, "
     "serve, score, search"},
    {WithGroup("service", "run: {trian: {}}"), "groups[0].run.trian",
     "key \"trian\" is not known: the nearest known key is \"train\""},
    {WithGroup("training", "run: {merge: {parts: 2}}"), "groups[0].run.merge",
     "key \"merge\" is not known: the nearest known key is \"serve\""},
    {WithGroup("training", "run: {train: {algorithm: random_forest, data: d, target: t}}"),
     "groups[0].run.train.model", "model is missing"},
    {WithGroup("training", "run: {train: {tres: 5}}"), "groups[0].run.train.tres",
     "key \"tres\" is not known: the nearest known key is \"trees\""},
    {WithGroup("service", kRun + ", constraints: [[hostname, MAX, 2]]"),
     "groups[0].constraints[0][1]",
     "operator is \"MAX\": expected one of UNIQUE, CLUSTER, GROUP_BY, LIKE, UNLIKE, MAX_PER, IS"},
    {WithGroup("service", "run: {command: {shell: ls, env: {A: 1}}}"),
     "groups[0].run.command.env.A", "A is 1: expected a text"},
    {WithGroup("scoring", "count: 3, run: {score: {model: m, data: d, output: o, partitions: 2}}"),
     "groups[0].run.score.partitions",
     "partitions is 2 and count of the group 3: expected the same"},
    {WithGroup("service", kRun + ", volumes: [{path: data}]"), "groups[0].volumes[0].size",
     "size is missing"},
    {WithGroup("service", kRun + ", volumes: [{path: data, size: 10}]"),
     "groups[0].volumes[0].size", "size is 10: expected a number and a unit, as in \"512MiB\""},
    {WithGroup("service", kRun + ", volumes: [{path: data, size: 1kB}]"),
     "groups[0].volumes[0].size", "size is 1000B: expected 1MiB at least"},
    {WithGroup("service", kRun + ", volumes: [{path: /data, size: 1GiB}]"),
     "groups[0].volumes[0].path",
     "path is \"/data\": expected a name in the sandbox, such as data"},
    {WithGroup("service", kRun + ", volumes: [{path: .., size: 1GiB}]"),
     "groups[0].volumes[0].path", "path is \"..\": expected a name in the sandbox, such as data"},
    {WithGroup("service", kRun + ", volumes: [{path: a/b, size: 1GiB}]"),
     "groups[0].volumes[0].path", "path is \"a/b\": expected a name in the sandbox, such as data"},
    {WithGroup("service", kRun + ", volumes: [{path: a, size: 1GiB}, {path: a, size: 1GiB}]"),
     "groups[0].volumes[1].path", "path a stands twice: expected one volume for each"},
    {WithGroup("service", kRun + ", gpus: {share: 0.5}, volumes: [{path: a, size: 1GiB}]"),
     "groups[0].volumes",
     "volumes with a share of a device: expected whole devices, members that share one share "
     "their sandbox"},
    {WithGroup("scoring",
               "run: {score: {model: m, data: d, output: o}}, volumes: [{path: a, size: 1GiB}]"),
     "groups[0].volumes",
     "volumes of a group without a command: expected none, kernels of a job share their sandbox"},
    {WithGroup("service", kRun + ", secrets: [{name: ../s, env: A}]"), "groups[0].secrets[0].name",
     "name is \"../s\": expected 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends"},
    {WithGroup("service", kRun + ", secrets: [{name: s}]"), "groups[0].secrets[0]",
     "secret s has neither env nor file: expected exactly one of env and file"},
    {WithGroup("service", kRun + ", secrets: [{name: s, env: A, file: a}]"), "groups[0].secrets[0]",
     "secret s has both env and file: expected exactly one of env and file"},
    {WithGroup("service", kRun + ", secrets: [{name: s, env: 1A}]"), "groups[0].secrets[0].env",
     "env is \"1A\": expected the name of a variable"},
    {WithGroup("service", kRun + ", secrets: [{name: s, file: a/b}]"), "groups[0].secrets[0].file",
     "file is \"a/b\": expected a name in the sandbox"},
    {WithGroup("service", kRun + ", secrets: [{name: s, env: A}, {name: t, env: A}]"),
     "groups[0].secrets[1]", "env A stands twice: expected one secret or volume for each"},
    {WithGroup("scoring",
               "run: {score: {model: m, data: d, output: o}}, secrets: [{name: s, env: A}]"),
     "groups[0].secrets", "secrets of a group without a command: expected none"},
    {"name: a\nkind: service\ngang: some\ngroups: [{name: g, " + kRun + "}]\n", "gang",
     "gang is \"some\": expected all, none or {members: N, require: LEVEL, prefer: LEVEL}"},
    {WithGang("{near: rack}"), "gang.near",
     "key \"near\" is not known: expected one of members, require, prefer"},
    {WithGroup("service", kRun + ", count: 2, constraints: [[rack, IS, a], [rack, UNIQUE]]"),
     "groups[0].constraints[1]",
     "constraints rack IS a and rack UNIQUE let 1 of 2 members start: expected all"},
    {"name: a\nkind: service\ngang: {members: 2}\ngroups: [{name: g, " + kRun + "}]\n",
     "gang.members", "members is 2: expected at most the 1 that can start at once"},
};
TEST(JobCodec, ABadFileGetsOneClearSentence) {
  for (const BadFile& c : kBadFiles) {
    auto job = DecodeJob(c.text);
    ASSERT_FALSE(job) << c.text;
    EXPECT_EQ(job.error(), (Error{ErrorCode::kInvalidArgument, c.message, c.field})) << c.text;
  }
}

TEST(Document, TooManyKeysAreRefused) {
  const auto json = [](int objects, int keys) {
    std::string text = "{\"a\":[";
    for (int i = 0; i < objects; ++i) {
      text += i == 0 ? "{" : ",{";
      for (int k = 0; k < keys; ++k) text += fmt::format("{}\"k{}\":0", k == 0 ? "" : ",", k);
      text += '}';
    }
    return text + "]}";
  };
  EXPECT_TRUE(ParseDocument(json(1, 5000)));
  EXPECT_TRUE(ParseDocument(json(2000, 20)));
  for (const auto& text : {json(1, 20'000), json(20, 5000)}) {
    EXPECT_THAT(ParseDocument(text).error().message, testing::HasSubstr("too many keys"));
  }
  std::string yaml;
  for (int i = 0; i < 20'000; ++i) yaml += fmt::format("k{}: 0\n", i);
  EXPECT_THAT(ParseDocument(yaml).error().message, testing::HasSubstr("too many keys"));
}

TEST(Document, DeepOrEndlessInputIsRefused) {
  EXPECT_EQ(ParseJson(std::string(100'000, '[')).error().message,
            "nested too deep: expected at most 100 levels");
  EXPECT_EQ(ParseDocument(std::string(100'000, '[')).error().message,
            "nested too deep: expected at most 100 levels");
  EXPECT_EQ(ParseDocument(std::string(2 << 20, '-')).error().message,
            "the document is YAML of 2097152 bytes: expected at most 1048576, or JSON");
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    laughs +=
        fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i, i - 1);
  }
  EXPECT_THAT(ParseDocument(laughs).error().message, testing::HasSubstr("too large"));
}

TEST(Document, YamlHasTheTypesOfItsCoreSchema) {
  auto json = ParseDocument("[1, -2, +3, 1.5, 1e3, true, ~, null, 'x', \"1\", 1.2.3, yes, 0x1, -]");
  ASSERT_TRUE(json) << json.error().message;
  EXPECT_EQ(DumpJson(*json),
            R"([1,-2,3,1.5,1000.0,true,null,null,"x","1","1.2.3","yes","0x1","-"])");
}

}  // namespace
}  // namespace kiln::wire

#include "wire/rest/job_codec.h"

#include <cmath>
#include <limits>

#include "base/fnv.h"
#include "wire/rest/form.h"
#include "wire/rest/json.h"

namespace kiln::wire {
namespace {

constexpr int kCountMax = 100'000;
constexpr int kIntMax = std::numeric_limits<int>::max();
// As model/job.h checks names.
constexpr const char* kNamePattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";
constexpr const char* kNameOrNonePattern = "^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$";

const std::vector<const char*> kKinds = {"training", "serving", "scoring", "service"};
const std::vector<const char*> kAlgorithms = {"random_forest", "random_forest_regression", "linear",
                                              "softmax"};
const std::vector<const char*> kOperators = {"UNIQUE", "CLUSTER", "GROUP_BY", "LIKE",
                                             "UNLIKE", "MAX_PER", "IS"};

void DescribeUri(Form& form, Uri& uri) {
  form.Text({"value", "where it is fetched from", true}, uri.value);
  form.Flag({"executable", "make the file executable"}, uri.executable);
  form.Flag({"extract", "unpack it when it is an archive"}, uri.extract);
  form.Text({"output_file", "its name in the sandbox; empty: as in the URI"}, uri.output_file);
}

void DescribeCommand(Form& form, CommandWork& work) {
  form.Text({"shell", "a line for /bin/sh -c"}, work.shell);
  form.Texts({"argv", "the whole argument vector; used instead of shell"}, work.argv);
  form.TextMap({"env", "environment variables"}, work.environment);
  List(form, {"uris", "what is fetched into the sandbox before the start"}, work.uris, DescribeUri,
       {{"string", "value"}});
  form.Text({"image", "container image; empty: none"}, work.image);
}

void DescribeData(Form& form, Table& data) {
  form.Text({"data", "URI of a CSV file with a header line, or of an npy file", true}, data.uri);
  form.Texts({"columns", "the features in this order; empty: all but target and key"},
             data.columns);
  form.Text({"key", "the column that rows are grouped by; empty: none"}, data.key);
}

void DescribeTrain(Form& form, TrainWork& work) {
  Choice(form, {"algorithm", "what is trained", true}, work.algorithm, kAlgorithms);
  DescribeData(form, work.data);
  form.Text({"target", "the column to predict", true}, work.data.target);
  form.Text({"model", "the name in the model registry", true, kNamePattern}, work.model);
  auto seed = static_cast<int64_t>(work.seed);
  form.Integer({"seed", "the same seed and data give the same model"}, seed, 0,
               std::numeric_limits<int64_t>::max());
  work.seed = static_cast<uint64_t>(seed);
  form.Number({"test", "the part of the rows that is held out to measure the model"},
              work.test_fraction, 0, 0.9);
  Int(form, {"trees", "of the forest, shared among the members"}, work.trees, 1, 1'000'000);
  Int(form, {"depth", "the greatest depth of a tree; 0: no limit"}, work.depth_max, 0, 10'000);
  Int(form, {"leaf_rows", "the fewest rows of a leaf"}, work.leaf_rows_min, 1, kIntMax);
  Int(form, {"features_per_split", "features looked at for a split; 0: by the algorithm"},
      work.features_per_split, 0, kIntMax);
  form.Number({"learning_rate", "the step of softmax"}, work.learning_rate, 1e-9, 1e3);
  Int(form, {"epochs", "passes of softmax over the rows"}, work.epochs, 1, 1'000'000);
  form.Number({"l2", "the weight penalty of linear and softmax"}, work.l2, 0, 1e9);
}

void DescribeMerge(Form& form, MergeWork& work) {
  Int(form, {"parts", "how many are joined"}, work.parts, 0, kCountMax);
  DescribeTrain(form, work.train);
}

void DescribeModelRef(Form& form, ModelRef& ref) {
  form.Text({"model", "the name in the model registry"}, ref.name);
  int64_t version = ref.version.value_or(0);
  form.Integer({"version", "0: the one that the label names, or the latest"}, version, 0,
               std::numeric_limits<int64_t>::max());
  ref.version = version > 0 ? std::optional(version) : std::nullopt;
  form.Text({"label", "such as live; empty: none"}, ref.label);
}

// One model stands in the block itself, several in a list.
void DescribeServe(Form& form, ServeWork& work) {
  ModelRef one = work.models.size() == 1 ? work.models[0] : ModelRef{};
  std::vector<ModelRef> several;
  if (work.models.size() > 1) several = work.models;
  DescribeModelRef(form, one);
  List(form, {"models", "several models, instead of model"}, several, DescribeModelRef,
       {{"string", "model"}});
  form.Require("models", one.name.empty() || several.empty(),
               "models and model are both there: expected one of them");
  work.models = std::move(several);
  if (!one.name.empty()) work.models.insert(work.models.begin(), one);
}

void DescribeScore(Form& form, ScoreWork& work, Group& group) {
  DescribeModelRef(form, work.model);
  DescribeData(form, work.data);
  form.Text({"target", "a column that is left out; empty: none"}, work.data.target);
  form.Text({"output", "URI of the folder that the predictions go into", true}, work.output);
  int partitions = 0;
  Int(form, {"partitions", "parts of the data, one for a member; 0: count"}, partitions, 0,
      kCountMax);
  form.Require("partitions", partitions == 0 || group.count == 1 || group.count == partitions,
               fmt::format("partitions is {} and count of the group {}: expected the same",
                           partitions, group.count));
  if (partitions > 0) group.count = partitions;
}

void DescribeSearch(Form& form, SearchWork& work) {
  DescribeData(form, work.data);
  form.Numbers({"query", "the row that the others are compared with", true}, work.query);
  Int(form, {"top", "how many are given back"}, work.top, 1, 1'000'000);
  Choice(form, {"metric", "what near means"}, work.metric, {"dot", "cosine", "euclidean"});
  Choice(form, {"aggregate", "one score for each key out of those of its rows"}, work.aggregate,
         {"none", "max", "mean", "sum", "count"});
  Int(form, {"rows_per_key", "best rows of a key that count; 0: the top rows overall"},
      work.rows_per_key, 0, kIntMax);
  form.Text(
      {"output",
       "URI of the folder that the results go into; empty: each task shows its own, of at most "
       "4 KiB"},
      work.output);
}

template <typename T, typename Describe>
Form::Alternative Kind(const char* name, const char* help, Work& work, Describe describe,
                       std::vector<Form::Shorthand> shorthands = {}, bool hidden = false) {
  return {name,
          help,
          {std::holds_alternative<T>(work), [&work] { work = T{}; },
           [&work, describe](Form& form) { describe(form, std::get<T>(work)); },
           [describe](Form& form) {
             T blank;
             describe(form, blank);
           },
           std::move(shorthands)},
          hidden};
}

void DescribeRun(Form& form, Group& group) {
  Group blank_group;
  // A score block sets the count of its group.
  Form::Alternative score =
      Kind<ScoreWork>("score", "score rows with a model", group.work,
                      [&group](Form& f, ScoreWork& work) { DescribeScore(f, work, group); });
  score.parts.blank = [&blank_group](Form& f) {
    ScoreWork blank;
    DescribeScore(f, blank, blank_group);
  };
  form.OneOf(
      {"run", "what each member does", true},
      {Kind<CommandWork>("command", "run a process", group.work, DescribeCommand,
                         {{"string", "shell"}, {"array", "argv"}}),
       Kind<TrainWork>("train", "train a model", group.work, DescribeTrain),
       Kind<MergeWork>("merge", "join the parts of a model", group.work, DescribeMerge, {}, true),
       Kind<ServeWork>("serve", "answer predictions over HTTP", group.work, DescribeServe),
       std::move(score),
       Kind<SearchWork>("search", "find the rows most like a query", group.work, DescribeSearch)});
  if (std::holds_alternative<ServeWork>(group.work) && group.ports == 0) group.ports = 1;
}

void DescribeGpus(Form& form, GpuRequest& gpus) {
  Int(form, {"count", "whole devices or slices"}, gpus.count, 0, 1024);
  form.Number({"share", "a part of one device, instead of count; 0: none"}, gpus.share, 0, 0.99);
  form.Text({"model", "such as A100; empty: any"}, gpus.model);
  form.Size({"memory", "of each device, at least; 0B: any"}, gpus.memory);
  form.Text({"mig", "profile of a slice, such as 1g.5gb; empty: whole devices"}, gpus.mig);
  const std::vector<const char*> links = {"any", "nvlink", "pcie", "socket"};
  int link = 0;
  for (size_t i = 1; i < links.size(); ++i) {
    if (gpus.link == links[i]) link = static_cast<int>(i);
  }
  form.Choice({"link", "how the devices are joined, at least"}, link, links);
  gpus.link = link == 0 ? "" : links[static_cast<size_t>(link)];
}

void DescribeHealth(Form& form, HealthCheck& health) {
  Choice(form, {"type", "how it is checked"}, health.type, {"command", "http", "tcp"});
  form.Text({"command", "shell line that exits with 0; for type command"}, health.command);
  form.Text({"path", "answered with 200 to 399; for type http"}, health.path);
  Int(form, {"port_index", "which port of the member"}, health.port_index, 0, 99);
  form.Time({"delay", "before the first check"}, health.delay);
  form.Time({"interval", "between checks"}, health.interval);
  form.Time({"timeout", "of one check"}, health.timeout);
  form.Time({"grace_period", "after the start, in which failures do not count"}, health.grace);
  Int(form, {"consecutive_failures", "after which the member is ended"}, health.failures_max, 1,
      1'000'000);
}

Result<Constraint> ReadConstraint(const Json& json, const std::string& path) {
  auto wrong = [&] {
    return FailField(path,
                     "constraint is {}: expected [field, OPERATOR] or [field, OPERATOR, value]",
                     DumpJson(json));
  };
  if (!json.is_array() || json.size() < 2 || json.size() > 3) return wrong();
  if (!json[0].is_string() || !json[1].is_string()) return wrong();
  Constraint constraint{json[0].get<std::string>(), {}, {}};
  if (json.size() == 3) {
    if (json[2].is_structured() || json[2].is_null()) return wrong();
    constraint.value = json[2].is_string() ? json[2].get<std::string>() : DumpJson(json[2]);
  }
  const auto name = json[1].get<std::string>();
  for (size_t i = 0; i < kOperators.size(); ++i) {
    if (name != kOperators[i]) continue;
    constraint.op = static_cast<ConstraintOperator>(i);
    return constraint;
  }
  return FailField(path + "[1]", "operator is \"{}\": expected one of {}", name,
                   fmt::join(kOperators, ", "));
}

Form::SpecialParts ConstraintParts(std::vector<Constraint>& constraints) {
  return {[&constraints](const Json& json, const std::string& path) -> Status {
            if (!json.is_array()) {
              return FailField(path, "constraints is {}: expected a list", DumpJson(json));
            }
            constraints.clear();
            for (const Json& item : json) {
              const std::string item_path = fmt::format("{}[{}]", path, constraints.size());
              KILN_TRY(Constraint constraint, ReadConstraint(item, item_path));
              constraints.push_back(std::move(constraint));
            }
            return {};
          },
          [&constraints] {
            Json list = Json::array();
            for (const Constraint& constraint : constraints) {
              Json item = {constraint.field, kOperators[static_cast<size_t>(constraint.op)]};
              if (!constraint.value.empty()) item.push_back(constraint.value);
              list.push_back(std::move(item));
            }
            return list;
          },
          [] {
            return Json{{"type", "array"},
                        {"items",
                         {{"type", "array"},
                          {"minItems", 2},
                          {"maxItems", 3},
                          {"prefixItems",
                           {{{"type", "string"}},
                            {{"enum", Json(kOperators)}},
                            {{"type", {"string", "number", "boolean"}}}}}}}};
          }};
}

void DescribeVolume(Form& form, Volume& volume) {
  form.Text({"path", "a name in the sandbox", true}, volume.path);
  form.Size({"size", "of disk", true}, volume.size);
}

void DescribeSecret(Form& form, SecretUse& secret) {
  form.Text({"name", "under which the scheduler keeps it, in --secrets-dir", true}, secret.name);
  form.Text({"env", "the variable of the command that holds it; or"}, secret.env);
  form.Text({"file", "a name in the sandbox"}, secret.file);
}

void DescribeGroup(Form& form, Group& group) {
  form.Text({"name", "unique in the job", true, kNamePattern}, group.name);
  Int(form, {"count", "identical members"}, group.count, 1, kCountMax);
  double cpus = static_cast<double>(group.cpus_milli) / 1000;
  form.Number({"cpus", "of each member; a part of one is a share of its time"}, cpus, 0.01, 4096);
  group.cpus_milli = std::llround(cpus * 1000);
  form.Flag({"revocable",
             "its cpus are revocable ones alone: Mesos may throttle the members, or end them at "
             "any time, which charges no retry; never with gpus"},
            group.revocable);
  form.Size({"mem", "memory of each member"}, group.mem);
  form.Size({"disk", "of each member"}, group.disk);
  List(form,
       {"volumes",
        "folders of each member that outlive its attempts, on the disk of one agent, where the "
        "member then stays; removed after the job's end; for commands"},
       group.volumes, DescribeVolume);
  List(form,
       {"secrets", "what a command needs and nobody may see, as a variable or as a file each"},
       group.secrets, DescribeSecret);
  Int(form, {"ports", "network ports of each member; serve takes one at least"}, group.ports, 0,
      100);
  Object(form, {"gpus", "of each member: a count, or an object"}, group.gpus, DescribeGpus,
         {{"integer", "count"}});
  form.Special({"constraints", "Marathon's operators, as in [[hostname, MAX_PER, 2]]"},
               ConstraintParts(group.constraints));
  DescribeRun(form, group);
  Optional(form, {"health", "how a running member is checked; none by default"}, group.health,
           DescribeHealth);
  form.Time({"kill_grace", "between SIGTERM and SIGKILL"}, group.kill_grace);
  Duration limit = group.max_completion.value_or(Duration(0));
  form.Time({"max_completion", "after which a member is ended; 0s: no limit"}, limit);
  group.max_completion = limit.count() > 0 ? std::optional(limit) : std::nullopt;
  form.Texts({"after", "groups of this job that must have finished"}, group.after);
  form.Require("mem", group.mem.count > 0, "mem is 0: expected some memory");
}

// How many members start at once.
int GangOfAll(const Job& job) {
  int64_t count = 0;
  for (const Group& group : job.groups) count += group.after.empty() ? group.count : 0;
  return static_cast<int>(std::min<int64_t>(count, kIntMax));
}

struct Gang {
  int members = 0;
  std::string require;
  std::string prefer;
};

void DescribeGang(Form& form, Gang& gang) {
  Int(form, {"members", "start with so many; 0: all"}, gang.members, 0, kCountMax);
  form.Text({"require",
             "a level of the topology, such as zone, rack or host: all of the gang is "
             "in one; empty: anywhere"},
            gang.require);
  form.Text({"prefer",
             "a level: all of the gang is in one if it fits, else in as few as can be, "
             "near each other; empty: anywhere"},
            gang.prefer);
}

void DescribeBlankGang(Form& form) {
  Gang blank;
  DescribeGang(form, blank);
}

Form::SpecialParts GangParts(Job& job) {
  return {[&job](const Json& json, const std::string& path) -> Status {
            Gang gang;
            if (json.is_object()) {
              KILN_TRY_OK(ReadForm(json, path, [&](Form& form) { DescribeGang(form, gang); }));
            } else if (json != "none" && json != "all") {
              return FailField(path,
                               "gang is {}: expected all, none or "
                               "{{members: N, require: LEVEL, prefer: LEVEL}}",
                               DumpJson(json));
            }
            job.gang_members = gang.members > 0 ? gang.members : GangOfAll(job);
            if (json == "none") job.gang_members = 0;
            job.gang_require = gang.require;
            job.gang_prefer = gang.prefer;
            return {};
          },
          [&job]() -> Json {
            const bool all = job.gang_members == GangOfAll(job);
            if (job.gang_members == 0) return "none";
            Gang gang{all ? 0 : job.gang_members, job.gang_require, job.gang_prefer};
            Json json = WriteForm([&](Form& form) { DescribeGang(form, gang); }, DescribeBlankGang);
            return json.empty() ? Json("all") : json;
          },
          [] {
            return Json{{"anyOf", {{{"enum", {"all", "none"}}}, SchemaOfForm(DescribeBlankGang)}}};
          }};
}

constexpr const char* kUnreachable = "unreachable";
constexpr std::pair<const char*, std::optional<Duration>> kWaitWords[] = {
    {"usual", std::nullopt}, {"wait", kForever}, {"replace", Duration(0)}};

void DescribeWait(Form& form, Duration& wait) { form.Time({kUnreachable, ""}, wait); }

void DescribeBlankWait(Form& form) {
  Duration blank = kForever;
  DescribeWait(form, blank);
}

Form::SpecialParts UnreachableParts(Job& job) {
  return {[&job](const Json& json, const std::string& path) -> Status {
            for (const auto& [word, wait] : kWaitWords) {
              if (json != word) continue;
              job.unreachable_wait = wait;
              return {};
            }
            const auto wait = ParseDuration(json.is_string() ? json.get<std::string>() : "");
            if (!wait || *wait > kUnreachableWaitMax) {
              return FailField(
                  path, "{} is {}: expected usual, wait, replace, or a time of at most {}d",
                  kUnreachable, DumpJson(json), kUnreachableWaitMax / std::chrono::hours(24));
            }
            job.unreachable_wait = *wait;
            return {};
          },
          [&job]() -> Json {
            for (const auto& [word, wait] : kWaitWords) {
              if (job.unreachable_wait == wait) return word;
            }
            Duration wait = *job.unreachable_wait;
            return WriteForm([&wait](Form& form) { DescribeWait(form, wait); },
                             DescribeBlankWait)[kUnreachable];
          },
          [] {
            Json time = SchemaOfForm(DescribeBlankWait)["properties"][kUnreachable];
            time.erase("default");
            time.erase("description");
            Json words = Json::array();
            for (const auto& [word, wait] : kWaitWords) words.push_back(word);
            return Json{{"anyOf", {{{"enum", std::move(words)}}, std::move(time)}}};
          }};
}

void DescribeJob(Form& form, Job& job) {
  form.Text({"name", "1 to 63 of a-z, 0-9 and '-'", true, kNamePattern}, job.name);
  Choice(form, {"kind", "what the job is for", true}, job.kind, kKinds);
  form.Text({"role", "the Mesos role that pays; empty: the scheduler's first"}, job.role);
  Int(form, {"priority", "the higher may preempt the lower"}, job.priority, 0, 100);
  List(form, {"groups", "identical members each", true}, job.groups, DescribeGroup, {}, 1);
  form.Special({"gang", "which members start together or not at all"}, GangParts(job));
  form.Flag({"preemptible", "others of the role may evict it by priority"}, job.preemptible);
  form.Special({kUnreachable,
                "members on agents that Mesos does not reach: wait for them, replace them at once "
                "or after a time; usual: after kiln-scheduler --unreachable-wait. Members with "
                "volumes are waited for"},
               UnreachableParts(job));
  Int(form, {"retries", "of one member, after failures of its own"}, job.retries, 0, 1000);
  form.Texts({"after", "jobs that must have finished"}, job.after);
  form.Text({"pool", "jobs with the same pool share warm executors; empty: executors of its own",
             false, kNameOrNonePattern},
            job.pool);
  form.TextMap({"labels", "for people and tools"}, job.labels);
}

void DescribeBlankJob(Form& form) {
  Job blank;
  DescribeJob(form, blank);
}

}  // namespace

Result<Job> JobFromJson(const Json& json) {
  Job job;
  KILN_TRY_OK(ReadForm(json, "", [&job](Form& form) { DescribeJob(form, job); }));
  KILN_TRY_OK(Validate(job));
  return job;
}

Result<Job> DecodeJob(std::string_view text) {
  KILN_TRY(Json json, ParseDocument(text));
  return JobFromJson(json);
}

Json JobToJson(const Job& job) {
  Job copy = job;
  return WriteForm([&copy](Form& form) { DescribeJob(form, copy); }, DescribeBlankJob);
}

uint64_t JobDigest(const Job& job) { return Fnv1a(DumpJson(JobToJson(job))); }

Json JobSchema() {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "Kiln job file"}};
  schema.update(SchemaOfForm(DescribeBlankJob));
  return schema;
}

const char* JobKindName(JobKind kind) { return kKinds[static_cast<size_t>(kind)]; }

const char* AlgorithmName(Algorithm algorithm) {
  return kAlgorithms[static_cast<size_t>(algorithm)];
}

}  // namespace kiln::wire

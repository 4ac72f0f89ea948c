#include "model/job.h"

#include <algorithm>
#include <set>

namespace kiln {
namespace {

constexpr int kMembersMax = 100'000;  // of one job
constexpr size_t kGroupsMax = 1'000;  // of one job

bool IsName(std::string_view text) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= 63 && letter(text.front()) && letter(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || c == '-'; });
}

Status CheckGiven(const std::string& field, std::string_view thing, const std::string& text) {
  if (!text.empty()) return {};
  return FailField(field, "{} is missing", thing);
}

Status CheckModelRef(const std::string& field, const ModelRef& ref) {
  KILN_TRY_OK(CheckName(field + ".model", "model", ref.name));
  if (ref.version && !ref.label.empty()) {
    return FailField(field + ".label",
                     "model {} has version {} and label \"{}\": expected one of them at most",
                     ref.name, *ref.version, ref.label);
  }
  return {};
}

Status CheckGpus(const std::string& field, const GpuRequest& gpus) {
  if (gpus.share > 0 && gpus.count > 0) {
    return FailField(field, "gpus asks for {} devices and a share of {}: expected one of them",
                     gpus.count, gpus.share);
  }
  constexpr std::string_view kProfile = "abcdefghijklmnopqrstuvwxyz0123456789.+";
  if (gpus.mig.find_first_not_of(kProfile) != std::string::npos) {
    return FailField(field + ".mig", "mig is \"{}\": expected a profile such as 1g.5gb", gpus.mig);
  }
  if (!gpus.mig.empty() && !gpus.link.empty()) {
    return FailField(field + ".link",
                     "link is \"{}\" with slices of {}: expected none, they are not joined",
                     gpus.link, gpus.mig);
  }
  if (!gpus.link.empty() && gpus.count < 2) {
    return FailField(field + ".link", "link is \"{}\" with {} devices: expected at least 2",
                     gpus.link, gpus.count);
  }
  return {};
}

// One name: nobody says that an agent makes folders on the way to a volume.
bool IsFileName(std::string_view text) {
  const auto wrong = [](char c) { return c == '/' || (c >= 0 && c < ' ') || c == 0x7f; };
  return !text.empty() && text.size() <= 255 && text != "." && text != ".." && text != "stdout" &&
         text != "stderr" && std::none_of(text.begin(), text.end(), wrong);
}

Status CheckVolumes(const std::string& field, const Group& group) {
  const auto* command = std::get_if<CommandWork>(&group.work);
  if (command == nullptr && !group.volumes.empty()) {
    return FailField(field,
                     "volumes of a group without a command: expected none, kernels of a "
                     "job share their sandbox");
  }
  if (group.gpus.share > 0 && !group.volumes.empty() && command->image.empty()) {
    return FailField(field,
                     "volumes with a share of a device: expected whole devices, members "
                     "that share one share their sandbox");
  }
  std::set<std::string> paths;
  for (size_t i = 0; i < group.volumes.size(); ++i) {
    const Volume& volume = group.volumes[i];
    const std::string path = fmt::format("{}[{}].path", field, i);
    if (!IsFileName(volume.path)) {
      return FailField(path, "path is \"{}\": expected a name in the sandbox, such as data",
                       volume.path);
    }
    if (volume.size < MiB(1)) {
      return FailField(fmt::format("{}[{}].size", field, i), "size is {}: expected 1MiB at least",
                       FormatBytes(volume.size));
    }
    if (!paths.insert(volume.path).second) {
      return FailField(path, "path {} stands twice: expected one volume for each", volume.path);
    }
  }
  return {};
}

bool IsVariableName(std::string_view text) {
  const auto wrong = [](char c) {
    return !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
           c != '_';
  };
  return !text.empty() && !(text[0] >= '0' && text[0] <= '9') &&
         std::none_of(text.begin(), text.end(), wrong);
}

Status CheckSecret(const std::string& field, const SecretUse& secret, const CommandWork& command) {
  KILN_TRY_OK(CheckName(field + ".name", "name", secret.name));
  if (secret.env.empty() == secret.file.empty()) {
    return FailField(field, "secret {} has {}: expected exactly one of env and file", secret.name,
                     secret.env.empty() ? "neither env nor file" : "both env and file");
  }
  if (!secret.env.empty() && !IsVariableName(secret.env)) {
    return FailField(field + ".env", "env is \"{}\": expected the name of a variable", secret.env);
  }
  if (!secret.file.empty() && !IsFileName(secret.file)) {
    return FailField(field + ".file", "file is \"{}\": expected a name in the sandbox",
                     secret.file);
  }
  if (command.environment.contains(secret.env)) {
    return FailField(field + ".env", "env {} stands in the command too: expected one of both",
                     secret.env);
  }
  return {};
}

Status CheckSecrets(const std::string& field, const Group& group) {
  const auto* command = std::get_if<CommandWork>(&group.work);
  if (command == nullptr && !group.secrets.empty()) {
    return FailField(field, "secrets of a group without a command: expected none");
  }
  std::set<std::string> places;
  for (const Volume& volume : group.volumes) places.insert(volume.path);
  for (size_t i = 0; i < group.secrets.size(); ++i) {
    const SecretUse& secret = group.secrets[i];
    const std::string one = fmt::format("{}[{}]", field, i);
    KILN_TRY_OK(CheckSecret(one, secret, *command));
    if (!places.insert(secret.env.empty() ? secret.file : "$" + secret.env).second) {
      return FailField(one, "{} {} stands twice: expected one secret or volume for each",
                       secret.env.empty() ? "file" : "env",
                       secret.env.empty() ? secret.file : secret.env);
    }
  }
  return {};
}

Status CheckHealth(const std::string& field, const Group& group) {
  if (!group.health) return {};
  const HealthCheck& health = *group.health;
  switch (health.type) {
    case HealthCheck::Type::kCommand:
      return CheckGiven(field + ".command", "command of the health check", health.command);
    case HealthCheck::Type::kHttp:
    case HealthCheck::Type::kTcp:
      if (health.port_index < group.ports) return {};
      return FailField(field + ".port_index",
                       "port_index is {}: expected less than ports, which is {}", health.port_index,
                       group.ports);
  }
  return {};
}

// What one kind of work needs; `field` is "groups[0].run.<kind>".
struct CheckWork {
  const std::string field;
  const Group& group;

  Status operator()(const CommandWork& work) const {
    if (work.shell.empty() != work.argv.empty()) return {};
    return FailField(field, "command has {}: expected exactly one of shell and argv",
                     work.shell.empty() ? "neither shell nor argv" : "both shell and argv");
  }
  Status operator()(const TrainWork& work) const {
    KILN_TRY_OK(CheckGiven(field + ".data", "data", work.data.uri));
    KILN_TRY_OK(CheckGiven(field + ".target", "target", work.data.target));
    KILN_TRY_OK(CheckName(field + ".model", "model", work.model));
    const bool forest = work.algorithm == Algorithm::kRandomForestClassifier ||
                        work.algorithm == Algorithm::kRandomForestRegressor;
    if (!forest && group.count > 1) {
      return FailField(field + ".algorithm",
                       "the algorithm trains in one member, the group has {}: expected count 1",
                       group.count);
    }
    if (forest && work.trees < group.count) {
      return FailField(field + ".trees",
                       "trees is {}: expected one at least for each of {} members", work.trees,
                       group.count);
    }
    return {};
  }
  Status operator()(const MergeWork&) const { return {}; }
  Status operator()(const ServeWork& work) const {
    if (work.models.empty()) return FailField(field + ".models", "models is empty: expected one");
    std::set<std::string> names;
    for (size_t i = 0; i < work.models.size(); ++i) {
      const std::string path =
          work.models.size() == 1 ? field : fmt::format("{}.models[{}]", field, i);
      KILN_TRY_OK(CheckModelRef(path, work.models[i]));
      if (!names.insert(work.models[i].name).second) {
        return FailField(path, "model {} stands twice: expected once", work.models[i].name);
      }
    }
    if (group.ports > 0) return {};
    return FailField(field, "serve has no port: expected ports of at least 1");
  }
  Status operator()(const ScoreWork& work) const {
    KILN_TRY_OK(CheckModelRef(field, work.model));
    KILN_TRY_OK(CheckGiven(field + ".data", "data", work.data.uri));
    return CheckGiven(field + ".output", "output", work.output);
  }
  Status operator()(const SearchWork& work) const {
    KILN_TRY_OK(CheckGiven(field + ".data", "data", work.data.uri));
    if (work.query.empty()) {
      return FailField(field + ".query", "query is empty: expected one number a column");
    }
    if (work.aggregate != SearchAggregate::kNone && work.data.key.empty()) {
      return FailField(field + ".key", "key is missing: expected a column to aggregate by");
    }
    return {};
  }
};

const char* WorkName(const Work& work) {
  constexpr const char* kNames[] = {"command", "train", "merge", "serve", "score", "search"};
  return kNames[work.index()];
}

bool Fits(JobKind kind, const Work& work) {
  if (std::holds_alternative<CommandWork>(work)) return true;
  switch (kind) {
    case JobKind::kTraining:
      return std::holds_alternative<TrainWork>(work) || std::holds_alternative<MergeWork>(work);
    case JobKind::kServing:
      return std::holds_alternative<ServeWork>(work);
    case JobKind::kScoring:
      return std::holds_alternative<ScoreWork>(work) || std::holds_alternative<SearchWork>(work);
    case JobKind::kService:
      return false;
  }
  return false;
}

const char* Expected(JobKind kind) {
  switch (kind) {
    case JobKind::kTraining:
      return "command or train in a training job";
    case JobKind::kServing:
      return "command or serve in a serving job";
    case JobKind::kScoring:
      return "command, score or search in a scoring job";
    case JobKind::kService:
      return "command in a service";
  }
  return "";
}

Status CheckGroup(const Job& job, const std::string& field, const Group& group) {
  const std::string run = field + ".run." + WorkName(group.work);
  if (!Fits(job.kind, group.work)) {
    return FailField(run, "run is {}: expected {}", WorkName(group.work), Expected(job.kind));
  }
  KILN_TRY_OK(CheckConstraints(field + ".constraints", group.constraints, group.count));
  KILN_TRY_OK(CheckGpus(field + ".gpus", group.gpus));
  if (group.revocable && group.gpus.Any()) {
    return FailField(field + ".revocable",
                     "revocable is true in a group with gpus: expected false, devices are whole "
                     "and cannot be throttled");
  }
  KILN_TRY_OK(CheckVolumes(field + ".volumes", group));
  KILN_TRY_OK(CheckSecrets(field + ".secrets", group));
  KILN_TRY_OK(CheckHealth(field + ".health", group));
  return std::visit(CheckWork{run, group}, group.work);
}

// Every name in `after` is a group, and following them ends.
Status CheckOrder(const Job& job) {
  std::map<std::string_view, size_t> index;
  for (size_t i = 0; i < job.groups.size(); ++i) index.emplace(job.groups[i].name, i);
  std::vector<std::vector<size_t>> followers(job.groups.size());
  std::vector<size_t> waits(job.groups.size());  // for how many
  std::vector<size_t> ready;
  for (size_t i = 0; i < job.groups.size(); ++i) {
    const auto& after = job.groups[i].after;
    for (size_t k = 0; k < after.size(); ++k) {
      const auto first = index.find(after[k]);
      if (first == index.end()) {
        return FailField(fmt::format("groups[{}].after[{}]", i, k),
                         "after is \"{}\": expected the name of a group of this job", after[k]);
      }
      followers[first->second].push_back(i);
    }
    waits[i] = after.size();
    if (after.empty()) ready.push_back(i);
  }
  for (size_t next = 0; next < ready.size(); ++next) {
    for (size_t follower : followers[ready[next]]) {
      if (--waits[follower] == 0) ready.push_back(follower);
    }
  }
  if (ready.size() == job.groups.size()) return {};
  const auto first = std::ranges::find_if(waits, [](size_t count) { return count > 0; });
  const auto i = static_cast<size_t>(first - waits.begin());
  return FailField(fmt::format("groups[{}].after", i),
                   "group {} waits for itself: expected an order that ends", job.groups[i].name);
}

}  // namespace

Status CheckName(const std::string& field, std::string_view thing, const std::string& name) {
  if (IsName(name)) return {};
  return FailField(field,
                   "{} is \"{}\": expected 1 to 63 of a-z, 0-9 and '-', with a letter or digit "
                   "at both ends",
                   thing, name);
}

Status Validate(const Job& job) {
  KILN_TRY_OK(CheckName("name", "name", job.name));
  if (!job.pool.empty()) KILN_TRY_OK(CheckName("pool", "pool", job.pool));
  if (job.groups.empty()) return FailField("groups", "groups is empty: expected at least one");
  if (job.groups.size() > kGroupsMax) {
    return FailField("groups", "the job has {} groups: expected at most {}", job.groups.size(),
                     kGroupsMax);
  }
  std::set<std::string> names;
  int64_t members = 0;
  int64_t at_once = 0;  // members of the groups that start together
  for (size_t i = 0; i < job.groups.size(); ++i) {
    const Group& group = job.groups[i];
    const std::string field = fmt::format("groups[{}]", i);
    KILN_TRY_OK(CheckName(field + ".name", "name of the group", group.name));
    if (!names.insert(group.name).second) {
      return FailField(field + ".name", "group {} stands twice: expected a name of its own",
                       group.name);
    }
    KILN_TRY_OK(CheckGroup(job, field, group));
    members += group.count;
    if (group.after.empty()) at_once += group.count;
  }
  if (members > kMembersMax) {
    return FailField("groups", "the job has {} members: expected at most {}", members, kMembersMax);
  }
  KILN_TRY_OK(CheckOrder(job));
  if (job.gang_members > at_once) {
    return FailField("gang.members",
                     "members is {}: expected at most the {} that can start at once",
                     job.gang_members, at_once);
  }
  for (size_t i = 0; i < job.after.size(); ++i) {
    const std::string field = fmt::format("after[{}]", i);
    KILN_TRY_OK(CheckName(field, "after", job.after[i]));
    if (job.after[i] == job.name) {
      return FailField(field, "job {} waits for itself: expected the name of another job",
                       job.name);
    }
  }
  return {};
}

const Group* FindGroup(const Job& job, std::string_view name) {
  for (const Group& group : job.groups) {
    if (group.name == name) return &group;
  }
  return nullptr;
}

Job ExpandGroups(Job job) {
  std::vector<Group> merges;
  for (const Group& group : job.groups) {
    const auto* train = std::get_if<TrainWork>(&group.work);
    const std::string name = group.name + "-merge";
    const bool there = std::any_of(job.groups.begin(), job.groups.end(),
                                   [&](const Group& other) { return other.name == name; });
    if (train == nullptr || group.count == 1 || there) continue;
    Group merge = group;
    merge.name = name;
    merge.count = 1;
    merge.work = MergeWork{*train, group.count};
    merge.after = {group.name};
    merges.push_back(std::move(merge));
  }
  // Who waits for a training group wants its model, which the merge publishes.
  for (Group& group : job.groups) {
    for (std::string& name : group.after) {
      for (const Group& merge : merges) {
        if (merge.after.front() == name) {
          name = merge.name;
          break;
        }
      }
    }
  }
  for (Group& merge : merges) job.groups.push_back(std::move(merge));
  return job;
}

}  // namespace kiln

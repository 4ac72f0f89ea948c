#include "tests/scenarios/scenario.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "model/units.h"
#include "scheduler/placement/around.h"
#include "scheduler/placement/gpus.h"
#include "scheduler/placement/moves.h"
#include "scheduler/placement/needs.h"
#include "scheduler/placement/turns.h"

namespace kiln::scheduler {
namespace {

using Words = std::vector<std::string>;
using Values = std::map<std::string, std::string>;

const Resources kExecutor{.cpus_milli = 100, .mem = MiB(64)};

// Words between blanks; "several words" in quotes are one.
Words SplitWords(const std::string& line) {
  Words words;
  std::string word;
  bool quoted = false;
  bool open = false;
  for (const char c : line) {
    if (c == '#' && !quoted) break;
    if (c == '"') {
      quoted = !quoted;
      open = true;
    } else if (c == ' ' && !quoted) {
      if (open) words.push_back(std::exchange(word, ""));
      open = false;
    } else {
      word += c;
      open = true;
    }
  }
  if (open) words.push_back(word);
  return words;
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

Result<Values> ReadValues(const Words& words, size_t from) {
  Values values;
  for (size_t i = from; i < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    if (equals == std::string::npos) {
      return Fail(ErrorCode::kInvalidArgument, "\"{}\": expected KEY=VALUE", words[i]);
    }
    values[words[i].substr(0, equals)] = words[i].substr(equals + 1);
  }
  return values;
}

// Takes the value out, so that what is left is not known.
std::string Take(Values& values, const std::string& key, const std::string& otherwise) {
  const auto found = values.find(key);
  if (found == values.end()) return otherwise;
  std::string value = found->second;
  values.erase(found);
  return value;
}

Status AllTaken(const Values& values) {
  if (values.empty()) return {};
  return Fail(ErrorCode::kInvalidArgument, "key {} is not known", values.begin()->first);
}

int Number(const std::string& text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int64_t Milli(const std::string& text) {
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return static_cast<int64_t>(number * 1000);
}

Result<Constraint> ReadConstraint(const std::string& text) {
  const auto parts = Split(text, ':');
  const char* names[] = {"UNIQUE", "CLUSTER", "GROUP_BY", "LIKE", "UNLIKE", "MAX_PER", "IS"};
  for (size_t i = 0; i < std::size(names) && parts.size() >= 2; ++i) {
    if (parts[1] != names[i]) continue;
    return Constraint{parts[0], static_cast<ConstraintOperator>(i),
                      parts.size() > 2 ? parts[2] : ""};
  }
  return Fail(ErrorCode::kInvalidArgument, "constraint is \"{}\": expected FIELD:OPERATOR:VALUE",
              text);
}

Result<Group> ReadGroup(const std::string& job, Values& values) {
  Group group{.name = "g", .count = Number(Take(values, "members", "1"))};
  group.cpus_milli = Milli(Take(values, "cpus", "1"));
  group.revocable = Take(values, "revocable", "no") == "yes";
  KILN_TRY(group.mem, ParseBytes(Take(values, "mem", "1GiB")));
  KILN_TRY(group.disk, ParseBytes(Take(values, "disk", "0B")));
  KILN_TRY(const Bytes volume, ParseBytes(Take(values, "volume", "0B")));
  if (volume.count > 0) group.volumes = {{"data", volume, std::nullopt}};
  group.ports = Number(Take(values, "ports", "0"));
  group.gpus.count = Number(Take(values, "gpus", "0"));
  group.gpus.share = static_cast<double>(Milli(Take(values, "share", "0"))) / 1000;
  group.gpus.model = Take(values, "model", "");
  KILN_TRY(group.gpus.memory, ParseBytes(Take(values, "memory", "0B")));
  group.gpus.link = Take(values, "link", "");
  group.gpus.mig = Take(values, "mig", "");
  for (const std::string& text : Split(Take(values, "constraint", ""), ';')) {
    KILN_TRY(Constraint constraint, ReadConstraint(text));
    group.constraints.push_back(std::move(constraint));
  }
  const std::string work = Take(values, "work", job);
  group.work = CommandWork{.shell = work};
  if (work == "kernel") group.work = TrainWork{.model = "m"};
  const std::string limit = Take(values, "max_completion", "");
  if (!limit.empty()) {
    KILN_TRY(group.max_completion, ParseDuration(limit));
  }
  group.kill_grace = {};
  return group;
}

// "gpus:8,mem:1GiB"
Status ReadAmounts(const std::string& text, Amounts& amounts) {
  for (const std::string& part : Split(text, ',')) {
    const auto pair = Split(part, ':');
    const auto known = std::find(kShared.begin(), kShared.end(), pair[0]);
    if (known == kShared.end() || pair.size() != 2) {
      return Fail(ErrorCode::kInvalidArgument, "amount is \"{}\": expected as in gpus:8", part);
    }
    int64_t& amount = amounts[static_cast<size_t>(known - kShared.begin())];
    if (pair[0] == "cpus" || pair[0] == "gpus") {
      amount = Milli(pair[1]);
    } else {
      KILN_TRY(const Bytes bytes, ParseBytes(pair[1]));
      amount = bytes.count;
    }
  }
  return {};
}

Task TaskOf(const Launch& launch, Instant now) {
  return {.id = {fmt::format("{}.{}", launch.member.job, launch.member.index)},
          .member = launch.member,
          .agent = launch.agent,
          .hostname = launch.agent.text,
          .resources = launch.resources,
          .state = TaskState::kRunning,
          .launched = now,
          .started = now};
}

std::string Joined(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text.empty() ? "nothing" : text;
}

Failure Differs(const std::string& what, const Words& found, const Words& expected) {
  return Fail(ErrorCode::kInvalidArgument, "{} is {}, expected {}", what, Joined(found),
              Joined(expected));
}

}  // namespace

Status Scenario::Run(const std::string& text) {
  std::stringstream stream(text);
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    const Words words = SplitWords(line);
    if (words.empty()) continue;
    if (const Status status = Line(words); !status) {
      return Failure(Within(fmt::format("line {}", number), status.error()));
    }
  }
  return {};
}

Status Scenario::Line(const Words& words) {
  const std::string& verb = words[0];
  if (verb == "cycle") {
    Cycle();
    return {};
  }
  if (words.size() < 2) return Fail(ErrorCode::kInvalidArgument, "\"{}\" needs a name", verb);
  if (verb == "agent") return AddAgent(words);
  if (verb == "gpu" && words.size() > 2) return AddGpu(words);
  if (verb == "job" || verb == "gang") return AddJob(words);
  if (verb == "refuse") return Refuse(words);
  if (verb == "role") return AddRole(words);
  if (verb == "pass" || verb == "ageing" || verb == "half_life" || verb == "min_run" ||
      (verb == "hold" && words.size() == 2)) {
    return SetTime(words);
  }
  if (verb == "expect" && words.size() > 2) return Expect(words);
  if (verb == "topology") {
    levels_ = Split(words[1], ',');
    return CheckLevels(levels_);
  }
  if (verb == "move") {
    preemption_.move = words[1] == "yes";
    return {};
  }
  if (verb == "policy") {
    KILN_TRY(policy_, FindPolicy(words[1]));
    return {};
  }
  if (verb == "fail" || verb == "finish" || verb == "sick") {
    KILN_TRY(Entry * entry, Find(words[1]));
    return EndTasks(*entry, verb);
  }
  if (verb == "checkpoint") {
    KILN_TRY(const Entry* entry, Find(words[1]));
    for (const Launch& launch : entry->launched) {
      state_.tasks.at(TaskOf(launch, now_).id).checkpointed = now_;
    }
    return {};
  }
  if (verb == "kill") {
    KILN_TRY(Entry * entry, Find(words[1]));
    End(*entry);
    entry->waiting = {};
    RemoveVolumes(*entry);
    return {};
  }
  if (verb == "end" || (verb == "hold" && words.size() == 3)) {
    KILN_TRY(Entry * entry, Find(words.back()));
    if (verb == "end") End(*entry);
    if (verb == "hold") entry->may_hold = words[1] == "yes";
    return {};
  }
  return Fail(ErrorCode::kInvalidArgument, "\"{}\" is no line of a scenario", Joined(words));
}

Status Scenario::AddAgent(const Words& words) {
  KILN_TRY(Values values, ReadValues(words, 2));
  Offer& offer = agents_[words[1]];
  offer.id = {"offer-" + words[1]};
  offer.role = Take(values, "role", "*");
  offer.agent.id = {words[1]};
  offer.agent.hostname = words[1];
  offer.agent.zone = Take(values, "zone", "");
  offer.agent.region = Take(values, "region", "");
  offer.resources.cpus_milli = Milli(Take(values, "cpus", "8"));
  offer.resources.revocable_cpus_milli = Milli(Take(values, "revocable", "0"));
  KILN_TRY(offer.resources.mem, ParseBytes(Take(values, "mem", "32GiB")));
  KILN_TRY(offer.resources.disk, ParseBytes(Take(values, "disk", "100GiB")));
  const int ports = Number(Take(values, "ports", "100"));
  if (ports > 0) offer.resources.ports = {{31000, 31000 + ports - 1}};
  offer.resources.gpus = Number(Take(values, "gpus", "0"));
  quarantine_.AgentSeen(offer.agent.id);
  offer.agent.attributes = {values.begin(), values.end()};
  return {};
}

Status Scenario::AddGpu(const Words& words) {
  const auto agent = agents_.find(words[1]);
  if (agent == agents_.end()) {
    return Fail(ErrorCode::kInvalidArgument, "agent {} is not known", words[1]);
  }
  KILN_TRY(Values values, ReadValues(words, 3));
  Gpu gpu{.id = {words[2]}, .model = Take(values, "model", "A100")};
  KILN_TRY(gpu.memory, ParseBytes(Take(values, "memory", "40GiB")));
  if (const auto link = Split(Take(values, "link", ""), ':'); link.size() == 2) {
    gpu.link = link[0] == "nvlink" ? GpuLink::kNvlink : GpuLink::kPcieSwitch;
    gpu.link_group = link[1];
  }
  gpu.mig = Take(values, "mig", "");
  gpu.healthy = Take(values, "sick", "no") == "no";
  agent->second.agent.gpus.push_back(gpu);
  agent->second.resources += Resources{.gpu_ids = {gpu.id}};
  return {};
}

Status Scenario::AddJob(const Words& words) {
  KILN_TRY(Values values, ReadValues(words, 2));
  Entry entry{.job = {.name = words[1], .role = Take(values, "role", "*")}, .since = now_};
  entry.job.priority = Number(Take(values, "priority", "50"));
  entry.job.preemptible = Take(values, "preemptible", "yes") == "yes";
  const std::string kind = Take(values, "kind", "training");
  if (kind == "service") entry.job.kind = JobKind::kService;
  if (kind == "serving") entry.job.kind = JobKind::kServing;
  const int needs = Number(Take(values, "needs", "0"));
  entry.job.gang_require = Take(values, "require", "");
  entry.job.gang_prefer = Take(values, "prefer", "");
  KILN_TRY(Group group, ReadGroup(words[1], values));
  KILN_TRY_OK(AllTaken(values));
  for (int i = 0; i < group.count; ++i) entry.waiting.Insert(i);
  if (words[0] == "gang") entry.job.gang_members = needs > 0 ? needs : group.count;
  entry.job.groups = {std::move(group)};
  KILN_TRY_OK(
      CheckConstraints("constraints", entry.job.groups[0].constraints, entry.job.groups[0].count));
  KILN_TRY_OK(CheckGangLevels(entry.job, levels_));
  jobs_.push_back(std::move(entry));
  return {};
}

// The last word is the reason.
Status Scenario::Refuse(const Words& words) {
  const std::string& reason = words.back();
  const Status status = AddJob({words.begin() + 1, words.end() - 1});
  if (!status && status.error().message.starts_with(reason)) return {};
  return Differs("the answer to " + words[2],
                 {status ? "that it is taken" : status.error().message}, {reason});
}

Status Scenario::AddRole(const Words& words) {
  KILN_TRY(Values values, ReadValues(words, 2));
  Role role{.name = words[1], .weight = Milli(Take(values, "weight", "1")) / 1000.0};
  KILN_TRY_OK(ReadAmounts(Take(values, "quota", ""), role.quota));
  KILN_TRY_OK(ReadAmounts(Take(values, "limit", ""), role.limit));
  KILN_TRY_OK(AllTaken(values));
  roles_.roles.push_back(std::move(role));
  return Validate(roles_);
}

Status Scenario::SetTime(const Words& words) {
  KILN_TRY(const Duration time, ParseDuration(words[1]));
  if (words[0] == "pass") {
    now_ = now_ + time;
    quarantine_.Tick(now_);
  }
  if (words[0] == "min_run") preemption_.min_run = time;
  if (words[0] == "ageing") roles_.ageing = time;
  if (words[0] == "half_life") roles_.half_life = time;
  if (words[0] == "hold") hold_ = time;
  return {};
}

std::string Scenario::OfferRole(const Job& job) const {
  const bool set = std::any_of(roles_.roles.begin(), roles_.roles.end(),
                               [&](const Role& role) { return role.name == job.role; });
  return set ? "*" : job.role;
}

Sharing Scenario::SharingNow() const {
  Sharing sharing{.settings = &roles_, .use = usage_->At(now_)};
  for (const auto& [role, use] : sharing.use) Add(sharing.total, use.used);
  for (const auto& [name, offer] : agents_) Add(sharing.total, AmountsOf(offer.resources));
  return sharing;
}

Result<Scenario::Entry*> Scenario::Find(const std::string& name) {
  for (Entry& entry : jobs_) {
    if (entry.job.name == name) return &entry;
  }
  return Fail(ErrorCode::kInvalidArgument, "job {} is not known", name);
}

Snapshot Scenario::SnapshotNow() {
  lent_ = {};
  if (!usage_) usage_.emplace(roles_.half_life);
  Snapshot snapshot{.sharing = SharingNow(),
                    .agents = &known_,
                    .levels = levels_,
                    .warm = &warm_,
                    .bars = quarantine_.GetBars(),
                    .claims = claims_,
                    .executor = kExecutor};
  outlook_ = {.now = now_,
              .running = &running_,
              .took = [this](const Group& group) { return durations_.Of(group); },
              .hold = hold_,
              .estimates = 16,
              .details = true};
  snapshot.outlook = &outlook_;
  for (const auto& [agent, shares] : shared_) {
    if (!shares.empty()) snapshot.shared[{agent, agents_.at(agent.text).role}] = shares;
  }
  for (const auto& [name, offer] : agents_) {
    known_[offer.agent.id] = offer.agent;
    snapshot.offers.push_back(offer);
  }
  for (const Entry& entry : jobs_) {
    const Group& spec = entry.job.groups[0];
    snapshot.usual.emplace_back(&spec, static_cast<size_t>(spec.count) - entry.waiting.size());
    if (entry.waiting.empty()) continue;
    WaitingGroup group{.group = &entry.job.groups[0],
                       .members = MemberRange(entry.waiting),
                       .in_gang = entry.job.gang_members > 0};
    for (const Launch& launch : entry.launched) group.placed.push_back(launch.agent);
    const int live = static_cast<int>(entry.launched.size());
    snapshot.jobs.push_back({.job = &entry.job,
                             .role = OfferRole(entry.job),
                             .since = entry.since,
                             .groups = volumes_.Split(entry.job.name, group, lent_),
                             .gang_needed = std::max(0, entry.job.gang_members - live),
                             .may_hold = entry.may_hold && !spec.revocable});
    for (const Launch& launch : entry.launched) {
      snapshot.jobs.back().placed.push_back(launch.agent);
    }
  }
  PutInOrder(snapshot);
  return snapshot;
}

void Scenario::Cycle() {
  for (Entry& entry : jobs_) entry.last.clear();
  std::erase_if(claims_, [this](const Claim& claim) { return claim.until <= now_; });
  plan_ = PlaceByClaims(SnapshotNow(), *policy_);
  for (const Launch& launch : plan_.launches) {
    Entry& entry = **Find(launch.member.job);
    entry.waiting.Erase(launch.member.index);
    entry.launched.push_back(WithVolumes(entry, launch));
    entry.last.push_back(launch);
    Start(entry, entry.launched.back());
  }
  Preempt();
}

// Who is evicted ends at once and waits again.
void Scenario::Preempt() {
  evicted_.clear();
  Snapshot snapshot = SnapshotNow();
  Limits limits(&*snapshot.sharing);
  for (WaitingJob& job : snapshot.jobs) {
    const bool claims = std::any_of(claims_.begin(), claims_.end(),
                                    [&](const Claim& claim) { return claim.job == job.job->name; });
    if (claims || !MayEvict(job, running_, limits, preemption_)) continue;
    job.expected = ExpectedStart(job.job->name, plan_.refusals);
    const auto eviction = FindEviction(snapshot, job, running_, preemption_, *policy_, now_);
    if (!eviction) continue;
    for (Claim& claim : ClaimsOf(*eviction, now_ + preemption_.claim)) {
      claims_.push_back(std::move(claim));
    }
    for (const TaskId& id : eviction->victims) {
      evicted_.push_back(id.text);
      const MemberId member = state_.tasks.at(id).member;
      Entry& victim = **Find(member.job);
      const auto launch = std::find_if(victim.launched.begin(), victim.launched.end(),
                                       [&](const Launch& one) { return one.member == member; });
      EndOne(victim, *launch);
      victim.launched.erase(launch);
      victim.waiting.Insert(member.index);
      ++victim.evictions[member.index];
    }
    return;
  }
}

// Volumes are made as soon as their member is launched.
Launch Scenario::WithVolumes(const Entry& entry, Launch launch) {
  Task task = TaskOf(launch, now_);
  Resources& free = agents_.at(launch.agent.text).resources;
  const auto next_id = [this] { return std::to_string(state_.volumes.size()); };
  for (const std::string& id : volumes_.Launch(task, entry.job.groups[0], OfferRole(entry.job),
                                               next_id, now_, launch.resources)) {
    const VolumeRecord& volume = state_.volumes.at(id);
    free.disk = free.disk - volume.size;
    free += Resources{.volumes = {{id, volume.size}}};
  }
  task.resources = launch.resources;
  volumes_.Ran(task, now_);
  return launch;
}

void Scenario::RemoveVolumes(const Entry& entry) {
  volumes_.Release(entry.job.name, now_);
  for (auto& [name, agent] : agents_) {
    Offer offer = agent;
    for (const NamedVolume& volume : offer.resources.volumes) offer.volumes.push_back({volume.id});
    const auto call = volumes_.Offered(offer, now_);
    if (!call) continue;
    agent.resources -= call->resources;
    for (const NamedVolume& volume : call->resources.volumes) {
      agent.resources.disk = agent.resources.disk + volume.size;
    }
    for (const RemovalCall::One& one : call->volumes) {
      for (const std::string& operation : {one.destroy, one.unreserve}) {
        volumes_.Told({operation, agent.agent.id, OperationUpdate::State::kDone, "", ""}, now_);
      }
    }
  }
}

void Scenario::Start(Entry& entry, const Launch& launch) {
  Task task = TaskOf(launch, now_);
  task.evictions = entry.evictions[launch.member.index];
  const Task& known = state_.tasks.insert_or_assign(task.id, task).first->second;
  quarantine_.Launched(known);
  running_.Start(entry.job, OfferRole(entry.job), 0, known);
  for (Claim& claim : claims_) {
    if (claim.job == entry.job.name) --claim.members;
  }
  std::erase_if(claims_, [](const Claim& claim) { return claim.members == 0; });
  Resources& free = agents_.at(launch.agent.text).resources;
  free.gpu_shares = shared_[launch.agent];
  for (const GpuShare& share : launch.resources.gpu_shares) {
    const auto& whole = free.gpu_ids;
    if (!std::binary_search(whole.begin(), whole.end(), share.id)) continue;
    OpenDevice(share.id, free);
    free -= kExecutor;
  }
  free -= launch.resources;
  shared_[launch.agent] = std::exchange(free.gpu_shares, {});
  usage_->Start(entry.job.role, AmountsOf(launch.resources), now_);
  const Group& group = entry.job.groups[0];
  if (SharesExecutor(group) && !SharesDevice(group) &&
      warm_.Insert(launch.agent, ExecutorPool(entry.job, group, OfferRole(entry.job)))) {
    free -= ExecutorFor(group, kExecutor);
  }
}

// A device that nobody shares any more goes back with its executor.
void Scenario::End(Entry& entry) {
  for (const Launch& launch : entry.launched) EndOne(entry, launch);
  entry.launched.clear();
}

void Scenario::EndOne(const Entry& entry, const Launch& launch) {
  const Task& task = state_.tasks.at(TaskOf(launch, now_).id);
  running_.End(task);
  durations_.Add(entry.job.groups[0], now_ - task.launched);
  Resources& free = agents_.at(launch.agent.text).resources;
  free.gpu_shares = shared_[launch.agent];
  free += launch.resources;
  for (const GpuShare& share : std::vector<GpuShare>(free.gpu_shares)) {
    if (share.milli < 1000) continue;
    CloseDevice(share.id, free);
    free += kExecutor;
  }
  shared_[launch.agent] = std::exchange(free.gpu_shares, {});
  usage_->End(entry.job.role, AmountsOf(launch.resources), now_);
}

// The members that run end, at once: they wait again when they fail.
Status Scenario::EndTasks(Entry& entry, const std::string& how) {
  if (entry.launched.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "{} does not run", entry.job.name);
  }
  for (const Launch& launch : entry.launched) {
    Task task = TaskOf(launch, now_);
    if (how == "sick") quarantine_.ReportedSick(task, task.resources.gpu_ids, now_);
    task.state = how == "finish" ? TaskState::kFinished : TaskState::kFailed;
    task.charge = how == "finish" ? Charge::kNone : Charge::kJob;
    task.ended = now_;
    // Every job does work of its own.
    quarantine_.Ended(task, std::hash<std::string>()(entry.job.name), now_);
    if (how != "finish") entry.waiting.Insert(launch.member.index);
  }
  End(entry);
  return {};
}

Status Scenario::Expect(const Words& words) {
  if (words[1] == "held") {
    Words held;
    for (const OfferId& offer : plan_.held) held.push_back(offer.text.substr(6));
    const Words expected = words[2] == "nothing" ? Words{} : Words(words.begin() + 2, words.end());
    if (held != expected) return Differs("what is held", held, expected);
    return {};
  }
  if (words[1] == "evict") {
    const Words expected = words[2] == "nothing" ? Words{} : Words(words.begin() + 2, words.end());
    if (evicted_ != expected) return Differs("who is evicted", evicted_, expected);
    return {};
  }
  if (words[1] == "order") return ExpectOrder(words);
  if (words[1] == "ill") return ExpectHealth(words);
  KILN_TRY(const Entry* entry, Find(words[2]));
  if (words[1] == "start") return ExpectStart(*entry, words);
  if (words[1] == "wait" || words[1] == "blocker") return ExpectWait(*entry, words);
  if (words[1] == "estimate" || words[1] == "nearest") return ExpectForecast(*entry, words);
  if (words[1] == "gpus") {
    Words found;
    for (const Launch& launch : entry->launched) {
      for (const GpuId& id : launch.resources.gpu_ids) found.push_back(id.text);
      for (const GpuShare& share : launch.resources.gpu_shares) found.push_back(share.id.text);
    }
    const Words expected(words.begin() + 3, words.end());
    if (found != expected) return Differs("the gpus of " + words[2], found, expected);
    return {};
  }
  return Fail(ErrorCode::kInvalidArgument, "\"expect {}\" is not known", words[1]);
}

Status Scenario::ExpectOrder(const Words& words) const {
  Words found;
  for (const Launch& launch : plan_.launches) {
    if (found.empty() || found.back() != launch.member.job) found.push_back(launch.member.job);
  }
  const Words expected(words.begin() + 2, words.end());
  if (found != expected) return Differs("the order", found, expected);
  return {};
}

Status Scenario::ExpectHealth(const Words& words) const {
  Words found;
  for (const auto& [suspect, suspicion] : state_.suspicions) {
    if (suspicion.standing == Standing::kHealthy) continue;
    found.push_back((suspect.gpu.empty() ? suspect.agent.text : suspect.gpu.text) + ":" +
                    StandingName(suspicion.standing));
  }
  const Words expected = words[2] == "nothing" ? Words{} : Words(words.begin() + 2, words.end());
  if (found != expected) return Differs("what is ill", found, expected);
  return {};
}

Status Scenario::ExpectStart(const Entry& entry, const Words& words) const {
  Words found;
  for (const Launch& launch : entry.last) found.push_back(launch.agent.text);
  Words expected(words.begin() + std::min<size_t>(4, words.size()), words.end());
  if (found.empty()) {
    for (const Refusal& refusal : plan_.refusals) {
      if (refusal.job == entry.job.name) {
        return Fail(ErrorCode::kInvalidArgument, "{} waits: {}", refusal.job, refusal.reason);
      }
    }
  }
  if (found != expected) return Differs("the place of " + entry.job.name, found, expected);
  return {};
}

Status Scenario::ExpectForecast(const Entry& entry, const Words& words) const {
  for (const Refusal& refusal : plan_.refusals) {
    if (refusal.job != entry.job.name) continue;
    Words expected(words.begin() + 3, words.end());
    Words found = {refusal.nearest, refusal.held_by};
    if (words[1] == "estimate") {
      const auto& [start, basis] = refusal.estimate;
      found = start ? Words{FormatDuration(*start - Instant()), basis} : Words{basis};
      const auto time = ParseDuration(expected[0]);
      if (time) expected[0] = FormatDuration(*time);
    }
    found.resize(std::min(found.size(), expected.size()));
    if (found == expected) return {};
    return Differs(fmt::format("the {} of {}", words[1], words[2]), found, expected);
  }
  return Fail(ErrorCode::kInvalidArgument, "{} does not wait", entry.job.name);
}

Status Scenario::ExpectWait(const Entry& entry, const Words& words) const {
  for (const Refusal& refusal : plan_.refusals) {
    if (refusal.job != entry.job.name) continue;
    const std::string found = words[1] == "wait" ? refusal.reason : BlockerName(refusal.blocker);
    if (words.size() < 4 || found.starts_with(words[3])) return {};
    return Differs("the reason of " + entry.job.name, {found}, {words[3]});
  }
  return Fail(ErrorCode::kInvalidArgument, "{} does not wait", entry.job.name);
}

}  // namespace kiln::scheduler

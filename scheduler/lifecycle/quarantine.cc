#include "scheduler/lifecycle/quarantine.h"

#include <algorithm>

#include "model/units.h"
#include "scheduler/lifecycle/pause.h"

namespace kiln::scheduler {
namespace {

constexpr int kGrave = 2;

std::string NameOf(const Suspect& suspect, const std::string& hostname) {
  const std::string agent = "agent " + (hostname.empty() ? suspect.agent.text : hostname);
  return suspect.gpu.empty() ? agent : fmt::format("gpu {} of {}", suspect.gpu.text, agent);
}

// "3 failures"
std::string Count(size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string After(const std::vector<Strike>& strikes) {
  std::set<std::string> jobs;
  size_t failures = 0;
  for (const Strike& strike : strikes) {
    jobs.insert(strike.job);
    failures += static_cast<size_t>(strike.failures);
  }
  return fmt::format("after {} of {}", Count(failures, "failure"), Count(jobs.size(), "job"));
}

// How much the end of a task speaks against the place where it ran. Limits that the work broke,
// and losses of the network, speak of something else.
int WeightOf(const Task& task, Duration soon) {
  static const auto* const of_the_place = new std::set<std::string>{
      "CONTAINER_LAUNCH_FAILED", "CONTAINER_UPDATE_FAILED", "EXECUTOR_REGISTRATION_TIMEOUT",
      "EXECUTOR_TERMINATED", "IO_SWITCHBOARD_EXITED"};
  if (task.state != TaskState::kFailed || task.kill_wanted) return 0;
  if (of_the_place->contains(task.reason)) return kGrave;
  const bool own_limit = task.reason.starts_with("CONTAINER_LIMITATION") ||
                         task.reason == "MAX_COMPLETION_TIME_REACHED" ||
                         task.reason == "TASK_INVALID";
  if (task.charge != Charge::kJob || own_limit) return 0;
  const Instant start = task.started == Instant{} ? task.launched : task.started;
  return task.ended - start < soon ? kGrave : 1;
}

// The devices that the task holds or shares.
std::vector<Suspect> DevicesOf(const Task& task) {
  std::vector<Suspect> devices;
  for (const GpuId& id : task.resources.gpu_ids) devices.push_back({task.agent, id});
  for (const GpuShare& share : task.resources.gpu_shares) devices.push_back({task.agent, share.id});
  return devices;
}

std::vector<Suspect> SuspectsOf(const Task& task) {
  std::vector<Suspect> suspects = DevicesOf(task);
  suspects.push_back({task.agent, {}});
  return suspects;
}

}  // namespace

const char* StandingName(Standing standing) {
  switch (standing) {
    case Standing::kHealthy:
      return "HEALTHY";
    case Standing::kQuarantined:
      return "QUARANTINED";
    case Standing::kProbation:
      return "PROBATION";
  }
  return "";
}

std::string ToText(const Suspect& suspect, const Suspicion& suspicion) {
  const std::string name = NameOf(suspect, suspicion.hostname);
  switch (suspicion.standing) {
    case Standing::kHealthy:
      return name + " is healthy";
    case Standing::kQuarantined:
      return fmt::format(
          "{} is quarantined until {}{}", name,
          suspicion.until == Instant{} ? "it is released" : FormatInstant(suspicion.until),
          suspicion.reason.empty() ? " " + After(suspicion.strikes) : ", " + suspicion.reason);
    case Standing::kProbation:
      return name + " is on probation: " +
             (suspicion.probe.empty() ? "one small member at a time, of a job with retries"
                                      : "task " + suspicion.probe.text + " tries it");
  }
  return name;
}

Quarantine::Quarantine(const QuarantineSettings& settings, State& state, Effects& effects)
    : settings_(settings), state_(state), effects_(effects) {
  for (const auto& [id, agent] : state_.agents) agents_.insert(id);
  for (const auto& [suspect, suspicion] : state_.suspicions) {
    for (const Strike& strike : suspicion.strikes) {
      Failed& failed = works_[strike.work];
      failed.agents.insert(suspect.agent);
      failed.last = std::max(failed.last, strike.last);
    }
  }
}

void Quarantine::Tell(Entry entry, const char* state, std::string message) {
  Touch(entry->first);
  effects_.notices.push_back({"agent", entry->first.agent.text, state, std::move(message)});
}

void Quarantine::Launched(const Task& task) {
  if (state_.suspicions.empty()) return;
  for (const Suspect& suspect : SuspectsOf(task)) {
    const auto entry = state_.suspicions.find(suspect);
    if (entry == state_.suspicions.end()) continue;
    Suspicion& suspicion = entry->second;
    if (suspicion.standing != Standing::kProbation || !suspicion.probe.empty()) continue;
    suspicion.probe = task.id;
    Tell(entry, "PROBED", ToText(suspect, suspicion));
  }
}

void Quarantine::Ended(const Task& task, uint64_t work, Instant now) {
  const int weight = WeightOf(task, settings_.soon);
  if (task.state == TaskState::kFinished) {
    Good(task, work, now);
  } else if (weight > 0 && settings_.min > Duration(0)) {
    Bad(task, work, weight, now);
  }
  // A probe that ended in any other way tells nothing: the next one may begin.
  for (const Suspect& suspect : SuspectsOf(task)) {
    const auto entry = state_.suspicions.find(suspect);
    if (entry == state_.suspicions.end() || entry->second.probe != task.id) continue;
    Unprobed(entry, now);
  }
}

// The time for another one begins.
void Quarantine::Unprobed(Entry entry, Instant now) {
  Suspicion& suspicion = entry->second;
  suspicion.probe = {};
  suspicion.until = now + (suspicion.until - suspicion.since);
  suspicion.since = now;
  Touch(entry->first);
}

void Quarantine::Good(const Task& task, uint64_t work, Instant now) {
  for (const Suspect& suspect : SuspectsOf(task)) {
    const auto entry = state_.suspicions.find(suspect);
    if (entry == state_.suspicions.end()) continue;
    Suspicion& suspicion = entry->second;
    if (suspicion.standing == Standing::kProbation && suspicion.probe == task.id) {
      Acquit(entry, fmt::format("task {} has done well on it", task.id.text), {}, now);
    } else if (suspicion.standing == Standing::kHealthy && !suspicion.strikes.empty()) {
      auto strike = std::find_if(suspicion.strikes.begin(), suspicion.strikes.end(),
                                 [work](const Strike& one) { return one.work == work; });
      if (strike == suspicion.strikes.end()) strike = suspicion.strikes.begin();
      suspicion.strikes.erase(strike);
      Touch(suspect);
      Tick(entry, now);
    }
  }
}

void Quarantine::Bad(const Task& task, uint64_t work, int weight, Instant now) {
  agents_.insert(task.agent);
  Failed& failed = works_[work];
  failed.agents.insert(task.agent);
  failed.last = now;
  if (AtFault(work)) return TakeBack(work, now);
  const Strike strike{work, task.member.job, 1, weight, now};
  bool device = false;
  for (const Suspect& suspect : DevicesOf(task)) {
    if (!AddStrike(suspect, task, strike, now)) continue;
    device = true;
    const auto agent = state_.suspicions.find({task.agent, {}});
    if (agent == state_.suspicions.end() || agent->second.standing != Standing::kHealthy) continue;
    std::erase_if(agent->second.strikes, [&](const Strike& one) {
      const auto& known = state_.suspicions.at(suspect).strikes;
      return std::any_of(known.begin(), known.end(),
                         [&](const Strike& other) { return other.work == one.work; });
    });
    Touch(agent->first);
  }
  if (!device) AddStrike({task.agent, {}}, task, strike, now);
}

bool Quarantine::AddStrike(const Suspect& suspect, const Task& task, Strike strike, Instant now) {
  const auto [entry, created] = state_.suspicions.try_emplace(suspect);
  Suspicion& suspicion = entry->second;
  if (created) {
    suspicion.hostname = task.hostname;
    suspicion.since = now;
  }
  const auto same = std::find_if(suspicion.strikes.begin(), suspicion.strikes.end(),
                                 [&](const Strike& one) { return one.work == strike.work; });
  if (same != suspicion.strikes.end()) {
    strike.failures += same->failures;
    strike.weight = std::max(strike.weight, same->weight);
    suspicion.strikes.erase(same);
  }
  suspicion.strikes.push_back(std::move(strike));
  Touch(suspect);
  switch (suspicion.standing) {
    case Standing::kHealthy:
      if (Evidence(suspicion) < settings_.evidence || !MayCondemn(suspect)) return false;
      break;
    case Standing::kQuarantined:
      return true;
    case Standing::kProbation:
      if (suspicion.probe != task.id) return false;
      break;
  }
  Condemn(entry, now);
  return true;
}

bool Quarantine::AtFault(uint64_t work) const {
  const size_t all = std::min(settings_.agents_of_a_fault, agents_.size());
  return works_.at(work).agents.size() >= all;
}

int Quarantine::Evidence(const Suspicion& suspicion) const {
  std::map<std::string, int> weights;
  for (const Strike& strike : suspicion.strikes) {
    int& weight = weights[strike.job];
    weight = std::max(weight, strike.weight);
  }
  int sum = 0;
  for (const auto& [job, weight] : weights) sum += weight;
  return sum;
}

// When much fails at once, the agents are not the reason.
bool Quarantine::MayCondemn(const Suspect& suspect) const {
  if (!suspect.gpu.empty()) return true;
  const auto out =
      std::count_if(state_.suspicions.begin(), state_.suspicions.end(), [](const auto& entry) {
        return entry.first.gpu.empty() && entry.second.standing != Standing::kHealthy &&
               entry.second.reason.empty();
      });
  const auto most = static_cast<long>(static_cast<double>(agents_.size()) * settings_.share_max);
  return out < std::max(most, 1L);
}

void Quarantine::Condemn(Entry entry, Instant now) {
  Suspicion& suspicion = entry->second;
  suspicion.standing = Standing::kQuarantined;
  suspicion.since = now;
  suspicion.until = now + DoubledPause(settings_.min, suspicion.times++, settings_.max);
  suspicion.probe = {};
  Tell(entry, "QUARANTINED", ToText(entry->first, suspicion));
}

void Quarantine::Acquit(Entry entry, const std::string& why, std::vector<Strike> strikes,
                        Instant now) {
  Suspicion& suspicion = entry->second;
  suspicion = {.hostname = suspicion.hostname,
               .strikes = std::move(strikes),
               .times = suspicion.times,
               .since = now};
  Tell(entry, "HEALTHY", ToText(entry->first, suspicion) + ": " + why);
  Tick(entry, now);
}

// The work fails wherever it goes.
void Quarantine::TakeBack(uint64_t work, Instant now) {
  for (auto next = state_.suspicions.begin(); next != state_.suspicions.end();) {
    const auto entry = next++;
    Suspicion& suspicion = entry->second;
    if (std::erase_if(suspicion.strikes, [&](const Strike& one) { return one.work == work; }) ==
        0) {
      continue;
    }
    Touch(entry->first);
    if (suspicion.standing == Standing::kHealthy) {
      Tick(entry, now);
    } else if (suspicion.standing == Standing::kQuarantined && suspicion.reason.empty()) {
      const bool by_probe = suspicion.times > 1;
      if (by_probe ? !suspicion.strikes.empty() : Evidence(suspicion) >= settings_.evidence) {
        continue;
      }
      --suspicion.times;
      if (by_probe) {
        suspicion.until = now;
        Tick(entry, now);
      } else {
        Acquit(entry, "what failed on it fails elsewhere too", suspicion.strikes, now);
      }
    }
  }
}

void Quarantine::ReportedSick(const Task& task, const std::vector<GpuId>& gpus, Instant now) {
  for (const Suspect& suspect : DevicesOf(task)) {
    if (std::find(gpus.begin(), gpus.end(), suspect.gpu) == gpus.end()) continue;
    const auto [entry, created] = state_.suspicions.try_emplace(suspect);
    if (entry->second.standing == Standing::kQuarantined) continue;
    entry->second.hostname = task.hostname;
    entry->second.reason = fmt::format("as task {} reports it sick", task.id.text);
    Condemn(entry, now);
  }
}

void Quarantine::Set(const Suspect& suspect, const std::string& hostname,
                     std::optional<Duration> time, const std::string& reason, Instant now) {
  const auto [entry, created] = state_.suspicions.try_emplace(suspect);
  Suspicion& suspicion = entry->second;
  suspicion.hostname = hostname;
  suspicion.standing = Standing::kQuarantined;
  suspicion.since = now;
  suspicion.until = time ? now + *time : Instant{};
  suspicion.reason = "as an operator wants it" + (reason.empty() ? "" : ": " + reason);
  suspicion.probe = {};
  Tell(entry, "QUARANTINED", ToText(suspect, suspicion));
}

Status Quarantine::Release(const Suspect& suspect) {
  const auto entry = state_.suspicions.find(suspect);
  if (entry == state_.suspicions.end() || entry->second.standing == Standing::kHealthy) {
    return Fail(ErrorCode::kFailedPrecondition, "{} is healthy: expected one in quarantine",
                NameOf(suspect, entry == state_.suspicions.end() ? "" : entry->second.hostname));
  }
  Tell(entry, "HEALTHY", NameOf(suspect, entry->second.hostname) + " is released by an operator");
  state_.suspicions.erase(entry);
  return {};
}

std::optional<Instant> Quarantine::Due(const Suspicion& suspicion) const {
  switch (suspicion.standing) {
    case Standing::kHealthy:
      if (!suspicion.strikes.empty()) return suspicion.strikes.front().last + settings_.window;
      return suspicion.since + (suspicion.times == 0 ? Duration(0) : settings_.max);
    case Standing::kQuarantined:
      if (suspicion.until == Instant{}) return std::nullopt;
      return suspicion.until;
    case Standing::kProbation:
      break;
  }
  // Gangs, who may not try it, may be all that waits for it.
  if (suspicion.probe.empty()) return suspicion.until;
  const auto task = state_.tasks.find(suspicion.probe);
  if (task == state_.tasks.end() || IsTerminal(task->second.state)) return Instant{};
  if (task->second.started == Instant{}) return std::nullopt;
  return task->second.started + settings_.probe;
}

// Does what is due; the entry may be gone after.
void Quarantine::Tick(Entry entry, Instant now) {
  Suspicion& suspicion = entry->second;
  const auto due = Due(suspicion);
  if (!due || *due > now) return;
  Touch(entry->first);
  switch (suspicion.standing) {
    case Standing::kHealthy:
      std::erase_if(suspicion.strikes,
                    [&](const Strike& one) { return one.last + settings_.window <= now; });
      if (const auto next = Due(suspicion); *next <= now) state_.suspicions.erase(entry);
      return;
    case Standing::kQuarantined:
      suspicion = {.hostname = suspicion.hostname,
                   .standing = Standing::kProbation,
                   .times = suspicion.times,
                   .since = now,
                   .until = now + std::max(suspicion.until - suspicion.since, settings_.min)};
      return;
    case Standing::kProbation:
      if (suspicion.probe.empty()) return Acquit(entry, "nothing has come to try it", {}, now);
      if (*due == Instant{}) {
        Unprobed(entry, now);
      } else {
        Acquit(entry, fmt::format("task {} runs well on it", suspicion.probe.text), {}, now);
      }
  }
}

void Quarantine::Tick(Instant now) {
  for (auto next = state_.suspicions.begin(); next != state_.suspicions.end();) Tick(next++, now);
  if (now < swept_ + settings_.window) return;
  swept_ = now;
  std::erase_if(works_,
                [&](const auto& work) { return work.second.last + settings_.window <= now; });
}

std::optional<Instant> Quarantine::Next() const {
  std::optional<Instant> next;
  for (const auto& [suspect, suspicion] : state_.suspicions) {
    const auto due = Due(suspicion);
    if (due && (!next || *due < *next)) next = due;
  }
  return next;
}

Bars Quarantine::GetBars() const {
  Bars bars;
  for (const auto& [suspect, suspicion] : state_.suspicions) {
    const bool probation = suspicion.standing == Standing::kProbation;
    if (suspicion.standing == Standing::kHealthy) continue;
    const bool open = probation && suspicion.probe.empty();
    if (suspect.gpu.empty()) {
      bars[suspect.agent].reason = ToText(suspect, suspicion);
      bars[suspect.agent].probe = open;
    } else if (!open) {
      bars[suspect.agent].gpus[suspect.gpu] = ToText(suspect, suspicion);
    }
  }
  return bars;
}

}  // namespace kiln::scheduler

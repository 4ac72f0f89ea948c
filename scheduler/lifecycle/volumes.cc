#include "scheduler/lifecycle/volumes.h"

#include <algorithm>

#include "scheduler/lifecycle/pause.h"
#include "scheduler/placement/constraints.h"

namespace kiln::scheduler {
namespace {

constexpr const char* kSteps[] = {"reserve", "create", "destroy", "unreserve"};

const char* StepName(VolumeStep step) { return kSteps[static_cast<size_t>(step)]; }

// Volumes of this framework are known by their names, even when the state has them no more.
std::string StemOf(const State& state) {
  return fmt::format("{}{}.", kVolumePrefix, state.framework_id);
}

bool AllAre(const VolumeRecord& volume, StepState state) {
  return !volume.steps.empty() &&
         std::all_of(volume.steps.begin(), volume.steps.end(),
                     [state](const auto& step) { return step.second == state; });
}

bool AnyIs(const VolumeRecord& volume, StepState state) {
  return std::any_of(volume.steps.begin(), volume.steps.end(),
                     [state](const auto& step) { return step.second == state; });
}

}  // namespace

const char* VolumePhaseName(VolumePhase phase) {
  switch (phase) {
    case VolumePhase::kMaking:
      return "MAKING";
    case VolumePhase::kHeld:
      return "HELD";
    case VolumePhase::kUnwanted:
      return "UNWANTED";
    case VolumePhase::kRemoving:
      return "REMOVING";
  }
  return "";
}

std::string OperationId(const VolumeRecord& volume, VolumeStep step) {
  const bool removes = step == VolumeStep::kDestroy || step == VolumeStep::kUnreserve;
  return fmt::format("{}.{}{}", volume.id, StepName(step),
                     removes ? fmt::format("-{}", volume.removals) : "");
}

Volumes::Volumes(const Settings& settings, State& state, Effects& effects)
    : settings_(settings), state_(state), effects_(effects) {
  for (const auto& [id, volume] : state_.volumes) {
    if (AnyIs(volume, StepState::kOpen)) open_.insert(id);
    if (volume.phase == VolumePhase::kUnwanted) unwanted_.insert(id);
    if (volume.phase != VolumePhase::kMaking && volume.phase != VolumePhase::kHeld) continue;
    by_member_[volume.member].insert(id);
  }
  SoonSeek({});
}

Group Volumes::Tie(const MemberId& member, const Group& group) const {
  Group tied = group;
  const std::set<std::string>& ids = by_member_.at(member);
  for (Volume& volume : tied.volumes) {
    for (const std::string& id : ids) {
      const VolumeRecord& record = state_.volumes.at(id);
      if (record.path != volume.path) continue;
      volume.tie = {id, record.agent,
                    fmt::format("agent {}, which has held {} since {}", record.hostname,
                                volume.path, FormatInstant(record.since))};
    }
  }
  // It had its place by the job's constraints when it began.
  tied.constraints = {{"@agent", ConstraintOperator::kCluster, AgentOf(member).text}};
  return tied;
}

const AgentId& Volumes::AgentOf(const MemberId& member) const {
  return state_.volumes.at(*by_member_.at(member).begin()).agent;
}

std::vector<WaitingGroup> Volumes::Split(const std::string& job, const WaitingGroup& waiting,
                                         LentToPlacement& lent) const {
  const Group& group = *waiting.group;
  std::vector<WaitingGroup> parts;
  MemberSet untied;
  std::vector<AgentId> places;  // of those who come back
  size_t rank = 0;
  for (const int index : waiting.members) {
    const MemberId member{job, group.name, index};
    if (Has(member)) {
      parts.push_back({.group = &lent.tied.emplace_back(Tie(member, group)),
                       .members = waiting.members.Part(rank, 1),
                       .in_gang = waiting.in_gang});
      places.push_back(AgentOf(member));
    } else {
      untied.Insert(index);
    }
    ++rank;
  }
  if (untied.empty()) return parts;
  WaitingGroup& others = parts.emplace_back(waiting);
  others.members = MemberRange(lent.untied.emplace_back(std::move(untied)));
  if (CountMembers(group.constraints)) {
    others.placed.insert(others.placed.end(), places.begin(), places.end());
  }
  return parts;
}

std::vector<std::string> Volumes::Launch(const Task& task, const Group& group,
                                         const std::string& role,
                                         const std::function<std::string()>& next_id, Instant now,
                                         Resources& resources) {
  std::vector<std::string> made;
  const std::set<std::string> known =
      Has(task.member) ? by_member_.at(task.member) : std::set<std::string>{};
  for (const Volume& volume : group.volumes) {
    const bool there = std::any_of(known.begin(), known.end(), [&](const std::string& id) {
      return state_.volumes.at(id).path == volume.path;
    });
    if (there) continue;
    VolumeRecord record{.id = fmt::format("{}{}.{}.{}.{}", StemOf(state_), task.member.job,
                                          task.member.group, task.member.index, next_id()),
                        .member = task.member,
                        .path = volume.path,
                        .size = volume.size,
                        .role = role,
                        .agent = task.agent,
                        .hostname = task.hostname,
                        .steps = {{VolumeStep::kReserve, StepState::kOpen},
                                  {VolumeStep::kCreate, StepState::kOpen}},
                        .since = now};
    resources.disk = resources.disk - volume.size;
    resources += Resources{.volumes = {{record.id, volume.size}}};
    made.push_back(record.id);
    by_member_[task.member].insert(record.id);
    open_.insert(record.id);
    Touch(record);
    state_.volumes.emplace(record.id, std::move(record));
  }
  if (!made.empty()) SoonAsk(now);
  return made;
}

void Volumes::Ran(const Task& task, Instant now) {
  for (const NamedVolume& volume : task.resources.volumes) {
    const auto found = state_.volumes.find(volume.id);
    if (found == state_.volumes.end() || found->second.phase != VolumePhase::kMaking) continue;
    SetPhase(found->second, VolumePhase::kHeld, "", now);
  }
}

std::optional<std::string> Volumes::Lacks(const Task& task) const {
  for (const NamedVolume& volume : task.resources.volumes) {
    const auto found = state_.volumes.find(volume.id);
    if (found != state_.volumes.end() && found->second.phase == VolumePhase::kHeld) continue;
    const auto why = failures_.find(task.member);
    return why == failures_.end() ? "" : "its volume could not be made: " + why->second;
  }
  return std::nullopt;
}

void Volumes::Release(const std::string& job, Instant now) {
  std::erase_if(failures_, [&](const auto& failure) { return failure.first.job == job; });
  std::set<std::string> ids;
  for (auto member = by_member_.lower_bound({job, "", 0});
       member != by_member_.end() && member->first.job == job; ++member) {
    ids.insert(member->second.begin(), member->second.end());
  }
  for (const std::string& id : ids) {
    SetPhase(state_.volumes.at(id), VolumePhase::kUnwanted, "the job has ended", now);
  }
}

void Volumes::SetPhase(VolumeRecord& volume, VolumePhase phase, const std::string& message,
                       Instant now) {
  volume.phase = phase;
  volume.since = now;
  Touch(volume);
  effects_.notices.push_back({"volume", volume.id, VolumePhaseName(phase), message});
  if (phase == VolumePhase::kHeld) {
    volume.steps.clear();
    failures_.erase(volume.member);
  }
  if (phase == VolumePhase::kUnwanted) {
    Untie(volume);
    unwanted_.insert(volume.id);
    SoonSeek(now + RestOf(volume));
  } else {
    unwanted_.erase(volume.id);
  }
  if (AnyIs(volume, StepState::kOpen)) {
    open_.insert(volume.id);
  } else {
    open_.erase(volume.id);
  }
}

void Volumes::Untie(const VolumeRecord& volume) {
  const auto member = by_member_.find(volume.member);
  if (member == by_member_.end()) return;
  member->second.erase(volume.id);
  if (member->second.empty()) by_member_.erase(member);
}

void Volumes::Erase(const std::string& id, const char* state, const std::string& message) {
  const auto volume = state_.volumes.find(id);
  Touch(volume->second);
  effects_.notices.push_back({"volume", id, state, message});
  Untie(volume->second);
  open_.erase(id);
  unwanted_.erase(id);
  state_.volumes.erase(volume);
}

void Volumes::Told(const OperationUpdate& update, Instant now) {
  if (!update.uuid.empty()) {
    effects_.operation_acknowledgements.push_back({update.operation, update.agent, update.uuid});
  }
  const auto found = state_.volumes.find(update.operation.substr(0, update.operation.rfind('.')));
  if (found == state_.volumes.end()) return;
  VolumeRecord& volume = found->second;
  // Its agent is another one by now.
  if (!update.agent.empty() && update.agent != volume.agent) return;
  if (update.state == OperationUpdate::State::kGone) {
    return Erase(volume.id, "LOST", "its agent is gone: " + volume.hostname);
  }
  if (update.state == OperationUpdate::State::kWaiting) return;
  for (auto& [step, state] : volume.steps) {
    if (state != StepState::kOpen || OperationId(volume, step) != update.operation) continue;
    state = update.state == OperationUpdate::State::kDone ? StepState::kDone : StepState::kFailed;
    Touch(volume);
    if (!AnyIs(volume, StepState::kOpen)) open_.erase(volume.id);
    return Judge(volume, update.message, now);
  }
}

// What follows from the steps that are answered.
void Volumes::Judge(VolumeRecord& volume, const std::string& message, Instant now) {
  const auto create = volume.steps.find(VolumeStep::kCreate);
  switch (volume.phase) {
    case VolumePhase::kMaking:
      if (create->second == StepState::kDone) return SetPhase(volume, VolumePhase::kHeld, "", now);
      if (create->second == StepState::kOpen) return;
      failures_[volume.member] = message;
      SetPhase(volume, VolumePhase::kUnwanted, "it could not be made: " + message, now);
      return Judge(volume, message, now);
    case VolumePhase::kHeld:
      return;
    case VolumePhase::kUnwanted:
      // Nothing was made of it.
      if (AllAre(volume, StepState::kFailed)) Erase(volume.id, "REMOVED", message);
      return;
    case VolumePhase::kRemoving:
      if (AllAre(volume, StepState::kDone)) return Erase(volume.id, "REMOVED", "");
      if (!AnyIs(volume, StepState::kFailed)) return;
      volume.steps.clear();
      return SetPhase(volume, VolumePhase::kUnwanted, "it could not be removed: " + message, now);
  }
}

VolumeRecord& Volumes::Adopt(const OfferedVolume& offered, const Offer& offer, Instant now) {
  VolumeRecord& volume = state_.volumes[offered.id];
  volume = {.id = offered.id,
            .role = offer.role,
            .agent = offer.agent.id,
            .hostname = offer.agent.hostname};
  SetPhase(volume, VolumePhase::kUnwanted, "nobody knows of it", now);
  return volume;
}

// A machine whose agent has begun anew, under another id, has its volumes still. What the former
// agent was told to do has no answer any more.
void Volumes::Move(VolumeRecord& volume, const OfferedVolume& offered, const Offer& offer,
                   Instant now) {
  volume.agent = offer.agent.id;
  volume.hostname = offer.agent.hostname;
  Touch(volume);
  const bool half = volume.phase == VolumePhase::kMaking && !offered.made;
  if (!half && volume.phase != VolumePhase::kRemoving) return;
  volume.steps.clear();
  SetPhase(volume, VolumePhase::kUnwanted, "its agent is another one now", now);
}

std::optional<RemovalCall> Volumes::Offered(const Offer& offer, Instant now) {
  RemovalCall call{.offers = {offer.id}};
  for (const OfferedVolume& offered : offer.volumes) {
    auto found = state_.volumes.find(offered.id);
    if (found == state_.volumes.end()) {
      if (!offered.id.starts_with(StemOf(state_))) continue;  // of another framework
      Adopt(offered, offer, now);
      found = state_.volumes.find(offered.id);
    }
    VolumeRecord& volume = found->second;
    if (volume.agent != offer.agent.id) Move(volume, offered, offer, now);
    if (volume.phase == VolumePhase::kMaking && offered.made) {
      SetPhase(volume, VolumePhase::kHeld, "", now);
    }
    if (volume.phase != VolumePhase::kUnwanted || now - volume.since < RestOf(volume)) continue;
    ++volume.removals;
    volume.steps.clear();
    RemovalCall::One one{.volume = volume.id};
    if (offered.made) {
      volume.steps[VolumeStep::kDestroy] = StepState::kOpen;
      one.destroy = OperationId(volume, VolumeStep::kDestroy);
      const NamedVolume name{volume.id, {}};
      const auto& named = offer.resources.volumes;
      const auto there = std::lower_bound(named.begin(), named.end(), name);
      if (there != named.end() && there->id == volume.id) {
        call.resources += Resources{.volumes = {*there}};
      }
    }
    if (offered.reserved) {
      volume.steps[VolumeStep::kUnreserve] = StepState::kOpen;
      one.unreserve = OperationId(volume, VolumeStep::kUnreserve);
    }
    SetPhase(volume, VolumePhase::kRemoving, "", now);
    call.volumes.push_back(std::move(one));
  }
  if (call.volumes.empty()) return std::nullopt;
  SoonAsk(now);
  return call;
}

// Before it is removed again when that has failed, but for the first time, which may have told what
// is there: otherwise each try would bring the offer for the next one.
Duration Volumes::RestOf(const VolumeRecord& volume) const {
  if (volume.removals < 2) return Duration(0);
  return DoubledPause(settings_.seek_volumes_min, volume.removals - 2, settings_.seek_volumes_max);
}

void Volumes::SoonSeek(Instant now) {
  seek_ = now;
  seek_pause_ = settings_.seek_volumes_min;
}

void Volumes::SoonAsk(Instant now) {
  ask_pause_ = settings_.ask_operations_min;
  ask_ = now + ask_pause_;
}

std::set<std::string> Volumes::Seek(Instant now) {
  std::set<std::string> roles;
  if (unwanted_.empty() || now < seek_) return roles;
  for (const std::string& id : unwanted_) roles.insert(state_.volumes.at(id).role);
  seek_ = now + seek_pause_;
  seek_pause_ = std::min(2 * seek_pause_, settings_.seek_volumes_max);
  return roles;
}

// Of volumes that are held it is asked whether their agents are gone.
void Volumes::Subscribed(Instant now) {
  connected_ = true;
  for (const auto& [id, volume] : state_.volumes) {
    if (volume.phase != VolumePhase::kHeld) continue;
    effects_.operations_asked.emplace_back(OperationId(volume, VolumeStep::kCreate), volume.agent);
  }
  SoonAsk(now);
  ask_ = now;
  SoonSeek(now);
}

void Volumes::Tick(Instant now) {
  if (connected_ && !open_.empty() && now >= ask_) {
    for (const std::string& id : open_) {
      const VolumeRecord& volume = state_.volumes.at(id);
      for (const auto& [step, state] : volume.steps) {
        if (state != StepState::kOpen) continue;
        effects_.operations_asked.emplace_back(OperationId(volume, step), volume.agent);
      }
    }
    ask_ = now + ask_pause_;
    ask_pause_ = std::min(2 * ask_pause_, settings_.ask_operations_max);
  }
  const std::set<std::string> unwanted = unwanted_;
  for (const std::string& id : unwanted) {
    if (now - state_.volumes.at(id).since < settings_.seek_volumes_for) continue;
    Erase(id, "FORGOTTEN", "its agent has not offered it for long");
  }
}

std::optional<Instant> Volumes::Next() const {
  std::optional<Instant> next;
  if (connected_ && !unwanted_.empty()) next = seek_;
  if (connected_ && !open_.empty() && (!next || ask_ < *next)) next = ask_;
  return next;
}

}  // namespace kiln::scheduler

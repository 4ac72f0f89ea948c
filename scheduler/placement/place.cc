#include "scheduler/placement/place.h"

#include <algorithm>
#include <tuple>

#include "base/random.h"
#include "scheduler/placement/constraints.h"
#include "scheduler/placement/explain.h"
#include "scheduler/placement/gathering.h"
#include "scheduler/placement/gpus.h"
#include "scheduler/placement/limits.h"
#include "scheduler/placement/needs.h"
#include "scheduler/placement/ranking.h"
#include "scheduler/placement/rooms.h"

namespace kiln::scheduler {
namespace {

// A member put into a room, as long as it can be taken back.
struct Placed {
  size_t room;
  Launch launch;
  Resources charged;              // the launch and the executor that came with it
  std::optional<AgentId> warmed;  // where it brought the pool's executor
  std::optional<GpuId> opened;    // a device that is shared with it for the first time
};

class Placer {
 public:
  Placer(const Snapshot& snapshot, const Policy& policy)
      : snapshot_(snapshot),
        policy_(policy),
        rooms_(RoomsOf(snapshot)),
        ranking_(snapshot, rooms_, policy),
        warm_(snapshot.warm),
        limits_(snapshot.sharing ? &*snapshot.sharing : nullptr),
        chance_(snapshot.seed) {}

  Plan Run() {
    for (const WaitingJob& job : snapshot_.jobs) {
      PlaceGang(job);
      for (const WaitingGroup& group : job.groups) {
        if (!group.in_gang || !job.StartsTogether()) PlaceSingly(job, group);
      }
    }
    for (const Room& room : rooms_) {
      if (room.used) continue;
      auto& list = room.held ? plan_.held : plan_.declined;
      list.insert(list.end(), room.offers.begin(), room.offers.end());
    }
    return std::move(plan_);
  }

 private:
  using Log = std::vector<Placed>;

  // A group while its members are placed.
  struct Part {
    const WaitingGroup* group;
    Constraints constraints;
    size_t placed = 0;  // members, the first ones

    size_t Missing() const { return group->members.size() - placed; }
  };
  class Gang;

  // What tells members without constraints from each other, as far as placement goes.
  using Want = std::tuple<std::string, std::string, int64_t, Bytes, Bytes, int, int, double,
                          std::string, Bytes, std::string, std::string, bool>;

  static Want WantOf(const WaitingJob& job, const Group& group) {
    const bool pooled = SharesExecutor(group) && !SharesDevice(group);
    const GpuRequest& gpus = group.gpus;
    return {job.role,           pooled ? ExecutorPool(*job.job, job.role) : "",
            group.cpus_milli,   group.mem,
            group.disk,         group.ports,
            gpus.count,         gpus.share,
            gpus.model,         gpus.memory,
            gpus.link,          gpus.mig,
            SharesDevice(group)};
  }

  void PlaceSingly(const WaitingJob& job, const WaitingGroup& group) {
    if (const Cause* cause = Hopeless(job, group)) {
      return Refuse(job, group, group.members.size(), cause->blocker, cause->reason);
    }
    Log log;
    Part part{&group, LiveConstraints(group)};
    PlacePart(job, part, log);
    if (part.Missing() > 0) {
      const Cause cause = CauseOf(job, part, nullptr);
      Refuse(job, group, part.Missing(), cause.blocker, cause.reason);
      Despair(job, group, cause);
    }
    Keep(std::move(log));
  }

  // Why its members fit nowhere, if that is known.
  const Cause* Hopeless(const WaitingJob& job, const WaitingGroup& group) const {
    if (!group.group->constraints.empty()) return nullptr;
    const auto known = hopeless_.find(WantOf(job, *group.group));
    return known == hopeless_.end() ? nullptr : &known->second;
  }

  // One of its members fits nowhere.
  void Despair(const WaitingJob& job, const WaitingGroup& group, const Cause& cause) {
    if (!group.group->constraints.empty() || cause.blocker == Blocker::kLimit) return;
    hopeless_.emplace(WantOf(job, *group.group), cause);
  }

  // All groups of the gang, all or at least as many members as it needs.
  void PlaceGang(const WaitingJob& job);

  void RefuseGang(const WaitingJob& job, const Cause& cause) {
    for (const WaitingGroup& group : job.groups) {
      if (group.in_gang) Refuse(job, group, group.members.size(), cause.blocker, cause.reason);
    }
  }

  Constraints LiveConstraints(const WaitingGroup& group) {
    Constraints constraints(group.group->constraints);
    if (group.placed.empty()) return constraints;
    for (const AgentId& id : group.placed) {
      if (const Agent* agent = AgentOf(id)) constraints.Add(*agent);
    }
    return constraints;
  }

  // Null: it has not offered, and none of the placed members is there.
  const Agent* AgentOf(const AgentId& id) {
    if (agents_.empty()) FindAgents();
    const auto agent = agents_.find(id);
    return agent == agents_.end() ? nullptr : agent->second;
  }

  Topology& TopologyOf(const std::string& role, const Levels& levels) {
    const std::pair key(role, levels);
    const auto found = topologies_.find(key);
    if (found != topologies_.end()) return found->second;
    return topologies_.emplace(key, Topology(rooms_, role, levels)).first->second;
  }

  void FindAgents() {
    for (const Offer& offer : snapshot_.offers) agents_[offer.agent.id] = &offer.agent;
    if (snapshot_.agents == nullptr) return;
    for (const auto& [id, agent] : *snapshot_.agents) agents_.emplace(id, &agent);
  }

  // Puts members into rooms until all are in or one fits nowhere.
  void PlacePart(const WaitingJob& job, Part& part, Log& log) {
    const std::string* field = part.constraints.OpenCluster();
    if (field == nullptr) return Fill(job, part, log, nullptr, {});
    // CLUSTER without a value: the value with room for most members.
    std::map<std::string, size_t> counts;
    for (const size_t room : Open(job, nullptr, {})) {
      if (const auto value = FieldOf(*rooms_[room].agent, *field)) counts[*value] = 0;
    }
    for (auto& [value, count] : counts) {
      Log trial;
      Part copy = part;
      Fill(job, copy, trial, field, value);
      count = copy.placed;
      TakeBack(job, trial);
    }
    const auto best = std::max_element(counts.begin(), counts.end(),
                                       [](auto& a, auto& b) { return a.second < b.second; });
    if (best != counts.end()) Fill(job, part, log, field, best->first);
  }

  // With a field, only agents whose field has this value are looked at.
  void Fill(const WaitingJob& job, Part& part, Log& log, const std::string* field,
            const std::string& value) {
    const WaitingGroup& group = *part.group;
    Constraints& constraints = part.constraints;
    const bool runs = policy_.in_runs && constraints.Empty() && !group.group->gpus.Any();
    // Executors and constraints make agents of one shape unlike each other.
    const bool own_executor = !SharesExecutor(*group.group) || SharesDevice(*group.group);
    const bool alike = constraints.Empty() && own_executor && !Shapes::TooLarge(*group.group);
    std::optional<std::vector<size_t>> open;
    std::optional<size_t> last;
    for (const int index : group.members.Part(part.placed, part.Missing())) {
      if (limits_.Over(job.job->role, AmountsOf(*group.group))) break;
      std::optional<Placed> placed;
      if (runs && last) placed = Try(job, group, *last, 0);
      if (!placed && alike) {
        const auto best = ranking_.Best(*group.group, job.role);
        if (!best) break;
        placed = Try(job, group, best->room, best->share_from);
      }
      if (!placed) {
        if (!open) open = Open(job, field, value);
        placed = Best(job, group, constraints, *open);
      }
      if (!placed) break;
      last = placed->room;
      placed->launch.member = {job.job->name, group.group->name, index};
      Take(job, *placed);
      constraints.Add(*rooms_[placed->room].agent);
      log.push_back(*std::move(placed));
      ++part.placed;
    }
  }

  std::vector<size_t> Open(const WaitingJob& job, const std::string* field,
                           const std::string& value) const {
    std::vector<size_t> open;
    for (size_t i = 0; i < (scope_ == nullptr ? rooms_.size() : scope_->size()); ++i) {
      const size_t index = scope_ == nullptr ? i : (*scope_)[i];
      const Room& room = rooms_[index];
      if (room.role != job.role || room.held) continue;
      if (field == nullptr || FieldOf(*room.agent, *field) == value) open.push_back(index);
    }
    return open;
  }

  // What the room gives a member; the launch has no member yet.
  std::optional<Placed> Try(const WaitingJob& job, const WaitingGroup& group, size_t index,
                            int share_from) const {
    const Room& room = rooms_[index];
    Placed placed{.room = index};
    if (BringsExecutor(job, *group.group, room.agent->id)) placed.warmed = room.agent->id;
    auto taken = TryWith(*group.group, room, placed.warmed.has_value(), share_from);
    if (!taken) return std::nullopt;
    for (const GpuShare& share : taken->gpu_shares) {
      const auto& whole = room.free.gpu_ids;
      if (!std::binary_search(whole.begin(), whole.end(), share.id)) continue;
      placed.opened = share.id;  // with an executor that holds it
      if (!TryWith(*group.group, room, true, share_from)) return std::nullopt;
    }
    placed.charged = *taken;
    if (placed.warmed || placed.opened) placed.charged += snapshot_.executor;
    placed.launch.agent = room.agent->id;
    placed.launch.resources = *std::move(taken);
    return placed;
  }

  std::optional<Resources> TryWith(const Group& group, const Room& room, bool executor,
                                   int share_from) const {
    Resources free = room.free;
    if (executor) {
      if (!free.Contains(snapshot_.executor)) return std::nullopt;
      free -= snapshot_.executor;
    }
    return Fit(group, *room.agent, free, chance_, share_from);
  }

  // Of the room with the member in it.
  Resources Left(const Placed& placed) const {
    Resources left = rooms_[placed.room].free;
    if (placed.opened) OpenDevice(*placed.opened, left);
    left -= placed.charged;
    return left;
  }

  // Looks at every open room. Resources only shrink: what is too small once is closed for good.
  std::optional<Placed> Best(const WaitingJob& job, const WaitingGroup& group,
                             const Constraints& constraints, std::vector<size_t>& open) {
    // Work without GPUs keeps off agents that have some; then a warm executor; then what GROUP_BY
    // wants even; then the policy. The first agent wins a tie.
    using Rank = std::tuple<bool, bool, int, std::pair<double, double>>;
    std::optional<Placed> best;
    Rank best_rank;
    std::vector<size_t> still;
    for (const size_t index : open) {
      const Room& room = rooms_[index];
      const bool allowed = constraints.Allows(*room.agent);
      std::optional<Placed> placed;
      if (allowed) placed = Try(job, group, index, 0);
      if (placed || !allowed) still.push_back(index);
      if (!placed) continue;
      const Rank rank(group.group->gpus.Any() || !HasGpus(room), !placed->warmed,
                      -constraints.Crowd(*room.agent), ranking_.Score(index, Left(*placed)));
      if (best && rank <= best_rank) continue;
      best = std::move(placed);
      best_rank = rank;
    }
    open = std::move(still);
    return best;
  }

  bool BringsExecutor(const WaitingJob& job, const Group& group, const AgentId& agent) const {
    return SharesExecutor(group) && !SharesDevice(group) &&
           !warm_.contains({ExecutorPool(*job.job, job.role), agent});
  }

  void Take(const WaitingJob& job, const Placed& placed) {
    chance_ = Random(chance_)();
    rooms_[placed.room].free = Left(placed);
    ranking_.Update(placed.room);
    limits_.Take(job.job->role, AmountsOf(placed.launch.resources));
    if (placed.warmed || placed.opened) hopeless_.clear();
    if (placed.warmed) warm_.emplace(ExecutorPool(*job.job, job.role), *placed.warmed);
  }

  // The last one first: who opened a device leaves it after those who share it.
  void TakeBack(const WaitingJob& job, const Log& log) {
    for (auto placed = log.rbegin(); placed != log.rend(); ++placed) {
      Resources& free = rooms_[placed->room].free;
      free += placed->charged;
      if (placed->opened) CloseDevice(*placed->opened, free);
      if (placed->warmed) warm_.erase({ExecutorPool(*job.job, job.role), *placed->warmed});
      limits_.GiveBack(job.job->role, AmountsOf(placed->launch.resources));
      ranking_.Update(placed->room);
    }
  }

  void Keep(Log log) {
    for (Placed& placed : log) {
      Room& room = rooms_[placed.room];
      room.used = true;
      placed.launch.offers = room.offers;
      plan_.launches.push_back(std::move(placed.launch));
    }
  }

  // Why the next member of the part fits nowhere; with a scope, nowhere there.
  Cause CauseOf(const WaitingJob& job, const Part& part, const std::vector<size_t>* scope) {
    const Group& group = *part.group->group;
    if (auto over = limits_.Over(job.job->role, AmountsOf(group))) return *std::move(over);
    const Resources overhead = SharesExecutor(group) ? snapshot_.executor : Resources{};
    return Explain(group, job.role, rooms_, scope, part.constraints, overhead);
  }

  void Refuse(const WaitingJob& job, const WaitingGroup& group, size_t members, Blocker blocker,
              const std::string& reason) {
    if (group.parted) {
      const auto [found, first] = parted_.try_emplace(group.group, plan_.refusals.size());
      if (!first) {
        plan_.refusals[found->second].members += static_cast<int>(members);
        return;
      }
    }
    plan_.refusals.push_back({job.job->name, group.group->name, static_cast<int>(members), blocker,
                              reason + QuotaWords(job, group, blocker)});
  }

  // Why others go first: because of the quota of this job's role, or because of theirs.
  std::string QuotaWords(const WaitingJob& job, const WaitingGroup& group, Blocker blocker) {
    if (blocker == Blocker::kLimit) return {};
    const bool gang = group.in_gang && job.StartsTogether();
    const std::string owed =
        limits_.Owed(job.job->role, gang ? GangAmounts(job) : AmountsOf(*group.group));
    if (owed_.empty() && !owed.empty()) owed_ = owed;
    if (!owed.empty()) return fmt::format("; {}, goes first", owed);
    return owed_.empty() ? "" : fmt::format("; behind {}", owed_);
  }

  const Snapshot& snapshot_;
  const Policy& policy_;
  std::vector<Room> rooms_;
  Ranking ranking_;
  WarmExecutors warm_;
  std::map<AgentId, const Agent*> agents_;  // once they are needed
  Limits limits_;
  const std::vector<size_t>* scope_ = nullptr;  // the rooms that are looked at; null: all
  std::map<std::pair<std::string, Levels>, Topology> topologies_;  // by role
  std::string owed_;                       // the first role that waits for what its quota covers
  std::map<const Group*, size_t> parted_;  // their refusals
  uint64_t chance_;
  // What one member did not get the next of its like does not get either: rooms only shrink, unless
  // an executor came that others need not bring.
  std::map<Want, Cause> hopeless_;
  Plan plan_;
};

// The waiting members of a job's gang.
class Placer::Gang final : public GangFill {
 public:
  Gang(Placer& placer, const WaitingJob& job) : placer_(placer), job_(job) {
    for (const WaitingGroup& group : job.groups) {
      if (!group.in_gang) continue;
      parts_.push_back({&group, placer.LiveConstraints(group)});
      needs_.push_back(placer.ranking_.NeedOf(*group.group));
    }
  }

  const std::vector<Part>& parts() const { return parts_; }
  const Log& log() const { return log_; }
  Log Take() { return std::move(log_); }

  // Puts as many as fit where the gang wants them; gives why the first of the others fits nowhere.
  Cause Place() {
    if (parts_.empty()) return {};
    const bool hopeless = std::all_of(parts_.begin(), parts_.end(), [this](const Part& part) {
      return placer_.Hopeless(job_, *part.group) != nullptr;
    });
    if (hopeless) return *placer_.Hopeless(job_, *parts_[0].group);
    if (job_.IsNear()) return PlaceNear();
    Put(nullptr);
    return Together(CauseOfFirst(nullptr));
  }

  std::vector<size_t> Out() const override {
    std::vector<size_t> out;
    for (const Part& part : parts_) out.push_back(part.Missing());
    return out;
  }

  size_t Holds(size_t index, size_t number) const override {
    const Room& room = placer_.rooms_[index];
    const Group& group = *parts_[number].group->group;
    if (room.held) return 0;
    if (Shapes::TooLarge(group)) {
      return (room.free.gpu_ids.size() + static_cast<size_t>(room.free.gpus)) /
             static_cast<size_t>(group.gpus.count);
    }
    size_t count = CountOf(needs_[number], placer_.ranking_.ShapeOf(index));
    if (group.disk.count > 0) {
      count = std::min(count, static_cast<size_t>(room.free.disk.count / group.disk.count));
    }
    if (group.ports > 0) {
      count = std::min(count, static_cast<size_t>(room.free.PortCount() / group.ports));
    }
    return count;
  }

  void Put(const std::vector<size_t>* rooms) override {
    placer_.scope_ = rooms;
    placer_.ranking_.Narrow(rooms);
    for (Part& part : parts_) placer_.PlacePart(job_, part, log_);
    placer_.ranking_.Narrow(nullptr);
    placer_.scope_ = nullptr;
  }

  bool Done() const override {
    return std::all_of(parts_.begin(), parts_.end(), [this](const Part& part) {
      return part.Missing() == 0 ||
             placer_.limits_.Over(job_.job->role, AmountsOf(*part.group->group));
    });
  }

  void TakeAllBack() override {
    placer_.TakeBack(job_, log_);
    log_.clear();
    for (Part& part : parts_) part = {part.group, placer_.LiveConstraints(*part.group)};
  }

 private:
  Cause PlaceNear() {
    Levels levels = placer_.snapshot_.levels;
    levels.emplace_back(kHostLevel);
    const Nearness nearness = NearnessOf(*job_.job, levels);
    levels.resize(std::min(levels.size(), static_cast<size_t>(nearness.prefer + 1)));
    Topology& topology = placer_.TopologyOf(job_.role, levels);
    std::vector<size_t> live;
    for (const AgentId& id : job_.placed) {
      if (const Agent* agent = placer_.AgentOf(id)) live.push_back(topology.Locate(*agent));
    }
    const size_t out = Waiting();
    const Gathered gathered = Gather(topology, live, nearness, *this);
    if (Waiting() == 0) return {};
    if (nearness.require < 0) return Together(CauseOfFirst(nullptr));
    const bool somewhere = !log_.empty() || gathered.live > 0;
    const std::vector<size_t> scope =
        somewhere ? topology.RoomsOf(gathered.domain) : topology.RoomsAt(nearness.require);
    const bool enough = log_.size() >= static_cast<size_t>(job_.gang_needed);
    Cause cause = CauseOfFirst(&scope);
    if (cause.blocker == Blocker::kLimit || (!somewhere && gathered.domains > 0)) return cause;
    const size_t needed = enough ? out : static_cast<size_t>(job_.gang_needed);
    return {Blocker::kTopology,
            ReasonOf(topology, gathered, job_.job->gang_require, needed, log_.size()) +
                (scope.empty() ? "" : ": the next " + cause.reason)};
  }

  size_t Waiting() const {
    size_t sum = 0;
    for (const Part& part : parts_) sum += part.Missing();
    return sum;
  }

  // Of the first that is out.
  Cause CauseOfFirst(const std::vector<size_t>* scope) const {
    for (const Part& part : parts_) {
      if (part.Missing() == 0) continue;
      Cause cause = placer_.CauseOf(job_, part, scope);
      if (scope == nullptr && log_.empty()) placer_.Despair(job_, *part.group, cause);
      return cause;
    }
    return {};
  }

  // Some fit, but not enough of them.
  Cause Together(Cause next) const {
    const auto needed = static_cast<size_t>(job_.gang_needed);
    if (log_.empty() || log_.size() >= needed) return next;
    return {Blocker::kGang, fmt::format("needs {} members, {} fit{}{}", needed, log_.size(),
                                        next.reason.empty() ? "" : ": the next ", next.reason)};
  }

  Placer& placer_;
  const WaitingJob& job_;
  std::vector<Part> parts_;
  std::vector<Need> needs_;  // of the parts
  Log log_;
};

void Placer::PlaceGang(const WaitingJob& job) {
  if (!job.StartsTogether()) return;
  if (job.gang_needed > 0) {
    if (const auto over = limits_.Over(job.job->role, GangAmounts(job))) {
      return RefuseGang(job, *over);
    }
  }
  Gang gang(*this, job);
  Cause cause = gang.Place();
  const int fit = static_cast<int>(gang.log().size());
  if (fit >= job.gang_needed) {
    for (const Part& part : gang.parts()) {
      if (part.Missing() > 0) Refuse(job, *part.group, part.Missing(), cause.blocker, cause.reason);
    }
    return Keep(gang.Take());
  }
  if (fit > 0) {
    const std::string beyond = limits_.BeyondAll(GangAmounts(job));
    if (!beyond.empty()) {
      cause = {Blocker::kGang,
               fmt::format("needs {} members, {} fit: {}", job.gang_needed, fit, beyond)};
    }
  }
  RefuseGang(job, cause);
  const bool holds = job.may_hold && plan_.holder.empty() && 2 * fit >= job.gang_needed;
  const Log log = gang.Take();
  TakeBack(job, log);
  for (const Placed& placed : log) {
    Room& room = rooms_[placed.room];
    // A room that a job before this one launches into cannot be held: its offers are spent.
    if (!holds || room.used) continue;
    room.held = true;
    ranking_.Update(placed.room);
    plan_.holder = job.job->name;
  }
}

}  // namespace

Plan Place(const Snapshot& snapshot, const Policy& policy) {
  return Placer(snapshot, policy).Run();
}

}  // namespace kiln::scheduler

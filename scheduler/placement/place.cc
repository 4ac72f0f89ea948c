#include "scheduler/placement/place.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <unordered_map>

#include "base/prefetch.h"
#include "base/random.h"
#include "scheduler/placement/choices.h"
#include "scheduler/placement/constraints.h"
#include "scheduler/placement/explain.h"
#include "scheduler/placement/gang.h"
#include "scheduler/placement/ground.h"
#include "scheduler/placement/limits.h"
#include "scheduler/placement/nearest.h"
#include "scheduler/placement/needs.h"
#include "scheduler/placement/placed.h"
#include "scheduler/placement/refusals.h"
#include "scheduler/placement/reservations.h"
#include "scheduler/placement/wants.h"

namespace kiln::scheduler {
namespace {

// What it costs, in looks at agents.
constexpr size_t kLooksOfJob = 8;  // that is known to fit nowhere
constexpr size_t kLooksOfLaunch = 32;
constexpr size_t kRoomsOfCause = 2;   // are told of at the cost of one look
constexpr size_t kRoomsOfGlance = 4;  // are passed over at that cost

constexpr const char* kEndsBefore = "!";  // behind a want: of who ends before the head starts

// Most jobs of a long queue are known to fit nowhere, and lie in no cache.
void Ahead(const std::vector<WaitingJob>& jobs, size_t at) {
  const auto groups = [&](size_t ahead) -> const std::vector<WaitingGroup>* {
    const bool there = at + ahead < jobs.size() && !jobs[at + ahead].groups.empty();
    return there ? &jobs[at + ahead].groups : nullptr;
  };
  if (const auto* far = groups(3 * kAhead)) Prefetch(far->data());
  if (const auto* near = groups(2 * kAhead)) Prefetch((*near)[0].facts, sizeof(GroupFacts));
  const auto* next = groups(kAhead);
  if (next != nullptr && (*next)[0].facts != nullptr) {
    Prefetch((*next)[0].facts->want.data(), 2 * 64);
    Prefetch((*next)[0].facts->pool.data());
  }
}

class Placer final : public MemberPlacer, public Planning {
 public:
  Placer(const Snapshot& snapshot, const Policy& policy)
      : snapshot_(snapshot),
        policy_(policy),
        ground_(snapshot, policy),
        reservations_(snapshot, policy, rooms_, ranking_),
        limits_(snapshot.sharing ? &*snapshot.sharing : nullptr),
        chance_(snapshot.seed) {}

  bool GoOn(size_t looks) override {
    looks_ = 0;
    looks_max_ = looks;
    if (!ground_.GoOn(looks_, looks_max_)) return false;
    for (; served_ < snapshot_.jobs.size(); ++served_, served_groups_ = 0) {
      const WaitingJob& job = snapshot_.jobs[served_];
      if (!gang_served_) {
        if (Tired()) return false;
        Ahead(snapshot_.jobs, served_);
        looks_ += kLooksOfJob;
        PlaceGang(job);
        gang_served_ = true;
      }
      for (; served_groups_ < job.groups.size(); ++served_groups_) {
        const WaitingGroup& group = job.groups[served_groups_];
        if (group.in_gang && job.StartsTogether()) continue;
        if (!single_) BeginSingle(job, group);
        if (single_ && !PlaceSingly(job, group, *single_)) return false;
        single_.reset();
      }
      gang_served_ = false;
    }
    return true;
  }

  Plan Take() override {
    reservations_.Hold(plan_);
    for (const Room& room : rooms_) {
      if (room.used) continue;
      auto& list = room.held ? plan_.held : plan_.declined;
      list.insert(list.end(), room.offers.begin(), room.offers.end());
    }
    plan_.refusals = refusals_.Take();
    return std::move(plan_);
  }

 private:
  // Members of a group that are placed one by one, as far as that has come.
  struct Single {
    Part part;
    std::string want;
    bool plain = true;
    bool placed = false;  // who fits
  };

  // This part of the work has cost enough.
  bool Tired() const { return looks_ >= looks_max_; }

  // Work without GPUs keeps off agents that have some; then a warm executor; then what GROUP_BY
  // wants even; then the policy. The first agent wins a tie.
  using Rank = std::tuple<bool, bool, int, std::pair<double, double>>;

  // Refuses what is known to fit nowhere; of the rest there is a single to go on with.
  void BeginSingle(const WaitingJob& job, const WaitingGroup& group) {
    std::optional<GroupFacts> gathered;
    const GroupFacts& facts = group.facts != nullptr
                                  ? *group.facts
                                  : gathered.emplace(FactsOf(*job.job, *group.group, job.role));
    const bool plain = facts.plain;
    std::string longer;
    const std::string* want = &facts.want;
    if (reservations_.EndsBefore(job, *group.group)) want = &(longer = facts.want + kEndsBefore);
    if (!plain) JudgeUnbound(job, *group.group, *want);
    if (const Cause* cause = HopelessFor(job, group, facts.pool, *want)) {
      if (plain || snapshot_.brief || AllowsSome(job, group)) {
        return Refuse(job, group, group.members.size(), *cause);
      }
    }
    if (!plain) {
      want = &(longer = *want + WantOf(group.group->constraints));
      const Cause* cause =
          group.placed.empty() ? HopelessFor(job, group, facts.pool, *want) : nullptr;
      if (cause != nullptr) return Refuse(job, group, group.members.size(), *cause);
    }
    single_.emplace(Single{Begin(group), *want, plain});
    // Where constraints have a say, every room is looked at.
    if (!plain && single_->part.constraints.OpenCluster() == nullptr) {
      choices_.emplace(Open(job, nullptr, {}));
    }
  }

  // Gives whether it is done.
  bool PlaceSingly(const WaitingJob& job, const WaitingGroup& group, Single& single) {
    Part& part = single.part;
    if (!single.placed) {
      while (choices_ && !SeeSome(job, part)) {
        if (Tired()) return false;
      }
      Log log;
      PlacePart(job, part, log);
      Keep(job, std::move(log));
      choices_.reset();
      single.placed = true;
      if (part.Missing() == 0) return true;
      if (Tired()) return false;
    }
    const Cause cause = CauseOf(job, part, nullptr);
    Refuse(job, group, part.Missing(), cause);
    // Where members are is against others of this group alone.
    const bool alike = single.plain || (group.placed.empty() && part.placed == 0);
    if (alike && cause.blocker != Blocker::kLimit) hopeless_.emplace(std::move(single.want), cause);
    return true;
  }

  void Refuse(const WaitingJob& job, const WaitingGroup& group, size_t members,
              const Cause& cause) {
    const bool is_new = refusals_.Add(job, group, members, cause);
    if (!is_new && !snapshot_.brief) return;
    refusals_.Tell(1, reservations_.Foresee(job, &group, cause));
  }

  // Who ends before the head of the role starts finds more room than others.
  std::string Want(const WaitingJob& job, const Group& group) const {
    return WantOf(job.role, group) + (reservations_.EndsBefore(job, group) ? kEndsBefore : "");
  }

  const Cause* HopelessFor(const WaitingJob& job, const WaitingGroup& group,
                           const std::string& pool, const std::string& want) {
    const auto known = hopeless_.find(want);
    if (known == hopeless_.end() || HasWarmRoom(job, group, pool, want)) return nullptr;
    return &known->second;
  }

  // What fits nowhere without its constraints need not be tried with them.
  void JudgeUnbound(const WaitingJob& job, const Group& group, const std::string& want) {
    if (hopeless_.contains(want) || Shapes::TooLarge(group)) return;
    if (ranking_.Best(group, job.role, {}) || reservations_.EndsBefore(job, group)) return;
    const WaitingGroup unbound{.group = &group};
    const Cause cause = CauseOf(job, {&unbound, Constraints({})}, nullptr);
    if (cause.blocker != Blocker::kLimit) hopeless_.emplace(want, cause);
  }

  bool AllowsSome(const WaitingJob& job, const WaitingGroup& group) {
    looks_ += rooms_.size() / kRoomsOfGlance;
    const Constraints constraints = LiveConstraints(group);
    return std::any_of(rooms_.begin(), rooms_.end(), [&](const Room& room) {
      return room.role == job.role && constraints.Allows(*room.agent);
    });
  }

  const Cause* Hopeless(const WaitingJob& job, const WaitingGroup& group) override {
    if (!group.group->constraints.empty()) return nullptr;
    const GroupFacts facts = FactsOf(*job.job, *group.group, job.role);
    return HopelessFor(job, group, facts.pool, Want(job, *group.group));
  }

  void Despair(const WaitingJob& job, const WaitingGroup& group, const Cause& cause) override {
    if (!group.group->constraints.empty() || cause.blocker == Blocker::kLimit) return;
    hopeless_.emplace(Want(job, *group.group), cause);
  }

  // Where the executor is, less is needed than elsewhere.
  bool HasWarmRoom(const WaitingJob& job, const WaitingGroup& group, const std::string& pool,
                   const std::string& want) {
    if (pool.empty()) return false;
    const std::set<size_t>& rooms = warmth_.Rooms(pool);
    if (rooms.empty() || full_.contains({pool, want})) return false;
    for (const size_t room : rooms) {
      if (IsOpen(job, room) && Try(job, group, room, 0)) return true;
    }
    full_.emplace(pool, want);
    return false;
  }

  // All groups of the gang, all or at least as many members as it needs.
  void PlaceGang(const WaitingJob& job);
  std::optional<Cause> KnownOf(const WaitingJob& job, const WaitingGroup& group);

  void RefuseGang(const WaitingJob& job, const Cause& cause) {
    const size_t count = refusals_.AddGang(job, cause);
    refusals_.Tell(count, reservations_.Foresee(job, nullptr, cause));
  }

  Part Begin(const WaitingGroup& group) override { return {&group, LiveConstraints(group)}; }

  Constraints LiveConstraints(const WaitingGroup& group) {
    Constraints constraints(group.group->constraints);
    if (group.placed.empty()) return constraints;
    for (const AgentId& id : group.placed) {
      if (const Agent* agent = FindAgent(id, rooms_, snapshot_.agents)) constraints.Add(*agent);
    }
    return constraints;
  }

  Topology& TopologyOf(const std::string& role, const Levels& levels) override {
    return topologies_.try_emplace({role, levels}, rooms_, role, levels).first->second;
  }

  void Put(const WaitingJob& job, std::vector<Part>& parts, const std::vector<size_t>* scope,
           Log& log) override {
    scope_ = scope;
    ranking_.Narrow(scope);
    for (Part& part : parts) PlacePart(job, part, log);
    ranking_.Narrow(nullptr);
    scope_ = nullptr;
  }

  // Puts members into rooms until all are in or one fits nowhere.
  void PlacePart(const WaitingJob& job, Part& part, Log& log) {
    const std::string* field = part.constraints.OpenCluster();
    if (field == nullptr) return Fill(job, part, log, nullptr, {});
    // CLUSTER without a value: the value with room for most members.
    std::map<std::string, size_t> counts;
    for (const size_t room : Open(job, nullptr, {})) {
      if (const std::string* value = FieldOf(*rooms_[room].agent, *field)) counts[*value] = 0;
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
    // Constraints make agents of one shape unlike each other.
    const bool alike = constraints.Empty() && !Shapes::TooLarge(*group.group);
    const bool pooled = IsPooled(*group.group);
    const bool brief = scope_ == nullptr && reservations_.EndsBefore(job, *group.group);
    std::optional<Choices<Rank>> choices = std::exchange(choices_, std::nullopt);
    std::optional<size_t> last;
    for (const int index : group.members.Part(part.placed, part.Missing())) {
      if (limits_.Over(job.job->role, AmountsOf(*group.group))) break;
      std::optional<Placed> placed;
      bool closed = false;  // to it, all rooms are
      if (runs && last) placed = Try(job, group, *last, 0);
      if (!placed && alike) {
        const Resources overhead =
            pooled ? ExecutorFor(*group.group, snapshot_.executor) : Resources{};
        const auto best = ranking_.Best(*group.group, job.role, overhead);
        if (best) placed = Try(job, group, best->room, best->share_from);
        const bool odd = best && !placed;  // as ports, disk or links are not there
        if (pooled && !odd) placed = BestWarm(job, group, std::move(placed));
        closed = !placed && !odd;
      }
      if (!placed && !closed) {
        if (!choices) choices.emplace(Open(job, field, value));
        placed = Best(job, group, constraints, *choices);
      }
      if (!placed && brief) placed = BestKept(job, group, constraints);
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
                           const std::string& value) {
    looks_ += rooms_.size() / kRoomsOfGlance;
    std::vector<size_t> open;
    for (size_t i = 0; i < (scope_ == nullptr ? rooms_.size() : scope_->size()); ++i) {
      const size_t index = scope_ == nullptr ? i : (*scope_)[i];
      if (!IsOpen(job, index)) continue;
      if (field == nullptr || HasField(*rooms_[index].agent, *field, value)) open.push_back(index);
    }
    return open;
  }

  bool IsOpen(const WaitingJob& job, size_t room) const {
    return rooms_[room].role == job.role && !rooms_[room].held;
  }

  // What the room gives a member; the launch has no member yet.
  std::optional<Placed> Try(const WaitingJob& job, const WaitingGroup& group, size_t index,
                            int share_from) const {
    const Room& room = rooms_[index];
    if (!MayFit(*group.group, room.free)) return std::nullopt;
    Placed placed{.room = index, .group = group.group};
    placed.warmed = IsPooled(*group.group) && !warmth_.Has(PoolOf(job, *group.group), index);
    const Resources own = ExecutorFor(*group.group, snapshot_.executor);
    auto taken = placed.warmed ? FitWith(*group.group, room, own, chance_, share_from)
                               : Fit(*group.group, *room.agent, room.free, chance_, share_from);
    if (!taken) return std::nullopt;
    for (const GpuShare& share : taken->gpu_shares) {
      const auto& whole = room.free.gpu_ids;
      if (!std::binary_search(whole.begin(), whole.end(), share.id)) continue;
      placed.opened = share.id;  // with an executor that holds it
      if (!FitWith(*group.group, room, own, chance_, share_from)) return std::nullopt;
    }
    placed.charged = *taken;
    if (placed.warmed || placed.opened) placed.charged += own;
    placed.launch.agent = room.agent->id;
    placed.launch.resources = *std::move(taken);
    return placed;
  }

  // With what is kept for the head of the role, of which no device is opened.
  std::optional<Placed> BestKept(const WaitingJob& job, const WaitingGroup& group,
                                 const Constraints& constraints) {
    for (const size_t index : reservations_.Kept(job.role)) {
      Room& room = rooms_[index];
      if (!constraints.Allows(*room.agent)) continue;
      room.free += room.kept;
      std::optional<Placed> placed = Try(job, group, index, 0);
      room.free -= room.kept;
      if (!placed || placed->opened) continue;
      placed->kept = Overlap(placed->charged, room.kept);
      return placed;
    }
    return std::nullopt;
  }

  Rank RankOf(const Group& group, const Constraints& constraints, const Placed& placed) {
    const Room& room = rooms_[placed.room];
    return {group.gpus.Any() || !HasGpus(room), !placed.warmed, -constraints.Crowd(*room.agent),
            ranking_.Score(placed.room, LeftOf(rooms_[placed.room], placed))};
  }

  // Rooms without the pool's executor are alike by shape: `cold` is the best of them, if any.
  std::optional<Placed> BestWarm(const WaitingJob& job, const WaitingGroup& group,
                                 std::optional<Placed> cold) {
    const Constraints none({});
    std::optional<Placed> best = std::move(cold);
    Rank best_rank;
    if (best) best_rank = RankOf(*group.group, none, *best);
    for (const size_t room : warmth_.Rooms(PoolOf(job, *group.group))) {
      const bool in_scope =
          scope_ == nullptr || std::find(scope_->begin(), scope_->end(), room) != scope_->end();
      if (!in_scope || !IsOpen(job, room)) continue;
      auto placed = Try(job, group, room, 0);
      if (!placed) continue;
      const Rank rank = RankOf(*group.group, none, *placed);
      if (best && rank <= best_rank) continue;
      best = std::move(placed);
      best_rank = rank;
    }
    return best;
  }

  Choices<Rank>::Look LookAt(const WaitingJob& job, const WaitingGroup& group,
                             const Constraints& constraints, size_t index) {
    if (!constraints.Allows(*rooms_[index].agent)) return Choices<Rank>::Barred();
    const auto placed = Try(job, group, index, 0);
    // Resources only shrink: what is too small is closed for good.
    if (!placed) return Choices<Rank>::Closed();
    return RankOf(*group.group, constraints, *placed);
  }

  // The next rooms of those that the first member may go to; gives whether these are all.
  bool SeeSome(const WaitingJob& job, const Part& part) {
    constexpr size_t kRooms = 1'000;
    looks_ += kRooms;
    return choices_->SeeSome(
        kRooms, [&](size_t room) { return LookAt(job, *part.group, part.constraints, room); });
  }

  std::optional<Placed> Best(const WaitingJob& job, const WaitingGroup& group,
                             const Constraints& constraints, Choices<Rank>& choices) {
    const auto room = choices.Best(constraints.MayOpen(), [&](size_t index) {
      return LookAt(job, group, constraints, index);
    });
    return room ? Try(job, group, *room, 0) : std::nullopt;
  }

  void Take(const WaitingJob& job, const Placed& placed) {
    looks_ += kLooksOfLaunch;
    chance_ = Random(chance_)();
    PutInto(rooms_[placed.room], placed);
    ranking_.Update(placed.room);
    limits_.Take(job.job->role, AmountsOf(placed.launch.resources));
    if (placed.opened) hopeless_.clear();
    if (!placed.warmed) return;
    warmth_.Add(PoolOf(job, *placed.group), placed.room);
    full_.clear();
  }

  void TakeBack(const WaitingJob& job, const Log& log) override {
    for (auto placed = log.rbegin(); placed != log.rend(); ++placed) {
      TakeOutOf(rooms_[placed->room], *placed);
      if (placed->warmed) warmth_.Remove(PoolOf(job, *placed->group), placed->room);
      limits_.GiveBack(job.job->role, AmountsOf(placed->launch.resources));
      ranking_.Update(placed->room);
    }
  }

  void Keep(const WaitingJob& job, Log log) {
    if (!log.empty()) short_gangs_.clear();
    for (Placed& placed : log) {
      Room& room = rooms_[placed.room];
      room.used = true;
      placed.charged -= placed.kept;
      reservations_.Started(placed.room, placed.charged, job, *placed.group);
      placed.launch.offers = room.offers;
      plan_.launches.push_back(std::move(placed.launch));
    }
  }

  Cause CauseOf(const WaitingJob& job, const Part& part,
                const std::vector<size_t>* scope) override {
    const Group& group = *part.group->group;
    if (auto over = limits_.Over(job.job->role, AmountsOf(group))) return *std::move(over);
    if (scope == nullptr && BestKept(job, *part.group, part.constraints)) {
      return {Blocker::kReserved, reservations_.Words(job.role)};
    }
    looks_ += rooms_.size() / kRoomsOfCause;
    const Resources overhead = ExecutorFor(group, snapshot_.executor);
    Cause cause =
        Explain(group, job.role, {rooms_, ground_.names(), scope}, part.constraints, overhead);
    if (scope == nullptr) nearest_.Tell(group, job.role, part.constraints, overhead, cause);
    return cause;
  }

  const Snapshot& snapshot_;
  const Policy& policy_;
  Ground ground_;
  std::vector<Room>& rooms_ = ground_.rooms();
  Ranking& ranking_ = ground_.ranking();
  Warmth& warmth_ = ground_.warmth();
  Reservations reservations_;
  Nearest nearest_{rooms_, ground_.names(), snapshot_.outlook};
  Limits limits_;
  const std::vector<size_t>* scope_ = nullptr;  // the rooms that are looked at; null: all
  std::map<std::pair<std::string, Levels>, Topology> topologies_;  // by role
  Refusals refusals_{limits_, snapshot_.brief};
  uint64_t chance_;
  // What one member did not get the next of its like does not get either: rooms only shrink, but
  // for a device that is shared for the first time.
  std::unordered_map<std::string, Cause> hopeless_;
  std::set<std::pair<std::string, std::string>> full_;  // pools whose rooms have none for a want
  // Of gangs of one group: why they do not start with the rooms as they are, by want and size.
  std::map<std::pair<std::string, int>, std::pair<size_t, Cause>> short_gangs_;
  Plan plan_;
  size_t served_ = 0;                     // jobs
  bool gang_served_ = false;              // of the next one
  size_t served_groups_ = 0;              // of the next one
  std::optional<Single> single_;          // the next group, when it has been begun
  std::optional<Choices<Rank>> choices_;  // of its first member, where it has constraints
  size_t looks_ = 0;                      // that this part of the work has cost
  size_t looks_max_ = SIZE_MAX;
};

// Why the gang does not start, if that is known without a try.
std::optional<Cause> Placer::KnownOf(const WaitingJob& job, const WaitingGroup& group) {
  const std::string want = WantOf(job.role, *group.group);
  const auto hopeless = hopeless_.find(want);
  if (hopeless != hopeless_.end()) return hopeless->second;
  const auto needed = static_cast<size_t>(job.gang_needed);
  // Who has room for half of its members would hold it.
  const size_t many = job.may_hold && plan_.holder.empty() ? (needed + 1) / 2 : needed;
  const auto known = short_gangs_.find({want, job.gang_needed});
  if (known != short_gangs_.end() && known->second.first < many) return known->second.second;
  if (!snapshot_.brief || Shapes::TooLarge(*group.group)) return std::nullopt;
  const size_t count = ranking_.CountOf(*group.group, job.role);
  if (count >= many) return std::nullopt;
  const Cause cause{Blocker::kGang, fmt::format("needs {} members, {} fit", needed, count)};
  short_gangs_[{want, job.gang_needed}] = {count, cause};
  return cause;
}

void Placer::PlaceGang(const WaitingJob& job) {
  if (!job.StartsTogether()) return;
  if (job.gang_needed > 0) {
    if (const auto over = limits_.Over(job.job->role, GangAmounts(job))) {
      return RefuseGang(job, *over);
    }
  }
  const WaitingGroup* plain = PlainGang(job);
  if (plain != nullptr) {
    if (const auto known = KnownOf(job, *plain)) return RefuseGang(job, *known);
  }
  Gang gang(*this, {snapshot_, rooms_, ranking_, limits_}, job);
  Cause cause = gang.Place();
  const int fit = static_cast<int>(gang.log().size());
  if (fit >= job.gang_needed) {
    for (const Part& part : gang.parts()) {
      if (part.Missing() > 0) refusals_.Add(job, *part.group, part.Missing(), cause);
    }
    return Keep(job, gang.Take());
  }
  if (fit > 0) {
    const std::string beyond = limits_.BeyondAll(GangAmounts(job));
    if (!beyond.empty()) {
      cause = {Blocker::kGang,
               fmt::format("needs {} members, {} fit: {}", job.gang_needed, fit, beyond)};
    }
  }
  const Log log = gang.Take();
  TakeBack(job, log);
  RefuseGang(job, cause);
  const bool holds = job.may_hold && plan_.holder.empty() && 2 * fit >= job.gang_needed &&
                     !reservations_.HasHead(job.role);
  for (const Placed& placed : log) {
    Room& room = rooms_[placed.room];
    // A room that a job before this one launches into cannot be held: its offers are spent.
    if (!holds || room.used) continue;
    room.held = true;
    ranking_.Update(placed.room);
    plan_.holder = job.job->name;
  }
  if (holds) short_gangs_.clear();
  if (plain != nullptr && cause.blocker != Blocker::kLimit) {
    const std::pair key(WantOf(job.role, *plain->group), job.gang_needed);
    if (!holds) short_gangs_[key] = {static_cast<size_t>(fit), cause};
  }
}

}  // namespace

Plan Place(const Snapshot& snapshot, const Policy& policy) {
  Placer placer(snapshot, policy);
  placer.GoOn(SIZE_MAX);
  return placer.Take();
}

std::unique_ptr<Planning> BeginPlace(const Snapshot& snapshot, const Policy& policy) {
  return std::make_unique<Placer>(snapshot, policy);
}

}  // namespace kiln::scheduler

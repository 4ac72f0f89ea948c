#include "scheduler/lifecycle/cycle.h"

#include <algorithm>
#include <iterator>

#include "scheduler/placement/claims.h"
#include "scheduler/placement/limits.h"
#include "scheduler/placement/moves.h"
#include "scheduler/placement/preemption.h"

namespace kiln::scheduler {
namespace {

constexpr int kJobsTried = 8;     // in one cycle, by preemption, where the cluster is small
constexpr int kLooksBetween = 5;  // by others, before a job that found nobody looks again
constexpr size_t kHeads = 8;      // groups of a role that may be its head

}  // namespace

Cycle::Outcome Cycle::Run(Lifecycle& lifecycle, bool connected, Instant now) {
  connected_ = connected;
  if (judged_ != nullptr && judged_->Free()) judged_.reset();
  lifecycle.Tick(now);
  std::set<std::string> sought;
  if (connected && lifecycle.Settled(now)) sought = FreeVolumes(lifecycle, now);
  Sight sight = See(lifecycle, now);
  judge_next_ = JudgeNext(sight);
  const bool at_once = !connected || IsSmall(book_, sight);
  std::set<std::string> wanted = sight.roles;
  Plan plan;
  if (connected) plan = Decide(lifecycle, std::move(sight), now);
  BookFreed(lifecycle);
  Charge(lifecycle, plan, lifecycle.effects().starts, now);
  Outcome outcome;
  const bool busy = !at_once && !plan.launches.empty();
  if (connected) {
    outcome.evicted = Preempt(lifecycle, busy, now);
  } else {
    preempt_next_.reset();
  }
  outcome.effects = lifecycle.TakeEffects();
  const bool changed = std::exchange(changes_, book_.changes()) != book_.changes();
  if (at_once) judging_.reset();
  if (judging_ != nullptr) judging_->outdated |= changed || outcome.effects.Durable();
  current_ = false;
  if (at_once && now >= judge_next_) {
    sight = See(lifecycle, now);
    wanted = sight.roles;
    Explain(lifecycle, std::move(sight), now);
    current_ = true;
  } else if (judging_ != nullptr || now >= judge_next_) {
    current_ = !PutOff(plan) && Judge(lifecycle, now);
  }
  wanted.insert(sought.begin(), sought.end());
  std::set<std::string> elsewhere = std::exchange(elsewhere_, {});
  elsewhere.insert(sought.begin(), sought.end());
  if (connected) outcome.calls = book_.Settle(plan, wanted, elsewhere, now);
  return outcome;
}

// Volumes in hand that nobody wants are removed; gives the roles of those that are sought.
std::set<std::string> Cycle::FreeVolumes(Lifecycle& lifecycle, Instant now) {
  bool any = false;
  for (const Offer& offer : book_.HandWithVolumes()) {
    any = lifecycle.RemoveVolumes(offer, now) || any;
  }
  if (any) {
    std::vector<OfferBook::Charge> charges;
    for (const RemovalCall& call : lifecycle.effects().removals) {
      charges.push_back({&call.offers, call.resources});
    }
    book_.Spend(charges, now);
  }
  return lifecycle.SeekVolumes(now);
}

Sight Cycle::See(const Lifecycle& lifecycle, Instant now) {
  return lifecycle.See(now, std::exchange(used_, {}));
}

Instant Cycle::JudgeNext(const Sight& sight) const {
  if (IsSmall(book_, sight)) return explained_;
  const bool is_new = std::any_of(sight.jobs.begin(), sight.jobs.end(),
                                  [this](const auto& job) { return job.since > explained_; });
  return told_ + (is_new ? kReasonsAge : kJudgedAge);
}

std::optional<Instant> Cycle::Next(Instant now) const {
  std::optional<Instant> next = preempt_next_;
  if (!elsewhere_.empty() || judging_ != nullptr) return now;
  if (!current_) return next ? std::min(*next, judge_next_) : judge_next_;
  // What is kept for a start that does not come is free then.
  for (const Refusal& refusal : refusals_) {
    const auto& start = refusal.estimate.start;
    if (start && *start > now && (!next || *start < *next)) next = start;
  }
  return next;
}

Plan Cycle::Decide(Lifecycle& lifecycle, Sight sight, Instant now) {
  const Sharing sharing = lifecycle.SharingAt(now, book_.Free());
  Limits limits(&sharing);
  may_evict_ = std::any_of(sight.jobs.begin(), sight.jobs.end(), [&](const WaitingJob& job) {
    return MayEvict(lifecycle, job, limits, now);
  });
  if (sight.jobs.empty() || !book_.HasHand()) {
    used_ = std::move(sight.jobs);
    return {};
  }
  Outlook outlook = lifecycle.OutlookAt(now);
  outlook.known = [this](const AgentId& agent, const std::string& role) {
    return book_.KnownOf(agent, role);
  };
  outlook.hold = book_.hold();
  outlook.estimates = kHeads;
  Snapshot snapshot = SnapshotOf(lifecycle, book_, book_.LendHand(), std::move(sight.jobs),
                                 std::move(sight.usual), outlook);
  snapshot.brief = true;
  Plan plan = PlaceByClaims(snapshot, policy_);
  used_ = std::move(snapshot.jobs);
  std::map<AgentId, Agent> agents;  // that have had no task so far
  if (!plan.launches.empty()) {
    for (const Offer& offer : snapshot.offers) {
      if (!lifecycle.KnowsAgent(offer.agent.id)) agents.emplace(offer.agent.id, offer.agent);
    }
  }
  book_.TakeBackHand(std::move(snapshot.offers));
  lifecycle.LaunchAll(plan.launches, agents, now);
  return plan;
}

bool Cycle::MayEvict(const Lifecycle& lifecycle, const WaitingJob& job, Limits& limits,
                     Instant now) const {
  return scheduler::MayEvict(job, lifecycle.GetRunning(), limits,
                             lifecycle.settings().preemption) &&
         lifecycle.MayEvictAgain(job.job->name, now);
}

// Looks for those who have to end for what waits: for one job in a cycle.
size_t Cycle::Preempt(Lifecycle& lifecycle, bool busy, Instant now) {
  if (!may_evict_) preempt_next_.reset();
  if (!may_evict_ || (preempt_next_ && now < *preempt_next_)) return 0;
  const PreemptionSettings& settings = lifecycle.settings().preemption;
  // On a large cluster a cycle that starts something has enough to do, for a while.
  if (!preempt_next_) preempt_next_ = now;
  if (busy && now - *preempt_next_ < settings.again) return 0;
  // What a try costs grows with the cluster: a larger one has fewer of them.
  const auto size = static_cast<int>(book_.KnownSize() / kSmallCluster) + 1;
  preempt_next_ = now + size * settings.again;
  std::erase_if(found_nobody_, [now](const auto& job) { return job.second <= now; });
  Sight sight = See(lifecycle, now);
  const Outlook outlook = lifecycle.OutlookAt(now);
  Snapshot snapshot =
      SnapshotOf(lifecycle, book_, book_.LendKnown(), std::move(sight.jobs), {}, outlook);
  Limits limits(&*snapshot.sharing);
  std::optional<Eviction> eviction;
  int tried = 0;
  for (WaitingJob& job : snapshot.jobs) {
    if (eviction || tried == std::max(kJobsTried / size, 1)) break;
    const std::string& name = job.job->name;
    if (found_nobody_.contains(name) || !MayEvict(lifecycle, job, limits, now)) continue;
    ++tried;
    job.expected = ExpectedStart(name, refusals_);
    eviction = FindEviction(snapshot, job, lifecycle.GetRunning(), settings, policy_, now);
    if (!eviction) found_nobody_[name] = now + kLooksBetween * size * settings.again;
  }
  book_.TakeBack(std::move(snapshot.offers));
  used_ = std::move(snapshot.jobs);
  if (!eviction) return 0;
  lifecycle.Evict(*eviction, now);
  preempt_next_ = now;
  return eviction->victims.size();
}

// What a plan takes of each agent: its launches are the starts, in their order.
void Cycle::Charge(const Lifecycle& lifecycle, const Plan& plan,
                   const std::vector<LaunchCall>& starts, Instant now) {
  std::vector<OfferBook::Charge> charges;
  charges.reserve(plan.launches.size());
  for (size_t i = 0; i < plan.launches.size(); ++i) {
    const Launch& launch = plan.launches[i];
    const bool same = i > 0 && launch.agent == plan.launches[i - 1].agent &&
                      launch.member.job == plan.launches[i - 1].member.job;
    if (!same) charges.push_back({&launch.offers, {}});
    Resources& sum = charges.back().resources;
    sum += launch.resources;
    if (starts[i].new_executor) {
      const Job& job = lifecycle.state().jobs.at(launch.member.job).job;
      sum += starts[i].ExecutorTakes(
          ExecutorFor(*FindGroup(job, launch.member.group), lifecycle.settings().executor));
    }
    sum.gpu_shares.clear();  // no resource of Mesos
  }
  book_.Spend(charges, now);
}

// The reasons of all that still waits, judged by everything that agents are known to have free.
void Cycle::Explain(const Lifecycle& lifecycle, Sight sight, Instant now) {
  Plan wider;
  if (connected_ && !sight.jobs.empty()) {
    const Outlook outlook = DetailedOutlook(lifecycle, now);
    Snapshot snapshot = SnapshotOf(lifecycle, book_, book_.LendKnown(), std::move(sight.jobs),
                                   std::move(sight.usual), outlook);
    wider = PlaceByClaims(snapshot, policy_);
    book_.TakeBack(std::move(snapshot.offers));
    used_ = std::move(snapshot.jobs);
  }
  told_ = now;
  Tell(lifecycle, std::move(wider), std::move(sight.blocked), now);
}

// Whether a judgement that is under way waits for the next cycle: the plan is enough for this one.
bool Cycle::PutOff(const Plan& plan) {
  if (judging_ == nullptr || plan.launches.empty()) return false;
  judging_->busy = (judging_->busy + 1) % kBusyCycles;
  return judging_->busy != 0;
}

bool Cycle::Judge(const Lifecycle& lifecycle, Instant now) {
  if (judging_ == nullptr) judging_ = std::make_unique<Judgement>(now);
  Judgement& judging = *judging_;
  const bool large = book_.KnownSize() > kCopiesInACycle;  // each step is a part
  if (!judging.copied) {
    judging.copied = book_.CopyKnown(kCopiesInACycle, judging.offers);
    if (large) return false;
  }
  if (!judging.sight) {
    judging.sight = lifecycle.See(now);
    judging.jobs = lifecycle.HoldJobs();
    for (WaitingJob& job : judging.sight->jobs) {
      // Only how many there are matters, and the sets of members change; jobs may be forgotten.
      for (WaitingGroup& group : job.groups) {
        group.members = MemberRange::First(group.members.size());
        group.facts = nullptr;
      }
    }
    if (large) return false;
  }
  if (judging.planning == nullptr) {
    judging.outlook = DetailedOutlook(lifecycle, now);
    judging.snapshot =
        SnapshotOf(lifecycle, book_, std::move(judging.offers), std::move(judging.sight->jobs),
                   std::move(judging.sight->usual), judging.outlook);
    judging.planning = BeginByClaims(judging.snapshot, policy_);
    if (large) return false;
  }
  if (!judging.planning->GoOn(kLooksInACycle)) return false;
  judged_ = std::move(judging_);
  told_ = now;
  judge_next_ = now + kReasonsAge;  // or later, if no job has come since
  Tell(lifecycle, judged_->planning->Take(), std::move(judged_->sight->blocked), judged_->began);
  return !judged_->outdated;
}

// The plan is of all that was known at that time.
void Cycle::Tell(const Lifecycle& lifecycle, Plan wider, std::vector<Refusal> blocked,
                 Instant judged) {
  explained_ = judged;
  refusals_ = std::move(wider.refusals);
  blocked_ = std::move(blocked);
  std::map<std::pair<std::string, std::string>, std::pair<int, AgentId>> fits;
  for (const Launch& launch : wider.launches) {
    const auto job = lifecycle.state().jobs.find(launch.member.job);
    if (job == lifecycle.state().jobs.end()) continue;  // forgotten since
    elsewhere_.insert(lifecycle.OfferRole(job->second.job.role));
    auto& fit = fits[{launch.member.job, launch.member.group}];
    ++fit.first;
    fit.second = launch.agent;
  }
  for (const auto& [group, fit] : fits) {
    refusals_.push_back({group.first, group.second, fit.first, Blocker::kNoOffers,
                         fmt::format("fits what agent {} had free when it last offered: waits "
                                     "for its next offer",
                                     fit.second.text),
                         "", "", Estimate{judged, "as soon as it offers"}});
  }
  for (auto* list : {&refusals_, &blocked_}) {
    for (Refusal& refusal : *list) {
      if (refusal.estimate.words.empty()) refusal.estimate.words = kNotWhile;
    }
  }
  for (Refusal& refusal : refusals_) {
    const std::string evicted = lifecycle.EvictionWords(refusal.job, refusal.group);
    if (!evicted.empty()) refusal.reason += "; " + evicted;
  }
}

std::vector<Refusal> Cycle::Why(const Lifecycle& lifecycle, const std::string& job, Instant now) {
  if (!current_ && now - told_ >= kReasonsAge) {
    Sight sight = See(lifecycle, now);
    current_ = !connected_ || IsSmall(book_, sight);
    if (current_) {
      Explain(lifecycle, std::move(sight), now);
    } else if (judging_ == nullptr) {
      current_ = Judge(lifecycle, now);
    }
  }
  std::vector<Refusal> refusals;
  const auto wanted = [&job](const std::string& name) { return job.empty() || name == job; };
  const auto add = [&](const std::vector<Refusal>& more) {
    std::copy_if(more.begin(), more.end(), std::back_inserter(refusals),
                 [&](const Refusal& refusal) { return wanted(refusal.job); });
  };
  if (current_) {
    add(refusals_);
    add(blocked_);  // what waits for others of its job is the smaller news
    return refusals;
  }
  // Some may have started since they were judged, and others have come.
  Sight sight = lifecycle.See(now);
  std::map<std::pair<std::string, std::string>, size_t> waiting;
  for (const WaitingJob& one : sight.jobs) {
    if (!wanted(one.job->name)) continue;
    for (const WaitingGroup& group : one.groups) {
      waiting[{one.job->name, group.group->name}] += group.members.size();
    }
  }
  std::set<std::pair<std::string, std::string>> judged;
  for (const Refusal& refusal : refusals_) {
    const auto found = waiting.find({refusal.job, refusal.group});
    if (found == waiting.end()) continue;
    judged.insert(found->first);
    refusals.push_back(refusal);
  }
  for (const auto& [group, members] : waiting) {
    if (judged.contains(group)) continue;
    refusals.push_back({group.first, group.second, static_cast<int>(members), Blocker::kNoOffers,
                        "waits to be judged, within a second"});
  }
  add(sight.blocked);
  return refusals;
}

}  // namespace kiln::scheduler

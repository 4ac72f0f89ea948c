#include "scheduler/placement/forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>

#include "base/random.h"
#include "scheduler/placement/place.h"

namespace kiln::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::Pair;

constexpr const char* kNever =
    "none: it is more than the agents that have offered have, even without what runs there";
constexpr Instant kNow{1'000'000'000'000};

// Agents with tasks, and jobs that wait.
class World {
 public:
  void AddAgent(const std::string& name, Resources free, const std::vector<GpuId>& busy = {}) {
    Offer offer{.id = {"offer-" + name}, .agent = {.id = {name}, .hostname = name}, .role = "*"};
    for (const GpuId& id : free.gpu_ids) offer.agent.gpus.push_back({.id = id});
    for (const GpuId& id : busy) offer.agent.gpus.push_back({.id = id});
    offer.resources = std::move(free);
    offers_.push_back(std::move(offer));
  }
  Job& AddJob(const std::string& name, int members, int64_t cpus_milli,
              std::optional<Duration> limit) {
    Group group{.name = "g", .count = members, .cpus_milli = cpus_milli, .mem = {}};
    group.work = CommandWork{.shell = name};
    group.kill_grace = {};
    group.max_completion = limit;
    return jobs_.emplace_back(Job{.name = name, .role = "*", .groups = {std::move(group)}});
  }
  // What it takes was never free.
  void Run(const Job& job, const std::string& agent, const Resources& resources, Instant started) {
    const TaskId id{fmt::format("t{}", tasks_.size())};
    Task& task = tasks_[id];
    task = {.id = id, .member = {job.name, "g", 0}, .agent = {agent}, .resources = resources};
    task.launched = task.started = started;
    running_.Start(job, "*", 0, task);
  }
  void Wait(const Job& job) {
    waiting_.push_back(
        {.job = &job,
         .role = "*",
         .groups = {{.group = &job.groups[0],
                     .members = MemberRange::First(static_cast<size_t>(job.groups[0].count)),
                     .in_gang = job.gang_members > 0}},
         .gang_needed = job.gang_members,
         .may_hold = false});
  }
  Plan Decide() const {
    Snapshot snapshot{.offers = offers_, .jobs = waiting_};
    snapshot.outlook = &outlook_;
    return Place(snapshot, kFill);
  }
  // The launches of a plan are carried out, and only this job waits.
  void Carry(const Plan& plan, const Job& job) {
    for (const Launch& launch : plan.launches) {
      const auto owner = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& one) {
        return one.name == launch.member.job;
      });
      Run(*owner, launch.agent.text, launch.resources, kNow);
      for (Offer& offer : offers_) {
        if (offer.agent.id == launch.agent) offer.resources -= launch.resources;
      }
    }
    waiting_.clear();
    Wait(job);
  }
  Outlook& outlook() { return outlook_; }

 private:
  std::vector<Offer> offers_;
  std::list<Job> jobs_;
  std::map<TaskId, Task> tasks_;
  Running running_;
  std::vector<WaitingJob> waiting_;
  Outlook outlook_{.now = kNow, .running = &running_, .estimates = 16, .details = true};
};

Resources Cpus(int64_t count) { return {.cpus_milli = 1000 * count}; }

TEST(Ends, AreKnownFromLimitsAndFromThePast) {
  Job job{.name = "j", .groups = {{.name = "g"}}};
  Group& group = job.groups[0];
  const RunningJob running{&job, "*"};
  Outlook outlook{.now = kNow};
  const auto end_of = [&](Instant started) -> std::pair<Duration, bool> {
    Task task{.member = {"j", "g", 0}, .launched = started};
    const auto end = EndOf(RunningTask{&task, &running}, outlook);
    return end ? std::pair(end->at - kNow, end->bound) : std::pair(Duration(-1), false);
  };
  const std::pair nobody_knows(Duration(-1), false);
  EXPECT_EQ(end_of(kNow), nobody_knows);
  outlook.took = [](const Group&) { return hours(1); };
  EXPECT_EQ(end_of(kNow - minutes(20)), std::pair(Duration(minutes(40)), false));
  // It takes longer than any before.
  EXPECT_EQ(end_of(kNow - minutes(61)), nobody_knows);
  job.kind = JobKind::kService;
  EXPECT_EQ(end_of(kNow), nobody_knows);
  group.max_completion = minutes(30);
  EXPECT_EQ(end_of(kNow), std::pair(Duration(minutes(30) + seconds(3)), true));
  // Its grace is over: it is about to end, unless nothing is heard of it.
  EXPECT_EQ(end_of(kNow - minutes(30) - seconds(10)), std::pair(Duration(0), true));
  EXPECT_EQ(end_of(kNow - minutes(31)), nobody_knows);
}

TEST(Forecast, AGangStartsWhenEnoughHasEndedAndTheRestIsOpen) {
  World world;
  world.AddAgent("a", Cpus(2));
  world.AddAgent("b", Cpus(1));
  world.AddAgent("c", Cpus(0));
  world.Run(world.AddJob("short", 1, 3000, minutes(10)), "b", Cpus(3), kNow);
  world.Run(world.AddJob("long", 1, 4000, hours(2)), "c", Cpus(4), kNow - hours(1));
  world.Run(world.AddJob("endless", 1, 2000, std::nullopt), "a", Cpus(2), kNow);
  Job& gang = world.AddJob("gang", 2, 3000, std::nullopt);
  gang.gang_members = 2;
  world.Wait(gang);
  Job& small = world.AddJob("small", 4, 1000, std::nullopt);
  world.Wait(small);
  const Plan plan = world.Decide();
  // What ends on b and c is enough for it: what is free at this moment is not needed.
  EXPECT_EQ(plan.launches.size(), 3U);
  EXPECT_EQ(plan.refusals[0].estimate,
            (Estimate{kNow + hours(1), "at the latest, by the max_completion of what runs"}));
  EXPECT_EQ(plan.refusals[1].job, "small");
  // One after the other: the gang has no end that is known.
  EXPECT_EQ(plan.refusals[1].estimate.start, kNow + hours(1));
}

TEST(Forecast, WhatIsMoreThanAgentsHaveIsTold) {
  const char* unknown = "none: nothing that runs has a max_completion or a known duration";
  const char* too_little = "none: what ends at a known time does not free enough";
  struct Case {
    int members, gang, cpus;
    bool limited;  // what runs beside what has no end
    const char* words;
  };
  for (const Case& c : {Case{1, 0, 5, false, kNever},
                        {1, 0, 4, false, unknown},
                        {1, 0, 5, true, kNever},
                        {1, 0, 4, true, too_little},
                        {3, 3, 4, false, kNever},
                        {2, 2, 4, false, unknown}}) {
    World world;
    world.AddAgent("a", Cpus(1));
    world.AddAgent("b", Cpus(0));
    world.Run(world.AddJob("endless", 1, 2000, std::nullopt), "a", Cpus(2), kNow);
    world.Run(world.AddJob("endless too", 1, 4000, std::nullopt), "b", Cpus(4), kNow);
    const auto limit = c.limited ? std::optional<Duration>(hours(1)) : std::nullopt;
    world.Run(world.AddJob("other", 1, 1000, limit), "a", Cpus(1), kNow);
    Job& job = world.AddJob("job", c.members, 1000 * c.cpus, std::nullopt);
    job.gang_members = c.gang;
    world.Wait(job);
    const Plan plan = world.Decide();
    ASSERT_EQ(plan.refusals.size(), 1U);
    EXPECT_EQ(plan.refusals[0].estimate, (Estimate{std::nullopt, c.words})) << c.cpus;
  }
}

TEST(Forecast, NamedDevicesThatAreFreeAreKept) {
  World world;
  world.AddAgent("a", {.cpus_milli = 8000, .gpu_ids = {{"g1"}, {"g2"}}});
  world.AddAgent("b", {.cpus_milli = 8000, .gpu_ids = {{"h1"}}}, {{"h2"}});
  Job& busy = world.AddJob("busy", 1, 1000, hours(1));
  world.Run(busy, "b", {.gpu_ids = {{"h2"}}}, kNow);
  Job& head = world.AddJob("head", 1, 1000, std::nullopt);
  head.groups[0].gpus.count = 3;
  world.Wait(head);
  EXPECT_EQ(world.Decide().refusals[0].estimate.words, kNever);
  head.groups[0].gpus.count = 2;
  head.groups[0].constraints = {{"hostname", ConstraintOperator::kIs, "b"}};
  Job& other = world.AddJob("other", 3, 1000, std::nullopt);
  other.groups[0].gpus.count = 1;
  world.Wait(other);
  const Plan plan = world.Decide();
  EXPECT_EQ(plan.refusals[0].estimate.start, kNow + hours(1));
  std::map<std::string, int> starts;
  for (const Launch& launch : plan.launches) ++starts[launch.agent.text];
  EXPECT_THAT(starts, ElementsAre(Pair("a", 2)));
  EXPECT_EQ(plan.refusals[1].blocker, Blocker::kReserved);
}

// What is whole when its shares are back is one device, and not two, for those behind.
TEST(Forecast, ADeviceIsWholeWhenItsSharesAreBack) {
  World world;
  world.AddAgent("a", Cpus(8), {{"g"}});
  Job& half = world.AddJob("half", 2, 1000, hours(1));
  for (int i = 0; i < 2; ++i) world.Run(half, "a", {.gpu_shares = {{{"g"}, 500}}}, kNow);
  for (const char* name : {"first", "second", "third"}) {
    Job& whole = world.AddJob(name, 1, 1000, hours(1));
    whole.groups[0].gpus.count = 1;
    world.Wait(whole);
  }
  Job& share = world.AddJob("share", 1, 1000, hours(1));
  share.groups[0].gpus.share = 0.5;
  world.Wait(share);
  std::vector<int> starts;
  for (const Refusal& refusal : world.Decide().refusals) {
    starts.push_back(refusal.estimate.start
                         ? static_cast<int>((*refusal.estimate.start - kNow) / hours(1))
                         : -1);
  }
  EXPECT_THAT(starts, ElementsAre(1, 2, 3, 4));
}

// Whatever goes round the head, the head starts no later for it.
TEST(Backfill, NeverDelaysTheHead) {
  int foreseen = 0;
  int went_round = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    World world;
    for (int a = 0; a < 4; ++a) {
      const std::string name(1, static_cast<char>('a' + a));
      world.AddAgent(name, Cpus(static_cast<int64_t>(random.Below(5))));
      for (uint64_t t = random.Below(3); t > 0; --t) {
        const auto limit = random.Below(4) == 0 ? std::optional<Duration>()
                                                : minutes(1 + static_cast<int>(random.Below(90)));
        Job& job = world.AddJob(fmt::format("r{}-{}", a, t), 1, 1000, limit);
        world.Run(job, name, Cpus(static_cast<int64_t>(1 + random.Below(3))), kNow);
      }
    }
    const int members = 1 + static_cast<int>(random.Below(3));
    Job& head = world.AddJob("head", members, 1000 * static_cast<int64_t>(2 + random.Below(4)),
                             std::nullopt);
    if (random.Below(2) == 0) head.gang_members = members;
    world.Wait(head);
    for (int i = 0; i < 4; ++i) {
      const auto limit = random.Below(3) == 0 ? std::optional<Duration>()
                                              : minutes(1 + static_cast<int>(random.Below(90)));
      world.Wait(world.AddJob(fmt::format("w{}", i), 1 + static_cast<int>(random.Below(3)),
                              500 * static_cast<int64_t>(1 + random.Below(6)), limit));
    }
    const Plan plan = world.Decide();
    EXPECT_EQ(plan, world.Decide());
    if (plan.refusals.empty() || plan.refusals[0].job != "head") continue;
    const auto before = plan.refusals[0].estimate.start;
    if (!before || plan.launches.empty()) continue;
    const auto own = std::count_if(plan.launches.begin(), plan.launches.end(),
                                   [](const Launch& one) { return one.member.job == "head"; });
    Job& rest = world.AddJob("rest", members - static_cast<int>(own), head.groups[0].cpus_milli,
                             std::nullopt);
    rest.gang_members = head.gang_members;
    world.Carry(plan, rest);
    const Plan after = world.Decide();
    ++foreseen;
    if (static_cast<size_t>(own) < plan.launches.size()) ++went_round;
    ASSERT_FALSE(after.refusals.empty()) << seed;
    ASSERT_TRUE(after.refusals[0].estimate.start) << seed;
    EXPECT_LE(*after.refusals[0].estimate.start, *before) << seed;
  }
  EXPECT_GT(foreseen, 50);
  EXPECT_GT(went_round, 30);
}

}  // namespace
}  // namespace kiln::scheduler

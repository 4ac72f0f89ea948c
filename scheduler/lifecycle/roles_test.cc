// Who pays: what counts as use, whose offers are used, and what is refused at once.
#include <gmock/gmock.h>

#include "scheduler/lifecycle/harness_for_test.h"

namespace kiln::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;

Settings TeamSettings() {
  Settings settings;
  settings.roles = {"team", "*"};
  settings.sharing.roles = {{.name = "team", .limit = {10'000, kUnlimited, kUnlimited, 4'000}},
                            {.name = "team/a"},
                            {.name = "guests"}};
  settings.sharing.half_life = hours(1);
  return settings;
}

Job RoleJob(const std::string& name, const std::string& role, int count) {
  Job job = CommandJob(name, count);
  job.role = role;
  return job;
}

// Starts the first member of the job with so many cpus.
TaskId Launch(Harness& h, const std::string& job, int64_t cpus) {
  h.life().LaunchAll({{{job, "g", 0}, {"a1"}, {{"o1"}}, {.cpus_milli = cpus * 1000}}},
                     {{{"a1"}, {.id = {"a1"}, .hostname = "a1"}}}, h.now());
  return h.Take().starts.at(0).task;
}

int64_t CpusOf(Harness& h, const std::string& role) {
  const auto use = h.life().SharingAt(h.now(), {}).use;
  const auto found = use.find(role);
  return found == use.end() ? 0 : found->second.used[0];
}

TEST(LifecycleRoles, ATaskIsUsedFromItsLaunchToItsEnd) {
  Harness h(TeamSettings());
  h.Submit(RoleJob("j", "team/a", 1));
  EXPECT_EQ(CpusOf(h, "team/a"), 0);
  const TaskId task = Launch(h, "j", 2);
  EXPECT_EQ(CpusOf(h, "team/a"), 2000);
  h.Tell(task, TaskState::kRunning);
  EXPECT_EQ(CpusOf(h, "team/a"), 2000);
  EXPECT_EQ(h.life().SharingAt(h.now(), {500, 0, 0, 7}).total, (Amounts{2500, 0, 0, 7}));
  h.Advance(hours(1));
  EXPECT_NEAR(h.life().SharingAt(h.now(), {}).use.at("team/a").past[0], 1000, 1e-6);
  h.Tell(task, TaskState::kFinished);
  h.Tell(task, TaskState::kFinished);
  EXPECT_EQ(CpusOf(h, "team/a"), 0);
}

TEST(LifecycleRoles, WhatIsGivenUpIsNotUsedUntilItComesBack) {
  Harness h(TeamSettings());
  h.Submit(RoleJob("j", "team/a", 1));
  const TaskId task = Launch(h, "j", 2);
  h.Tell(task, TaskState::kUnreachable);
  EXPECT_EQ(CpusOf(h, "team/a"), 2000);
  h.Advance(minutes(2));
  EXPECT_EQ(CpusOf(h, "team/a"), 0);
  h.Tell(task, TaskState::kRunning);
  EXPECT_EQ(CpusOf(h, "team/a"), 2000);
  h.Tell(task, TaskState::kKilled);
  EXPECT_EQ(CpusOf(h, "team/a"), 0);
}

TEST(LifecycleRoles, TheUseIsTheSameAfterARestart) {
  Harness h(TeamSettings());
  h.Submit(RoleJob("done", "team/a", 1));
  const TaskId task = Launch(h, "done", 4);
  h.Tell(task, TaskState::kRunning);
  h.Advance(hours(2));
  h.Tell(task, TaskState::kFinished);
  h.Submit(RoleJob("runs", "team", 1));
  Launch(h, "runs", 1);
  h.Advance(hours(1));
  const auto before = h.life().SharingAt(h.now(), {}).use;
  h.Restart();
  const auto after = h.life().SharingAt(h.now(), {}).use;
  ASSERT_EQ(after.size(), before.size());
  for (const auto& [role, use] : before) {
    EXPECT_EQ(after.at(role).used, use.used);
    EXPECT_NEAR(after.at(role).past[0], use.past[0], 1e-6);
  }
}

TEST(LifecycleRoles, ARoleUsesTheOffersOfTheNearestThatTheFrameworkHas) {
  Harness h(TeamSettings());
  const std::pair<const char*, const char*> cases[] = {
      {"team", "team"}, {"team/a", "team"}, {"guests", "*"}, {"*", "*"}};
  for (const auto& [role, offers] : cases) EXPECT_EQ(h.life().OfferRole(role), offers);
  h.Submit(RoleJob("j", "team/a", 1));
  const Sight sight = h.life().See(h.now());
  EXPECT_EQ(sight.jobs.at(0).role, "team");
  EXPECT_THAT(sight.roles, ElementsAre("team"));
}

TEST(LifecycleRoles, WhatCanNeverStartIsRefusedAtOnce) {
  Harness h(TeamSettings());
  Job unknown = RoleJob("j", "team/b", 1);
  Job large = RoleJob("j", "team/a", 1);
  large.groups[0].gpus.count = 5;
  Job gang = RoleJob("j", "team/a", 12);
  gang.gang_members = 11;
  const std::tuple<Job, const char*, const char*> cases[] = {
      {unknown, "role", "role is \"team/b\": expected one of team, *, team/a, guests"},
      {large, "groups[0].gpus",
       "a member needs 5 gpus: expected at most the limit of role team, 4 gpus"},
      {gang, "gang", "the gang needs 11 cpus: expected at most the limit of role team, 10 cpus"}};
  for (const auto& [job, field, message] : cases) {
    const Status status = h.life().Submit(job, 1, h.now());
    ASSERT_FALSE(status) << message;
    EXPECT_EQ(status.error().field, field);
    EXPECT_EQ(status.error().message, message);
  }
  gang.gang_members = 10;
  EXPECT_TRUE(h.life().Submit(gang, 1, h.now()));
}

TEST(LifecycleRoles, WaitingIsWorthPriority) {
  Harness h(TeamSettings());
  Job low = RoleJob("low", "team", 1), high = RoleJob("high", "team", 1);
  low.priority = 10;
  high.priority = 12;
  h.Submit(low);
  h.Advance(hours(1));
  h.Submit(high);
  const auto first = [&] { return h.life().See(h.now()).jobs.at(0).job->name; };
  EXPECT_EQ(first(), "high");
  h.Advance(hours(2));
  high.name = "later";
  h.Submit(high);
  ASSERT_TRUE(h.life().Kill("high", h.now()));
  EXPECT_EQ(first(), "low");
}

}  // namespace
}  // namespace kiln::scheduler

#include "model/job.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

namespace kiln {
namespace {

Group Trainer(int count) {
  Group group;
  group.name = "trainer";
  group.count = count;
  TrainWork train;
  train.data.uri = "digits.csv";
  train.data.target = "digit";
  train.model = "digits";
  group.work = train;
  return group;
}

Job Training(int count) {
  Job job;
  job.name = "digits-forest";
  job.groups = {Trainer(count)};
  return job;
}

Group Command(std::string name, std::vector<std::string> after = {}) {
  Group group;
  group.name = std::move(name);
  group.after = std::move(after);
  group.work = CommandWork{"true", {}, {}, {}, {}};
  return group;
}

TEST(Validate, TakesAGoodJob) { EXPECT_TRUE(Validate(Training(4))); }

TEST(Validate, GroupsWaitInAnyOrderButAreNotTooMany) {
  Job job;
  job.name = "j";
  job.kind = JobKind::kService;
  for (int i = 0; i < 1000; ++i) {
    const auto next = i < 999 ? std::vector{fmt::format("g{}", i + 1)} : std::vector<std::string>();
    job.groups.push_back(Command(fmt::format("g{}", i), next));
  }
  EXPECT_TRUE(Validate(job)) << Validate(job).error().message;
  job.groups.push_back(Command("more"));
  EXPECT_EQ(Validate(job).error().message, "the job has 1001 groups: expected at most 1000");
}

const std::string kNameRule =
    ": expected 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends";

struct Fault {
  std::function<void(Job&)> change;
  const char* field;
  std::string message;
};

TEST(Validate, NamesTheFirstFault) {
  auto train = [](Job& job) -> TrainWork& { return std::get<TrainWork>(job.groups[0].work); };
  const std::string too_long(64, 'a');
  const Fault cases[] = {
      {[](Job& j) { j.name = "a/b"; }, "name", "name is \"a/b\"" + kNameRule},
      {[](Job& j) { j.pool = "a/b"; }, "pool", "pool is \"a/b\"" + kNameRule},
      {[](Job& j) { j.groups.clear(); }, "groups", "groups is empty: expected at least one"},
      {[](Job& j) { j.groups.push_back(Trainer(1)); }, "groups[1].name",
       "group trainer stands twice: expected a name of its own"},
      {[](Job& j) { j.gang_members = 3; }, "gang.members",
       "members is 3: expected at most the 2 that can start at once"},
      {[](Job& j) { j.after = {"digits-forest"}; }, "after[0]",
       "job digits-forest waits for itself: expected the name of another job"},
      {[](Job& j) { j.kind = JobKind::kServing; }, "groups[0].run.train",
       "run is train: expected command or serve in a serving job"},
      {[](Job& j) { j.groups[0].after = {"other"}; }, "groups[0].after[0]",
       "after is \"other\": expected the name of a group of this job"},
      {[](Job& j) { j.groups[0].after = {"trainer"}; }, "groups[0].after",
       "group trainer waits for itself: expected an order that ends"},
      {[](Job& j) {
         j.groups = {Command("a", {"b"}), Command("b", {"a"})};
       },
       "groups[0].after", "group a waits for itself: expected an order that ends"},
      {[](Job& j) { j.groups[0].count = 200'000; }, "groups[0].run.train.trees",
       "trees is 100: expected one at least for each of 200000 members"},
      {[&](Job& j) { train(j).model = ""; }, "groups[0].run.train.model",
       "model is \"\"" + kNameRule},
      {[&](Job& j) { train(j).data.target = ""; }, "groups[0].run.train.target",
       "target is missing"},
      {[&](Job& j) { train(j).algorithm = Algorithm::kSoftmaxRegression; },
       "groups[0].run.train.algorithm",
       "the algorithm trains in one member, the group has 2: expected count 1"},
      {[](Job& j) {
         j.groups[0].gpus = {2, 0.5, "", {}, ""};
       },
       "groups[0].gpus", "gpus asks for 2 devices and a share of 0.5: expected one of them"},
      {[](Job& j) {
         j.groups[0].gpus = {1, 0, "", {}, "nvlink"};
       },
       "groups[0].gpus.link", "link is \"nvlink\" with 1 devices: expected at least 2"},
      {[](Job& j) {
         j.groups[0].constraints = {{"hostname", ConstraintOperator::kMaxPer, "two"}};
       },
       "groups[0].constraints[0]",
       "value of the constraint on hostname is \"two\": expected a positive count"},
      {[](Job& j) {
         j.groups[0].constraints = {{"rack", ConstraintOperator::kLike, "("}};
       },
       "groups[0].constraints[0]",
       "value of the constraint on rack is \"(\": expected a regular expression of at most 256 "
       "characters without back-references"},
      {[](Job& j) { j.groups[0].health = HealthCheck{}; }, "groups[0].health.port_index",
       "port_index is 0: expected less than ports, which is 0"},
      {[](Job& j) { j.groups[0].work = CommandWork{}; }, "groups[0].run.command",
       "command has neither shell nor argv: expected exactly one of shell and argv"},
      {[&](Job& j) { j.groups[0].name = too_long; }, "groups[0].name",
       "name of the group is \"" + too_long + "\"" + kNameRule},
  };
  for (const Fault& c : cases) {
    Job job = Training(2);
    c.change(job);
    Status status = Validate(job);
    ASSERT_FALSE(status) << c.field;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(status.error().field, c.field);
    EXPECT_EQ(status.error().message, c.message);
  }
}

TEST(Validate, RevocableWorkHasNoDevices) {
  Job job = Training(1);
  job.groups[0].revocable = true;
  EXPECT_TRUE(Validate(job));
  job.groups[0].gpus = {.share = 0.5};
  const Status status = Validate(job);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().field, "groups[0].revocable");
  EXPECT_EQ(status.error().message,
            "revocable is true in a group with gpus: expected false, devices are whole and cannot "
            "be throttled");
}

TEST(Validate, SlicesHaveAProfileAndNoLink) {
  Job job = Training(1);
  job.groups[0].gpus = {.count = 1, .mig = "1g.5gb"};
  EXPECT_TRUE(Validate(job));
  job.groups[0].gpus.mig = "1g/5gb";
  EXPECT_EQ(Validate(job), FailField("groups[0].gpus.mig",
                                     "mig is \"1g/5gb\": expected a profile such as 1g.5gb"));
  job.groups[0].gpus = {.count = 2, .link = "nvlink", .mig = "1g.5gb"};
  EXPECT_EQ(
      Validate(job),
      FailField("groups[0].gpus.link",
                "link is \"nvlink\" with slices of 1g.5gb: expected none, they are not joined"));
}

TEST(Validate, AServingGroupNeedsAPortAndDistinctModels) {
  Job job;
  job.name = "digits-server";
  job.kind = JobKind::kServing;
  Group group;
  group.name = "server";
  group.work = ServeWork{{{"digits", {}, ""}, {"digits", 2, ""}}};
  job.groups = {group};
  EXPECT_EQ(Validate(job).error().message, "model digits stands twice: expected once");
  job.groups[0].work = ServeWork{{{"digits", 2, "live"}}};
  EXPECT_EQ(Validate(job).error().message,
            "model digits has version 2 and label \"live\": expected one of them at most");
  job.groups[0].work = ServeWork{{{"digits", 2, ""}}};
  EXPECT_EQ(Validate(job).error().message, "serve has no port: expected ports of at least 1");
  job.groups[0].ports = 1;
  EXPECT_TRUE(Validate(job));
}

TEST(ExpandGroups, PutsAMergeBehindATrainingGroupOfSeveral) {
  Job job = Training(4);
  job.groups.push_back(Command("report", {"trainer"}));
  const Job expanded = ExpandGroups(job);

  Group merge = Trainer(1);
  merge.name = "trainer-merge";
  merge.after = {"trainer"};
  merge.work = MergeWork{std::get<TrainWork>(Trainer(4).work), 4};
  Job expected = Training(4);
  expected.groups.push_back(Command("report", {"trainer-merge"}));
  expected.groups.push_back(merge);
  EXPECT_EQ(expanded, expected);
  EXPECT_TRUE(Validate(expanded));
  EXPECT_EQ(ExpandGroups(expanded), expanded);
}

TEST(ExpandGroups, LeavesATrainingGroupOfOneAlone) {
  EXPECT_EQ(ExpandGroups(Training(1)), Training(1));
}

}  // namespace
}  // namespace kiln

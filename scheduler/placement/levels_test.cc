#include "scheduler/placement/levels.h"

#include <gtest/gtest.h>

namespace kiln::scheduler {
namespace {

using Op = ConstraintOperator;

TEST(Levels, AgentsSayWhereTheyStand) {
  const Agent full{.id = {"S1"},
                   .hostname = "h1",
                   .region = "eu",
                   .zone = "eu-1",
                   .attributes = {{"rack", "r7"}, {"zone", "cellar"}}};
  EXPECT_EQ(DomainOf(full, "region"), "eu");
  EXPECT_EQ(DomainOf(full, "zone"), "eu-1");
  EXPECT_EQ(DomainOf(full, "rack"), "r7");
  EXPECT_EQ(DomainOf(full, "switch"), "");
  EXPECT_EQ(DomainOf(full, kHostLevel), "h1");
  EXPECT_EQ(PathOf(full, DefaultLevels()), "eu/eu-1/r7");
  // Without a fault domain, attributes tell.
  EXPECT_EQ(DomainOf({.attributes = {{"zone", "cellar"}}}, "zone"), "cellar");
  EXPECT_EQ(DomainOf({.id = {"S2"}}, kHostLevel), "S2");
}

TEST(Levels, HaveNamesOfTheirOwn) {
  EXPECT_TRUE(CheckLevels(DefaultLevels()));
  EXPECT_TRUE(CheckLevels({}));
  EXPECT_EQ(CheckLevels({"rack", "zone", "rack"}).error().message,
            "topology has the level \"rack\" twice: expected names of their own, from the widest "
            "level to that above the host");
  EXPECT_FALSE(CheckLevels({"rack", "host"}));
  EXPECT_FALSE(CheckLevels({"rack", ""}));
}

Job Gang(const std::string& require, const std::string& prefer,
         std::vector<std::vector<Constraint>> constraints = {}) {
  Job job{.name = "j", .gang_members = 4, .gang_require = require, .gang_prefer = prefer};
  for (auto& list : constraints) {
    job.groups.push_back({.name = "g", .count = 4, .constraints = std::move(list)});
  }
  return job;
}

struct Case {
  Job job;
  const char* field;
  const char* message;
};

TEST(Levels, AGangThatCannotBeNearIsRefused) {
  const Case cases[] = {
      {Gang("rak", ""), "gang.require",
       "level is \"rak\": expected one of region, zone, rack, switch, host"},
      {Gang("", "@zone"), "gang.prefer",
       "level is \"@zone\": expected one of region, zone, rack, switch, host"},
      {Gang("rack", "zone"), "gang.prefer",
       "prefer is zone and require rack: expected a level below rack"},
      {Gang("rack", "rack"), "gang.prefer",
       "prefer is rack and require rack: expected a level below rack"},
      {Gang("rack", "", {{{"rack", Op::kUnique, ""}}}), "groups[0].constraints[0]",
       "constraint rack UNIQUE lets 1 of 4 members into one rack: expected all, as the gang "
       "requires one rack"},
      {Gang("host", "", {{{"zone", Op::kLike, "e.*"}, {"@hostname", Op::kMaxPer, "3"}}}),
       "groups[0].constraints[1]",
       "constraint @hostname MAX_PER 3 lets 3 of 4 members into one host: expected all, as the "
       "gang requires one host"},
      // Who is in one rack is in one zone.
      {Gang("rack", "", {{{"@zone", Op::kGroupBy, "2"}}}), "groups[0].constraints[0]",
       "constraint @zone GROUP_BY 2 lets 1 of 4 members into one zone: expected all, as the gang "
       "requires one rack"},
      {Gang("rack", "", {{{"rack", Op::kIs, "a"}}, {{"rack", Op::kCluster, "b"}}}),
       "groups[1].constraints[0]",
       "constraints rack IS a and rack CLUSTER b have no rack in common: expected one, as the gang "
       "requires one rack"},
  };
  for (const Case& c : cases) {
    const Status status = CheckGangLevels(c.job, DefaultLevels());
    ASSERT_FALSE(status) << c.message;
    EXPECT_EQ(status.error(), (Error{ErrorCode::kInvalidArgument, c.message, c.field}));
  }
}

TEST(Levels, AGangMayBeNearAndSpread) {
  const Job good[] = {Gang("", ""),
                      Gang("zone", "rack"),
                      Gang("rack", "host", {{{"hostname", Op::kUnique, ""}}}),
                      Gang("", "rack", {{{"rack", Op::kUnique, ""}}}),
                      Gang("rack", "", {{{"rack", Op::kIs, "a"}}, {{"rack", Op::kLike, "a"}}}),
                      Gang("rack", "", {{{"rack", Op::kMaxPer, "4"}}})};
  for (const Job& job : good) {
    const Status status = CheckGangLevels(job, DefaultLevels());
    EXPECT_TRUE(status) << status.error().message;
  }
}

}  // namespace
}  // namespace kiln::scheduler

#include "scheduler/placement/constraints.h"

#include <gtest/gtest.h>

namespace kiln::scheduler {
namespace {

using Op = ConstraintOperator;

Agent On(const std::string& host, std::map<std::string, std::string> attributes = {}) {
  return {.id = {host},
          .hostname = host,
          .region = "eu",
          .zone = host.substr(0, 1),
          .attributes = std::move(attributes)};
}

struct Case {
  Constraint constraint;
  std::vector<Agent> placed;
  Agent agent;
  bool allowed;
};

TEST(Constraints, OperatorsMeanWhatTheyMeanInMarathon) {
  const Agent rack1 = On("a1", {{"rack", "r1"}});
  const Agent rack2 = On("b1", {{"rack", "r2"}});
  const Agent bare = On("c1");
  const Case cases[] = {
      {{"hostname", Op::kUnique, ""}, {}, rack1, true},
      {{"hostname", Op::kUnique, ""}, {rack1}, rack1, false},
      {{"@hostname", Op::kUnique, ""}, {rack1}, rack2, true},
      {{"rack", Op::kUnique, ""}, {}, bare, false},
      {{"rack", Op::kCluster, "r1"}, {}, rack1, true},
      {{"rack", Op::kCluster, "r1"}, {}, rack2, false},
      {{"rack", Op::kCluster, ""}, {}, rack2, true},
      {{"rack", Op::kCluster, ""}, {rack1}, rack2, false},
      {{"rack", Op::kCluster, ""}, {rack1}, rack1, true},
      {{"rack", Op::kGroupBy, ""}, {}, rack1, true},
      {{"rack", Op::kGroupBy, ""}, {rack1}, rack1, true},
      {{"rack", Op::kGroupBy, "2"}, {rack1}, rack1, false},
      {{"rack", Op::kGroupBy, "2"}, {rack1}, rack2, true},
      {{"rack", Op::kGroupBy, "2"}, {rack1, rack2}, rack1, true},
      {{"rack", Op::kGroupBy, "2"}, {rack1, rack1, rack2}, rack1, false},
      {{"hostname", Op::kLike, "a."}, {}, rack1, true},
      {{"hostname", Op::kLike, "a"}, {}, rack1, false},
      {{"hostname", Op::kUnlike, "a."}, {}, rack1, false},
      {{"rack", Op::kUnlike, "r1"}, {}, bare, true},
      {{"rack", Op::kLike, ".*"}, {}, bare, false},
      {{"hostname", Op::kMaxPer, "2"}, {rack1}, rack1, true},
      {{"hostname", Op::kMaxPer, "2"}, {rack1, rack1}, rack1, false},
      {{"rack", Op::kIs, "r1"}, {}, rack1, true},
      {{"rack", Op::kIs, "R1"}, {}, rack1, false},
      {{"level", Op::kIs, "1.50"}, {}, On("x", {{"level", "1.5"}}), true},
      {{"level", Op::kIs, "1.5004"}, {}, On("x", {{"level", "1.5"}}), true},
      {{"level", Op::kIs, "1.501"}, {}, On("x", {{"level", "1.5"}}), false},
      {{"@zone", Op::kIs, "a"}, {}, rack1, true},
      {{"@region", Op::kIs, "us"}, {}, rack1, false},
  };
  for (const Case& test : cases) {
    Constraints constraints({test.constraint});
    for (const Agent& agent : test.placed) constraints.Add(agent);
    EXPECT_EQ(constraints.Allows(test.agent), test.allowed)
        << ToText(test.constraint) << " after " << test.placed.size() << " on "
        << test.agent.hostname;
  }
}

TEST(Constraints, AllMustAllow) {
  Constraints both({{"hostname", Op::kUnique, ""}, {"rack", Op::kIs, "r1"}});
  EXPECT_TRUE(both.Allows(On("a", {{"rack", "r1"}})));
  EXPECT_EQ(ToText(*both.Against(On("a"))), "rack IS r1");
}

}  // namespace
}  // namespace kiln::scheduler

#include "model/role.h"

#include <gmock/gmock.h>

namespace kiln {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

Amounts Gpus(int64_t count) { return {0, 0, 0, count * 1000}; }
Amounts GpuLimit(int64_t count) { return {kUnlimited, kUnlimited, kUnlimited, count * 1000}; }

TEST(Role, AmountsCountWhatHasNames) {
  const Resources resources{.cpus_milli = 1500,
                            .revocable_cpus_milli = 700,
                            .mem = GiB(2),
                            .disk = GiB(3),
                            .gpus = 1,
                            .gpu_ids = {{"a"}, {"b"}},
                            .gpu_shares = {{{"c"}, 250}},
                            .ports = {{1, 9}}};
  EXPECT_EQ(AmountsOf(resources), (Amounts{1500, 2 * kGiB, 3 * kGiB, 3250}));
  Group group{.cpus_milli = 250, .mem = GiB(1), .disk = GiB(4), .gpus = {.count = 2}};
  EXPECT_EQ(AmountsOf(group), (Amounts{250, kGiB, 4 * kGiB, 2000}));
  group.revocable = true;
  EXPECT_EQ(AmountsOf(group), (Amounts{0, kGiB, 4 * kGiB, 2000}));
  group.revocable = false;
  group.gpus = {.share = 0.5};
  EXPECT_EQ(AmountsOf(group), (Amounts{250, kGiB, 4 * kGiB, 500}));
}

TEST(Role, TheParentFollowsFromTheName) {
  EXPECT_EQ(ParentRole("research/vision/night"), "research/vision");
  EXPECT_EQ(ParentRole("research"), "");
  EXPECT_TRUE(IsWithin("research/vision", "research"));
  EXPECT_TRUE(IsWithin("research", "research"));
  EXPECT_FALSE(IsWithin("researchers", "research"));
  EXPECT_FALSE(IsWithin("research", "research/vision"));
}

TEST(Role, NamesFollowMesos) {
  for (const char* name : {"*", "a", "research/vision", "a-b", "a.b", "..."}) {
    EXPECT_TRUE(CheckRoleName("role", name)) << name;
  }
  for (const char* name : {"", "/", "/a", "a/", "a//b", ".", "a/..", "a/*", "-a", "a/-b", "a b",
                           "a\tb", "a\x7f", "a\n"}) {
    const Status status = CheckRoleName("role", name);
    ASSERT_FALSE(status) << name;
    EXPECT_EQ(status.error().field, "role");
  }
}

struct Case {
  std::vector<Role> roles;
  const char* field;
  const char* message;
};

TEST(Role, EachFaultNamesThingFoundAndExpected) {
  const Case cases[] = {
      {{{.name = "a b"}},
       "roles[0].name",
       "role is \"a b\": expected a name without blanks and control characters"},
      {{{.name = "a"}, {.name = "a"}}, "roles[1].name", "role a stands twice: expected once"},
      {{{.name = "a", .weight = 0}},
       "roles[0].weight",
       "weight of role a is 0: expected more than 0"},
      {{{.name = "a", .quota = Gpus(4), .limit = GpuLimit(3)}},
       "roles[0].quota.gpus",
       "quota of role a is 4 gpus: expected at most its limit of 3 gpus"},
      {{{.name = "a/b", .quota = Gpus(5)},
        {.name = "a", .quota = Gpus(8)},
        {.name = "a/c", .quota = Gpus(4)}},
       "roles[1].quota.gpus",
       "quotas of the roles below a are together 9 gpus: expected at most its quota of 8 gpus"},
      {{{.name = "a", .limit = GpuLimit(8)}, {.name = "a/b", .quota = Gpus(9)}},
       "roles[0].limit.gpus",
       "quotas of the roles below a are together 9 gpus: expected at most its limit of 8 gpus"},
      // A role between that is not named passes on what is below it.
      {{{.name = "a", .quota = Gpus(3)},
        {.name = "a/x/b", .quota = Gpus(2)},
        {.name = "a/x/c", .quota = Gpus(2)}},
       "roles[0].quota.gpus",
       "quotas of the roles below a are together 4 gpus: expected at most its quota of 3 gpus"},
      {{{.name = "a", .quota = {0, kGiB, 0, 0}}, {.name = "a/b", .quota = {0, 2 * kGiB, 0, 0}}},
       "roles[0].quota.mem",
       "quotas of the roles below a are together 2GiB of mem: expected at most its quota of 1GiB "
       "of mem"},
  };
  for (const Case& c : cases) {
    const Status status = Validate(RoleSettings{.roles = c.roles});
    ASSERT_FALSE(status) << c.message;
    EXPECT_EQ(status.error().field, c.field);
    EXPECT_EQ(status.error().message, c.message);
  }
}

TEST(Role, ATreeThatFitsIsGood) {
  EXPECT_TRUE(Validate(RoleSettings{}));
  const RoleSettings settings{
      .roles = {{.name = "a", .weight = 2, .quota = Gpus(8), .limit = GpuLimit(10)},
                {.name = "a/b", .quota = Gpus(5)},
                {.name = "a/c", .weight = 0.5, .quota = Gpus(3), .limit = GpuLimit(20)},
                {.name = "free/x", .quota = Gpus(100)},
                {.name = "*"}}};
  EXPECT_TRUE(Validate(settings));
}

}  // namespace
}  // namespace kiln

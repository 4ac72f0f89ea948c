#include "wire/rest/role_codec.h"

#include <gmock/gmock.h>

#include "wire/rest/json.h"

namespace kiln::wire {
namespace {

TEST(RoleCodec, AFileIsRead) {
  const auto settings = DecodeRoles(R"(
half_life: 12h
ageing: 30min
roles:
  - name: research
    weight: 2
    quota: {gpus: 8, mem: 1TiB}
    limit: {cpus: 100.5, gpus: 16}
  - name: research/vision
    limit: {gpus: 0}
)");
  ASSERT_TRUE(settings) << settings.error().message;
  const RoleSettings expected{
      .roles = {{.name = "research",
                 .weight = 2,
                 .quota = {0, GiB(1024).count, 0, 8'000},
                 .limit = {100'500, kUnlimited, kUnlimited, 16'000}},
                {.name = "research/vision", .limit = {kUnlimited, kUnlimited, kUnlimited, 0}}},
      .half_life = std::chrono::hours(12),
      .ageing = std::chrono::minutes(30)};
  EXPECT_EQ(*settings, expected);
  EXPECT_EQ(DecodeRoles("{}").value(), RoleSettings{});
}

TEST(RoleCodec, EachFaultNamesItsField) {
  const std::pair<const char*, const char*> cases[] = {
      {"roles: 3", "roles"},
      {"roles: [{}]", "roles[0].name"},
      {"roles: [{name: a, weight: -1}]", "roles[0].weight"},
      {"roles: [{name: a, weight: 0}]", "roles[0].weight"},
      {"roles: [{name: a, quota: {gpu: 1}}]", "roles[0].quota.gpu"},
      {"roles: [{name: a, limit: {mem: 5}}]", "roles[0].limit.mem"},
      {"roles: [{name: a, quota: {gpus: 2}, limit: {gpus: 1}}]", "roles[0].quota.gpus"},
      {"roles: [{name: a}, {name: a}]", "roles[1].name"},
      {"roles: [{name: a/b, quota: {gpus: 2}}, {name: a, quota: {gpus: 1}}]",
       "roles[1].quota.gpus"},
      {"roles: [{name: a, limit: {gpus: 1}}, {name: a/b, quota: {gpus: 2}}]",
       "roles[0].limit.gpus"},
      {"half_life: soon", "half_life"},
      {"halflife: 3h", "halflife"}};
  for (const auto& [text, field] : cases) {
    const auto settings = DecodeRoles(text);
    ASSERT_FALSE(settings) << text;
    EXPECT_EQ(settings.error().field, field) << text;
  }
}

TEST(RoleCodec, AmountsShowWhatIsThere) {
  EXPECT_EQ(AmountsToJson({}, {}), Json::object());
  EXPECT_EQ(AmountsToJson({1500, GiB(1).count, 0, 2'500}, {}),
            (Json{{"cpus", 1.5}, {"mem", "1GiB"}, {"gpus", 2.5}}));
  EXPECT_EQ(AmountsToJson({kUnlimited, kUnlimited, kUnlimited, 0}, kNoLimit), (Json{{"gpus", 0}}));
}

}  // namespace
}  // namespace kiln::wire

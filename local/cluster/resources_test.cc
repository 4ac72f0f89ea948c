#include "local/cluster/resources.h"

#include <gtest/gtest.h>

namespace kiln::local {
namespace {

using mesos::v1::Resource;

Resources Parse(const std::string& text) {
  Resources all;
  const auto parsed = ParseResources(text);
  for (const Resource& resource : *parsed) all += resource;
  return all;
}

TEST(ResourcesText, ParsesWhatAgentsAreGiven) {
  const struct {
    std::string text;
    std::string expected;
  } cases[] = {
      {"cpus:4;mem:4096", "cpus:4; mem:4096"},
      {" cpus : 0.5 ; ports:[31000-31009, 31010-31020]", "cpus:0.5; ports:[31000-31020]"},
      {"nvidia_gpu:{GPU-b,GPU-a}", "nvidia_gpu:{GPU-b, GPU-a}"},
      {"cpus:1;cpus:2;disk:0", "cpus:3"},
      {"cpus{REV}:4;cpus:1;cpus{REV}:1", "cpus{REV}:5; cpus:1"},
      {"cpus(research):2;cpus:4", "cpus(reservations: [(STATIC,research)]):2; cpus:4"},
      {"", "{}"},
  };
  for (const auto& c : cases) EXPECT_EQ(ToText(Parse(c.text)), c.expected) << c.text;
}

TEST(ResourcesText, NamesTheWrongPart) {
  for (const char* text : {"cpus", "cpus:", ":4", "cpus:four", "ports:[2-1]", "ports:[1", "a:{b"}) {
    const auto parsed = ParseResources(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(ResourcesText, AttributesAreTextScalarOrRanges) {
  const auto attributes = ParseAttributes("rack:r1;slots:4;span:[0-1,2-3]");
  ASSERT_TRUE(attributes);
  ASSERT_EQ(attributes->size(), 3u);
  EXPECT_EQ((*attributes)[0].text().value(), "r1");
  EXPECT_EQ((*attributes)[1].scalar().value(), 4);
  EXPECT_EQ((*attributes)[2].ranges().range_size(), 1);
  EXPECT_FALSE(ParseAttributes("gpus:{a,b}"));
}

TEST(Resources, ScalarsCountInThousandths) {
  Resources sum;
  for (int i = 0; i < 10; ++i) sum += Parse("cpus:0.1");
  EXPECT_EQ(ToText(sum), "cpus:1");
  sum -= Parse("cpus:0.999");
  EXPECT_EQ(ToText(sum), "cpus:0.001");
  sum -= Parse("cpus:0.001");
  EXPECT_TRUE(sum.empty());
}

TEST(Resources, ContainsComparesKindsAndAmounts) {
  const Resources whole = Parse("cpus:4;mem(research):512;ports:[1-10];gpu:{a,b}");
  const struct {
    std::string part;
    bool contained;
  } cases[] = {{"cpus:4", true},         {"cpus:4.001", false},
               {"mem:1", false},         {"mem(research):512", true},
               {"mem(other):1", false},  {"ports:[2-3,5-10]", true},
               {"ports:[10-11]", false}, {"gpu:{b}", true},
               {"gpu:{b,c}", false},     {"bananas:1", false},
               {"bananas:0", true}};
  for (const auto& c : cases) EXPECT_EQ(whole.Contains(Parse(c.part)), c.contained) << c.part;
  EXPECT_FALSE(whole.Contains(Parse("cpus:1").AllocatedTo("research")));
}

TEST(Resources, SubtractionSplitsRangesAndSets) {
  EXPECT_EQ(ToText(Parse("ports:[1-10];gpu:{a,b,c}") - Parse("ports:[4-5];gpu:{b}")),
            "ports:[1-3, 6-10]; gpu:{a, c}");
  EXPECT_EQ(ToText(Parse("cpus:1") - Parse("mem:5")), "cpus:1");
}

TEST(Resources, OldFormatComesAndGoes) {
  Resource resource;
  resource.set_name("cpus");
  resource.set_type(mesos::v1::Value::SCALAR);
  resource.mutable_scalar()->set_value(1);
  resource.set_role("research");
  resource.mutable_reservation()->set_principal("kiln");
  const std::string old = resource.SerializeAsString();
  UpgradeResource(&resource);
  EXPECT_EQ(ToText(resource), "cpus(reservations: [(DYNAMIC,research,kiln)]):1");
  EXPECT_TRUE(DowngradeResource(&resource));
  EXPECT_EQ(resource.SerializeAsString(), old);
  UpgradeResource(&resource);
  *resource.add_reservations() = resource.reservations(0);
  EXPECT_FALSE(DowngradeResource(&resource));
}

TEST(Resources, RolesBelowMayUseWhatIsReservedAbove) {
  const auto parsed = ParseResources("cpus(research):1");
  const Resource& resource = parsed->front();
  EXPECT_TRUE(IsAllocatableTo(resource, "research"));
  EXPECT_TRUE(IsAllocatableTo(resource, "research/vision"));
  EXPECT_FALSE(IsAllocatableTo(resource, "researchers"));
  EXPECT_FALSE(IsAllocatableTo(resource, "*"));
}

}  // namespace
}  // namespace kiln::local

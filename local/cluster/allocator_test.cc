#include "local/cluster/allocator.h"

#include <gmock/gmock.h>

namespace kiln::local {
namespace {

using mesos::v1::FrameworkInfo;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class AllocatorTest : public testing::Test {
 protected:
  static Resources Parse(const std::string& text) {
    Resources all;
    const auto parsed = ParseResources(text);
    for (const auto& resource : *parsed) all += resource;
    return all;
  }
  void AddAgent(const std::string& id, const std::string& resources) {
    allocator_.AddAgent(id, {}, Parse(resources), {});
  }
  void AddFramework(const std::string& id, const std::vector<std::string>& roles,
                    const std::vector<FrameworkInfo::Capability::Type>& capabilities = {},
                    const std::function<void(FrameworkInfo&)>& change = {}) {
    FrameworkInfo info;
    info.add_capabilities()->set_type(FrameworkInfo::Capability::MULTI_ROLE);
    for (auto type : capabilities) info.add_capabilities()->set_type(type);
    for (const auto& role : roles) info.add_roles(role);
    if (change) change(info);
    allocator_.SetFramework(id, info, {}, {});
    allocator_.Activate(id);
  }
  // "framework role agent resources" of all that is given out.
  std::vector<std::string> Allocate() {
    last_ = allocator_.Allocate(now_, random_);
    std::vector<std::string> texts;
    for (const auto& a : last_) {
      texts.push_back(a.framework_id + " " + a.role + " " + a.agent_id + " " +
                      ToText(a.resources.Unallocated()));
    }
    std::sort(texts.begin(), texts.end());
    return texts;
  }
  void Decline(std::optional<Duration> refuse) {
    for (const auto& a : std::exchange(last_, {})) {
      allocator_.Recover(a.framework_id, a.agent_id, a.resources, refuse, now_);
    }
  }
  void Advance(Duration time) { now_ = now_ + time; }

  Allocator allocator_{AllocatorOptions{}};
  Random random_{7};
  Instant now_{1'000'000'000'000};
  std::vector<Allocation> last_;
};

TEST_F(AllocatorTest, AllFreeOfAnAgentGoesToOneRoleOnce) {
  AddAgent("s1", "cpus:4;mem:4096;ports:[1-2]");
  AddFramework("f1", {"a"});
  EXPECT_THAT(Allocate(), ElementsAre("f1 a s1 ports:[1-2]; cpus:4; mem:4096"));
  EXPECT_THAT(Allocate(), IsEmpty());
}

TEST_F(AllocatorTest, TheOneWithLessIsServedFirst) {
  AddAgent("s1", "cpus:4;mem:4096");
  AddFramework("f1", {"a"});
  AddFramework("f2", {"b"});
  ASSERT_THAT(Allocate(), ElementsAre("f1 a s1 cpus:4; mem:4096"));
  AddAgent("s2", "cpus:2;mem:2048");
  ASSERT_THAT(Allocate(), ElementsAre("f2 b s2 cpus:2; mem:2048"));
  AddAgent("s3", "cpus:1;mem:64");
  EXPECT_THAT(Allocate(), ElementsAre("f2 b s3 cpus:1; mem:64"));
}

TEST_F(AllocatorTest, ADeclineHoldsUntilItsFilterEndsOrTheOfferGrows) {
  AddAgent("s1", "cpus:4;mem:4096");
  AddFramework("f1", {"a"});
  Allocate();
  Decline(seconds(5));
  EXPECT_THAT(Allocate(), IsEmpty());
  Advance(seconds(4));
  EXPECT_THAT(Allocate(), IsEmpty());
  Advance(seconds(1));
  ASSERT_THAT(Allocate(), ElementsAre("f1 a s1 cpus:4; mem:4096"));

  // A part is refused; what is added to it makes a new offer.
  allocator_.Recover("f1", "s1", Parse("cpus:2;mem:4096").AllocatedTo("a"), seconds(1000), now_);
  EXPECT_THAT(Allocate(), IsEmpty());
  allocator_.Recover("f1", "s1", Parse("cpus:1").AllocatedTo("a"), {}, now_);
  EXPECT_THAT(Allocate(), ElementsAre("f1 a s1 cpus:3; mem:4096"));
}

TEST_F(AllocatorTest, AShortRefusalLastsAnAllocationInterval) {
  AddAgent("s1", "cpus:4");
  AddFramework("f1", {"a"});
  Allocate();
  Decline(std::chrono::milliseconds(100));
  Advance(std::chrono::milliseconds(900));
  EXPECT_THAT(Allocate(), IsEmpty());
  Advance(std::chrono::milliseconds(100));
  EXPECT_THAT(Allocate(), ElementsAre("f1 a s1 cpus:4"));
  Decline(std::nullopt);
  EXPECT_THAT(Allocate(), ElementsAre("f1 a s1 cpus:4"));
}

TEST_F(AllocatorTest, WhatOneRefusesAnotherGets) {
  AddAgent("s1", "cpus:4");
  AddFramework("f1", {"a"});
  AddFramework("f2", {"b"});
  ASSERT_THAT(Allocate(), ElementsAre("f1 a s1 cpus:4"));
  Decline(seconds(1000));
  EXPECT_THAT(Allocate(), ElementsAre("f2 b s1 cpus:4"));
}

TEST_F(AllocatorTest, SuppressedRolesGetNothingUntilTheyAreRevived) {
  AddAgent("s1", "cpus:4");
  AddFramework("f1", {"a", "b"});
  allocator_.Suppress("f1", {});
  EXPECT_THAT(Allocate(), IsEmpty());
  allocator_.Revive("f1", {"b"});
  ASSERT_THAT(Allocate(), ElementsAre("f1 b s1 cpus:4"));
  Decline(seconds(1000));
  EXPECT_THAT(Allocate(), IsEmpty());
  allocator_.Revive("f1", {"b"});
  EXPECT_THAT(Allocate(), ElementsAre("f1 b s1 cpus:4"));
}

TEST_F(AllocatorTest, InactiveFrameworksAndAgentsAreLeftOut) {
  AddAgent("s1", "cpus:4");
  AddFramework("f1", {"a"});
  allocator_.SetAgentActive("s1", false);
  EXPECT_THAT(Allocate(), IsEmpty());
  allocator_.SetAgentActive("s1", true);
  allocator_.Deactivate("f1");
  EXPECT_THAT(Allocate(), IsEmpty());
  allocator_.Activate("f1");
  EXPECT_THAT(Allocate(), ElementsAre("f1 a s1 cpus:4"));
}

TEST_F(AllocatorTest, ScalarGpusAreForThoseWhoCanUseThem) {
  AddAgent("s1", "cpus:4;gpus:2");
  AddAgent("s2", "cpus:4;nvidia_gpu:{a}");
  AddFramework("f1", {"a"});
  EXPECT_THAT(Allocate(), ElementsAre("f1 a s2 nvidia_gpu:{a}; cpus:4"));
  AddFramework("f2", {"b"}, {FrameworkInfo::Capability::GPU_RESOURCES});
  EXPECT_THAT(Allocate(), ElementsAre("f2 b s1 cpus:4; gpus:2"));
}

TEST_F(AllocatorTest, RevocableResourcesAreForThoseWhoSayThatTheyMayLoseThem) {
  AddAgent("s1", "cpus{REV}:2;cpus:4");
  AddFramework("f1", {"a"});
  EXPECT_THAT(Allocate(), ElementsAre("f1 a s1 cpus:4"));
  AddFramework("f2", {"b"}, {FrameworkInfo::Capability::REVOCABLE_RESOURCES});
  EXPECT_THAT(Allocate(), ElementsAre("f2 b s1 cpus{REV}:2"));
}

TEST_F(AllocatorTest, ARemainderBelowTheMinimumIsNotOffered) {
  AddAgent("s1", "nvidia_gpu:{a,b};ports:[1-10]");
  AddFramework("f1", {"a"});
  EXPECT_THAT(Allocate(), IsEmpty());
  AddFramework("f2", {"a"}, {}, [](FrameworkInfo& info) {
    auto* minimum = (*info.mutable_offer_filters())["a"].mutable_min_allocatable_resources();
    (*minimum->add_quantities()->mutable_quantities())["nvidia_gpu"].set_value(2);
  });
  EXPECT_THAT(Allocate(), ElementsAre("f2 a s1 nvidia_gpu:{a, b}; ports:[1-10]"));
}

TEST_F(AllocatorTest, ReservedResourcesGoToTheirRole) {
  AddAgent("s1", "cpus:4;cpus(a):2;mem(b):64");
  AddFramework("f1", {"a"});
  EXPECT_THAT(Allocate(), ElementsAre("f1 a s1 cpus(reservations: [(STATIC,a)]):2; cpus:4"));
  AddFramework("f2", {"b"});
  EXPECT_THAT(Allocate(), ElementsAre("f2 b s1 mem(reservations: [(STATIC,b)]):64"));
}

TEST_F(AllocatorTest, WhatRunsThereAlreadyIsNotFree) {
  AddFramework("f1", {"a"});
  allocator_.AddAgent("s1", {}, Parse("cpus:4"), {{"f1", Parse("cpus:3").AllocatedTo("a")}});
  EXPECT_THAT(Allocate(), ElementsAre("f1 a s1 cpus:1"));
  EXPECT_EQ(allocator_.Share("a"), 1);
}

}  // namespace
}  // namespace kiln::local

#include "local/cluster/operations.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

namespace kiln::local {
namespace {

using mesos::v1::FrameworkInfo;
using mesos::v1::Offer;

constexpr char kDisk[] = R"(name: "disk" type: SCALAR scalar { value: 64 }
    allocation_info { role: "a" } reservations { type: DYNAMIC role: "a" })";
constexpr char kVolume[] = R"( disk { persistence { id: "v" } volume { mode: RW
    container_path: "data" } })";

std::string Disk(const std::string& more = {}) { return "{ " + std::string(kDisk) + more + " }"; }

Offer::Operation Parse(const std::string& text) {
  Offer::Operation operation;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &operation)) << text;
  return operation;
}

TEST(OperationsTest, TakeAndMake) {
  const std::string disk = "disk(allocated: a)(reservations: [(DYNAMIC,a)])";
  const struct {
    std::string operation;
    std::string from;
    std::string to;
  } cases[] = {
      {"type: RESERVE reserve { resources " + Disk() + " }", "disk(allocated: a):64", disk + ":64"},
      {"type: UNRESERVE unreserve { resources " + Disk() + " }", disk + ":64",
       "disk(allocated: a):64"},
      {"type: CREATE create { volumes " + Disk(kVolume) + " }", disk + ":64", disk + "[v:data]:64"},
      {"type: DESTROY destroy { volumes " + Disk(kVolume) + " }", disk + "[v:data]:64",
       disk + ":64"},
      {"type: GROW_VOLUME grow_volume { volume " + Disk(kVolume) + " addition " + Disk() + " }",
       disk + "[v:data]:64; " + disk + ":64", disk + "[v:data]:128"},
      {"type: SHRINK_VOLUME shrink_volume { volume " + Disk(kVolume) + " subtract { value: 4 } }",
       disk + "[v:data]:64", disk + "[v:data]:60; " + disk + ":4"},
  };
  FrameworkInfo framework;
  framework.add_roles("a");
  framework.add_capabilities()->set_type(FrameworkInfo::Capability::MULTI_ROLE);
  for (const auto& one : cases) {
    const Offer::Operation operation = Parse(one.operation);
    const Conversion conversion = ConversionOf(operation);
    EXPECT_EQ(ToText(conversion.from), one.from) << one.operation;
    EXPECT_EQ(ToText(conversion.to), one.to) << one.operation;
    const bool destroys = operation.type() == Offer::Operation::DESTROY;
    const OperationContext context{
        &framework, destroys ? conversion.from.Unallocated() : Resources(), {}};
    EXPECT_EQ(ValidateOperation(operation, context), std::nullopt) << one.operation;
  }
}

TEST(OperationsTest, AreRefusedWithAReason) {
  const std::string volume = Disk(kVolume);
  const struct {
    std::string operation;
    std::string objection;
  } cases[] = {
      {"type: RESERVE reserve { resources { name: 'cpus' type: SCALAR scalar { value: 1 } "
       "allocation_info { role: 'b' } reservations { type: DYNAMIC role: 'a' } } }",
       "A reserve operation was attempted for a resource with role 'a', but the resource was "
       "allocated to role 'b'"},
      {"type: RESERVE reserve { resources { name: 'cpus' type: SCALAR scalar { value: 1 } "
       "allocation_info { role: 'a' } reservations { type: STATIC role: 'a' } } }",
       "Resource cpus(allocated: a)(reservations: [(STATIC,a)]):1 is not dynamically reserved"},
      {"type: RESERVE reserve { }",
       "Invalid resources: The resources have multiple resource providers: "},
      {"type: RESERVE reserve { resources " + Disk() +
           " source { name: 'mem' type: SCALAR "
           "scalar { value: 1 } } }",
       "Source and target resources should refer to identical resource quantities: mem:1 vs. "
       "disk(allocated: a):64"},
      {"type: UNRESERVE unreserve { resources " + volume + " }",
       "A dynamically reserved persistent volume disk(allocated: a)(reservations: [(DYNAMIC,a)])"
       "[v:data]:64 cannot be unreserved directly. Please destroy the persistent volume first then "
       "unreserve the resource"},
      {"type: CREATE create { volumes " + Disk() + " }",
       "Not a persistent volume: Resource disk(allocated: a)(reservations: [(DYNAMIC,a)]):64 does "
       "not have DiskInfo"},
      {"type: CREATE create { volumes " + volume + " volumes " + volume + " }",
       "Persistence ID 'v' is not unique"},
      {"type: CREATE create { volumes " +
           Disk(" disk { persistence { id: '../v' } volume { mode: "
                "RW container_path: 'data' } }") +
           " }",
       "Invalid resources: Invalid persistence ID for persistent volume: '../v' contains invalid "
       "characters"},
      {"type: DESTROY destroy { volumes " + volume + " }", "Persistent volumes not found"},
      {"type: GROW_VOLUME grow_volume { volume " + volume + " addition " + volume + " }",
       "Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields"},
      {"type: SHRINK_VOLUME shrink_volume { volume " + volume + " subtract { value: 64 } }",
       "Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'"},
      {"type: DESTROY_DISK", "'source' is not managed by a resource provider"},
  };
  FrameworkInfo framework;
  framework.add_roles("a");
  framework.add_capabilities()->set_type(FrameworkInfo::Capability::MULTI_ROLE);
  for (const auto& one : cases) {
    EXPECT_EQ(ValidateOperation(Parse(one.operation), {&framework, {}, {}}).value_or(""),
              one.objection)
        << one.operation;
  }
}

TEST(OperationsTest, AVolumeInUseIsNotDestroyed) {
  const Offer::Operation operation =
      Parse("type: DESTROY destroy { volumes " + Disk(kVolume) + " }");
  const Resources volume = ConversionOf(operation).from;
  FrameworkInfo framework;
  EXPECT_EQ(ValidateOperation(operation, {&framework, volume.Unallocated(), volume}),
            "Persistent volumes in use");
}

TEST(OperationsTest, AnAgentHasWhatItKeptInPlaceOfWhatItWasMadeOf) {
  mesos::v1::AgentInfo agent;
  const auto parsed = ParseResources("disk:100;disk(a):10");
  for (const auto& resource : *parsed) *agent.add_resources() = resource;
  const Resources volume =
      ConversionOf(Parse("type: CREATE create { volumes " + Disk(kVolume) + " }")).to.Unallocated();
  const Resources total = TotalResources(agent, volume.items());
  EXPECT_EQ(ToText(total),
            "disk:36; disk(reservations: [(STATIC,a)]):10; "
            "disk(reservations: [(DYNAMIC,a)])[v:data]:64");
  const auto kept = KeptResources(total);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].SerializeAsString(), volume.items()[0].SerializeAsString());
}

}  // namespace
}  // namespace kiln::local

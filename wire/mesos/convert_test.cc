#include "wire/mesos/convert.h"

#include <gmock/gmock.h>

#include "wire/mesos/json.h"
#include "wire/mesos/read_for_test.h"
#include "wire/mesos/recordings_for_test.h"

namespace kiln::wire {
namespace {

using ::testing::ElementsAre;

ResourceList List(const std::vector<std::string>& resources) {
  ResourceList list;
  for (const auto& text : resources) *list.Add() = Read<mesos::v1::Resource>(text);
  return list;
}

std::vector<std::string> Texts(const ResourceList& list) {
  std::vector<std::string> texts;
  for (const auto& resource : list) texts.push_back(ToJson(resource));
  return texts;
}

constexpr char kReserved[] =
    R"("allocation_info":{"role":"r"},"reservations":[{"role":"r","type":"DYNAMIC"}]})";
constexpr char kFree[] = R"("allocation_info":{"role":"r"}})";

constexpr char kRevocable[] = R"("revocable":{},"allocation_info":{"role":"r"}})";

std::string Scalar(const char* name, const char* value, const char* rest) {
  return fmt::format(R"({{"name":"{}","type":"SCALAR","scalar":{{"value":{}}},{})", name, value,
                     rest);
}
std::string Ports(const char* ranges, const char* rest) {
  return fmt::format(R"({{"name":"ports","type":"RANGES","ranges":{{"range":[{}]}},{})", ranges,
                     rest);
}
std::string Gpus(const char* items, const char* rest) {
  return fmt::format(R"({{"name":"nvidia_gpu","type":"SET","set":{{"item":[{}]}},{})", items, rest);
}

TEST(ToOffer, KeepsWhatPlacementNeeds) {
  const auto offer = Read<mesos::v1::Offer>(R"({
    "id":{"value":"o"},"framework_id":{"value":"f"},"agent_id":{"value":"a"},"hostname":"h",
    "url":{"scheme":"http","address":{"hostname":"h","ip":"10.0.0.1","port":5051}},
    "allocation_info":{"role":"research"},
    "domain":{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"z1"}}},
    "attributes":[{"name":"rack","type":"TEXT","text":{"value":"r1"}},
      {"name":"memory","type":"SCALAR","scalar":{"value":40960.0}},
      {"name":"speed","type":"SCALAR","scalar":{"value":1.25}},
      {"name":"pairs","type":"RANGES","ranges":{"range":[{"begin":0,"end":3},{"begin":5,"end":5}]}},
      {"name":"kiln_gpus","type":"TEXT","text":{"value":"GPU-0.A100.40960.0.nvlink.a"}}],
    "resources":[]})");
  Offer expected;
  expected.id = {"o"};
  expected.agent.id = {"a"};
  expected.agent.hostname = "h";
  expected.agent.address = "10.0.0.1:5051";
  expected.agent.region = "eu";
  expected.agent.zone = "z1";
  expected.agent.attributes = {{"rack", "r1"},
                               {"memory", "40960"},
                               {"speed", "1.25"},
                               {"pairs", "[0-3, 5-5]"},
                               {"kiln_gpus", "GPU-0.A100.40960.0.nvlink.a"}};
  Gpu gpu;
  gpu.id = {"GPU-0"};
  gpu.model = "A100";
  gpu.memory = GiB(40);
  gpu.minor = 0;
  gpu.link = GpuLink::kNvlink;
  gpu.link_group = "a";
  expected.agent.gpus = {gpu};
  expected.role = "research";
  expected.received = Instant{5};
  EXPECT_EQ(ToOffer(offer, Instant{5}), expected);
}

TEST(ToResources, SumsOverReservationsAndLeavesOutWhatTasksMayNotUse) {
  const Resources found = ToResources(
      List({Scalar("cpus", "0.1", kFree), Scalar("cpus", "0.2", kReserved),
            Scalar("mem", "512.5", kFree), Scalar("disk", "1000.0", kFree),
            Scalar("gpus", "2.0", kFree), Scalar("bananas", "2.0", kFree),
            Scalar("cpus", "4.0", kRevocable), Scalar("mem", "7.0", kRevocable),
            Scalar("disk", "5.0", R"("disk":{"persistence":{"id":"v"}}})"),
            Scalar("mem", "-1.0", kFree), Gpus(R"("b","a")", kFree),
            Ports(R"({"begin":5,"end":6},{"begin":9,"end":8},{"begin":1,"end":70000})", kFree),
            Ports(R"({"begin":7,"end":9})", kReserved)}));
  Resources expected;
  expected.cpus_milli = 300;
  expected.revocable_cpus_milli = 4000;
  expected.mem = {512 * 1024 * 1024 + 512 * 1024};
  expected.disk = MiB(1000);
  expected.gpus = 2;
  expected.gpu_ids = {{"a"}, {"b"}};
  expected.ports = {{5, 9}};
  EXPECT_EQ(found, expected);
}

TEST(OfferedResources, GivesBackTheOfferedObjectsReservedOnesFirst) {
  OfferedResources offered;
  offered.Add(List({Scalar("cpus", "4.0", kFree), Scalar("mem", "4096.0", kFree),
                    Gpus(R"("g0","g1","g2")", kFree)}));
  offered.Add(List({Scalar("cpus", "0.3", kReserved),
                    Ports(R"({"begin":31000,"end":31009},{"begin":5,"end":5})", kFree)}));
  Resources wanted;
  wanted.cpus_milli = 1500;
  wanted.mem = {100 * 1024 * 1024 + 1};
  wanted.gpu_ids = {{"g1"}};
  wanted.ports = {{5, 5}, {31002, 31003}};
  EXPECT_THAT(Texts(*offered.Take(wanted)),
              ElementsAre(Scalar("cpus", "0.3", kReserved), Scalar("cpus", "1.2", kFree),
                          Scalar("mem", "100.001", kFree), Gpus(R"("g1")", kFree),
                          Ports(R"({"begin":5,"end":5},{"begin":31002,"end":31003})", kFree)));

  Resources more = wanted;
  more.ports = {{31000, 31001}};
  more.gpu_ids = {{"g1"}};
  EXPECT_EQ(offered.Take(more).error().code, ErrorCode::kResourceExhausted);
  more.gpu_ids = {{"g0"}, {"g2"}};
  more.cpus_milli = 2800;
  EXPECT_THAT(
      Texts(*offered.Take(more)),
      ElementsAre(Scalar("cpus", "2.8", kFree), Scalar("mem", "100.001", kFree),
                  Gpus(R"("g0","g2")", kFree), Ports(R"({"begin":31000,"end":31001})", kFree)));
  Resources rest;
  rest.cpus_milli = 1;
  EXPECT_EQ(offered.Take(rest).error().message, "offered resources: found mem " +
                                                    FormatBytes({4085249998}) +
                                                    ", ports [31004-31009], expected cpus 0.001");
  EXPECT_THAT(Texts(*offered.Take({})), ElementsAre());
}

TEST(OfferedResources, RevocableCpusAreTakenOnlyByWhoAsksForThem) {
  OfferedResources offered;
  offered.Add(List({Scalar("cpus", "1.0", kFree), Scalar("cpus", "4.0", kRevocable),
                    Scalar("mem", "64.0", kFree)}));
  EXPECT_EQ(offered.Take({.cpus_milli = 1001}).error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(Texts(*offered.Take({.revocable_cpus_milli = 1500, .mem = MiB(32)})),
              ElementsAre(Scalar("cpus", "1.5", kRevocable), Scalar("mem", "32.0", kFree)));
  EXPECT_EQ(offered.Take({.revocable_cpus_milli = 2501}).error().message,
            "offered resources: found cpus 1, revocable cpus 2.5, mem 32MiB, expected revocable "
            "cpus 2.501");
  EXPECT_THAT(Texts(*offered.Take({.cpus_milli = 1000})),
              ElementsAre(Scalar("cpus", "1.0", kFree)));
}

TEST(TaskStates, EveryStateOfMesosHasItsName) {
  for (int number = 0; number <= mesos::v1::TaskState_MAX; ++number) {
    const auto state = static_cast<mesos::v1::TaskState>(number);
    EXPECT_EQ(TaskStateName(ToTaskState(state)), mesos::v1::TaskState_Name(state));
  }
}

TEST(ReasonName, IsMesossNameWithoutItsPrefix) {
  mesos::v1::TaskStatus status;
  EXPECT_EQ(ReasonName(status), "");
  status.set_reason(mesos::v1::TaskStatus::REASON_EXECUTOR_TERMINATED);
  EXPECT_EQ(ReasonName(status), "EXECUTOR_TERMINATED");
}

class ConvertRecorded : public RecordingsTest {};

TEST_F(ConvertRecorded, AWholeOfferCanBeTakenAsItWasOffered) {
  int count = 0;
  for (const auto& scenario : Load("")) {
    for (const auto& step : scenario["steps"]) {
      for (const auto& event : step.value("events", nlohmann::json::array())) {
        if (!event.contains("json") || event["json"].value("type", "") != "OFFERS") continue;
        for (const auto& one : event["json"]["offers"]["offers"]) {
          const auto offer = Read<mesos::v1::Offer>(Numbered(one).dump());
          const Resources all = ToResources(offer.resources());
          OfferedResources offered;
          offered.Add(offer.resources());
          const auto taken = offered.Take(all);
          ASSERT_TRUE(taken) << taken.error().message;
          EXPECT_EQ(ToResources(*taken), all);
          EXPECT_EQ(ToOffer(offer, {}).role,
                    offer.has_allocation_info() ? offer.allocation_info().role() : "");
          ++count;
        }
      }
    }
  }
  EXPECT_GT(count, 100);
}

}  // namespace
}  // namespace kiln::wire

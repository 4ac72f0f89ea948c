#include "wire/mesos/volumes.h"

#include <gmock/gmock.h>

#include "wire/mesos/convert.h"
#include "wire/mesos/json.h"
#include "wire/mesos/read_for_test.h"
#include "wire/mesos/recordings_for_test.h"

namespace kiln::wire {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Texts(const auto& list) {
  std::vector<std::string> texts;
  for (const auto& one : list) texts.push_back(ToJson(one));
  return texts;
}

const VolumeOrder kOrder{
    "kiln.f.j.g.0.1-1",       "data", "research", "kiln", "kiln.f.j.g.0.1-1.reserve",
    "kiln.f.j.g.0.1-1.create"};

mesos::v1::Resource Disk(const std::string& size, const std::string& reservations = "") {
  return Read<mesos::v1::Resource>(R"({"name":"disk","type":"SCALAR","scalar":{"value":)" + size +
                                   R"(},"allocation_info":{"role":"research"})" + reservations +
                                   "}");
}

TEST(MakeVolume, ReservesDiskByNameAndMakesAVolumeOfIt) {
  OperationList operations;
  const auto volume = MakeVolume(Disk("64.0"), kOrder, operations);
  const std::string reserved = R"({"name":"disk","type":"SCALAR","scalar":{"value":64.0},)";
  const std::string reservation =
      R"("allocation_info":{"role":"research"},"reservations":[{"principal":"kiln","labels":)"
      R"({"labels":[{"key":"kiln_volume","value":"kiln.f.j.g.0.1-1"}]},"role":"research",)"
      R"("type":"DYNAMIC"}]})";
  const std::string made =
      reserved +
      R"("disk":{"persistence":{"id":"kiln.f.j.g.0.1-1","principal":"kiln"},"volume":)"
      R"({"container_path":"data","mode":"RW"}},)" +
      reservation;
  EXPECT_EQ(ToJson(volume), made);
  EXPECT_THAT(Texts(operations),
              ElementsAre(R"({"type":"RESERVE","reserve":{"resources":[)" + reserved + reservation +
                              R"(]},"id":{"value":"kiln.f.j.g.0.1-1.reserve"}})",
                          R"({"type":"CREATE","create":{"volumes":[)" + made +
                              R"(]},"id":{"value":"kiln.f.j.g.0.1-1.create"}})"));
}

TEST(MakeVolume, DiskOfTheRoleIsNotReservedAgain) {
  OperationList operations;
  const auto volume = MakeVolume(
      Disk("64.0", R"(,"reservations":[{"type":"STATIC","role":"research"}])"), kOrder, operations);
  ASSERT_EQ(operations.size(), 1U);
  EXPECT_EQ(operations[0].type(), mesos::v1::Offer::Operation::CREATE);
  ResourceList list;
  *list.Add() = volume;
  EXPECT_THAT(VolumesOf(list), ElementsAre(OfferedVolume{kOrder.id, true, false}));
}

TEST(VolumesOf, DiskThatIsReservedForAVolumeIsNobodyElses) {
  OperationList operations;
  ResourceList list;
  *list.Add() = MakeVolume(Disk("64.0"), kOrder, operations);
  *list.Add() = operations[0].reserve().resources(0);
  *list.Add() = Disk("36.0");
  EXPECT_THAT(VolumesOf(list), ElementsAre(OfferedVolume{kOrder.id, true, true},
                                           OfferedVolume{kOrder.id, false, true}));
  EXPECT_EQ(ToResources(list), (Resources{.disk = MiB(36), .volumes = {{kOrder.id, MiB(64)}}}));
}

TEST(OfferedResources, DealsOutVolumesByName) {
  OperationList operations;
  ResourceList list;
  *list.Add() = MakeVolume(Disk("64.0"), kOrder, operations);
  *list.Add() = Disk("36.0");
  OfferedResources offered;
  offered.Add(list);
  EXPECT_FALSE(offered.TakeDisk(MiB(37)));
  EXPECT_EQ(ToJson(*offered.TakeDisk(MiB(16))), ToJson(Disk("16.0")));
  const Resources wanted{.disk = MiB(20), .volumes = {{kOrder.id, MiB(64)}}};
  const auto taken = offered.Take(wanted);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(ToResources(*taken), wanted);
  EXPECT_FALSE(offered.Take({.volumes = {{kOrder.id, MiB(64)}}}));
}

TEST(RemoveVolume, WhatIsNotOfferedIsNotRemoved) {
  OperationList operations;
  EXPECT_FALSE(RemoveVolume({}, "kiln.v", "d", "u", operations));
  EXPECT_THAT(operations, IsEmpty());
}

using VolumeRecordings = RecordingsTest;

// With names as Kiln gives them, and without its labels, the operations are those that a real
// master took.
TEST_F(VolumeRecordings, AreWhatKilnSends) {
  const auto scenario = Load("10-volume-life").at(0);
  std::vector<nlohmann::json> accepts;
  std::vector<nlohmann::json> offers;
  for (const auto& step : scenario.at("steps")) {
    if (step.contains("request") && step["request"]["json"].value("type", "") == "ACCEPT") {
      accepts.push_back(step["request"]["json"]["accept"]["operations"]);
    }
    for (const auto& event : step.value("events", nlohmann::json::array())) {
      if (event["json"]["type"] != "OFFERS") continue;
      offers.push_back(Numbered(event["json"]["offers"]["offers"][0]));
    }
  }
  ASSERT_EQ(accepts.size(), 2U);
  const auto canonical = [](const nlohmann::json& operation) {
    return ToJson(Read<mesos::v1::Offer::Operation>(operation.dump()));
  };
  OfferedResources offered;
  offered.Add(Read<mesos::v1::Offer>(offers[0].dump()).resources());
  OperationList operations;
  const auto volume = MakeVolume(*offered.TakeDisk(MiB(64)),
                                 {"v1", "data", "research", "", "op1", "op2"}, operations);
  for (auto& operation : operations) {
    for (auto* list : {operation.mutable_reserve()->mutable_resources(),
                       operation.mutable_create()->mutable_volumes()}) {
      for (auto& resource : *list) resource.mutable_reservations(0)->clear_labels();
    }
  }
  operations[0].clear_create();
  operations[1].clear_reserve();
  EXPECT_THAT(Texts(operations), ElementsAre(canonical(accepts[0][0]), canonical(accepts[0][1])));
  // The task of the recording has the volume as it was made.
  auto plain = volume;
  plain.mutable_reservations(0)->clear_labels();
  EXPECT_EQ(ToJson(plain), ToJson(Read<mesos::v1::Resource>(
                               accepts[0][2]["launch"]["task_infos"][0]["resources"][2].dump())));

  auto offer = Read<mesos::v1::Offer>(offers[1].dump());
  for (auto& resource : *offer.mutable_resources()) {
    if (resource.has_disk()) resource.mutable_disk()->mutable_persistence()->set_id("kiln.v1");
  }
  EXPECT_EQ(ToOffer(offer, {}).resources.volumes, (std::vector<NamedVolume>{{"kiln.v1", MiB(64)}}));
  EXPECT_EQ(ToOffer(offer, {}).resources.disk, MiB(9936));
  operations.clear();
  ASSERT_TRUE(RemoveVolume(offer.resources(), "kiln.v1", "op3", "op4", operations));
  operations[0]
      .mutable_destroy()
      ->mutable_volumes(0)
      ->mutable_disk()
      ->mutable_persistence()
      ->set_id("v1");
  EXPECT_THAT(Texts(operations), ElementsAre(canonical(accepts[1][0]), canonical(accepts[1][1])));
}

}  // namespace
}  // namespace kiln::wire

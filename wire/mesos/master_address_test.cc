#include "wire/mesos/master_address.h"

#include <gmock/gmock.h>

#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::wire {
namespace {

// As a Mesos 1.12 master writes it.
constexpr char kJson[] =
    R"({"address":{"hostname":"master.test","ip":"10.0.0.7","port":5051},"capabilities":)"
    R"([{"type":"AGENT_UPDATE"},{"type":"AGENT_DRAINING"},{"type":"QUOTA_V2"}],)"
    R"("hostname":"master.test","id":"a2a8e8ab-2c4b-4d2e-9bf0-7c36a2ae3e14","ip":117440522,)"
    R"("pid":"master@10.0.0.7:5051","port":5051,"version":"1.12.0"})";

std::string Binary() {
  mesos::v1::MasterInfo info;
  info.set_id("m");
  info.set_ip(117440522);
  info.set_port(5050);
  info.set_hostname("master.test");
  return info.SerializeAsString();
}

TEST(MasterAddress, IsReadFromEveryFormThatMastersWrite) {
  const std::tuple<std::string, std::string, MasterPlace> cases[] = {
      {"json.info_0000000012", kJson, {"10.0.0.7:5051", "master.test"}},
      {"json.info_-2147483648", R"({"id":"m","ip":16777343,"port":5050})", {"127.0.0.1:5050", ""}},
      {"json.info_0000000003",
       R"({"id":"m","ip":16777343,"port":81,"address":{"hostname":"m1","port":80}})",
       {"m1:80", "m1"}},
      {"json.info_0000000003",
       R"({"id":"m","ip":0,"port":5050,"hostname":"m2","domain":{}})",
       {"m2:5050", "m2"}},
      {"json.info_0000000003",
       R"({"id":"m","ip":0,"port":80,"address":{"ip":"fd00::7","port":5050}})",
       {"[fd00::7]:5050", ""}},
      {"info_0000000004", Binary(), {"10.0.0.7:5050", "master.test"}},
      {"0000000005", "master@10.0.0.9:5050", {"10.0.0.9:5050", ""}}};
  for (const auto& [node, content, place] : cases) {
    const auto found = MasterAddress(node, content);
    ASSERT_TRUE(found) << node << ": " << found.error().message;
    EXPECT_EQ(*found, place) << node;
  }
}

TEST(MasterAddress, WhatIsNoMasterIsNamed) {
  const std::tuple<std::string, std::string, std::string> cases[] = {
      {"json.info_0000000001", "", "master's node json.info_0000000001: "},
      {"json.info_0000000001", R"({"id":"m","ip":1})", "master's node json.info_0000000001: "},
      {"json.info_0000000001", R"({"id":"m","ip":0,"port":5050})",
       "master's node json.info_0000000001: "},
      {"info_0000000001", "\xff", "master's node info_0000000001: "},
      {"0000000001", "scheduler@h:1", "master's node 0000000001: expected the MasterInfo of a "},
      {"lock_0000000001", "x",
       "master's node lock_0000000001: expected the MasterInfo of a Mesos"}};
  for (const auto& [node, content, message] : cases) {
    const auto found = MasterAddress(node, content);
    ASSERT_FALSE(found) << node << content;
    EXPECT_EQ(found.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(found.error().message, testing::StartsWith(message));
  }
}

}  // namespace
}  // namespace kiln::wire

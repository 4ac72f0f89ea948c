#include "wire/rest/cluster_codec.h"

#include <gtest/gtest.h>

namespace kiln::wire {
namespace {

TEST(ClusterCodec, AFileIsRead) {
  const auto shapes = DecodeCluster(R"(
agents:
  - count: 60
    cpus: 16
    mem: 64GiB
    disk: 1TiB
    revocable: {cpus: 4}
    attributes: {disk: ssd}
    spread: [{attribute: rack, values: 10}]
  - {gpus: {count: 8, model: A100, memory: 40GiB, linked: 4}}
  - {gpus: 2}
)");
  ASSERT_TRUE(shapes) << shapes.error().message;
  EXPECT_EQ(*shapes, (std::vector<AgentShape>{
                         {.count = 60,
                          .cpus = 16,
                          .mem = GiB(64),
                          .disk = GiB(1024),
                          .revocable = {.cpus = 4},
                          .attributes = {{"disk", "ssd"}},
                          .spread = {{"rack", 10}}},
                         {.gpus = {.count = 8, .model = "A100", .memory = GiB(40), .linked = 4}},
                         {.gpus = {.count = 2}}}));
}

TEST(ClusterCodec, EachFaultNamesItsField) {
  const std::pair<const char*, const char*> cases[] = {
      {"{}", "agents"},
      {"agents: []", "agents"},
      {"agents: [{count: 0}]", "agents[0].count"},
      {"agents: [{count: 900}, {count: 101}]", "agents"},
      {"agents: [{cpu: 1}]", "agents[0].cpu"},
      {"agents: [{mem: 5}]", "agents[0].mem"},
      {"agents: [{revocable: {mem: 1GiB}}]", "agents[0].revocable.mem"},
      {"agents: [{gpus: -1}]", "agents[0].gpus.count"},
      {"agents: [{spread: [{values: 3}]}]", "agents[0].spread[0].attribute"}};
  for (const auto& [text, field] : cases) {
    const auto shapes = DecodeCluster(text);
    ASSERT_FALSE(shapes) << text;
    EXPECT_EQ(shapes.error().field, field) << text;
  }
}

}  // namespace
}  // namespace kiln::wire

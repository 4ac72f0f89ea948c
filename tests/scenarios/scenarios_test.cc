#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "tests/scenarios/scenario.h"

namespace kiln::scheduler {
namespace {

std::vector<std::string> Files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(KILN_SCENARIOS)) {
    const bool scenario =
        entry.path().extension() == ".txt" && entry.path().filename() != "CMakeLists.txt";
    if (scenario) files.push_back(entry.path().stem());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class Scenarios : public testing::TestWithParam<std::string> {};

TEST_P(Scenarios, Holds) {
  const std::string path = std::string(KILN_SCENARIOS) + "/" + GetParam() + ".txt";
  const Status status = Scenario().Run(ReadFile(path).value());
  EXPECT_TRUE(status) << path << ": " << status.error().message;
}

INSTANTIATE_TEST_SUITE_P(Files, Scenarios, testing::ValuesIn(Files()),
                         [](const auto& file) { return file.param; });

TEST(Scenario, WhatIsNotMetIsNamedWithItsLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"agent a\njob j\ncycle\nexpect start j on b", "line 4: the place of j is a, expected b"},
      {"agent a\njob j cpus=9\ncycle\nexpect wait j \"needs 8 cpus\"",
       "line 4: the reason of j is needs 9 cpus: 1 agent offered, the most free is 8 on a, "
       "expected needs 8 cpus"},
      {"agent a\njob j\ncycle\nexpect wait j", "line 4: j does not wait"},
      {"job j speed=3", "line 1: key speed is not known"},
      {"dance now", "line 1: \"dance now\" is no line of a scenario"}};
  for (const auto& [text, message] : cases) {
    const Status status = Scenario().Run(text);
    ASSERT_FALSE(status) << text;
    EXPECT_EQ(status.error().message, message);
  }
}

}  // namespace
}  // namespace kiln::scheduler

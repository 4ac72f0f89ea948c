// What the README tells a newcomer to do.
#include <gtest/gtest.h>

#include <sstream>

#include "tests/integration/cluster.h"

namespace kiln::integration {
namespace {

// The lines of the first block behind a heading that begin with `kiln`, without their comments.
std::vector<std::vector<std::string>> Commands(const std::string& heading) {
  std::istringstream readme(support::ReadFile(KILN_SOURCE_ROOT "/README.md"));
  std::string line;
  while (std::getline(readme, line) && line != heading) continue;
  while (std::getline(readme, line) && line != "```sh") continue;
  std::vector<std::vector<std::string>> commands;
  while (std::getline(readme, line) && line != "```") {
    if (!line.starts_with("kiln ")) continue;
    std::istringstream words(line.substr(0, line.find('#')));
    std::vector<std::string> command;
    for (std::string word; words >> word;) {
      command.push_back(word.starts_with("examples/") ? KILN_SOURCE_ROOT "/" + word : word);
    }
    commands.push_back(command);
  }
  return commands;
}

TEST(ReadmeTest, ItsCommandsDoWhatTheySay) {
  const support::TempFolder home;
  const auto run = [&](std::vector<std::string> command) {
    command[0] = Program("kiln");
    return support::RunProgram(command, {{"HOME", home.path()}, {"KILN_API", ""}});
  };
  auto commands = Commands("## Use it");
  ASSERT_GT(commands.size(), 5U);
  // Other ports than the usual ones, which may be taken.
  for (const char* word : {"--port", "0", "--api-port", "0"}) commands[0].push_back(word);
  bool down = false;
  for (const auto& command : commands) {
    const support::RunOutcome outcome = run(command);
    std::string line;
    for (const std::string& word : command) line += word + " ";
    EXPECT_EQ(outcome.code, 0) << line << "\n" << outcome.output;
    EXPECT_TRUE(outcome.output != "" || command.back() == "down") << line;
    down = command.back() == "down";
  }
  if (!down) run({"kiln", "local", "down"});
  EXPECT_TRUE(down);
}

}  // namespace
}  // namespace kiln::integration

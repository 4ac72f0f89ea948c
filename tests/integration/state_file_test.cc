// State files that the scheduler cannot take: it says why, ends, and leaves them as they are.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/integration/cluster.h"

namespace kiln::integration {
namespace {

std::vector<std::string> SchedulerOn(const std::string& state, const std::string& address) {
  return {Program("kiln-scheduler"), "--master=127.0.0.1:1", "--state=" + state,
          "--address-file=" + address};
}

// A state file as the scheduler makes it.
std::string GoodState() {
  const support::TempFolder folder;
  const std::string state = folder.File("state.db"), address = folder.File("address");
  auto scheduler = *support::Process::Start({SchedulerOn(state, address), folder.File("log"), {}});
  EXPECT_TRUE(support::Eventually([&] { return !support::ReadFile(address).empty(); }));
  scheduler.Stop();
  return support::ReadFile(state);
}

// With a byte of SQLite's header changed: 63 is the last of user_version, 68 the first of
// application_id.
std::string WithByte(std::string bytes, size_t at, char value) {
  bytes.at(at) = value;
  return bytes;
}

TEST(StateFileTest, AnUnreadableStateIsNamedAndLeftAlone) {
  const support::TempFolder folder;
  const std::string good = GoodState();
  ASSERT_GT(good.size(), 2048u);
  struct Case {
    std::string name;
    std::string bytes;
    int code;
    std::string message;  // behind the file's name
  };
  const std::string no_database =
      " cannot be read (file is not a database), expected a state file of kiln-scheduler";
  const Case cases[] = {
      {"text", "hello", 65, no_database},
      {"garbage", std::string(100'000, '\xa5'), 65, no_database},
      {"cut", good.substr(0, good.size() / 2), 65,
       " cannot be read (database disk image is malformed), expected a state file of "
       "kiln-scheduler"},
      {"newer", WithByte(good, 63, 99), 65,
       " has schema version 99, expected at most 1: a newer kiln-scheduler made it"},
      {"foreign", WithByte(good, 68, 'X'), 65,
       " is a database of another program, expected Kiln's state"},
  };
  for (const Case& c : cases) {
    const std::string file = folder.File(c.name);
    std::ofstream(file, std::ios::binary) << c.bytes;
    const auto outcome = support::RunProgram(SchedulerOn(file, folder.File("address")));
    EXPECT_EQ(outcome.code, c.code) << c.name;
    const bool named = c.name == "newer" || c.name == "foreign";
    EXPECT_EQ(outcome.output,
              "kiln-scheduler: " + std::string(named ? "" : "state ") + file + c.message + "\n");
    EXPECT_EQ(support::ReadFile(file), c.bytes) << c.name;
    EXPECT_FALSE(std::filesystem::exists(file + ".artifacts"));
  }
}

TEST(StateFileTest, APlaceThatIsNoFileIsNamed) {
  const support::TempFolder folder;
  std::filesystem::create_directory(folder.File("dir"));
  const std::pair<std::string, std::string> cases[] = {
      {folder.File("dir"), "Is a directory"},
      {folder.File("nosuch/state.db"), "No such file or directory"},
  };
  for (const auto& [file, why] : cases) {
    const auto outcome = support::RunProgram(SchedulerOn(file, folder.File("address")));
    EXPECT_EQ(outcome.code, 74);
    EXPECT_EQ(outcome.output, "kiln-scheduler: state " + file + " cannot be opened (" + why +
                                  "), expected a file that can be written\n");
  }
}

}  // namespace
}  // namespace kiln::integration

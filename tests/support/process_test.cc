#include "tests/support/process.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace kiln::support {
namespace {

TEST(ProcessTest, RunTellsCodeAndOutput) {
  const RunOutcome outcome =
      RunProgram({"/bin/sh", "-c", "echo $WORD; exit 3"}, {{"WORD", "hello"}});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.output, "hello\n");
  EXPECT_EQ(RunProgram({"/no/such/program"}).code, 127);
}

TEST(ProcessTest, SignalsAreSeenAsCodes) {
  auto process = Process::Start({{"/bin/sleep", "60"}, "", {}});
  ASSERT_TRUE(process);
  EXPECT_GT(ResidentBytes(process->pid()), 0);
  EXPECT_EQ(process->Wait(std::chrono::milliseconds(1)), std::nullopt);
  process->Signal(SIGKILL);
  EXPECT_EQ(process->Wait(std::chrono::seconds(10)), 128 + SIGKILL);
}

TEST(TempFolderTest, IsGoneAfterwards) {
  std::filesystem::path path;
  {
    const TempFolder folder;
    path = folder.path();
    EXPECT_TRUE(std::filesystem::is_directory(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace kiln::support

#include "cli/output/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace kiln::cli {
namespace {

TEST(Table, AlignsTextLeftAndNumbersRight) {
  Table table({"NAME", "RUNNING", "DONE"});
  table.Add({"digits-forest", "4", "50%"});
  table.Add({"größe", "12", "100%"});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(),
            "NAME           RUNNING  DONE\n"
            "digits-forest        4   50%\n"
            "größe               12  100%\n");
}

TEST(Table, WithoutRowsHasItsHeads) {
  std::ostringstream out;
  Table({"NAME", "KIND"}).Print(out);
  EXPECT_EQ(out.str(), "NAME  KIND\n");
}

TEST(Table, TextsDoNotMoveTheCursor) {
  Table table({"MESSAGE"});
  table.Add({"a\x1b[2Jb\nc"});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(), "MESSAGE\na [2Jb c\n");
}

TEST(Progress, BehindAPipeEachChangeIsALine) {
  std::ostringstream out;
  {
    Progress progress(out, false);
    progress.Show("one", 0);
    progress.Show("one", 0.2);
    progress.Show("two", 0.5);
  }
  EXPECT_EQ(out.str(), "one\ntwo\n");
}

TEST(Progress, ALineIsShorterThanTheTerminalAndIsDrawnOnce) {
  std::ostringstream out;
  {
    Progress progress(out, true, 32);
    progress.Show("größer", 0);
    progress.Show("größen", 0);
    progress.Show("groß", 0);
  }
  const std::string bar = "\r[" + std::string(24, ' ') + "] ";
  EXPECT_EQ(out.str(), bar + "größ" + bar + "groß\n");
}

TEST(Progress, OnATerminalOneLineChanges) {
  std::ostringstream out;
  {
    Progress progress(out, true);
    progress.Show("three", 0.5);
    progress.Show("one", 1);
  }
  EXPECT_EQ(out.str(), "\r[############            ] three\r[########################] one  \n");
}

}  // namespace
}  // namespace kiln::cli

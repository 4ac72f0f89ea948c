// The tree checks itself: budgets, words, documents. Limits only tighten.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <regex>

#include "tests/tidy/tree.h"

namespace kiln::tidy {
namespace {

using Faults = std::vector<std::string>;

TEST(TidyTest, FilesStayWithinTheirBudget) {
  Faults faults;
  for (const SourceFile& file : Tree()) {
    if (!file.IsCode()) continue;
    const size_t limit = file.IsTest() ? 800 : file.IsHeader() ? 300 : 600;
    if (file.lines.size() > limit)
      faults.push_back(At(file, static_cast<int>(limit),
                          "file has " + std::to_string(file.lines.size()) +
                              " lines, expected at most " + std::to_string(limit)));
  }
  EXPECT_EQ(faults, Faults{});
}

TEST(TidyTest, FunctionsHaveAtMostSeventyLines) {
  Faults faults;
  for (const SourceFile& file : Tree()) {
    if (!file.IsCode()) continue;
    for (const Function& function : FunctionsOf(file))
      if (function.length > 70)
        faults.push_back(At(file, function.line,
                            "function has " + std::to_string(function.length) +
                                " lines, expected at most 70: move leaves out"));
  }
  EXPECT_EQ(faults, Faults{});
}

TEST(TidyTest, LinesOfCodeHaveAtMostAHundredAndTwentyColumns) {
  Faults faults;
  for (const SourceFile& file : Tree()) {
    if (!file.IsCode()) continue;
    for (size_t i = 0; i < file.lines.size(); ++i)
      if (file.lines[i].size() > 120 && file.lines[i].find("R\"") == std::string::npos &&
          file.lines[i].find('"') == std::string::npos)
        faults.push_back(At(file, static_cast<int>(i) + 1, "line is too long: run clang-format"));
  }
  EXPECT_EQ(faults, Faults{});
}

TEST(TidyTest, HeadersAreIncludedOnce) {
  Faults faults;
  for (const SourceFile& file : Tree()) {
    if (!file.IsHeader() || file.path.ends_with("-inl.h")) continue;
    const bool once =
        std::find(file.lines.begin(), file.lines.end(), "#pragma once") != file.lines.end();
    if (!once) faults.push_back(At(file, 1, "header without #pragma once"));
  }
  EXPECT_EQ(faults, Faults{});
}

TEST(TidyTest, CommentsTellNoHistoryAndNoPlans) {
  const std::regex banned(
      R"(\b(TODO|FIXME|XXX|HACK|now uses|previously|refactored|no longer|legacy|as requested|formerly|used to be)\b)",
      std::regex::icase);
  Faults faults;
  for (const SourceFile& file : Tree()) {
    if (!file.IsCode() || file.path.starts_with("tests/tidy/")) continue;
    for (size_t i = 0; i < file.lines.size(); ++i) {
      std::smatch match;
      const std::string comment = CommentOf(file.lines[i]);
      if (std::regex_search(comment, match, banned))
        faults.push_back(At(file, static_cast<int>(i) + 1,
                            "comment says \"" + match.str() + "\", expected the present"));
    }
  }
  EXPECT_EQ(faults, Faults{});
}

TEST(TidyTest, NothingSleepsOutsideIntegration) {
  const std::regex sleeps(R"(\b(sleep_for|sleep_until|usleep|nanosleep)\s*\(|[^_\w]sleep\(\d)");
  Faults faults;
  for (const SourceFile& file : Tree()) {
    if (!file.path.ends_with("_test.cc") || file.path.starts_with("tests/integration/") ||
        file.path.starts_with("tests/mesos/"))
      continue;
    for (size_t i = 0; i < file.lines.size(); ++i)
      if (std::regex_search(file.lines[i], sleeps))
        faults.push_back(
            At(file, static_cast<int>(i) + 1, "a test sleeps, expected it to wait for an event"));
  }
  EXPECT_EQ(faults, Faults{});
}

TEST(TidyTest, PathsNamedInDocumentsExist) {
  // `scheduler/placement/plan.h` in backticks: a path of the tree when its first folder is one of
  // the tree's.
  const std::regex named(R"(`([A-Za-z0-9_.-]+/[A-Za-z0-9_./-]*)`)");
  Faults faults;
  for (const SourceFile& file : Tree()) {
    if (!file.path.ends_with(".md")) continue;
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      for (std::sregex_iterator it(line.begin(), line.end(), named), end; it != end; ++it) {
        const std::string path = (*it)[1];
        const std::string top = path.substr(0, path.find('/'));
        if (top == "build" || !std::filesystem::exists(Root() / top)) continue;
        if (!std::filesystem::exists(Root() / path))
          faults.push_back(At(file, static_cast<int>(i) + 1, path + " does not exist"));
      }
    }
  }
  EXPECT_EQ(faults, Faults{});
}

TEST(TidyTest, LinksBetweenDocumentsLeadSomewhere) {
  const std::regex link(R"(\]\(([^)#: ]+)(#[^)]*)?\))");
  Faults faults;
  for (const SourceFile& file : Tree()) {
    if (!file.path.ends_with(".md")) continue;
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      for (std::sregex_iterator it(line.begin(), line.end(), link), end; it != end; ++it) {
        const auto target = (Root() / file.path).parent_path() / (*it)[1].str();
        if (!std::filesystem::exists(target))
          faults.push_back(
              At(file, static_cast<int>(i) + 1, "link to " + (*it)[1].str() + " leads nowhere"));
      }
    }
  }
  EXPECT_EQ(faults, Faults{});
}

// TEST, TEST_F or TEST_P, also where its head goes over two lines.
bool HasTest(const std::string& path, const std::string& suite, const std::string& name) {
  std::string code;
  for (const SourceFile& file : Tree()) {
    if (file.path != path) continue;
    for (const std::string& line : file.lines) code += line.substr(Indent(line)) + ' ';
  }
  const std::string arguments = "(" + suite + ", " + name + ") {";
  for (const std::string macro : {"TEST", "TEST_F", "TEST_P"})
    if (code.find(macro + arguments) != std::string::npos) return true;
  return false;
}

TEST(TidyTest, EachTrapOfMesosNamesTestsThatAreThere) {
  const std::regex row(R"(\| ([0-9]+) \|.*)");
  const std::regex named(R"(`([A-Z]\w*)\.([A-Z]\w*)`(?: in `([^`]+)`)?)");
  std::vector<int> traps;
  Faults faults;
  for (const SourceFile& file : Tree()) {
    if (file.path != "docs/mesos_traps.md") continue;
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      std::smatch match;
      if (!std::regex_match(line, match, row)) continue;
      traps.push_back(std::stoi(match[1]));
      std::sregex_iterator test(line.begin(), line.end(), named), end;
      if (test == end) faults.push_back(At(file, static_cast<int>(i) + 1, "names no test"));
      for (; test != end; ++test)
        if (!HasTest((*test)[3], (*test)[1], (*test)[2]))
          faults.push_back(At(file, static_cast<int>(i) + 1, test->str() + " is not there"));
    }
  }
  std::vector<int> all(30);
  std::iota(all.begin(), all.end(), 1);
  EXPECT_EQ(traps, all);
  EXPECT_EQ(faults, Faults{});
}

TEST(TidyTest, ReadmeFitsOnAPage) {
  for (const SourceFile& file : Tree())
    if (file.path == "README.md") EXPECT_LE(file.lines.size(), 120u);
}

TEST(TidyTest, NoFileIsOverAMegabyte) {
  Faults faults;
  for (const SourceFile& file : Tree())
    if (std::filesystem::file_size(Root() / file.path) > (1 << 20)) faults.push_back(file.path);
  EXPECT_EQ(faults, Faults{});
}

// The checks above are only worth something if they can fail.
TEST(TidyTest, ChecksSeeWhatTheyLookFor) {
  SourceFile file{"x/y.cc", {"void Long(int a) {"}};
  for (int i = 0; i < 80; ++i) file.lines.push_back("  Step();");
  file.lines.push_back("}");
  ASSERT_EQ(FunctionsOf(file).size(), 1u);
  EXPECT_EQ(FunctionsOf(file)[0].length, 82);
  EXPECT_EQ(CommentOf("call();  // no longer so"), " no longer so");
  EXPECT_EQ(CommentOf("url = \"http://x\";"), "");
  EXPECT_TRUE(HasTest("tests/tidy/tidy_test.cc", "TidyTest", "ChecksSeeWhatTheyLookFor"));
  EXPECT_FALSE(HasTest("tests/tidy/tidy_test.cc", "TidyTest", "ChecksSee"));
  EXPECT_FALSE(HasTest("tests/tidy/tree.cc", "TidyTest", "ChecksSeeWhatTheyLookFor"));
}

}  // namespace
}  // namespace kiln::tidy

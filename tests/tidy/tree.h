// The source tree as the tidy tests read it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace kiln::tidy {

struct SourceFile {
  std::string path;  // from the root, with '/'
  std::vector<std::string> lines;

  bool IsCode() const { return path.ends_with(".cc") || path.ends_with(".h"); }
  bool IsHeader() const { return path.ends_with(".h"); }
  bool IsTest() const { return path.ends_with("_test.cc") || path.starts_with("tests/"); }
  // "scheduler/placement" of scheduler/placement/plan.h.
  std::string Folder() const;
};

// Every text file that belongs to the tree; build output and version control are left out. Sorted
// by path.
const std::vector<SourceFile>& Tree();
std::filesystem::path Root();

struct Include {
  int line = 0;
  std::string path;
  bool system = false;  // <path>
};
std::vector<Include> IncludesOf(const SourceFile& file);

struct Function {
  int line = 0;    // of its head
  int length = 0;  // lines from head to closing brace
};
// Functions as clang-format lays them out: a head that ends with '{' and the '}' under its first
// column.
std::vector<Function> FunctionsOf(const SourceFile& file);

// Blanks before its text.
size_t Indent(const std::string& line);

// The text of a line behind // or between /* and */; empty when there is none.
std::string CommentOf(const std::string& line);

// "path:line: message" for a list of faults; tests compare it with an empty list.
std::string At(const SourceFile& file, int line, const std::string& message);

}  // namespace kiln::tidy

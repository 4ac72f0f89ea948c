// Tables and progress, for people on a terminal and for scripts behind a pipe.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace kiln::cli {

// Texts come from anywhere: none of them may move the cursor. Control characters but `kept` become
// spaces.
std::string Clean(std::string text, char kept = ' ');

// Columns with upper-case heads, two spaces apart; a column of numbers stands to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> heads) : heads_(std::move(heads)) {}
  // As many cells as heads.
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  // With the heads, also when there are no rows. Control characters become spaces.
  void Print(std::ostream& out) const;

 private:
  std::vector<std::string> heads_;
  std::vector<std::vector<std::string>> rows_;
};

// One line that changes: a bar on a terminal, cut to its width; behind a pipe a line each time the
// text changes.
class Progress {
 public:
  // `columns` is the terminal's width; 0: that of the terminal at standard error.
  Progress(std::ostream& out, bool interactive, size_t columns = 0)
      : out_(out), interactive_(interactive), columns_(columns) {}
  ~Progress() { End(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `fraction` is from 0 to 1.
  void Show(const std::string& text, double fraction);
  // Leaves the last state on the terminal.
  void End();

 private:
  std::ostream& out_;
  const bool interactive_;
  const size_t columns_;
  std::string last_;  // what was shown
  size_t width_ = 0;  // of what stands on the terminal's line
};

}  // namespace kiln::cli

#include "cli/output/table.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

namespace kiln::cli {
namespace {

constexpr int kBarWidth = 24;

// Characters of UTF-8 text: bytes that do not continue one.
size_t Width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

// Its first `width` characters.
std::string Cut(std::string text, size_t width) {
  size_t end = 0;
  for (; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xc0) != 0x80;
    if (begins && width-- == 0) break;
  }
  text.resize(end);
  return text;
}

size_t TerminalColumns() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

bool IsNumber(const std::string& text) {
  if (text.empty() || !std::isdigit(static_cast<unsigned char>(text.front()))) return false;
  return text.find_first_not_of("0123456789.%") == std::string::npos;
}

}  // namespace

std::string Clean(std::string text, char kept) {
  for (char& c : text) {
    if ((static_cast<unsigned char>(c) < 0x20 || c == 0x7f) && c != kept) c = ' ';
  }
  return text;
}

void Table::Print(std::ostream& out) const {
  std::vector<size_t> widths;
  std::vector<bool> numbers;
  for (size_t column = 0; column < heads_.size(); ++column) {
    size_t width = Width(heads_[column]);
    bool number = false;
    bool text = false;
    for (const auto& row : rows_) {
      width = std::max(width, Width(row[column]));
      number = number || IsNumber(row[column]);
      text = text || !(IsNumber(row[column]) || row[column] == "-");
    }
    widths.push_back(width);
    numbers.push_back(number && !text);
  }
  auto print = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t column = 0; column < cells.size(); ++column) {
      const std::string pad(widths[column] - Width(cells[column]), ' ');
      if (column > 0) line += "  ";
      line += numbers[column] ? pad + Clean(cells[column]) : Clean(cells[column]) + pad;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << "\n";
  };
  print(heads_);
  for (const auto& row : rows_) print(row);
}

void Progress::Show(const std::string& text, double fraction) {
  if (!interactive_) {
    if (text == last_) return;
    last_ = text;
    out_ << Clean(text) << "\n" << std::flush;
    return;
  }
  const int full = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * kBarWidth);
  // In the last column the cursor would go to the next line, from which nothing goes back.
  const std::string line =
      Cut(fmt::format("[{}{}] {}", std::string(static_cast<size_t>(full), '#'),
                      std::string(static_cast<size_t>(kBarWidth - full), ' '), Clean(text)),
          (columns_ > 0 ? columns_ : TerminalColumns()) - 1);
  if (line == last_) return;
  last_ = line;
  const size_t width = Width(line);
  out_ << "\r" << line << std::string(width_ > width ? width_ - width : 0, ' ') << std::flush;
  width_ = width;
}

void Progress::End() {
  if (width_ > 0) out_ << "\n" << std::flush;
  width_ = 0;
}

}  // namespace kiln::cli

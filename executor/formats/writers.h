// Writes result files: whole, or not at all.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace kiln::executor {

// A line of CSV at the end of `text`; cells are quoted where RFC 4180 asks for it.
void AppendCsv(std::string& text, const std::vector<std::string>& cells);

// CSV with a header line; lines end with LF.
// Nothing is at `path` before Publish.
// Threads: one at a time.
class CsvWriter {
 public:
  static Result<CsvWriter> Create(const std::string& path, const std::vector<std::string>& columns);

  Status Append(const std::vector<std::string>& cells);
  Status Publish();

 private:
  explicit CsvWriter(NewFile file) : file_(std::move(file)) {}

  NewFile file_;
  std::string buffer_;
};

// The shortest text that gives the same float back: "0.1", "7", "nan".
std::string FloatText(float number);

// Float32 rows as npy version 1. values.size() is rows times columns.
Status WriteNpy(const std::string& path, std::span<const float> values, size_t columns);

}  // namespace kiln::executor

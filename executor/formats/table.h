// Tables of numbers, read from CSV (RFC 4180) or npy, plain or in gzip.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kiln::executor {

enum class TargetKind { kLabels, kNumbers };

// What an empty cell or one that is not finite ("nan", "inf") gives: an error, or itself (an empty
// one NaN).
enum class HoleKind { kRefused, kNan };

// Which columns of a file are wanted, and as what.
struct TableSpec {
  std::vector<std::string> columns;  // features in this order; empty: all but target and key
  std::string target;                // the column to predict; empty: none
  std::string key;                   // rows are grouped by it; empty: none
  TargetKind target_kind = TargetKind::kLabels;
  HoleKind holes = HoleKind::kRefused;
};

// Part `index` of `count`. The parts of a file hold each row once. With a key column all rows of
// one key are in one part; without, a part is a run of neighbouring rows.
struct Partition {
  int index = 0;
  int count = 1;
};

// Rows in the order of the file. A member for a column that was not asked for is empty.
struct Table {
  std::vector<std::string> columns;
  std::vector<float> values;        // row-major: rows x columns
  std::vector<std::string> labels;  // the target as text
  std::vector<double> numbers;      // the target as numbers
  std::vector<std::string> keys;
  std::vector<int64_t> row_numbers;  // from 0, in the whole file

  size_t Rows() const { return row_numbers.size(); }
  bool operator==(const Table&) const = default;
};

// Reads one part of a file piece by piece, so that memory holds one piece.
//
// CSV: the first line names the columns, unless all its cells are numbers: then the columns are
// named "0", "1" and so on, and the line is data (the names 0, 1, 2, ... in their order are a
// header all the same). Blank lines are skipped. A line has at most 16 MiB. npy: version 1 to 3, C
// order, f4, f8, i4, i8 or u1, one or two axes; columns are named "0", "1" and so on.
//
// Errors name file, line and column: kNotFound for a missing file, kInvalidArgument for what is
// wrong in it.
// Threads: one at a time.
class TableReader {
 public:
  static Result<TableReader> Open(const std::string& path, TableSpec spec,
                                  Partition partition = {});
  TableReader(TableReader&&) noexcept;
  ~TableReader();

  // The feature columns, also when there are no rows.
  const std::vector<std::string>& columns() const;
  // The next rows, at most rows_max. A table without rows is the end.
  Result<Table> Read(size_t rows_max);

  // How one kind of file is read.
  class Source;

 private:
  explicit TableReader(std::unique_ptr<Source> source);
  std::unique_ptr<Source> source_;
};

// All rows of the part at once.
Result<Table> ReadTable(const std::string& path, const TableSpec& spec, Partition partition = {});

// The part that holds the rows of this key, the same on every machine.
int PartitionOfKey(std::string_view key, int count);

}  // namespace kiln::executor

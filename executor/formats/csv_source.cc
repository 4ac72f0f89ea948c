#include <algorithm>
#include <limits>

#include "executor/formats/columns.h"
#include "executor/formats/csv_records.h"
#include "executor/formats/source.h"

namespace kiln::executor {
namespace {

constexpr uint64_t kNoEnd = std::numeric_limits<uint64_t>::max();

bool IsNumber(std::string_view cell) { return ParseDouble(cell, HoleKind::kNan).has_value(); }

// All cells numbers: data. But 0, 1, 2, ... is how numbered columns are written as a header.
bool IsHeader(const std::vector<std::string_view>& cells) {
  if (!std::all_of(cells.begin(), cells.end(), IsNumber)) return true;
  if (cells.size() < 3) return false;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (cells[i] != std::to_string(i)) return false;
  }
  return true;
}

std::string HeaderName(std::string_view cell) {
  const size_t first = cell.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return std::string(cell.substr(first, cell.find_last_not_of(" \t") - first + 1));
}

class CsvSource final : public TableReader::Source {
 public:
  CsvSource(CsvRecords records, std::vector<std::string> header, ColumnPlan plan,
            const TableSpec& spec, Partition partition)
      : records_(std::move(records)),
        header_(std::move(header)),
        plan_(std::move(plan)),
        target_kind_(spec.target_kind),
        holes_(spec.holes),
        partition_(partition) {}

  // Without a key the part is the records that start in its share of the bytes after the header:
  // what lies before is only searched for line ends, what lies behind is not read.
  Status TakeShareOfBytes() {
    const uint64_t body = records_.offset();
    const int64_t line = records_.line();
    KILN_TRY(const uint64_t size, records_.source().Size());
    const auto share = [&](int index) {
      return body + static_cast<uint64_t>(static_cast<unsigned __int128>(size - body) *
                                          static_cast<unsigned>(index) /
                                          static_cast<unsigned>(partition_.count));
    };
    begin_ = share(partition_.index);
    if (partition_.index + 1 < partition_.count) end_ = share(partition_.index + 1);
    return records_.Restart(body, line);
  }

  const std::vector<std::string>& columns() const override { return plan_.names; }

  Result<Table> Read(size_t rows_max) override {
    Table table;
    table.columns = plan_.names;
    while (table.Rows() < rows_max) {
      KILN_TRY(const bool more, records_.Next());
      if (!more || records_.offset() >= end_) break;
      const int64_t row = next_row_++;
      if (records_.offset() < begin_) continue;
      KILN_TRY_OK(records_.Split(cells_));
      if (cells_.size() != header_.size()) {
        return Fail(ErrorCode::kInvalidArgument, "{}: {} cells, expected {}", records_.Place(),
                    cells_.size(), header_.size());
      }
      if (plan_.key && PartitionOfKey(cells_[*plan_.key], partition_.count) != partition_.index) {
        continue;
      }
      KILN_TRY_OK(Append(table));
      table.row_numbers.push_back(row);
    }
    return table;
  }

 private:
  Status Append(Table& table) {
    for (const size_t column : plan_.features) {
      auto number = ParseFloat(cells_[column], holes_);
      if (!number) return AtColumn(column, std::move(number).error());
      table.values.push_back(*number);
    }
    if (plan_.target && target_kind_ == TargetKind::kNumbers) {
      auto number = ParseDouble(cells_[*plan_.target], holes_);
      if (!number) return AtColumn(*plan_.target, std::move(number).error());
      table.numbers.push_back(*number);
    } else if (plan_.target) {
      if (cells_[*plan_.target].empty()) {
        return AtColumn(*plan_.target,
                        {ErrorCode::kInvalidArgument, "is empty, expected a label", {}});
      }
      table.labels.emplace_back(cells_[*plan_.target]);
    }
    if (plan_.key) table.keys.emplace_back(cells_[*plan_.key]);
    return {};
  }

  Failure AtColumn(size_t column, Error error) const {
    error.message =
        fmt::format("{}: column {} {}", records_.Place(), header_[column], error.message);
    return Failure(std::move(error));
  }

  CsvRecords records_;
  std::vector<std::string> header_;
  ColumnPlan plan_;
  TargetKind target_kind_;
  HoleKind holes_;
  Partition partition_;
  uint64_t begin_ = 0;
  uint64_t end_ = kNoEnd;
  int64_t next_row_ = 0;
  std::vector<std::string_view> cells_;
};

}  // namespace

Result<std::unique_ptr<TableReader::Source>> OpenCsv(ByteSource bytes, const TableSpec& spec,
                                                     Partition partition) {
  CsvRecords records(std::move(bytes));
  KILN_TRY(const bool any, records.Next());
  if (!any) {
    return Fail(ErrorCode::kInvalidArgument, "{} is empty, expected a header line",
                records.source().path());
  }
  std::vector<std::string_view> cells;
  const std::string place = records.Place();
  const int64_t first_line = records.line();
  const uint64_t first_offset = records.offset();
  KILN_TRY_OK(records.Split(cells));
  std::vector<std::string> header;
  const bool named = IsHeader(cells);
  if (named) {
    for (const std::string_view cell : cells) header.push_back(HeaderName(cell));
  } else {
    header = NumberedColumns(cells.size());
  }
  KILN_TRY(ColumnPlan plan, PlanColumns(place, header, spec));
  if (named) {
    records.Leave();
  } else {
    KILN_TRY_OK(records.Restart(first_offset, first_line));
  }
  auto source = std::make_unique<CsvSource>(std::move(records), std::move(header), std::move(plan),
                                            spec, partition);
  if (spec.key.empty() && partition.count > 1) KILN_TRY_OK(source->TakeShareOfBytes());
  return source;
}

}  // namespace kiln::executor

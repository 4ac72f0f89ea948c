#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "executor/formats/columns.h"
#include "executor/formats/source.h"

namespace kiln::executor {
namespace {

static_assert(std::endian::native == std::endian::little);

enum class Scalar { kF4, kF8, kI4, kI8, kU1 };

struct NpyHead {
  Scalar scalar = Scalar::kF4;
  uint64_t rows = 0;
  uint64_t columns = 0;
  uint64_t data_offset = 0;
};

size_t SizeOf(Scalar scalar) {
  switch (scalar) {
    case Scalar::kF4:
    case Scalar::kI4:
      return 4;
    case Scalar::kF8:
    case Scalar::kI8:
      return 8;
    case Scalar::kU1:
      return 1;
  }
  return 0;
}

template <typename T>
double Load(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return static_cast<double>(value);
}

double LoadNumber(Scalar scalar, const char* bytes) {
  switch (scalar) {
    case Scalar::kF4:
      return Load<float>(bytes);
    case Scalar::kF8:
      return Load<double>(bytes);
    case Scalar::kI4:
      return Load<int32_t>(bytes);
    case Scalar::kI8:
      return Load<int64_t>(bytes);
    case Scalar::kU1:
      return Load<uint8_t>(bytes);
  }
  return 0;
}

// The text after "'key':" in the header's dictionary, or nothing.
std::string_view EntryOf(std::string_view head, std::string_view key) {
  const size_t at = head.find(fmt::format("'{}'", key));
  if (at == std::string_view::npos) return {};
  const size_t value = head.find_first_not_of(": ", at + key.size() + 2);
  return value == std::string_view::npos ? std::string_view{} : head.substr(value);
}

Result<Scalar> ParseScalar(const std::string& path, std::string_view text) {
  static constexpr std::pair<std::string_view, Scalar> kKnown[] = {
      {"'<f4'", Scalar::kF4}, {"'<f8'", Scalar::kF8}, {"'<i4'", Scalar::kI4},
      {"'<i8'", Scalar::kI8}, {"'|u1'", Scalar::kU1},
  };
  for (const auto& [name, scalar] : kKnown) {
    if (text.starts_with(name)) return scalar;
  }
  return Fail(ErrorCode::kInvalidArgument, "{} holds {}, expected one of <f4, <f8, <i4, <i8, |u1",
              path, text.substr(0, text.find(',')));
}

// "(3, 4)" or "(3,)".
Result<std::vector<uint64_t>> ParseShape(const std::string& path, std::string_view text) {
  const std::string_view shape = text.substr(0, text.find(')') + 1);
  const auto wrong = [&] {
    return Fail(ErrorCode::kInvalidArgument, "{} has the shape {}, expected one or two axes", path,
                shape.substr(0, 64));
  };
  if (!shape.starts_with('(')) return wrong();
  std::vector<uint64_t> axes;
  size_t at = 1;
  while ((at = shape.find_first_not_of(", ", at)) != std::string_view::npos && shape[at] != ')') {
    uint64_t axis = 0;
    const auto [end, code] = std::from_chars(shape.data() + at, shape.data() + shape.size(), axis);
    if (code != std::errc{} || axis > uint64_t{1} << 40) return wrong();
    axes.push_back(axis);
    at = static_cast<size_t>(end - shape.data());
  }
  if (axes.empty() || axes.size() > 2) return wrong();
  return axes;
}

Result<NpyHead> ReadHead(ByteSource& bytes) {
  const std::string& path = bytes.path();
  const auto damaged = [&] {
    return Fail(ErrorCode::kInvalidArgument, "{} has a damaged head, expected npy version 1 to 3",
                path);
  };
  unsigned char fixed[12] = {};
  char* const at = reinterpret_cast<char*>(fixed);
  KILN_TRY(const size_t count, bytes.ReadFull(at, 8));
  const size_t length_size = fixed[6] == 1 ? 2 : 4;
  if (count != 8 || fixed[6] < 1 || fixed[6] > 3) return damaged();
  KILN_TRY(const size_t length_count, bytes.ReadFull(at + 8, length_size));
  uint32_t length = 0;
  std::memcpy(&length, at + 8, length_size);
  if (length_count != length_size || length > 1 << 20) return damaged();
  std::string text(length, '\0');
  KILN_TRY(const size_t text_count, bytes.ReadFull(text.data(), length));
  if (text_count != length) return damaged();

  NpyHead head;
  head.data_offset = 8 + length_size + length;
  if (!EntryOf(text, "fortran_order").starts_with("False")) {
    return Fail(ErrorCode::kInvalidArgument, "{} is in Fortran order, expected C order", path);
  }
  KILN_TRY(head.scalar, ParseScalar(path, EntryOf(text, "descr")));
  KILN_TRY(const std::vector<uint64_t> axes, ParseShape(path, EntryOf(text, "shape")));
  head.rows = axes[0];
  head.columns = axes.size() == 2 ? axes[1] : 1;
  if (head.columns == 0 || head.columns > 1 << 24) {
    return Fail(ErrorCode::kInvalidArgument, "{} has {} columns, expected 1 to {}", path,
                head.columns, 1 << 24);
  }
  return head;
}

class NpySource final : public TableReader::Source {
 public:
  NpySource(ByteSource bytes, NpyHead head, ColumnPlan plan, const TableSpec& spec,
            Partition partition)
      : bytes_(std::move(bytes)),
        head_(head),
        plan_(std::move(plan)),
        target_kind_(spec.target_kind),
        holes_(spec.holes),
        partition_(partition),
        end_row_(head.rows) {}

  Status TakeShareOfRows() {
    const auto index = static_cast<uint64_t>(partition_.index);
    const auto count = static_cast<uint64_t>(partition_.count);
    next_row_ = head_.rows * index / count;
    end_row_ = head_.rows * (index + 1) / count;
    return bytes_.Seek(head_.data_offset + next_row_ * head_.columns * SizeOf(head_.scalar));
  }

  const std::vector<std::string>& columns() const override { return plan_.names; }

  Result<Table> Read(size_t rows_max) override {
    Table table;
    table.columns = plan_.names;
    row_bytes_.resize(head_.columns * SizeOf(head_.scalar));
    while (table.Rows() < rows_max && next_row_ < end_row_) {
      KILN_TRY(const size_t count, bytes_.ReadFull(row_bytes_.data(), row_bytes_.size()));
      if (count != row_bytes_.size()) {
        return Fail(ErrorCode::kInvalidArgument, "{} ends after {} rows, expected {}",
                    bytes_.path(), next_row_, head_.rows);
      }
      const uint64_t row = next_row_++;
      std::string key;
      if (plan_.key) {
        key = NumberText(Cell(*plan_.key));
        if (PartitionOfKey(key, partition_.count) != partition_.index) continue;
        table.keys.push_back(std::move(key));
      }
      KILN_TRY_OK(Append(table, row));
      table.row_numbers.push_back(static_cast<int64_t>(row));
    }
    return table;
  }

 private:
  double Cell(size_t column) const {
    return LoadNumber(head_.scalar, row_bytes_.data() + column * SizeOf(head_.scalar));
  }

  Status Append(Table& table, uint64_t row) {
    for (const size_t column : plan_.features) {
      KILN_TRY(const double number, FiniteCell(column, row));
      table.values.push_back(static_cast<float>(number));
    }
    if (!plan_.target) return {};
    KILN_TRY(const double number, FiniteCell(*plan_.target, row));
    if (target_kind_ == TargetKind::kNumbers) {
      table.numbers.push_back(number);
    } else {
      table.labels.push_back(NumberText(number));
    }
    return {};
  }

  Result<double> FiniteCell(size_t column, uint64_t row) const {
    const double number = Cell(column);
    if (holes_ == HoleKind::kRefused && !std::isfinite(static_cast<float>(number))) {
      return Fail(ErrorCode::kInvalidArgument,
                  "{} row {}: column {} is {}, expected a finite number", bytes_.path(), row,
                  column, number);
    }
    return number;
  }

  ByteSource bytes_;
  NpyHead head_;
  ColumnPlan plan_;
  TargetKind target_kind_;
  HoleKind holes_;
  Partition partition_;
  uint64_t next_row_ = 0;
  uint64_t end_row_ = 0;
  std::string row_bytes_;
};

}  // namespace

Result<std::unique_ptr<TableReader::Source>> OpenNpy(ByteSource bytes, const TableSpec& spec,
                                                     Partition partition) {
  KILN_TRY(const NpyHead head, ReadHead(bytes));
  KILN_TRY(ColumnPlan plan, PlanColumns(bytes.path(), NumberedColumns(head.columns), spec));
  auto source =
      std::make_unique<NpySource>(std::move(bytes), head, std::move(plan), spec, partition);
  if (spec.key.empty()) KILN_TRY_OK(source->TakeShareOfRows());
  return source;
}

}  // namespace kiln::executor

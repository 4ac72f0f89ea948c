#include "executor/formats/csv_records.h"

#include <algorithm>
#include <cstring>

namespace kiln::executor {
namespace {

constexpr size_t kPieceBytes = 256 << 10;

size_t BodyLength(const char* record, size_t length) {
  if (length > 0 && record[length - 1] == '\n') --length;
  if (length > 0 && record[length - 1] == '\r') --length;
  return length;
}

}  // namespace

std::string CsvRecords::Place() const { return fmt::format("{} line {}", source_.path(), line_); }

Status CsvRecords::Restart(uint64_t offset, int64_t line) {
  KILN_TRY_OK(source_.Seek(offset));
  buffer_.clear();
  begin_ = length_ = searched_ = 0;
  line_ends_ = 0;
  ended_ = false;
  offset_ = offset;
  line_ = line;
  return {};
}

Result<bool> CsvRecords::Fill() {
  if (ended_) return false;
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t old = buffer_.size();
  const size_t wanted = std::max(kPieceBytes, old);
  buffer_.resize(old + wanted);
  KILN_TRY(const size_t count, source_.ReadFull(buffer_.data() + old, wanted));
  buffer_.resize(old + count);
  ended_ = count < wanted;
  return true;
}

// Quotes count only at the start of a cell, so a record that has none ends at its first line feed.
size_t CsvRecords::RecordLength(bool at_end) {
  const char* record = buffer_.data() + begin_;
  const size_t available = buffer_.size() - begin_;
  const void* line_end = std::memchr(record + searched_, '\n', available - searched_);
  if (line_end == nullptr && !at_end) {
    searched_ = available;
    return 0;
  }
  const size_t length =
      line_end == nullptr ? available : static_cast<const char*>(line_end) - record + size_t{1};
  if (std::memchr(record, '"', length) == nullptr) return length;
  return QuotedRecordLength(at_end);
}

size_t CsvRecords::QuotedRecordLength(bool at_end) const {
  const std::string_view record = std::string_view(buffer_).substr(begin_);
  bool quoted = false;
  bool may_open = true;  // at the start of a cell, and after a closing quote: a doubled one
  for (size_t i = 0; i < record.size(); ++i) {
    const char c = record[i];
    if (!quoted && c == '\n') return i + 1;
    if (quoted) {
      quoted = c != '"';
      may_open = !quoted;
    } else {
      quoted = c == '"' && may_open;
      may_open = c == ',';
    }
  }
  return at_end ? record.size() : 0;
}

void CsvRecords::Leave() {
  line_ += line_ends_;
  offset_ += length_;
  begin_ += length_;
  length_ = searched_ = 0;
  line_ends_ = 0;
}

Result<bool> CsvRecords::Next() {
  Leave();
  while (true) {
    if (begin_ == buffer_.size()) {
      KILN_TRY(const bool more, Fill());
      if (!more || buffer_.empty()) return false;
      if (offset_ == 0 && buffer_.starts_with("\xEF\xBB\xBF")) begin_ = offset_ = 3;
      continue;
    }
    length_ = RecordLength(ended_);
    if (length_ > kCsvRecordBytesMax ||
        (length_ == 0 && buffer_.size() - begin_ > kCsvRecordBytesMax)) {
      return Fail(ErrorCode::kInvalidArgument, "{} is too long, expected at most {} bytes", Place(),
                  kCsvRecordBytesMax);
    }
    if (length_ == 0) {
      KILN_TRY([[maybe_unused]] const bool more, Fill());  // at the end the rest is the record
      continue;
    }
    const char* record = buffer_.data() + begin_;
    line_ends_ = std::count(record, record + length_, '\n');
    if (BodyLength(record, length_) > 0) return true;
    Leave();
  }
}

Status CsvRecords::Split(std::vector<std::string_view>& cells) {
  cells.clear();
  char* at = buffer_.data() + begin_;
  char* const end = at + BodyLength(at, length_);
  while (true) {
    if (at == end || *at != '"') {
      char* const comma = static_cast<char*>(std::memchr(at, ',', static_cast<size_t>(end - at)));
      char* const stop = comma == nullptr ? end : comma;
      cells.emplace_back(at, static_cast<size_t>(stop - at));
      at = stop;
    } else {
      char* const start = ++at;
      char* out = start;
      while (at < end && (*at != '"' || (at + 1 < end && at[1] == '"'))) {
        if (*at == '"') ++at;
        *out++ = *at++;
      }
      if (at == end) {
        return Fail(ErrorCode::kInvalidArgument,
                    "{}: the quote of cell {} is not closed, expected a \"", Place(),
                    cells.size() + 1);
      }
      cells.emplace_back(start, static_cast<size_t>(out - start));
      if (++at < end && *at != ',') {
        return Fail(ErrorCode::kInvalidArgument,
                    "{}: text follows the closing quote of cell {}, expected a comma", Place(),
                    cells.size());
      }
    }
    if (at == end) return {};
    ++at;  // the comma
  }
}

}  // namespace kiln::executor

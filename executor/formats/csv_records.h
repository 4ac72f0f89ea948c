// Splits CSV into records and cells.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "executor/formats/byte_source.h"

namespace kiln::executor {

constexpr size_t kCsvRecordBytesMax = 16 << 20;

// RFC 4180: cells between commas; a cell in quotes may hold commas, line ends and doubled quotes.
// Lines end with LF or CRLF. Blank lines and a byte order mark at the start are skipped.
// Threads: one at a time.
class CsvRecords {
 public:
  explicit CsvRecords(ByteSource source) : source_(std::move(source)) {}

  // Goes to the next record; false at the end. Then offset() and line() tell where it begins.
  Result<bool> Next();
  // The cells of the record, good until the next Next. Call once a record: quotes are removed in
  // place.
  Status Split(std::vector<std::string_view>& cells);

  // Goes to the end of the record: offset() and line() tell where the next may begin.
  void Leave();

  uint64_t offset() const { return offset_; }
  int64_t line() const { return line_; }  // from 1
  std::string Place() const;              // "digits.csv line 12"
  ByteSource& source() { return source_; }
  // Begins again at this offset, which is the start of a record on this line.
  Status Restart(uint64_t offset, int64_t line);

 private:
  // Length of the record at `begin_` with its line end, or 0 when more bytes are needed.
  size_t RecordLength(bool at_end);
  size_t QuotedRecordLength(bool at_end) const;
  Result<bool> Fill();

  ByteSource source_;
  std::string buffer_;
  size_t begin_ = 0;       // of the record in buffer_
  size_t length_ = 0;      // with the line end
  int64_t line_ends_ = 0;  // in the record
  size_t searched_ = 0;    // bytes from begin_ that hold no line end
  bool ended_ = false;
  uint64_t offset_ = 0;
  int64_t line_ = 1;
};

}  // namespace kiln::executor

#include "executor/formats/writers.h"

#include <charconv>

#include "base/check.h"

namespace kiln::executor {
namespace {

constexpr size_t kBufferBytes = 1 << 20;

void AppendCell(std::string& line, std::string_view cell) {
  if (cell.find_first_of(",\"\r\n") == std::string_view::npos) {
    line += cell;
    return;
  }
  line += '"';
  for (const char c : cell) {
    if (c == '"') line += '"';
    line += c;
  }
  line += '"';
}

}  // namespace

void AppendCsv(std::string& text, const std::vector<std::string>& cells) {
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) text += ',';
    AppendCell(text, cells[i]);
  }
  text += '\n';
}

Result<CsvWriter> CsvWriter::Create(const std::string& path,
                                    const std::vector<std::string>& columns) {
  KILN_TRY(NewFile file, NewFile::Create(path));
  CsvWriter writer(std::move(file));
  KILN_TRY_OK(writer.Append(columns));
  return writer;
}

Status CsvWriter::Append(const std::vector<std::string>& cells) {
  AppendCsv(buffer_, cells);
  if (buffer_.size() < kBufferBytes) return {};
  KILN_TRY_OK(file_.Write(buffer_));
  buffer_.clear();
  return {};
}

Status CsvWriter::Publish() {
  KILN_TRY_OK(file_.Write(buffer_));
  buffer_.clear();
  return file_.Publish();
}

std::string FloatText(float number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  return {text, end};
}

Status WriteNpy(const std::string& path, std::span<const float> values, size_t columns) {
  KILN_CHECK(columns > 0 && values.size() % columns == 0);
  std::string head = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
                                 values.size() / columns, columns);
  // The data begin at a multiple of 64 bytes; the head ends with a line feed.
  head.resize((head.size() + 11 + 63) / 64 * 64 - 11, ' ');
  head += '\n';
  const auto length = static_cast<uint16_t>(head.size());
  KILN_TRY(NewFile file, NewFile::Create(path));
  KILN_TRY_OK(file.Write(std::string_view("\x93NUMPY\x01\x00", 8)));
  KILN_TRY_OK(file.Write({reinterpret_cast<const char*>(&length), 2}));
  KILN_TRY_OK(file.Write(head));
  KILN_TRY_OK(file.Write({reinterpret_cast<const char*>(values.data()), values.size_bytes()}));
  return file.Publish();
}

}  // namespace kiln::executor

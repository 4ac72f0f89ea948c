#include "executor/formats/table.h"

#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/fnv.h"
#include "executor/formats/source.h"

namespace kiln::executor {

TableReader::TableReader(std::unique_ptr<Source> source) : source_(std::move(source)) {}
TableReader::TableReader(TableReader&&) noexcept = default;
TableReader::~TableReader() = default;

const std::vector<std::string>& TableReader::columns() const { return source_->columns(); }

Result<Table> TableReader::Read(size_t rows_max) { return source_->Read(rows_max); }

Result<TableReader> TableReader::Open(const std::string& path, TableSpec spec,
                                      Partition partition) {
  KILN_CHECK(partition.count > 0 && partition.index >= 0 && partition.index < partition.count);
  KILN_TRY(ByteSource bytes, ByteSource::Open(path));
  char magic[6];
  KILN_TRY(const size_t count, bytes.ReadFull(magic, sizeof magic));
  if (count == 0) {
    return Fail(ErrorCode::kInvalidArgument, "{} is empty, expected a table", path);
  }
  KILN_TRY_OK(bytes.Seek(0));
  const bool npy = count == sizeof magic && std::memcmp(magic, "\x93NUMPY", sizeof magic) == 0;
  auto source =
      npy ? OpenNpy(std::move(bytes), spec, partition) : OpenCsv(std::move(bytes), spec, partition);
  if (!source) return Failure(std::move(source).error());
  return TableReader(*std::move(source));
}

Result<Table> ReadTable(const std::string& path, const TableSpec& spec, Partition partition) {
  KILN_TRY(TableReader reader, TableReader::Open(path, spec, partition));
  return reader.Read(std::numeric_limits<size_t>::max());
}

int PartitionOfKey(std::string_view key, int count) {
  uint64_t hash = Fnv1a(key);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;  // its high bits alone mix too little
  hash ^= hash >> 31;
  return static_cast<int>(hash % static_cast<uint64_t>(count));
}

}  // namespace kiln::executor

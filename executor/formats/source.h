// How one kind of file gives its rows: the inside of TableReader.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "executor/formats/byte_source.h"
#include "executor/formats/table.h"

namespace kiln::executor {

class TableReader::Source {
 public:
  virtual ~Source() = default;
  virtual const std::vector<std::string>& columns() const = 0;
  virtual Result<Table> Read(size_t rows_max) = 0;
};

// Both take a file at its first byte.
Result<std::unique_ptr<TableReader::Source>> OpenCsv(ByteSource bytes, const TableSpec& spec,
                                                     Partition partition);
Result<std::unique_ptr<TableReader::Source>> OpenNpy(ByteSource bytes, const TableSpec& spec,
                                                     Partition partition);

}  // namespace kiln::executor

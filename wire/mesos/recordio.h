// RecordIO, the framing of Mesos's streams: decimal length, "\n", that many bytes, and so on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kiln::wire {

std::string EncodeRecord(std::string_view record);

// Takes a stream in pieces that know nothing of records. Not for several threads at once.
class RecordDecoder {
 public:
  explicit RecordDecoder(size_t record_limit = size_t{256} << 20) : limit_(record_limit) {}

  // The records that these bytes complete. A header that is no length, or a record beyond the
  // limit, is fatal: every later call fails too.
  Result<std::vector<std::string>> Feed(std::string_view bytes);

 private:
  Status TakeHeader(std::string_view& bytes);

  size_t limit_;
  std::string header_;
  std::optional<uint64_t> length_;  // of the record under way, once its header is whole
  std::string record_;
  std::optional<Error> broken_;
};

}  // namespace kiln::wire

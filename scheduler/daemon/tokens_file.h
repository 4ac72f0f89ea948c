// The file of who may use the API, read again whenever it is another one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "scheduler/api/guard.h"

namespace kiln::scheduler {

// Threads: one.
class TokensFile {
 public:
  explicit TokensFile(std::string path) : path_(std::move(path)) {}

  // kInvalidArgument tells what is wrong with the file, and nothing that stands in it.
  Result<std::vector<Token>> Read();
  // Whether the file is another one than that of the last Read.
  bool Changed() const;

 private:
  // What changes with a file: its name leads to another one, or it was written.
  struct Mark {
    ino_t file = 0;
    int64_t size = 0;
    int64_t written = 0;  // nanoseconds
    int64_t changed = 0;  // its mode, too

    bool operator==(const Mark&) const = default;
  };
  std::optional<Mark> Look() const;

  std::string path_;
  std::optional<Mark> read_;
};

}  // namespace kiln::scheduler

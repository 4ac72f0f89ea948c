// A file in memory that is gone with its process, however that ends.
#pragma once

#include <string>

#include "base/result.h"
#include "wire/net/descriptor.h"

namespace kiln::executor {

// Threads: one at a time.
class MemoryFile {
 public:
  // kResourceExhausted when there is no room.
  static Result<MemoryFile> Make(std::string_view bytes = {});

  // Where processes of this user can read and write it.
  std::string path() const;
  // From its beginning, at most so much; empty when it cannot be read.
  std::string Read(size_t limit) const;

 private:
  explicit MemoryFile(net::Descriptor file) : file_(std::move(file)) {}

  net::Descriptor file_;
};

}  // namespace kiln::executor

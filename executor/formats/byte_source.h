// The bytes of a file in their order; gzip is recognised by its first bytes and unpacked.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace kiln::executor {

// Threads: one at a time.
class ByteSource {
 public:
  static Result<ByteSource> Open(const std::string& path);

  // The next bytes, at most `size`; 0 is the end.
  Result<size_t> Read(char* bytes, size_t size);
  // Fewer bytes than `size` are there only at the end.
  Result<size_t> ReadFull(char* bytes, size_t size);
  // The place of the next byte, from the start of the unpacked bytes.
  Status Seek(uint64_t offset);
  // Unpacked size; reads a gzip file to its end. Leaves the place where it is not defined.
  Result<uint64_t> Size();

  const std::string& path() const { return path_; }

 private:
  struct Closer {
    void operator()(gzFile file) const { gzclose_r(file); }
  };
  ByteSource(std::string path, gzFile file) : path_(std::move(path)), file_(file) {}
  Failure LastError();

  std::string path_;
  std::unique_ptr<std::remove_pointer_t<gzFile>, Closer> file_;
};

}  // namespace kiln::executor

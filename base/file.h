// Whole files: read at once, and written so that they appear whole or not at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kiln {

// "cannot write /data/x.csv: No space left on device", with the code that fits errno.
Error FileError(std::string_view action, const std::string& path, int error_number);

// kNotFound for a missing file, kResourceExhausted for one of more than bytes_max bytes.
Result<std::string> ReadFile(const std::string& path, uint64_t bytes_max = uint64_t{1} << 32);

// A file that is not there until Publish: bytes go to a temporary file in the same folder, which is
// removed when this goes away unpublished.
// Threads: one at a time. Owner: whoever writes.
class NewFile {
 public:
  static Result<NewFile> Create(std::string path);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  Status Write(std::string_view bytes);
  // Makes the bytes durable and puts the file at its path, in place of one that is there.
  Status Publish();
  // The same where none is there: kConflict.
  Status PublishNew();

  // Where the bytes are until then, for whoever writes by name.
  const std::string& temporary() const { return temporary_; }

 private:
  NewFile(std::string path, std::string temporary, int fd);
  Status SyncFolder();

  std::string path_;
  std::string temporary_;
  int fd_ = -1;
};

// The three steps in one.
Status WriteFile(const std::string& path, std::string_view bytes);

}  // namespace kiln

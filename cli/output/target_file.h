// The file that a download goes to.
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"

namespace kiln::cli {

// A regular file, or one that is not there, has its bytes at Finish, all at once; a link's target
// is what is replaced. What is there and is no regular file, as a pipe or a device, is written
// into, and so is an open file of this process, as /dev/stdout. The temporary file goes away with
// this, and with the process at SIGHUP, SIGINT and SIGTERM.
// Threads: one, and one file at a time. Owner: whoever writes.
class TargetFile {
 public:
  static Result<std::unique_ptr<TargetFile>> Open(const std::string& path);
  ~TargetFile();
  TargetFile(const TargetFile&) = delete;
  TargetFile& operator=(const TargetFile&) = delete;

  Status Write(std::string_view bytes);
  Status Finish();

 private:
  explicit TargetFile(std::string path) : path_(std::move(path)) {}

  const std::string path_;
  std::optional<NewFile> file_;
  std::unique_ptr<FILE, int (*)(FILE*)> into_{nullptr, fclose};  // of what is written into
};

}  // namespace kiln::cli

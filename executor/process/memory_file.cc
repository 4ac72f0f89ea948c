#include "executor/process/memory_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kiln::executor {

Result<MemoryFile> MemoryFile::Make(std::string_view bytes) {
  net::Descriptor file(memfd_create("kiln", MFD_CLOEXEC));
  if (file.get() >= 0 && fchmod(file.get(), 0600) == 0 &&
      pwrite(file.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())) {
    return MemoryFile(std::move(file));
  }
  return Fail(ErrorCode::kResourceExhausted, "file of {} bytes in memory: {}", bytes.size(),
              std::strerror(errno));
}

std::string MemoryFile::path() const {
  return fmt::format("/proc/{}/fd/{}", getpid(), file_.get());
}

std::string MemoryFile::Read(size_t limit) const {
  std::string bytes(limit, '\0');
  const ssize_t count = pread(file_.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return bytes;
}

}  // namespace kiln::executor

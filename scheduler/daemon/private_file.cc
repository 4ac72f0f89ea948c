#include "scheduler/daemon/private_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/file.h"
#include "base/random.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kKeyDigits = 64;
constexpr uint64_t kBytesMax = 1 << 20;

// mkstemp makes it for its owner alone; it gets its name when it is whole, unless another process
// has been faster: that one's file stays.
Status MakePrivateFile(const std::string& path, const std::string& text) {
  std::string made = path + ".XXXXXX";
  const int fd = mkstemp(made.data());
  if (fd < 0) return Failure(FileError("write", path, errno));
  const bool whole = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                     fsync(fd) == 0 && (link(made.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int error_number = errno;
  close(fd);
  unlink(made.c_str());
  if (whole) return {};
  return Failure(FileError("write", path, error_number));
}

}  // namespace

Result<std::string> ReadPrivateFile(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return Failure(FileError("read", path, errno));
  if ((info.st_mode & 077) != 0) {
    return Fail(ErrorCode::kPermissionDenied,
                "mode of {} is {:04o}: expected 0600, others than its owner could act as those in "
                "it",
                path, info.st_mode & 07777);
  }
  return ReadFile(path, kBytesMax);
}

Result<std::string> OpenKey(const std::string& path) {
  auto key = ReadPrivateFile(path);
  if (!key && key.error().code == ErrorCode::kNotFound) {
    std::string made;
    while (made.size() < kKeyDigits) made += fmt::format("{:016x}", RandomSeed());
    KILN_TRY_OK(MakePrivateFile(path, made));
    key = ReadPrivateFile(path);
  }
  if (key && key->size() != kKeyDigits) {
    return Fail(ErrorCode::kDataLoss, "key {} has {} bytes: expected {}", path, key->size(),
                kKeyDigits);
  }
  return key;
}

}  // namespace kiln::scheduler

#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace kiln {
namespace {

ErrorCode CodeOf(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
      return ErrorCode::kResourceExhausted;
    case EISDIR:
    case ENAMETOOLONG:
      return ErrorCode::kInvalidArgument;
    default:
      return ErrorCode::kUnavailable;
  }
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failure(FileError("write", path, errno));
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

}  // namespace

Error FileError(std::string_view action, const std::string& path, int error_number) {
  return {CodeOf(error_number),
          fmt::format("cannot {} {}: {}", action, path, std::strerror(error_number)),
          {}};
}

Result<std::string> ReadFile(const std::string& path, uint64_t bytes_max) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Failure(FileError("read", path, errno));
  std::string bytes;
  char piece[1 << 16];
  ssize_t count = 0;
  while ((count = read(fd, piece, sizeof piece)) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    bytes.append(piece, static_cast<size_t>(count));
    if (bytes.size() > bytes_max) break;
  }
  const int error_number = errno;
  close(fd);
  if (count < 0) return Failure(FileError("read", path, error_number));
  if (bytes.size() > bytes_max) {
    return Fail(ErrorCode::kResourceExhausted, "{} is too large, expected at most {} bytes", path,
                bytes_max);
  }
  return bytes;
}

NewFile::NewFile(std::string path, std::string temporary, int fd)
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      fd_(std::exchange(other.fd_, -1)) {}

NewFile::~NewFile() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(temporary_.c_str());
}

Result<NewFile> NewFile::Create(std::string path) {
  std::string temporary = path + ".XXXXXX";
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return Failure(FileError("write", path, errno));
  fchmod(fd, 0644);
  return NewFile(std::move(path), std::move(temporary), fd);
}

Status NewFile::Write(std::string_view bytes) { return WriteAll(fd_, bytes, path_); }

Status NewFile::Publish() {
  if (fsync(fd_) != 0 || rename(temporary_.c_str(), path_.c_str()) != 0) {
    return Failure(FileError("write", path_, errno));
  }
  close(std::exchange(fd_, -1));
  return SyncFolder();
}

Status NewFile::PublishNew() {
  if (fsync(fd_) != 0 || link(temporary_.c_str(), path_.c_str()) != 0) {
    if (errno != EEXIST) return Failure(FileError("write", path_, errno));
    return Fail(ErrorCode::kConflict, "{} is there, expected no file of that name", path_);
  }
  return SyncFolder();
}

// A name is durable only once its folder is.
Status NewFile::SyncFolder() {
  const int folder = open(FolderOf(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return Failure(FileError("write", path_, errno));
  const int synced = fsync(folder);
  const int error_number = errno;
  close(folder);
  if (synced != 0) return Failure(FileError("write", path_, error_number));
  return {};
}

Status WriteFile(const std::string& path, std::string_view bytes) {
  KILN_TRY(NewFile file, NewFile::Create(path));
  KILN_TRY_OK(file.Write(bytes));
  return file.Publish();
}

}  // namespace kiln

#include "executor/formats/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"

namespace kiln::executor {

Result<ByteSource> ByteSource::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Failure(FileError("read", path, errno));
  struct stat status {};
  if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
    close(fd);
    return Failure(FileError("read", path, EISDIR));
  }
  gzFile file = gzdopen(fd, "rb");
  if (file == nullptr) {
    close(fd);
    return Failure(FileError("read", path, ENOMEM));
  }
  gzbuffer(file, 64 << 10);
  return ByteSource(path, file);
}

Failure ByteSource::LastError() {
  int code = Z_OK;
  gzerror(file_.get(), &code);
  if (code == Z_ERRNO) return Failure(FileError("read", path_, errno));
  if (code == Z_BUF_ERROR) {
    return Fail(ErrorCode::kInvalidArgument, "{} is cut off, expected a whole gzip file", path_);
  }
  return Fail(ErrorCode::kInvalidArgument, "{} is damaged, expected a gzip file", path_);
}

Result<size_t> ByteSource::Read(char* bytes, size_t size) {
  const int count =
      gzread(file_.get(), bytes, static_cast<unsigned>(std::min<size_t>(size, 1 << 30)));
  if (count < 0) return LastError();
  if (count == 0) {
    int code = Z_OK;
    gzerror(file_.get(), &code);
    if (code != Z_OK && code != Z_STREAM_END) return LastError();
  }
  return static_cast<size_t>(count);
}

Result<size_t> ByteSource::ReadFull(char* bytes, size_t size) {
  size_t done = 0;
  while (done < size) {
    KILN_TRY(const size_t count, Read(bytes + done, size - done));
    if (count == 0) break;
    done += count;
  }
  return done;
}

Status ByteSource::Seek(uint64_t offset) {
  if (gzseek(file_.get(), static_cast<z_off_t>(offset), SEEK_SET) < 0) return LastError();
  return {};
}

Result<uint64_t> ByteSource::Size() {
  if (gzdirect(file_.get())) {
    struct stat status {};
    if (stat(path_.c_str(), &status) != 0) return Failure(FileError("read", path_, errno));
    return static_cast<uint64_t>(status.st_size);
  }
  KILN_TRY_OK(Seek(0));
  std::string piece(1 << 20, '\0');
  uint64_t size = 0;
  while (true) {
    KILN_TRY(const size_t count, Read(piece.data(), piece.size()));
    if (count == 0) return size;
    size += count;
  }
}

}  // namespace kiln::executor

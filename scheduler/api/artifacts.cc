#include "scheduler/api/artifacts.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "base/file.h"
#include "base/random.h"

namespace kiln::scheduler {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPathMax = 1024;
constexpr size_t kPartMax = 255;
constexpr time_t kOld = 3600;  // seconds since the last write; no upload rests that long

// Every part is the name of a file or folder: nothing that climbs out of the store.
Status CheckPath(const std::string& path) {
  auto wrong = [&](std::string_view why) {
    return FailField("path", "path is \"{}\": {}", path, why);
  };
  if (path.empty()) return wrong("empty, expected the name of a file");
  if (path.size() > kPathMax) return wrong("expected at most 1024 bytes");
  size_t begin = 0;
  while (begin <= path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = std::string_view(path).substr(begin, end - begin);
    if (part.empty() || part == "." || part == ".." || part.size() > kPartMax ||
        part.find('\0') != std::string_view::npos) {
      return wrong("expected names between slashes, none of them empty, \".\" or \"..\"");
    }
    begin = end + 1;
  }
  return {};
}

Status SyncFolder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failure(FileError("open", folder, errno));
  const int rc = fsync(fd);
  const int error = errno;
  close(fd);
  if (rc != 0) return Failure(FileError("write", folder, error));
  return {};
}

// The digest that a name links to; empty for a folder or nothing.
std::string DigestOf(const std::string& name_file) {
  std::error_code error;
  const fs::path target = fs::read_symlink(name_file, error);
  return error ? std::string() : target.filename().string();
}

// Relative, so that the store may be moved.
std::string LinkTarget(const std::string& path, const std::string& digest) {
  std::string target = "../";
  for (char c : path) target += c == '/' ? "../" : "";
  return target + "blobs/" + digest;
}

bool IsOld(const fs::path& file) {
  struct stat info {};
  return lstat(file.c_str(), &info) == 0 && time(nullptr) - info.st_mtime > kOld;
}

Error NotThere(const std::string& path) {
  return {ErrorCode::kNotFound, fmt::format("artifact {} is not there", path), {}};
}

}  // namespace

Upload::~Upload() {
  close(fd_);
  unlink(file_.c_str());
}

Status Upload::Write(std::string_view bytes) {
  sha_.Update(bytes);
  size_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t count = write(fd_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failure(FileError("write", file_, errno));
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

Result<std::unique_ptr<ArtifactStore>> ArtifactStore::Open(const std::string& folder) {
  std::error_code error;
  const fs::path absolute = fs::absolute(folder, error);
  for (const char* part : {"blobs", "names", "tmp"}) {
    fs::create_directories(absolute / part, error);
    if (error) return Failure(FileError("make", absolute / part, error.value()));
  }
  const fs::path lock = absolute / "lock";
  const int fd = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return Failure(FileError("make", lock, errno));
  return std::unique_ptr<ArtifactStore>(new ArtifactStore(absolute, fd));
}

ArtifactStore::ArtifactStore(std::string folder, int lock)
    : folder_(std::move(folder)), writer_(fmt::format("{:016x}", RandomSeed())), lock_(lock) {}

ArtifactStore::~ArtifactStore() { close(lock_); }

void ArtifactStore::Unlock::operator()(const int* fd) const { flock(*fd, LOCK_UN); }

Result<ArtifactStore::FolderLock> ArtifactStore::Lock() {
  while (flock(lock_, LOCK_EX) != 0) {
    if (errno != EINTR) return Failure(FileError("lock", folder_ + "/lock", errno));
  }
  FolderLock lock(&lock_);
  const auto size = static_cast<ssize_t>(writer_.size());
  std::string last(writer_.size(), '\0');
  if (pread(lock_, last.data(), last.size(), 0) == size && last == writer_) return lock;
  KILN_TRY_OK(Count());
  if (pwrite(lock_, writer_.data(), writer_.size(), 0) == size && fsync(lock_) == 0) return lock;
  // Without room for a word artifacts can still be removed: nobody is named, and each one counts.
  if (ftruncate(lock_, 0) != 0) return Failure(FileError("write", folder_ + "/lock", errno));
  return lock;
}

Status ArtifactStore::Count() {
  uses_.clear();
  std::error_code error;
  fs::recursive_directory_iterator entry(folder_ + "/names", error), end;
  while (!error && entry != end) {
    const bool is_name = entry->is_symlink(error);
    if (is_name) ++uses_[fs::read_symlink(entry->path(), error).filename()];
    if (!error) entry.increment(error);
  }
  if (error) return Failure(FileError("read", folder_ + "/names", error.value()));
  return {};
}

Status ArtifactStore::Clean() {
  std::lock_guard lock(mutex_);
  KILN_TRY(const FolderLock alone, Lock());
  for (const char* part : {"/tmp", "/blobs"}) {
    std::error_code error;
    fs::directory_iterator entry(folder_ + part, error), end;
    for (; !error && entry != end; entry.increment(error)) {
      const fs::path& file = entry->path();
      if (IsOld(file) && !uses_.contains(file.filename())) unlink(file.c_str());
    }
    if (error) return Failure(FileError("read", folder_ + part, error.value()));
  }
  return {};
}

Result<std::shared_ptr<Upload>> ArtifactStore::Begin(const std::string& path, uint64_t size) const {
  KILN_TRY_OK(CheckPath(path));
  struct statvfs disk {};
  if (statvfs(folder_.c_str(), &disk) == 0 && size > disk.f_bavail * disk.f_frsize) {
    return Fail(ErrorCode::kResourceExhausted,
                "disk has {} bytes left, the artifact has {}: expected room for it",
                disk.f_bavail * disk.f_frsize, size);
  }
  std::string file = folder_ + "/tmp/XXXXXX";
  const int fd = mkostemp(file.data(), O_CLOEXEC);
  if (fd < 0) return Failure(FileError("write", file, errno));
  fchmod(fd, 0644);
  return std::make_shared<Upload>(std::move(file), fd);
}

Result<bool> ArtifactStore::Publish(const std::shared_ptr<Upload>& upload, const std::string& path,
                                    const std::optional<std::string>& expected, Artifact* published,
                                    const Precondition& precondition) {
  auto fresh = Store(*upload, path, expected, published, precondition);
  // Whoever is told of the failure finds nothing left, however long the upload is held.
  if (!fresh) unlink(upload->file_.c_str());
  return fresh;
}

Result<bool> ArtifactStore::Store(Upload& upload, const std::string& path,
                                  const std::optional<std::string>& expected, Artifact* published,
                                  const Precondition& precondition) {
  const std::string digest = ToHex(upload.sha_.Finish());
  if (expected && *expected != digest) {
    return Fail(ErrorCode::kInvalidArgument, "SHA-256 of {} is {}: expected {}", path, digest,
                *expected);
  }
  if (fsync(upload.fd_) != 0) return Failure(FileError("write", upload.file_, errno));
  KILN_TRY(const bool fresh, Link(upload, path, digest, precondition));
  // Outside the lock: names are readable while the disk works.
  KILN_TRY_OK(SyncFolder(folder_ + "/blobs"));
  std::string folder = NameFile(path);
  while (folder.size() > folder_.size() + 6) {
    folder.resize(folder.rfind('/'));
    KILN_TRY_OK(SyncFolder(folder));
  }
  *published = {digest, upload.size_, BlobFile(digest)};
  return fresh;
}

Result<bool> ArtifactStore::Link(const Upload& upload, const std::string& path,
                                 const std::string& digest, const Precondition& precondition) {
  std::lock_guard lock(mutex_);
  KILN_TRY(const FolderLock alone, Lock());
  const fs::path name = NameFile(path);
  const std::string before = DigestOf(name);
  if (precondition) KILN_TRY_OK(precondition(before));
  std::error_code error;
  fs::create_directories(name.parent_path(), error);
  if (error == std::errc::no_space_on_device) {
    return Failure(FileError("write", name, error.value()));
  }
  if (error || fs::is_directory(fs::symlink_status(name))) {
    return Fail(ErrorCode::kConflict, "path {} is {}: expected a path of its own", path,
                error ? "below an artifact" : "a folder");
  }
  const std::string blob = BlobFile(digest);
  const std::string link = upload.file_ + ".link";
  if (rename(upload.file_.c_str(), blob.c_str()) != 0) {
    return Failure(FileError("write", blob, errno));
  }
  if (symlink(LinkTarget(path, digest).c_str(), link.c_str()) != 0 ||
      rename(link.c_str(), name.c_str()) != 0) {
    const int number = errno;
    unlink(link.c_str());
    if (!uses_.contains(digest)) unlink(blob.c_str());
    return Failure(FileError("write", name, number));
  }
  ++uses_[digest];
  if (!before.empty()) Drop(before);
  return before.empty();
}

void ArtifactStore::Drop(const std::string& digest) {
  if (--uses_[digest] > 0) return;
  uses_.erase(digest);
  unlink(BlobFile(digest).c_str());
}

Result<Artifact> ArtifactStore::Find(const std::string& path) const {
  KILN_TRY_OK(CheckPath(path));
  std::lock_guard lock(mutex_);
  const std::string digest = DigestOf(NameFile(path));
  if (digest.empty()) return Failure(NotThere(path));
  Artifact artifact{digest, 0, BlobFile(digest)};
  std::error_code error;
  artifact.size = fs::file_size(artifact.file, error);
  if (error) {
    return Fail(ErrorCode::kDataLoss, "artifact {} has lost its bytes: expected {}", path,
                artifact.file);
  }
  return artifact;
}

Status ArtifactStore::Remove(const std::string& path) {
  KILN_TRY_OK(CheckPath(path));
  std::lock_guard lock(mutex_);
  KILN_TRY(const FolderLock alone, Lock());
  std::string name = NameFile(path);
  const std::string digest = DigestOf(name);
  if (digest.empty()) return Failure(NotThere(path));
  if (unlink(name.c_str()) != 0) return Failure(FileError("remove", name, errno));
  Drop(digest);
  // Folders live as long as something is in them.
  while (true) {
    name.resize(name.rfind('/'));
    if (name.size() <= folder_.size() + 6 || rmdir(name.c_str()) != 0) break;
  }
  return {};
}

Result<std::vector<ArtifactStore::Entry>> ArtifactStore::List(const std::string& path) const {
  if (!path.empty()) KILN_TRY_OK(CheckPath(path));
  std::vector<Entry> entries;
  std::error_code error;
  fs::directory_iterator folder(NameFile(path), error);
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) {
    return Failure(NotThere(path));
  }
  if (error) {
    return Fail(ErrorCode::kUnavailable, "artifact {}: {}, expected to read its folder", path,
                error.message());
  }
  for (const auto& item : folder) {
    Entry entry{item.path().filename(), !item.is_symlink(), {}};
    if (!entry.folder) {
      auto artifact = Find(path.empty() ? entry.name : path + "/" + entry.name);
      if (!artifact) continue;  // removed meanwhile
      entry.artifact = *std::move(artifact);
    }
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

}  // namespace kiln::scheduler

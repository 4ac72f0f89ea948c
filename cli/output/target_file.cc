#include "cli/output/target_file.h"

#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace kiln::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kLinksMax = 40;  // as the kernel follows

// What a signal removes; empty for nothing. A handler can reach nothing but what is static.
char temporary[PATH_MAX] = "";

void RemoveAndEnd(int signal) {
  unlink(temporary);
  raise(signal);  // which ends the process, as the handler is for one signal only
}

void RemoveAtSignals(const std::string& path) {
  if (path.size() >= sizeof temporary) return;
  std::memcpy(temporary, path.c_str(), path.size() + 1);
  for (const int number : {SIGHUP, SIGINT, SIGTERM}) {
    struct sigaction before {};
    sigaction(number, nullptr, &before);
    if (before.sa_handler != SIG_DFL) continue;
    struct sigaction action {};
    action.sa_handler = RemoveAndEnd;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(number, &action, nullptr);
  }
}

// Of an open file of this process: its number is its name.
bool IsDescriptor(const fs::path& path) {
  std::error_code error;
  return fs::canonical(path.parent_path(), error) == fmt::format("/proc/{}/fd", getpid());
}

// Where the links lead; those of open files are none.
fs::path Followed(fs::path path) {
  std::error_code error;
  for (int links = 0; links < kLinksMax; ++links) {
    if (IsDescriptor(path) || !fs::is_symlink(path, error)) break;
    path = path.parent_path() / fs::read_symlink(path, error);
  }
  return path;
}

mode_t Mask() {
  const mode_t mask = umask(0);
  umask(mask);
  return mask;
}

}  // namespace

Result<std::unique_ptr<TargetFile>> TargetFile::Open(const std::string& path) {
  std::unique_ptr<TargetFile> target(new TargetFile(path));
  const fs::path end = Followed(path);
  const bool open = IsDescriptor(end);
  std::error_code error;
  if (open || (fs::exists(path, error) && !fs::is_regular_file(path, error))) {
    // Opened again, an open file would be written from its begin, over what is there.
    target->into_.reset(open ? fdopen(dup(std::atoi(end.filename().c_str())), "w")
                             : fopen(path.c_str(), "we"));
    if (!target->into_) return Failure(FileError("write", path, errno));
    return target;
  }
  KILN_TRY(NewFile file, NewFile::Create(end));
  target->file_.emplace(std::move(file));
  RemoveAtSignals(target->file_->temporary());
  chmod(target->file_->temporary().c_str(), 0666 & ~Mask());
  return target;
}

TargetFile::~TargetFile() {
  file_.reset();
  temporary[0] = '\0';
}

Status TargetFile::Write(std::string_view bytes) {
  if (file_) return file_->Write(bytes);
  const size_t count = fwrite(bytes.data(), 1, bytes.size(), into_.get());
  if (count == bytes.size() && fflush(into_.get()) == 0) return {};
  return Failure(FileError("write", path_, errno));
}

Status TargetFile::Finish() { return file_ ? file_->Publish() : Status(); }

}  // namespace kiln::cli

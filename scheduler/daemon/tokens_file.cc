#include "scheduler/daemon/tokens_file.h"

#include <sys/stat.h>

#include "scheduler/daemon/private_file.h"

namespace kiln::scheduler {
namespace {

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Result<std::vector<Token>> TokensFile::Read() {
  read_ = Look();  // what is written while it is read is read again
  const auto text = ReadPrivateFile(path_);
  if (!text) return Fail(ErrorCode::kInvalidArgument, "--tokens-file: {}", text.error().message);
  auto tokens = ParseTokens(*text);
  if (!tokens) return Failure(Within("--tokens-file " + path_, tokens.error()));
  return tokens;
}

bool TokensFile::Changed() const { return Look() != read_; }

std::optional<TokensFile::Mark> TokensFile::Look() const {
  struct stat info {};
  if (stat(path_.c_str(), &info) != 0) return std::nullopt;
  return Mark{info.st_ino, info.st_size, Nanoseconds(info.st_mtim), Nanoseconds(info.st_ctim)};
}

}  // namespace kiln::scheduler

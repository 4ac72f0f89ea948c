#include "local/node/files.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace kiln::local {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kReadPages = 16;

std::string UserName(uid_t uid) {
  const passwd* entry = getpwuid(uid);
  return entry == nullptr ? std::to_string(uid) : entry->pw_name;
}

std::string GroupName(gid_t gid) {
  const group* entry = getgrgid(gid);
  return entry == nullptr ? std::to_string(gid) : entry->gr_name;
}

// The sandbox that a real path is in: .../executors/E/runs/RUN. Empty if none.
std::string SandboxOf(const std::string& agent_folder, const std::string& path) {
  constexpr int kDepth = 6;  // frameworks, F, executors, E, runs, RUN
  if (!path.starts_with(agent_folder + "/frameworks/")) return {};
  size_t end = agent_folder.size();
  for (int i = 0; i < kDepth; ++i) {
    if (end == std::string::npos) return {};
    end = path.find('/', end + 1);
  }
  return path.substr(0, end);
}

}  // namespace

std::optional<std::string> SandboxFiles::Resolve(const std::string& path) const {
  std::string real = path.starts_with(agent_folder_ + "/") ? path : agent_folder_ + path;
  while (real.ends_with('/')) real.pop_back();
  const std::string sandbox = SandboxOf(agent_folder_, real);
  std::error_code error;
  const std::string root = fs::canonical(sandbox, error).string();
  if (sandbox.empty() || error) return std::nullopt;
  const std::string target = fs::canonical(real, error).string();
  if (error || (target != root && !target.starts_with(root + "/"))) return std::nullopt;
  return target;
}

Result<std::vector<mesos::v1::FileInfo>> SandboxFiles::List(const std::string& path) const {
  const auto folder = Resolve(path);
  std::error_code error;
  if (!folder || !fs::is_directory(*folder, error)) {
    return Fail(ErrorCode::kNotFound, "{} is not known", path);
  }
  std::vector<mesos::v1::FileInfo> files;
  for (const auto& entry : fs::directory_iterator(*folder, error)) {
    struct stat status {};
    if (lstat(entry.path().c_str(), &status) != 0) continue;
    mesos::v1::FileInfo& file = files.emplace_back();
    file.set_path((fs::path(path) / entry.path().filename()).string());
    file.set_nlink(static_cast<int32_t>(status.st_nlink));
    file.set_size(static_cast<uint64_t>(status.st_size));
    file.mutable_mtime()->set_nanoseconds(status.st_mtim.tv_sec * 1'000'000'000);
    file.set_mode(status.st_mode);
    file.set_uid(UserName(status.st_uid));
    file.set_gid(GroupName(status.st_gid));
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.path() < b.path(); });
  return files;
}

Result<SandboxFiles::Piece> SandboxFiles::Read(const std::string& path, uint64_t offset,
                                               std::optional<uint64_t> length) const {
  const auto real = Resolve(path);
  if (!real) return Fail(ErrorCode::kNotFound, "{} is not known", path);
  std::error_code error;
  if (fs::is_directory(*real, error)) {
    return Fail(ErrorCode::kInvalidArgument, "Cannot read a directory.\n");
  }
  Piece piece;
  piece.size = fs::file_size(*real, error);
  if (error) return Fail(ErrorCode::kNotFound, "{} is not known", path);
  if (offset >= piece.size) return piece;
  const uint64_t most = kReadPages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  piece.data.resize(std::min({length.value_or(most), most, piece.size - offset}));
  std::ifstream file(*real, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(piece.data.data(), static_cast<std::streamsize>(piece.data.size()));
  piece.data.resize(static_cast<size_t>(file.gcount()));
  return piece;
}

std::string ModeText(uint32_t mode) {
  std::string text = S_ISDIR(mode)    ? "d"
                     : S_ISLNK(mode)  ? "l"
                     : S_ISFIFO(mode) ? "p"
                     : S_ISSOCK(mode) ? "s"
                                      : "-";
  for (int shift = 6; shift >= 0; shift -= 3) {
    const uint32_t bits = mode >> shift;
    text += (bits & 4U) != 0 ? 'r' : '-';
    text += (bits & 2U) != 0 ? 'w' : '-';
    text += (bits & 1U) != 0 ? 'x' : '-';
  }
  return text;
}

}  // namespace kiln::local

#include "executor/process/uris.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <vector>

namespace kiln::executor {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kArtifact = "artifact:";

// Runs a program of the system to its end, with its output in a file if one is named.
Status RunTool(std::vector<std::string> argv, const std::string& output = "") {
  std::vector<char*> pointers;
  for (std::string& each : argv) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (!output.empty()) {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0644);
  }
  pid_t pid = 0;
  int code = posix_spawnp(&pid, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) {
    return Fail(ErrorCode::kUnimplemented, "cannot run {}: {}", argv[0], std::strerror(code));
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (status == 0) return {};
  return Fail(ErrorCode::kInvalidArgument, "{} failed on {}", argv[0], argv.back());
}

// A place inside the sandbox for the file.
Result<std::string> Target(const mesos::v1::CommandInfo::URI& uri, const std::string& sandbox) {
  std::string name = uri.output_file();
  if (name.empty()) {
    std::string path = uri.value().substr(0, uri.value().find_first_of("?#"));
    size_t begin = path.find_last_of("/:");
    name = begin == std::string::npos ? path : path.substr(begin + 1);
  }
  fs::path relative = fs::path(name).lexically_normal();
  if (name.empty() || relative.is_absolute() || relative.begin()->string() == "..") {
    return Fail(ErrorCode::kInvalidArgument,
                "uri {}: found file name '{}', expected a path inside the sandbox", uri.value(),
                name);
  }
  fs::path target = fs::path(sandbox) / relative;
  std::error_code ec;
  fs::create_directories(target.parent_path(), ec);
  return target.string();
}

Status Copy(const std::string& uri, const SchedulerApi& api, const std::string& target) {
  std::string local = LocalPath(uri);
  if (!local.empty()) {
    std::error_code ec;
    fs::copy_file(local, target, fs::copy_options::overwrite_existing, ec);
    if (!ec) return {};
    return Fail(ErrorCode::kNotFound, "cannot copy {}: {}", local, ec.message());
  }
  if (uri.starts_with("http://") || uri.starts_with(kArtifact)) {
    return net::FetchToFile(ResolveArtifact(uri, api.url), target, HeadersFor(uri, api),
                            OptionsFor(uri, api));
  }
  if (uri.starts_with("https://") || uri.starts_with("ftp://") || uri.starts_with("ftps://")) {
    return RunTool({"curl", "-fsSL", "-o", target, uri});
  }
  return Fail(ErrorCode::kInvalidArgument,
              "uri {}: expected a path, or file, http, https, ftp or artifact", uri);
}

Status Extract(const std::string& file, const std::string& sandbox) {
  static constexpr std::array kTar = {".tar",  ".tar.gz", ".tgz", ".tar.bz2",
                                      ".tbz2", ".tar.xz", ".txz"};
  for (const char* suffix : kTar) {
    if (file.ends_with(suffix)) {
      return RunTool({"tar", "--no-same-owner", "-C", sandbox, "-xf", file});
    }
  }
  if (file.ends_with(".zip")) return RunTool({"unzip", "-o", "-q", "-d", sandbox, file});
  if (file.ends_with(".gz")) {
    return RunTool({"gzip", "-dc", file}, file.substr(0, file.size() - 3));
  }
  return {};
}

}  // namespace

std::string ResolveArtifact(const std::string& uri, const std::string& api_url) {
  if (!uri.starts_with(kArtifact)) return uri;
  return api_url + "/v1/artifacts/" + net::PercentEncode(uri.substr(kArtifact.size()));
}

net::Headers HeadersOf(const SchedulerApi& api) {
  if (api.token.empty()) return {};
  return {{"Authorization", "Bearer " + api.token}};
}

net::Headers HeadersFor(const std::string& uri, const SchedulerApi& api) {
  return uri.starts_with(kArtifact) ? HeadersOf(api) : net::Headers();
}

net::FetchOptions OptionsFor(const std::string& uri, const SchedulerApi& api) {
  net::FetchOptions options;
  if (uri.starts_with(kArtifact)) options.tls = api.tls;
  return options;
}

std::string LocalPath(const std::string& uri) {
  if (uri.starts_with("file://")) return net::PercentDecode(uri.substr(7));
  if (uri.starts_with("file:/")) return net::PercentDecode(uri.substr(5));
  if (uri.starts_with("/")) return uri;
  return "";
}

Status FetchUri(const mesos::v1::CommandInfo::URI& uri, const std::string& sandbox,
                const SchedulerApi& api) {
  KILN_TRY(std::string target, Target(uri, sandbox));
  KILN_TRY_OK(Copy(uri.value(), api, target));
  if (uri.executable()) {
    chmod(target.c_str(), 0755);
    return {};
  }
  return uri.extract() ? Extract(target, sandbox) : Status();
}

}  // namespace kiln::executor

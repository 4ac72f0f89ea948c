#include "local/node/container_fetcher.h"

#include <filesystem>
#include <fstream>

#include "local/node/container_process.h"
#include "wire/net/client.h"

namespace kiln::local {
namespace {

namespace fs = std::filesystem;
using mesos::v1::CommandInfo;

std::string FileNameOf(const CommandInfo::URI& uri) {
  if (uri.has_output_file()) return uri.output_file();
  std::string path = uri.value();
  if (path.find("://") != std::string::npos) path = path.substr(0, path.find_first_of("?#"));
  while (path.ends_with('/')) path.pop_back();
  return path.substr(path.rfind('/') + 1);
}

// The command that unpacks a file by its name; empty: it is no archive.
std::vector<std::string> ExtractCommand(const std::string& path, const std::string& directory) {
  for (const char* end : {".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz"}) {
    if (path.ends_with(end)) return {"tar", "-C", directory, "-xf", path};
  }
  if (path.ends_with(".zip")) return {"unzip", "-o", "-d", directory, path};
  if (path.ends_with(".gz")) return {"gunzip", "-k", path};
  return {};
}

Status Take(const std::string& uri, const std::string& target) {
  if (uri.starts_with("http://")) return net::FetchToFile(uri, target);
  const std::string source = uri.starts_with("file://") ? uri.substr(7) : uri;
  if (source.find("://") != std::string::npos) {
    return Fail(ErrorCode::kUnimplemented,
                "uri {}: found a scheme that cannot be fetched, expected file or http", uri);
  }
  if (!source.starts_with('/')) {
    return Fail(ErrorCode::kInvalidArgument, "uri {}: found a relative path, expected / first",
                uri);
  }
  std::error_code error;
  fs::copy(source, target, fs::copy_options::overwrite_existing | fs::copy_options::recursive,
           error);
  if (error) return Fail(ErrorCode::kNotFound, "cannot copy {}: {}", source, error.message());
  return {};
}

Status FetchOne(const CommandInfo::URI& uri, const std::string& directory) {
  const std::string name = FileNameOf(uri);
  if (name.empty() || name == "." || name == ".." || name.starts_with('/') ||
      name.find("../") != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "uri {}: found no usable file name in it",
                uri.value());
  }
  const std::string target = directory + "/" + name;
  std::error_code error;
  fs::create_directories(fs::path(target).parent_path(), error);
  KILN_TRY_OK(Take(uri.value(), target));
  if (uri.executable()) {
    fs::permissions(target, fs::perms(0755), error);
    return {};
  }
  const auto command = ExtractCommand(target, directory);
  if (!uri.extract() || command.empty()) return {};
  KILN_TRY(const int status, RunProgram(command, directory, directory + "/stderr"));
  if (status == 0) return {};
  return Fail(ErrorCode::kDataLoss, "cannot extract {}: {} exited with status {}", target,
              command.front(), status);
}

}  // namespace

Status FetchUris(const std::vector<CommandInfo::URI>& uris, const std::string& directory) {
  std::ofstream log(directory + "/stderr", std::ios::app);
  for (const auto& uri : uris) {
    if (auto fetched = FetchOne(uri, directory); !fetched) {
      log << "Failed to fetch '" << uri.value() << "': " << fetched.error().message << std::endl;
      return fetched;
    }
    log << "Fetched '" << uri.value() << "' to '" << directory << "'" << std::endl;
  }
  return {};
}

}  // namespace kiln::local

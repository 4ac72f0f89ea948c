#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/file.h"
#include "base/sha256.h"
#include "cli/commands/session.h"
#include "cli/output/exit_code.h"
#include "model/units.h"
#include "wire/net/http.h"
#include "wire/rest/json.h"

namespace kiln::cli {
namespace {

using wire::Json;

// "artifact:a/b" and "a/b" are the same path.
std::string PathOf(const std::string& text) {
  return text.starts_with("artifact:") ? text.substr(9) : text;
}

Client::OnProgress Shown(const Session& session, Progress& progress, const std::string& text) {
  return [&session, &progress, text](uint64_t done, uint64_t total) {
    if (!session.program.interactive || total == 0) return;
    progress.Show(text, static_cast<double>(done) / static_cast<double>(total));
  };
}

Result<int> Put(const Session& session, const std::string& file, const std::string& path) {
  KILN_TRY(Client api, session.Api());
  if (std::error_code error;
      std::filesystem::exists(file, error) && !std::filesystem::is_regular_file(file, error)) {
    return Fail(ErrorCode::kInvalidArgument,
                "{} is a folder, a pipe or a device: expected a regular file", file);
  }
  KILN_TRY(const std::string digest, Sha256OfFile(file));
  Progress progress(session.program.err, session.program.interactive);
  KILN_TRY_OK(
      api.Upload(file, digest, PathOf(path), Shown(session, progress, "uploading " + file)));
  progress.End();
  if (session.json) session.PrintJson({{"path", PathOf(path)}, {"digest", digest}});
  return kExitDone;
}

Result<int> Get(const Session& session, const std::string& path, std::string file) {
  KILN_TRY(Client api, session.Api());
  if (file.empty()) file = std::filesystem::path(PathOf(path)).filename();
  if (file.empty()) return FailField("PATH", "path is \"{}\": expected that of a file", path);
  Progress progress(session.program.err, session.program.interactive);
  KILN_TRY_OK(api.Download(PathOf(path), file, Shown(session, progress, "downloading " + path)));
  return kExitDone;
}

Result<int> List(const Session& session, const std::string& path) {
  KILN_TRY(Client api, session.Api());
  KILN_TRY(const std::string digest, api.DigestOf(PathOf(path)));
  if (!digest.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "{} is a file: expected a folder", path);
  }
  return session.ShowList("/v1/artifacts/" + net::PercentEncode(PathOf(path)), "entries",
                          {"NAME", "SIZE", "DIGEST"},
                          [](const Json& entry) -> std::vector<std::string> {
                            return {Cell(entry, "name") + (entry.at("folder") == true ? "/" : ""),
                                    Cell(entry, "size"), Cell(entry, "digest").substr(0, 16)};
                          });
}

}  // namespace

void AddArtifactCommands(CLI::App& app, Session& session) {
  CLI::App* artifact = app.add_subcommand("artifact", "files in the scheduler's artifact store");
  artifact->require_subcommand(1);
  auto file = std::make_shared<std::string>();
  auto path = std::make_shared<std::string>();
  auto* put = artifact->add_subcommand("put", "upload a file");
  put->add_option("FILE", *file)->required();
  put->add_option("PATH", *path, "such as data/x.csv; a job names it artifact:data/x.csv")
      ->required();
  put->callback([&session, file, path] {
    session.action = [&session, file, path] { return Put(session, *file, *path); };
  });
  auto* get = artifact->add_subcommand("get", "download a file");
  get->add_option("PATH", *path)->required();
  get->add_option("FILE", *file, "the last part of the path when it is left out");
  get->callback([&session, file, path] {
    session.action = [&session, file, path] { return Get(session, *path, *file); };
  });
  auto* list = artifact->add_subcommand("list", "what is in a folder");
  list->add_option("PATH", *path, "the root when it is left out");
  list->callback(
      [&session, path] { session.action = [&session, path] { return List(session, *path); }; });
}

}  // namespace kiln::cli

#include "model/uri.h"

namespace kiln {
namespace {

bool IsArtifactPath(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);  // a folder
  while (true) {
    const std::string_view part = path.substr(0, path.find('/'));
    if (part.empty() || part == "." || part == "..") return false;
    if (part.size() == path.size()) return true;
    path.remove_prefix(part.size() + 1);
  }
}

bool IsUri(std::string_view uri) {
  constexpr std::string_view kArtifact = "artifact:";
  if (uri.starts_with(kArtifact)) return IsArtifactPath(uri.substr(kArtifact.size()));
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (uri.starts_with(scheme)) return uri.size() > scheme.size() && uri[scheme.size()] != '/';
  }
  return uri.starts_with('/') || uri.starts_with("file:/");
}

struct Places {
  const std::string& field;

  Status operator()(const CommandWork&) const { return {}; }
  Status operator()(const TrainWork& work) const { return Data(work.data); }
  Status operator()(const MergeWork&) const { return {}; }
  Status operator()(const ServeWork&) const { return {}; }
  Status operator()(const ScoreWork& work) const { return Both(work.data, work.output); }
  Status operator()(const SearchWork& work) const {
    return work.output.empty() ? Data(work.data) : Both(work.data, work.output);
  }

  Status Data(const Table& data) const { return CheckUri(field + ".data", "data", data.uri); }
  Status Both(const Table& data, const std::string& output) const {
    KILN_TRY_OK(Data(data));
    return CheckUri(field + ".output", "output", output);
  }
};

}  // namespace

Status CheckUri(const std::string& field, std::string_view thing, const std::string& uri) {
  if (IsUri(uri)) return {};
  return FailField(field,
                   "{} is \"{}\": expected artifact:PATH, http://HOST/PATH, file:///PATH or a path "
                   "that begins with /",
                   thing, uri);
}

Status CheckUris(const Job& job) {
  for (size_t i = 0; i < job.groups.size(); ++i) {
    KILN_TRY_OK(std::visit(Places{fmt::format("groups[{}].run", i)}, job.groups[i].work));
  }
  return {};
}

}  // namespace kiln

#include <algorithm>
#include <charconv>
#include <optional>

#include "scheduler/api/routes.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

using wire::Json;

constexpr std::string_view kPrefix = "/v1/artifacts/";

struct Range {
  uint64_t begin = 0;
  uint64_t end = 0;  // behind the last byte
};

std::optional<uint64_t> Number(std::string_view text) {
  uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

// "bytes=0-99", "bytes=100-" or "bytes=-100" (RFC 9110). Nothing for what is none of them, which is
// answered with the whole; begin == end where no byte is in the range.
std::optional<Range> ParseRange(std::string_view text, uint64_t size) {
  if (!text.starts_with("bytes=")) return std::nullopt;
  text.remove_prefix(6);
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = Number(text.substr(0, dash));
  const auto last = Number(text.substr(dash + 1));
  if (dash == 0) {
    if (!last) return std::nullopt;
    return Range{size - std::min(*last, size), size};
  }
  if (!first || (!last && dash + 1 < text.size()) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return Range{size, size};
  return Range{*first, last ? std::min(*last, size - 1) + 1 : size};
}

// The digest that the sender says: X-Kiln-Digest with hexadecimal digits, or Digest (RFC 3230)
// with base64.
std::optional<std::string> SaidDigest(const net::Request& request) {
  if (auto header = request.headers.Get("X-Kiln-Digest")) {
    std::string digest(header->starts_with("sha256:") ? header->substr(7) : *header);
    std::transform(digest.begin(), digest.end(), digest.begin(), ::tolower);
    return digest;
  }
  const std::string_view header = request.headers.Get("Digest").value_or("");
  for (std::string_view name : {"SHA-256=", "sha-256="}) {
    if (!header.starts_with(name)) continue;
    return ToHex(net::Base64Decode(header.substr(name.size())).value_or(""));
  }
  return std::nullopt;
}

std::string Tag(const std::string& digest) { return '"' + digest + '"'; }

// Whether a list of tags has that of a digest ("": there is none), or is "*". A weak comparison
// takes W/"tag" too (RFC 9110, 13.1).
bool Names(std::string_view list, const std::string& digest, bool weak) {
  if (digest.empty()) return false;
  if (list == "*") return true;
  while (!list.empty()) {
    std::string_view tag = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), tag.size() + 1));
    tag.remove_prefix(std::min(tag.find_first_not_of(" \t"), tag.size()));
    tag = tag.substr(0, tag.find_last_not_of(" \t") + 1);
    if (weak && tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == Tag(digest)) return true;
  }
  return false;
}

// What the sender of an artifact says of the one that is there, by its digest.
Status CheckThere(const net::Headers& headers, const std::string& path, const std::string& digest) {
  const auto none = headers.Get("If-None-Match");
  if (none && Names(*none, digest, true)) {
    return Fail(ErrorCode::kFailedPrecondition,
                "artifact {} has the digest {}: expected none of If-None-Match, {}", path, digest,
                *none);
  }
  const auto one = headers.Get("If-Match");
  if (one && !Names(*one, digest, false)) {
    return Fail(ErrorCode::kFailedPrecondition, "artifact {} {}: expected one of If-Match, {}",
                path, digest.empty() ? "is not there" : "has the digest " + digest, *one);
  }
  return {};
}

void AnswerList(const Call& call, const ArtifactStore& store, const std::string& path) {
  auto entries = store.List(path);
  if (!entries) return call.AnswerError(entries.error());
  Json list = Json::array();
  for (const auto& entry : *entries) {
    Json item = {{"name", entry.name}, {"folder", entry.folder}};
    if (!entry.folder) {
      item["size"] = entry.artifact.size;
      item["digest"] = entry.artifact.digest;
    }
    list.push_back(std::move(item));
  }
  call.Answer(200, {{"path", path}, {"entries", std::move(list)}});
}

void Get(ApiContext& context, const Call& call) {
  std::string path = call.at("path");
  if (path.ends_with('/')) path.pop_back();
  if (path.empty()) return AnswerList(call, *context.artifacts, path);
  auto artifact = context.artifacts->Find(path);
  if (!artifact && artifact.error().code == ErrorCode::kNotFound) {
    return AnswerList(call, *context.artifacts, path);
  }
  if (!artifact) return call.AnswerError(artifact.error());
  const std::string tag = Tag(artifact->digest);
  net::Response head{200,
                     {{"Content-Type", "application/octet-stream"},
                      {"Accept-Ranges", "bytes"},
                      {"ETag", tag},
                      {"X-Kiln-Digest", artifact->digest}},
                     {}};
  const auto& headers = call.request().headers;
  if (Names(headers.Get("If-None-Match").value_or(""), artifact->digest, true)) {
    head.status = 304;
    return call.exchange->Respond(std::move(head));
  }
  Range range{0, artifact->size};
  const bool part = call.request().method == "GET" && headers.Get("If-Range").value_or(tag) == tag;
  if (auto wanted = ParseRange(headers.Get("Range").value_or(""), artifact->size); wanted && part) {
    if (wanted->begin == wanted->end) {
      auto response = net::ErrorResponse({ErrorCode::kInvalidArgument,
                                          fmt::format("range of {} is {}: expected bytes below {}",
                                                      path, *headers.Get("Range"), artifact->size),
                                          {}});
      response.status = 416;
      response.headers.Set("Content-Range", fmt::format("bytes */{}", artifact->size));
      return call.exchange->Respond(std::move(response));
    }
    range = *wanted;
    head.status = 206;
    head.headers.Set("Content-Range",
                     fmt::format("bytes {}-{}/{}", range.begin, range.end - 1, artifact->size));
  }
  call.exchange->RespondFile(std::move(head), artifact->file, range.begin, range.end - range.begin);
}

void Put(ApiContext& context, const Call& call) {
  auto upload = std::static_pointer_cast<Upload>(call.exchange->sink()->state);
  struct Outcome {
    Result<bool> fresh;
    Artifact artifact;
  };
  auto outcome = std::make_shared<Outcome>();
  context.loop.Offload(
      [store = context.artifacts, upload, outcome, path = call.at("path"),
       headers = call.request().headers, said = SaidDigest(call.request())] {
        outcome->fresh = store->Publish(
            upload, path, said, &outcome->artifact,
            [&](const std::string& digest) { return CheckThere(headers, path, digest); });
      },
      [outcome, call] {
        if (!outcome->fresh) return call.AnswerError(outcome->fresh.error());
        call.Answer(*outcome->fresh ? 201 : 200, {{"path", call.at("path")},
                                                  {"size", outcome->artifact.size},
                                                  {"digest", outcome->artifact.digest}});
      });
}

void Delete(ApiContext& context, const Call& call) {
  auto removed = context.artifacts->Remove(call.at("path"));
  if (!removed) return call.AnswerError(removed.error());
  call.exchange->Respond({204, {}, {}});
}

}  // namespace

Result<std::unique_ptr<net::BodySink>> ArtifactSink(const ApiContext& context,
                                                    const net::Request& head) {
  const std::string target = head.target.substr(0, head.target.find('?'));
  if (head.method != "PUT" || !target.starts_with(kPrefix)) return nullptr;
  const std::string path = net::PercentDecode(std::string_view(target).substr(kPrefix.size()));
  if (auto range = head.headers.Get("Content-Range")) {
    return Fail(ErrorCode::kInvalidArgument, "Content-Range of {} is {}: expected the whole", path,
                *range);
  }
  const auto there = context.artifacts->Find(path);
  KILN_TRY_OK(CheckThere(head.headers, path, there ? there->digest : ""));
  const auto length = Number(head.headers.Get("Content-Length").value_or(""));
  KILN_TRY(std::shared_ptr<Upload> upload, context.artifacts->Begin(path, length.value_or(0)));
  return std::make_unique<net::BodySink>(
      net::BodySink{[upload](std::string_view piece) { return upload->Write(piece); }, upload});
}

void AddArtifactRoutes(std::vector<Route>& routes, ApiContext& context) {
  routes.push_back({"GET", "/v1/artifacts", "the root of the artifact store",
                    [&context](const Call& call) { AnswerList(call, *context.artifacts, ""); }});
  routes.push_back({"GET", "/v1/artifacts/{path...}",
                    "the bytes of an artifact, whole or a range; what is in a folder",
                    [&context](const Call& call) { Get(context, call); }});
  routes.push_back({"PUT",
                    "/v1/artifacts/{path...}",
                    "puts an artifact; X-Kiln-Digest or Digest is checked",
                    [&context](const Call& call) { Put(context, call); },
                    {},
                    "application/octet-stream"});
  routes.push_back({"DELETE", "/v1/artifacts/{path...}", "removes an artifact",
                    [&context](const Call& call) { Delete(context, call); }});
}

}  // namespace kiln::scheduler

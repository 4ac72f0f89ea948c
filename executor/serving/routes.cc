#include "executor/serving/routes.h"

#include <algorithm>
#include <charconv>

#include "wire/net/http.h"

namespace kiln::executor {
namespace {

// Takes `prefix` off the front, in whichever case.
bool Take(std::string_view& text, std::string_view prefix) {
  if (!net::SameName(text.substr(0, prefix.size()), prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Takes all up to the next '/' or ':'; false if that is nothing.
bool TakeSegment(std::string_view& text, std::string_view& segment) {
  segment = text.substr(0, text.find_first_of("/:"));
  text.remove_prefix(segment.size());
  return !segment.empty();
}

struct Parts {
  std::string_view name;
  std::string_view version;
  std::string_view label;
  std::string_view rest;  // "/metadata", ":predict" or nothing
};

// Takes "/versions/N" or "/labels/LABEL" if it is there.
void TakeVersion(Parts& parts) {
  std::string_view text = parts.rest;
  std::string_view segment;
  if (Take(text, "/versions/") && TakeSegment(text, segment) &&
      segment.find_first_not_of("0123456789") == std::string_view::npos) {
    parts.version = segment;
    parts.rest = text;
    return;
  }
  text = parts.rest;
  if (Take(text, "/labels/") && TakeSegment(text, segment)) {
    parts.label = segment;
    parts.rest = text;
  }
}

std::optional<Parts> ParsePost(std::string_view path) {
  Parts parts;
  if (!Take(path, "/v1/models/") || !TakeSegment(path, parts.name)) return std::nullopt;
  parts.rest = path;
  TakeVersion(parts);
  return parts;
}

std::optional<Parts> ParseGet(std::string_view path) {
  if (!Take(path, "/v1/models")) return std::nullopt;
  const auto finish = [](Parts parts) -> std::optional<Parts> {
    TakeVersion(parts);
    std::string_view rest = parts.rest;
    if (!rest.empty() && !(Take(rest, "/metadata") && rest.empty())) return std::nullopt;
    return parts;
  };
  std::string_view text = path;
  std::string_view name;
  if (Take(text, "/") && TakeSegment(text, name)) {
    if (const auto parts = finish({name, {}, {}, text})) return parts;
  }
  return finish({{}, {}, {}, path});
}

std::optional<ModelAction> ActionOf(std::string_view method, std::string_view rest) {
  if (method == "GET") {
    return rest == "/metadata" ? ModelAction::kMetadata : ModelAction::kStatus;
  }
  if (rest == ":predict") return ModelAction::kPredict;
  if (rest == ":classify") return ModelAction::kClassify;
  if (rest == ":regress") return ModelAction::kRegress;
  return std::nullopt;
}

}  // namespace

std::string_view ActionName(ModelAction action) {
  switch (action) {
    case ModelAction::kPredict:
      return "predict";
    case ModelAction::kClassify:
      return "classify";
    case ModelAction::kRegress:
      return "regress";
    case ModelAction::kStatus:
      return "status";
    case ModelAction::kMetadata:
      return "metadata";
  }
  return {};
}

Result<ModelRoute> ParseModelRoute(std::string_view method, std::string_view path) {
  const auto malformed = [&] {
    return Fail(ErrorCode::kInvalidArgument, "Malformed request: {} {}", method, path);
  };
  std::optional<Parts> parts;
  if (method == "POST") parts = ParsePost(path);
  if (method == "GET") parts = ParseGet(path);
  if (!parts) return malformed();
  const std::optional<ModelAction> action = ActionOf(method, parts->rest);
  if (!action) return malformed();
  ModelRoute route{*action, {net::PercentDecode(parts->name), {}, {}}};
  if (!parts->version.empty()) {
    int64_t version = 0;
    const auto [end, code] = std::from_chars(
        parts->version.data(), parts->version.data() + parts->version.size(), version);
    if (code != std::errc{}) {
      return Fail(ErrorCode::kInvalidArgument, "Failed to convert version: {} to numeric.",
                  parts->version);
    }
    route.request.version = version;
  }
  if (!parts->label.empty()) route.request.label = net::PercentDecode(parts->label);
  if (route.request.model.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "Missing model name in request.");
  }
  return route;
}

}  // namespace kiln::executor

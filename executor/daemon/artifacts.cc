#include "executor/daemon/artifacts.h"

#include <unistd.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/log.h"
#include "base/sha256.h"
#include "wire/net/client.h"

namespace kiln::executor {
namespace {

namespace fs = std::filesystem;

constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr Duration kPauseMax = std::chrono::seconds(5);
constexpr Duration kAwayMax = std::chrono::minutes(15);

bool MayRecover(const Error& error) {
  switch (error.code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kResourceExhausted:
      return true;
    default:
      return false;
  }
}

// An answer that is no success, as an error.
Status CheckAnswer(const std::string& what, const net::Response& answer) {
  if (answer.status >= 200 && answer.status < 300) return {};
  ErrorCode code = answer.status == 404                           ? ErrorCode::kNotFound
                   : answer.status == 409                         ? ErrorCode::kConflict
                   : answer.status == 507                         ? ErrorCode::kResourceExhausted
                   : answer.status == 429 || answer.status >= 500 ? ErrorCode::kUnavailable
                                                                  : ErrorCode::kFailedPrecondition;
  return Fail(code, "{}: found status {} {}, expected success: {}", what, answer.status,
              net::ReasonPhrase(answer.status), answer.body.substr(0, 500));
}

// Fetched files that somebody reads, by their URL.
struct Shared {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<const LocalFile>> files;
  std::map<std::string, std::weak_ptr<std::mutex>> fetching;  // one fetch of a URL at a time
};

Shared& TheShared() {
  static Shared shared;
  return shared;
}

std::shared_ptr<std::mutex> FetchLock(const std::string& url) {
  Shared& shared = TheShared();
  std::lock_guard lock(shared.mutex);
  auto held = shared.fetching[url].lock();
  if (!held) shared.fetching[url] = held = std::make_shared<std::mutex>();
  return held;
}

Status MakeFolder(const fs::path& folder) {
  std::error_code ec;
  fs::create_directories(folder, ec);
  if (ec) return Failure(FileError("make", folder.string(), ec.value()));
  return {};
}

std::string JsonNumber(double number) {
  return std::isfinite(number) ? fmt::format("{}", number) : "null";
}

}  // namespace

LocalFile::~LocalFile() {
  if (owned_) unlink(path_.c_str());
}

Error LocalFile::Renamed(Error error) const {
  const size_t at = error.message.find(path_);
  if (at != std::string::npos) error.message.replace(at, path_.size(), uri_);
  return error;
}

Artifacts::Artifacts(SchedulerApi api, std::shared_ptr<CancelFlag> cancel,
                     std::function<void(const std::string&)> waits)
    : api_(std::move(api)), cancel_(std::move(cancel)), waits_(std::move(waits)) {}

Artifacts::Artifacts(const KernelContext& context)
    : Artifacts(ApiOf(context.work), context.cancel, [tell = context.tell](const auto& why) {
        v1::Report report;
        report.set_message(why);
        tell(report);
      }) {}

template <typename Call>
auto Artifacts::Retry(const Call& call) -> decltype(call()) {
  Duration pause = kFirstPause;
  Duration away{};
  std::string told;
  while (true) {
    auto result = call();
    if (result || !MayRecover(result.error()) || away >= kAwayMax) return result;
    LogWarning("{}; trying again in {:.1f} s", result.error().message, ToSeconds(pause));
    if (std::exchange(told, result.error().message) != result.error().message) {
      waits_("tries again: " + told);
    }
    if (cancel_->WaitFor(pause)) return Fail(ErrorCode::kFailedPrecondition, "work was cancelled");
    away += pause;
    pause = std::min(pause * 2, kPauseMax);
  }
}

Result<std::shared_ptr<const LocalFile>> Artifacts::Bring(const std::string& uri,
                                                          const std::string& folder) {
  if (std::string local = LocalPath(uri); !local.empty()) {
    return std::make_shared<const LocalFile>(local, uri, false);
  }
  std::string url = ResolveArtifact(uri, api_.url);
  auto held = FetchLock(url);
  std::lock_guard fetch_lock(*held);
  Shared& shared = TheShared();
  {
    std::lock_guard lock(shared.mutex);
    if (auto file = shared.files[url].lock()) return file;
  }
  // The folder goes with the work that fetches; the file may be read by others for longer.
  static std::atomic<uint64_t> number{0};
  std::string name = url.substr(url.find_last_of('/') + 1);
  KILN_TRY_OK(MakeFolder(fs::path(folder).parent_path()));
  fs::path target = fs::path(folder).parent_path() / fmt::format("fetched-{}-{}", ++number, name);
  KILN_TRY_OK(Retry([&] {
    return net::FetchToFile(url, target.string(), HeadersFor(uri, api_), OptionsFor(uri, api_));
  }));
  auto file = std::make_shared<const LocalFile>(target.string(), uri, true);
  std::lock_guard lock(shared.mutex);
  shared.files[url] = file;
  return file;
}

Result<std::string> Artifacts::PathFor(const std::string& uri, const std::string& folder) {
  std::string local = LocalPath(uri);
  fs::path path = local.empty() ? fs::path(folder) / "output" : fs::path(local);
  KILN_TRY_OK(MakeFolder(path.parent_path()));
  return path.string();
}

Status Artifacts::Put(const std::string& path, const std::string& uri) {
  if (!LocalPath(uri).empty()) return {};
  std::string url = ResolveArtifact(uri, api_.url);
  return Retry([&]() -> Status {
    KILN_TRY(net::Response answer,
             net::SendFile(url, path, HeadersFor(uri, api_), OptionsFor(uri, api_)));
    return CheckAnswer("PUT " + url, answer);
  });
}

Result<int64_t> Artifacts::Register(const ModelRegistration& registration) {
  std::string url =
      fmt::format("{}/v1/models/{}/versions", api_.url, net::PercentEncode(registration.model));
  net::Request request{"POST", "/", HeadersOf(api_), RegistrationJson(registration), {}};
  request.headers.Set("Content-Type", "application/json");
  return Retry([&]() -> Result<int64_t> {
    KILN_TRY(net::Response answer, net::Fetch(url, request, {.tls = api_.tls}));
    KILN_TRY_OK(CheckAnswer("POST " + url, answer));
    constexpr std::string_view kName = "\"version\":";
    size_t at = answer.body.find(kName);
    int64_t version = 0;
    const char* begin = answer.body.data() + (at == std::string::npos ? 0 : at + kName.size());
    while (*begin == ' ') ++begin;
    auto [end, code] = std::from_chars(begin, answer.body.data() + answer.body.size(), version);
    if (at == std::string::npos || code != std::errc()) {
      return Fail(ErrorCode::kDataLoss, "POST {}: found '{}', expected a version", url,
                  answer.body.substr(0, 200));
    }
    return version;
  });
}

Result<std::string> DigestOfFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Fail(ErrorCode::kNotFound, "cannot read {}", path);
  Sha256 digest;
  std::string piece(1 << 20, '\0');
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0) {
    digest.Update({piece.data(), static_cast<size_t>(in.gcount())});
  }
  return ToHex(digest.Finish());
}

std::string RegistrationJson(const ModelRegistration& registration) {
  using net::JsonString;
  std::string metrics, parameters, features;
  auto comma = [](std::string& text) -> std::string& { return text += text.empty() ? "" : ","; };
  for (const auto& [name, value] : registration.metrics) {
    comma(metrics) += JsonString(name) + ":" + JsonNumber(value);
  }
  for (const auto& [name, value] : registration.parameters) {
    comma(parameters) += JsonString(name) + ":" + JsonString(value);
  }
  for (const auto& name : registration.features) comma(features) += JsonString(name);
  return fmt::format(R"({{"uri":{},"job":{},"metrics":{{{}}},"data_digest":{},"parameters":{{{}}},)"
                     R"("algorithm":{},"features":[{}]}})",
                     JsonString(registration.uri), JsonString(registration.job), metrics,
                     JsonString(registration.data_digest), parameters,
                     JsonString(registration.algorithm), features);
}

}  // namespace kiln::executor

#include "cli/commands/client.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "cli/output/target_file.h"
#include "wire/net/client.h"
#include "wire/rest/json.h"

namespace kiln::cli {
namespace {

using wire::Json;

constexpr int kTriesMax = 5;
constexpr int kWaitMaxSeconds = 30;

ErrorCode CodeOf(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    if (name == ErrorCodeName(static_cast<ErrorCode>(i))) return static_cast<ErrorCode>(i);
  }
  return ErrorCode::kInternal;
}

// What stands between the program and the API says: proxies and DC/OS's Admin Router.
Error ProxyError(const std::string& url, int status) {
  switch (status) {
    case 401:
      return {
          ErrorCode::kPermissionDenied, "authentication failed, please run `dcos auth login`", {}};
    case 403:
      return {ErrorCode::kPermissionDenied,
              "you are not authorized to perform this operation: ask for access to the service",
              {}};
    case 404:
      return {ErrorCode::kNotFound,
              fmt::format("{} answers 404: expected Kiln there, check the address or --name", url),
              {}};
    default:
      return {ErrorCode::kUnavailable,
              fmt::format("{} answers {}: the service may be starting, try again", url, status),
              {}};
  }
}

Status Check(const std::string& url, const net::Response& response) {
  if (response.status < 300) return {};
  const auto json = wire::ParseJson(response.body);
  const auto error = json ? ErrorIn(*json) : std::nullopt;
  return Failure(error ? *error : ProxyError(url, response.status));
}

std::string Value(const std::map<std::string, std::string>& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string() : found->second;
}

Result<std::shared_ptr<const net::TlsContext>> FindTls(
    const AddressOptions& options, const std::map<std::string, std::string>& environment,
    bool of_dcos) {
  net::TlsClientOptions tls;
  tls.ca_file = options.ca_file.empty() ? Value(environment, "KILN_CA_FILE") : options.ca_file;
  if (tls.ca_file.empty() && of_dcos) {
    tls.ca_file = Value(environment, "DCOS_TLS_CA_PATH");
    tls.verify = Value(environment, "DCOS_TLS_INSECURE") != "1";
  }
  return net::TlsContext::ForClients(tls);
}

// Of a request that had no answer.
Failure NoAnswer(Error error) {
  if (error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kDeadlineExceeded) {
    error.message = "no answer from " + error.message + ": expected a kiln-scheduler there";
  }
  return Failure(std::move(error));
}

// Asks again when the API has too many requests, after the time that it names.
Result<net::Response> AskPatiently(const std::function<Result<net::Response>()>& ask) {
  for (int tries = 1;; ++tries) {
    auto response = ask();
    if (!response) return NoAnswer(std::move(response).error());
    if (response->status != 429 || tries == kTriesMax) return response;
    const std::string wait(response->headers.Get("Retry-After").value_or("1"));
    std::this_thread::sleep_for(
        std::chrono::seconds(std::clamp(std::atoi(wait.c_str()), 0, kWaitMaxSeconds)));
  }
}

}  // namespace

std::optional<Error> ErrorIn(const Json& answer) {
  if (!answer.is_object()) return std::nullopt;
  const auto error = answer.find("error");
  if (error == answer.end() || !error->is_object()) return std::nullopt;
  const auto text = [&](const char* member) -> std::optional<std::string> {
    const auto found = error->find(member);
    if (found == error->end() || !found->is_string()) return std::nullopt;
    return found->get<std::string>();
  };
  const auto code = text("code"), message = text("message");
  if (!code || !message) return std::nullopt;
  return Error{CodeOf(*code), *message, text("field").value_or("")};
}

Failure NotKilns(const std::string& url, const std::string& why) {
  return Fail(ErrorCode::kInternal, "answer of {} is not Kiln's: {}", url, why);
}

Result<Json> Client::Get(const std::string& path, Duration timeout) const {
  return Ask({"GET", "/", headers_, "", ""}, path, timeout);
}

Result<Json> Client::Send(const std::string& method, const std::string& path,
                          const std::string& body, Duration timeout) const {
  net::Request request{method, "/", headers_, body, ""};
  if (!body.empty()) request.headers.Set("Content-Type", "application/json");
  return Ask(request, path, timeout);
}

Result<Json> Client::Ask(const net::Request& request, const std::string& path,
                         Duration timeout) const {
  const std::string url = base_ + path;
  net::FetchOptions options{.tls = tls_};
  options.timeout = timeout;
  KILN_TRY(const auto response, AskPatiently([&] { return net::Fetch(url, request, options); }));
  KILN_TRY_OK(Check(url, response));
  if (response.body.empty()) return Json::object();
  auto json = wire::ParseJson(response.body);
  if (!json) return NotKilns(url, json.error().message);
  if (!json->is_object()) return NotKilns(url, "expected an object");
  return json;
}

Status Client::Stream(const std::string& path,
                      const std::function<bool(std::string_view)>& piece) const {
  const std::string url = base_ + path;
  net::FetchOptions options{.tls = tls_};
  options.timeout = std::chrono::hours(24);  // a log may be silent for long
  KILN_TRY(const auto response, AskPatiently([&] {
             return net::FetchStream(url, {"GET", "/", headers_, "", ""}, piece, options);
           }));
  return Check(url, response);
}

std::string Client::ArtifactUrl(const std::string& path) const {
  return base_ + "/v1/artifacts/" + net::PercentEncode(path);
}

Result<std::string> Client::DigestOf(const std::string& path) const {
  KILN_TRY(const auto response, AskPatiently([&] {
             return net::Fetch(ArtifactUrl(path), {"HEAD", "/", headers_, "", ""}, {.tls = tls_});
           }));
  if (response.status != 200) return "";
  return std::string(response.headers.Get("X-Kiln-Digest").value_or(""));
}

Status Client::Upload(const std::string& file, const std::string& digest, const std::string& path,
                      OnProgress progress) const {
  KILN_TRY(const std::string there, DigestOf(path));
  if (there == digest) return {};
  const std::string url = ArtifactUrl(path);
  net::Headers headers = headers_;
  headers.Set("X-Kiln-Digest", digest);
  net::FetchOptions options{.tls = tls_};
  options.progress = std::move(progress);
  KILN_TRY(const auto response,
           AskPatiently([&] { return net::SendFile(url, file, headers, options); }));
  return Check(url, response);
}

Status Client::Download(const std::string& path, const std::string& file,
                        OnProgress progress) const {
  KILN_TRY(const std::string digest, DigestOf(path));
  if (digest.empty()) {
    KILN_TRY_OK(Get("/v1/artifacts/" + net::PercentEncode(path)));  // the error, if there is one
    return Fail(ErrorCode::kInvalidArgument, "{} is a folder: expected a file", path);
  }
  KILN_TRY(auto target, TargetFile::Open(file));
  const std::string url = ArtifactUrl(path);
  net::FetchOptions options{.tls = tls_};
  options.progress = std::move(progress);
  Status written;
  const auto write = [&](std::string_view piece) {
    written = target->Write(piece);
    return written.has_value();
  };
  KILN_TRY(const auto response, AskPatiently([&] {
             return net::FetchStream(url, {"GET", "/", headers_, "", ""}, write, options);
           }));
  KILN_TRY_OK(written);
  KILN_TRY_OK(Check(url, response));
  return target->Finish();
}

Result<Client> FindApi(const AddressOptions& options,
                       const std::map<std::string, std::string>& environment) {
  net::Headers headers;
  std::string api = options.api.empty() ? Value(environment, "KILN_API") : options.api;
  const std::string dcos = Value(environment, "DCOS_URL");
  if (api.empty() && !dcos.empty()) api = dcos + "/service/" + net::PercentEncode(options.service);
  const std::string dcos_token = Value(environment, "DCOS_ACS_TOKEN");
  const std::string token =
      options.token.empty() ? Value(environment, "KILN_TOKEN") : options.token;
  const bool of_dcos = !dcos.empty() && api.starts_with(dcos + "/");
  if (!dcos_token.empty() && of_dcos) {
    headers.Set("Authorization", "token=" + dcos_token);
  } else if (!token.empty()) {
    headers.Set("Authorization", "Bearer " + token);
  }
  if (api.empty()) {
    auto local = ReadFile(options.local_dir + "/api");
    if (!local) {
      return Fail(ErrorCode::kUnavailable,
                  "the address of the API is not known: expected --api, KILN_API or "
                  "`kiln local up` in {}",
                  options.local_dir);
    }
    api = local->substr(0, local->find_last_not_of("\r\n") + 1);
  }
  while (api.ends_with('/')) api.pop_back();
  if (api.find("://") == std::string::npos) api = "http://" + api;
  const auto url = net::ParseUrl(api);
  if (!url) return Failure(Within("--api", url.error()));
  std::shared_ptr<const net::TlsContext> tls;
  if (url->secure) {
    KILN_TRY(tls, FindTls(options, environment, of_dcos));
  }
  return Client(api, std::move(headers), std::move(tls));
}

}  // namespace kiln::cli

#include "cli/commands/client.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/file.h"
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
  auto json = wire::ParseJson(response.body);
  if (!json || !json->is_object() || !json->contains("error") || !(*json)["error"].is_object()) {
    return Failure(ProxyError(url, response.status));
  }
  const Json& error = (*json)["error"];
  return Failure(
      Error{CodeOf(error.value("code", "")), error.value("message", ""), error.value("field", "")});
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

// Asks again when the API has too many requests, after the time that it names.
Result<net::Response> FetchPatiently(const std::string& url, const net::Request& request,
                                     const net::FetchOptions& options) {
  for (int tries = 1;; ++tries) {
    auto response = net::Fetch(url, request, options);
    if (!response || response->status != 429 || tries == kTriesMax) return response;
    const std::string wait(response->headers.Get("Retry-After").value_or("1"));
    std::this_thread::sleep_for(
        std::chrono::seconds(std::clamp(std::atoi(wait.c_str()), 0, kWaitMaxSeconds)));
  }
}

// Of a request that had no answer.
Failure NoAnswer(Error error) {
  if (error.code == ErrorCode::kUnavailable) {
    error.message = "no answer from " + error.message + ": expected a kiln-scheduler there";
  }
  return Failure(std::move(error));
}

}  // namespace

Result<Json> Client::Get(const std::string& path) const { return Send("GET", path); }

Result<Json> Client::Send(const std::string& method, const std::string& path,
                          const std::string& body, const std::string& media_type) const {
  net::Request request{method, "/", headers_, body, ""};
  if (!body.empty()) request.headers.Set("Content-Type", media_type);
  const auto response = FetchPatiently(base_ + path, request, {.tls = tls_});
  if (!response) return NoAnswer(response.error());
  KILN_TRY_OK(Check(base_ + path, *response));
  if (response->body.empty()) return Json::object();
  auto json = wire::ParseJson(response->body);
  if (json) return json;
  return Failure(Within(base_ + path, json.error()));
}

Status Client::Stream(const std::string& path,
                      const std::function<bool(std::string_view)>& piece) const {
  net::FetchOptions options{.tls = tls_};
  options.timeout = std::chrono::hours(24);  // a log may be silent for long
  const auto response =
      net::FetchStream(base_ + path, {"GET", "/", headers_, "", ""}, piece, options);
  if (!response) return NoAnswer(response.error());
  return Check(base_ + path, *response);
}

Status Client::Upload(const std::string& file, const std::string& digest, const std::string& path,
                      OnProgress progress) const {
  const std::string url = base_ + "/v1/artifacts/" + net::PercentEncode(path);
  auto there = net::Fetch(url, {"HEAD", "/", headers_, "", ""}, {.tls = tls_});
  if (there && there->status == 200 && there->headers.Get("X-Kiln-Digest") == digest) return {};
  net::Headers headers = headers_;
  headers.Set("X-Kiln-Digest", digest);
  net::FetchOptions options{.tls = tls_};
  options.progress = std::move(progress);
  const auto response = net::SendFile(url, file, headers, options);
  if (!response) return NoAnswer(response.error());
  return Check(url, *response);
}

Status Client::Download(const std::string& path, const std::string& file,
                        OnProgress progress) const {
  net::FetchOptions options{.tls = tls_};
  options.progress = std::move(progress);
  const Status done = net::FetchToFile(base_ + "/v1/artifacts/" + net::PercentEncode(path), file,
                                       headers_, options);
  if (done) return done;
  if (done.error().code != ErrorCode::kNotFound) return NoAnswer(done.error());
  return Fail(ErrorCode::kNotFound,
              "artifact {} is not known: expected one that `kiln artifact list` shows", path);
}

Result<Client> FindApi(const AddressOptions& options,
                       const std::map<std::string, std::string>& environment) {
  net::Headers headers;
  std::string api = options.api.empty() ? Value(environment, "KILN_API") : options.api;
  const std::string dcos = Value(environment, "DCOS_URL");
  if (api.empty() && !dcos.empty()) api = dcos + "/service/" + options.service;
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
                  "the address of the API is not known: expected --api, KILN_API or a running "
                  "`kiln local up`");
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

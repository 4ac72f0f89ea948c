// The REST API as the commands ask it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "wire/net/http.h"
#include "wire/net/tls.h"
#include "wire/rest/json_fwd.h"

namespace kiln::cli {

// The API's own error, where an answer has one.
std::optional<Error> ErrorIn(const wire::Json& answer);
// Of an answer that is none of Kiln's; `why` says what was found or expected.
Failure NotKilns(const std::string& url, const std::string& why);

// Threads: one at a time; every call blocks. Errors: the API's own, with their code; kUnavailable
// or kDeadlineExceeded when nothing answers. An API that has too many requests is asked again.
class Client {
 public:
  // `base` has no slash at its end; `headers` go with every request.
  // `tls` is what an API of https is judged by; none: the system's roots.
  Client(std::string base, net::Headers headers, std::shared_ptr<const net::TlsContext> tls)
      : base_(std::move(base)), headers_(std::move(headers)), tls_(std::move(tls)) {}

  const std::string& base() const { return base_; }

  // Every answer is an object. `timeout` is of no progress.
  static constexpr Duration kTimeout = std::chrono::seconds(60);
  Result<wire::Json> Get(const std::string& path, Duration timeout = kTimeout) const;
  Result<wire::Json> Send(const std::string& method, const std::string& path,
                          const std::string& body = "", Duration timeout = kTimeout) const;
  // The pieces of an answer as they come, until it returns false.
  Status Stream(const std::string& path, const std::function<bool(std::string_view)>& piece) const;

  using OnProgress = std::function<void(uint64_t done, uint64_t total)>;
  // The SHA-256 of the artifact that is a file at this path; empty when there is none.
  Result<std::string> DigestOf(const std::string& path) const;
  // Sends a file with its SHA-256, unless the path has the same bytes already.
  Status Upload(const std::string& file, const std::string& digest, const std::string& path,
                OnProgress progress) const;
  // What is there as `file` stays as it is when nothing or not all comes (TargetFile).
  Status Download(const std::string& path, const std::string& file, OnProgress progress) const;

 private:
  Result<wire::Json> Ask(const net::Request& request, const std::string& path,
                         Duration timeout) const;
  std::string ArtifactUrl(const std::string& path) const;

  std::string base_;
  net::Headers headers_;
  std::shared_ptr<const net::TlsContext> tls_;
};

// Where the API is: --api, then KILN_API, then the service of DC/OS (DCOS_URL and --name), then
// the local node of this user. A service of DC/OS gets DC/OS's own token, any other --token, or
// else KILN_TOKEN. An API of https is judged by --ca-file, KILN_CA_FILE, or what DC/OS says
// (DCOS_TLS_CA_PATH, or DCOS_TLS_INSECURE=1 for no judgement), else by the system's roots.
struct AddressOptions {
  std::string api;
  std::string token;
  std::string ca_file;
  std::string service;    // --name
  std::string local_dir;  // of `kiln local up`
};
Result<Client> FindApi(const AddressOptions& options,
                       const std::map<std::string, std::string>& environment);

}  // namespace kiln::cli

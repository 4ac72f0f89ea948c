// Data, models and results by their URIs, over the local disk and the scheduler's REST.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "executor/daemon/kernel_work.h"

namespace kiln::executor {

// A file to read. One that was fetched is removed when nobody holds it any more; works that run at
// the same time share it.
class LocalFile {
 public:
  LocalFile(std::string path, bool owned) : path_(std::move(path)), owned_(owned) {}
  ~LocalFile();
  LocalFile(const LocalFile&) = delete;
  LocalFile& operator=(const LocalFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool owned_;
};

struct ModelRegistration {
  std::string model;
  std::string uri;
  std::string job;
  std::map<std::string, double> metrics;
  std::string data_digest;  // SHA-256 of the data file, hexadecimal
  std::map<std::string, std::string> parameters;
  std::string algorithm;
  std::vector<std::string> features;
};

// Threads: any; each call blocks its own. While the scheduler is away (it may be killed and come
// back) a call waits and tries again, until the work is cancelled or it has been away for long:
// kUnavailable.
class Artifacts {
 public:
  Artifacts(std::string api_url, std::shared_ptr<CancelFlag> cancel);

  // What a URI names, as a local file; fetched into `folder` unless it is local.
  Result<std::shared_ptr<const LocalFile>> Bring(const std::string& uri, const std::string& folder);
  // Where to write, whole or not at all, what is then Put at a URI: the place itself when it is
  // local, else a file in `folder`, which is made.
  static Result<std::string> PathFor(const std::string& uri, const std::string& folder);
  // Makes the file at PathFor appear at the URI, whole or not at all.
  Status Put(const std::string& path, const std::string& uri);
  // Gives the version. Registering again for the same job gives the same one.
  Result<int64_t> Register(const ModelRegistration& registration);

 private:
  template <typename Call>
  auto Retry(const Call& call) -> decltype(call());

  std::string api_url_;
  std::shared_ptr<CancelFlag> cancel_;
};

// SHA-256 of a file in hexadecimal digits.
Result<std::string> DigestOfFile(const std::string& path);
std::string RegistrationJson(const ModelRegistration& registration);

}  // namespace kiln::executor

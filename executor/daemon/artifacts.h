// Data, models and results by their URIs, over the local disk and the scheduler's REST.
#pragma once

#include <functional>
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
  LocalFile(std::string path, std::string uri, bool owned)
      : path_(std::move(path)), uri_(std::move(uri)), owned_(owned) {}
  ~LocalFile();
  LocalFile(const LocalFile&) = delete;
  LocalFile& operator=(const LocalFile&) = delete;
  const std::string& path() const { return path_; }
  // What was read of the file; an error has the URI, which the user knows, in place of the path.
  template <typename T>
  Result<T> Named(Result<T> read) const {
    if (!read) return Failure(Renamed(std::move(read).error()));
    return read;
  }

 private:
  Error Renamed(Error error) const;

  std::string path_;
  std::string uri_;
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
// back) or a disk is full, a call waits and tries again, until the work is cancelled or it has
// waited for long; then it gives the last error.
class Artifacts {
 public:
  // `waits` hears what a call waits for, once for each reason.
  Artifacts(SchedulerApi api, std::shared_ptr<CancelFlag> cancel,
            std::function<void(const std::string&)> waits);
  // For a kernel: what it waits for is told as the task's message.
  explicit Artifacts(const KernelContext& context);

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

  SchedulerApi api_;
  std::shared_ptr<CancelFlag> cancel_;
  std::function<void(const std::string&)> waits_;
};

// SHA-256 of a file in hexadecimal digits.
Result<std::string> DigestOfFile(const std::string& path);
std::string RegistrationJson(const ModelRegistration& registration);

}  // namespace kiln::executor

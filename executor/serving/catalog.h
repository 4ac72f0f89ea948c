// Which models a server has: several models, each with versions, and labels that point at versions.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "executor/kernels/model.h"

namespace kiln::executor {

// One version of a model in memory. Never changes; kept alive by the requests that use it.
struct ServedVersion {
  ServedVersion(std::string model_name, int64_t version_number, Model loaded);

  std::string name;
  int64_t version = 0;
  Model model;
  std::vector<int64_t> class_numbers;  // the classes as numbers, if all of them are whole numbers
};

// Numbers and names are TensorFlow Serving's.
enum class VersionState { kLoading = 20, kAvailable = 30, kEnd = 50 };

struct VersionStatus {
  int64_t version = 0;
  VersionState state = VersionState::kLoading;
  std::optional<Error> error;  // why it ended, if it failed

  bool operator==(const VersionStatus&) const = default;
};

// What a request asks for: a version, a label, or else the greatest version that is available.
struct VersionRequest {
  std::string model;
  std::optional<int64_t> version;
  std::optional<std::string> label;
};

// Threads: any. Requests are never paused: a version that is withdrawn answers those that have
// found it, and is freed after the last of them.
class Catalog {
 public:
  // Loading has begun.
  void Announce(const std::string& model, int64_t version);
  // It can be found from now on.
  void Publish(std::shared_ptr<const ServedVersion> served);
  // Loading has failed.
  void MarkFailed(const std::string& model, int64_t version, Error error);
  // It cannot be found any more; its labels are dropped. Unknown versions are left alone.
  void Withdraw(const std::string& model, int64_t version);
  // Points a label at an available version.
  Status SetLabel(const std::string& model, const std::string& label, int64_t version);

  // kNotFound "Servable not found for request: Latest(name)", or kInvalidArgument for a label that
  // points nowhere.
  Result<std::shared_ptr<const ServedVersion>> Find(const VersionRequest& request) const;
  // All versions, the greatest first, or the one asked for.
  Result<std::vector<VersionStatus>> StatusOf(const std::string& model,
                                              std::optional<int64_t> version) const;
  // The names of all models, each with whether a version of it is available.
  std::map<std::string, bool> Models() const;

 private:
  struct Entry {
    VersionStatus status;
    std::shared_ptr<const ServedVersion> served;  // when available
  };
  struct ServedModel {
    std::map<int64_t, Entry, std::greater<>> versions;
    std::map<std::string, int64_t> labels;
  };

  mutable std::mutex mutex_;
  std::map<std::string, ServedModel> models_;  // guarded by mutex_
};

// Reads a model file, warms it up and publishes it under these labels; tells the catalog of each
// step. Takes as long as reading takes: call it off the loop.
Status LoadVersion(Catalog& catalog, const std::string& model, int64_t version,
                   const std::string& path, const std::vector<std::string>& labels);

}  // namespace kiln::executor

#include "executor/serving/catalog.h"

#include <charconv>

#include "executor/kernels/predict.h"

namespace kiln::executor {
namespace {

// Empty unless each class is a number as a program would write it.
std::vector<int64_t> WholeNumbers(const std::vector<std::string>& classes) {
  std::vector<int64_t> numbers;
  for (const std::string& name : classes) {
    int64_t number = 0;
    std::from_chars(name.data(), name.data() + name.size(), number);
    if (name != std::to_string(number)) return {};
    numbers.push_back(number);
  }
  return numbers;
}

std::string RequestText(const VersionRequest& request) {
  if (request.version) return fmt::format("Specific({}, {})", request.model, *request.version);
  return fmt::format("Latest({})", request.model);
}

}  // namespace

ServedVersion::ServedVersion(std::string model_name, int64_t version_number, Model loaded)
    : name(std::move(model_name)),
      version(version_number),
      model(std::move(loaded)),
      class_numbers(WholeNumbers(model.classes)) {}

void Catalog::Announce(const std::string& model, int64_t version) {
  const std::lock_guard lock(mutex_);
  models_[model].versions[version] = {{version, VersionState::kLoading, {}}, nullptr};
}

void Catalog::Publish(std::shared_ptr<const ServedVersion> served) {
  const std::lock_guard lock(mutex_);
  const int64_t version = served->version;
  models_[served->name].versions[version] = {{version, VersionState::kAvailable, {}}, served};
}

void Catalog::MarkFailed(const std::string& model, int64_t version, Error error) {
  const std::lock_guard lock(mutex_);
  models_[model].versions[version] = {{version, VersionState::kEnd, std::move(error)}, nullptr};
}

void Catalog::Withdraw(const std::string& model, int64_t version) {
  std::shared_ptr<const ServedVersion> last;  // freed outside the lock
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(model);
  if (found == models_.end() || !found->second.versions.contains(version)) return;
  Entry& entry = found->second.versions[version];
  last = std::exchange(entry.served, nullptr);
  entry.status = {version, VersionState::kEnd, {}};
  std::erase_if(found->second.labels, [&](const auto& label) { return label.second == version; });
}

Status Catalog::SetLabel(const std::string& model, const std::string& label, int64_t version) {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(model);
  if (found != models_.end()) {
    const auto entry = found->second.versions.find(version);
    if (entry != found->second.versions.end() && entry->second.served != nullptr) {
      found->second.labels[label] = version;
      return {};
    }
  }
  return Fail(ErrorCode::kFailedPrecondition,
              "label {} cannot point at version {} of model {}, expected a version that is "
              "available",
              label, version, model);
}

Result<std::shared_ptr<const ServedVersion>> Catalog::Find(const VersionRequest& request) const {
  const std::lock_guard lock(mutex_);
  const auto not_found = [&] {
    return Fail(ErrorCode::kNotFound, "Servable not found for request: {}", RequestText(request));
  };
  const auto found = models_.find(request.model);
  std::optional<int64_t> version = request.version;
  if (request.label) {
    if (found == models_.end() || !found->second.labels.contains(*request.label)) {
      return Fail(ErrorCode::kInvalidArgument, "Unrecognized servable version label: {}",
                  *request.label);
    }
    version = found->second.labels.at(*request.label);
  }
  if (found == models_.end()) return not_found();
  for (const auto& [number, entry] : found->second.versions) {
    if (entry.served != nullptr && (!version || *version == number)) return entry.served;
  }
  return not_found();
}

Result<std::vector<VersionStatus>> Catalog::StatusOf(const std::string& model,
                                                     std::optional<int64_t> version) const {
  const std::lock_guard lock(mutex_);
  std::vector<VersionStatus> statuses;
  const auto found = models_.find(model);
  if (found != models_.end()) {
    for (const auto& [number, entry] : found->second.versions) {
      if (!version || *version == number) statuses.push_back(entry.status);
    }
  }
  if (!statuses.empty()) return statuses;
  if (version) {
    return Fail(ErrorCode::kNotFound, "Could not find version {} of model {}", *version, model);
  }
  return Fail(ErrorCode::kNotFound, "Could not find any versions of model {}", model);
}

std::map<std::string, bool> Catalog::Models() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, bool> models;
  for (const auto& [name, model] : models_) {
    bool& available = models[name];
    for (const auto& [version, entry] : model.versions) {
      available = available || entry.served != nullptr;
    }
  }
  return models;
}

Status LoadVersion(Catalog& catalog, const std::string& model, int64_t version,
                   const std::string& path, const std::vector<std::string>& labels) {
  catalog.Announce(model, version);
  auto loaded = LoadModel(path);
  if (!loaded) {
    catalog.MarkFailed(model, version, loaded.error());
    return Failure(std::move(loaded).error());
  }
  const auto served = std::make_shared<const ServedVersion>(model, version, *std::move(loaded));
  // The first prediction touches the pages of the model, so that no request has to wait for them.
  const std::vector<float> row(served->model.features.size());
  Predict(served->model, {row.data(), 1, row.size()});
  catalog.Publish(served);
  for (const std::string& label : labels) KILN_TRY_OK(catalog.SetLabel(model, label, version));
  return {};
}

}  // namespace kiln::executor

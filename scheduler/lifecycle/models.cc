#include "scheduler/lifecycle/models.h"

namespace kiln::scheduler {

Result<const ModelVersion*> Resolve(const std::map<std::string, Model>& models,
                                    const ModelRef& ref) {
  const auto model = models.find(ref.name);
  if (model == models.end() || model->second.versions.empty()) {
    return Fail(ErrorCode::kNotFound, "model {} is not registered", ref.name);
  }
  const auto& versions = model->second.versions;
  int64_t wanted = ref.version.value_or(versions.rbegin()->first);
  if (!ref.label.empty()) {
    const auto label = model->second.labels.find(ref.label);
    if (label == model->second.labels.end()) {
      return Fail(ErrorCode::kNotFound, "model {} has no label {}", ref.name, ref.label);
    }
    wanted = label->second;
  }
  const auto version = versions.find(wanted);
  if (version == versions.end()) {
    return Fail(ErrorCode::kNotFound, "model {} has no version {}, the latest is {}", ref.name,
                wanted, versions.rbegin()->first);
  }
  return &version->second;
}

Status HasModels(const std::map<std::string, Model>& models, const Work& work) {
  if (const auto* serve = std::get_if<ServeWork>(&work)) {
    for (const ModelRef& ref : serve->models) KILN_TRY_OK(Resolve(models, ref));
  }
  if (const auto* score = std::get_if<ScoreWork>(&work)) {
    KILN_TRY_OK(Resolve(models, score->model));
  }
  return {};
}

}  // namespace kiln::scheduler

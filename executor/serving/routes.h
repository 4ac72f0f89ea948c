// The paths of TensorFlow Serving's REST.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "executor/serving/catalog.h"

namespace kiln::executor {

enum class ModelAction { kPredict, kClassify, kRegress, kStatus, kMetadata };

// "predict" and so on.
std::string_view ActionName(ModelAction action);

struct ModelRoute {
  ModelAction action = ModelAction::kStatus;
  VersionRequest request;
};

// POST /v1/models/NAME[/versions/N|/labels/LABEL]:predict|classify|regress,
// GET /v1/models/NAME[/versions/N|/labels/LABEL][/metadata], in any case but for the last word.
// `path` is without the query and percent-encoded; name and label are decoded. Errors have
// TensorFlow Serving's texts.
Result<ModelRoute> ParseModelRoute(std::string_view method, std::string_view path);

}  // namespace kiln::executor

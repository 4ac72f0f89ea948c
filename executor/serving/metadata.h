// What a model server tells of its models. The inside of this folder.
#pragma once

#include <string>
#include <vector>

#include "executor/serving/catalog.h"

namespace kiln::executor {

inline constexpr char kPredictMethod[] = "tensorflow/serving/predict";

std::string StatusAnswer(const std::vector<VersionStatus>& statuses);

// The signature, as TensorFlow Serving writes it, and beside it under "kiln" the algorithm, the
// target, and the names of features and classes in their order.
std::string MetadataAnswer(const ServedVersion& served);

}  // namespace kiln::executor

// Predict requests and answers as TensorFlow Serving has them. The inside of this folder.
//
// Every model has the signature serving_default: the input "features", float [-1, number of
// features], and as outputs
//   of a classifier "class", int64 [-1] if all classes are whole numbers and else string, and
//     "probabilities", float [-1, number of classes];
//   of a regressor "value", float [-1].
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "executor/serving/catalog.h"
#include "executor/serving/json.h"

namespace kiln::executor {

inline constexpr char kSignature[] = "serving_default";
inline constexpr char kInput[] = "features";
inline constexpr char kClassOutput[] = "class";
inline constexpr char kProbabilitiesOutput[] = "probabilities";
inline constexpr char kValueOutput[] = "value";

struct FloatTensor {
  std::vector<uint64_t> shape;
  std::vector<float> values;  // row-major
};

enum class PredictFormat { kRow, kColumnar };

struct PredictInput {
  PredictFormat format = PredictFormat::kRow;
  FloatTensor features;
};

// From "instances" (row) or "inputs" (columnar).
Result<PredictInput> ReadPredictInput(const rapidjson::Document& body);

// out: what Predict gave for the rows.
std::string PredictAnswer(const ServedVersion& served, PredictFormat format,
                          const std::vector<float>& out);

// The rows of a classify or regress request: features by name, [examples, features]. Whole numbers
// are taken for floats.
Result<std::vector<float>> ReadExamples(const rapidjson::Document& body,
                                        const std::vector<std::string>& features);
std::string ClassifyAnswer(const ServedVersion& served, const std::vector<float>& out);
std::string RegressAnswer(const std::vector<float>& out);

}  // namespace kiln::executor

// A trained model as a value.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"

namespace kiln::executor {

// A row goes to the node left + 1 when its feature is greater than the threshold, else to left (NaN
// too). A leaf is its own left child and nothing is greater than its threshold, so that a row may
// take more steps than its tree is deep.
struct ForestNode {
  float threshold = std::numeric_limits<float>::infinity();
  uint32_t feature = 0;
  uint32_t left = 0;
  uint32_t leaf = 0;  // number of the leaf; meant only where left is the node itself

  bool operator==(const ForestNode&) const = default;
};

// Trees, one behind the other; children stand behind their parents. The forest's answer is the mean
// of the trees' answers.
struct Forest {
  std::vector<ForestNode> nodes;
  std::vector<uint32_t> roots;
  std::vector<float> leaves;  // leaf number times width: class probabilities, or one number

  bool operator==(const Forest&) const = default;
};

// weights * row + bias: one number, or one logit for each class, whose softmax are probabilities.
struct Affine {
  std::vector<float> weights;  // width rows of as many weights as features
  std::vector<float> bias;     // width

  bool operator==(const Affine&) const = default;
};

struct Model {
  std::vector<std::string> features;
  std::string target;
  std::vector<std::string> classes;  // empty: the model gives numbers
  std::variant<Forest, Affine> body;

  bool Classifies() const { return !classes.empty(); }
  // Numbers given for a row: a probability for each class, or one.
  size_t Width() const { return classes.empty() ? 1 : classes.size(); }
  bool operator==(const Model&) const = default;
};

// Whether the parts fit together, so that no row can lead a kernel astray.
Status CheckModel(const Model& model);

// "random_forest_classifier", "random_forest_regressor", "linear_regression", "softmax_regression".
std::string AlgorithmName(const Model& model);

// The model's own file format: magic, version, length, content, CRC-32 of the content; little
// endian.
std::string EncodeModel(const Model& model);
// `name` stands in messages. Errors: kInvalidArgument for foreign bytes, kDataLoss for truncated or
// damaged ones, kUnimplemented for a newer version.
Result<Model> DecodeModel(const std::string& name, std::string_view bytes);

Status SaveModel(const std::string& path, const Model& model);
Result<Model> LoadModel(const std::string& path);

}  // namespace kiln::executor

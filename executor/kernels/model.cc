#include "executor/kernels/model.h"

namespace kiln::executor {
namespace {

Failure Broken(const std::string& what) {
  return Fail(ErrorCode::kDataLoss, "the model is broken: {}", what);
}

Status CheckForest(const Forest& forest, size_t features, size_t width) {
  const size_t nodes = forest.nodes.size();
  // The kernels count in 32 bits, four words a node.
  if (nodes >= size_t{1} << 29) return Broken(fmt::format("{} nodes, expected fewer", nodes));
  if (forest.roots.empty()) return Broken("no trees, expected at least one");
  if (forest.leaves.size() % width != 0) return Broken("a leaf of another width");
  if (forest.leaves.size() >= size_t{1} << 31) return Broken("too many leaves");
  for (const uint32_t root : forest.roots) {
    if (root >= nodes) return Broken(fmt::format("root {} of {} nodes", root, nodes));
  }
  for (size_t i = 0; i < nodes; ++i) {
    const ForestNode& node = forest.nodes[i];
    if (node.feature >= features) {
      return Broken(fmt::format("feature {} of {}", node.feature, features));
    }
    if (node.left == i) {
      if (node.threshold != std::numeric_limits<float>::infinity() ||
          size_t{node.leaf} * width >= forest.leaves.size()) {
        return Broken(fmt::format("leaf {} of {}", node.leaf, forest.leaves.size() / width));
      }
    } else if (node.left < i || node.left + size_t{1} >= nodes) {
      return Broken(fmt::format("node {} with the child {} of {}", i, node.left, nodes));
    }
  }
  return {};
}

}  // namespace

Status CheckModel(const Model& model) {
  if (model.features.empty()) return Broken("no features, expected at least one");
  if (const auto* forest = std::get_if<Forest>(&model.body)) {
    return CheckForest(*forest, model.features.size(), model.Width());
  }
  const Affine& affine = std::get<Affine>(model.body);
  if (affine.bias.size() != model.Width() ||
      affine.weights.size() != model.Width() * model.features.size()) {
    return Broken(fmt::format("{} weights, expected {} times {}", affine.weights.size(),
                              model.Width(), model.features.size()));
  }
  return {};
}

std::string AlgorithmName(const Model& model) {
  if (std::holds_alternative<Forest>(model.body)) {
    return model.Classifies() ? "random_forest_classifier" : "random_forest_regressor";
  }
  return model.Classifies() ? "softmax_regression" : "linear_regression";
}

}  // namespace kiln::executor

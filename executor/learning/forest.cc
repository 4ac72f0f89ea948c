#include "executor/learning/forest.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/random.h"
#include "executor/learning/splits.h"

namespace kiln::executor {
namespace {

template <class Splits>
class TreeGrower {
 public:
  TreeGrower(const Bins& bins, const ForestOptions& options, Splits splits, uint64_t seed)
      : bins_(bins), options_(options), splits_(std::move(splits)), random_(seed) {}

  Forest Grow() {
    DrawSample();
    features_.resize(bins_.cuts.size());
    std::iota(features_.begin(), features_.end(), 0);
    tree_.roots = {0};
    tree_.nodes.emplace_back();
    open_ = {{.node = 0, .begin = 0, .end = rows_.size(), .depth = 0}};
    while (!open_.empty()) {
      const Open node = open_.back();
      open_.pop_back();
      GrowNode(node);
    }
    return std::move(tree_);
  }

 private:
  // A node that has yet to be split or closed; its rows are rows_[begin, end).
  struct Open {
    uint32_t node = 0;
    size_t begin = 0;
    size_t end = 0;
    size_t depth = 0;
  };
  struct FeatureSplit {
    size_t feature = 0;
    Split split;
  };

  void DrawSample() {
    weights_.assign(bins_.rows, 0);
    for (size_t i = 0; i < bins_.rows; ++i) ++weights_[random_.Below(bins_.rows)];
    for (uint32_t row = 0; row < bins_.rows; ++row) {
      if (weights_[row] > 0) rows_.push_back(row);
    }
  }

  void GrowNode(const Open& open) {
    const std::span rows(rows_.data() + open.begin, open.end - open.begin);
    splits_.Enter(rows, weights_);
    const bool deep = options_.depth_max > 0 && open.depth >= options_.depth_max;
    const bool small = splits_.count() < 2 * options_.leaf_rows_min;
    const auto best =
        deep || small || splits_.Pure() ? std::optional<FeatureSplit>() : BestSplit(rows);
    ForestNode& node = tree_.nodes[open.node];
    if (!best) {
      node.left = open.node;
      node.leaf = static_cast<uint32_t>(tree_.leaves.size() / splits_.width());
      splits_.AppendLeaf(tree_.leaves);
      return;
    }
    node.feature = static_cast<uint32_t>(best->feature);
    node.threshold = Threshold(*best);
    node.left = static_cast<uint32_t>(tree_.nodes.size());
    const uint32_t left = node.left;
    tree_.nodes.resize(tree_.nodes.size() + 2);
    const size_t middle = open.begin + Divide(rows, *best);
    open_.push_back({left + 1, middle, open.end, open.depth + 1});
    open_.push_back({left, open.begin, middle, open.depth + 1});
  }

  // Features in random order until enough were looked at and one of them splits.
  std::optional<FeatureSplit> BestSplit(std::span<const uint32_t> rows) {
    std::optional<FeatureSplit> best;
    for (size_t i = 0; i < features_.size(); ++i) {
      if (i >= options_.features_per_split && best) break;
      std::swap(features_[i], features_[i + random_.Below(features_.size() - i)]);
      const size_t feature = features_[i];
      if (bins_.Count(feature) == 1) continue;
      const auto split = splits_.Best({.bins = bins_.Column(feature),
                                       .bin_count = bins_.Count(feature),
                                       .rows = rows,
                                       .rows_min = options_.leaf_rows_min});
      if (split && (!best || split->score > best->split.score)) best = {feature, *split};
    }
    return best;
  }

  // In the middle of the gap between the bins that the node has.
  float Threshold(const FeatureSplit& best) const {
    const std::vector<float>& cuts = bins_.cuts[best.feature];
    const float low = cuts[best.split.low];
    const float high = cuts[best.split.high - 1];
    return std::clamp(static_cast<float>((static_cast<double>(low) + high) / 2), low, high);
  }

  // Puts the rows of the left child first, in their order; returns their number.
  size_t Divide(std::span<uint32_t> rows, const FeatureSplit& best) {
    const uint8_t* bins = bins_.Column(best.feature);
    right_.clear();
    size_t left = 0;
    for (const uint32_t row : rows) {
      if (bins[row] <= best.split.low) {
        rows[left++] = row;
      } else {
        right_.push_back(row);
      }
    }
    std::copy(right_.begin(), right_.end(), rows.begin() + static_cast<ptrdiff_t>(left));
    return left;
  }

  const Bins& bins_;
  const ForestOptions& options_;
  Splits splits_;
  Random random_;
  Forest tree_;
  std::vector<uint32_t> weights_;  // how often each row was drawn
  std::vector<uint32_t> rows_;     // those drawn, grouped by open node
  std::vector<uint32_t> right_;
  std::vector<size_t> features_;
  std::vector<Open> open_;
};

uint64_t TreeSeed(uint64_t seed, size_t tree) { return Random(Random(seed)() ^ tree)(); }

Forest GrowTree(const Bins& bins, const ForestTarget& target, const ForestOptions& options,
                size_t tree) {
  const uint64_t seed = TreeSeed(options.seed, tree);
  if (const auto* classes = std::get_if<ClassTarget>(&target)) {
    ClassSplits splits(classes->classes, classes->count);
    return TreeGrower(bins, options, std::move(splits), seed).Grow();
  }
  NumberSplits splits(std::get<NumberTarget>(target).numbers);
  return TreeGrower(bins, options, std::move(splits), seed).Grow();
}

}  // namespace

Result<Forest> GrowForest(MatrixView x, const ForestTarget& target, const ForestOptions& options,
                          const Progress& progress) {
  KILN_CHECK(x.rows > 0 && x.columns > 0 && options.tree_begin < options.tree_end);
  KILN_CHECK(options.leaf_rows_min > 0 && options.features_per_split > 0);
  const auto* classes = std::get_if<ClassTarget>(&target);
  KILN_CHECK(classes == nullptr || classes->count <= 1 << 16);
  KILN_TRY(const Bins bins,
           MakeBins(x, options.threads, {.report = {}, .cancelled = progress.cancelled}));
  std::vector<Forest> trees(options.tree_end - options.tree_begin);
  KILN_TRY_OK(RunParallel(options.threads, trees.size(), progress, [&](size_t i) {
    trees[i] = GrowTree(bins, target, options, options.tree_begin + i);
  }));
  Forest forest;
  const size_t width = classes == nullptr ? 1 : classes->count;
  for (Forest& tree : trees) {
    AppendTrees(forest, tree, width);
    tree = {};
  }
  return forest;
}

void AppendTrees(Forest& to, const Forest& from, size_t width) {
  const auto nodes = static_cast<uint32_t>(to.nodes.size());
  const auto leaves = static_cast<uint32_t>(to.leaves.size() / width);
  for (const uint32_t root : from.roots) to.roots.push_back(nodes + root);
  for (size_t i = 0; i < from.nodes.size(); ++i) {
    ForestNode node = from.nodes[i];
    if (node.left == i) node.leaf += leaves;
    node.left += nodes;
    to.nodes.push_back(node);
  }
  to.leaves.insert(to.leaves.end(), from.leaves.begin(), from.leaves.end());
}

}  // namespace kiln::executor

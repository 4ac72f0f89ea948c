// Grows random forests (Breiman 2001): each tree on a bootstrap sample, each split on a random
// choice of features.
#pragma once

#include <cstdint>
#include <span>
#include <variant>

#include "executor/kernels/model.h"
#include "executor/learning/bins.h"

namespace kiln::executor {

struct ForestOptions {
  uint64_t seed = 0;
  size_t tree_begin = 0;  // trees [tree_begin, tree_end) of the forest
  size_t tree_end = 0;
  size_t depth_max = 0;  // 0: no limit
  uint64_t leaf_rows_min = 1;
  size_t features_per_split = 1;
  int threads = 0;  // 0: one for each core
};

struct ClassTarget {
  std::span<const uint32_t> classes;  // of each row, below `count`
  size_t count = 0;                   // at most 65,536
};
struct NumberTarget {
  std::span<const double> numbers;  // of each row
};
using ForestTarget = std::variant<ClassTarget, NumberTarget>;

// A tree depends on the data, the options and its number alone: neither on the number of threads
// nor on what other trees are grown with it.
Result<Forest> GrowForest(MatrixView x, const ForestTarget& target, const ForestOptions& options,
                          const Progress& progress);

// Puts the trees of `from` behind those of `to`; both have the same width.
void AppendTrees(Forest& to, const Forest& from, size_t width);

}  // namespace kiln::executor

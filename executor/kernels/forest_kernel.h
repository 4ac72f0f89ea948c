// Sums of the trees' answers: what Predict does for a forest.
#pragma once

#include <span>

#include "executor/kernels/matrix.h"
#include "executor/kernels/model.h"

namespace kiln::executor {

// Adds to sums[row * width + i] the answers of all trees, tree by tree, so that the result is the
// same to the bit for any division into blocks. The forest has passed CheckModel with as many
// features as rows.columns.
void SumTrees(const Forest& forest, size_t width, MatrixView rows, std::span<float> sums);

// The definition of the above: one row, one tree, one step at a time.
void SumTreesScalar(const Forest& forest, size_t width, MatrixView rows, std::span<float> sums);

}  // namespace kiln::executor

// How alike two vectors are: for one query against many rows.
#pragma once

#include <span>

#include "executor/kernels/matrix.h"

namespace kiln::executor {

// The greater, the more alike: the dot product, the cosine of the angle (0 if either is zero), the
// distance with a minus.
enum class Metric { kDot, kCosine, kEuclidean };

// scores[i] for each row i. query.size() is rows.columns; scores.size() is rows.rows.
// The sums run over sixteen partial sums in a fixed order, so the result is the same to the bit on
// every processor and for any division into blocks.
void Similarities(Metric metric, std::span<const float> query, MatrixView rows,
                  std::span<float> scores);

// The definition of the above, without vector instructions.
void SimilaritiesScalar(Metric metric, std::span<const float> query, MatrixView rows,
                        std::span<float> scores);

}  // namespace kiln::executor

// Features as small integers, for fast split search.
#pragma once

#include <cstdint>
#include <vector>

#include "executor/kernels/matrix.h"
#include "executor/learning/progress.h"

namespace kiln::executor {

constexpr size_t kBinsMax = 255;

// Each column cut into at most kBinsMax bins: one a value where there are few values, else of about
// equally many rows.
struct Bins {
  size_t rows = 0;
  std::vector<uint8_t> bins;             // column-major
  std::vector<std::vector<float>> cuts;  // of each column, ascending: bin b holds (cut b-1, cut b]

  const uint8_t* Column(size_t column) const { return bins.data() + column * rows; }
  size_t Count(size_t column) const { return cuts[column].size() + 1; }
};

// The same for any number of threads. NaN falls into the first bin.
Result<Bins> MakeBins(MatrixView x, int threads, const Progress& progress);

}  // namespace kiln::executor

#include "executor/learning/bins.h"

#include <algorithm>
#include <cmath>

namespace kiln::executor {
namespace {

// Rows looked at to choose the cuts of a column.
constexpr size_t kSampleRows = 1 << 18;

// Between two neighbouring values: low <= cut < high.
float CutBetween(float low, float high) {
  const auto cut = static_cast<float>((static_cast<double>(low) + high) / 2);
  return cut >= low && cut < high ? cut : low;
}

std::vector<float> CutsOf(std::vector<float>& values) {
  std::sort(values.begin(), values.end());
  std::vector<size_t> starts;  // of each run of equal values but the first
  for (size_t i = 1; i < values.size(); ++i) {
    if (values[i] != values[i - 1]) starts.push_back(i);
  }
  std::vector<float> cuts;
  if (starts.size() < kBinsMax) {
    for (const size_t start : starts) cuts.push_back(CutBetween(values[start - 1], values[start]));
    return cuts;
  }
  for (size_t bin = 1; bin < kBinsMax; ++bin) {
    const size_t wanted = values.size() * bin / kBinsMax;
    const auto start = std::lower_bound(starts.begin(), starts.end(), wanted);
    if (start == starts.end()) break;
    const float cut = CutBetween(values[*start - 1], values[*start]);
    if (cuts.empty() || cut > cuts.back()) cuts.push_back(cut);
  }
  return cuts;
}

}  // namespace

Result<Bins> MakeBins(MatrixView x, int threads, const Progress& progress) {
  Bins bins;
  bins.rows = x.rows;
  bins.bins.resize(x.rows * x.columns);
  bins.cuts.resize(x.columns);
  const size_t stride = std::max<size_t>(1, x.rows / kSampleRows);
  KILN_TRY_OK(RunParallel(threads, x.columns, progress, [&](size_t column) {
    std::vector<float> sample;
    for (size_t row = 0; row < x.rows; row += stride) {
      const float value = x.data[row * x.columns + column];
      if (!std::isnan(value)) sample.push_back(value);
    }
    std::vector<float>& cuts = bins.cuts[column];
    cuts = CutsOf(sample);
    uint8_t* out = bins.bins.data() + column * x.rows;
    for (size_t row = 0; row < x.rows; ++row) {
      const float value = x.data[row * x.columns + column];
      const auto cut =
          std::isnan(value) ? cuts.begin() : std::lower_bound(cuts.begin(), cuts.end(), value);
      out[row] = static_cast<uint8_t>(cut - cuts.begin());
    }
  }));
  return bins;
}

}  // namespace kiln::executor

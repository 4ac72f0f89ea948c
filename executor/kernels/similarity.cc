#include "executor/kernels/similarity.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "executor/kernels/similarity.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kiln::executor {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kLanes = 16;
constexpr size_t kRowsAtOnce = 4;

// No fused multiply-add: it rounds once where other processors round twice.
struct Product {
  template <class V>
  static V Of(V a, V b) {
    return hn::Mul(a, b);
  }
};
struct SquaredDifference {
  template <class V>
  static V Of(V a, V b) {
    const V difference = hn::Sub(a, b);
    return hn::Mul(difference, difference);
  }
};

// kLanes partial sums, in as many vectors as they need.
using D = hn::CappedTag<float, kLanes>;
using V = hn::Vec<D>;
constexpr size_t kWidth = hn::MaxLanes(D());
constexpr size_t kVectors = kLanes / kWidth;

struct Sums {
  V at[kVectors];
};

template <class Op>
HWY_INLINE void AddStep(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, Sums& sums) {
  const D d;
  for (size_t k = 0; k < kVectors; ++k) {
    sums.at[k] =
        hn::Add(sums.at[k], Op::Of(hn::LoadU(d, a + k * kWidth), hn::LoadU(d, b + k * kWidth)));
  }
}

HWY_INLINE float Total(Sums& sums) {
  for (size_t half = kVectors / 2; half > 0; half /= 2) {
    for (size_t k = 0; k < half; ++k) sums.at[k] = hn::Add(sums.at[k], sums.at[k + half]);
  }
  HWY_ALIGN float lanes[kWidth];
  hn::Store(sums.at[0], D(), lanes);
  for (size_t half = kWidth / 2; half > 0; half /= 2) {
    for (size_t k = 0; k < half; ++k) lanes[k] += lanes[k + half];
  }
  return lanes[0];
}

// Sums of Op(query, row) for kCount neighbouring rows at once, which hides the latency of addition.
template <class Op, size_t kCount>
HWY_INLINE void SumRows(const float* HWY_RESTRICT query, const float* HWY_RESTRICT rows,
                        size_t columns, float* HWY_RESTRICT totals) {
  Sums sums[kCount];
  for (Sums& sum : sums) {
    for (V& v : sum.at) v = hn::Zero(D());
  }
  size_t i = 0;
  for (; i + kLanes <= columns; i += kLanes) {
    for (size_t r = 0; r < kCount; ++r) AddStep<Op>(query + i, rows + r * columns + i, sums[r]);
  }
  if (i < columns) {
    float tail[2][kLanes] = {};
    std::memcpy(tail[0], query + i, (columns - i) * sizeof(float));
    for (size_t r = 0; r < kCount; ++r) {
      std::memcpy(tail[1], rows + r * columns + i, (columns - i) * sizeof(float));
      AddStep<Op>(tail[0], tail[1], sums[r]);
    }
  }
  for (size_t r = 0; r < kCount; ++r) totals[r] = Total(sums[r]);
}

template <class Op>
void SumAllRows(const float* query, MatrixView rows, float* totals) {
  size_t row = 0;
  for (; row + kRowsAtOnce <= rows.rows; row += kRowsAtOnce) {
    SumRows<Op, kRowsAtOnce>(query, rows.Row(row).data(), rows.columns, totals + row);
  }
  for (; row < rows.rows; ++row) {
    SumRows<Op, 1>(query, rows.Row(row).data(), rows.columns, totals + row);
  }
}

void Products(const float* query, MatrixView rows, float* totals) {
  SumAllRows<Product>(query, rows, totals);
}

void SquaredDistances(const float* query, MatrixView rows, float* totals) {
  SumAllRows<SquaredDifference>(query, rows, totals);
}

void SquaredNorms(MatrixView rows, float* totals) {
  for (size_t row = 0; row < rows.rows; ++row) {
    const float* data = rows.Row(row).data();
    SumRows<Product, 1>(data, data, rows.columns, totals + row);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace kiln::executor
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::executor {
namespace {

HWY_EXPORT(Products);
HWY_EXPORT(SquaredDistances);
HWY_EXPORT(SquaredNorms);

constexpr size_t kBlockRows = 256;

struct SumKernels {
  void (*products)(const float* query, MatrixView rows, float* totals);
  void (*squared_distances)(const float* query, MatrixView rows, float* totals);
  void (*squared_norms)(MatrixView rows, float* totals);
};

template <class Op>
float SumScalar(std::span<const float> a, std::span<const float> b, Op op) {
  float lanes[16] = {};
  for (size_t i = 0; i < (a.size() + 15) / 16 * 16; ++i) {
    lanes[i % 16] += i < a.size() ? op(a[i], b[i]) : 0;
  }
  for (size_t half = 8; half > 0; half /= 2) {
    for (size_t k = 0; k < half; ++k) lanes[k] += lanes[k + half];
  }
  return lanes[0];
}

constexpr auto kProduct = [](float a, float b) { return a * b; };
constexpr auto kSquaredDifference = [](float a, float b) { return (a - b) * (a - b); };

const SumKernels kVectorSums = {
    [](const float* query, MatrixView rows, float* totals) {
      HWY_DYNAMIC_DISPATCH(Products)(query, rows, totals);
    },
    [](const float* query, MatrixView rows, float* totals) {
      HWY_DYNAMIC_DISPATCH(SquaredDistances)(query, rows, totals);
    },
    [](MatrixView rows, float* totals) { HWY_DYNAMIC_DISPATCH(SquaredNorms)
                                         (rows, totals); },
};

const SumKernels kScalarSums = {
    [](const float* query, MatrixView rows, float* totals) {
      for (size_t i = 0; i < rows.rows; ++i) {
        totals[i] = SumScalar({query, rows.columns}, rows.Row(i), kProduct);
      }
    },
    [](const float* query, MatrixView rows, float* totals) {
      for (size_t i = 0; i < rows.rows; ++i) {
        totals[i] = SumScalar({query, rows.columns}, rows.Row(i), kSquaredDifference);
      }
    },
    [](MatrixView rows, float* totals) {
      for (size_t i = 0; i < rows.rows; ++i) {
        totals[i] = SumScalar(rows.Row(i), rows.Row(i), kProduct);
      }
    },
};

void Score(const SumKernels& sums, Metric metric, std::span<const float> query, MatrixView rows,
           std::span<float> scores) {
  KILN_CHECK(query.size() == rows.columns && scores.size() == rows.rows);
  switch (metric) {
    case Metric::kDot:
      sums.products(query.data(), rows, scores.data());
      return;
    case Metric::kEuclidean:
      sums.squared_distances(query.data(), rows, scores.data());
      for (float& score : scores) score = -std::sqrt(score);
      return;
    case Metric::kCosine: {
      float query_norm = 0;
      sums.squared_norms({query.data(), 1, query.size()}, &query_norm);
      float norms[kBlockRows];
      for (size_t first = 0; first < rows.rows; first += kBlockRows) {
        const MatrixView block = rows.Rows(first, std::min(kBlockRows, rows.rows - first));
        sums.products(query.data(), block, scores.data() + first);
        sums.squared_norms(block, norms);
        for (size_t i = 0; i < block.rows; ++i) {
          float& score = scores[first + i];
          const float length = std::sqrt(query_norm) * std::sqrt(norms[i]);
          score = length > 0 ? score / length : 0;
        }
      }
      return;
    }
  }
}

}  // namespace

void Similarities(Metric metric, std::span<const float> query, MatrixView rows,
                  std::span<float> scores) {
  Score(kVectorSums, metric, query, rows, scores);
}

void SimilaritiesScalar(Metric metric, std::span<const float> query, MatrixView rows,
                        std::span<float> scores) {
  Score(kScalarSums, metric, query, rows, scores);
}

}  // namespace kiln::executor
#endif  // HWY_ONCE

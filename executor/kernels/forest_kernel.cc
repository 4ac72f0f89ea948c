#include "executor/kernels/forest_kernel.h"

#include <algorithm>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "executor/kernels/forest_kernel.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kiln::executor {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using DI = hn::RebindToSigned<DF>;
using VI = hn::Vec<DI>;

constexpr int kNodeWords = sizeof(ForestNode) / 4;
static_assert(sizeof(ForestNode) == 16);

// One step down the tree for a vector of rows. `base` is where each row's features begin in `rows`.
HWY_INLINE VI Step(const ForestNode* HWY_RESTRICT nodes, const float* HWY_RESTRICT rows, VI at,
                   VI base) {
  const DF df;
  const DI di;
  const VI word = hn::ShiftLeft<2>(at);
  static_assert(kNodeWords == 4);
  const auto threshold = hn::GatherIndex(df, &nodes->threshold, word);
  const VI feature = hn::GatherIndex(di, reinterpret_cast<const int32_t*>(&nodes->feature), word);
  const VI left = hn::GatherIndex(di, reinterpret_cast<const int32_t*>(&nodes->left), word);
  const auto value = hn::GatherIndex(df, rows, hn::Add(base, feature));
  // A true mask is -1.
  return hn::Sub(left, hn::VecFromMask(di, hn::RebindMask(di, hn::Gt(value, threshold))));
}

// The leaf nodes of two vectors of rows, side by side to hide the latency of the gathers.
HWY_INLINE void Descend(const ForestNode* HWY_RESTRICT nodes, const float* HWY_RESTRICT rows,
                        uint32_t root, size_t columns, int32_t* HWY_RESTRICT leaf_nodes) {
  const DI di;
  const size_t lanes = hn::Lanes(di);
  const VI stride = hn::Set(di, static_cast<int32_t>(columns));
  const VI base0 = hn::Mul(hn::Iota(di, 0), stride);
  const VI base1 = hn::Mul(hn::Iota(di, static_cast<int32_t>(lanes)), stride);
  VI at0 = hn::Set(di, static_cast<int32_t>(root));
  VI at1 = at0;
  while (true) {
    const VI next0 = Step(nodes, rows, at0, base0);
    const VI next1 = Step(nodes, rows, at1, base1);
    const bool arrived = hn::AllTrue(di, hn::And(hn::Eq(next0, at0), hn::Eq(next1, at1)));
    at0 = next0;
    at1 = next1;
    if (arrived) break;
  }
  hn::StoreU(at0, di, leaf_nodes);
  hn::StoreU(at1, di, leaf_nodes + lanes);
}

// Rows of a block go through one tree while its nodes are in the cache. Returns the number of rows
// done: a multiple of what Descend takes.
size_t SumTreesBlock(const Forest& forest, size_t width, MatrixView rows, float* sums) {
  const size_t group = 2 * hn::Lanes(DI());
  const size_t whole = rows.rows / group * group;
  int32_t leaf_nodes[2 * hn::MaxLanes(DI())];
  for (const uint32_t root : forest.roots) {
    for (size_t first = 0; first < whole; first += group) {
      Descend(forest.nodes.data(), rows.Row(first).data(), root, rows.columns, leaf_nodes);
      for (size_t i = 0; i < group; ++i) {
        const ForestNode& node = forest.nodes[static_cast<size_t>(leaf_nodes[i])];
        const float* leaf = forest.leaves.data() + node.leaf * width;
        float* sum = sums + (first + i) * width;
        for (size_t k = 0; k < width; ++k) sum[k] += leaf[k];
      }
    }
  }
  return whole;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace kiln::executor
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::executor {
namespace {

HWY_EXPORT(SumTreesBlock);

constexpr size_t kBlockRows = 64;

}  // namespace

void SumTrees(const Forest& forest, size_t width, MatrixView rows, std::span<float> sums) {
  for (size_t first = 0; first < rows.rows; first += kBlockRows) {
    const MatrixView block = rows.Rows(first, std::min(kBlockRows, rows.rows - first));
    const std::span<float> block_sums = sums.subspan(first * width, block.rows * width);
    const size_t done =
        HWY_DYNAMIC_DISPATCH(SumTreesBlock)(forest, width, block, block_sums.data());
    SumTreesScalar(forest, width, block.Rows(done, block.rows - done),
                   block_sums.subspan(done * width));
  }
}

void SumTreesScalar(const Forest& forest, size_t width, MatrixView rows, std::span<float> sums) {
  for (size_t row = 0; row < rows.rows; ++row) {
    const std::span<const float> features = rows.Row(row);
    for (const uint32_t root : forest.roots) {
      uint32_t at = root;
      while (forest.nodes[at].left != at) {
        const ForestNode& node = forest.nodes[at];
        at = node.left + (features[node.feature] > node.threshold ? 1 : 0);
      }
      const float* leaf = forest.leaves.data() + forest.nodes[at].leaf * width;
      for (size_t k = 0; k < width; ++k) sums[row * width + k] += leaf[k];
    }
  }
}

}  // namespace kiln::executor
#endif  // HWY_ONCE

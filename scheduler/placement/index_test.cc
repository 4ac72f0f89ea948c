#include "scheduler/placement/index.h"

#include <gtest/gtest.h>

#include <tuple>

#include "base/random.h"

namespace kiln::scheduler {
namespace {

// Few different values, so that there are many ties.
class Uneven : public Judge {
 public:
  double Value(const Shape& shape) const override { return shape.cpus_milli % 3000; }
};

Shape RandomNode(Random& random) {
  Shape shape{.cpus_milli = static_cast<int64_t>(1 + random.Below(16)) * 1000,
              .mem = GiB(static_cast<int64_t>(1 + random.Below(4)) * 16),
              .kind = static_cast<int16_t>(random.Below(3)),
              .devices = static_cast<int16_t>(random.Below(5))};
  for (int16_t i = 0; i < shape.devices; ++i) shape.free[static_cast<size_t>(i)] = kWhole;
  return shape;
}

Need RandomNeed(Random& random) {
  Need need{.cpus_milli = static_cast<int64_t>(random.Below(4)) * 1000,
            .mem = GiB(static_cast<int64_t>(random.Below(8)))};
  need.devices = static_cast<int>(random.Below(3));
  if (need.devices == 1 && random.Below(2) == 0) {
    need.milli = static_cast<int>(1 + random.Below(9)) * 100;
  }
  if (need.devices > 0 && random.Below(3) == 0) need.kinds = 1 + random.Below(7);
  return need;
}

using Rank = std::tuple<bool, double, double>;  // apart, score, tightness

Rank RankOf(const Judge& judge, const Shape& from, const Need& need, int device) {
  const Shape left = Without(from, need, device);
  return {need.devices > 0 || from.devices == 0, judge.Score(judge.Value(from), judge.Value(left)),
          Tightness(left)};
}

// The best rank there is, by a look at every device of every node.
std::optional<Rank> Scan(const Judge& judge, const ClusterIndex& index, const Need& need) {
  std::optional<Rank> best;
  for (int node = 0; node < index.Size(); ++node) {
    const Shape& shape = index.At(node);
    if (!Fits(need, shape)) continue;
    for (int device = 0; device < (need.IsShare() ? shape.devices : 1); ++device) {
      if (need.IsShare() && shape.free[static_cast<size_t>(device)] < need.milli) break;
      const Rank rank = RankOf(judge, shape, need, device);
      if (!best || rank > *best) best = rank;
    }
  }
  return best;
}

TEST(ClusterIndex, ChoosesWhatALookAtEveryNodeWouldChoose) {
  const Uneven judge;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    ClusterIndex index(judge);
    std::vector<Shape> empty;
    std::vector<Need> needs;
    for (int i = 0; i < 30; ++i) {
      empty.push_back(RandomNode(random));
      index.Add(empty.back());
    }
    for (int i = 0; i < 10; ++i) needs.push_back(RandomNeed(random));
    int refused = 0;
    for (int step = 0; step < 6000; ++step) {  // enough for several compactions
      const Need& need = needs[random.Below(needs.size())];
      const auto choice = index.Best(need);
      const auto expected = Scan(judge, index, need);
      ASSERT_EQ(choice.has_value(), expected.has_value()) << "seed " << seed << " step " << step;
      if (!choice) {
        ++refused;
        const auto node = random.Below(empty.size());
        index.Set(static_cast<int>(node), empty[node]);
        continue;
      }
      const Shape& chosen = index.At(choice->node);
      ASSERT_EQ(RankOf(judge, chosen, need, choice->device), *expected);
      for (int node = 0; node < choice->node; ++node) ASSERT_NE(index.At(node), chosen);
      index.Take(need, *choice);
    }
    EXPECT_GT(refused, 0);
  }
}

}  // namespace
}  // namespace kiln::scheduler

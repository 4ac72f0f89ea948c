// The best split of a tree node by one feature.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace kiln::executor {

// Rows with bins up to `low` go left, those from `high` on go right; the node has none between.
struct Split {
  double score = 0;  // the greater, the better; comparable between features of one node
  size_t low = 0;
  size_t high = 0;
};

// One feature at one node.
struct SplitQuestion {
  const uint8_t* bins = nullptr;  // of each row of the data
  size_t bin_count = 0;
  std::span<const uint32_t> rows;  // of the node
  uint64_t rows_min = 1;           // on each side, counted with weights
};

// Both kinds have the same members, used by the tree grower: Enter a node, then ask Best for
// several features, then perhaps AppendLeaf. `weights` says how often each row of the data counts.
// Threads: one at a time; one for each tree.

// Classes by Gini impurity.
class ClassSplits {
 public:
  ClassSplits(std::span<const uint32_t> classes, size_t class_count)
      : classes_(classes), left_(class_count), total_(class_count) {}

  size_t width() const { return total_.size(); }
  void Enter(std::span<const uint32_t> rows, std::span<const uint32_t> weights);
  bool Pure() const { return pure_; }
  uint64_t count() const { return count_; }
  std::optional<Split> Best(const SplitQuestion& question);
  void AppendLeaf(std::vector<float>& leaves) const;

 private:
  void CountBins(const SplitQuestion& question);
  void SortRows(const SplitQuestion& question);
  void StartScan();
  void MoveLeft(size_t label, int64_t weight);
  void Offer(const SplitQuestion& question, size_t low, size_t high, std::optional<Split>& best);

  std::span<const uint32_t> classes_;
  std::span<const uint32_t> weights_;
  std::vector<int64_t> left_;   // weight of each class to the left of the scan
  std::vector<int64_t> total_;  // and in the node
  uint64_t count_ = 0;
  bool pure_ = false;
  // Sums of squares of the weights, kept up to date while rows move to the left.
  int64_t left_count_ = 0, left_squares_ = 0, right_squares_ = 0, total_squares_ = 0;
  std::vector<uint32_t> histogram_;  // bin-major
  std::vector<uint64_t> sorted_;     // bin, class, weight packed
};

// Numbers by squared error.
class NumberSplits {
 public:
  explicit NumberSplits(std::span<const double> numbers) : numbers_(numbers) {}

  size_t width() const { return 1; }
  void Enter(std::span<const uint32_t> rows, std::span<const uint32_t> weights);
  bool Pure() const { return pure_; }
  uint64_t count() const { return count_; }
  std::optional<Split> Best(const SplitQuestion& question);
  void AppendLeaf(std::vector<float>& leaves) const;

 private:
  // The rows of one bin.
  struct Cell {
    size_t bin = 0;
    double sum = 0;  // of the numbers less the node's mean
    uint64_t count = 0;
  };

  void CountBins(const SplitQuestion& question);
  void SortRows(const SplitQuestion& question);
  static void Add(Cell& cell, double number, uint32_t weight) {
    cell.sum += number * weight;
    cell.count += weight;
  }

  std::span<const double> numbers_;
  std::span<const uint32_t> weights_;
  double mean_ = 0;  // of the node: sums are taken around it, to lose fewer digits
  uint64_t count_ = 0;
  bool pure_ = false;
  std::vector<Cell> cells_;       // of the bins that the node has, ascending
  std::vector<uint64_t> sorted_;  // bin and row packed
};

}  // namespace kiln::executor

#include "executor/learning/splits.h"

#include <algorithm>

namespace kiln::executor {

void ClassSplits::Enter(std::span<const uint32_t> rows, std::span<const uint32_t> weights) {
  weights_ = weights;
  std::fill(total_.begin(), total_.end(), 0);
  for (const uint32_t row : rows) total_[classes_[row]] += weights[row];
  count_ = 0;
  total_squares_ = 0;
  for (const int64_t weight : total_) {
    count_ += static_cast<uint64_t>(weight);
    total_squares_ += weight * weight;
  }
  const auto count = static_cast<int64_t>(count_);
  pure_ = total_squares_ == count * count;
}

void ClassSplits::StartScan() {
  std::fill(left_.begin(), left_.end(), 0);
  left_count_ = left_squares_ = 0;
  right_squares_ = total_squares_;
}

void ClassSplits::MoveLeft(size_t label, int64_t weight) {
  const int64_t right = total_[label] - left_[label];
  left_squares_ += weight * (2 * left_[label] + weight);
  right_squares_ -= weight * (2 * right - weight);
  left_[label] += weight;
  left_count_ += weight;
}

void ClassSplits::Offer(const SplitQuestion& question, size_t low, size_t high,
                        std::optional<Split>& best) {
  const auto count = static_cast<int64_t>(count_);
  const auto rows_min = static_cast<int64_t>(question.rows_min);
  const int64_t right_count = count - left_count_;
  if (left_count_ < rows_min || right_count < rows_min) return;
  const double score = static_cast<double>(left_squares_) / static_cast<double>(left_count_) +
                       static_cast<double>(right_squares_) / static_cast<double>(right_count);
  if (!best || score > best->score) best = Split{score, low, high};
}

// A histogram costs its size, sorting costs the rows times their logarithm.
std::optional<Split> ClassSplits::Best(const SplitQuestion& question) {
  StartScan();
  std::optional<Split> best;
  size_t low = 0;
  const size_t width = total_.size();
  if (question.rows.size() * 4 < question.bin_count * width) {
    SortRows(question);
    low = sorted_.front() >> 48;
    for (const uint64_t packed : sorted_) {
      const size_t bin = packed >> 48;
      if (bin != low) Offer(question, low, bin, best);
      low = bin;
      MoveLeft(packed >> 32 & 0xffff, static_cast<int64_t>(packed & 0xffffffff));
    }
    return best;
  }
  CountBins(question);
  for (size_t bin = 0; bin < question.bin_count; ++bin) {
    const uint32_t* counts = histogram_.data() + bin * width;
    if (std::all_of(counts, counts + width, [](uint32_t count) { return count == 0; })) continue;
    if (left_count_ > 0) Offer(question, low, bin, best);
    low = bin;
    for (size_t label = 0; label < width; ++label) {
      if (counts[label] > 0) MoveLeft(label, counts[label]);
    }
  }
  return best;
}

void ClassSplits::CountBins(const SplitQuestion& question) {
  const size_t width = total_.size();
  histogram_.assign(question.bin_count * width, 0);
  for (const uint32_t row : question.rows) {
    histogram_[question.bins[row] * width + classes_[row]] += weights_[row];
  }
}

void ClassSplits::SortRows(const SplitQuestion& question) {
  sorted_.clear();
  for (const uint32_t row : question.rows) {
    sorted_.push_back(uint64_t{question.bins[row]} << 48 | uint64_t{classes_[row]} << 32 |
                      weights_[row]);
  }
  std::sort(sorted_.begin(), sorted_.end());
}

void ClassSplits::AppendLeaf(std::vector<float>& leaves) const {
  for (const int64_t weight : total_) {
    leaves.push_back(static_cast<float>(static_cast<double>(weight) / static_cast<double>(count_)));
  }
}

void NumberSplits::Enter(std::span<const uint32_t> rows, std::span<const uint32_t> weights) {
  weights_ = weights;
  double sum = 0;
  count_ = 0;
  pure_ = true;
  for (const uint32_t row : rows) {
    sum += numbers_[row] * weights[row];
    count_ += weights[row];
    pure_ = pure_ && numbers_[row] == numbers_[rows[0]];
  }
  mean_ = sum / static_cast<double>(count_);
}

void NumberSplits::CountBins(const SplitQuestion& question) {
  cells_.assign(question.bin_count, {});
  for (const uint32_t row : question.rows) {
    Add(cells_[question.bins[row]], numbers_[row] - mean_, weights_[row]);
  }
  for (size_t bin = 0; bin < cells_.size(); ++bin) cells_[bin].bin = bin;
  std::erase_if(cells_, [](const Cell& cell) { return cell.count == 0; });
}

void NumberSplits::SortRows(const SplitQuestion& question) {
  sorted_.clear();
  for (const uint32_t row : question.rows) {
    sorted_.push_back(uint64_t{question.bins[row]} << 32 | row);
  }
  std::sort(sorted_.begin(), sorted_.end());
  cells_.clear();
  for (const uint64_t packed : sorted_) {
    const size_t bin = packed >> 32;
    const auto row = static_cast<uint32_t>(packed);
    if (cells_.empty() || cells_.back().bin != bin) cells_.push_back({.bin = bin});
    Add(cells_.back(), numbers_[row] - mean_, weights_[row]);
  }
}

std::optional<Split> NumberSplits::Best(const SplitQuestion& question) {
  if (question.rows.size() * 4 < question.bin_count) {
    SortRows(question);
  } else {
    CountBins(question);
  }
  double total = 0;
  for (const Cell& cell : cells_) total += cell.sum;
  std::optional<Split> best;
  Cell left;
  for (const Cell& cell : cells_) {
    const uint64_t right_count = count_ - left.count;
    if (left.count >= question.rows_min && right_count >= question.rows_min) {
      const double right_sum = total - left.sum;
      const double score = left.sum * left.sum / static_cast<double>(left.count) +
                           right_sum * right_sum / static_cast<double>(right_count);
      if (!best || score > best->score) best = Split{score, left.bin, cell.bin};
    }
    left = {cell.bin, left.sum + cell.sum, left.count + cell.count};
  }
  return best;
}

void NumberSplits::AppendLeaf(std::vector<float>& leaves) const {
  leaves.push_back(static_cast<float>(mean_));
}

}  // namespace kiln::executor

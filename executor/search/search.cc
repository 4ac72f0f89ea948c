#include "executor/search/search.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace kiln::executor {
namespace {

// Scores are computed for so many rows before they are looked at: both stay in the cache.
constexpr size_t kBlockRows = 1024;

bool Better(float score, int64_t row, const Hit& than) {
  return score > than.score || (score == than.score && row < than.row);
}

bool BetterHit(const Hit& a, const Hit& b) { return Better(a.score, a.row, b); }

bool ByKey(const SearchOptions& options) {
  return options.aggregate != Aggregate::kNone && options.rows_per_key > 0;
}

// The hits of one key, the best first.
Answer AggregateOf(const std::vector<const Hit*>& hits, Aggregate aggregate) {
  Answer answer{hits.front()->row, 0, hits.front()->key, static_cast<int64_t>(hits.size())};
  double sum = 0;
  for (const Hit* hit : hits) sum += hit->score;
  switch (aggregate) {
    case Aggregate::kNone:
    case Aggregate::kMax:
      answer.score = hits.front()->score;
      break;
    case Aggregate::kMean:
      answer.score = sum / static_cast<double>(hits.size());
      break;
    case Aggregate::kSum:
      answer.score = sum;
      break;
    case Aggregate::kCount:
      answer.score = static_cast<double>(hits.size());
      break;
  }
  return answer;
}

}  // namespace

bool TopHits::Wants(float score, int64_t row) const {
  if (std::isnan(score)) return false;
  return heap_.size() < limit_ || Better(score, row, heap_.front());
}

void TopHits::Add(Hit hit) {
  if (!Wants(hit.score, hit.row)) return;
  if (heap_.size() == limit_) {
    std::pop_heap(heap_.begin(), heap_.end(), BetterHit);
    heap_.pop_back();
  }
  heap_.push_back(std::move(hit));
  std::push_heap(heap_.begin(), heap_.end(), BetterHit);
}

std::vector<Hit> TopHits::Take() {
  std::sort(heap_.begin(), heap_.end(), BetterHit);
  return std::move(heap_);
}

Result<Searcher> Searcher::Create(std::vector<float> query, const SearchOptions& options) {
  if (options.top == 0) return FailField("top", "top is 0, expected 1 or more");
  if (query.empty()) return FailField("query", "the query is empty, expected numbers");
  for (size_t i = 0; i < query.size(); ++i) {
    if (std::isfinite(query[i])) continue;
    return FailField("query", "number {} of the query is {}, expected a finite one", i + 1,
                     query[i]);
  }
  return Searcher(std::move(query), options);
}

void Searcher::Add(MatrixView rows, std::span<const int64_t> row_numbers,
                   std::span<const std::string> keys) {
  KILN_CHECK(rows.columns == query_.size() && row_numbers.size() == rows.rows);
  KILN_CHECK(keys.empty() || keys.size() == rows.rows);
  const auto key_of = [&](size_t i) { return keys.empty() ? std::string() : keys[i]; };
  for (size_t first = 0; first < rows.rows; first += kBlockRows) {
    const MatrixView block = rows.Rows(first, std::min(kBlockRows, rows.rows - first));
    scores_.resize(block.rows);
    Similarities(options_.metric, query_, block, scores_);
    for (size_t i = 0; i < block.rows; ++i) {
      const size_t at = first + i;
      TopHits& best =
          ByKey(options_)
              ? best_of_key_.try_emplace(key_of(at), options_.rows_per_key).first->second
              : best_;
      if (best.Wants(scores_[i], row_numbers[at])) {
        best.Add({row_numbers[at], scores_[i], key_of(at)});
      }
    }
  }
}

std::vector<Hit> Searcher::Finish() {
  if (!ByKey(options_)) return best_.Take();
  std::vector<Hit> hits;
  for (auto& [key, best] : best_of_key_) {
    std::vector<Hit> taken = best.Take();
    std::move(taken.begin(), taken.end(), std::back_inserter(hits));
  }
  std::sort(hits.begin(), hits.end(), BetterHit);
  return hits;
}

std::vector<Hit> MergeHits(const std::vector<std::vector<Hit>>& parts,
                           const SearchOptions& options) {
  std::vector<Hit> all;
  for (const std::vector<Hit>& part : parts) all.insert(all.end(), part.begin(), part.end());
  std::sort(all.begin(), all.end(), BetterHit);
  if (!ByKey(options)) {
    all.resize(std::min(all.size(), options.top));
    return all;
  }
  std::unordered_map<std::string, size_t> kept;
  std::erase_if(all, [&](const Hit& hit) { return ++kept[hit.key] > options.rows_per_key; });
  return all;
}

std::vector<Answer> Rank(const std::vector<Hit>& hits, const SearchOptions& options) {
  std::vector<Hit> sorted = hits;
  std::sort(sorted.begin(), sorted.end(), BetterHit);
  // Keys in the order of their best rows, so that equal scores stay in that order.
  std::vector<std::vector<const Hit*>> groups;
  std::unordered_map<std::string_view, size_t> group_of_key;
  for (const Hit& hit : sorted) {
    const bool alone = options.aggregate == Aggregate::kNone;
    const size_t group =
        alone ? groups.size() : group_of_key.try_emplace(hit.key, groups.size()).first->second;
    if (group == groups.size()) groups.emplace_back();
    groups[group].push_back(&hit);
  }
  std::vector<Answer> answers;
  for (const auto& group : groups) answers.push_back(AggregateOf(group, options.aggregate));
  std::stable_sort(answers.begin(), answers.end(),
                   [](const Answer& a, const Answer& b) { return a.score > b.score; });
  answers.resize(std::min(answers.size(), options.top));
  return answers;
}

}  // namespace kiln::executor

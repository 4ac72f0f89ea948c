// The rows most like a query, or the keys whose rows are: exact, over any number of parts.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "executor/kernels/matrix.h"
#include "executor/kernels/similarity.h"

namespace kiln::executor {

// How the scores of a key's rows become the score of the key. kNone: rows are answers themselves.
enum class Aggregate { kNone, kMax, kMean, kSum, kCount };

struct SearchOptions {
  Metric metric = Metric::kDot;
  Aggregate aggregate = Aggregate::kNone;
  size_t top = 10;          // answers wanted, at least 1
  size_t rows_per_key = 0;  // best rows of each key that are aggregated; 0: the `top` best overall
};

// A row and how much it is like the query; the greater the score, the better.
struct Hit {
  int64_t row = 0;
  float score = 0;
  std::string key;

  bool operator==(const Hit&) const = default;
};

struct Answer {
  int64_t row = 0;  // the best one of the key
  double score = 0;
  std::string key;
  int64_t rows = 0;  // aggregated

  bool operator==(const Answer&) const = default;
};

// The best hits among those offered; of equals those with the smaller row number.
class TopHits {
 public:
  explicit TopHits(size_t limit) : limit_(limit) {}

  // Whether a hit with this score and row would be kept.
  bool Wants(float score, int64_t row) const;
  void Add(Hit hit);
  std::vector<Hit> Take();  // the best first

 private:
  size_t limit_;
  std::vector<Hit> heap_;  // the worst at the front
};

// Looks through rows for one query. What it has found at the end can be merged with what others
// found in other rows.
// Threads: one at a time. Memory: the hits kept, never the rows.
class Searcher {
 public:
  // kInvalidArgument for top of 0 or a query with no or infinite numbers.
  static Result<Searcher> Create(std::vector<float> query, const SearchOptions& options);

  // rows.columns is the size of the query; keys is empty or has one for each row. Rows whose score
  // is not a number are left out.
  void Add(MatrixView rows, std::span<const int64_t> row_numbers,
           std::span<const std::string> keys);
  // The `top` best rows, or the `rows_per_key` best of each key; the best first.
  std::vector<Hit> Finish();

 private:
  Searcher(std::vector<float> query, const SearchOptions& options)
      : query_(std::move(query)), options_(options), best_(options.top) {}

  std::vector<float> query_;
  SearchOptions options_;
  TopHits best_;
  std::unordered_map<std::string, TopHits> best_of_key_;
  std::vector<float> scores_;
};

// What one Searcher would have found in all the rows of these parts.
std::vector<Hit> MergeHits(const std::vector<std::vector<Hit>>& parts,
                           const SearchOptions& options);

// At most `top` answers, the best first. Of equal scores the one with the better best row goes
// first, then the one with the smaller row number.
std::vector<Answer> Rank(const std::vector<Hit>& hits, const SearchOptions& options);

}  // namespace kiln::executor

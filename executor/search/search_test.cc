#include "executor/search/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "base/random.h"

namespace kiln::executor {

void PrintTo(const Hit& hit, std::ostream* out) {
  *out << "{" << hit.row << ", " << hit.score << ", " << hit.key << "}";
}
void PrintTo(const Answer& answer, std::ostream* out) {
  *out << "{" << answer.row << ", " << answer.score << ", " << answer.key << ", " << answer.rows
       << "}";
}

namespace {

struct Data {
  std::vector<float> values;
  std::vector<int64_t> rows;
  std::vector<std::string> keys;
};

// Small whole numbers, so that many scores are equal.
Data RandomData(size_t count, size_t columns) {
  Random random(9);
  Data data;
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < columns; ++j) {
      data.values.push_back(static_cast<float>(random.Below(5)) - 2);
    }
    data.rows.push_back(static_cast<int64_t>(i));
    data.keys.push_back("k" + std::to_string(random.Below(30)));
  }
  return data;
}

std::vector<Hit> Find(const Data& data, size_t first, size_t count, std::vector<float> query,
                      const SearchOptions& options) {
  Searcher searcher = Searcher::Create(query, options).value();
  const MatrixView all = {data.values.data(), data.rows.size(), query.size()};
  searcher.Add(all.Rows(first, count), std::span(data.rows).subspan(first, count),
               std::span(data.keys).subspan(first, count));
  return searcher.Finish();
}

const Data kPoints = {{1, 0, 2, 0, 0, 3, -1, 0, 4, 0}, {0, 1, 2, 3, 4}, {"a", "b", "a", "a", "b"}};

TEST(SearchTest, FindsTheBestRowsOfEachMetric) {
  const auto find = [](Metric metric) {
    return Find(kPoints, 0, 5, {1, 0}, {.metric = metric, .top = 2});
  };
  EXPECT_EQ(find(Metric::kDot), (std::vector<Hit>{{4, 4, "b"}, {1, 2, "b"}}));
  EXPECT_EQ(find(Metric::kCosine), (std::vector<Hit>{{0, 1, "a"}, {1, 1, "b"}}));
  EXPECT_EQ(find(Metric::kEuclidean), (std::vector<Hit>{{0, 0, "a"}, {1, -1, "b"}}));
}

TEST(SearchTest, AggregatesTheBestRowsOfEachKey) {
  // Dot products: a has 1, 0, -1; b has 4, 2.
  const auto rank = [](Aggregate aggregate, size_t rows_per_key, size_t top) {
    const SearchOptions options = {
        .aggregate = aggregate, .top = top, .rows_per_key = rows_per_key};
    return Rank(Find(kPoints, 0, 5, {1, 0}, options), options);
  };
  using Answers = std::vector<Answer>;
  EXPECT_EQ(rank(Aggregate::kMax, 2, 9), (Answers{{4, 4, "b", 2}, {0, 1, "a", 2}}));
  EXPECT_EQ(rank(Aggregate::kMean, 3, 9), (Answers{{4, 3, "b", 2}, {0, 0, "a", 3}}));
  EXPECT_EQ(rank(Aggregate::kSum, 2, 9), (Answers{{4, 6, "b", 2}, {0, 1, "a", 2}}));
  EXPECT_EQ(rank(Aggregate::kCount, 9, 9), (Answers{{0, 3, "a", 3}, {4, 2, "b", 2}}));
  EXPECT_EQ(rank(Aggregate::kCount, 1, 9), (Answers{{4, 1, "b", 1}, {0, 1, "a", 1}}));
  EXPECT_EQ(rank(Aggregate::kSum, 1, 1), (Answers{{4, 4, "b", 1}}));
  // Without rows_per_key the three best rows are aggregated: 4, 2 and 1.
  EXPECT_EQ(rank(Aggregate::kCount, 0, 3), (Answers{{4, 2, "b", 2}, {0, 1, "a", 1}}));
  EXPECT_EQ(rank(Aggregate::kNone, 0, 2), (Answers{{4, 4, "b", 1}, {1, 2, "b", 1}}));
}

TEST(SearchTest, MergedPartsAreTheWholeExactly) {
  const Data data = RandomData(3000, 7);
  const std::vector<float> query = {1, -1, 2, 0, 1, 1, -2};
  for (const Metric metric : {Metric::kDot, Metric::kCosine, Metric::kEuclidean}) {
    for (const Aggregate aggregate : {Aggregate::kNone, Aggregate::kMean, Aggregate::kCount}) {
      for (const size_t rows_per_key : {0, 1, 5}) {
        const SearchOptions options = {metric, aggregate, 20, rows_per_key};
        const std::vector<Hit> whole = Find(data, 0, 3000, query, options);
        std::vector<std::vector<Hit>> parts;
        const size_t cuts[] = {0, 1, 1, 999, 2500, 3000};
        for (size_t i = 0; i + 1 < std::size(cuts); ++i) {
          parts.push_back(Find(data, cuts[i], cuts[i + 1] - cuts[i], query, options));
        }
        std::reverse(parts.begin(), parts.end());
        EXPECT_EQ(MergeHits(parts, options), whole);
      }
    }
  }
}

TEST(SearchTest, AgreesWithSortingAllRows) {
  const Data data = RandomData(3000, 7);
  const std::vector<float> query = {1, -1, 2, 0, 1, 1, -2};
  std::vector<float> scores(3000);
  SimilaritiesScalar(Metric::kCosine, query, {data.values.data(), 3000, 7}, scores);
  std::vector<Hit> all;
  for (size_t i = 0; i < 3000; ++i) all.push_back({data.rows[i], scores[i], data.keys[i]});
  std::stable_sort(all.begin(), all.end(),
                   [](const Hit& a, const Hit& b) { return a.score > b.score; });
  all.resize(100);
  EXPECT_EQ(Find(data, 0, 3000, query, {.metric = Metric::kCosine, .top = 100}), all);
}

TEST(SearchTest, BadQueriesAreRefused) {
  EXPECT_EQ(Searcher::Create({}, {}).error().message, "the query is empty, expected numbers");
  EXPECT_EQ(Searcher::Create({1}, {.top = 0}).error().message, "top is 0, expected 1 or more");
  EXPECT_EQ(Searcher::Create({1, std::numeric_limits<float>::infinity()}, {}).error().message,
            "number 2 of the query is inf, expected a finite one");
}

}  // namespace
}  // namespace kiln::executor

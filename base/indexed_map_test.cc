#include "base/indexed_map.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"

namespace kiln {
namespace {

using Entries = std::vector<std::pair<std::string, int>>;

TEST(IndexedMap, IsAMap) {
  Random random(1);
  IndexedMap<std::string, int> map;
  std::map<std::string, int> same;
  for (int step = 0; step < 2000; ++step) {
    const std::string key = std::to_string(random.Below(200));
    if (random.Below(3) == 0) {
      const auto entry = map.find(key);
      ASSERT_EQ(entry == map.end(), !same.contains(key));
      if (entry != map.end()) map.erase(entry);
      same.erase(key);
    } else {
      map[key] = same[key] = step;
    }
  }
  EXPECT_EQ(map.size(), same.size());
  EXPECT_EQ(Entries(map.begin(), map.end()), Entries(same.begin(), same.end()));
  const IndexedMap<std::string, int> copy = map;
  for (auto& [key, value] : map) value = -1;
  EXPECT_EQ(Entries(copy.begin(), copy.end()), Entries(same.begin(), same.end()));
  for (const auto& [key, value] : same) EXPECT_EQ(copy.find(key)->second, value);
}

}  // namespace
}  // namespace kiln

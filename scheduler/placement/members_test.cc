#include "scheduler/placement/members.h"

#include <gmock/gmock.h>

#include <set>

#include "base/random.h"

namespace kiln::scheduler {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

MemberSet SetOf(const std::vector<int>& indices) {
  MemberSet set;
  for (const int index : indices) set.Insert(index);
  return set;
}

std::vector<int> Indices(const MemberRange& range) { return {range.begin(), range.end()}; }

TEST(MemberSet, IsAsAnOrderedSetUnderRandomChanges) {
  Random random(7);
  MemberSet set;
  std::set<int> expected;
  for (int step = 0; step < 5'000; ++step) {
    const int index = static_cast<int>(random.Below(300));
    if (random.Below(2) == 0) {
      EXPECT_EQ(set.Insert(index), expected.insert(index).second);
    } else {
      EXPECT_EQ(set.Erase(index), expected.erase(index) == 1);
    }
    EXPECT_EQ(set.Contains(index), expected.contains(index));
    if (step % 50 == 0) {
      EXPECT_THAT(Indices(MemberRange(set)), ElementsAreArray(expected));
    }
  }
}

TEST(MemberRange, OfNothingIsEmpty) {
  const MemberSet none;
  EXPECT_THAT(Indices(MemberRange()), IsEmpty());
  EXPECT_THAT(Indices(MemberRange(none)), IsEmpty());
  EXPECT_THAT(Indices(MemberRange(SetOf({5})).Part(1, 0)), IsEmpty());
}

TEST(MemberRange, PartsFollowEachOther) {
  const MemberSet set = SetOf({3, 64, 65, 127, 128, 1000});
  const MemberRange all(set);
  EXPECT_THAT(Indices(all.Part(0, 2)), ElementsAre(3, 64));
  EXPECT_THAT(Indices(all.Part(2, 4)), ElementsAre(65, 127, 128, 1000));
  EXPECT_THAT(Indices(all.Part(2, 4).Part(1, 2)), ElementsAre(127, 128));
}

TEST(MemberRange, WithoutASetItIsTheFirstOfAGroup) {
  EXPECT_THAT(Indices(MemberRange::First(3)), ElementsAre(0, 1, 2));
  EXPECT_THAT(Indices(MemberRange::First(5).Part(2, 2)), ElementsAre(2, 3));
}

}  // namespace
}  // namespace kiln::scheduler

#include "wire/net/crowd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kiln::net {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Crowd, TheLongestWaitingOfTheHostWithTheMostGoesFirst) {
  const Guest guests[] = {{"a", false, 5}, {"b", false, 1}, {"b", false, 2},
                          {"a", false, 3}, {"a", false, 4}, {"c", false, 0}};
  EXPECT_THAT(WhoMakesRoom(guests, 1), ElementsAre(3));
  EXPECT_THAT(WhoMakesRoom(guests, 2), testing::UnorderedElementsAre(3, 1));
  EXPECT_THAT(WhoMakesRoom(guests, 0), IsEmpty());
}

TEST(Crowd, WhoIsServedGoesLast) {
  const Guest guests[] = {{"a", true, 1}, {"a", false, 9}, {"a", true, 2}, {"a", false, 8}};
  EXPECT_THAT(WhoMakesRoom(guests, 9), ElementsAre(3, 1, 0));
}

TEST(Crowd, NoHostIsLeftWithNone) {
  const Guest guests[] = {{"a", false, 1}, {"b", false, 2}};
  EXPECT_THAT(WhoMakesRoom(guests, 2), IsEmpty());
}

TEST(Crowd, TheOthersHoldNoMoreThanTheyMay) {
  const Guest guests[] = {
      {"a", false, 0, 10}, {"a", true, 0, 500}, {"b", true, 0, 90}, {"b", false, 0, 300}};
  EXPECT_THAT(WhoHoldsTooMuch(guests, 900), IsEmpty());
  EXPECT_THAT(WhoHoldsTooMuch(guests, 400), ElementsAre(1));
  EXPECT_THAT(WhoHoldsTooMuch(guests, 100), ElementsAre(1, 3));
  EXPECT_THAT(WhoHoldsTooMuch(guests, 0), ElementsAre(1, 3, 2, 0));
}

}  // namespace
}  // namespace kiln::net

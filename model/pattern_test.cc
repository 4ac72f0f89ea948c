#include "model/pattern.h"

#include <gtest/gtest.h>

namespace kiln {
namespace {

TEST(Pattern, NoneCanHurtWhoeverMatchesIt) {
  EXPECT_TRUE(std::regex_match("rack-7", *CompilePattern("rack-[0-9]+")));
  EXPECT_FALSE(CompilePattern("["));
  EXPECT_FALSE(CompilePattern("(a)\\1"));
  EXPECT_FALSE(CompilePattern("((a{1000}){1000}){1000}"));
  EXPECT_FALSE(CompilePattern(std::string(10'000, '(') + std::string(10'000, ')')));
  EXPECT_FALSE(std::regex_match(std::string(500, 'a'), *CompilePattern("(a|a)*(a|a)*b")));
}

}  // namespace
}  // namespace kiln

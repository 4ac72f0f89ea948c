#include "base/utf8.h"

#include <gtest/gtest.h>

namespace kiln {
namespace {

TEST(Utf8, ABadByteBecomesTheReplacementCharacter) {
  struct Case {
    std::string bytes;
    std::string text;
  };
  const Case cases[] = {
      {"", ""},
      {"plain", "plain"},
      {"M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80",
       "M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80"},
      {"M\xfcller", "M\xef\xbf\xbdller"},
      {"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"},
      {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"long \xc0\xaf", "long \xef\xbf\xbd\xef\xbf\xbd"},
      {"surrogate \xed\xa0\x80", "surrogate \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"beyond \xf4\x90\x80\x80", "beyond \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {std::string("nul \0 stays", 11), std::string("nul \0 stays", 11)},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(ToUtf8(c.bytes), c.text);
    EXPECT_EQ(Utf8Length(c.bytes) == c.bytes.size(), c.bytes == c.text) << c.text;
    EXPECT_EQ(Utf8Length(c.text), c.text.size());
  }
}

}  // namespace
}  // namespace kiln

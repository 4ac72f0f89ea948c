#include "wire/net/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kiln::net {
namespace {

TEST(HeadersTest, NamesCompareWithoutCaseAndKeepTheirOwn) {
  Headers headers{{"Content-Type", "a"}, {"X-One", ""}};
  headers.Add("x-one", "second");
  EXPECT_EQ(headers.Get("content-TYPE"), "a");
  EXPECT_EQ(headers.Get("X-ONE"), "");
  EXPECT_EQ(headers.Get("X-Two"), std::nullopt);
  headers.Set("X-ONE", "only");
  EXPECT_EQ(headers, (Headers{{"Content-Type", "a"}, {"X-ONE", "only"}}));
}

TEST(RequestTest, PathAndQueryAreDecoded) {
  Request request;
  request.target = "/a%20b/c%2Fd?x=1&na%6De=two+words%21&flag&x=2";
  EXPECT_EQ(request.Path(), "/a b/c/d");
  EXPECT_EQ(request.Query("x"), "1");
  EXPECT_EQ(request.Query("name"), "two words!");
  EXPECT_EQ(request.Query("flag"), "");
  EXPECT_EQ(request.Query("none"), std::nullopt);
}

TEST(UrlTest, TextsThatAreUrls) {
  struct Case {
    std::string text, host;
    int port;
    std::string target;
  };
  for (const Case& c : {
           Case{"http://a:5050/x?y=1", "a", 5050, "/x?y=1"},
           {"http://a", "a", 80, "/"},
           {"a:81", "a", 81, "/"},
           {"HTTP://a/", "a", 80, "/"},
           {"//b:5051/c", "b", 5051, "/c"},
           {"http://[::1]:9/z", "::1", 9, "/z"},
           {"http://a?q=1", "a", 80, "/?q=1"},
           {"http://a/b#part", "a", 80, "/b"},
           {"a/http://b", "a", 80, "/http://b"},
       }) {
    auto url = ParseUrl(c.text);
    ASSERT_TRUE(url.has_value()) << c.text << ": " << url.error().message;
    EXPECT_EQ(std::tie(url->host, url->port, url->target), std::tie(c.host, c.port, c.target))
        << c.text;
  }
  EXPECT_EQ(ParseUrl("http://[::1]:9")->Authority(), "[::1]:9");
  EXPECT_EQ(ParseUrl("http://a")->Origin(), "http://a:80");
  EXPECT_EQ(ParseUrl("HTTPS://a/b")->Origin(), "https://a:443");
}

TEST(UrlTest, TextsThatAreNot) {
  EXPECT_EQ(ParseUrl("ftp://a").error().message,
            "url 'ftp://a': found scheme 'ftp', expected http or https");
  EXPECT_EQ(ParseUrl("a:65536").error().message, "port: found '65536', expected 0 to 65535");
  EXPECT_EQ(ParseUrl("a:x").error().message, "port: found 'x', expected 0 to 65535");
  EXPECT_EQ(ParseUrl("http://me:secret@a:1/b").error().message,
            "address: found a user in it, expected none");
  EXPECT_EQ(ParseUrl("").error().message, "address: found '', expected host");
  EXPECT_EQ(ParseUrl("http://[::1").error().message, "host: found '[::1', expected a ']'");
  EXPECT_EQ(ParseHostPort("a").error().message, "address: found 'a', expected host:port");
  EXPECT_EQ(ParseHostPort("a:0")->port, 0);
}

TEST(EncodingTest, PercentCodesRoundAndLeaveBrokenEscapes) {
  EXPECT_EQ(PercentEncode("a/b c%ä"), "a/b%20c%25%C3%A4");
  EXPECT_EQ(PercentEncodePart("a/b/c"), "a%2Fb%2Fc");
  EXPECT_EQ(JsonString("\"M\xfcller\n"), "\"\\\"M\xef\xbf\xbdller\\u000a\"");
  EXPECT_EQ(PercentDecode("a/b%20c%25%c3%A4"), "a/b c%ä");
  EXPECT_EQ(PercentDecode("%zz%4"), "%zz%4");
}

TEST(EncodingTest, Base64IsThatOfTheRfc) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
      {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"}};
  for (auto [bytes, text] : kCases) {
    EXPECT_EQ(Base64Encode(bytes), text);
    EXPECT_EQ(Base64Decode(text), bytes);
  }
  for (const char* wrong : {"Z", "Zg=", "Z===", "Zg==Zg==", "Zm9*"}) {
    EXPECT_EQ(Base64Decode(wrong), std::nullopt) << wrong;
  }
}

TEST(GzipTest, RoundTripAndLimits) {
  std::string text(100'000, 'x');
  std::string packed = GzipCompress(text);
  EXPECT_LT(packed.size(), 1000u);
  EXPECT_EQ(GzipUncompress(packed, text.size()), text);
  EXPECT_EQ(GzipUncompress(packed + packed, 2 * text.size()), text + text);
  EXPECT_EQ(GzipUncompress(packed, text.size() - 1).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(GzipUncompress(packed.substr(0, packed.size() - 9), text.size()).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(GzipUncompress("no gzip", 100).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(GzipUncompress(GzipCompress(""), 0), "");
}

TEST(ErrorResponseTest, IsOneJsonShape) {
  Response response =
      ErrorResponse({ErrorCode::kInvalidArgument, "cpus: \"x\"\n", "groups[0].cpus"});
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body,
            "{\"error\":{\"code\":\"INVALID_ARGUMENT\",\"message\":\"cpus: \\\"x\\\"\\u000a\","
            "\"field\":\"groups[0].cpus\"}}");
}

}  // namespace
}  // namespace kiln::net

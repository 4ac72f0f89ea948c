#include "wire/net/parser.h"

#include <gtest/gtest.h>

namespace kiln::net {
namespace {

struct Heard final : MessageEvents {
  std::string body;

  Status OnHead(MessageHead) override { return {}; }
  Status OnBody(std::string_view piece) override {
    body += piece;
    return {};
  }
};

// The body of a message that comes a byte at a time.
Result<std::string> BodyOf(MessageParser::Kind kind, std::string_view bytes) {
  Heard heard;
  const auto parser = MessageParser::Make(kind, heard, 1000);
  size_t taken = 0;
  for (size_t end = 1; end <= bytes.size() && !parser->Done(); ++end) {
    KILN_TRY(const size_t count, parser->Put(bytes.substr(taken, end - taken)));
    taken += count;
  }
  EXPECT_TRUE(parser->Done()) << bytes;
  EXPECT_EQ(taken, bytes.size()) << bytes;
  return heard.body;
}

TEST(ParserTest, BodiesMayComeAByteAtATime) {
  const std::string heads[] = {"POST / HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n"};
  const std::pair<std::string, std::string> bodies[] = {
      {"Content-Length: 2\r\n\r\nab", "ab"},
      {"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""},
      {"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", "abc"},
      {"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: x\r\n\r\n", "a"},
  };
  using Kind = MessageParser::Kind;
  for (const auto& [rest, body] : bodies) {
    EXPECT_EQ(BodyOf(Kind::kRequest, heads[0] + rest).value(), body) << rest;
    EXPECT_EQ(BodyOf(Kind::kAnswer, heads[1] + rest).value(), body) << rest;
  }
}

TEST(ParserTest, WhatHasComeOfAChunkIsToldWhereverItWasCut) {
  const std::string begun = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na";
  for (size_t cut = 1; cut < begun.size(); ++cut) {
    Heard heard;
    const auto parser = MessageParser::Make(MessageParser::Kind::kRequest, heard, 1000);
    const size_t taken = parser->Put(begun.substr(0, cut)).value();
    EXPECT_EQ(parser->Put(begun.substr(taken)).value(), begun.size() - taken) << cut;
    EXPECT_EQ(heard.body, "a") << cut;
    EXPECT_FALSE(parser->Done()) << cut;
  }
}

}  // namespace
}  // namespace kiln::net

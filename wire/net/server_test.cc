// The server under a raw socket: what it takes, what it sends, byte for byte.
#include "wire/net/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <regex>

#include "wire/net/loop.h"

namespace kiln::net {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::StartsWith;
using Exchanges = std::vector<std::shared_ptr<Exchange>>;
constexpr auto kLong = std::chrono::seconds(20);

// A client socket whose answers are read on the loop, so that server and client share one thread.
class RawClient {
 public:
  RawClient(Loop& loop, int port) : loop_(loop), fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    KILN_EXPECT(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    watch_ = loop.WatchReadable(fd_, [this] { Read(); });
  }
  ~RawClient() { Close(); }
  void Close() {
    watch_.Reset();
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  void EndSending() { shutdown(fd_, SHUT_WR); }
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0 && errno == EAGAIN) {
        loop_.RunFor(milliseconds(1));
        continue;
      }
      if (count < 0) return;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
  }
  // Runs the loop until `text` has come; gives all that came up to its end, and forgets it.
  std::string ReadTo(std::string_view text) {
    Run([&] { return in_.find(text) != std::string::npos || ended_; });
    size_t end = std::min(in_.size(), in_.find(text) + text.size());
    std::string out = in_.substr(0, end);
    in_.erase(0, end);
    return out;
  }
  std::string ReadToEnd() {
    Run([&] { return ended_; });
    EXPECT_TRUE(ended_) << "the connection is still open";
    return std::exchange(in_, "");
  }
  bool Ended() const { return ended_; }
  void StopReading() { watch_.Reset(); }
  void Run(const std::function<bool()>& done) {
    auto end = std::chrono::steady_clock::now() + kLong;
    while (!done() && std::chrono::steady_clock::now() < end) loop_.RunFor(milliseconds(1));
  }

 private:
  static void KILN_EXPECT(bool value) { EXPECT_TRUE(value); }
  void Read() {
    char piece[1 << 16];
    ssize_t count = recv(fd_, piece, sizeof(piece), MSG_DONTWAIT);
    if (count > 0) {
      in_.append(piece, static_cast<size_t>(count));
    } else {
      ended_ = true;
      watch_.Reset();
    }
  }

  Loop& loop_;
  int fd_;
  Handle watch_;
  std::string in_;
  bool ended_ = false;
};

// The Date line differs from run to run.
std::string WithoutDate(const std::string& text) {
  static const std::regex kDate(
      "Date: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \\d\\d [A-Z][a-z]{2} \\d{4} \\d\\d:\\d\\d:\\d\\d "
      "GMT\r\n");
  return std::regex_replace(text, kDate, "");
}

class ServerTest : public testing::Test {
 protected:
  void Listen(ServerOptions options, Handler handler) {
    auto server = Server::Listen(loop_, std::move(options), std::move(handler));
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = *std::move(server);
  }
  // Keeps every exchange for the test to answer.
  void ListenAndKeep(ServerOptions options = {}) {
    Listen(std::move(options), [this](std::shared_ptr<Exchange> e) { kept_.push_back(e); });
  }
  void WaitFor(size_t count) {
    auto end = std::chrono::steady_clock::now() + kLong;
    while (kept_.size() < count && std::chrono::steady_clock::now() < end) {
      loop_.RunFor(milliseconds(1));
    }
    ASSERT_EQ(kept_.size(), count);
  }

  Loop loop_;
  Exchanges kept_;
  std::unique_ptr<Server> server_;
};

void Echo(std::shared_ptr<Exchange> e) {
  e->Respond({200, {{"X-Case", "Kept"}}, e->request().method + " " + e->request().body});
}

TEST_F(ServerTest, AnswersCarryDateLinesAndLengthInThatOrder) {
  Listen({}, Echo);
  RawClient client(loop_, server_->port());
  client.Send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  std::string answer = client.ReadTo("POST abc");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\nDate: "));
  EXPECT_EQ(WithoutDate(answer),
            "HTTP/1.1 200 OK\r\nX-Case: Kept\r\nContent-Length: 8\r\n\r\nPOST abc");
}

TEST_F(ServerTest, HeadHasTheLengthAndNoBody) {
  Listen({}, Echo);
  RawClient client(loop_, server_->port());
  client.Send(
      "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(WithoutDate(client.ReadToEnd()),
            "HTTP/1.1 200 OK\r\nX-Case: Kept\r\nContent-Length: 5\r\n\r\n"
            "HTTP/1.1 200 OK\r\nX-Case: Kept\r\nContent-Length: 4\r\n\r\nGET ");
}

TEST_F(ServerTest, ARequestMayComeByteByByteAndChunked) {
  Listen({}, Echo);
  RawClient client(loop_, server_->port());
  std::string request =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\na;x=y\r\n0123456789\r\n"
      "0\r\nTrailer: t\r\n\r\n";
  for (char c : request) {
    client.Send({&c, 1});
    loop_.RunFor(milliseconds(1));
  }
  EXPECT_THAT(client.ReadTo("0123456789"), HasSubstr("POST abc0123456789"));
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInTheirOrder) {
  ListenAndKeep();
  RawClient client(loop_, server_->port());
  std::string requests;
  for (int i = 0; i < 100; ++i) requests += fmt::format("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", i);
  client.Send(requests);
  WaitFor(64);  // no more are taken before some are answered
  for (size_t i = 64; i-- > 0;) kept_[i]->Respond({200, {}, kept_[i]->request().target + ";"});
  WaitFor(100);
  for (size_t i = 100; i-- > 64;) kept_[i]->Respond({200, {}, kept_[i]->request().target + ";"});
  std::string all = client.ReadTo("/99;");
  size_t at = 0;
  for (int i = 0; i < 100; ++i) {
    at = all.find(fmt::format("\r\n\r\n/{};", i), at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

TEST_F(ServerTest, AStreamIsOneChunkAWriteAndEndsWithTheLastChunk) {
  ListenAndKeep();
  RawClient client(loop_, server_->port());
  client.Send("GET /s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  WaitFor(1);
  kept_[0]->BeginStream({200, {{"Transfer-Encoding", "chunked"}, {"Content-Type", "t"}}, {}});
  kept_[0]->Write("20\n{\"type\":\"HEARTBEAT\"}");
  EXPECT_EQ(WithoutDate(client.ReadTo("}\r\n")),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: t\r\n\r\n"
            "17\r\n20\n{\"type\":\"HEARTBEAT\"}\r\n");
  loop_.RunFor(milliseconds(5));
  EXPECT_FALSE(client.Ended());  // Connection: close waits for the end of the stream
  kept_[0]->EndStream();
  EXPECT_EQ(client.ReadToEnd(), "0\r\n\r\n");
}

TEST_F(ServerTest, RequestsBehindAStreamWaitForItsEnd) {
  ListenAndKeep();
  RawClient client(loop_, server_->port());
  client.Send("GET /s HTTP/1.1\r\nHost: a\r\n\r\n");
  WaitFor(1);
  kept_[0]->BeginStream({});
  client.Send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  loop_.RunFor(milliseconds(10));
  EXPECT_EQ(kept_.size(), 1u);
  kept_[0]->EndStream();
  WaitFor(2);
  kept_[1]->Respond({200, {}, "next"});
  EXPECT_THAT(client.ReadTo("next"), HasSubstr("0\r\n\r\nHTTP/1.1 200 OK"));
}

TEST_F(ServerTest, AnswersInsideStreamsStandBetweenTwoChunks) {
  ServerOptions options;
  options.answer_inside_streams = true;
  ListenAndKeep(options);
  RawClient client(loop_, server_->port());
  client.Send("POST /s HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  WaitFor(1);
  kept_[0]->BeginStream({});
  kept_[0]->Write("one");
  client.ReadTo("one\r\n");
  client.Send("POST /a HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\n\r\n");
  WaitFor(3);
  kept_[2]->Respond({202, {}, {}});
  kept_[0]->Write("two");
  kept_[1]->Respond({403, {}, "no"});
  kept_[0]->Write("end");
  EXPECT_EQ(WithoutDate(client.ReadTo("end\r\n")),
            "3\r\ntwo\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
            "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n3\r\nend\r\n");
}

TEST_F(ServerTest, AStreamThatIsDroppedOrAbortedCutsTheConnection) {
  ListenAndKeep();
  RawClient client(loop_, server_->port());
  client.Send("GET /s HTTP/1.1\r\nHost: a\r\n\r\n");
  WaitFor(1);
  kept_[0]->BeginStream({});
  kept_[0]->Write("one");
  client.ReadTo("one\r\n");
  kept_.clear();
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(ServerTest, ARequestDroppedWithoutAnAnswerGives500) {
  Listen({}, [](std::shared_ptr<Exchange>) {});
  RawClient client(loop_, server_->port());
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadTo("}}"), StartsWith("HTTP/1.1 500 Internal Server Error"));
}

TEST_F(ServerTest, ABodyBeyondTheLimitIsRefusedBeforeItComes) {
  ServerOptions options;
  options.body_limit = 10;
  Listen(options, Echo);
  const std::pair<std::string, std::string> kCases[] = {
      {"Content-Length: 11\r\n\r\n", "11"},
      {"Transfer-Encoding: chunked\r\n\r\nb\r\n0123456789a", "more than 10"},
  };
  for (const auto& [rest, found] : kCases) {
    RawClient client(loop_, server_->port());
    client.Send("POST / HTTP/1.1\r\nHost: a\r\n" + rest);
    std::string body = R"({"error":{"code":"RESOURCE_EXHAUSTED","message":"request body: found )" +
                       found + R"( bytes, expected at most 10"}})";
    EXPECT_EQ(WithoutDate(client.ReadToEnd()),
              fmt::format("HTTP/1.1 413 Payload Too Large\r\nContent-Type: application/json\r\n"
                          "Connection: close\r\nContent-Length: {}\r\n\r\n{}",
                          body.size(), body));
  }
  RawClient client(loop_, server_->port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789");
  EXPECT_THAT(client.ReadTo("0123456789"), StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(ServerTest, ARefusalComesBeforeTheBodyAndTheSink) {
  int sinks = 0;
  ServerOptions options;
  options.refusal = [](const Request& head) -> std::optional<Response> {
    if (head.headers.Has("Authorization")) return std::nullopt;
    return Response{401, {{"WWW-Authenticate", "Bearer"}}, "who?"};
  };
  options.sink = [&](const Request&) -> Result<std::unique_ptr<BodySink>> {
    ++sinks;
    return nullptr;
  };
  Listen(options, [](std::shared_ptr<Exchange> e) { e->Respond({200, {}, "in;"}); });
  RawClient client(loop_, server_->port());
  client.Send(
      "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
  const std::string answer = client.ReadToEnd();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 401 Unauthorized"));
  EXPECT_THAT(answer, HasSubstr("WWW-Authenticate: Bearer"));
  EXPECT_EQ(sinks, 0);
  RawClient second(loop_, server_->port());
  second.Send("GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n");
  EXPECT_THAT(second.ReadTo("in;"), StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(ServerTest, ASinkTakesTheBodyPieceByPiece) {
  std::string taken;
  ServerOptions options;
  options.body_limit = 10;
  options.sink = [&](const Request& head) -> Result<std::unique_ptr<BodySink>> {
    if (head.target == "/memory") return nullptr;
    if (head.target == "/refused") return Fail(ErrorCode::kNotFound, "no such folder");
    return std::make_unique<BodySink>(BodySink{[&](std::string_view piece) -> Status {
      if (piece.find('!') != std::string_view::npos) return Fail(ErrorCode::kConflict, "taken");
      taken += piece;
      return {};
    }});
  };
  Listen(options, [](std::shared_ptr<Exchange> e) {
    e->Respond({200, {}, fmt::format("{} {};", e->sink() != nullptr, e->request().body.size())});
  });
  RawClient client(loop_, server_->port());
  client.Send("PUT /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" +
              std::string(1'000'000, 'x'));
  EXPECT_THAT(client.ReadTo(";"), HasSubstr("true 0;"));
  EXPECT_EQ(taken, std::string(1'000'000, 'x'));
  client.Send("PUT /memory HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
  EXPECT_THAT(client.ReadTo(";"), HasSubstr("false 2;"));
  client.Send("PUT /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n!");
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 409 Conflict"));
  RawClient second(loop_, server_->port());
  second.Send("PUT /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n");
  EXPECT_THAT(second.ReadToEnd(), StartsWith("HTTP/1.1 404 Not Found"));
}

TEST_F(ServerTest, ExpectContinueIsAnsweredOnlyWhereStreamsAreNotInterrupted) {
  Listen({}, Echo);
  RawClient client(loop_, server_->port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
  EXPECT_EQ(client.ReadTo("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("x");
  EXPECT_THAT(client.ReadTo("POST x"), StartsWith("HTTP/1.1 200"));
  ServerOptions options;
  options.answer_inside_streams = true;
  Listen(options, Echo);
  RawClient second(loop_, server_->port());
  second.Send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_THAT(second.ReadTo("POST x"), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, WhatIsNoHttpIsRefusedAndClosesTheConnection) {
  for (const bool silent : {false, true}) {
    ServerOptions options;
    options.answer_inside_streams = silent;
    ListenAndKeep(options);
    for (const char* bytes :
         {"hello\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n", "GET /\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx",
          "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"}) {
      RawClient client(loop_, server_->port());
      client.Send(bytes);
      const std::string answer = client.ReadToEnd();
      if (silent) {
        EXPECT_EQ(answer, "") << bytes;
      } else {
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << bytes;
        EXPECT_THAT(answer, HasSubstr("bytes are no HTTP: ")) << bytes;
      }
    }
    EXPECT_TRUE(kept_.empty());
  }
  // What was asked for before is still answered.
  RawClient client(loop_, server_->port());
  client.Send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  WaitFor(1);
  client.Send("junk\r\n\r\n");
  loop_.RunFor(milliseconds(10));
  kept_[0]->Respond({200, {}, "answer"});
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("answer"));
}

// What a proxy in front takes for a body must not be taken for a request.
TEST_F(ServerTest, ABodyInAnotherCodingIsRefused) {
  Listen({}, Echo);
  for (const char* coding : {"gzip", "identity", "xchunked", "gzip, chunked", "chunked, gzip",
                             "chunked\r\nTransfer-Encoding: chunked"}) {
    RawClient client(loop_, server_->port());
    client.Send(
        fmt::format("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {}\r\n\r\n"
                    "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n",
                    coding));
    const std::string answer = client.ReadToEnd();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << coding;
    EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << coding;
  }
}

TEST_F(ServerTest, ARequestNamesItsHostOnce) {
  Listen({}, Echo);
  for (const char* bytes :
       {"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"}) {
    RawClient client(loop_, server_->port());
    client.Send(bytes);
    const std::string answer = client.ReadToEnd();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << bytes;
    EXPECT_THAT(answer, HasSubstr("expected one")) << bytes;
  }
  RawClient old(loop_, server_->port());
  old.Send("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(old.ReadToEnd(), StartsWith("HTTP/1.1 200 ")) << "and no 100 before it";
}

TEST_F(ServerTest, ATargetIsAPathOrAUrl) {
  Listen({}, [](std::shared_ptr<Exchange> e) { e->Respond({200, {}, e->request().target + ";"}); });
  const auto ask = [&](const std::string& target) {
    RawClient client(loop_, server_->port());
    client.Send("GET " + target + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string answer = client.ReadToEnd();
    return answer.substr(9, 3) + " " + answer.substr(answer.find("\r\n\r\n") + 4);
  };
  EXPECT_EQ(ask("/a?b"), "200 /a?b;");
  EXPECT_EQ(ask("http://k:8080/a?b"), "200 /a?b;");
  EXPECT_EQ(ask("http://k:8080"), "200 /;");
  EXPECT_EQ(ask("*"), "200 *;");
  EXPECT_THAT(ask("a"), HasSubstr("400 "));
  EXPECT_THAT(ask("k:80"), HasSubstr("target is k:80: expected a path or a URL"));
  EXPECT_THAT(ask("/" + std::string(100'000, 'a')), StartsWith("414 "));
}

TEST_F(ServerTest, AnEmptyLineBeforeARequestIsIgnored) {
  Listen({}, Echo);
  RawClient client(loop_, server_->port());
  client.Send("\r");
  loop_.RunFor(milliseconds(10));
  client.Send("\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\n");
  EXPECT_THAT(client.ReadTo("POST x"), StartsWith("HTTP/1.1 200 "));
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadTo("GET "), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, TheStreamThatHeadAsksForEndsWithItsHead) {
  ListenAndKeep();
  RawClient client(loop_, server_->port());
  client.Send("HEAD /s HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  WaitFor(2);
  kept_[0]->BeginStream({200, {}, "body"});
  kept_[0]->Write("more");
  kept_[1]->Respond({200, {}, "answer"});
  EXPECT_EQ(WithoutDate(client.ReadTo("answer")),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer");
}

TEST_F(ServerTest, HeaderLinesBeyondTheLimitAreRefusedHoweverTheyCome) {
  ServerOptions options;
  options.header_limit = 20'000;
  Listen(options, Echo);
  struct Case {
    int lines;
    size_t size;
    bool pieces;
    const char* status;
  };
  for (const Case& c : {Case{900, 10, true, "200"},
                        {2000, 2, true, "431"},
                        {150, 200, true, "431"},
                        {150, 200, false, "431"}}) {
    RawClient client(loop_, server_->port());
    client.Send("GET / HTTP/1.1\r\nHost: a\r\n");
    std::string lines;
    for (int i = 0; i < c.lines && !client.Ended(); ++i) {
      lines += "a:" + std::string(c.size, 'b') + "\r\n";
      if (!c.pieces || i % 10 != 0) continue;
      client.Send(std::exchange(lines, ""));
      loop_.RunFor(milliseconds(1));
    }
    if (!client.Ended()) client.Send(lines + "Connection: close\r\n\r\n");
    EXPECT_THAT(client.ReadToEnd(), StartsWith(fmt::format("HTTP/1.1 {} ", c.status))) << c.lines;
  }
}

TEST_F(ServerTest, HeaderLinesBeyondTheLimitAreRefused) {
  ServerOptions options;
  options.header_limit = 1000;
  Listen(options, Echo);
  RawClient client(loop_, server_->port());
  client.Send("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(2000, 'x') + "\r\n\r\n");
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 431 "));
}

TEST_F(ServerTest, OnCloseTellsOfTheEndOfThePeer) {
  ListenAndKeep();
  for (bool half : {false, true}) {
    RawClient client(loop_, server_->port());
    client.Send("GET /s HTTP/1.1\r\nHost: a\r\n\r\n");
    kept_.clear();
    WaitFor(1);
    int closed = 0;
    kept_[0]->BeginStream({});
    kept_[0]->OnClose([&] { ++closed; });
    kept_[0]->Write("x");
    client.ReadTo("x\r\n");
    if (half) {
      client.EndSending();
    } else {
      client.Close();
    }
    client.Run([&] { return closed > 0; });
    kept_[0]->Write("to nobody");
    kept_[0]->EndStream();
    loop_.RunFor(milliseconds(5));
    EXPECT_EQ(closed, 1);
    EXPECT_EQ(kept_[0]->Unsent(), 0u);
  }
}

TEST_F(ServerTest, OnCloseComesAlsoBehindTheEndOfAStream) {
  ListenAndKeep();
  RawClient client(loop_, server_->port());
  client.Send("GET /s HTTP/1.1\r\nHost: a\r\n\r\n");
  WaitFor(1);
  int closed = 0;
  kept_[0]->BeginStream({});
  kept_[0]->OnClose([&] { ++closed; });
  kept_[0]->EndStream();
  client.ReadTo("0\r\n\r\n");
  EXPECT_EQ(closed, 0);
  client.Close();
  client.Run([&] { return closed > 0; });
  EXPECT_EQ(closed, 1);
}

TEST_F(ServerTest, AClientThatHasEndedSendingStillGetsItsAnswer) {
  ListenAndKeep();
  RawClient client(loop_, server_->port());
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.EndSending();
  WaitFor(1);
  loop_.RunFor(milliseconds(5));
  kept_[0]->Respond({200, {}, "late"});
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("late"));
}

TEST_F(ServerTest, ASlowReaderShowsInUnsent) {
  ListenAndKeep();
  RawClient client(loop_, server_->port());
  client.Send("GET /s HTTP/1.1\r\nHost: a\r\n\r\n");
  WaitFor(1);
  kept_[0]->BeginStream({});
  std::string piece(1 << 20, 'x');
  for (int i = 0; i < 24; ++i) kept_[0]->Write(piece);
  EXPECT_GT(kept_[0]->Unsent(), size_t{8} << 20);
  kept_[0]->Write("the end");
  client.ReadTo("the end");
  EXPECT_EQ(kept_[0]->Unsent(), 0u);
}

TEST_F(ServerTest, IdleAndSlowClientsAreCutOff) {
  ServerOptions options;
  options.idle_timeout = milliseconds(40);
  ListenAndKeep(options);
  RawClient silent(loop_, server_->port());
  RawClient slow(loop_, server_->port());
  RawClient waiting(loop_, server_->port());
  slow.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Le");
  waiting.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(silent.ReadToEnd(), "");
  EXPECT_EQ(slow.ReadToEnd(), "");
  ASSERT_EQ(kept_.size(), 1u);
  loop_.RunFor(milliseconds(60));
  EXPECT_FALSE(waiting.Ended());  // it waits for the handler
  kept_[0]->Respond({200, {}, "x"});
  EXPECT_THAT(waiting.ReadToEnd(), HasSubstr("200 OK"));
}

TEST_F(ServerTest, AHeadThatComesSlowlyIsCutOffSoonerThanAConnectionThatWaits) {
  ServerOptions options;
  options.idle_timeout = std::chrono::seconds(60);
  options.head_timeout = milliseconds(30);
  Listen(options, [](auto exchange) { exchange->Respond({200, {}, "x"}); });
  RawClient waits(loop_, server_->port()), slow(loop_, server_->port()),
      silent(loop_, server_->port());
  waits.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  waits.ReadTo("x");
  slow.Send("GET / HTTP/1.1\r\nHost: a\r\nA: ");
  EXPECT_EQ(slow.ReadToEnd(), "");
  EXPECT_EQ(silent.ReadToEnd(), "");
  EXPECT_FALSE(waits.Ended());
}

TEST_F(ServerTest, WhereThereIsNoRoomTheLongestWaitingGoes) {
  ServerOptions options;
  options.connections_max = 2;
  Listen(options, [](auto exchange) { exchange->Respond({200, {}, "x"}); });
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<RawClient>(loop_, server_->port()));
    clients.back()->Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    clients.back()->ReadTo("x");
  }
  EXPECT_EQ(clients[0]->ReadToEnd(), "");
  EXPECT_FALSE(clients[1]->Ended());
  EXPECT_FALSE(clients[2]->Ended());
}

TEST_F(ServerTest, WhoHoldsTheMostMemoryGoes) {
  ServerOptions options;
  options.memory_max = 1 << 20;
  ListenAndKeep(options);
  RawClient large(loop_, server_->port()), small(loop_, server_->port());
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n";
  small.Send(head + std::string(1000, 's'));
  large.Send(head + std::string(2 << 20, 'l'));
  large.ReadToEnd();
  EXPECT_TRUE(large.Ended());
  EXPECT_FALSE(small.Ended());
}

TEST_F(ServerTest, WhatWaitsBehindAnotherAnswerIsHeldToo) {
  ServerOptions options;
  options.memory_max = 1 << 20;
  Listen(options, [this](std::shared_ptr<Exchange> e) {
    if (e->request().target == "/first") return kept_.push_back(e);
    e->Respond({200, {}, std::string(size_t{2} << 20, 'x')});
  });
  RawClient client(loop_, server_->port());
  client.Send("GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.ReadToEnd();
}

TEST_F(ServerTest, AWriterIsToldWhenAllIsTaken) {
  std::shared_ptr<Exchange> stream;
  int pieces = 0;
  Listen({}, [&](std::shared_ptr<Exchange> exchange) {
    stream = exchange;
    stream->BeginStream({200, {}, ""});
    stream->OnTaken([&] {
      EXPECT_EQ(stream->Unsent(), 0U);
      if (++pieces < 4) stream->Write(std::string(1 << 20, static_cast<char>('0' + pieces)));
    });
  });
  RawClient client(loop_, server_->port());
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadTo("3333\r\n"), HasSubstr("2222\r\n"));
  client.Run([&] { return pieces == 4; });
  EXPECT_EQ(pieces, 4);
  stream.reset();
}

TEST_F(ServerTest, AFileIsSentByPiecesAndByRanges) {
  std::string path = testing::TempDir() + "kiln_net_file_" + std::to_string(getpid());
  std::string bytes;
  for (int i = 0; i < 400'000; ++i) bytes += std::to_string(i) + ",";
  std::ofstream(path) << bytes;
  Listen({}, [&](std::shared_ptr<Exchange> e) {
    if (e->request().target == "/none") return e->RespondFile({}, path + ".none", 0, 5);
    uint64_t offset = std::stoull(*e->request().Query("offset"));
    e->RespondFile({206, {}, {}}, path, offset, std::stoull(*e->request().Query("length")));
  });
  auto get = [&](const std::string& method, const std::string& target) {
    RawClient client(loop_, server_->port());
    client.Send(method + " " + target + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    std::string all = client.ReadToEnd();
    return all.substr(all.find("\r\n\r\n") + 4);
  };
  EXPECT_EQ(get("GET", fmt::format("/?offset=0&length={}", bytes.size())), bytes);
  EXPECT_EQ(get("GET", "/?offset=100&length=1000"), bytes.substr(100, 1000));
  EXPECT_EQ(get("HEAD", "/?offset=100&length=1000"), "");
  EXPECT_EQ(get("GET", fmt::format("/?offset={}&length=10", bytes.size() - 5)),
            bytes.substr(bytes.size() - 5));  // cut where the file ends
  EXPECT_THAT(get("GET", "/none"), HasSubstr("NOT_FOUND"));
  unlink(path.c_str());
}

TEST_F(ServerTest, AConnectionHasOneFileOpenAtATime) {
  const std::string path = testing::TempDir() + "kiln_net_files_" + std::to_string(getpid());
  std::ofstream(path) << "x";
  constexpr uint64_t kSize = 64 << 20;
  ASSERT_EQ(truncate(path.c_str(), kSize), 0);
  int opened = 0;
  Listen({}, [&](std::shared_ptr<Exchange> e) {
    ++opened;
    e->RespondFile({}, path, 0, kSize);
  });
  RawClient client(loop_, server_->port());
  client.StopReading();
  for (int i = 0; i < 8; ++i) client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.Run([&] { return opened > 0; });
  loop_.RunFor(milliseconds(20));
  EXPECT_EQ(opened, 1);
  unlink(path.c_str());
}

TEST_F(ServerTest, ATakenAddressIsUnavailable) {
  ListenAndKeep();
  ServerOptions options;
  options.port = server_->port();
  auto second = Server::Listen(loop_, options, Echo);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(
      second.error(),
      (Error{ErrorCode::kUnavailable,
             fmt::format("cannot listen on 127.0.0.1:{}: address already in use", server_->port()),
             {}}));
}

TEST_F(ServerTest, AHandlerMayDropTheServer) {
  Listen({}, [this](std::shared_ptr<Exchange> e) {
    server_.reset();
    e->Respond({200, {}, "to nobody"});
  });
  RawClient client(loop_, server_->port());
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(ServerTest, CloseConnectionsCutsAllAndKeepsListening) {
  ListenAndKeep();
  RawClient client(loop_, server_->port());
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  WaitFor(1);
  server_->CloseConnections();
  EXPECT_EQ(client.ReadToEnd(), "");
  RawClient second(loop_, server_->port());
  second.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  WaitFor(2);
}

}  // namespace
}  // namespace kiln::net

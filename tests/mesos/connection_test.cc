// The parser of answers, and real sockets against a small server of this test.
#include "tests/mesos/connection.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace kiln::replay {
namespace {

const std::string kStream =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
    "5\r\n3\n{1}\r\n"
    "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    "3\r\n4\n{\r\n8\r\n22}3\n{3}\r\n0\r\n\r\n";

// What the parser makes of these bytes, cut into pieces of this size.
Json Parse(const std::string& bytes, size_t piece, bool stream) {
  AnswerParser parser;
  if (stream) parser.ExpectStream();
  for (size_t at = 0; at < bytes.size(); at += piece) parser.Feed(bytes.substr(at, piece), 0);
  Json parsed = {
      {"answers", Json::array()}, {"records", Json::array()}, {"end", parser.stream_end}};
  for (const RawAnswer& answer : parser.answers) {
    parsed["answers"].push_back({answer.status, answer.body});
  }
  for (const RawRecord& record : parser.records) parsed["records"].push_back(record.bytes);
  if (!parser.error.empty()) parsed["error"] = parser.error;
  return parsed;
}

TEST(AnswerParserTest, TakesAStreamWithAnAnswerInsideAtAnySplit) {
  const Json expected = {{"answers", {{200, ""}, {202, ""}}},
                         {"records", {"{1}", "{22}", "{3}"}},
                         {"end", "last chunk"}};
  for (const size_t piece : {1u, 2u, 3u, 7u, 50u, 1000u}) {
    EXPECT_EQ(Parse(kStream, piece, true), expected) << piece;
  }
}

TEST(AnswerParserTest, TakesAnswersOneBehindTheOther) {
  const std::string bytes =
      "HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\nbad"
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
      "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";
  const Json expected = {{"answers", {{400, "bad"}, {200, "abc"}, {204, ""}}},
                         {"records", Json::array()},
                         {"end", ""}};
  for (const size_t piece : {1u, 5u, 1000u}) EXPECT_EQ(Parse(bytes, piece, false), expected);
}

TEST(AnswerParserTest, TellsBytesThatAreNoAnswer) {
  EXPECT_EQ(Parse("hello\r\n\r\n", 100, false)["error"], "no HTTP answer: hello");
}

TEST(AnswerParserTest, TellsAStreamThatIsCutOff) {
  AnswerParser parser;
  parser.ExpectStream();
  parser.Feed(kStream.substr(0, kStream.size() - 5), 1);
  parser.Close(2);
  EXPECT_EQ(parser.stream_end, "connection closed");
  EXPECT_EQ(parser.stream_end_at_ms, 2);
}

// Listens on a free port, takes one connection, answers each request with the next text, closes.
class Server {
 public:
  explicit Server(std::vector<std::string> answers) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    listen(fd_, 1);
    socklen_t size = sizeof(address);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answers = std::move(answers)] { Serve(answers); });
  }
  ~Server() {
    thread_.join();
    close(fd_);
  }
  int port() const { return port_; }
  const std::string& received() const { return received_; }

 private:
  void Serve(const std::vector<std::string>& answers) {
    const int peer = accept(fd_, nullptr, nullptr);
    for (const std::string& answer : answers) {
      char bytes[4096];
      const ssize_t count = recv(peer, bytes, sizeof(bytes), 0);
      if (count > 0) received_.append(bytes, static_cast<size_t>(count));
      (void)!send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
    close(peer);
  }

  int fd_;
  int port_ = 0;
  std::string received_;
  std::thread thread_;
};

TEST(ConnectionTest, SendsReadsAndSeesTheEnd) {
  std::string sent = "GET / HTTP/1.1\r\n\r\n";
  const size_t second = kStream.find("HTTP/1.1 202");
  Server server({kStream.substr(0, second), kStream.substr(second, 50)});
  auto opened = Connection::Open(server.port());
  ASSERT_TRUE(opened);
  Connections connections;
  Connection& connection = *(connections["A"] = *std::move(opened));
  connection.parser.ExpectStream();
  const Stopwatch clock;
  ASSERT_TRUE(connection.Send(sent));
  while (connection.parser.records.empty() && clock.Ms() < 10'000) Pump(connections, clock, 100);
  ASSERT_EQ(connection.parser.records.size(), 1u);
  ASSERT_TRUE(connection.Send(sent));
  while (connection.open() && clock.Ms() < 10'000) Pump(connections, clock, 100);
  EXPECT_FALSE(connection.open());
  EXPECT_EQ(connection.parser.stream_end, "connection closed");
  EXPECT_EQ(connection.parser.records.size(), 1u);
}

TEST(ConnectionTest, PostsAndTakesTheAnswer) {
  Server server({"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"});
  const auto answer = Post(server.port(), "/kiln/fault", R"({"a":1})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "{}");
}

TEST(ConnectionTest, TellsAPortWhereNobodyListens) {
  int port = 0;
  {
    Server server({});
    port = server.port();
    (void)Connection::Open(port);
  }
  EXPECT_EQ(Connection::Open(port).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace kiln::replay

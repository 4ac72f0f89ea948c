// Both clients against the real server.
#include "wire/net/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::net {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
constexpr auto kLong = std::chrono::seconds(20);

class ConnectionTest : public testing::Test {
 protected:
  void Listen(Handler handler) {
    auto server = Server::Listen(loop_, {}, std::move(handler));
    ASSERT_TRUE(server.has_value());
    server_ = *std::move(server);
  }
  void Open() {
    connection_ = Connection::Open(loop_, *ParseHostPort(server_->address()),
                                   {[this] { log_.push_back("open"); },
                                    [this](const Error& e) {
                                      log_.push_back("closed: " + e.message);
                                      loop_.Stop();
                                    }});
  }
  std::function<void(Result<Response>)> Log() {
    return [this](Result<Response> r) {
      log_.push_back(r ? fmt::format("{} {}", r->status, r->body)
                       : fmt::format("{}", ErrorCodeName(r.error().code)));
    };
  }
  std::string Closed() const { return "closed: " + server_->address() + " closed the connection"; }

  Loop loop_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Connection> connection_;
  std::vector<std::string> log_;
};

void Echo(std::shared_ptr<Exchange> e) { e->Respond({200, {}, e->request().body}); }

Request Post(std::string body) { return {"POST", "/", {}, std::move(body), {}}; }

TEST_F(ConnectionTest, PipelinedAnswersComeInOrder) {
  Listen(Echo);
  Open();
  for (const char* body : {"one", "", "three"}) connection_->Send(Post(body), Log());
  connection_->Send({"HEAD", "/", {}, {}, {}}, Log());
  connection_->Send(Post("last"), [this](Result<Response> r) {
    log_.push_back(r->body);
    loop_.Stop();
  });
  EXPECT_THAT(log_, ElementsAre());
  loop_.RunFor(kLong);
  EXPECT_THAT(log_, ElementsAre("open", "200 one", "200 ", "200 three", "200 ", "last"));
}

TEST_F(ConnectionTest, AStreamComesInPiecesToItsEnd) {
  Listen([this](std::shared_ptr<Exchange> e) {
    e->BeginStream({200, {{"X", "y"}}, {}});
    e->Write("one");
    e->Write("two");
    e->EndStream();
  });
  Open();
  std::string data;
  connection_->OpenStream(Post(""), {[this](const Response& head) {
                                       log_.push_back(std::string(*head.headers.Get("x")));
                                     },
                                     [&](std::string_view piece) { data += piece; },
                                     [this] {
                                       log_.push_back("end");
                                       loop_.Stop();
                                     }});
  loop_.RunFor(kLong);
  EXPECT_THAT(log_, ElementsAre("open", "y", "end"));
  EXPECT_EQ(data, "onetwo");
}

TEST_F(ConnectionTest, ACutConnectionFailsEveryOpenRequest) {
  Listen([](std::shared_ptr<Exchange> e) { e->Abort(); });
  Open();
  connection_->Send(Post("a"), Log());
  connection_->Send(Post("b"), Log());
  loop_.RunFor(kLong);
  ASSERT_EQ(log_.size(), 4u);
  EXPECT_EQ(log_[1], "UNAVAILABLE");
  EXPECT_EQ(log_[2], "UNAVAILABLE");
  connection_->Send(Post("c"), Log());
  EXPECT_EQ(log_.size(), 4u);  // never inside the call
  loop_.RunFor(milliseconds(5));
  EXPECT_EQ(log_.size(), 5u);
}

TEST_F(ConnectionTest, ACutStreamHasNoEnd) {
  Listen([](std::shared_ptr<Exchange> e) {
    e->BeginStream({});
    e->Write("one");
    // dropped without its end
  });
  Open();
  connection_->OpenStream(Post(""), {{}, {}, [this] { log_.push_back("end"); }});
  loop_.RunFor(kLong);
  EXPECT_THAT(log_, ElementsAre("open", testing::StartsWith("closed: ")));
}

TEST_F(ConnectionTest, NoAnswerInTimeClosesTheConnection) {
  std::vector<std::shared_ptr<Exchange>> kept;
  Listen([&](std::shared_ptr<Exchange> e) { kept.push_back(e); });
  Open();
  connection_->Send(Post("a"), Log(), milliseconds(200));
  connection_->Send(Post("b"), Log());
  loop_.RunFor(kLong);
  EXPECT_THAT(log_, ElementsAre("open", "DEADLINE_EXCEEDED", "UNAVAILABLE",
                                "closed: " + server_->address() + " did not answer in time"));
}

TEST_F(ConnectionTest, AnAnswerThatStopsMidwayIsNoneInTime) {
  std::shared_ptr<Exchange> kept;
  Listen([&](std::shared_ptr<Exchange> e) {
    kept = e;
    e->BeginStream({200, {}, "half"});
  });
  Open();
  connection_->Send({}, Log(), milliseconds(30));
  loop_.RunFor(kLong);
  EXPECT_THAT(log_, ElementsAre("open", "DEADLINE_EXCEEDED",
                                "closed: " + server_->address() + " did not answer in time"));
}

TEST_F(ConnectionTest, ARefusedConnectionIsTold) {
  Listen(Echo);
  Url url = *ParseHostPort(server_->address());
  server_.reset();
  connection_ = Connection::Open(loop_, url, {{}, [this](const Error& e) {
                                                log_.push_back(e.message);
                                                loop_.Stop();
                                              }});
  connection_->Send(Post("a"), Log());
  loop_.RunFor(kLong);
  EXPECT_THAT(log_, ElementsAre("UNAVAILABLE", url.Authority() + " Connection refused"));
}

TEST_F(ConnectionTest, NothingComesAfterDestruction) {
  Listen(Echo);
  Open();
  connection_->Send(Post("a"), [this](Result<Response>) {
    log_.push_back("answer");
    connection_.reset();
  });
  connection_->Send(Post("b"), Log());
  loop_.RunFor(milliseconds(30));
  EXPECT_THAT(log_, ElementsAre("open", "answer"));
}

// A server on a thread of its own, because Fetch blocks.
class FetchTest : public testing::Test {
 protected:
  void Listen(Handler handler, ServerOptions options = {}) {
    auto server = Server::Listen(loop_, std::move(options), std::move(handler));
    ASSERT_TRUE(server.has_value());
    server_ = *std::move(server);
    url_ = "http://" + server_->address();
    thread_ = std::thread([this] { loop_.Run(); });
    folder_ = testing::TempDir() + "kiln_fetch_XXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
  }
  void EndServer() {
    loop_.Stop();
    if (thread_.joinable()) thread_.join();
    kept_.reset();
    server_.reset();
  }
  void TearDown() override {
    EndServer();
    if (!folder_.empty()) std::system(("rm -r " + folder_).c_str());
  }
  static std::string Read(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  Loop loop_;
  std::unique_ptr<Server> server_;
  std::string url_;
  std::shared_ptr<Exchange> kept_;
  std::thread thread_;
  std::string folder_;
};

TEST_F(FetchTest, RedirectsAreFollowed) {
  Listen([this](std::shared_ptr<Exchange> e) {
    std::string path = e->request().Path();
    if (path == "/end" || e->request().target == "/here/next?y") return Echo(e);
    if (path == "/absolute") return e->Respond({302, {{"Location", url_ + "/end"}}, {}});
    if (path == "/relative") return e->Respond({308, {{"Location", "/end"}}, {}});
    if (path == "/mesos") {
      return e->Respond({307, {{"Location", "//" + server_->address() + "/end"}}, {}});
    }
    if (path == "/here/name") return e->Respond({302, {{"Location", "./next?x"}}, {}});
    if (path == "/here/next") return e->Respond({302, {{"Location", "?y"}}, {}});
    if (path == "/here/up") return e->Respond({302, {{"Location", "../end"}}, {}});
    e->Respond({307, {{"Location", "/loop"}}, {}});
  });
  for (const char* path : {"/absolute", "/relative", "/mesos", "/here/up", "/here/name"}) {
    auto answer = Fetch(url_ + path, Post("kept"));
    ASSERT_TRUE(answer.has_value()) << path << answer.error().message;
    EXPECT_EQ(answer->body, "kept") << path;
  }
  EXPECT_EQ(Fetch(url_ + "/loop")->status, 307);
}

TEST_F(FetchTest, ARedirectToAnotherHostTakesNoAuthorizationAlong) {
  Listen([this](std::shared_ptr<Exchange> e) {
    const std::string path = e->request().Path();
    const std::string port = url_.substr(url_.rfind(':'));
    if (path == "/same") return e->Respond({307, {{"Location", "/end"}}, {}});
    if (path == "/other") {
      return e->Respond({307, {{"Location", "http://localhost" + port + "/end"}}, {}});
    }
    e->Respond({200, {}, std::string(e->request().headers.Get("Authorization").value_or("none"))});
  });
  Request request;
  request.headers.Set("Authorization", "Bearer secret");
  EXPECT_EQ(Fetch(url_ + "/same", request)->body, "Bearer secret");
  EXPECT_EQ(Fetch(url_ + "/other", request)->body, "none");
}

TEST_F(FetchTest, BigBodiesGoBothWaysThroughFiles) {
  std::string bytes(8 << 20, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 >> 3);
  Listen(Echo);
  std::string from = folder_ + "/from", to = folder_ + "/to";
  std::ofstream(from) << bytes;
  auto sent = SendFile(url_ + "/x", from);
  ASSERT_TRUE(sent.has_value()) << sent.error().message;
  EXPECT_EQ(sent->body, bytes);
}

TEST_F(FetchTest, AFileAppearsWholeOrNotAtAll) {
  Listen([](std::shared_ptr<Exchange> e) {
    if (e->request().target == "/cut") {
      e->BeginStream({});
      e->Write("half");
      return e->Abort();
    }
    if (e->request().target == "/none") return e->Respond({404, {}, "no"});
    e->Respond({200, {}, "whole"});
  });
  std::string path = folder_ + "/file";
  EXPECT_EQ(FetchToFile(url_ + "/none", path).error().message,
            url_ + "/none: found status 404 Not Found, expected 200");
  EXPECT_EQ(FetchToFile(url_ + "/cut", path).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(access(path.c_str(), F_OK), -1);
  EXPECT_EQ(access((path + ".part").c_str(), F_OK), -1);
  EXPECT_TRUE(FetchToFile(url_ + "/whole", path).has_value());
  EXPECT_EQ(Read(path), "whole");
}

TEST_F(FetchTest, AnEarlyRefusalReachesTheSender) {
  ServerOptions options;
  options.body_limit = 1000;
  Listen(Echo, options);
  auto answer = Fetch(url_, Post(std::string(32 << 20, 'x')));
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->status, 413);
}

TEST_F(FetchTest, AStreamCanBeStoppedByItsReader) {
  Listen([this](std::shared_ptr<Exchange> e) {
    kept_ = e;
    e->BeginStream({});
    e->Write("one");
  });
  std::string data;
  auto answer = FetchStream(url_, {}, [&](std::string_view piece) {
    data += piece;
    return false;
  });
  EXPECT_TRUE(answer.has_value());
  EXPECT_EQ(data, "one");
}

TEST_F(FetchTest, FailuresHaveTheirCodes) {
  Listen([this](std::shared_ptr<Exchange> e) { kept_ = e; });
  FetchOptions options;
  options.timeout = milliseconds(20);
  EXPECT_EQ(Fetch(url_, {}, options).error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(Fetch("ftp://a").error().code, ErrorCode::kInvalidArgument);
  EndServer();
  EXPECT_EQ(Fetch(url_).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace kiln::net

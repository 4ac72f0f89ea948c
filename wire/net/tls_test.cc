// Both clients and the server in TLS, with certificates made here.
#include "wire/net/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "base/file.h"
#include "wire/net/certificates_for_test.h"
#include "wire/net/client.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::net {
namespace {

using testing::HasSubstr;
constexpr auto kLong = std::chrono::seconds(20);
constexpr const char* kHere = "DNS:localhost,IP:127.0.0.1";

void Echo(std::shared_ptr<Exchange> e) { e->Respond({200, {}, e->request().body}); }

class TlsTest : public testing::Test {
 protected:
  TlsTest() : folder_(MakeFolder()), authority_(folder_, "kiln"), other_(folder_, "other") {}
  ~TlsTest() override { std::filesystem::remove_all(folder_); }

  static std::filesystem::path MakeFolder() {
    std::string name = testing::TempDir() + "/tls-XXXXXX";
    return mkdtemp(name.data());
  }
  void Believe(TlsClientOptions options) {
    auto context = TlsContext::ForClients(options);
    ASSERT_TRUE(context) << context.error().message;
    tls_ = *context;
  }
  void Listen(const TlsServerOptions* files, Handler handler = Echo) {
    ServerOptions options;
    if (files != nullptr) options.tls = *TlsContext::ForServer(*files);
    server_ = *Server::Listen(loop_, std::move(options), std::move(handler));
  }
  std::string Url(const std::string& scheme, const std::string& host = "127.0.0.1") const {
    return fmt::format("{}://{}:{}", scheme, host, server_->port());
  }

  // By the blocking client, on a thread of its own while the loop works.
  Result<Response> Get(const std::string& url, std::string body = "") {
    Result<Response> answer = Response();
    std::thread thread([&] {
      answer = Fetch(url, {"POST", "/", {}, std::move(body), {}}, {.timeout = kLong, .tls = tls_});
      loop_.Stop();
    });
    loop_.RunFor(kLong);
    thread.join();
    return answer;
  }
  // By the client of the loop; the text of its answer or of its end.
  std::string Ask(const std::string& text_of_url, std::string body = "", std::string name = "") {
    std::string text;
    net::Url url = *ParseUrl(text_of_url);
    url.name = std::move(name);
    auto connection = Connection::Open(loop_, url,
                                       {{},
                                        [&](const Error& error) {
                                          text = error.message;
                                          loop_.Stop();
                                        }},
                                       tls_);
    connection->Send({"POST", "/", {}, std::move(body), {}}, [&](Result<Response> answer) {
      if (!answer) return;
      text = fmt::format("{} {}", answer->status, answer->body);
      loop_.Stop();
    });
    loop_.RunFor(kLong);
    return text;
  }
  void ExpectBoth(const std::string& url, const std::string& why) {
    const auto fetched = Get(url);
    ASSERT_FALSE(fetched) << fetched->status << fetched->body;
    EXPECT_EQ(fetched.error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(fetched.error().message, url + ": " + why);
    EXPECT_EQ(Ask(url), url + " " + why);
  }

  std::filesystem::path folder_;
  TestAuthority authority_;
  TestAuthority other_;
  std::shared_ptr<const TlsContext> tls_;  // none: that of the system
  Loop loop_;
  std::unique_ptr<Server> server_;
};

TEST_F(TlsTest, RequestsAndAnswersPassInAnyDirectionAndSize) {
  const auto files = authority_.Issue("server", kHere);
  Listen(&files);
  Believe({.ca_file = authority_.file()});
  const std::string large(3 << 20, 'x');
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const auto answer = Get(Url("https", host), large);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_TRUE(answer->body == large);
    EXPECT_TRUE(Ask(Url("https", host), large) == "200 " + large);
  }
}

TEST_F(TlsTest, AStreamComesAsItIsWrittenAndItsCutIsSeen) {
  const auto files = authority_.Issue("server", kHere);
  std::shared_ptr<Exchange> kept;
  Listen(&files, [&](std::shared_ptr<Exchange> e) {
    kept = e;
    e->BeginStream({});
    e->Write("one");
  });
  Believe({.ca_file = authority_.file()});
  std::string log;
  auto connection = Connection::Open(loop_, *ParseUrl(Url("https")),
                                     {[&] { log += "open "; },
                                      [&](const Error&) {
                                        log += "closed";
                                        loop_.Stop();
                                      }},
                                     tls_);
  connection->OpenStream({}, {[&](const Response&) { log += "head "; },
                              [&](std::string_view piece) {
                                log += std::string(piece) + " ";
                                kept->Abort();
                              },
                              [&] { log += "end "; }});
  loop_.RunFor(kLong);
  EXPECT_EQ(log, "open head one closed");
}

TEST_F(TlsTest, AFileIsSentPieceByPiece) {
  const auto files = authority_.Issue("server", kHere);
  const std::string path = folder_ / "data";
  const std::string bytes(1 << 20, 'y');
  ASSERT_TRUE(WriteFile(path, bytes));
  Listen(&files,
         [&](std::shared_ptr<Exchange> e) { e->RespondFile({}, path, 1, bytes.size() - 1); });
  Believe({.ca_file = authority_.file()});
  const auto answer = Get(Url("https"));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_TRUE(answer->body == bytes.substr(1));
}

TEST_F(TlsTest, AServerOfAnotherNameIsRefused) {
  const auto files = authority_.Issue("server", "DNS:kiln.example,IP:10.0.0.1");
  Listen(&files);
  Believe({.ca_file = authority_.file()});
  ExpectBoth(Url("https"), "certificate is for kiln.example, 10.0.0.1: expected 127.0.0.1");
  ExpectBoth(Url("https", "localhost"),
             "certificate is for kiln.example, 10.0.0.1: expected localhost");
}

TEST_F(TlsTest, ACertificateMayBeForTheNameOfAnAddress) {
  const auto files = authority_.Issue("server", "DNS:agent1.example");
  Listen(&files);
  Believe({.ca_file = authority_.file()});
  EXPECT_EQ(Ask(Url("https"), "a", "agent1.example"), "200 a");
  EXPECT_EQ(
      Ask(Url("https"), "a", "agent2.example"),
      Url("https") + " certificate is for agent1.example: expected 127.0.0.1 or agent2.example");
}

TEST_F(TlsTest, AServerOfAnUnknownAuthorityIsRefused) {
  const auto files = other_.Issue("server", kHere);
  Listen(&files);
  Believe({.ca_file = authority_.file()});
  const std::string why =
      "certificate is signed by CN=other: expected an authority that is believed";
  ExpectBoth(Url("https"), why);
  tls_ = nullptr;
  ExpectBoth(Url("https"), why);
}

TEST_F(TlsTest, AServerThatHasExpiredIsRefused) {
  const auto files = authority_.Issue("server", kHere, {-7200, -3600});
  Listen(&files);
  Believe({.ca_file = authority_.file()});
  const auto answer = Get(Url("https"));
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message,
              testing::MatchesRegex("https://127.0.0.1:[0-9]+: certificate has expired at "
                                    "[-0-9]+ [0-9:]+ UTC: expected one that is valid"));
}

TEST_F(TlsTest, AServerIsBelievedByItsOwnCertificateOrWhenNobodyLooks) {
  const auto files = other_.Issue("server", kHere);
  Listen(&files);
  Believe({.ca_file = files.certificate});
  EXPECT_EQ(Ask(Url("https"), "a"), "200 a");
  Believe({.ca_file = authority_.file(), .verify = false});
  EXPECT_EQ(Ask(Url("https"), "b"), "200 b");
}

TEST_F(TlsTest, APlainServerIsNoTls) {
  Listen(nullptr);
  ExpectBoth(Url("https"), "peer speaks no TLS: expected https");
}

TEST_F(TlsTest, APlainClientIsToldAndTheNextOneIsServed) {
  const auto files = authority_.Issue("server", kHere);
  Listen(&files);
  const auto answer = Get(Url("http"));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 400);
  EXPECT_THAT(answer->body, HasSubstr("found a request in plain HTTP: expected https"));
  Believe({.ca_file = authority_.file()});
  EXPECT_EQ(Ask(Url("https"), "a"), "200 a");
}

TEST_F(TlsTest, FilesThatAreWrongAreNamed) {
  const auto files = authority_.Issue("server", kHere);
  const auto strange = authority_.Issue("strange", kHere);
  const std::string none = folder_ / "none";
  EXPECT_THAT(TlsContext::ForClients({.ca_file = none}).error().message,
              testing::StartsWith("file " + none + ": "));
  EXPECT_THAT(TlsContext::ForServer({none, files.key}).error().message,
              testing::StartsWith("file " + none + ": "));
  EXPECT_EQ(
      TlsContext::ForServer({files.certificate, strange.key}).error().message,
      "file " + strange.key + ": key values mismatch: expected the PEM key of the certificate");
}

TEST_F(TlsTest, TheAuthorityOfAServerIsFoundAndSuffices) {
  const auto files = authority_.Issue("server", kHere);
  const auto clients = *TlsContext::ForClients({.ca_file = authority_.file()});
  const auto found = clients->AuthorityOf(files);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, *ReadFile(authority_.file()));
  Listen(&files);
  Believe({.ca_pem = *found});
  EXPECT_EQ(Ask(Url("https"), "a"), "200 a");
  EXPECT_EQ(clients->AuthorityOf(other_.Issue("foreign", kHere)).error().message,
            fmt::format("file {}: certificate is signed by CN=other: expected an authority that "
                        "is believed",
                        (folder_ / "foreign.crt").string()));
}

}  // namespace
}  // namespace kiln::net

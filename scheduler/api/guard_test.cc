// Who may do what over HTTP.
#include "scheduler/api/guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sha256.h"
#include "scheduler/api/fake/api_host.h"
#include "wire/net/client.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kView = "view-0123456789abcdef";
const std::string kSubmit = "submit-0123456789abcdef";
const std::string kAdmin = "admin-0123456789abcdef";
const std::string kKey = "key";

std::vector<Token> Tokens() {
  return ParseTokens("# who\nview vera " + kView + "\n\n  submit sam " + kSubmit +
                     "\r\nadmin ada sha256:" + Sha256Hex(kAdmin))
      .value();
}

ApiOptions Guarded() {
  ApiOptions options;
  options.tokens = Tokens();
  options.job_key = kKey;
  return options;
}

class GuardTest : public testing::Test {
 protected:
  GuardTest() {
    host_.Change([](FakeBackend& backend) {
      JobRecord& job = backend.data.jobs["live"];
      job.job.name = "live";
      job.digest = 7;
      job.phase = JobPhase::kRunning;
      backend.data.jobs["ended"] = job;
      backend.data.jobs["ended"].phase = JobPhase::kSucceeded;
    });
  }
  net::Response Ask(const std::string& method, const std::string& target,
                    const std::string& authorization, std::string body = "") {
    net::Headers headers;
    if (!authorization.empty()) headers.Set("Authorization", authorization);
    auto response = net::Fetch(host_.url() + target, {method, target, headers, body, ""});
    EXPECT_TRUE(response) << response.error().message;
    return response.value_or(net::Response{0, {}, ""});
  }
  // 401 and 403 as they are; what the route itself says is 0.
  int Refusal(const std::string& method, const std::string& target, const std::string& token) {
    const int status = Ask(method, target, token.empty() ? "" : "Bearer " + token, "{}").status;
    return status == 401 || status == 403 ? status : 0;
  }

  ApiHost host_{Guarded()};
};

TEST_F(GuardTest, EachRouteAsksForItsAccess) {
  const std::string task = JobToken(kKey, "live", 7);
  const struct {
    const char* method;
    const char* target;
    std::array<int, 5> refusals;  // without a token, of a task, view, submit, admin
  } cases[] = {
      {"GET", "/", {0, 0, 0, 0, 0}},
      {"GET", "/v1/health", {0, 0, 0, 0, 0}},
      {"HEAD", "/v1/health", {0, 0, 0, 0, 0}},
      {"GET", "/v1/openapi.json", {0, 0, 0, 0, 0}},
      {"GET", "/v1/schema/job", {0, 0, 0, 0, 0}},
      {"GET", "/v1/jobs", {401, 403, 0, 0, 0}},
      {"HEAD", "/v1/jobs", {401, 403, 0, 0, 0}},
      {"GET", "/v1/jobs?phase=RUNNING", {401, 403, 0, 0, 0}},
      {"GET", "/v1/jobs/live/why", {401, 403, 0, 0, 0}},
      {"GET", "/v1/agents", {401, 403, 0, 0, 0}},
      {"GET", "/v1/metrics/prometheus", {401, 403, 0, 0, 0}},
      {"GET", "/v1/plans/deploy", {401, 403, 0, 0, 0}},
      {"GET", "/v1/artifacts", {401, 403, 0, 0, 0}},
      {"GET", "/v1/artifacts/a/b", {401, 0, 0, 0, 0}},
      {"HEAD", "/v1/artifacts/a/b", {401, 0, 0, 0, 0}},
      {"PUT", "/v1/artifacts/a/b", {401, 0, 403, 0, 0}},
      {"DELETE", "/v1/artifacts/a/b", {401, 403, 403, 0, 0}},
      {"POST", "/v1/models/m/versions", {401, 0, 403, 0, 0}},
      {"POST", "/v1/models", {401, 403, 403, 0, 0}},
      {"PUT", "/v1/models/m/labels/l", {401, 403, 403, 0, 0}},
      {"DELETE", "/v1/models/m/labels/l", {401, 403, 403, 0, 0}},
      {"POST", "/v1/jobs", {401, 403, 403, 0, 0}},
      {"POST", "/v1/plan", {401, 403, 403, 0, 0}},
      {"POST", "/v1/jobs/none/kill", {401, 403, 403, 0, 0}},
      {"DELETE", "/v1/jobs/none", {401, 403, 403, 0, 0}},
      {"POST", "/v1/tasks/none/kill", {401, 403, 403, 0, 0}},
      {"POST", "/v1/agents/a/quarantine", {401, 403, 403, 403, 0}},
      {"POST", "/v1/agents/a/release", {401, 403, 403, 403, 0}},
      {"GET", "/v1/none", {401, 403, 0, 0, 0}},
      {"POST", "/v1/health", {401, 403, 0, 0, 0}},
  };
  for (const auto& one : cases) {
    std::array<int, 5> found{};
    const std::string tokens[] = {"", task, kView, kSubmit, kAdmin};
    for (size_t i = 0; i < found.size(); ++i) found[i] = Refusal(one.method, one.target, tokens[i]);
    EXPECT_EQ(found, one.refusals) << one.method << " " << one.target;
  }
}

TEST_F(GuardTest, NoRouteThatChangesAnythingIsOpenOrForThoseWhoLook) {
  for (const Route& route : host_.api().router().routes()) {
    if (std::string_view(route.method) != "GET") {
      EXPECT_GE(AccessOf(route), Access::kSubmit) << route.pattern;
    }
  }
}

TEST_F(GuardTest, WhoIsNotKnownIsAskedForABearersToken) {
  const net::Response missing = Ask("GET", "/v1/jobs", "");
  EXPECT_EQ(missing.status, 401);
  EXPECT_EQ(missing.headers.Get("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(missing.body,
            R"({"error":{"code":"PERMISSION_DENIED","message":"a token is missing: expected the )"
            R"(header Authorization: Bearer TOKEN"}})");
  for (const std::string& other : std::vector<std::string>{
           "Bearer " + kView + "x", "Bearer " + kView.substr(1), "Bearer", "Bearer ",
           "token=" + kView, "Basic " + kView, "Bearer " + Sha256Hex(kAdmin),
           "Bearer sha256:" + Sha256Hex(kAdmin), "Bearer kiln-job.", "Bearer kiln-job.live",
           "Bearer kiln-job.live.", "Bearer " + JobToken("other", "live", 7),
           "Bearer " + JobToken(kKey, "live", 8), "Bearer " + JobToken(kKey, "ended", 7),
           "Bearer " + JobToken(kKey, "none", 7)}) {
    const net::Response response = Ask("GET", "/v1/artifacts/a", other);
    EXPECT_EQ(response.status, 401) << other;
    EXPECT_EQ(response.headers.Get("WWW-Authenticate"), "Bearer") << other;
  }
  EXPECT_EQ(Ask("GET", "/v1/jobs", "bearer " + kView).status, 200);
}

TEST_F(GuardTest, WhoseAccessIsNotEnoughLearnsWhichIs) {
  const net::Response response = Ask("POST", "/v1/agents/a/release", "Bearer " + kSubmit, "{}");
  EXPECT_EQ(response.status, 403);
  EXPECT_FALSE(response.headers.Has("WWW-Authenticate"));
  EXPECT_EQ(response.body,
            R"({"error":{"code":"PERMISSION_DENIED","message":"access of sam is submit: expected )"
            R"(admin"}})");
  EXPECT_THAT(Ask("POST", "/v1/jobs", "Bearer " + JobToken(kKey, "live", 7), "{}").body,
              HasSubstr("the token is of a job's tasks: expected one with access submit"));
}

TEST_F(GuardTest, AnUploadThatIsRefusedLeavesNothing) {
  const std::string target = "/v1/artifacts/a";
  EXPECT_EQ(Ask("PUT", target, "Bearer " + kView, std::string(1 << 20, 'x')).status, 403);
  EXPECT_EQ(Ask("GET", target, "Bearer " + kView).status, 404);
  EXPECT_EQ(Ask("PUT", target, "Bearer " + JobToken(kKey, "live", 7), "x").status, 201);
  EXPECT_EQ(Ask("GET", target, "Bearer " + kView).body, "x");
}

TEST_F(GuardTest, WhoseTokenIsGoneReadsNothingMoreOfWhatIsOpen) {
  const auto tell = [this](const char* name) {
    host_.Change([name](FakeBackend& backend) { backend.Tell("job", name, "WAITING"); });
  };
  std::vector<Token> tokens = Tokens();
  net::Request request;
  request.headers.Set("Authorization", "Bearer " + kView);
  std::string text;
  const auto has = [&text](const char* name) { return text.find(name) != std::string::npos; };
  bool begun = false;
  const auto stream =
      net::FetchStream(host_.url() + "/v1/events", request, [&](std::string_view piece) {
        text += piece;
        if (!std::exchange(begun, true)) {
          tokens.push_back({"new", Access::kView, "digest"});
          host_.SetTokens(tokens);
          tell("first");
        } else if (has("first") && !has("second")) {
          tokens.erase(tokens.begin());
          host_.SetTokens(tokens);
          tell("second");
        }
        return !has("second");
      });
  EXPECT_FALSE(stream) << "it ended well";
  EXPECT_TRUE(has("first")) << "others alone came";
  EXPECT_FALSE(has("second"));
  EXPECT_EQ(Ask("GET", "/v1/events", "Bearer " + kView).status, 401);
}

TEST(Guard, WithoutATokensFileNobodyIsAsked) {
  ApiHost host;
  EXPECT_EQ(net::Fetch(host.url() + "/v1/jobs")->status, 200);
}

// A guard with a time of its own.
class GuardInTimeTest : public testing::Test {
 protected:
  int Ask(const std::string& token, const std::string& peer = "10.0.0.1:999") {
    net::Request head{.target = "/v1/jobs", .peer = peer};
    if (!token.empty()) head.headers.Set("Authorization", "Bearer " + token);
    const auto refusal = guard_.Refusal(head, &route_, now_);
    if (!refusal) return 200;
    EXPECT_EQ(refusal->headers.Has("Retry-After"), refusal->status == 429);
    return refusal->status;
  }

  FakeBackend backend_;
  Guard guard_{Tokens(), kKey, 2, backend_};
  Route route_{"GET", "/v1/jobs", "", {}};
  Instant now_ = Instant{} + std::chrono::hours(1);
};

TEST_F(GuardInTimeTest, EachCallerMayAskSoOften) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Ask(kView), 200) << i;
  EXPECT_EQ(Ask(kView), 429);
  EXPECT_EQ(Ask(kView, "10.0.0.2:1"), 429) << "from elsewhere";
  EXPECT_EQ(Ask(kSubmit), 200);
  now_ = now_ + std::chrono::milliseconds(500);
  EXPECT_EQ(Ask(kView), 200);
  EXPECT_EQ(Ask(kView), 429);
}

TEST_F(GuardInTimeTest, WhoGuessesIsSlowedDownAndOthersThereAreNot) {
  EXPECT_EQ(Ask(kView), 200);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Ask("guess-0123456789abcdef"), 401) << i;
  EXPECT_EQ(Ask("guess-0123456789abcdef"), 429);
  EXPECT_EQ(Ask(kSubmit), 429) << "it may be a guess";
  EXPECT_EQ(Ask(kView), 200) << "it is none";
  EXPECT_EQ(Ask(kSubmit, "10.0.0.2:1"), 200);
  now_ = now_ + std::chrono::seconds(1);
  EXPECT_EQ(Ask(kSubmit), 200);
  EXPECT_EQ(Ask("guess-0123456789abcdef"), 401);
  EXPECT_EQ(Ask("guess-0123456789abcdef"), 429);
}

TEST_F(GuardInTimeTest, OtherTokensTakeThePlaceOfThoseBefore) {
  EXPECT_EQ(Ask(kView), 200);
  guard_.SetTokens(ParseTokens("view new new-0123456789abcdef").value());
  EXPECT_EQ(Ask(kView), 401);
  EXPECT_EQ(Ask("new-0123456789abcdef"), 200);
}

TEST_F(GuardInTimeTest, ItTellsWhetherSomebodyMayDoLess) {
  const auto set = [this](const std::string& lines) {
    return guard_.SetTokens(ParseTokens(lines).value());
  };
  const std::string ada = "\nadmin ada " + kAdmin, sam = "\nsubmit sam " + kSubmit;
  EXPECT_FALSE(set("view vera " + kView + ada + sam)) << "the same";
  EXPECT_FALSE(set("submit other " + kView + ada + sam)) << "more";
  EXPECT_TRUE(set("view vera " + kView + ada + sam)) << "less";
  EXPECT_TRUE(set(ada + sam)) << "gone";
  EXPECT_TRUE(set("admin ada other-0123456789abcdef" + sam)) << "another token";
}

TEST(Tokens, TheFileIsRead) {
  const auto digest = [](const std::string& text) {
    Sha256 sha;
    sha.Update(text);
    return sha.Finish();
  };
  EXPECT_EQ(Tokens(), (std::vector<Token>{{"vera", Access::kView, digest(kView)},
                                          {"sam", Access::kSubmit, digest(kSubmit)},
                                          {"ada", Access::kAdmin, digest(kAdmin)}}));
}

TEST(Tokens, AFaultNamesItsLineAndNothingThatStandsThere) {
  const std::string good = "view a " + kView + "\n";
  const std::string hex = Sha256Hex(kAdmin);
  const std::pair<std::string, std::string> cases[] = {
      {"", "has no token: expected one at least"},
      {"# view a " + kView, "has no token: expected one at least"},
      {good + "root b " + kAdmin, "line 2: expected ACCESS NAME TOKEN with an access of"},
      {good + "open b " + kAdmin, "line 2: expected ACCESS NAME TOKEN with an access of"},
      {kAdmin + " b admin", "line 1: expected ACCESS NAME TOKEN with an access of"},
      {"admin " + kAdmin, "line 1: expected ACCESS NAME TOKEN with an access of"},
      {"admin b " + kAdmin + " x", "line 1: expected ACCESS NAME TOKEN with an access of"},
      {"admin b short", "line 1: token is none: expected 16 to 1024 letters"},
      {"admin b " + kAdmin + "\"", "line 1: token is none"},
      {"admin b sha256:" + hex.substr(1), "line 1: digest is none: expected sha256:"},
      {"admin b sha256:" + hex.substr(1) + "x", "line 1: digest is none: expected sha256:"},
      {"admin b! " + kAdmin, "line 1: name is none"},
      {good + "admin a " + kAdmin, "line 2: name stands twice"},
      {good + "admin b " + kView, "line 2: token stands twice"},
  };
  for (const auto& [text, message] : cases) {
    const auto tokens = ParseTokens(text);
    ASSERT_FALSE(tokens) << text;
    EXPECT_THAT(tokens.error().message, testing::StartsWith(message)) << text;
    EXPECT_THAT(tokens.error().message, Not(HasSubstr(kAdmin))) << text;
    EXPECT_THAT(tokens.error().message, Not(HasSubstr(hex.substr(1)))) << text;
  }
}

}  // namespace
}  // namespace kiln::scheduler

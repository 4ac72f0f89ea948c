// What the commands make of answers that are not those of an API in good order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <mutex>
#include <sstream>
#include <thread>

#include "base/file.h"
#include "cli/commands/program.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

class ClientTest : public testing::Test {
 protected:
  using Answer = std::function<std::optional<net::Response>(const net::Request&)>;

  ClientTest() : thread_([this] { loop_.Run(); }) {
    std::string folder = std::filesystem::temp_directory_path() / "kiln-client-XXXXXX";
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  ~ClientTest() override {
    loop_.Stop();
    thread_.join();
    open_.clear();
    std::filesystem::remove_all(folder_);
  }

  void SetAnswer(Answer answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
    asked_.clear();
  }
  void SetAnswer(int status, const std::string& body) {
    SetAnswer([=](const net::Request&) { return net::Response{status, {}, body}; });
  }
  Outcome Kiln(std::vector<std::string> arguments) {
    std::ostringstream out, err;
    const int code =
        cli::Run({"kiln", std::move(arguments), {{"KILN_API", url_}}, out, err, false});
    return {code, out.str(), err.str()};
  }
  std::string File(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFile(folder_ / name, text));
    return folder_ / name;
  }
  std::vector<std::string> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  net::Loop loop_;
  std::mutex mutex_;
  Answer answer_;
  std::vector<std::string> asked_;  // methods
  std::vector<std::shared_ptr<net::Exchange>> open_;
  std::unique_ptr<net::Server> server_ =
      net::Server::Listen(loop_, {}, [this](std::shared_ptr<net::Exchange> exchange) {
        const std::lock_guard lock(mutex_);
        asked_.push_back(exchange->request().method);
        auto answer = answer_(exchange->request());
        if (answer) return exchange->Respond(*std::move(answer));
        open_.push_back(std::move(exchange));
      }).value();
  const std::string url_ = "http://" + server_->address();
  std::filesystem::path folder_;
  std::thread thread_;
};

TEST_F(ClientTest, AnswersThatAreNotKilnsAreTold) {
  for (const std::string body :
       {"[]", "\"x\"", "{}", "{\"jobs\":[1]}", "{\"jobs\":{}}", "<html>", "{\"agents\":[{}]}"}) {
    SetAnswer(200, body);
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             {"job", "list"}, {"job", "show", "x"}, {"agent", "list"}}) {
      const Outcome outcome = Kiln(arguments);
      EXPECT_EQ(outcome.code, 70) << body << arguments[0];
      EXPECT_THAT(outcome.err, StartsWith("error: answer of " + url_));
      EXPECT_THAT(outcome.err, HasSubstr(" is not Kiln's: "));
    }
  }
  SetAnswer(200, "{\"jobs\":[1]}");
  EXPECT_EQ(Kiln({"job", "list"}).err, "error: answer of " + url_ +
                                           "/v1/jobs is not Kiln's: expected a list of objects, "
                                           "\"jobs\"\n");
}

TEST_F(ClientTest, ErrorsOfOthersGiveANextStep) {
  for (const std::string body : {"<html>no</html>", R"({"error":{"code":404,"message":"no"}})",
                                 R"({"error":"no"})", R"({"error":{}})", "[]"}) {
    const std::tuple<int, int, std::string> cases[] = {
        {401, 77, "error: authentication failed, please run `dcos auth login`\n"},
        {403, 77, "you are not authorized to perform this operation"},
        {404, 66, "answers 404: expected Kiln there, check the address or --name"},
        {502, 69, "answers 502: the service may be starting, try again"}};
    for (const auto& [status, code, text] : cases) {
      SetAnswer(status, body);
      for (const auto& arguments : std::vector<std::vector<std::string>>{
               {"job", "list"}, {"job", "log", "x"}, {"artifact", "get", "x", folder_ / "x"}}) {
        const Outcome outcome = Kiln(arguments);
        EXPECT_EQ(outcome.code, code);
        EXPECT_THAT(outcome.err, HasSubstr(text));
      }
    }
  }
}

TEST_F(ClientTest, KilnsOwnErrorIsTold) {
  SetAnswer(403, R"({"error":{"code":"PERMISSION_DENIED","message":"job is not yours"}})");
  const std::string file = File("x", "1");
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"job", "list"},
                                                                     {"job", "log", "x"},
                                                                     {"artifact", "get", "x", file},
                                                                     {"artifact", "put", file, "x"},
                                                                     {"artifact", "list"}}) {
    const Outcome outcome = Kiln(arguments);
    EXPECT_EQ(outcome.code, 77);
    EXPECT_EQ(outcome.err, "error: job is not yours\n");
  }
  EXPECT_EQ(ReadFile(file).value(), "1");
}

TEST_F(ClientTest, AnApiWithTooManyRequestsIsAskedAgain) {
  // The second of each method is answered.
  const auto busy = [counts = std::map<std::string, int>()](const net::Request& request) mutable {
    if (++counts[request.method] % 2 == 1) return net::Response{429, {{"Retry-After", "0"}}, "no"};
    return net::Response{
        200, {{"X-Kiln-Digest", "d"}}, request.method == "GET" ? "{\"jobs\":[]}" : ""};
  };
  const std::string file = File("x", "1");
  SetAnswer(busy);
  EXPECT_EQ(Kiln({"job", "list"}).code, 0);
  EXPECT_THAT(asked(), ElementsAre("GET", "GET"));
  SetAnswer(busy);
  EXPECT_EQ(Kiln({"job", "log", "x"}).out, "{\"jobs\":[]}");
  EXPECT_THAT(asked(), ElementsAre("GET", "GET"));
  SetAnswer(busy);
  EXPECT_EQ(Kiln({"artifact", "put", file, "x"}).err, "");
  EXPECT_THAT(asked(), ElementsAre("HEAD", "HEAD", "PUT", "PUT"));
  SetAnswer(busy);
  EXPECT_EQ(Kiln({"artifact", "get", "x", file}).err, "");
  EXPECT_THAT(asked(), ElementsAre("HEAD", "HEAD", "GET", "GET"));
  EXPECT_EQ(ReadFile(file).value(), "{\"jobs\":[]}");
}

constexpr const char* kJob =
    "name: a\nkind: service\ngroups:\n- {name: main, run: {command: sleep 60}}\n";

TEST_F(ClientTest, AWaitEndsInTimeWhenTheSchedulerHangs) {
  const auto only = [](const std::string& method) {
    return [=](const net::Request& request) -> std::optional<net::Response> {
      if (request.method == method) return net::Response{201, {}, "{}"};
      return std::nullopt;
    };
  };
  const auto start = std::chrono::steady_clock::now();
  for (const char* method : {"POST", "none"}) {
    SetAnswer(only(method));
    const Outcome outcome =
        Kiln({"job", "submit", File("a.yaml", kJob), "--wait", "--timeout", "1s"});
    EXPECT_EQ(outcome.code, 69);
    EXPECT_THAT(outcome.err, StartsWith("error: no answer from " + url_));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(9));
}

TEST_F(ClientTest, AQuestionThatTookTooLongIsAskedAgain) {
  SetAnswer([late = true](const net::Request& request) mutable {
    if (request.method == "POST") return net::Response{201, {}, "{}"};
    if (std::exchange(late, false)) {
      return net::Response{504, {}, R"({"error":{"code":"DEADLINE_EXCEEDED","message":"late"}})"};
    }
    return net::Response{
        200, {}, R"({"kind":"service","phase":"RUNNING","running":1,"members":1,"finished":0})"};
  });
  const Outcome outcome = Kiln({"job", "submit", File("a.yaml", kJob), "--wait"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "late: asking again\na RUNNING, 1 of 1 running, 0 finished\n");
}

}  // namespace
}  // namespace kiln::cli

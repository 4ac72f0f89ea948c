// The server over a socket, with a blocking client on another thread.
#include "executor/serving/model_server.h"

#include <gtest/gtest.h>

#include <thread>

#include "wire/net/client.h"
#include "wire/net/loop.h"

namespace kiln::executor {
namespace {

TEST(ModelServerTest, AnswersSmallAndLargeRequestsAndRefusesHugeOnes) {
  net::Loop loop;
  const auto catalog = std::make_shared<Catalog>();
  catalog->Publish(
      std::make_shared<ServedVersion>("m", 1, Model{{"a"}, "t", {}, Affine{{1}, {0.5f}}}));
  auto server = ModelServer::Start(loop, {.body_limit = 1 << 20}, catalog);
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ((*server)->address(), "127.0.0.1:" + std::to_string((*server)->port()));

  std::string many = R"({"instances": [)";
  for (int i = 0; i < 20'000; ++i) many += std::to_string(i) + ",";
  many += "1]}";
  std::vector<Result<net::Response>> answers;
  std::jthread client([&] {
    const std::string url = "http://" + (*server)->address();
    const auto post = [&](const std::string& body) {
      answers.push_back(net::Fetch(url + "/v1/models/m:predict", {.method = "POST", .body = body}));
    };
    post(R"({"instances": [1, 2]})");
    post(many);
    post(std::string(2 << 20, ' '));
    answers.push_back(net::Fetch(url + "/monitoring/prometheus/metrics"));
    loop.Stop();
  });
  loop.Run();
  client.join();

  for (const auto& answer : answers) ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answers[0]->status, 200);
  EXPECT_EQ(answers[0]->body, "{\n    \"predictions\": [1.5, 2.5\n    ]\n}");
  EXPECT_EQ(answers[1]->status, 200);
  EXPECT_EQ(std::count(answers[1]->body.begin(), answers[1]->body.end(), ','), 20'000);
  EXPECT_EQ(answers[2]->status, 413);
  EXPECT_EQ(answers[2]->body,
            "{\n    \"error\": \"the body is too large, expected at most 1048576 bytes\"\n}");
  EXPECT_NE(answers[3]->body.find(
                ":tensorflow:serving:request_count{model_name=\"m\",status=\"OK\"} 2\n"),
            std::string::npos);
}

TEST(ModelServerTest, APortInUseIsToldOf) {
  net::Loop loop;
  const auto catalog = std::make_shared<Catalog>();
  const auto first = ModelServer::Start(loop, {}, catalog);
  ASSERT_TRUE(first.has_value());
  const auto second = ModelServer::Start(loop, {.port = (*first)->port()}, catalog);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace kiln::executor

// Every byte that a real master and agent sent on the connections of one scheduler and one
// executor, fed to the clients whole, byte by byte and cut at random places.
#include <gmock/gmock.h>

#include "wire/mesos/base64.h"
#include "wire/mesos/executor_subscription.h"
#include "wire/mesos/recordings_for_test.h"
#include "wire/mesos/scheduler_subscription.h"
#include "wire/net/parser.h"

namespace kiln::wire {
namespace {

using nlohmann::json;

// The client's end of a streaming connection: HTTP bytes in, JSON of the delivered events out.
class Reader : public net::MessageEvents {
 public:
  explicit Reader(Subscription& subscription)
      : subscription_(subscription),
        parser_(net::MessageParser::Make(net::MessageParser::Kind::kAnswer, *this, 64 << 10)) {
    subscription_.Start();
    subscription_.OnTimer({});
    subscription_.OnConnected({});
  }

  void Put(std::string_view bytes) {
    input_ += bytes;
    const auto taken = parser_->Put(input_);
    ASSERT_TRUE(taken) << taken.error().message;
    input_.erase(0, *taken);
    if (!parser_->Done() || ended_) return;
    ended_ = true;
    Note(subscription_.OnStreamEnd({}));
  }

  Status OnHead(net::MessageHead head) override {
    Note(subscription_.OnHead(head.status, head.headers, {}));
    return {};
  }
  Status OnBody(std::string_view piece) override {
    Note(subscription_.OnBytes(piece, {}));
    return {};
  }

  std::vector<json> events;
  std::vector<std::string> ends;

 private:
  void Note(const Actions& actions) {
    for (const Action& action : actions) {
      if (const auto* deliver = std::get_if<Deliver>(&action)) {
        std::visit([&](const auto& event) { events.push_back(json::parse(ToJson(event))); },
                   deliver->event);
      } else if (const auto* end = std::get_if<Disconnected>(&action)) {
        ends.push_back(end->why.message);
      }
    }
  }

  Subscription& subscription_;
  std::unique_ptr<net::MessageParser> parser_;
  std::string input_;
  bool ended_ = false;
};

class Replay : public RecordingsTest {
 protected:
  static std::string BytesIn(const json& scenario, const std::string& connection) {
    std::string bytes;
    for (const auto& one : scenario["raw_connections"]) {
      if (one["connection"] != connection) continue;
      for (const auto& piece : one["bytes"]) {
        if (piece["direction"] != "in") continue;
        bytes += *DecodeBase64(piece["base64"].get<std::string>());
      }
    }
    return bytes;
  }

  // Values of a run stand where the steps have placeholders: what is there, without those values.
  static json Blank(const json& expected, const json& found) {
    if (expected.is_string() && expected.get<std::string>().find("${") != std::string::npos) {
      return expected;
    }
    json blank = found;
    if (expected.is_object() && found.is_object()) {
      for (auto& [key, value] : blank.items()) {
        if (expected.contains(key)) value = Blank(expected[key], value);
      }
    } else if (expected.is_array() && found.is_array() && expected.size() == found.size()) {
      for (size_t i = 0; i < blank.size(); ++i) blank[i] = Blank(expected[i], found[i]);
    }
    return blank;
  }

  static std::vector<json> Expected(const json& scenario, const std::string& connection) {
    std::vector<json> events;
    for (const auto& step : scenario["steps"]) {
      if (step.value("stream", "") != connection) continue;
      for (const auto& event : step["events"]) {
        if (event.contains("json")) events.push_back(event["json"]);
      }
    }
    return events;
  }

  static void ExpectSame(std::vector<json> found, const std::vector<json>& expected,
                         bool json_wire) {
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      json blank = Blank(expected[i], found[i]);
      if (json_wire) {
        EXPECT_EQ(blank, expected[i]);
      } else {
        // The step shows the fields that were set; JSON also prints defaults.
        const json difference = json::diff(expected[i], blank);
        for (const auto& one : difference) EXPECT_EQ(one["op"], "add") << one << expected[i];
      }
    }
  }

  template <typename Make>
  void Run(const std::string& name, const std::string& connection, const std::string& end,
           Make make) {
    const json scenario = Load(name).at(0);
    const bool json_wire = name == "00-raw-json";
    const std::string bytes = BytesIn(scenario, connection);
    const auto expected = Expected(scenario, connection);
    ASSERT_GT(expected.size(), 4u);
    Random random(3);
    for (int round = 0; round < 40; ++round) {
      auto subscription = make(json_wire ? Encoding::kJson : Encoding::kProtobuf);
      Reader reader(*subscription);
      for (size_t at = 0; at < bytes.size();) {
        const size_t size = round == 0   ? bytes.size()
                            : round == 1 ? 1
                                         : 1 + random.Below(random.Below(2) == 0 ? 8 : 2000);
        reader.Put(std::string_view(bytes).substr(at, size));
        at += size;
      }
      ExpectSame(reader.events, expected, json_wire);
      EXPECT_EQ(reader.ends,
                (end.empty() ? std::vector<std::string>{} : std::vector<std::string>{end}));
    }
  }

  void Scheduler(const std::string& name) {
    Run(name, "A", "the stream ended", [](Encoding encoding) {
      SchedulerClientOptions options;
      options.masters = {"127.0.0.1:5050"};
      options.encoding = encoding;
      return std::make_unique<SchedulerSubscription>(
          options, [] { return mesos::v1::scheduler::Call::Subscribe(); }, 1);
    });
  }
  void Executor(const std::string& name) {
    Run(name, "E", "", [](Encoding encoding) {
      ExecutorEnvironment environment;
      environment.agent_endpoint = "127.0.0.1:5051";
      return std::make_unique<ExecutorSubscription>(
          environment, encoding, [] { return mesos::v1::executor::Call::Subscribe(); }, 1);
    });
  }
};

TEST_F(Replay, SchedulerReadsTheJsonStream) { Scheduler("00-raw-json"); }
TEST_F(Replay, SchedulerReadsTheProtobufStream) { Scheduler("00-raw-protobuf"); }
TEST_F(Replay, ExecutorReadsTheJsonStream) { Executor("00-raw-json"); }
TEST_F(Replay, ExecutorReadsTheProtobufStream) { Executor("00-raw-protobuf"); }

}  // namespace
}  // namespace kiln::wire

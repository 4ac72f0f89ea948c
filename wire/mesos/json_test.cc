#include "wire/mesos/json.h"

#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/util/message_differencer.h>

#include <limits>

#include "proto/mesos/v1/agent.pb.h"
#include "proto/mesos/v1/executor.pb.h"
#include "proto/mesos/v1/master.pb.h"
#include "proto/mesos/v1/mesos.pb.h"
#include "proto/mesos/v1/scheduler.pb.h"
#include "wire/mesos/base64.h"
#include "wire/mesos/read_for_test.h"
#include "wire/mesos/recordings_for_test.h"

namespace kiln::wire {
namespace {

using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;
using nlohmann::json;

template <typename T>
std::string ReadError(const std::string& text) {
  T message;
  const auto status = FromJson(text, message);
  return status ? "no error" : status.error().message;
}

TEST(MesosJson, PrintsSetFieldsAndExplicitDefaultsButNotDeprecatedOnes) {
  mesos::v1::FrameworkInfo framework;
  framework.set_user("root");
  framework.set_name("a \"b\" \\ \n \x01 \xc3\xa9/");
  EXPECT_EQ(ToJson(framework), R"({"user":"root","name":"a \"b\" \\ \n \u0001 )"
                               "\xc3\xa9"
                               R"(/","failover_timeout":0.0,"checkpoint":false})");

  mesos::v1::TaskInfo task;
  task.set_name("t");
  task.mutable_task_id()->set_value("t1");
  task.mutable_agent_id()->set_value("a");
  task.set_data(std::string("\0\1\2\xff", 4));
  task.mutable_command()->add_uris()->set_value("/x");
  task.mutable_max_completion_time()->set_nanoseconds(int64_t{1} << 60);
  (*task.mutable_limits())["mem"].set_value(2.5);
  (*task.mutable_limits())["cpus"].set_value(std::numeric_limits<double>::infinity());
  EXPECT_EQ(ToJson(task),
            R"({"name":"t","task_id":{"value":"t1"},"agent_id":{"value":"a"},"data":"AAEC/w==",)"
            R"("command":{"uris":[{"value":"/x","extract":true}],"shell":true},)"
            R"("max_completion_time":{"nanoseconds":1152921504606846976},)"
            R"("limits":{"cpus":{"value":Infinity},"mem":{"value":2.5}}})");
}

TEST(MesosJson, CallsHaveNamesForEnumsObjectsForMessagesAndListsForRepeatedFields) {
  using mesos::v1::scheduler::Call;
  Call accept;
  accept.set_type(Call::ACCEPT);
  accept.mutable_framework_id()->set_value("f");
  accept.mutable_accept()->add_offer_ids()->set_value("o");
  accept.mutable_accept()->mutable_filters()->set_refuse_seconds(0);
  auto& operation = *accept.mutable_accept()->add_operations();
  operation.set_type(mesos::v1::Offer::Operation::LAUNCH);
  auto& task = *operation.mutable_launch()->add_task_infos();
  task.set_name("n");
  task.mutable_task_id()->set_value("t");
  task.mutable_agent_id()->set_value("a");
  auto& cpus = *task.add_resources();
  cpus.set_name("cpus");
  cpus.set_type(mesos::v1::Value::SCALAR);
  cpus.mutable_scalar()->set_value(2);
  (*task.mutable_limits())["cpus"].set_value(4);
  EXPECT_EQ(
      ToJson(accept),
      R"({"framework_id":{"value":"f"},"type":"ACCEPT","accept":{"offer_ids":[{"value":"o"}],)"
      R"("operations":[{"type":"LAUNCH","launch":{"task_infos":[{"name":"n","task_id":)"
      R"({"value":"t"},"agent_id":{"value":"a"},"resources":[{"name":"cpus","type":"SCALAR",)"
      R"("scalar":{"value":2.0}}],"limits":{"cpus":{"value":4.0}}}]}}],)"
      R"("filters":{"refuse_seconds":0.0}}})");
  Call revive;
  revive.set_type(Call::REVIVE);
  revive.mutable_revive()->add_roles("r");
  EXPECT_EQ(ToJson(revive), R"({"type":"REVIVE","revive":{"roles":["r"]}})");
}

TEST(MesosJson, PrintsEmptyListsOnlyInTheOperatorAnswersThatMesosPrintsThemIn) {
  mesos::v1::master::Response response;
  response.set_type(mesos::v1::master::Response::GET_STATE);
  auto* state = response.mutable_get_state();
  state->mutable_get_tasks();
  state->mutable_get_executors();
  state->mutable_get_frameworks();
  state->mutable_get_agents();
  EXPECT_EQ(ToJson(response),
            R"({"type":"GET_STATE","get_state":{)"
            R"("get_tasks":{"tasks":[],"completed_tasks":[],"unreachable_tasks":[]},)"
            R"("get_executors":{"executors":[]},)"
            R"("get_frameworks":{"frameworks":[],"completed_frameworks":[]},)"
            R"("get_agents":{"agents":[],"recovered_agents":[]}}})");
  response.Clear();
  response.set_type(mesos::v1::master::Response::GET_OPERATIONS);
  response.mutable_get_operations();
  EXPECT_EQ(ToJson(response), R"({"type":"GET_OPERATIONS","get_operations":{}})");
}

TEST(MesosJson, PrintsDoublesAsMesosDoes) {
  const std::pair<double, const char*> cases[] = {
      {0, "0.0"},
      {1, "1.0"},
      {-15, "-15.0"},
      {0.1, "0.1"},
      {0.1 + 0.2, "0.30000000000000004"},
      {1784343545.1234567, "1784343545.1234567"},
      {4096, "4096.0"},
      {1e20, "100000000000000000000.0"},
      {1e21, "1e21"},
      {-1.5e300, "-1.5e300"},
      {0.000001, "0.000001"},
      {1.5e-7, "1.5e-7"},
      {std::numeric_limits<double>::infinity(), "Infinity"},
      {-std::numeric_limits<double>::infinity(), "-Infinity"},
      {std::numeric_limits<double>::quiet_NaN(), "NaN"},
  };
  for (const auto& [value, text] : cases) {
    mesos::v1::Value::Scalar scalar;
    scalar.set_value(value);
    EXPECT_EQ(ToJson(scalar), std::string("{\"value\":") + text + "}");
  }
}

TEST(MesosJson, ReadsWhatMesosTolerates) {
  using mesos::v1::FrameworkInfo;
  const std::string start = R"({"user":"u","name":"n",)";
  EXPECT_EQ(Read<FrameworkInfo>(start + R"("failover_timeout":"12.5","checkpoint":"true"})")
                .failover_timeout(),
            12.5);
  EXPECT_TRUE(Read<FrameworkInfo>(start + R"("checkpoint":"true"})").checkpoint());
  EXPECT_EQ(Read<FrameworkInfo>(start + R"("failover_timeout":"-Infinity"})").failover_timeout(),
            -std::numeric_limits<double>::infinity());
  EXPECT_FALSE(Read<FrameworkInfo>(start + R"("id":null,"no_such_key":[{}]})").has_id());
  EXPECT_EQ(Read<FrameworkInfo>(start + R"("roles":"lone"})").roles(0), "lone");
  EXPECT_EQ(Read<FrameworkInfo>(start + R"("capabilities":{"type":"MULTI_ROLE"}})")
                .capabilities(0)
                .type(),
            FrameworkInfo::Capability::MULTI_ROLE);
  const auto unknown = Read<FrameworkInfo>(start + R"("capabilities":[{"type":"FUTURE"}]})");
  EXPECT_FALSE(unknown.capabilities(0).has_type());
  EXPECT_FALSE(Read<mesos::v1::scheduler::Call>(R"({"type":"NONSENSE"})").has_type());
  EXPECT_EQ(Read<mesos::v1::TimeInfo>(R"({"nanoseconds":"1234567890123456789"})").nanoseconds(),
            1234567890123456789);
  EXPECT_EQ(Read<mesos::v1::TimeInfo>(R"({"nanoseconds":1e30})").nanoseconds(),
            std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Read<mesos::v1::Secret::Value>("{\"data\":\" AA\\nEC/w \"}").data(),
            std::string("\0\1\2\xff", 4));
  EXPECT_EQ(
      Read<mesos::v1::TaskInfo>(R"({"name":"","task_id":{"value":"t"},"agent_id":{"value":"a"},)"
                                R"("limits":{"cpus":{"value":2.0}}})")
          .limits()
          .at("cpus")
          .value(),
      2.0);
}

TEST(MesosJson, RefusesWithMesossWords) {
  using mesos::v1::scheduler::Call;
  const std::pair<std::string, std::string> cases[] = {
      {"", "Failed to parse body into JSON: syntax error at line 1 near: "},
      {"hello", "Failed to parse body into JSON: syntax error at line 1 near: hello"},
      {"{\"type\":\n,}", "Failed to parse body into JSON: syntax error at line 2 near: ,}"},
      {"{} x ",
       "Failed to parse body into JSON: Parsed JSON included non-whitespace trailing "
       "characters:  x"},
      {"{\"a\":[\"}\\\"\"]}x",
       "Failed to parse body into JSON: Parsed JSON included non-whitespace "
       "trailing characters: x"},
      {"\"a b\" 1 ",
       "Failed to parse body into JSON: Parsed JSON included non-whitespace trailing "
       "characters:  1"},
      {"{\"type\":1e999}", "Failed to parse body into JSON: Value out of range"},
      {"[]", "Failed to convert JSON into Call protobuf: Expecting a JSON object"},
      {R"({"type":1})",
       "Failed to convert JSON into Call protobuf: Not expecting a JSON number for field 'type'"},
      {R"({"type":true})",
       "Failed to convert JSON into Call protobuf: Not expecting a JSON boolean for field 'type'"},
      {R"({"type":["KILL"]})",
       "Failed to convert JSON into Call protobuf: Not expecting a JSON array for field 'type'"},
      {R"({"subscribe":"yes"})",
       "Failed to convert JSON into Call protobuf: Not expecting a JSON string for field "
       "'subscribe'"},
      {R"({"kill":{}})",
       "Failed to convert JSON into Call protobuf: Missing required fields: kill.task_id"},
      {R"({"decline":{"filters":{"refuse_seconds":"soon"}}})",
       "Failed to convert JSON into Call protobuf: Failed to parse 'soon' as a JSON number for "
       "field 'refuse_seconds': syntax error at line 1 near: soon"},
      {R"({"decline":{"filters":{"refuse_seconds":"[]"}}})",
       "Failed to convert JSON into Call protobuf: Failed to parse '[]' as a JSON number for "
       "field 'refuse_seconds': Unexpected JSON type parsed"},
  };
  for (const auto& [text, error] : cases) EXPECT_EQ(ReadError<Call>(text), error) << text;
  EXPECT_EQ(ReadError<Call>(std::string(100000, '[')).rfind("Failed to parse body into JSON", 0),
            0);
}

TEST(MesosJson, TellsMediaTypesByteForByte) {
  EXPECT_EQ(EncodingOf("application/json"), Encoding::kJson);
  EXPECT_EQ(EncodingOf("application/x-protobuf"), Encoding::kProtobuf);
  for (const char* other :
       {"", "application/json; charset=utf-8", "Application/JSON", "text/json"}) {
    EXPECT_EQ(EncodingOf(other), std::nullopt) << other;
  }
}

TEST(Base64, DecodesWhatItEncodes) {
  for (int size = 0; size < 70; ++size) {
    std::string bytes;
    for (int i = 0; i < size; ++i) bytes += static_cast<char>(i * 37 + size);
    EXPECT_EQ(*DecodeBase64(EncodeBase64(bytes)), bytes);
  }
  EXPECT_EQ(EncodeBase64("abcd"), "YWJjZA==");
  EXPECT_EQ(*DecodeBase64("YWJjZA"), "abcd");
  EXPECT_EQ(DecodeBase64("YW-j").error().message, "Invalid character '-'");
}

// A field that the .proto files do not name, anywhere in the message.
bool HasUnknownField(const Message& message) {
  const auto* reflection = message.GetReflection();
  if (!reflection->GetUnknownFields(message).empty()) return true;
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->message_type() == nullptr) continue;
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (HasUnknownField(field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                               : reflection->GetMessage(message, field))) {
        return true;
      }
    }
  }
  return false;
}

// ---- against the recordings

class MesosJsonRecorded : public RecordingsTest {
 protected:
  // Reads and writes the value again; the same must come out, and bytes must carry it too.
  static void RoundTrip(const json& value, Message& message, const std::string& where) {
    const json expected = Numbered(value);
    const auto status = FromJson(expected.dump(), message);
    ASSERT_TRUE(status) << where << ": " << status.error().message << " in " << expected;
    const std::string printed = ToJson(message);
    ASSERT_EQ(json::parse(printed), expected) << where;
    std::unique_ptr<Message> copy(message.New());
    ASSERT_TRUE(Parse(Encoding::kProtobuf, Serialize(Encoding::kProtobuf, message), *copy));
    ASSERT_TRUE(MessageDifferencer::Equals(message, *copy)) << where;
  }
};

TEST_F(MesosJsonRecorded, EveryStreamedEventComesOutAsItWentIn) {
  int count = 0;
  for (const auto& scenario : Load("")) {
    std::map<std::string, std::string> path;  // connection -> path of its stream
    for (const auto& step : scenario["steps"]) {
      if (step.contains("request") && step["answer"].value("stream", false)) {
        path[step["request"]["connection"]] = step["request"].value("path", "");
      }
      if (!step.contains("stream")) continue;
      const std::string where = scenario["name"].get<std::string>() + " " + step.dump();
      for (const auto& event : step["events"]) {
        if (!event.contains("json") || event.contains("protobuf_base64")) continue;
        mesos::v1::scheduler::Event scheduler;
        mesos::v1::executor::Event executor;
        mesos::v1::master::Event master;
        const std::string& target = path[step["stream"]];
        Message* message = &master;
        if (target.find("scheduler") != std::string::npos) message = &scheduler;
        if (target.find("executor") != std::string::npos) message = &executor;
        RoundTrip(event["json"], *message, where);
        ++count;
      }
    }
  }
  EXPECT_GT(count, 300);
}

TEST_F(MesosJsonRecorded, EveryOperatorAnswerComesOutAsItWentIn) {
  int count = 0;
  for (const auto& scenario : Load("")) {
    for (const auto& step : scenario["steps"]) {
      if (!step.contains("answer") || !step["answer"].contains("json")) continue;
      if (step["request"].value("path", "") != "/api/v1") continue;
      // Its recording has a placeholder in the place of a message.
      if (step["answer"]["json"]["type"] == "LIST_FILES") continue;
      const bool agent = step["request"]["to"].get<std::string>().rfind("agent", 0) == 0;
      mesos::v1::master::Response from_master;
      mesos::v1::agent::Response from_agent;
      RoundTrip(step["answer"]["json"], agent ? static_cast<Message&>(from_agent) : from_master,
                scenario["name"].get<std::string>() + " " + step["request"].dump());
      ++count;
    }
  }
  EXPECT_GT(count, 30);
}

TEST_F(MesosJsonRecorded, ProtobufEventsHoldWhatTheirJsonSays) {
  int count = 0;
  for (const auto& scenario : Load("")) {
    for (const auto& step : scenario["steps"]) {
      for (const auto& event : step.value("events", json::array())) {
        if (!event.contains("protobuf_base64")) continue;
        const bool executor = step["stream"].get<std::string>()[0] == 'E';
        mesos::v1::scheduler::Event one;
        mesos::v1::executor::Event other;
        Message& message = executor ? static_cast<Message&>(other) : one;
        const std::string bytes = *DecodeBase64(event["protobuf_base64"].get<std::string>());
        ASSERT_TRUE(Parse(Encoding::kProtobuf, bytes, message)) << event;
        EXPECT_FALSE(HasUnknownField(message)) << message.DebugString();
        const json printed = json::parse(ToJson(message));
        EXPECT_EQ(printed["type"], event["json"]["type"]);
        for (const auto& [key, value] : event["json"].items()) {
          EXPECT_EQ(printed.contains(key), true) << key;
        }
        ++count;
      }
    }
  }
  EXPECT_GT(count, 20);
}

TEST_F(MesosJsonRecorded, BadBodiesAreRefusedWithTheRecordedText) {
  int count = 0;
  for (const auto& scenario : Load("0")) {
    for (const auto& step : scenario["steps"]) {
      if (!step.contains("answer") || step["answer"].value("status", 0) != 400) continue;
      const std::string text = step["answer"].value("text", "");
      if (text.rfind("Failed to parse body", 0) != 0 && text.rfind("Failed to convert", 0) != 0) {
        continue;
      }
      const auto& request = step["request"];
      const auto encoding = EncodingOf(request["headers"].value("Content-Type", ""));
      if (!encoding) continue;
      std::string body = request.contains("text") ? request["text"].get<std::string>()
                                                  : Numbered(request.value("json", json())).dump();
      if (request.contains("base64")) body = *DecodeBase64(request["base64"].get<std::string>());
      mesos::v1::scheduler::Call scheduler;
      mesos::v1::executor::Call executor;
      mesos::v1::master::Call master;
      Message* message = &master;
      const std::string path = request["path"];
      if (path.find("scheduler") != std::string::npos) message = &scheduler;
      if (path.find("executor") != std::string::npos) message = &executor;
      const auto status = Parse(*encoding, body, *message);
      ASSERT_FALSE(status) << step;
      EXPECT_EQ(status.error().message, text) << step;
      ++count;
    }
  }
  EXPECT_GT(count, 40);
}

}  // namespace
}  // namespace kiln::wire

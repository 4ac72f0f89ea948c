#include "tests/mesos/messages.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "proto/mesos/v1/agent.pb.h"
#include "proto/mesos/v1/executor.pb.h"
#include "proto/mesos/v1/master.pb.h"
#include "proto/mesos/v1/scheduler.pb.h"
#include "wire/mesos/base64.h"
#include "wire/mesos/json.h"

namespace kiln::replay {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// `index` is -1 for a field that is not repeated.
Json ValueOf(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection& reflection = *message.GetReflection();
  const auto get = [&](auto single, auto repeated) {
    return index < 0 ? (reflection.*single)(message, field)
                     : (reflection.*repeated)(message, field, index);
  };
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return get(&Reflection::GetFloat, &Reflection::GetRepeatedFloat);
    case FieldDescriptor::CPPTYPE_BOOL:
      return get(&Reflection::GetBool, &Reflection::GetRepeatedBool);
    case FieldDescriptor::CPPTYPE_ENUM:
      return get(&Reflection::GetEnum, &Reflection::GetRepeatedEnum)->name();
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = get(&Reflection::GetString, &Reflection::GetRepeatedString);
      return field->type() == FieldDescriptor::TYPE_BYTES ? wire::EncodeBase64(text) : text;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToJsonOfSetFields(index < 0 ? reflection.GetMessage(message, field)
                                         : reflection.GetRepeatedMessage(message, field, index));
  }
  return {};
}

}  // namespace

Api ApiOf(const std::string& to, const std::string& path) {
  if (path.find("/api/v1/scheduler") != std::string::npos) return Api::kScheduler;
  if (path.find("/api/v1/executor") != std::string::npos) return Api::kExecutor;
  return to == "master" ? Api::kMasterOperator : Api::kAgentOperator;
}

std::unique_ptr<Message> NewMessage(Api api, Role role) {
  using namespace mesos::v1;
  switch (api) {
    case Api::kScheduler:
      if (role == Role::kCall) return std::make_unique<scheduler::Call>();
      if (role == Role::kAnswer) return std::make_unique<scheduler::Response>();
      return std::make_unique<scheduler::Event>();
    case Api::kExecutor:
      if (role == Role::kCall) return std::make_unique<executor::Call>();
      return std::make_unique<executor::Event>();
    case Api::kMasterOperator:
      if (role == Role::kCall) return std::make_unique<master::Call>();
      if (role == Role::kAnswer) return std::make_unique<master::Response>();
      return std::make_unique<master::Event>();
    case Api::kAgentOperator:
      break;
  }
  if (role == Role::kCall) return std::make_unique<agent::Call>();
  return std::make_unique<agent::Response>();
}

Json ToJsonOfSetFields(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  Json json = Json::object();
  for (const FieldDescriptor* field : fields) {
    if (!field->is_repeated()) {
      json[field->name()] = ValueOf(message, field, -1);
      continue;
    }
    Json& list = json[field->name()] = Json::array();
    const int size = message.GetReflection()->FieldSize(message, field);
    for (int i = 0; i < size; ++i) list.push_back(ValueOf(message, field, i));
  }
  return json;
}

Result<std::string> EncodeProtobuf(Api api, Role role, const Json& json) {
  const auto message = NewMessage(api, role);
  KILN_TRY_OK(wire::FromJson(json.dump(), *message));
  // FromJson drops what it does not know, which here is a hole in the message types.
  const Json back = ToJsonOfSetFields(*message);
  const Json patch = Json::diff(back, json);
  for (const Json& change : patch) {
    if (change["op"] != "add") continue;
    return Fail(ErrorCode::kInternal, "{} has no field for {}", message->GetTypeName(),
                change["path"].get<std::string>());
  }
  return message->SerializePartialAsString();
}

Result<Json> DecodeProtobuf(Api api, Role role, const std::string& bytes) {
  const auto message = NewMessage(api, role);
  if (!message->ParseFromString(bytes)) {
    return Fail(ErrorCode::kInvalidArgument, "{} bytes are no {}", bytes.size(),
                message->GetTypeName());
  }
  return ToJsonOfSetFields(*message);
}

}  // namespace kiln::replay

// The protobuf messages of the recordings as JSON with only the fields that are set, which is the
// form they have there, and back.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "tests/mesos/scenario.h"

namespace google::protobuf {
class Message;
}

namespace kiln::replay {

// Which API a request speaks to: it decides the message types.
enum class Api { kScheduler, kExecutor, kMasterOperator, kAgentOperator };

Api ApiOf(const std::string& to, const std::string& path);

enum class Role { kCall, kAnswer, kEvent };
// An empty message of that API.
std::unique_ptr<google::protobuf::Message> NewMessage(Api api, Role role);

Json ToJsonOfSetFields(const google::protobuf::Message& message);
// The bytes of a message given in JSON; an error names what the message types cannot express.
Result<std::string> EncodeProtobuf(Api api, Role role, const Json& json);
Result<Json> DecodeProtobuf(Api api, Role role, const std::string& bytes);

}  // namespace kiln::replay

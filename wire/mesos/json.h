// Mesos's JSON form of its protobuf messages, which is not protobuf's own: proto field names,
// enums as strings, bytes as base64, 64-bit integers as numbers, and unset fields with an explicit
// default written out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace google::protobuf {
class Message;
}

namespace kiln::wire {

enum class Encoding { kJson, kProtobuf };

// "application/json" or "application/x-protobuf".
const char* MediaType(Encoding encoding);
// Byte for byte: no parameters, no other case.
std::optional<Encoding> EncodingOf(std::string_view media_type);

// Fields in the order of the .proto. Empty lists are left out, but for the lists of tasks,
// executors, frameworks and agents in operator answers, where Mesos prints them.
std::string ToJson(const google::protobuf::Message& message);

// Replaces the message. As lenient as Mesos: unknown keys, null and unknown optional enum values
// are absent, numbers and booleans may be strings, a lone value is a list of one. The error
// message is the one that Mesos puts into its 400 answer.
Status FromJson(std::string_view text, google::protobuf::Message& message);

std::string Serialize(Encoding encoding, const google::protobuf::Message& message);
// Errors as FromJson's: the text of Mesos's 400 answer.
Status Parse(Encoding encoding, std::string_view bytes, google::protobuf::Message& message);

}  // namespace kiln::wire

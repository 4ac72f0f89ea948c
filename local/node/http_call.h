// What masters and agents do with every HTTP request before they look at the call in it, and with
// every answer: Mesos's checks, texts and headers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "wire/mesos/json.h"
#include "wire/net/http.h"

namespace google::protobuf {
class Message;
}

namespace kiln::local {

// libprocess closes no connection, and clients take the end of one for that of the master or agent.
constexpr Duration kIdle = std::chrono::hours(24 * 365);

// A plain text answer; 404, 501 and so on get libprocess's own text when `text` is nothing.
net::Response TextAnswer(int status, std::optional<std::string> text = std::nullopt);
net::Response JsonAnswer(std::string json);
net::Response MessageAnswer(wire::Encoding encoding, const google::protobuf::Message& message);

// 405 unless the method is one of these.
std::optional<net::Response> RefuseMethod(const net::Request& request,
                                          const std::vector<std::string>& methods = {"POST"});

struct DecodedCall {
  wire::Encoding encoding = wire::Encoding::kJson;  // of the request
  std::optional<net::Response> refusal;             // 400 or 415: then there is no call
};
// Method, Content-Type, body, in this order. `media_types` is what the 415 text says is expected.
DecodedCall DecodeCall(const net::Request& request, google::protobuf::Message& call,
                       std::string_view media_types = "application/json or application/x-protobuf");

// The encoding of the answer by the Accept header: JSON where both may be; none: 406.
std::optional<wire::Encoding> AcceptedEncoding(const net::Request& request);
bool Accepts(const net::Request& request, std::string_view media_type);
net::Response NotAcceptable();

// Compresses an answer of 1 KB and more when the client takes gzip.
void CompressFor(const net::Request& request, net::Response& response);

}  // namespace kiln::local

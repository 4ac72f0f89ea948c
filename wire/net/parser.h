// HTTP/1.1 messages out of bytes that come in any pieces. The door to Boost.Beast.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/net/http.h"

namespace kiln::net {

struct MessageHead {
  std::string method;  // requests
  std::string target;  // requests
  int status = 0;      // answers
  Headers headers;
  bool old_http = false;    // HTTP/1.0
  bool keep_alive = false;  // the connection may carry another message behind this one
  std::optional<uint64_t> content_length;
};

// Told what a parser finds. An Error ends the parsing: Put gives it back.
class MessageEvents {
 public:
  virtual ~MessageEvents() = default;
  virtual Status OnHead(MessageHead head) = 0;
  virtual Status OnBody(std::string_view piece) = 0;  // without chunk framing
};

// Parses one message; make another one for the next. Not for several threads at once.
class MessageParser {
 public:
  enum class Kind { kRequest, kAnswer, kAnswerToHead };
  // `events` outlives the parser. kResourceExhausted when the head exceeds header_limit bytes or
  // a thousand lines; of the field "target" while its first line goes on.
  static std::unique_ptr<MessageParser> Make(Kind kind, MessageEvents& events, size_t header_limit);
  virtual ~MessageParser() = default;

  // Takes bytes from the front; returns how many. The caller gives the rest again, with more behind
  // it, unless Done. An error (kInvalidArgument: no HTTP) ends it for good.
  virtual Result<size_t> Put(std::string_view bytes) = 0;
  // The peer sends no more: the end of a body without a length. Else kDataLoss.
  virtual Status PutEnd() = 0;
  virtual bool HasHead() const = 0;
  virtual bool Done() const = 0;
};

}  // namespace kiln::net

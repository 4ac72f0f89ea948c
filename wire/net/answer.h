// How an answer becomes bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wire/net/http.h"

namespace kiln::net {

enum class Framing {
  kLength,    // Content-Length
  kChunked,   // a stream
  kUntilEnd,  // a stream to a client of HTTP/1.0: the end of the connection ends it
  kNone,      // the status allows no body
};

// Status line and header lines with the blank line: Date first, then the lines of the handler as
// they are, then the framing.
std::string FormatAnswerHead(const Response& response, Framing framing, uint64_t length);
std::string FormatChunk(std::string_view piece);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// Request line and header lines; Host and Content-Length are added unless they are there.
std::string FormatRequestHead(const Request& request, std::string_view authority, uint64_t length);

}  // namespace kiln::net

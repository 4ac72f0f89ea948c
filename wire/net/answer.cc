#include "wire/net/answer.h"

#include <fmt/format.h>

#include <ctime>

namespace kiln::net {
namespace {

// RFC 1123, made once a second.
std::string_view DateLine() {
  thread_local time_t last = 0;
  thread_local char text[48];
  time_t now = time(nullptr);
  if (now != last) {
    tm parts;
    gmtime_r(&now, &parts);
    strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    last = now;
  }
  return text;
}

void AppendLines(const Headers& headers, std::string& out) {
  for (const auto& [name, value] : headers.Lines()) {
    out.append(name).append(": ").append(value).append("\r\n");
  }
}

}  // namespace

std::string FormatAnswerHead(const Response& response, Framing framing, uint64_t length) {
  std::string out =
      fmt::format("HTTP/1.1 {} {}\r\n", response.status, ReasonPhrase(response.status));
  if (!response.headers.Has("Date")) out += DateLine();
  AppendLines(response.headers, out);
  switch (framing) {
    case Framing::kLength:
      if (!response.headers.Has("Content-Length"))
        out += fmt::format("Content-Length: {}\r\n", length);
      break;
    case Framing::kChunked:
      if (!response.headers.Has("Transfer-Encoding")) out += "Transfer-Encoding: chunked\r\n";
      break;
    case Framing::kUntilEnd:
      if (!response.headers.Has("Connection")) out += "Connection: close\r\n";
      break;
    case Framing::kNone:
      break;
  }
  return out += "\r\n";
}

std::string FormatChunk(std::string_view piece) {
  return fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
}

std::string FormatRequestHead(const Request& request, std::string_view authority, uint64_t length) {
  std::string out = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
  if (!request.headers.Has("Host")) out += fmt::format("Host: {}\r\n", authority);
  AppendLines(request.headers, out);
  bool sized = request.headers.Has("Content-Length") || request.headers.Has("Transfer-Encoding");
  bool bare = length == 0 && (request.method == "GET" || request.method == "HEAD");
  if (!sized && !bare) out += fmt::format("Content-Length: {}\r\n", length);
  return out += "\r\n";
}

}  // namespace kiln::net

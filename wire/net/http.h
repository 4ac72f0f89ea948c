// HTTP/1.1 as values: what a request and an answer are. No sockets here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace kiln::net {

// Whether they are the same but for the case of ASCII letters.
bool SameName(std::string_view a, std::string_view b);

// Header lines in their order; names compare without case.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> lines) : lines_(lines) {}

  // The first value of that name; nothing if there is none (an empty value is a value).
  std::optional<std::string_view> Get(std::string_view name) const;
  bool Has(std::string_view name) const { return Get(name).has_value(); }
  size_t Count(std::string_view name) const;
  void Set(std::string_view name, std::string_view value);  // replaces all of that name
  void Add(std::string_view name, std::string_view value);
  void Remove(std::string_view name);
  const std::vector<std::pair<std::string, std::string>>& Lines() const { return lines_; }

  bool operator==(const Headers&) const = default;

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

struct Request {
  std::string method = "GET";
  std::string target = "/";  // as sent: path and query, percent-encoded
  Headers headers;
  std::string body;
  std::string peer;  // "127.0.0.1:40312" of the client; set by the server

  std::string Path() const;  // percent-decoded, without the query
  // The value of a query parameter, percent-decoded.
  std::optional<std::string> Query(std::string_view name) const;
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;
};

// http://host:port/path?query, or https; the scheme may be left out, the port defaults to 80 or
// 443.
struct Url {
  std::string host;
  int port = 80;
  std::string target = "/";  // path and query
  bool secure = false;       // https
  std::string name = {};     // whom the certificate may be for, beside an address as the host

  std::string Authority() const;  // host:port
  std::string Origin() const;     // http://host:port
};
Result<Url> ParseUrl(std::string_view text);
// "host:port" with a port from 0 to 65535.
Result<Url> ParseHostPort(std::string_view text);

// "Not Found" for 404; "Unknown" for a code without a name.
std::string_view ReasonPhrase(int status);
// The status that tells of an error: 404 for kNotFound.
int HttpStatus(ErrorCode code);
// {"error":{"code","message","field"}}; the field only when there is one.
Response ErrorResponse(const Error& error);
// With quotes and escapes; bytes that are no UTF-8 become U+FFFD.
std::string JsonString(std::string_view text);
std::string PercentDecode(std::string_view text);      // wrong escapes stay as they are
std::string PercentEncode(std::string_view text);      // all but unreserved characters and '/'
std::string PercentEncodePart(std::string_view text);  // '/' too: one part of a path
std::string Base64Encode(std::string_view bytes);
std::optional<std::string> Base64Decode(std::string_view text);

// gzip, RFC 1952. Uncompress stops with kResourceExhausted beyond limit bytes.
std::string GzipCompress(std::string_view bytes);
Result<std::string> GzipUncompress(std::string_view bytes, size_t limit);

}  // namespace kiln::net

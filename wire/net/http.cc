#include "wire/net/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/utf8.h"

namespace kiln::net {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = Lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool Unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~/").find(c) != std::string_view::npos;
}

std::string_view QueryOf(std::string_view target) {
  size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

std::string DecodeQuery(std::string_view text) {
  std::string blanks(text);
  std::ranges::replace(blanks, '+', ' ');
  return PercentDecode(blanks);
}

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Result<int> ParsePort(std::string_view text) {
  int port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 0 || port > 65535) {
    return Fail(ErrorCode::kInvalidArgument, "port: found '{}', expected 0 to 65535", text);
  }
  return port;
}

// "host", "host:port" or "[::1]:port".
Status ParseAuthority(std::string_view text, bool port_needed, Url& url) {
  // Its password may be a real one: what is shown here may be shown to all.
  if (text.find('@') != std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument, "address: found a user in it, expected none");
  }
  size_t colon = text.rfind(':');
  if (text.starts_with('[')) {
    size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) {
      return Fail(ErrorCode::kInvalidArgument, "host: found '{}', expected a ']'", text);
    }
    url.host = text.substr(1, bracket - 1);
    if (colon < bracket) colon = std::string_view::npos;
  } else {
    url.host = text.substr(0, colon);
  }
  if (url.host.empty() || (port_needed && colon == std::string_view::npos)) {
    return Fail(ErrorCode::kInvalidArgument, "address: found '{}', expected host{}", text,
                port_needed ? ":port" : "");
  }
  if (colon == std::string_view::npos) return {};
  KILN_TRY(url.port, ParsePort(text.substr(colon + 1)));
  return {};
}

}  // namespace

bool SameName(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, Lower, Lower);
}

std::optional<std::string_view> Headers::Get(std::string_view name) const {
  for (const auto& [key, value] : lines_) {
    if (SameName(key, name)) return value;
  }
  return std::nullopt;
}

size_t Headers::Count(std::string_view name) const {
  return static_cast<size_t>(
      std::ranges::count_if(lines_, [&](const auto& line) { return SameName(line.first, name); }));
}

void Headers::Set(std::string_view name, std::string_view value) {
  std::string kept(value);  // the value may live in a line that goes
  Remove(name);
  lines_.emplace_back(name, std::move(kept));
}

void Headers::Add(std::string_view name, std::string_view value) {
  lines_.emplace_back(name, value);
}

void Headers::Remove(std::string_view name) {
  std::erase_if(lines_, [&](const auto& line) { return SameName(line.first, name); });
}

std::string Request::Path() const {
  return PercentDecode(std::string_view(target).substr(0, target.find('?')));
}

std::optional<std::string> Request::Query(std::string_view name) const {
  std::string_view rest = QueryOf(target);
  while (!rest.empty()) {
    std::string_view part = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    size_t equals = part.find('=');
    if (DecodeQuery(part.substr(0, equals)) != name) continue;
    if (equals == std::string_view::npos) return std::string();
    return DecodeQuery(part.substr(equals + 1));
  }
  return std::nullopt;
}

std::string Url::Authority() const {
  bool six = host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", six ? "[" : "", host, six ? "]" : "", port);
}

std::string Url::Origin() const { return (secure ? "https://" : "http://") + Authority(); }

Result<Url> ParseUrl(std::string_view text) {
  Url url;
  std::string_view rest = text;
  size_t scheme_end = rest.find("://");
  if (scheme_end != std::string_view::npos && scheme_end < rest.find('/')) {
    std::string_view scheme = rest.substr(0, scheme_end);
    url.secure = SameName(scheme, "https");
    if (!url.secure && !SameName(scheme, "http")) {
      return Fail(ErrorCode::kInvalidArgument,
                  "url '{}': found scheme '{}', expected http or https", text, scheme);
    }
    if (url.secure) url.port = 443;
    rest.remove_prefix(scheme_end + 3);
  } else if (rest.starts_with("//")) {
    rest.remove_prefix(2);
  }
  size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  KILN_TRY_OK(ParseAuthority(rest.substr(0, end), false, url));
  std::string_view target = rest.substr(end);
  target = target.substr(0, target.find('#'));
  url.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  return url;
}

Result<Url> ParseHostPort(std::string_view text) {
  Url url;
  KILN_TRY_OK(ParseAuthority(text, true, url));
  return url;
}

std::string_view ReasonPhrase(int status) {
  static constexpr std::pair<int, std::string_view> kPhrases[] = {
      {100, "Continue"},
      {101, "Switching Protocols"},
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {206, "Partial Content"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {303, "See Other"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {308, "Permanent Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Payload Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {416, "Range Not Satisfiable"},
      {422, "Unprocessable Entity"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {507, "Insufficient Storage"},
  };
  for (auto [code, phrase] : kPhrases) {
    if (code == status) return phrase;
  }
  return "Unknown";
}

int HttpStatus(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kConflict:
      return 409;
    case ErrorCode::kFailedPrecondition:
      return 412;
    case ErrorCode::kResourceExhausted:
      return 413;
    case ErrorCode::kPermissionDenied:
      return 403;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kDeadlineExceeded:
      return 504;
    case ErrorCode::kUnimplemented:
      return 501;
    case ErrorCode::kDataLoss:
    case ErrorCode::kInternal:
      return 500;
  }
  return 500;
}

std::string JsonString(std::string_view text) {
  std::string out = "\"";
  for (char c : ToUtf8(std::string(text))) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

Response ErrorResponse(const Error& error) {
  std::string field = error.field.empty() ? "" : ",\"field\":" + JsonString(error.field);
  return {HttpStatus(error.code),
          {{"Content-Type", "application/json"}},
          fmt::format(R"({{"error":{{"code":"{}","message":{}{}}}}})", ErrorCodeName(error.code),
                      JsonString(error.message), field)};
}

std::string PercentDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      int high = HexDigit(text[i + 1]), low = HexDigit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

std::string PercentEncode(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (Unreserved(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string PercentEncodePart(std::string_view text) {
  std::string out = PercentEncode(text);
  for (size_t at = 0; (at = out.find('/', at)) != std::string::npos;) out.replace(at, 1, "%2F");
  return out;
}

std::string Base64Encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += k <= count ? kBase64[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

std::optional<std::string> Base64Decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  uint32_t group = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    size_t digit = i + padding < text.size() ? kBase64.find(text[i])
                   : text[i] == '='          ? 0
                                             : std::string_view::npos;
    if (digit == std::string_view::npos) return std::nullopt;
    group = group << 6 | static_cast<uint32_t>(digit);
    if (i % 4 == 3) {
      for (int shift : {16, 8, 0}) out += static_cast<char>(group >> shift & 255);
      group = 0;
    }
  }
  out.resize(out.size() - padding);
  return out;
}

}  // namespace kiln::net

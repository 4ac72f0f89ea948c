#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "wire/net/answer.h"
#include "wire/net/blocking_stream.h"
#include "wire/net/client.h"
#include "wire/net/descriptor.h"
#include "wire/net/parser.h"

namespace kiln::net {
namespace {

constexpr size_t kHeaderLimit = 64 << 10;
constexpr size_t kPieceSize = 256 << 10;

std::string Why() { return std::strerror(errno); }

// The bytes of a request's body: from memory or from a file.
struct Body {
  std::string_view bytes;
  int file = -1;
  uint64_t length = 0;
};

// Takes the head, gives whether the body is wanted in on_data; else it is kept in the answer.
using OnData = std::function<bool(std::string_view)>;

class Call final : private MessageEvents {
 public:
  Call(const FetchOptions& options, const OnData& on_data) : options_(options), on_data_(on_data) {}

  Result<Response> Run(const Url& url, const Request& request, Body body) {
    auto answer = RunOn(url, request, body);
    if (!answer) return Failure(Within(url.Origin(), std::move(answer).error()));
    return answer;
  }

 private:
  Result<Response> RunOn(const Url& url, const Request& request, Body body) {
    KILN_TRY(stream_, BlockingStream::Open(url, options_.tls, options_.timeout));
    head_only_ = request.method == "HEAD";
    Request sent = {request.method, url.target, request.headers, {}, {}};
    if (!sent.headers.Has("Connection")) sent.headers.Add("Connection", "close");
    NextParser();
    std::string head = FormatRequestHead(sent, url.Authority(), body.length);
    sends_file_ = body.file >= 0;
    if (!sends_file_) head += body.bytes;
    KILN_TRY(bool answered, stream_->Send(head));
    if (sends_file_ && !answered) KILN_TRY_OK(SendFileBytes(body.file, body.length));
    return Receive();
  }

  void NextParser() {
    auto kind = head_only_ ? MessageParser::Kind::kAnswerToHead : MessageParser::Kind::kAnswer;
    parser_ = MessageParser::Make(kind, *this, kHeaderLimit);
  }

  Status SendFileBytes(int file, uint64_t length) {
    std::string piece(kPieceSize, '\0');
    for (uint64_t offset = 0; offset < length;) {
      size_t wanted = std::min<uint64_t>(piece.size(), length - offset);
      ssize_t count = pread(file, piece.data(), wanted, static_cast<off_t>(offset));
      if (count <= 0) return Fail(ErrorCode::kDataLoss, "file became shorter while it was sent");
      KILN_TRY(bool answered, stream_->Send({piece.data(), static_cast<size_t>(count)}));
      if (answered) return {};
      offset += static_cast<uint64_t>(count);
      if (options_.progress) options_.progress(offset, length);
    }
    return {};
  }

  Result<Response> Receive() {
    std::string input;
    while (!stopped_) {
      KILN_TRY(const bool more, stream_->Receive(input));
      if (!more) {
        if (Status end = parser_->PutEnd(); !end) {
          return Fail(ErrorCode::kUnavailable, "{}", end.error().message);
        }
        break;
      }
      KILN_TRY(bool done, Parse(input));
      if (done) break;
    }
    return std::move(response_);
  }

  Result<bool> Parse(std::string& input) {
    while (!input.empty() && !stopped_) {
      auto taken = parser_->Put(input);
      if (stopped_) break;
      if (!taken) return Failure(std::move(taken).error());
      input.erase(0, *taken);
      if (!parser_->Done()) return false;
      if (response_.status >= 200) return true;
      NextParser();
    }
    return stopped_;
  }

  Status OnHead(MessageHead head) override {
    response_ = {head.status, std::move(head.headers), {}};
    total_ = head.content_length.value_or(0);
    return {};
  }

  Status OnBody(std::string_view piece) override {
    received_ += piece.size();
    if (options_.progress && !sends_file_) options_.progress(received_, total_);
    if (on_data_ && response_.status == 200) {
      stopped_ = !on_data_(piece);
      if (stopped_) return Fail(ErrorCode::kUnavailable, "stopped by the caller");
      return {};
    }
    if (response_.body.size() + piece.size() > options_.body_limit) {
      return Fail(ErrorCode::kResourceExhausted, "answer: expected at most {} bytes",
                  options_.body_limit);
    }
    response_.body += piece;
    return {};
  }

  const FetchOptions& options_;
  const OnData& on_data_;
  std::unique_ptr<BlockingStream> stream_;
  bool head_only_ = false;
  std::unique_ptr<MessageParser> parser_;
  Response response_;
  uint64_t received_ = 0;
  uint64_t total_ = 0;
  bool sends_file_ = false;
  bool stopped_ = false;
};

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Without the parts "." and "..".
std::string Normal(const std::string& path) {
  return std::filesystem::path(path).lexically_normal();
}

// Location may be a whole URL, one without a scheme ("//host:port/path"), a path, or the end of one
// (RFC 3986, 5.2).
Result<Url> Follow(const Url& from, std::string_view location) {
  location = location.substr(0, location.find('#'));
  const bool whole =
      location.starts_with("//") || location.find("://") < location.find_first_of("/?");
  if (!whole) {
    const size_t query = std::min(location.find('?'), location.size());
    std::string path(location.substr(0, query));
    const std::string base = from.target.substr(0, from.target.find('?'));
    if (path.empty()) {
      path = location.empty() ? from.target : base;
    } else if (!path.starts_with('/')) {
      path = Normal(base.substr(0, base.rfind('/') + 1) + path);
    }
    Url to = from;
    to.target = path + std::string(location.substr(query));
    return to;
  }
  const char* scheme = location.starts_with("//") && from.secure ? "https:" : "";
  KILN_TRY(Url to, ParseUrl(scheme + std::string(location)));
  if (to.target.size() == 1 && !location.ends_with('/')) to.target = from.target;
  return to;
}

Result<Response> CallWith(const std::string& text, Request request, Body body,
                          const FetchOptions& options, const OnData& on_data) {
  KILN_TRY(Url url, ParseUrl(text));
  if (url.target.size() == 1 && request.target != "/") url.target = request.target;
  for (int redirects = 0;; ++redirects) {
    KILN_TRY(Response response, Call(options, on_data).Run(url, request, body));
    auto location = response.headers.Get("Location");
    if (!IsRedirect(response.status) || !location || redirects == options.redirects_max) {
      return response;
    }
    KILN_TRY(const Url next, Follow(url, *location));
    if (next.Origin() != url.Origin()) request.headers.Remove("Authorization");
    url = next;
    if (response.status == 303) {
      request.method = "GET";
      body = {};
    }
  }
}

Result<Descriptor> OpenFile(const std::string& path, int flags) {
  Descriptor file(open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (file.get() < 0) {
    auto code = errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kFailedPrecondition;
    return Fail(code, "file {}: {}", path, Why());
  }
  return file;
}

bool WriteAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

ErrorCode CodeOf(int status) {
  switch (status) {
    case 400:
      return ErrorCode::kInvalidArgument;
    case 401:
    case 403:
      return ErrorCode::kPermissionDenied;
    case 404:
    case 410:
      return ErrorCode::kNotFound;
    case 409:
      return ErrorCode::kConflict;
    case 413:
    case 507:
      return ErrorCode::kResourceExhausted;
    case 429:
      return ErrorCode::kUnavailable;
    default:
      return status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kFailedPrecondition;
  }
}

}  // namespace

Result<Response> Fetch(const std::string& url, Request request, FetchOptions options) {
  std::string body = std::move(request.body);
  return CallWith(url, std::move(request), {body, -1, body.size()}, options, nullptr);
}

Status FetchToFile(const std::string& url, const std::string& path, Headers headers,
                   FetchOptions options) {
  std::string temporary = path + ".part";
  KILN_TRY(Descriptor file, OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC));
  bool written = true;
  Request request;
  request.headers = std::move(headers);
  auto answer = CallWith(url, std::move(request), {}, options, [&](std::string_view piece) {
    return written = WriteAll(file.get(), piece);
  });
  Status status;
  if (!written) {
    status = Fail(ErrorCode::kResourceExhausted, "file {}: {}", temporary, Why());
  } else if (!answer) {
    status = Failure(std::move(answer).error());
  } else if (answer->status != 200) {
    status = Fail(CodeOf(answer->status), "{}: found status {} {}, expected 200", url,
                  answer->status, ReasonPhrase(answer->status));
  } else if (rename(temporary.c_str(), path.c_str()) != 0) {
    status = Fail(ErrorCode::kFailedPrecondition, "file {}: {}", path, Why());
  }
  if (!status) unlink(temporary.c_str());
  return status;
}

Result<Response> SendFile(const std::string& url, const std::string& path, Headers headers,
                          FetchOptions options) {
  KILN_TRY(Descriptor file, OpenFile(path, O_RDONLY));
  struct stat info {};
  fstat(file.get(), &info);
  Request request;
  request.method = "PUT";
  request.headers = std::move(headers);
  Body body{{}, file.get(), static_cast<uint64_t>(info.st_size)};
  return CallWith(url, std::move(request), body, options, nullptr);
}

Result<Response> FetchStream(const std::string& url, Request request,
                             std::function<bool(std::string_view)> on_data, FetchOptions options) {
  std::string body = std::move(request.body);
  return CallWith(url, std::move(request), {body, -1, body.size()}, options, on_data);
}

}  // namespace kiln::net

#include "wire/net/parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace kiln::net {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

constexpr size_t kLinesMax = 1000;  // each takes far more memory than its bytes

std::string_view View(string_view text) { return {text.data(), text.size()}; }

template <bool kIsRequest>
class BeastParser final : public http::basic_parser<kIsRequest> {
 public:
  BeastParser(MessageEvents& events, size_t header_limit) : events_(events), limit_(header_limit) {
    this->header_limit(static_cast<uint32_t>(header_limit));
    this->eager(true);
    this->body_limit(boost::none);
  }
  std::optional<Error>& refusal() { return refusal_; }
  Error TooLong() const {
    const bool first = !this->is_header_done() && head_.target.empty() && head_.status == 0;
    return {
        ErrorCode::kResourceExhausted,
        fmt::format("{}: expected at most {} bytes", first ? "first line" : "header lines", limit_),
        first ? "target" : ""};
  }

 private:
  void Check(Status status, error_code& ec) {
    if (status) return;
    refusal_ = std::move(status).error();
    ec = http::error::end_of_stream;
  }
  void CountHead(size_t bytes, error_code& ec) {
    head_bytes_ += bytes;
    if (head_bytes_ > limit_) Check(Failure(TooLong()), ec);
  }
  void on_request_impl(http::verb, string_view method, string_view target, int version,
                       error_code& ec) override {
    CountHead(method.size() + target.size(), ec);
    head_.method = View(method);
    head_.target = View(target);
    head_.old_http = version < 11;
  }
  void on_response_impl(int code, string_view, int version, error_code&) override {
    head_.status = code;
    head_.old_http = version < 11;
  }
  void on_field_impl(http::field field, string_view name, string_view value,
                     error_code& ec) override {
    CountHead(name.size() + value.size(), ec);
    if (head_.headers.Lines().size() == kLinesMax) {
      return Check(
          Fail(ErrorCode::kResourceExhausted, "header: expected at most {} lines", kLinesMax), ec);
    }
    // Beast takes a body in another coding for none, and what follows for the next request.
    if (kIsRequest && field == http::field::transfer_encoding &&
        (head_.headers.Has("Transfer-Encoding") || !SameName(View(value), "chunked"))) {
      return Check(Fail(ErrorCode::kInvalidArgument,
                        "Transfer-Encoding is {}: expected chunked, once", View(value)),
                   ec);
    }
    head_.headers.Add(View(name), View(value));
  }
  void on_header_impl(error_code& ec) override {
    head_.keep_alive = this->keep_alive();
    if (auto length = this->content_length()) head_.content_length = *length;
    Check(events_.OnHead(std::move(head_)), ec);
  }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code& ec) override {
    Check(events_.OnBody(View(body)), ec);
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code& ec) override {
    if (!body.empty()) Check(events_.OnBody(View(body)), ec);
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  MessageEvents& events_;
  const size_t limit_;
  size_t head_bytes_ = 0;
  MessageHead head_;
  std::optional<Error> refusal_;
};

constexpr std::string_view kLastChunk = "0\r\n\r\n";

// Beast, which has seen a part of the last chunk, asserts that the next look shows it whole.
bool IsPartOfLastChunk(std::string_view bytes) {
  return bytes.size() < kLastChunk.size() && bytes.front() == kLastChunk.front();
}

template <bool kIsRequest>
class ParserOf final : public MessageParser {
 public:
  ParserOf(MessageEvents& events, size_t header_limit, bool skip_body)
      : parser_(events, header_limit) {
    parser_.skip(skip_body);
  }

  Result<size_t> Put(std::string_view bytes) override {
    size_t taken = 0;
    while (taken < bytes.size() && !parser_.is_done()) {
      const std::string_view left = bytes.substr(taken);
      if (waits_ && parser_.is_header_done() && IsPartOfLastChunk(left)) break;
      error_code ec;
      const size_t count = parser_.put({left.data(), left.size()}, ec);
      taken += count;
      waits_ = ec == http::error::need_more;
      if (ec == http::error::header_limit) return Failure(parser_.TooLong());
      if (waits_) break;
      if (parser_.refusal()) return Failure(*std::move(parser_.refusal()));
      if (ec) return Fail(ErrorCode::kInvalidArgument, "bytes are no HTTP: {}", ec.message());
      if (count == 0) break;
    }
    return taken;
  }

  Status PutEnd() override {
    error_code ec;
    if (!parser_.is_header_done()) {
      return Fail(ErrorCode::kDataLoss, "connection ended before the header was whole");
    }
    if (!parser_.is_done()) parser_.put_eof(ec);
    if (ec) return Fail(ErrorCode::kDataLoss, "connection ended before the body was whole");
    return {};
  }
  bool HasHead() const override { return parser_.is_header_done(); }
  bool Done() const override { return parser_.is_done(); }

 private:
  BeastParser<kIsRequest> parser_;
  bool waits_ = false;  // for more of what it has looked at
};

}  // namespace

std::unique_ptr<MessageParser> MessageParser::Make(Kind kind, MessageEvents& events,
                                                   size_t header_limit) {
  if (kind == Kind::kRequest) return std::make_unique<ParserOf<true>>(events, header_limit, false);
  return std::make_unique<ParserOf<false>>(events, header_limit, kind == Kind::kAnswerToHead);
}

}  // namespace kiln::net

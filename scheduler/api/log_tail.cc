#include "scheduler/api/log_tail.h"

#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

constexpr uint64_t kPiece = 64 << 10;   // the most that an agent gives at once
constexpr size_t kUnsentMax = 1 << 20;  // then the reader is waited for
constexpr Duration kPause = std::chrono::milliseconds(250);
constexpr Duration kTimeout = std::chrono::seconds(15);

class LogTail : public std::enable_shared_from_this<LogTail> {
 public:
  LogTail(net::Loop& loop, std::shared_ptr<net::Exchange> exchange, LogTailOptions options)
      : loop_(loop), exchange_(std::move(exchange)), options_(std::move(options)) {}

  void Start() {
    auto url = net::ParseUrl(options_.agent);
    if (!url) return Fault(url.error());
    url->name = options_.hostname;
    auto self = shared_from_this();
    exchange_->OnClose([self] { self->End(); });
    connection_ = net::Connection::Open(
        loop_, *url, {.on_open = {}, .on_closed = [self](Error e) { self->Fault(std::move(e)); }},
        options_.tls);
    Read();
  }

 private:
  void Read() {
    ended_ = options_.ended();  // asked before the read: what is written until then is read
    net::Request request;
    request.target = fmt::format("/files/read?path={}&offset={}&length={}",
                                 net::PercentEncode(options_.path), options_.offset, kPiece);
    if (!options_.authorization.empty()) {
      request.headers.Set("Authorization", options_.authorization);
    }
    connection_->Send(
        std::move(request),
        [self = shared_from_this()](Result<net::Response> answer) { self->OnAnswer(answer); },
        kTimeout);
  }

  void OnAnswer(const Result<net::Response>& answer) {
    if (!connection_) return;
    if (!answer) return Fault(answer.error());
    if (answer->status == 404 && options_.follow && !ended_) return ReadLater();
    if (answer->status != 200) {
      return Fault(
          {answer->status == 404 ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
           fmt::format("agent {} answers {} for {}", options_.agent, answer->status, options_.path),
           {}});
    }
    auto bytes = DecodeFileRead(answer->body);
    if (!bytes) return Fault(bytes.error());
    Begin();
    if (exchange_->request().method == "HEAD") return End();
    if (bytes->empty()) {
      if (options_.follow && !ended_) return ReadLater();
      exchange_->EndStream();
      return End();
    }
    options_.offset += bytes->size();
    exchange_->Write(*bytes);
    if (!connection_) return;
    if (exchange_->Unsent() > kUnsentMax) return ReadLater();
    Read();
  }

  void ReadLater() {
    timer_ = loop_.After(kPause, [self = shared_from_this()] {
      if (self->connection_) self->Read();
    });
  }

  void Begin() {
    if (begun_) return;
    begun_ = true;
    exchange_->BeginStream({200,
                            {{"Content-Type", "text/plain; charset=utf-8"},
                             {"X-Content-Type-Options", "nosniff"},
                             {"X-Kiln-Task", options_.task}},
                            {}});
  }

  void Fault(Error error) {
    if (exchange_ == nullptr) return;
    if (begun_) {
      exchange_->Abort();  // a stream that ends early must not look whole
    } else {
      exchange_->Respond(net::ErrorResponse(Within("log of " + options_.task, std::move(error))));
    }
    End();
  }

  // Callbacks of the connection may be on the stack: it goes away later.
  void End() {
    timer_.Reset();
    exchange_ = nullptr;
    if (!connection_) return;
    loop_.Post([gone = std::shared_ptr<net::Connection>(std::move(connection_))] {});
  }

  net::Loop& loop_;
  std::shared_ptr<net::Exchange> exchange_;
  LogTailOptions options_;
  std::unique_ptr<net::Connection> connection_;
  net::Handle timer_;
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace

Result<std::string> DecodeFileRead(std::string_view body) {
  // Each byte becomes the character of its number and back, so that no byte is wrong UTF-8.
  std::string text;
  for (unsigned char c : body) {
    if (c >= 0x80) text += static_cast<char>(0xc0 | (c >> 6));
    text += static_cast<char>(c < 0x80 ? c : 0x80 | (c & 0x3f));
  }
  KILN_TRY(wire::Json json, wire::ParseJson(text));
  if (!json.is_object() || !json.contains("data") || !json["data"].is_string()) {
    return Fail(ErrorCode::kUnavailable, "answer of the agent has no data");
  }
  const auto& data = json["data"].get_ref<const std::string&>();
  std::string bytes;
  for (size_t i = 0; i < data.size(); ++i) {
    const auto c = static_cast<unsigned char>(data[i]);
    if ((c & 0xfc) == 0xc0 && i + 1 < data.size()) {
      bytes += static_cast<char>((c << 6) | (static_cast<unsigned char>(data[++i]) & 0x3f));
    } else {
      bytes += data[i];
    }
  }
  return bytes;
}

void TailLog(net::Loop& loop, std::shared_ptr<net::Exchange> exchange, LogTailOptions options) {
  std::make_shared<LogTail>(loop, std::move(exchange), std::move(options))->Start();
}

}  // namespace kiln::scheduler

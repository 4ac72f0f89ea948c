#include "wire/net/client.h"

#include <fcntl.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <deque>

#include "wire/net/answer.h"
#include "wire/net/loop.h"
#include "wire/net/parser.h"

namespace kiln::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kHeaderLimit = 64 << 10;
constexpr size_t kReadSize = 64 << 10;
constexpr size_t kBodyMax = size_t{64} << 20;  // of an answer that is not a stream

// A request that has no whole answer yet.
struct Waiting {
  bool head_only = false;
  std::function<void(Result<Response>)> done;
  std::shared_ptr<Connection::StreamCallbacks> stream;
  Response response;
  Handle timer;
};

// Lives as long as an operation of the socket or the public object does. `open` ends with either.
class Peer final : public std::enable_shared_from_this<Peer>, private MessageEvents {
 public:
  Peer(Loop& loop, const Url& url, Connection::Callbacks callbacks,
       const std::shared_ptr<const TlsContext>& tls)
      : loop_(loop),
        url_(url),
        callbacks_(std::move(callbacks)),
        resolver_(loop.Context()),
        socket_(loop.Context()) {
    if (url_.secure) tls_ = TlsSession::Connect(tls ? *tls : *SystemTls(), url_.host, url_.name);
  }

  void Start() {
    auto self = shared_from_this();
    resolver_.async_resolve(url_.host, std::to_string(url_.port),
                            [self](error_code ec, const tcp::resolver::results_type& found) {
                              if (!self->open_) return;
                              if (ec) return self->Break(ErrorCode::kUnavailable, ec.message());
                              asio::async_connect(
                                  self->socket_, found, [self](error_code e, const tcp::endpoint&) {
                                    if (!self->open_) return;
                                    if (e) return self->Break(ErrorCode::kUnavailable, e.message());
                                    self->OnConnected();
                                  });
                            });
  }

  void Send(Request request, std::shared_ptr<Waiting> waiting, Duration timeout) {
    waiting->head_only = request.method == "HEAD";
    if (!open_) {
      loop_.Post([self = shared_from_this(), waiting] {
        if (!self->dropped_ && waiting->done) waiting->done(self->Lost("is closed"));
      });
      return;
    }
    if (timeout > Duration::zero()) {
      waiting->timer = loop_.After(timeout, [this, w = std::weak_ptr(waiting)] {
        Break(ErrorCode::kDeadlineExceeded, "did not answer in time", w.lock());
      });
    }
    waiting_.push_back(std::move(waiting));
    Push(FormatRequestHead(request, url_.Authority(), request.body.size()));
    Push(std::move(request.body));
    StartWrite();
  }

  void Drop() {
    dropped_ = true;
    Shut();
    waiting_.clear();
    callbacks_ = {};
  }

 private:
  Failure Lost(std::string_view what, ErrorCode code = ErrorCode::kUnavailable) const {
    return Fail(code, "{} {}", url_.secure ? url_.Origin() : url_.Authority(), what);
  }

  void Shut() {
    open_ = false;
    error_code ec;
    resolver_.cancel();
    socket_.close(ec);
  }

  // Ends the connection: every open request fails, the late one with the code given.
  void Break(ErrorCode code, std::string_view why, std::shared_ptr<Waiting> late = nullptr) {
    if (!open_) return;
    Shut();
    auto self = shared_from_this();
    auto waiting = std::exchange(waiting_, {});
    for (auto& one : waiting) {
      one->timer.Reset();
      if (dropped_ || !one->done) continue;
      auto done = std::move(one->done);
      done(Lost(why, !late || one == late ? code : ErrorCode::kUnavailable));
    }
    if (dropped_ || !callbacks_.on_closed) return;
    auto on_closed = std::move(callbacks_.on_closed);
    on_closed(Lost(why, code).value());
  }

  void OnConnected() {
    error_code ec;
    socket_.set_option(tcp::no_delay(true), ec);
    fcntl(socket_.native_handle(), F_SETFD, FD_CLOEXEC);
    connected_ = true;
    if (tls_) {
      PushEncrypted();
    } else {
      TellOpen();
    }
    if (!open_) return;
    StartWrite();
    StartRead();
  }

  void TellOpen() {
    if (auto on_open = std::move(callbacks_.on_open)) on_open();
  }

  void Push(std::string bytes) {
    if (tls_) {
      tls_->Put(bytes);
      return PushEncrypted();
    }
    if (!bytes.empty()) out_.push_back(std::move(bytes));
  }

  void PushEncrypted() {
    std::string bytes = tls_->Output();
    if (!bytes.empty()) out_.push_back(std::move(bytes));
  }

  void StartWrite() {
    if (!open_ || !connected_ || in_flight_ > 0 || out_.empty()) return;
    std::array<asio::const_buffer, 16> buffers;
    in_flight_ = std::min(buffers.size(), out_.size());
    for (size_t i = 0; i < in_flight_; ++i) buffers[i] = asio::buffer(out_[i]);
    buffers[0] += front_sent_;
    socket_.async_write_some(buffers, [self = shared_from_this()](error_code ec, size_t count) {
      self->in_flight_ = 0;
      if (!self->open_) return;
      // The peer may have answered before it broke off: the read side tells.
      if (ec) return;
      self->front_sent_ += count;
      while (!self->out_.empty() && self->front_sent_ >= self->out_.front().size()) {
        self->front_sent_ -= self->out_.front().size();
        self->out_.pop_front();
      }
      self->StartWrite();
    });
  }

  void StartRead() {
    std::string& target = tls_ ? encrypted_ : input_;
    size_t kept = target.size();
    target.resize(kept + kReadSize);
    socket_.async_read_some(
        asio::buffer(target.data() + kept, kReadSize),
        [self = shared_from_this(), &target, kept](error_code ec, size_t count) {
          if (!self->open_) return;
          target.resize(kept + count);
          if (ec) return self->OnEnd(ec);
          if (self->tls_ && !self->Decrypt()) return;
          if (!self->Parse()) return;
          if (self->tls_ && self->tls_->PeerEnded()) return self->OnEnd(asio::error::eof);
          self->StartRead();
        });
  }

  // False when the connection is over.
  bool Decrypt() {
    const bool was_open = tls_->IsOpen();
    auto plain = tls_->Take(encrypted_);
    encrypted_.clear();
    if (!plain) {
      // The alert tells the peer why, as far as it goes out at once.
      error_code ec;
      const std::string alert = tls_->Output();
      socket_.non_blocking(true, ec);
      socket_.write_some(asio::buffer(alert), ec);
      Break(ErrorCode::kUnavailable, plain.error().message);
      return false;
    }
    input_ += *plain;
    PushEncrypted();
    if (!was_open && tls_->IsOpen()) TellOpen();
    if (open_) StartWrite();
    return open_;
  }

  void OnEnd(error_code ec) {
    // Without TLS's own end the bytes may have been cut short.
    const bool whole = ec == asio::error::eof && (!tls_ || tls_->PeerEnded());
    if (whole && parser_ && parser_->PutEnd()) FinishOne();
    const bool greeting = tls_ && !tls_->IsOpen();
    Break(ErrorCode::kUnavailable, ec != asio::error::eof ? ec.message()
                                   : greeting ? "closed the connection in the TLS handshake"
                                              : "closed the connection");
  }

  // False when the connection is over.
  bool Parse() {
    size_t taken = 0;
    while (open_ && taken < input_.size()) {
      if (!parser_) {
        if (waiting_.empty()) {
          Break(ErrorCode::kUnavailable, "sent bytes without a request");
          return false;
        }
        auto kind = waiting_.front()->head_only ? MessageParser::Kind::kAnswerToHead
                                                : MessageParser::Kind::kAnswer;
        parser_ = MessageParser::Make(kind, *this, kHeaderLimit);
      }
      auto count = parser_->Put(std::string_view(input_).substr(taken));
      if (!open_) return false;
      if (!count) {
        Break(ErrorCode::kUnavailable, "sent what is no HTTP answer");
        return false;
      }
      taken += *count;
      if (!parser_->Done()) break;
      FinishOne();
    }
    input_.erase(0, taken);
    return open_;
  }

  Status OnHead(MessageHead head) override {
    interim_ = head.status < 200;
    if (interim_) return {};
    Waiting& one = *waiting_.front();
    one.response = {head.status, std::move(head.headers), {}};
    if (auto stream = one.stream; stream && stream->on_head) {
      auto self = shared_from_this();
      stream->on_head(one.response);
    }
    return StillOpen();
  }

  Status OnBody(std::string_view piece) override {
    Waiting& one = *waiting_.front();
    if (auto stream = one.stream) {
      auto self = shared_from_this();
      if (stream->on_data) stream->on_data(piece);
    } else if (one.response.body.size() + piece.size() > kBodyMax) {
      Break(ErrorCode::kUnavailable, "sent too large an answer");
    } else {
      one.response.body += piece;
    }
    return StillOpen();
  }

  Status StillOpen() const {
    if (open_) return {};
    return Fail(ErrorCode::kUnavailable, "closed");
  }

  void FinishOne() {
    parser_.reset();
    if (std::exchange(interim_, false)) return;
    auto self = shared_from_this();
    auto one = std::move(waiting_.front());
    waiting_.pop_front();
    if (one->stream) {
      if (one->stream->on_end) one->stream->on_end();
    } else {
      one->done(std::move(one->response));
    }
  }

  Loop& loop_;
  Url url_;
  Connection::Callbacks callbacks_;
  tcp::resolver resolver_;
  tcp::socket socket_;
  bool open_ = true;
  bool connected_ = false;
  bool dropped_ = false;
  std::deque<std::shared_ptr<Waiting>> waiting_;
  std::deque<std::string> out_;
  size_t front_sent_ = 0;
  size_t in_flight_ = 0;
  std::unique_ptr<TlsSession> tls_;  // of an https URL
  std::string encrypted_;
  std::string input_;
  std::unique_ptr<MessageParser> parser_;
  bool interim_ = false;  // a 1xx answer: another one follows
};

class ConnectionImpl final : public Connection {
 public:
  ConnectionImpl(Loop& loop, const Url& url, Callbacks callbacks,
                 const std::shared_ptr<const TlsContext>& tls)
      : peer_(std::make_shared<Peer>(loop, url, std::move(callbacks), tls)) {
    peer_->Start();
  }
  ~ConnectionImpl() override { peer_->Drop(); }

  void Send(Request request, std::function<void(Result<Response>)> done,
            Duration timeout) override {
    auto waiting = std::make_shared<Waiting>();
    waiting->done = std::move(done);
    peer_->Send(std::move(request), std::move(waiting), timeout);
  }
  void OpenStream(Request request, StreamCallbacks callbacks) override {
    auto waiting = std::make_shared<Waiting>();
    waiting->stream = std::make_shared<StreamCallbacks>(std::move(callbacks));
    peer_->Send(std::move(request), std::move(waiting), Duration::zero());
  }
  void Close() override { peer_->Drop(); }

 private:
  std::shared_ptr<Peer> peer_;
};

}  // namespace

std::unique_ptr<Connection> Connection::Open(Loop& loop, const Url& url, Callbacks callbacks,
                                             const std::shared_ptr<const TlsContext>& tls) {
  return std::make_unique<ConnectionImpl>(loop, url, std::move(callbacks), tls);
}

}  // namespace kiln::net

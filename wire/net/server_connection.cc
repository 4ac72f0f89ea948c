#include "wire/net/server_connection.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include "wire/net/exchange.h"
#include "wire/net/loop.h"

namespace kiln::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::steady_clock;

constexpr size_t kPipelineMax = 64;       // requests of one connection under way
constexpr size_t kInputMax = 256 << 10;   // read ahead of the parser
constexpr size_t kPieceSize = 64 << 10;   // small pieces are joined up to this size
constexpr size_t kUnsentMax = 256 << 10;  // bytes of answers before the next request is looked at
constexpr size_t kFilePiece = 64 << 10;   // of a file, read at once
constexpr size_t kBodyReserveMax = 1 << 20;  // what a promised length may claim beforehand
constexpr auto kLingerTime = std::chrono::seconds(2);
constexpr std::string_view kContinue = "100-continue";
constexpr char kHandshakeRecord = 22;  // of TLS: its first byte

// A target is a path, or a whole URL, as proxies get it, or "*".
Status ToPath(std::string& target) {
  if (target.starts_with('/') || target == "*") return {};
  if (target.find("://") == std::string::npos) {
    return FailField("target", "target is {}: expected a path or a URL", target);
  }
  KILN_TRY(Url url, ParseUrl(target));
  target = std::move(url.target);
  return {};
}

// Every request of HTTP/1.1 names its host once (RFC 9112, 3.2).
Status CheckHost(const MessageHead& head) {
  const auto count = head.headers.Count("Host");
  if (count == 1 || (count == 0 && head.old_http)) return {};
  return Fail(ErrorCode::kInvalidArgument, "header Host: found {}, expected one", count);
}

// A sink stores: what it lacks is room.
Response SinkRefusal(const Error& error) {
  Response response = ErrorResponse(error);
  if (error.code == ErrorCode::kResourceExhausted) response.status = 507;
  return response;
}

}  // namespace

Answer::~Answer() {
  if (file >= 0) close(file);
}

ServerConnection::ServerConnection(std::shared_ptr<ServerShared> shared, Socket socket)
    : shared_(std::move(shared)), socket_(std::move(socket)) {
  error_code ec;
  socket_.set_option(asio::ip::tcp::no_delay(true), ec);
  socket_.non_blocking(true, ec);
  fcntl(socket_.native_handle(), F_SETFD, FD_CLOEXEC);
  auto end = socket_.remote_endpoint(ec);
  if (!ec) {
    host_ = end.address().to_string();
    peer_ = Url{host_, end.port(), "/"}.Authority();
  }
  if (shared_->options.tls) tls_ = TlsSession::Accept(*shared_->options.tls);
  request_started_ = read_progress_ = write_progress_ = steady_clock::now();
}

void ServerConnection::Start() { StartRead(); }

void ServerConnection::Close() {
  if (closed_) return;
  auto self = shared_from_this();
  auto functions = std::move(close_functions_);
  auto shared = shared_;
  Detach();
  shared->forget(this);
  // Whoever drops the server is not told: its shared part is gone by then.
  for (auto& function : functions) {
    shared->loop->Post([weak = std::weak_ptr(shared), function = std::move(function)] {
      if (!weak.expired()) function();
    });
  }
}

void ServerConnection::Detach() {
  closed_ = true;
  shared_->held -= held_;
  error_code ec;
  socket_.close(ec);
  answers_.clear();
  close_functions_.clear();
  taken_function_ = nullptr;
  sink_.reset();
  shared_.reset();
}

bool ServerConnection::Expired(Time now) const {
  const ServerOptions& options = shared_->options;
  const Duration limit = options.idle_timeout;
  const Duration head_limit = std::min(options.head_timeout, limit);
  if (lingering_) return now - write_progress_ > kLingerTime;
  if (tls_ && !tls_->IsOpen()) return now - request_started_ > head_limit;
  if (parser_ && !no_more_) {
    if (!parser_->HasHead()) return now - request_started_ > head_limit;
    return now - (sink_ ? read_progress_ : request_started_) > limit;
  }
  // Mesos waits for its clients, who open connections before they have something to say.
  const bool patient = options.answer_inside_streams;
  if (answers_.empty() && out_.empty()) {
    if (asked_ || patient) return now - read_progress_ > limit;
    return now - request_started_ > head_limit;
  }
  const bool stays = streams_ > 0 && patient;
  return !out_.empty() && !stays && now - write_progress_ > limit;
}

Guest ServerConnection::AsGuest() const {
  const bool served = !answers_.empty() || !out_.empty();
  const Time since = served || !parser_ ? write_progress_ : request_started_;
  return {host_, served, since.time_since_epoch().count(), held_};
}

void ServerConnection::CountHeld() {
  if (closed_) return;
  const size_t held = request_bytes_ + input_.size() + Unread();
  shared_->held += held - held_;
  held_ = held;
  if (shared_->held > shared_->options.memory_max) shared_->too_much();
}

void ServerConnection::OnClose(std::function<void()> function) {
  if (!closed_) close_functions_.push_back(std::move(function));
}

// Reading

void ServerConnection::StartRead() {
  if (reading_ || closed_ || peer_ended_ || input_.size() >= kInputMax) return;
  reading_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code) {
    self->reading_ = false;
    if (!self->closed_) self->OnReadable();
  });
}

void ServerConnection::OnReadable() {
  error_code ec;
  auto shared = shared_;  // a handler may drop the server
  auto& buffer = shared->read_buffer;
  size_t count = socket_.read_some(asio::buffer(buffer), ec);
  if (ec == asio::error::would_block) return StartRead();
  if (ec == asio::error::eof) return OnPeerEnd();
  if (ec) return Close();
  read_progress_ = steady_clock::now();
  if (tls_) {
    OnEncrypted({buffer.data(), count});
  } else if (!no_more_) {
    Parse({buffer.data(), count});
  }
  CountHeld();
  StartRead();
}

void ServerConnection::OnEncrypted(std::string_view bytes) {
  // TLS begins with a handshake record; HTTP with a letter.
  if (!greeted_ && bytes[0] != kHandshakeRecord) {
    tls_.reset();
    return RefuseWith(ErrorResponse(
        {ErrorCode::kInvalidArgument, "found a request in plain HTTP: expected https", {}}));
  }
  greeted_ = true;
  const auto plain = tls_->Take(bytes);
  PushEncrypted();
  if (!plain) {
    no_more_ = true;
    cut_ = true;  // the alert tells the peer why
  } else if (!no_more_) {
    Parse(*plain);
  }
  if (closed_) return;
  if (plain && tls_->PeerEnded()) OnPeerEnd();
  StartWrite();
}

void ServerConnection::OnPeerEnd() {
  peer_ended_ = true;
  no_more_ = true;
  if (streams_ > 0 || lingering_ || (answers_.empty() && out_.empty())) Close();
}

// What is ready and the peer has not taken, in bytes.
size_t ServerConnection::Unread() const {
  size_t bytes = out_bytes_;
  for (const auto& answer : answers_) bytes += answer->piece_bytes;
  return bytes;
}

// A file that waits for its turn holds a descriptor.
bool ServerConnection::MayParse() const {
  if (closed_ || no_more_ || answers_.size() >= kPipelineMax) return false;
  if (Unread() > kUnsentMax) return false;
  if (std::ranges::any_of(answers_, [](const auto& one) { return one->file_left > 0; })) {
    return false;
  }
  return streams_ == 0 || shared_->options.answer_inside_streams;
}

// `fresh` is what came behind input_; what cannot be parsed yet is kept in input_.
void ServerConnection::Parse(std::string_view fresh) {
  if (parsing_) return;
  parsing_ = true;
  if (input_.empty()) {
    size_t taken = ParseSome(fresh);
    if (!closed_) input_.assign(fresh.substr(taken));
  } else {
    input_ += fresh;
    std::string bytes = std::move(input_);
    size_t taken = ParseSome(bytes);
    input_ = std::move(bytes.erase(0, taken));
  }
  if (no_more_) input_.clear();
  parsing_ = false;
}

size_t ServerConnection::ParseSome(std::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size() && MayParse()) {
    if (!parser_) {
      // Some clients end a body with a line of its own (RFC 9112, 2.2).
      const std::string_view rest = bytes.substr(taken);
      if (rest == "\r") break;
      if (rest.starts_with("\r\n")) {
        taken += 2;
        continue;
      }
      parser_ =
          MessageParser::Make(MessageParser::Kind::kRequest, *this, shared_->options.header_limit);
      request_ = Request();
      request_started_ = steady_clock::now();
    }
    auto count = parser_->Put(bytes.substr(taken));
    if (!count) {
      Refuse(std::move(count).error());
      return bytes.size();
    }
    taken += *count;
    if (!sink_) request_bytes_ += *count;
    if (!parser_->Done()) break;
    Dispatch();
  }
  return taken;
}

Status ServerConnection::OnHead(MessageHead head) {
  const ServerOptions& options = shared_->options;
  KILN_TRY_OK(ToPath(head.target));
  if (!options.answer_inside_streams) KILN_TRY_OK(CheckHost(head));
  request_.method = std::move(head.method);
  request_.target = std::move(head.target);
  request_.headers = std::move(head.headers);
  request_.peer = peer_;
  old_http_ = head.old_http;
  close_after_ = !head.keep_alive || head.old_http;
  sink_.reset();
  if (options.refusal && (refusal_ = options.refusal(request_))) {
    return Fail(ErrorCode::kPermissionDenied, "refused");
  }
  if (options.sink) {
    auto sink = options.sink(request_);
    if (!sink) {
      refusal_ = SinkRefusal(sink.error());
      return Failure(std::move(sink).error());
    }
    sink_ = *std::move(sink);
  }
  uint64_t length = head.content_length.value_or(0);
  if (!sink_ && length > options.body_limit) return TooLarge(std::to_string(length));
  if (!sink_) request_.body.reserve(std::min<size_t>(length, kBodyReserveMax));
  // Only where no other bytes can get between this and the answer.
  const bool waits = !old_http_ && SameName(request_.headers.Get("Expect").value_or(""), kContinue);
  if (waits && answers_.empty() && !options.answer_inside_streams) {
    Push("HTTP/1.1 100 Continue\r\n\r\n");
    StartWrite();
  }
  return {};
}

Status ServerConnection::OnBody(std::string_view piece) {
  if (sink_) {
    Status status = sink_->write(piece);
    if (!status) refusal_ = SinkRefusal(status.error());
    return status;
  }
  if (request_.body.size() + piece.size() > shared_->options.body_limit) {
    return TooLarge(fmt::format("more than {}", shared_->options.body_limit));
  }
  request_.body += piece;
  return {};
}

Status ServerConnection::TooLarge(const std::string& found) {
  const ServerOptions& options = shared_->options;
  Error error{
      ErrorCode::kResourceExhausted,
      fmt::format("request body: found {} bytes, expected at most {}", found, options.body_limit),
      {}};
  refusal_ =
      options.too_large ? options.too_large(request_, options.body_limit) : ErrorResponse(error);
  return Failure(std::move(error));
}

void ServerConnection::Refuse(Error error) {
  if (refusal_) return RefuseWith(*std::exchange(refusal_, std::nullopt));
  if (error.code == ErrorCode::kResourceExhausted) {
    Response response = ErrorResponse(error);
    response.status = error.field == "target" ? 414 : 431;
    return RefuseWith(std::move(response));
  }
  if (!shared_->options.answer_inside_streams) return RefuseWith(ErrorResponse(error));
  no_more_ = true;
  parser_.reset();
  if (streams_ > 0 || answers_.empty()) Close();
}

void ServerConnection::RefuseWith(Response response) {
  auto answer = std::make_shared<Answer>();
  answer->close_after = true;
  answer->state = Answer::State::kDone;
  answer->head_only = request_.method == "HEAD";
  response.headers.Set("Connection", "close");
  answer->pieces.push_back(FormatAnswerHead(response, Framing::kLength, response.body.size()));
  if (!answer->head_only) answer->pieces.push_back(std::move(response.body));
  answers_.push_back(std::move(answer));
  no_more_ = true;
  parser_.reset();
  sink_.reset();
  request_bytes_ = 0;
  Pump();
}

void ServerConnection::Dispatch() {
  parser_.reset();
  request_bytes_ = 0;
  asked_ = true;
  auto answer = std::make_shared<Answer>();
  answer->head_only = request_.method == "HEAD";
  answer->old_http = old_http_;
  answer->close_after = close_after_;
  answers_.push_back(answer);
  if (close_after_) no_more_ = true;
  auto shared = shared_;  // the handler may close the connection
  shared->handler(
      MakeExchange(std::move(request_), std::move(answer), weak_from_this(), std::move(sink_)));
}

// Writing

void ServerConnection::Push(std::string piece) {
  if (!tls_) return PushRaw(std::move(piece));
  tls_->Put(piece);
  PushEncrypted();
}

void ServerConnection::PushEncrypted() { PushRaw(tls_->Output()); }

void ServerConnection::PushRaw(std::string piece) {
  if (piece.empty()) return;
  out_bytes_ += piece.size();
  bool join = out_.size() > in_flight_ && out_.back().size() + piece.size() <= kPieceSize;
  if (join) {
    out_.back() += piece;
  } else {
    out_.push_back(std::move(piece));
  }
}

void ServerConnection::Take(Answer& answer) {
  for (auto& piece : answer.pieces) Push(std::move(piece));
  answer.pieces.clear();
  answer.piece_bytes = 0;
}

void ServerConnection::ReadFile(Answer& answer) {
  while (answer.file_left > 0 && out_bytes_ < 2 * kFilePiece && !cut_) {
    std::string piece(std::min<uint64_t>(kFilePiece, answer.file_left), '\0');
    ssize_t count =
        pread(answer.file, piece.data(), piece.size(), static_cast<off_t>(answer.file_offset));
    cut_ = count <= 0;  // shorter than promised: only a cut can tell the peer
    if (cut_) return;
    piece.resize(static_cast<size_t>(count));
    answer.file_offset += static_cast<uint64_t>(count);
    answer.file_left -= static_cast<uint64_t>(count);
    Push(std::move(piece));
  }
}

// The answers to requests behind an open stream, up to the first that is not ready.
void ServerConnection::TakeInside() {
  for (size_t i = 1; i < answers_.size();) {
    Answer& answer = *answers_[i];
    if (answer.state == Answer::State::kWaiting || answer.file_left > 0) return;
    Take(answer);
    if (answer.state == Answer::State::kDone) {
      answers_.erase(answers_.begin() + static_cast<ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

void ServerConnection::Pump() {
  if (closed_) return;
  auto self = shared_from_this();
  if (peer_ended_ && streams_ > 0) return Close();
  while (!answers_.empty()) {
    Answer& front = *answers_.front();
    Take(front);
    if (front.file_left > 0) ReadFile(front);
    if (front.state != Answer::State::kDone || front.file_left > 0) break;
    if (front.close_after) no_more_ = true;
    answers_.pop_front();
  }
  if (!answers_.empty() && answers_.front()->state == Answer::State::kStreaming &&
      shared_->options.answer_inside_streams) {
    TakeInside();
  }
  StartWrite();
  if (!closed_ && !input_.empty() && !parsing_ && MayParse()) Parse({});
  CountHeld();
  StartRead();
}

void ServerConnection::StartWrite() {
  if (closed_ || in_flight_ > 0) return;
  if (out_.empty()) {
    if (cut_) return Close();
    if (no_more_ && answers_.empty()) Finish();
    return;
  }
  std::array<asio::const_buffer, 16> buffers;
  in_flight_ = std::min(buffers.size(), out_.size());
  for (size_t i = 0; i < in_flight_; ++i) buffers[i] = asio::buffer(out_[i]);
  buffers[0] += front_sent_;
  write_progress_ = steady_clock::now();
  socket_.async_write_some(buffers, [self = shared_from_this()](error_code ec, size_t count) {
    self->in_flight_ = 0;
    if (self->closed_) return;
    if (ec) return self->Close();
    self->OnWritten(count);
  });
}

void ServerConnection::OnWritten(size_t count) {
  out_bytes_ -= count;
  front_sent_ += count;
  while (!out_.empty() && front_sent_ >= out_.front().size()) {
    front_sent_ -= out_.front().size();
    out_.pop_front();
  }
  write_progress_ = steady_clock::now();
  Pump();
  if (out_.empty() && taken_function_) {
    const auto function = taken_function_;  // it may end the connection
    function();
  }
}

// Everything is sent and nothing more is wanted. Closing a socket with unread bytes would take the
// answer away from the peer, so the peer may end first.
void ServerConnection::Finish() {
  if (tls_ && tls_->End()) {
    PushEncrypted();
    return StartWrite();
  }
  if (peer_ended_) return Close();
  if (lingering_) return;
  lingering_ = true;
  write_progress_ = steady_clock::now();
  error_code ec;
  socket_.shutdown(Socket::shutdown_send, ec);
  if (ec) Close();
}

}  // namespace kiln::net

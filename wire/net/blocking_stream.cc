#include "wire/net/blocking_stream.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace kiln::net {
namespace {

constexpr size_t kPieceSize = 256 << 10;

std::string Why() { return std::strerror(errno); }

// Which of `events` are ready; kDeadlineExceeded when none is in time.
Result<short> Wait(int fd, short events, Duration timeout) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  while (true) {
    pollfd entry{fd, events, 0};
    int count = poll(&entry, 1, static_cast<int>(std::min<int64_t>(left, 1 << 30)));
    if (count > 0) return entry.revents;
    if (count == 0) return Fail(ErrorCode::kDeadlineExceeded, "no progress in time");
    if (errno != EINTR) return Fail(ErrorCode::kUnavailable, "poll: {}", Why());
  }
}

Result<Descriptor> ConnectTo(const addrinfo& address, Duration timeout) {
  Descriptor fd(socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return Fail(ErrorCode::kUnavailable, "socket: {}", Why());
  if (connect(fd.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return Fail(ErrorCode::kUnavailable, "{}", Why());
    KILN_TRY([[maybe_unused]] short ready, Wait(fd.get(), POLLOUT, timeout));
    socklen_t size = sizeof(errno);
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &errno, &size);
    if (errno != 0) return Fail(ErrorCode::kUnavailable, "{}", Why());
  }
  int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

Result<Descriptor> ConnectTo(const Url& url, Duration timeout) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int code = getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
  if (code != 0) {
    return Fail(ErrorCode::kUnavailable, "host {}: {}", url.host, gai_strerror(code));
  }
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  Result<Descriptor> last = Fail(ErrorCode::kUnavailable, "host {} has no address", url.host);
  for (addrinfo* each = found; each != nullptr && !last; each = each->ai_next) {
    last = ConnectTo(*each, timeout);
  }
  return last;
}

}  // namespace

BlockingStream::BlockingStream(Descriptor socket, Duration timeout)
    : socket_(std::move(socket)), timeout_(timeout), piece_(kPieceSize, '\0') {}

Result<std::unique_ptr<BlockingStream>> BlockingStream::Open(
    const Url& url, const std::shared_ptr<const TlsContext>& tls, Duration timeout) {
  KILN_TRY(Descriptor socket, ConnectTo(url, timeout));
  std::unique_ptr<BlockingStream> stream(new BlockingStream(std::move(socket), timeout));
  if (url.secure) KILN_TRY_OK(stream->Greet(tls ? *tls : *SystemTls(), url.host));
  return stream;
}

Status BlockingStream::Greet(const TlsContext& tls, const std::string& host) {
  tls_ = TlsSession::Connect(tls, host);
  while (!tls_->IsOpen()) {
    KILN_TRY_OK(SendOutput());
    KILN_TRY_OK(TakeEncrypted());
    if (ended_ && !tls_->IsOpen()) {
      return Fail(ErrorCode::kUnavailable, "closed the connection in the TLS handshake");
    }
  }
  return SendOutput();
}

// Whole, whatever the peer says meanwhile. Why a peer takes no more, it says itself.
Status BlockingStream::SendOutput() {
  const std::string bytes = tls_->Output();
  for (size_t sent = 0; sent < bytes.size();) {
    KILN_TRY([[maybe_unused]] short ready, Wait(socket_.get(), POLLOUT, timeout_));
    ssize_t count = send(socket_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count < 0) break;
    sent += static_cast<size_t>(count);
  }
  return {};
}

Result<bool> BlockingStream::Send(std::string_view bytes) {
  std::string encrypted;
  if (tls_) {
    tls_->Put(bytes);
    encrypted = tls_->Output();
    bytes = encrypted;
  }
  while (!bytes.empty()) {
    KILN_TRY(short ready, Wait(socket_.get(), POLLIN | POLLOUT, timeout_));
    if (ready & POLLIN) {
      if (!tls_) return true;
      // What comes may be TLS's own.
      KILN_TRY_OK(TakeEncrypted());
      if (!plain_.empty() || ended_) return true;
    }
    ssize_t count = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count < 0) return true;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return false;
}

Result<std::string_view> BlockingStream::ReceiveRaw() {
  while (true) {
    KILN_TRY([[maybe_unused]] short ready, Wait(socket_.get(), POLLIN, timeout_));
    ssize_t count = recv(socket_.get(), piece_.data(), piece_.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count < 0) return Fail(ErrorCode::kUnavailable, "connection broke: {}", Why());
    return std::string_view(piece_).substr(0, static_cast<size_t>(count));
  }
}

Status BlockingStream::TakeEncrypted() {
  KILN_TRY(const std::string_view bytes, ReceiveRaw());
  if (bytes.empty()) {
    ended_ = true;
    return {};
  }
  auto plain = tls_->Take(bytes);
  if (!plain) {
    (void)SendOutput();  // the alert tells the peer why
    return Failure(std::move(plain).error());
  }
  plain_ += *plain;
  ended_ = tls_->PeerEnded();
  return {};
}

Result<bool> BlockingStream::Receive(std::string& input) {
  if (!tls_) {
    KILN_TRY(const std::string_view bytes, ReceiveRaw());
    input.append(bytes);
    return !bytes.empty();
  }
  while (plain_.empty() && !ended_) KILN_TRY_OK(TakeEncrypted());
  const bool more = !plain_.empty();
  input += std::exchange(plain_, {});
  if (!more && !tls_->PeerEnded()) {
    return Fail(ErrorCode::kUnavailable, "connection was cut: expected the end of its TLS");
  }
  return more;
}

}  // namespace kiln::net

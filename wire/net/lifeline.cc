#include "wire/net/lifeline.h"

#include <fcntl.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <list>

#include "wire/net/acceptor.h"
#include "wire/net/loop.h"

namespace kiln::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr size_t kHeldMax = 64;  // lines; who comes after them waits for nothing
constexpr size_t kNameMax = 256;
constexpr int kRefusals = 4;  // in a row: a process that is only started anew takes its address up
constexpr Duration kRefusalPause = std::chrono::milliseconds(50);
constexpr Duration kPause = std::chrono::milliseconds(500);  // before an address is tried again
constexpr Duration kConnectMax = std::chrono::seconds(2);

}  // namespace

class LifelineImpl final : public Lifeline {
 public:
  LifelineImpl(Loop& loop, Listener listener, std::string name)
      : loop_(loop), acceptor_(loop.Context()), line_(std::move(name) + "\n") {
    Adopt(std::exchange(listener.fd_, -1), acceptor_);
    port_ = acceptor_.local_endpoint().port();
    Accept();
  }
  ~LifelineImpl() override {
    *alive_ = false;
    error_code ec;
    for (const auto& held : held_) held->socket.close(ec);
  }

  int port() const override { return port_; }

 private:
  struct Held {
    explicit Held(tcp::socket s) : socket(std::move(s)) {}
    tcp::socket socket;
    std::array<char, 16> ignored{};
  };

  void Accept() {
    acceptor_.async_accept([this, alive = alive_](error_code ec, tcp::socket socket) {
      if (!*alive) return;
      if (ec) {
        retry_ = loop_.After(kPause, [this] { Accept(); });
        return;
      }
      if (held_.size() < kHeldMax) Hold(std::move(socket));
      Accept();
    });
  }

  void Hold(tcp::socket socket) {
    fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
    const auto held = held_.insert(held_.end(), std::make_shared<Held>(std::move(socket)));
    // The name is far smaller than what a socket takes at once.
    error_code ec;
    asio::write(held->get()->socket, asio::buffer(line_), ec);
    Listen(held);
  }

  // Until the other side has gone.
  void Listen(std::list<std::shared_ptr<Held>>::iterator held) {
    const auto one = *held;
    one->socket.async_read_some(asio::buffer(one->ignored),
                                [this, alive = alive_, one, held](error_code ec, size_t) {
                                  if (!*alive) return;
                                  if (ec) {
                                    held_.erase(held);
                                  } else {
                                    Listen(held);
                                  }
                                });
  }

  Loop& loop_;
  tcp::acceptor acceptor_;
  const std::string line_;
  int port_ = 0;
  Handle retry_;
  std::list<std::shared_ptr<Held>> held_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

namespace {

// One attempt and the line that came of it: what is reported of an earlier one is stale.
struct Line {
  explicit Line(asio::io_context& context) : resolver(context), socket(context) {}
  tcp::resolver resolver;
  tcp::socket socket;
  std::array<char, kNameMax> buffer{};
  std::string received;
};

class LifelineWatchImpl final : public LifelineWatch {
 public:
  LifelineWatchImpl(Loop& loop, Url address, std::string name, std::function<void()> on_death)
      : loop_(loop),
        address_(std::move(address)),
        line_(std::move(name) + "\n"),
        on_death_(std::move(on_death)) {
    Connect();
  }
  ~LifelineWatchImpl() override {
    *alive_ = false;
    Drop();
  }

 private:
  void Drop() {
    if (!attempt_) return;
    attempt_->resolver.cancel();
    error_code ec;
    attempt_->socket.close(ec);
    attempt_.reset();
  }

  void Connect() {
    const auto attempt = attempt_ = std::make_shared<Line>(loop_.Context());
    timer_ = loop_.After(kConnectMax, [this] { TryAgain(kPause); });
    attempt->resolver.async_resolve(
        address_.host, std::to_string(address_.port),
        [this, alive = alive_, attempt](error_code ec, const tcp::resolver::results_type& found) {
          if (!*alive || attempt != attempt_) return;
          if (ec) return OnBroken(ec);
          asio::async_connect(attempt->socket, found,
                              [this, alive, attempt](error_code e, const tcp::endpoint&) {
                                if (!*alive || attempt != attempt_) return;
                                if (e) return OnBroken(e);
                                fcntl(attempt->socket.native_handle(), F_SETFD, FD_CLOEXEC);
                                Read();
                              });
        });
  }

  void Read() {
    attempt_->socket.async_read_some(
        asio::buffer(attempt_->buffer),
        [this, alive = alive_, attempt = attempt_](error_code ec, size_t size) {
          if (!*alive || attempt != attempt_) return;
          if (ec) return OnBroken(ec);
          OnBytes({attempt->buffer.data(), size});
        });
  }

  void OnBytes(std::string_view bytes) {
    std::string& received = attempt_->received;
    received += bytes;
    if (received.find('\n') == received.npos && received.size() < kNameMax) return Read();
    if (received == line_) {
      timer_.Reset();
      held_ = true;
      refusals_ = 0;
      return Read();
    }
    // Two processes do not listen at one address.
    if (held_) return Die();
    TryAgain(kPause);
  }

  void OnBroken(error_code ec) {
    const bool refused = ec == asio::error::connection_refused;
    const bool was_up = attempt_->received == line_;
    refusals_ = refused && held_ ? refusals_ + 1 : 0;
    if (refusals_ >= kRefusals) return Die();
    if (was_up) {
      Drop();
      return Connect();
    }
    TryAgain(refusals_ > 0 ? kRefusalPause : kPause);
  }

  void TryAgain(Duration pause) {
    Drop();
    timer_ = loop_.After(pause, [this] { Connect(); });
  }

  void Die() {
    timer_.Reset();
    Drop();
    if (const auto on_death = std::exchange(on_death_, nullptr)) on_death();
  }

  Loop& loop_;
  const Url address_;
  const std::string line_;
  std::function<void()> on_death_;
  std::shared_ptr<Line> attempt_;
  bool held_ = false;  // once at least
  int refusals_ = 0;   // in a row
  Handle timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<Lifeline> Lifeline::Open(Loop& loop, Listener listener, std::string name) {
  return std::make_unique<LifelineImpl>(loop, std::move(listener), std::move(name));
}

std::unique_ptr<LifelineWatch> LifelineWatch::Open(Loop& loop, Url address, std::string name,
                                                   std::function<void()> on_death) {
  return std::make_unique<LifelineWatchImpl>(loop, std::move(address), std::move(name),
                                             std::move(on_death));
}

}  // namespace kiln::net

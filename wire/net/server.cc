#include "wire/net/server.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <unordered_map>

#include "base/check.h"
#include "wire/net/acceptor.h"
#include "wire/net/loop.h"
#include "wire/net/server_connection.h"

namespace kiln::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kRoom = 16;       // of so many connections, one goes when there are too many
constexpr int kClosedAtOnce = 32;  // about a third of a millisecond

class ServerImpl final : public Server {
 public:
  ServerImpl(Loop& loop, ServerOptions options, Handler handler)
      : shared_(std::make_shared<ServerShared>()), acceptor_(loop.Context()) {
    shared_->options = std::move(options);
    shared_->handler = std::move(handler);
    shared_->loop = &loop;
    shared_->forget = [this](ServerConnection* connection) { connections_.erase(connection); };
    shared_->too_much = [this] {
      if (leaving_.empty()) Send(WhoHoldsTooMuch(Guests(), shared_->options.memory_max / 4 * 3));
    };
  }

  ~ServerImpl() override {
    *alive_ = false;
    for (auto& [key, connection] : connections_) connection->Detach();
  }

  void Open(Listener listener) {
    shared_->options.host = listener.host_;
    Adopt(std::exchange(listener.fd_, -1), acceptor_);
    port_ = acceptor_.local_endpoint().port();
    rlimit descriptors = {};
    getrlimit(RLIMIT_NOFILE, &descriptors);
    connections_max_ =
        std::min<size_t>(shared_->options.connections_max, descriptors.rlim_cur / 4 * 3);
    Accept();
    const ServerOptions& options = shared_->options;
    Duration pause = std::clamp<Duration>(std::min(options.idle_timeout, options.head_timeout) / 4,
                                          std::chrono::milliseconds(5), std::chrono::seconds(1));
    sweep_ = shared_->loop->Every(pause, [this] { Sweep(); });
  }

  int port() const override { return port_; }
  std::string address() const override {
    return Url{shared_->options.host, port_, "/"}.Authority();
  }
  void CloseConnections() override {
    auto all = connections_;
    for (auto& [key, connection] : all) connection->Close();
  }

 private:
  void Accept() {
    acceptor_.async_accept([this, alive = alive_](error_code ec, tcp::socket socket) {
      if (!*alive) return;
      if (ec) {
        // Out of descriptors, mostly: some come back when connections end.
        return Pause();
      }
      const size_t room = std::max<size_t>(1, connections_max_ / kRoom);
      if (connections_.size() >= connections_max_ + room) return Pause();
      auto connection = std::make_shared<ServerConnection>(shared_, std::move(socket));
      connections_.emplace(connection.get(), connection);
      connection->Start();
      // Several at once, as the choice looks at all.
      if (connections_.size() > connections_max_ && leaving_.empty()) {
        Send(WhoMakesRoom(Guests(), room));
      }
      Accept();
    });
  }

  void Pause() {
    retry_ = shared_->loop->After(std::chrono::milliseconds(100), [this] { Accept(); });
  }

  // In the order of connections_, which stays while a choice is made.
  std::vector<Guest> Guests() const {
    std::vector<Guest> guests;
    guests.reserve(connections_.size());
    for (const auto& [key, connection] : connections_) guests.push_back(connection->AsGuest());
    return guests;
  }

  void Send(std::vector<size_t> chosen) {
    std::vector<std::weak_ptr<ServerConnection>> all;
    for (const auto& [key, connection] : connections_) all.push_back(connection);
    for (const size_t i : chosen) leaving_.push_back(all[i]);
    LeaveSoon();
  }

  void LeaveSoon() {
    if (leaving_.empty()) return;
    shared_->loop->Post([this, alive = alive_] {
      if (*alive) Leave();
    });
  }

  // A few at a time, so that others are answered between them.
  void Leave() {
    for (int closed = 0; closed < kClosedAtOnce && !leaving_.empty(); leaving_.pop_front()) {
      if (const auto connection = leaving_.front().lock()) {
        connection->Close();
        ++closed;
      }
    }
    LeaveSoon();
  }

  void Sweep() {
    if (!leaving_.empty()) return;
    const auto now = std::chrono::steady_clock::now();
    for (auto& [key, connection] : connections_) {
      if (connection->Expired(now)) leaving_.push_back(connection);
    }
    LeaveSoon();
  }

  std::shared_ptr<ServerShared> shared_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  tcp::acceptor acceptor_;
  int port_ = 0;
  size_t connections_max_ = 0;
  std::deque<std::weak_ptr<ServerConnection>> leaving_;  // to be closed
  Handle sweep_;
  Handle retry_;
  std::unordered_map<ServerConnection*, std::shared_ptr<ServerConnection>> connections_;
};

Result<Listener> Listener::Open(std::string host, int port) {
  asio::io_context context;
  tcp::acceptor acceptor(context);
  error_code ec;
  auto found = tcp::resolver(context).resolve(host, std::to_string(port), ec);
  if (!ec) {
    tcp::endpoint endpoint = *found.begin();
    acceptor.open(endpoint.protocol(), ec);
    if (!ec) fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
    if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) acceptor.bind(endpoint, ec);
    if (!ec) acceptor.listen(4096, ec);
  }
  if (ec) {
    std::string why = ec.message();
    why[0] = static_cast<char>(std::tolower(why[0]));
    return Fail(ErrorCode::kUnavailable, "cannot listen on {}:{}: {}", host, port, why);
  }
  return Listener(std::move(host), acceptor.release());
}

Listener::Listener(Listener&& other) noexcept
    : host_(std::move(other.host_)), fd_(std::exchange(other.fd_, -1)) {}

Listener Listener::Again() const {
  const int fd = fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  KILN_CHECK(fd >= 0);
  return Listener(host_, fd);
}

Listener::~Listener() {
  if (fd_ >= 0) close(fd_);
}

Result<std::unique_ptr<Server>> Server::Listen(Loop& loop, ServerOptions options, Handler handler) {
  KILN_TRY(Listener listener, Listener::Open(options.host, options.port));
  return Serve(loop, std::move(listener), std::move(options), std::move(handler));
}

std::unique_ptr<Server> Server::Serve(Loop& loop, Listener listener, ServerOptions options,
                                      Handler handler) {
  auto server = std::make_unique<ServerImpl>(loop, std::move(options), std::move(handler));
  server->Open(std::move(listener));
  return server;
}

}  // namespace kiln::net

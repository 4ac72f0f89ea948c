#include "wire/net/server.h"

#include <fcntl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <unordered_map>

#include "wire/net/loop.h"
#include "wire/net/server_connection.h"

namespace kiln::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

class ServerImpl final : public Server {
 public:
  ServerImpl(Loop& loop, ServerOptions options, Handler handler)
      : shared_(std::make_shared<ServerShared>()), acceptor_(loop.Context()) {
    shared_->options = std::move(options);
    shared_->handler = std::move(handler);
    shared_->loop = &loop;
    shared_->forget = [this](ServerConnection* connection) { connections_.erase(connection); };
  }

  ~ServerImpl() override {
    *alive_ = false;
    for (auto& [key, connection] : connections_) connection->Detach();
  }

  Status Open() {
    error_code ec;
    const ServerOptions& options = shared_->options;
    auto found = tcp::resolver(acceptor_.get_executor())
                     .resolve(options.host, std::to_string(options.port), ec);
    if (!ec) {
      tcp::endpoint endpoint = *found.begin();
      acceptor_.open(endpoint.protocol(), ec);
      if (!ec) fcntl(acceptor_.native_handle(), F_SETFD, FD_CLOEXEC);
      if (!ec) acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
      if (!ec) acceptor_.bind(endpoint, ec);
      if (!ec) acceptor_.listen(4096, ec);
    }
    if (ec) {
      std::string why = ec.message();
      why[0] = static_cast<char>(std::tolower(why[0]));
      return Fail(ErrorCode::kUnavailable, "cannot listen on {}:{}: {}", options.host, options.port,
                  why);
    }
    port_ = acceptor_.local_endpoint().port();
    Accept();
    Duration pause = std::clamp<Duration>(options.idle_timeout / 4, std::chrono::milliseconds(5),
                                          std::chrono::seconds(1));
    sweep_ = shared_->loop->Every(pause, [this] { Sweep(); });
    return {};
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
        retry_ = shared_->loop->After(std::chrono::milliseconds(100), [this] { Accept(); });
        return;
      }
      if (connections_.size() < shared_->options.connections_max) {
        auto connection = std::make_shared<ServerConnection>(shared_, std::move(socket));
        connections_.emplace(connection.get(), connection);
        connection->Start();
      }
      Accept();
    });
  }

  void Sweep() {
    auto now = std::chrono::steady_clock::now();
    std::vector<std::shared_ptr<ServerConnection>> late;
    for (auto& [key, connection] : connections_) {
      if (connection->Expired(now)) late.push_back(connection);
    }
    for (auto& connection : late) connection->Close();
  }

  std::shared_ptr<ServerShared> shared_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  tcp::acceptor acceptor_;
  int port_ = 0;
  Handle sweep_;
  Handle retry_;
  std::unordered_map<ServerConnection*, std::shared_ptr<ServerConnection>> connections_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::Listen(Loop& loop, ServerOptions options, Handler handler) {
  auto server = std::make_unique<ServerImpl>(loop, std::move(options), std::move(handler));
  KILN_TRY_OK(server->Open());
  return server;
}

}  // namespace kiln::net

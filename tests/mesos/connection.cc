#include "tests/mesos/connection.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <vector>

namespace kiln::replay {

Result<std::unique_ptr<Connection>> Connection::Open(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return Fail(ErrorCode::kUnavailable, "connect to port {}: {}", port, std::strerror(error));
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return std::unique_ptr<Connection>(new Connection(fd));
}

Connection::~Connection() {
  if (fd_ >= 0) close(fd_);
}

Status Connection::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return Fail(ErrorCode::kUnavailable, "send: {}", std::strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return {};
}

void Connection::Read(double now_ms) {
  while (fd_ >= 0) {
    char bytes[65536];
    const ssize_t count = recv(fd_, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (count > 0) {
      parser.Feed({bytes, static_cast<size_t>(count)}, now_ms);
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    close(fd_);
    fd_ = -1;
    parser.Close(now_ms);
  }
}

void Pump(Connections& connections, const Stopwatch& clock, double wait_ms) {
  std::vector<pollfd> polled;
  for (const auto& [name, connection] : connections) {
    if (connection->open()) polled.push_back({connection->fd(), POLLIN, 0});
  }
  const int timeout = static_cast<int>(std::ceil(std::max(0.0, wait_ms)));
  poll(polled.data(), polled.size(), timeout);
  for (const auto& [name, connection] : connections) connection->Read(clock.Ms());
}

Result<RawAnswer> Post(int port, const std::string& path, const std::string& json) {
  constexpr double kLimitMs = 30'000;
  KILN_TRY(auto opened, Connection::Open(port));
  Connections connections;
  Connection& connection = *(connections["post"] = std::move(opened));
  KILN_TRY_OK(connection.Send(
      fmt::format("POST {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n"
                  "Content-Length: {}\r\n\r\n{}",
                  path, port, json.size(), json)));
  const Stopwatch clock;
  while (clock.Ms() < kLimitMs) {
    Pump(connections, clock, 100);
    auto& answers = connection.parser.answers;
    if (!answers.empty() && answers.front().complete) return std::move(answers.front());
    if (!connection.open()) break;
  }
  return Fail(ErrorCode::kUnavailable, "POST {}: no answer", path);
}

}  // namespace kiln::replay

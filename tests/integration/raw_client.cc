#include "tests/integration/raw_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/net/http.h"

namespace kiln::integration {
namespace {

constexpr int kPatience = 20'000;  // ms

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// True when all was sent, false when there is something to read or the peer is gone.
bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    pollfd entry{fd, POLLIN | POLLOUT, 0};
    if (poll(&entry, 1, kPatience) <= 0 || (entry.revents & POLLIN) != 0) return false;
    const ssize_t count = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

}  // namespace

HeldPort::HeldPort() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(bind(fd_, any, size), 0);
  EXPECT_EQ(listen(fd_, 1), 0);
  EXPECT_EQ(getsockname(fd_, any, &size), 0);
  port_ = ntohs(address.sin_port);
}

void HeldPort::Release() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

EndlessReply SendEndless(const std::string& url, std::string_view method, size_t length,
                         bool chunked) {
  EndlessReply reply;
  const net::Url to = *net::ParseUrl(url);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(to.port);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  std::string piece(1 << 20, ' ');
  if (chunked) piece = fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
  bool more = SendAll(fd, fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nContent-Type: "
                                      "application/json\r\n{}\r\n\r\n",
                                      method, to.target, to.Authority(),
                                      chunked ? std::string("Transfer-Encoding: chunked")
                                              : fmt::format("Content-Length: {}", length)));
  while (more && reply.sent < length) {
    more = SendAll(fd, piece);
    if (more) reply.sent += 1 << 20;
  }
  pollfd entry{fd, POLLIN, 0};
  reply.answer.resize(4096);
  const ssize_t count =
      poll(&entry, 1, kPatience) > 0 ? recv(fd, reply.answer.data(), reply.answer.size(), 0) : 0;
  reply.answer.resize(count > 0 ? static_cast<size_t>(count) : 0);
  close(fd);
  return reply;
}

}  // namespace kiln::integration

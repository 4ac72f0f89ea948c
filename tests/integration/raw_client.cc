#include "tests/integration/raw_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/held_port.h"
#include "wire/net/http.h"

namespace kiln::integration {
namespace {

constexpr int kPatience = 20'000;  // ms

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

EndlessReply SendEndless(const std::string& url, std::string_view method, size_t length,
                         bool chunked) {
  EndlessReply reply;
  const net::Url to = *net::ParseUrl(url);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = support::Loopback(to.port);
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

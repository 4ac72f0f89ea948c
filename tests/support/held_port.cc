#include "tests/support/held_port.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace kiln::support {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

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

}  // namespace kiln::support

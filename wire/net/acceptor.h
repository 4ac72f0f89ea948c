// What a listening descriptor becomes in Asio.
#pragma once

#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>

namespace kiln::net {

// The acceptor owns the descriptor from here on.
inline void Adopt(int fd, boost::asio::ip::tcp::acceptor& acceptor) {
  using boost::asio::ip::tcp;
  sockaddr_storage address = {};
  socklen_t length = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  acceptor.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), fd);
}

}  // namespace kiln::net

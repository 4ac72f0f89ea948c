// TCP ports of 127.0.0.1.
#pragma once

#include <netinet/in.h>

namespace kiln::support {

sockaddr_in Loopback(int port);

// A free port that somebody listens on as long as this lives.
class HeldPort {
 public:
  HeldPort();
  ~HeldPort() { Release(); }
  HeldPort(const HeldPort&) = delete;
  HeldPort& operator=(const HeldPort&) = delete;

  int port() const { return port_; }
  void Release();

 private:
  int fd_ = -1;
  int port_ = 0;
};

}  // namespace kiln::support

// A socket for requests that no client would send.
#pragma once

#include <string>
#include <string_view>

namespace kiln::integration {

// A TCP port of 127.0.0.1 that somebody listens on as long as this lives.
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

struct EndlessReply {
  std::string answer;  // its beginning, 4 KiB at most
  size_t sent = 0;     // bytes of the body when it came
};

// Sends the head and then a body of `length` bytes, chunked or with its length told, until an
// answer comes.
EndlessReply SendEndless(const std::string& url, std::string_view method, size_t length,
                         bool chunked);

}  // namespace kiln::integration

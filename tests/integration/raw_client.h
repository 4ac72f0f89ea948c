// A socket for requests that no client would send.
#pragma once

#include <string>
#include <string_view>

namespace kiln::integration {

struct EndlessReply {
  std::string answer;  // its beginning, 4 KiB at most
  size_t sent = 0;     // bytes of the body when it came
};

// Sends the head and then a body of `length` bytes, chunked or with its length told, until an
// answer comes.
EndlessReply SendEndless(const std::string& url, std::string_view method, size_t length,
                         bool chunked);

}  // namespace kiln::integration

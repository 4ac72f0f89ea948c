// HTTP/1.1 clients: asynchronous connections on the loop, and a blocking fetch for programs and
// pool threads.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "wire/net/http.h"
#include "wire/net/tls.h"

namespace kiln::net {

class Loop;

// One TCP connection, in TLS for an https URL, that carries requests in order (pipelined; answers
// come in order).
//
// Threads: the loop's alone. Callbacks run on the loop, never inside the call that caused them.
// After Close or destruction no callback comes.
class Connection {
 public:
  struct Callbacks {
    std::function<void()> on_open;
    // The connection ended: refused, broken, or closed by the peer. Comes once, last.
    std::function<void(Error)> on_closed;
  };
  // Starts to connect; `url` gives host and port. `tls` is what the server of an https URL is
  // judged by; none: SystemTls.
  static std::unique_ptr<Connection> Open(Loop& loop, const Url& url, Callbacks callbacks,
                                          const std::shared_ptr<const TlsContext>& tls = nullptr);
  virtual ~Connection() = default;

  // Sends a request; the whole answer comes to `done`. A lost connection gives kUnavailable to
  // every open request. No answer within `timeout` closes the connection. Host and Content-Length
  // are added.
  virtual void Send(Request request, std::function<void(Result<Response>)> done,
                    Duration timeout = std::chrono::seconds(75)) = 0;

  struct StreamCallbacks {
    std::function<void(const Response& head)> on_head;    // status and headers; body empty
    std::function<void(std::string_view piece)> on_data;  // without chunk framing
    std::function<void()> on_end;                         // the orderly end; else on_closed
  };
  // Sends a request whose answer is taken in pieces. One at a time, and nothing behind it.
  virtual void OpenStream(Request request, StreamCallbacks callbacks) = 0;
  virtual void Close() = 0;
};

struct FetchOptions {
  Duration timeout = std::chrono::seconds(60);  // without any progress
  size_t body_limit = size_t{1} << 30;
  int redirects_max = 5;
  // Bytes of the answer's body; for SendFile those sent. total 0 when it is not known.
  std::function<void(uint64_t done, uint64_t total)> progress;
  std::shared_ptr<const TlsContext> tls;  // what servers are judged by; none: SystemTls
};

// One request on a connection of its own; a redirect to another host, port or scheme is followed
// without Authorization. Blocks the calling thread. Never call it on a loop's thread. Any status is
// a Response; no connection or no answer is kUnavailable / kDeadlineExceeded.
Result<Response> Fetch(const std::string& url, Request request = {}, FetchOptions options = {});
// The body of a 200 goes into a new file at `path` (through a temporary file and rename); other
// codes are errors.
Status FetchToFile(const std::string& url, const std::string& path, Headers headers = {},
                   FetchOptions options = {});
// PUTs a file, piece by piece.
Result<Response> SendFile(const std::string& url, const std::string& path, Headers headers = {},
                          FetchOptions options = {});
// Calls on_data with the pieces of the answer's body as they come until it returns false or the
// stream ends.
Result<Response> FetchStream(const std::string& url, Request request,
                             std::function<bool(std::string_view)> on_data,
                             FetchOptions options = {});

}  // namespace kiln::net

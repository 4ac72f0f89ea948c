// An HTTP/1.1 server on the event loop, with streaming in both directions.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "wire/net/http.h"
#include "wire/net/tls.h"

namespace kiln::net {

class Loop;

// Where a request's body goes instead of memory. Destroyed without a handler's call when the peer
// goes away or the body is refused.
struct BodySink {
  // kResourceExhausted is answered with 507, other errors as by ErrorResponse.
  std::function<Status(std::string_view piece)> write;
  std::shared_ptr<void> state = nullptr;  // for the handler, which gets it back
};

// One request and its answer. Kept alive by whoever answers it later; dropped without an answer, it
// gives 500. After the peer has gone all calls are harmless.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const Request& request() const = 0;
  // What ServerOptions::sink gave for this request; nothing if the body is in memory.
  virtual std::shared_ptr<BodySink> sink() const { return nullptr; }
  // The whole answer at once. Content-Length and Date are added.
  virtual void Respond(Response response) = 0;
  // A file's bytes [offset, offset+length) as the body, sent piece by piece; headers as in `head`.
  virtual void RespondFile(Response head, std::string path, uint64_t offset, uint64_t length) = 0;

  // An answer in pieces: chunked, one chunk a Write, sent at once; ended by EndStream.
  virtual void BeginStream(Response head) = 0;
  virtual void Write(std::string_view piece) = 0;
  virtual void EndStream() = 0;
  // Bytes written but not yet taken by the peer: a slow reader is cut off by its owner.
  virtual size_t Unsent() const = 0;
  // Calls it whenever all that was written is taken, until the connection ends.
  virtual void OnTaken(std::function<void()> function) = 0;
  // Closes the TCP connection now, whatever was promised.
  virtual void Abort() = 0;
  // Called once when the peer closes the connection or it breaks, also after the end of the answer
  // of a stream.
  virtual void OnClose(std::function<void()> function) = 0;
};

using Handler = std::function<void(std::shared_ptr<Exchange>)>;

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: a free one
  size_t body_limit =
      64 << 20;  // bytes; beyond it 413 with a JSON error, and the connection is closed
  size_t header_limit = 64 << 10;
  Duration idle_timeout =
      std::chrono::seconds(120);  // between requests, and for a request to arrive whole
  Duration head_timeout = std::chrono::seconds(15);  // for the head of a request to arrive whole
  // One more than these, or than three quarters of the descriptors that the process may have, and
  // some others are closed: see crowd.h.
  size_t connections_max = 20'000;
  // Bytes that all connections together hold of requests and of answers that are not taken; beyond
  // it those are closed that hold the most.
  size_t memory_max = size_t{1} << 30;
  // With it the server speaks TLS alone: who speaks plain HTTP gets 400.
  std::shared_ptr<const TlsContext> tls;
  // Requests that come while a stream is open on the same connection are handled too, and their
  // answers are written raw between two chunks, and a connection with bytes that are no HTTP is
  // closed without a word, as libprocess does. Otherwise requests wait for the end of the stream,
  // and such bytes are answered with 400.
  bool answer_inside_streams = false;
  // The answer where body_limit is exceeded; none: a JSON error.
  std::function<Response(const Request& head, size_t limit)> too_large;
  // Asked first when the head of a request has come: an answer is sent at once, the body is not
  // read, and the connection is closed.
  std::function<std::optional<Response>(const Request& head)> refusal;
  // Asked when the head of a request has come: a sink takes the body piece by piece (no body_limit;
  // the handler then sees an empty body), none keeps it in memory. An error is answered at once
  // with ErrorResponse's status.
  std::function<Result<std::unique_ptr<BodySink>>(const Request& head)> sink;
};

// A bound address, for whoever wants to have it before there is anything to answer with: those that
// connect meanwhile wait.
// Threads: one at a time. Owner: whoever opened it, until a server takes it.
class Listener {
 public:
  // kUnavailable when the address cannot be bound: "cannot listen on 127.0.0.1:5050: address
  // already in use".
  static Result<Listener> Open(std::string host, int port);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  // The same address once more, for a server that follows another one there: those that connect
  // between the two wait.
  Listener Again() const;
  const std::string& host() const { return host_; }

 private:
  friend class ServerImpl;
  friend class LifelineImpl;
  Listener(std::string host, int fd) : host_(std::move(host)), fd_(fd) {}

  std::string host_;
  int fd_ = -1;
};

// Threads: the loop's alone. Handlers run on the loop and may answer at once or later.
// Owner: the daemon. Destroying it closes the listener and all connections.
class Server {
 public:
  // Errors: as of Listener::Open.
  static Result<std::unique_ptr<Server>> Listen(Loop& loop, ServerOptions options, Handler handler);
  // On an address that is bound already, instead of that of the options.
  static std::unique_ptr<Server> Serve(Loop& loop, Listener listener, ServerOptions options,
                                       Handler handler);
  virtual ~Server() = default;
  virtual int port() const = 0;
  virtual std::string address() const = 0;  // host:port
  // Closes every open connection but keeps listening.
  virtual void CloseConnections() = 0;
};

}  // namespace kiln::net

// HTTP connections in virtual time, with everything that TCP allows to go wrong.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/random.h"
#include "tests/simulation/timeline.h"
#include "wire/net/client.h"

namespace kiln::simulation {

// Both ends of one connection and what is under way between them. Pieces of one direction arrive
// in their order, or not at all.
struct Wire {
  enum Direction { kToServer, kToClient };
  struct Way {
    Instant last;                            // arrival of the piece before
    std::optional<Instant> cut;              // what would arrive later does not
    std::deque<std::function<void()>> held;  // by a partition
  };
  std::string link;    // the cable that it runs over
  std::string server;  // its authority
  Way ways[2];
  bool accepted = false;
  std::function<void(Error)> break_client;  // the client learns that the connection is gone
  std::list<std::function<void()>> break_server;
};

// One request at a server, which answers it in one piece or as a stream.
class Exchange {
 public:
  Exchange(class Network& network, std::shared_ptr<Wire> wire, net::Request request)
      : network_(network), wire_(std::move(wire)), request_(std::move(request)) {}

  const net::Request& request() const { return request_; }
  // The cable that it came over.
  const std::string& link() const { return wire_->link; }
  void Respond(net::Response response);
  void BeginStream(net::Response head);
  // `arrived` is called when the client has it.
  void Write(std::string piece, std::function<void()> arrived = {});
  void EndStream();
  // The connection breaks.
  void Abort();
  void OnClose(std::function<void()> function) {
    wire_->break_server.push_back(std::move(function));
  }

 private:
  friend class Network;
  friend class ClientConnection;
  Network& network_;
  std::shared_ptr<Wire> wire_;
  net::Request request_;
  std::function<void(net::Response)> on_answer_;
  net::Connection::StreamCallbacks on_stream_;
};

// Threads: one. Outlives all connections.
class Network {
 public:
  Network(Timeline& timeline, uint64_t seed) : timeline_(timeline), random_(seed) {}

  using Handler = std::function<void(std::shared_ptr<Exchange>)>;
  void Listen(const std::string& authority, Handler handler) {
    servers_[authority] = std::move(handler);
  }
  // The server is gone, and so are its connections.
  void Close(const std::string& authority);

  // `link` names the cable; empty: within one machine, which fails only with its programs.
  // `sees` is called with each request before it goes out; false: it does not.
  std::unique_ptr<net::Connection> Connect(Process& client, const std::string& link,
                                           const net::Url& url,
                                           net::Connection::Callbacks callbacks,
                                           std::function<bool(const net::Request&)> sees = {});

  // All connections over it break; what is under way is lost, or some of it.
  void Cut(const std::string& link);
  // Nothing arrives over it until it is healed; connections stay.
  void Divide(const std::string& link) { divided_.insert(link); }
  void Heal(const std::string& link);
  // Over links, pieces take up to this time.
  void SetDelay(Duration most) { delay_ = most; }

  // A piece arrives at the other end.
  void Send(const std::shared_ptr<Wire>& wire, Wire::Direction direction,
            std::function<void()> arrive);
  // Both ends learn that it is gone.
  void Break(const std::shared_ptr<Wire>& wire, const std::string& why);
  // The client is gone: the server learns it behind what is under way.
  void Leave(const std::shared_ptr<Wire>& wire);
  const Handler* ServerAt(const std::string& authority) const;
  Timeline& timeline() { return timeline_; }

 private:
  Duration Delay(const Wire& wire);
  void BreakServer(const std::shared_ptr<Wire>& wire);

  Timeline& timeline_;
  Random random_;
  Duration delay_ = std::chrono::milliseconds(2);
  std::map<std::string, Handler> servers_;
  std::list<std::weak_ptr<Wire>> wires_;
  std::set<std::string> divided_;
};

}  // namespace kiln::simulation

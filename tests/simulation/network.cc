#include "tests/simulation/network.h"

#include <algorithm>
#include <optional>

namespace kiln::simulation {

using std::chrono::milliseconds;

// The client's end. After it is closed, or its program is dead, nothing comes of it.
class ClientConnection final : public net::Connection {
 public:
  ClientConnection(Network& network, Process& process, std::shared_ptr<Wire> wire,
                   Callbacks callbacks, std::function<bool(const net::Request&)> sees)
      : network_(network), state_(std::make_shared<State>()) {
    state_->process = &process;
    state_->callbacks = std::move(callbacks);
    state_->sees = std::move(sees);
    state_->wire = std::move(wire);
    state_->wire->break_client = [weak = std::weak_ptr(state_)](const Error& why) {
      if (const auto state = weak.lock()) state->End(why);
    };
  }
  ~ClientConnection() override { Close(); }

  void Send(net::Request request, std::function<void(Result<net::Response>)> done,
            Duration timeout) override {
    if (!Goes(request)) return;
    const uint64_t number = ++state_->last;
    state_->open[number] = std::move(done);
    state_->timers[number] =
        state_->process->After(timeout, [weak = std::weak_ptr(state_), &network = network_] {
          if (const auto state = weak.lock()) network.Break(state->wire, "did not answer in time");
        });
    auto exchange = std::make_shared<Exchange>(network_, state_->wire, std::move(request));
    exchange->on_answer_ = [weak = std::weak_ptr(state_), number](net::Response response) {
      if (const auto state = weak.lock()) state->Answer(number, std::move(response));
    };
    Deliver(std::move(exchange));
  }

  void OpenStream(net::Request request, StreamCallbacks callbacks) override {
    if (!Goes(request)) return;
    auto exchange = std::make_shared<Exchange>(network_, state_->wire, std::move(request));
    const auto guard = [weak = std::weak_ptr(state_)] {
      const auto state = weak.lock();
      return state && state->Listens();
    };
    exchange->on_stream_.on_head = [guard, f = callbacks.on_head](const net::Response& head) {
      if (guard()) f(head);
    };
    exchange->on_stream_.on_data = [guard, f = callbacks.on_data](std::string_view piece) {
      if (guard()) f(piece);
    };
    exchange->on_stream_.on_end = [guard, f = callbacks.on_end] {
      if (guard()) f();
    };
    Deliver(std::move(exchange));
  }

  void Close() override {
    if (std::exchange(state_->closed, true)) return;
    state_->open.clear();
    state_->timers.clear();
    network_.Leave(state_->wire);
  }

  struct State {
    bool Listens() const { return !closed && process->alive(); }
    void Answer(uint64_t number, net::Response response) {
      const auto found = open.find(number);
      if (found == open.end() || !Listens()) return;
      const auto done = std::move(found->second);
      open.erase(found);
      timers.erase(number);
      done(std::move(response));
    }
    void End(const Error& why) {
      if (std::exchange(ended, true)) return;
      timers.clear();
      for (auto& [number, done] : std::exchange(open, {})) {
        if (Listens()) done(Failure(why));
      }
      if (Listens() && callbacks.on_closed) std::exchange(callbacks.on_closed, nullptr)(why);
    }

    Process* process = nullptr;
    Callbacks callbacks;
    std::function<bool(const net::Request&)> sees;
    std::shared_ptr<Wire> wire;
    std::map<uint64_t, std::function<void(Result<net::Response>)>> open;
    std::map<uint64_t, net::Handle> timers;
    uint64_t last = 0;
    bool closed = false;
    bool ended = false;
  };
  const std::shared_ptr<State>& state() const { return state_; }

 private:
  bool Goes(const net::Request& request) const {
    return state_->Listens() && (!state_->sees || state_->sees(request));
  }
  void Deliver(std::shared_ptr<Exchange> exchange) {
    network_.Send(state_->wire, Wire::kToServer, [&network = network_, exchange] {
      const auto* handler = network.ServerAt(exchange->wire_->server);
      if (handler != nullptr) (*handler)(exchange);
    });
  }

  Network& network_;
  std::shared_ptr<State> state_;
};

void Exchange::Respond(net::Response response) {
  network_.Send(wire_, Wire::kToClient,
                [answer = on_answer_, stream = on_stream_, response = std::move(response)] {
                  if (answer) return answer(response);
                  stream.on_head({response.status, response.headers, {}});
                  if (!response.body.empty()) stream.on_data(response.body);
                  stream.on_end();
                });
}

void Exchange::BeginStream(net::Response head) {
  network_.Send(wire_, Wire::kToClient,
                [stream = on_stream_, head = std::move(head)] { stream.on_head(head); });
}

void Exchange::Write(std::string piece, std::function<void()> arrived) {
  network_.Send(wire_, Wire::kToClient,
                [stream = on_stream_, piece = std::move(piece), arrived = std::move(arrived)] {
                  if (arrived) arrived();
                  stream.on_data(piece);
                });
}

void Exchange::EndStream() {
  network_.Send(wire_, Wire::kToClient, [stream = on_stream_] { stream.on_end(); });
}

void Exchange::Abort() { network_.Break(wire_, "was aborted"); }

const Network::Handler* Network::ServerAt(const std::string& authority) const {
  const auto found = servers_.find(authority);
  return found == servers_.end() ? nullptr : &found->second;
}

Duration Network::Delay(const Wire& wire) {
  if (wire.link.empty()) return std::chrono::microseconds(20 + random_.Below(300));
  return std::chrono::microseconds(100) +
         Duration(static_cast<int64_t>(random_.Below(static_cast<uint64_t>(delay_.count()))));
}

void Network::Send(const std::shared_ptr<Wire>& wire, Wire::Direction direction,
                   std::function<void()> arrive) {
  Wire::Way& way = wire->ways[direction];
  if (divided_.contains(wire->link) || !way.held.empty()) {
    way.held.push_back(std::move(arrive));
    return;
  }
  way.last = std::max(way.last, timeline_.now() + Delay(*wire));
  timeline_.At(way.last, [this, wire, direction, arrive = std::move(arrive)] {
    const auto& cut = wire->ways[direction].cut;
    if (!cut || timeline_.now() < *cut) arrive();
  });
}

std::unique_ptr<net::Connection> Network::Connect(Process& client, const std::string& link,
                                                  const net::Url& url,
                                                  net::Connection::Callbacks callbacks,
                                                  std::function<bool(const net::Request&)> sees) {
  auto wire = std::make_shared<Wire>();
  wire->link = link;
  wire->server = url.Authority();
  std::erase_if(wires_, [](const auto& weak) { return weak.expired(); });
  wires_.push_back(wire);
  auto connection = std::make_unique<ClientConnection>(*this, client, wire, std::move(callbacks),
                                                       std::move(sees));
  Send(wire, Wire::kToServer, [this, wire, weak = std::weak_ptr(connection->state())] {
    if (ServerAt(wire->server) == nullptr) return Break(wire, "refused the connection");
    wire->accepted = true;
    Send(wire, Wire::kToClient, [weak] {
      const auto state = weak.lock();
      if (state && state->Listens() && state->callbacks.on_open) state->callbacks.on_open();
    });
  });
  return connection;
}

void Network::BreakServer(const std::shared_ptr<Wire>& wire) {
  for (const auto& tell : std::exchange(wire->break_server, {})) tell();
}

void Network::Break(const std::shared_ptr<Wire>& wire, const std::string& why) {
  if (wire->ways[Wire::kToServer].cut) return;
  for (Wire::Way& way : wire->ways) {
    way.cut = timeline_.now() + (random_.Below(2) == 0 ? Duration(0) : Delay(*wire));
    way.held.clear();
  }
  const Error error{ErrorCode::kUnavailable, wire->server + " " + why, {}};
  timeline_.After(2 * Delay(*wire), [wire, error] { wire->break_client(error); });
  timeline_.After(2 * Delay(*wire), [this, wire] { BreakServer(wire); });
}

void Network::Leave(const std::shared_ptr<Wire>& wire) {
  wire->ways[Wire::kToClient].cut = timeline_.now();
  if (wire->ways[Wire::kToServer].cut) return;
  Send(wire, Wire::kToServer, [this, wire] { BreakServer(wire); });
}

void Network::Close(const std::string& authority) {
  servers_.erase(authority);
  for (const auto& weak : wires_) {
    const auto wire = weak.lock();
    if (wire && wire->server == authority && wire->accepted) Break(wire, "closed the connection");
  }
}

void Network::Cut(const std::string& link) {
  for (const auto& weak : wires_) {
    const auto wire = weak.lock();
    if (wire && wire->link == link) Break(wire, "was cut off");
  }
}

void Network::Heal(const std::string& link) {
  if (divided_.erase(link) == 0) return;
  for (const auto& weak : wires_) {
    const auto wire = weak.lock();
    if (!wire || wire->link != link) continue;
    for (const auto direction : {Wire::kToServer, Wire::kToClient}) {
      for (auto& arrive : std::exchange(wire->ways[direction].held, {})) {
        Send(wire, direction, std::move(arrive));
      }
    }
  }
}

}  // namespace kiln::simulation

// What a program needs of the world around it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "wire/net/agenda.h"
#include "wire/net/client.h"

namespace kiln::net {

// Time, connections and chance. There is the real world, and that of the simulator.
// Threads: the agenda's alone, which outlives it and its copies.
struct World {
  // The real one: implied wherever there is a loop. Servers of https URLs are judged by `tls`;
  // none: SystemTls.
  World(Loop& its_loop, std::shared_ptr<const TlsContext> tls = nullptr);
  World(Agenda& its_agenda,
        std::function<std::unique_ptr<Connection>(const Url&, Connection::Callbacks)> its_connect,
        std::function<uint64_t()> its_seed)
      : agenda(its_agenda), connect(std::move(its_connect)), seed(std::move(its_seed)) {}

  Instant Now() const { return agenda.Now(); }

  Agenda& agenda;
  Loop* loop = nullptr;  // of the real one, for what has threads of its own
  std::function<std::unique_ptr<Connection>(const Url&, Connection::Callbacks)> connect;
  std::function<uint64_t()> seed;  // another one with each call
};

}  // namespace kiln::net

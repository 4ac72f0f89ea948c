#include "wire/net/world.h"

#include "base/random.h"
#include "wire/net/loop.h"

namespace kiln::net {

World::World(Loop& loop)
    : agenda(loop),
      connect([&loop](const Url& url, Connection::Callbacks callbacks) {
        return Connection::Open(loop, url, std::move(callbacks));
      }),
      seed(RandomSeed) {}

}  // namespace kiln::net

#include "wire/net/world.h"

#include "base/random.h"
#include "wire/net/loop.h"

namespace kiln::net {

World::World(Loop& its_loop)
    : agenda(its_loop),
      loop(&its_loop),
      connect([&its_loop](const Url& url, Connection::Callbacks callbacks) {
        return Connection::Open(its_loop, url, std::move(callbacks));
      }),
      seed(RandomSeed) {}

}  // namespace kiln::net

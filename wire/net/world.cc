#include "wire/net/world.h"

#include "base/random.h"
#include "wire/net/loop.h"

namespace kiln::net {

World::World(Loop& its_loop, std::shared_ptr<const TlsContext> tls)
    : agenda(its_loop),
      loop(&its_loop),
      connect([&its_loop, tls = std::move(tls)](const Url& url, Connection::Callbacks callbacks) {
        return Connection::Open(its_loop, url, std::move(callbacks), tls);
      }),
      seed(RandomSeed) {}

}  // namespace kiln::net

// A model server: the REST of a catalog on a port.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "executor/serving/catalog.h"

namespace kiln::net {
class Loop;
}

namespace kiln::executor {

struct ModelServerOptions {
  std::string host = "127.0.0.1";
  int port = 0;                  // 0: a free one
  size_t body_limit = 32 << 20;  // bytes, read into forty times as many; beyond it 413
};

// Small requests are answered on the loop, larger ones on a pool thread.
// Threads: the loop's alone; the catalog may be changed from any. Owner: the daemon. Destroying it
// closes the port; the catalog lives as long as it is shared.
class ModelServer {
 public:
  static Result<std::unique_ptr<ModelServer>> Start(net::Loop& loop,
                                                    const ModelServerOptions& options,
                                                    std::shared_ptr<Catalog> catalog);
  ~ModelServer();

  int port() const;
  std::string address() const;  // host:port

 private:
  struct Parts;
  explicit ModelServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace kiln::executor

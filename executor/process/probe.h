// One look at a task: a command, an HTTP request or a connection.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "executor/process/memory_file.h"
#include "executor/process/process.h"
#include "wire/net/client.h"

namespace kiln::executor {

struct CommandProbe {
  ProcessSpec spec;  // answers its exit code
};
struct HttpProbe {
  int port = 0;  // on 127.0.0.1
  std::string path = "/";
  bool tls = false;  // answers the status of the page that redirects lead to
};
struct TcpProbe {
  int port = 0;  // answers 1 when somebody listens, else 0
};
using Probe = std::variant<CommandProbe, HttpProbe, TcpProbe>;

// Looks once; several times in turn, never side by side.
// Threads: the loop's. Destroying it ends the look without an answer.
class Prober {
 public:
  explicit Prober(net::Loop& loop) : loop_(loop) {}
  // Nothing comes to `done` as an answer when there was none within `timeout` (zero: no limit), or
  // the probe could not be made. Called once, never inside this call.
  void Look(const Probe& probe, Duration timeout, std::function<void(std::optional<int>)> done);

 private:
  void Start(const CommandProbe& probe);
  void Start(const HttpProbe& probe);
  void StartCurl(const HttpProbe& probe, std::optional<int> known);
  void Start(const TcpProbe& probe);
  void Finish(std::optional<int> answer);

  net::Loop& loop_;
  std::function<void(std::optional<int>)> done_;
  net::Handle timer_;
  net::Handle end_;
  std::optional<MemoryFile> code_;  // what curl writes
  std::unique_ptr<Process> process_;
  std::unique_ptr<net::Connection> connection_;
};

}  // namespace kiln::executor

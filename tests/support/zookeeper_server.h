// A real ZooKeeper server, Debian's, in a folder and on a port of its own.
#pragma once

#include <memory>
#include <string>

#include "tests/support/process.h"

namespace kiln::support {

// Threads: one. Its construction waits until it takes connections, and its destruction ends it. A
// test fails where it cannot be started.
class ZookeeperServer {
 public:
  struct Options {
    // Bounds the sessions: from two to twenty of them. Short, so that tests need not wait for long.
    std::chrono::milliseconds tick{150};
    std::string heap = "256m";
    bool syncs = false;  // what it answers is on the disk, as outside of tests
    std::string host = "127.0.0.1";
    std::vector<std::string> runner;  // what the command line begins with
  };

  explicit ZookeeperServer(Options options);
  ZookeeperServer() : ZookeeperServer(Options()) {}

  std::string address() const { return options_.host + ":" + std::to_string(port_); }
  // Ends it, for Start to begin it anew. `forget`: without its data, so that no session of before
  // is known any more.
  void Stop(bool forget);
  void Start();

 private:
  bool Started();

  const Options options_;
  TempFolder folder_;
  int port_ = 0;
  std::unique_ptr<Process> process_;
};

// One for all tests of a program, as it takes a second to start.
ZookeeperServer& SharedZookeeperServer();

}  // namespace kiln::support

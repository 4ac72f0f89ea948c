#include "tests/support/zookeeper_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/held_port.h"

namespace kiln::support {
namespace {

constexpr std::chrono::seconds kStart(30);

bool Connects(const std::string& host, int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(port);
  inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  const bool good = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return good;
}

}  // namespace

ZookeeperServer::ZookeeperServer(Options options) : options_(std::move(options)) { Start(); }

void ZookeeperServer::Start() {
  // ZooKeeper takes no port 0, so one that is free at this moment has to do. Another process may
  // take it before it does.
  for (int tries = port_ == 0 ? 5 : 1; tries > 0; --tries) {
    if (port_ == 0) port_ = HeldPort().port();
    if (Started()) return;
    if (tries > 1) port_ = 0;
  }
  FAIL() << ReadFile(folder_.File("log"));
}

bool ZookeeperServer::Started() {
  std::ofstream(folder_.File("zoo.cfg"))
      << "tickTime=" << options_.tick.count() << "\ndataDir=" << folder_.File("data")
      << "\nclientPortAddress=" << options_.host << "\nclientPort=" << port_
      << "\nadmin.enableServer=false\n";
  std::vector<std::string> argv = options_.runner;
  argv.insert(argv.end(),
              {"java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
               "-Xmx" + options_.heap,
               options_.syncs ? "-Dzookeeper.forceSync=yes" : "-Dzookeeper.forceSync=no",
               "-Dzookeeper.jmx.log4j.disable=true", "-cp", "/usr/share/java/zookeeper.jar",
               "org.apache.zookeeper.server.ZooKeeperServerMain", folder_.File("zoo.cfg")});
  process_ = std::make_unique<Process>(*Process::Start({argv, folder_.File("log"), {}}));
  bool ended = false;
  return Eventually(
             [&] {
               ended = process_->Wait(std::chrono::milliseconds(0)).has_value();
               return ended || Connects(options_.host, port_);
             },
             kStart) &&
         !ended;
}

void ZookeeperServer::Stop(bool forget) {
  process_->Signal(SIGKILL);
  process_->Wait(kStart);
  if (forget) std::filesystem::remove_all(folder_.File("data"));
}

ZookeeperServer& SharedZookeeperServer() {
  static ZookeeperServer server;
  return server;
}

}  // namespace kiln::support

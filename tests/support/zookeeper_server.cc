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

bool Connects(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  const bool good = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return good;
}

}  // namespace

ZookeeperServer::ZookeeperServer() { Start(); }

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
  // Ticks bound the sessions: from two to twenty of them, so that tests need not wait for long.
  std::ofstream(folder_.File("zoo.cfg"))
      << "tickTime=150\ndataDir=" << folder_.File("data")
      << "\nclientPortAddress=127.0.0.1\nclientPort=" << port_ << "\nadmin.enableServer=false\n";
  process_ = std::make_unique<Process>(*Process::Start(
      {{"java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx256m",
        "-Dzookeeper.forceSync=no", "-Dzookeeper.jmx.log4j.disable=true", "-cp",
        "/usr/share/java/zookeeper.jar", "org.apache.zookeeper.server.ZooKeeperServerMain",
        folder_.File("zoo.cfg")},
       folder_.File("log"),
       {}}));
  bool ended = false;
  return Eventually(
             [&] {
               ended = process_->Wait(std::chrono::milliseconds(0)).has_value();
               return ended || Connects(port_);
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

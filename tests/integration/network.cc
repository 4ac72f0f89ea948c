#include "tests/integration/network.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "tests/support/process.h"

namespace kiln::integration {
namespace {

constexpr char kRouter[] = "router";

Status Run(std::vector<std::string> argv) {
  const auto outcome = support::RunProgram(argv);
  if (outcome.code == 0) return {};
  std::string line;
  for (const std::string& word : argv) line += word + " ";
  return Fail(ErrorCode::kFailedPrecondition, "{}says: {}", line, outcome.output);
}

Status Enter(int fd) {
  if (fd >= 0 && setns(fd, CLONE_NEWNET) == 0) return {};
  return Fail(ErrorCode::kFailedPrecondition, "a network namespace cannot be entered: {}",
              strerror(errno));
}

}  // namespace

Result<std::unique_ptr<Network>> Network::Make(const std::vector<std::string>& machines) {
  if (geteuid() != 0) {
    return Fail(ErrorCode::kFailedPrecondition, "network namespaces need root");
  }
  auto network = std::unique_ptr<Network>(new Network);
  network->prefix_ = fmt::format("kiln-{}-", getpid());
  KILN_TRY_OK(network->Guard(machines));
  KILN_TRY_OK(network->Build(machines));
  return network;
}

// One place for the end of all, which is reached in any case.
Status Network::Guard(const std::vector<std::string>& machines) {
  std::string script = "cat > /dev/null\n";
  std::vector<std::string> all = machines;
  all.push_back(kRouter);
  for (const std::string& machine : all) {
    const std::string name = prefix_ + machine;
    script += "if [ -e /run/netns/" + name + " ]; then\n  for pid in $(ip netns pids " + name +
              "); do [ $pid = $PPID ] || kill -9 $pid; done\n  ip netns del " + name + "\nfi\n";
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return Fail(ErrorCode::kFailedPrecondition, "no pipe: {}", strerror(errno));
  }
  guardian_ = fork();
  if (guardian_ == 0) {
    setsid();
    dup2(ends[0], STDIN_FILENO);
    execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
    _exit(127);
  }
  close(ends[0]);
  guard_ = ends[1];
  return {};
}

Network::~Network() {
  if (host_ >= 0) {
    (void)Enter(host_);
    close(host_);
  }
  close(guard_);
  int status = 0;
  waitpid(guardian_, &status, 0);
}

Status Network::Build(const std::vector<std::string>& machines) {
  const std::string router = prefix_ + kRouter;
  KILN_TRY_OK(Run({"ip", "netns", "add", router}));
  KILN_TRY_OK(Run({"ip", "-n", router, "link", "set", "lo", "up"}));
  int number = 0;
  for (const std::string& machine : machines) {
    const std::string name = prefix_ + machine, port = "v" + std::to_string(++number);
    const std::string net = "10.77." + std::to_string(number) + ".";
    KILN_TRY_OK(Run({"ip", "netns", "add", name}));
    KILN_TRY_OK(Run({"ip", "-n", router, "link", "add", port, "type", "veth", "peer", "name",
                     "eth0", "netns", name}));
    KILN_TRY_OK(Run({"ip", "-n", router, "addr", "add", net + "1/24", "dev", port}));
    KILN_TRY_OK(Run({"ip", "-n", router, "link", "set", port, "up"}));
    KILN_TRY_OK(Run({"ip", "-n", name, "addr", "add", net + "2/24", "dev", "eth0"}));
    KILN_TRY_OK(Run({"ip", "-n", name, "link", "set", "eth0", "up"}));
    KILN_TRY_OK(Run({"ip", "-n", name, "link", "set", "lo", "up"}));
    KILN_TRY_OK(Run({"ip", "-n", name, "route", "add", "default", "via", net + "1"}));
    addresses_[machine] = net + "2";
  }
  host_ = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  const int fd = open(("/run/netns/" + router).c_str(), O_RDONLY | O_CLOEXEC);
  Status entered = Enter(fd);
  close(fd);
  KILN_TRY_OK(std::move(entered));
  // Of this namespace alone.
  if (!(std::ofstream("/proc/sys/net/ipv4/ip_forward") << "1").flush()) {
    return Fail(ErrorCode::kFailedPrecondition, "a namespace cannot be made a router");
  }
  return {};
}

std::vector<std::string> Network::RunnerOf(const std::string& machine) const {
  return {"nsenter", "--net=/run/netns/" + prefix_ + machine};
}

void Network::Cut(const std::string& one, const std::string& other) {
  for (const auto& [from, to] : {std::pair(one, other), {other, one}}) {
    std::vector<std::string> rule = {"from", AddressOf(from), "to", AddressOf(to), "blackhole"};
    std::vector<std::string> argv = {"ip", "-n", prefix_ + kRouter, "rule", "add"};
    argv.insert(argv.end(), rule.begin(), rule.end());
    if (Run(argv)) cuts_.push_back(std::move(rule));
  }
}

void Network::Heal() {
  for (const auto& rule : std::exchange(cuts_, {})) {
    std::vector<std::string> argv = {"ip", "-n", prefix_ + kRouter, "rule", "del"};
    argv.insert(argv.end(), rule.begin(), rule.end());
    (void)Run(argv);
  }
}

}  // namespace kiln::integration

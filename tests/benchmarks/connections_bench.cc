// A scheduler's REST API under ten thousand connections of those who mean no good: what a well
// behaved client waits, and what memory the scheduler takes.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/random.h"
#include "tests/benchmarks/report.h"
#include "tests/integration/cluster.h"

namespace kiln::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kConnections = 10'000;
constexpr int kConnectsAtOnce = 100;  // new ones in each pause, at most
constexpr milliseconds kPause(20);
constexpr std::chrono::seconds kTime(20);
constexpr double kGoal = 10;  // milliseconds

enum Kind { kSlowHead, kSlowBody, kIdle, kHalfClosed, kGarbage, kEvents, kPipeline, kKinds };
const char* const kKindNames[] = {"slow heads",      "slow bodies", "idle",
                                  "half closed",     "garbage",     "events not read",
                                  "answers not read"};

sockaddr_in Address(uint32_t host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(host);
  return address;
}

// Each of its own kind, from eight addresses; who is cut off comes again.
class Crowd {
 public:
  explicit Crowd(int port) : port_(port), thread_([this] { Run(); }) {}
  ~Crowd() {
    stop_ = true;
    thread_.join();
  }

  int open() const { return open_; }
  int64_t connects() const { return connects_; }

 private:
  struct One {
    int fd = -1;
    int step = 0;
  };

  void Run() {
    std::vector<One> all(kConnections);
    Random random(1);
    while (!stop_) {
      int connects = 0, open = 0;
      for (size_t i = 0; i < all.size(); ++i) {
        One& one = all[i];
        const Kind kind = static_cast<Kind>(i % kKinds);
        if (one.fd >= 0 && Ended(one, kind)) {
          close(one.fd);
          one = {};
        }
        if (one.fd < 0 && connects < kConnectsAtOnce) {
          ++connects;
          Connect(one, i);
        }
        if (one.fd < 0) continue;
        ++open;
        // The slow ones say something twice a second.
        if (one.step == 0 || (round_ + i) % 25 == 0) Speak(one, kind, random);
      }
      open_ = open;
      connects_ += connects;
      ++round_;
      std::this_thread::sleep_for(kPause);
    }
    for (const One& one : all) {
      if (one.fd >= 0) close(one.fd);
    }
  }

  void Connect(One& one, size_t number) const {
    one.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(one.fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    const sockaddr_in from = Address(0x7f000002 + static_cast<uint32_t>(number % 8), 0);
    const sockaddr_in to = Address(INADDR_LOOPBACK, port_);
    if (bind(one.fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0 ||
        (connect(one.fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
         errno != EINPROGRESS)) {
      close(one.fd);
      one.fd = -1;
    }
  }

  // Those that read nothing are looked at without it.
  static bool Ended(const One& one, Kind kind) {
    char piece[4096];
    const int flags = kind == kEvents || kind == kPipeline || kind == kHalfClosed ? MSG_PEEK : 0;
    const ssize_t count = recv(one.fd, piece, sizeof piece, flags | MSG_DONTWAIT);
    if (count > 0) return false;
    return count == 0 || (errno != EAGAIN && errno != ENOTCONN);
  }

  static void Say(const One& one, std::string_view text) {
    (void)send(one.fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  static void Speak(One& one, Kind kind, Random& random) {
    int error = 0;
    socklen_t size = sizeof error;
    sockaddr_in peer{};
    socklen_t length = sizeof peer;
    if (getpeername(one.fd, reinterpret_cast<sockaddr*>(&peer), &length) != 0) return;
    getsockopt(one.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    const bool first = one.step++ == 0;
    switch (kind) {
      case kSlowHead:
        return Say(one, first ? "GET /v1/jobs HTTP/1.1\r\nHost: h\r\n" : "X-More: and more\r\n");
      case kSlowBody:
        return Say(
            one,
            first ? "POST /v1/jobs HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n" : "{");
      case kIdle:
        if (first) Say(one, "GET /v1/health HTTP/1.1\r\nHost: h\r\n\r\n");
        return;
      case kHalfClosed:
        if (!first) return;
        Say(one, "GET /v1/jobs HTTP/1.1\r\nHost: h\r\n\r\n");
        shutdown(one.fd, SHUT_WR);
        return;
      case kGarbage: {
        std::string bytes(64, '\0');
        for (char& byte : bytes) byte = static_cast<char>(random.Below(256));
        return Say(one, bytes);
      }
      case kEvents:
        if (first) Say(one, "GET /v1/events?after=0 HTTP/1.1\r\nHost: h\r\n\r\n");
        return;
      case kPipeline:
        for (int i = 0; i < 8; ++i) Say(one, "GET /v1/openapi.json HTTP/1.1\r\nHost: h\r\n\r\n");
        return;
      case kKinds:
        return;
    }
  }

  const int port_;
  uint64_t round_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<int> open_{0};
  std::atomic<int64_t> connects_{0};
  std::thread thread_;
};

// A client that keeps its connection and asks every few milliseconds: what it waits for an answer,
// in milliseconds. The loop is what answers it.
class Client {
 public:
  explicit Client(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in to = Address(INADDR_LOOPBACK, port);
    const timeval limit{10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    good_ = connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;

  bool Ask() {
    constexpr std::string_view kRequest = "GET /v1/health HTTP/1.1\r\nHost: h\r\n\r\n";
    char answer[8192];
    good_ = good_ && send(fd_, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) ==
                         static_cast<ssize_t>(kRequest.size());
    return good_ = good_ && recv(fd_, answer, sizeof answer, 0) > 0;
  }

 private:
  int fd_;
  bool good_ = false;
};

struct Waits {
  std::vector<double> kept;  // on a connection that is kept
  std::vector<double> made;  // with one that is made for it
  int failures = 0;
  int64_t memory = 0;  // the most that the scheduler took
};

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Waits Measure(int port, pid_t scheduler, Clock::duration time) {
  Waits waits;
  Client kept(port);
  const auto end = Clock::now() + time;
  for (int i = 0; Clock::now() < end; ++i) {
    auto start = Clock::now();
    waits.failures += kept.Ask() ? 0 : 1;
    waits.kept.push_back(MillisecondsSince(start));
    if (i % 10 == 0) {
      start = Clock::now();
      Client made(port);
      waits.failures += made.Ask() ? 0 : 1;
      waits.made.push_back(MillisecondsSince(start));
      waits.memory = std::max(waits.memory, support::ResidentBytes(scheduler));
    }
    std::this_thread::sleep_for(milliseconds(3));
  }
  return waits;
}

int Run() {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  integration::Cluster cluster({.agents = 1});
  // Jobs that wait for ever: events to be read, and answers of some length.
  for (int i = 0; i < 500; ++i) {
    const auto reply = cluster.Api(
        "POST", "/v1/jobs",
        fmt::format("name: j{}\nkind: service\nafter: [nosuch]\ngroups: [{{name: g, run: "
                    "{{command: 'true'}}}}]\n",
                    i));
    if (reply.status != 201) return 1;
  }
  const int port = std::stoi(cluster.api().substr(cluster.api().rfind(':') + 1));
  const pid_t scheduler = cluster.scheduler_pid();
  const Waits alone = Measure(port, scheduler, std::chrono::seconds(5));
  Crowd crowd(port);
  support::Eventually([&] { return crowd.open() > kConnections * 9 / 10; },
                      std::chrono::seconds(30));
  const Waits among = Measure(port, scheduler, kTime);
  const std::string note =
      fmt::format("{} connections open and {} made, of {}; {} of {} requests failed", crowd.open(),
                  crowd.connects(), fmt::join(kKindNames, ", "), among.failures,
                  among.kept.size() + among.made.size());
  const auto mebibytes = [](int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  const auto row = [&](const char* name, const std::vector<double>& with,
                       const std::vector<double>& without, double part) -> Measurement {
    return {name, Quantile(with, part), "ms", "without them", Quantile(without, part), note};
  };
  Report({row("connections_p50", among.kept, alone.kept, 0.5),
          row("connections_p99", among.kept, alone.kept, 0.99),
          {"connections_p99_limit", Quantile(among.kept, 0.99), "ms", "the goal", kGoal, note},
          row("connections_new_p50", among.made, alone.made, 0.5),
          row("connections_new_p99", among.made, alone.made, 0.99),
          {"connections_memory", mebibytes(among.memory), "MiB", "without them",
           mebibytes(alone.memory), "of the scheduler, the most"}});
  return among.failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace kiln::bench

int main() {
  testing::GTEST_FLAG(throw_on_failure) = true;  // the cluster's own expectations
  return kiln::bench::Run();
}

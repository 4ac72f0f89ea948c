// From the death of the leader of three schedulers to the first ACCEPT of the next one, while a
// hundred thousand tasks run. The schedulers and ZooKeeper are real processes; the master is played
// here, as it has to have that many tasks: it answers for each of them, and offers at once when
// somebody subscribes, as Mesos does.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "proto/mesos/v1/scheduler.pb.h"
#include "scheduler/daemon/ledger.h"
#include "tests/benchmarks/report.h"
#include "tests/integration/cluster.h"
#include "tests/support/zookeeper_server.h"
#include "wire/mesos/recordio.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Call = mesos::v1::scheduler::Call;
using Event = mesos::v1::scheduler::Event;
using Time = steady_clock::time_point;

constexpr int kJobs = 100;
constexpr int kMembers = 1'000;
constexpr int kAgents = 1'000;
constexpr int kRounds = 30;
constexpr char kFramework[] = "f-1";

double Seconds(Time from, Time to) { return std::chrono::duration<double>(to - from).count(); }

scheduler::State BusyState() {
  scheduler::State state;
  state.framework_id = kFramework;
  const Instant now = SystemClock().Now();
  for (int j = 0; j < kJobs; ++j) {
    const std::string name = fmt::format("work-{:02}", j);
    state.jobs[name] = {.job = {.name = name,
                                .kind = JobKind::kService,
                                .groups = {{.name = "g",
                                            .count = kMembers,
                                            .cpus_milli = 100,
                                            .mem = MiB(32),
                                            .work = CommandWork{.shell = "sleep 86400"}}}},
                        .digest = 1,
                        .phase = scheduler::JobPhase::kRunning,
                        .submitted = now};
    for (int m = 0; m < kMembers; ++m) {
      const std::string agent = fmt::format("a{}", (j * kMembers + m) % kAgents);
      const std::string id = fmt::format("{}.g.{}.1-{}", name, m, j * kMembers + m);
      state.tasks[{id}] = {.id = {id},
                           .member = {name, "g", m},
                           .agent = {agent},
                           .hostname = "host-" + agent,
                           .executor = {id},
                           .resources = {.cpus_milli = 100, .mem = MiB(32)},
                           .state = TaskState::kRunning,
                           .launched = now,
                           .started = now};
      state.agents[{agent}] = {
          .id = {agent}, .hostname = "host-" + agent, .address = "127.0.0.1:1"};
    }
  }
  return state;
}

Status Remember(const scheduler::State& state, const std::string& address) {
  KILN_TRY(const auto parsed, wire::ParseZookeeperAddress(address));
  KILN_TRY(auto store, scheduler::OpenZookeeperStore(parsed));
  scheduler::Ledger ledger(std::move(store));
  KILN_TRY_OK(ledger.Load());
  scheduler::Effects effects;
  effects.meta = true;
  for (const auto& [name, job] : state.jobs) effects.jobs.insert(name);
  for (const auto& [id, agent] : state.agents) effects.agents.insert(id);
  for (const auto& [id, task] : state.tasks) {
    effects.tasks.insert(id);
    if (effects.tasks.size() < 500) continue;
    KILN_TRY_OK(ledger.Write(state, effects));
    effects = {};
  }
  return ledger.Write(state, effects);
}

// Threads: its own serves; the rest are for the benchmark's.
class Master {
 public:
  explicit Master(const scheduler::State& state) {
    for (const auto& [id, task] : state.tasks) tasks_[id.text] = task.agent.text;
    server_ = *net::Server::Listen(
        loop_, {.body_limit = size_t{256} << 20},
        [this](std::shared_ptr<net::Exchange> exchange) { Handle(std::move(exchange)); });
    thread_ = std::thread([this] { loop_.Run(); });
  }
  ~Master() {
    loop_.Stop();
    thread_.join();
  }

  std::string address() const { return server_->address(); }
  // Whoever subscribes, or revives, gets an offer, until it is accepted.
  void StartOffers() { offers_ = true; }
  struct Times {
    Time subscribed, reconciled, accepted;
    bool done = false;
  };
  void Forget() {
    const std::lock_guard lock(mutex_);
    times_ = {};
  }
  Times Seen() {
    const std::lock_guard lock(mutex_);
    return times_;
  }
  int launched() const { return launched_; }
  int killed() const { return killed_; }

 private:
  void Handle(std::shared_ptr<net::Exchange> exchange) {
    Call call;
    if (!call.ParseFromString(exchange->request().body)) return;
    if (call.type() == Call::SUBSCRIBE) return Subscribe(std::move(exchange));
    exchange->Respond({202, {}, ""});
    if (call.type() == Call::RECONCILE) {
      Reconcile(call.reconcile());
    } else if (call.type() == Call::REVIVE) {
      Offer();
    } else if (call.type() == Call::KILL) {
      ++killed_;
    } else if (call.type() == Call::ACCEPT) {
      Accept(call.accept());
    }
  }

  void Subscribe(std::shared_ptr<net::Exchange> exchange) {
    stream_ = std::move(exchange);
    stream_->BeginStream(
        {200, {{"Content-Type", "application/x-protobuf"}, {"Mesos-Stream-Id", "s"}}, ""});
    Event event;
    event.set_type(Event::SUBSCRIBED);
    event.mutable_subscribed()->mutable_framework_id()->set_value(kFramework);
    event.mutable_subscribed()->set_heartbeat_interval_seconds(15);
    Send(event);
    Offer();
    heartbeat_ = loop_.Every(std::chrono::seconds(10), [this] {
      Event beat;
      beat.set_type(Event::HEARTBEAT);
      Send(beat);
    });
    const std::lock_guard lock(mutex_);
    times_.subscribed = steady_clock::now();
  }

  void Offer() {
    if (!offers_) return;
    Event event;
    event.set_type(Event::OFFERS);
    mesos::v1::Offer& offer = *event.mutable_offers()->add_offers();
    offer.mutable_id()->set_value(fmt::format("o-{}", ++last_offer_));
    offer.mutable_framework_id()->set_value(kFramework);
    offer.mutable_agent_id()->set_value("a0");
    offer.set_hostname("host-a0");
    offer.mutable_allocation_info()->set_role("*");
    for (const auto& [name, amount] : {std::pair("cpus", 4.0), {"mem", 4096.0}}) {
      mesos::v1::Resource& resource = *offer.add_resources();
      resource.set_name(name);
      resource.set_type(mesos::v1::Value::SCALAR);
      resource.mutable_scalar()->set_value(amount);
      resource.mutable_allocation_info()->set_role("*");
    }
    Send(event);
  }

  void Accept(const Call::Accept& accept) {
    offers_ = false;
    for (const auto& operation : accept.operations()) {
      for (const auto& task : operation.launch().task_infos()) {
        ++launched_;
        Send(
            Update(task.task_id().value(), task.agent_id().value(), mesos::v1::TASK_FINISHED, "u"));
      }
    }
    const std::lock_guard lock(mutex_);
    if (std::exchange(times_.done, true)) return;
    times_.accepted = steady_clock::now();
  }

  void Reconcile(const Call::Reconcile& reconcile) {
    std::string bytes;
    const auto tell = [&](const std::string& task, const std::string& agent) {
      const auto state = tasks_.contains(task) ? mesos::v1::TASK_RUNNING : mesos::v1::TASK_GONE;
      bytes += wire::EncodeRecord(Update(task, agent, state, "").SerializeAsString());
      if (bytes.size() < (64 << 10)) return;
      stream_->Write(bytes);
      bytes.clear();
    };
    for (const auto& task : reconcile.tasks()) {
      tell(task.task_id().value(), task.agent_id().value());
    }
    if (reconcile.tasks().empty()) {
      for (const auto& [task, agent] : tasks_) tell(task, agent);
    }
    if (!bytes.empty()) stream_->Write(bytes);
    const std::lock_guard lock(mutex_);
    if (!times_.done) times_.reconciled = steady_clock::now();
  }

  static Event Update(const std::string& task, const std::string& agent, mesos::v1::TaskState state,
                      const std::string& uuid) {
    Event event;
    event.set_type(Event::UPDATE);
    mesos::v1::TaskStatus& status = *event.mutable_update()->mutable_status();
    status.mutable_task_id()->set_value(task);
    status.mutable_agent_id()->set_value(agent);
    status.set_state(state);
    status.set_timestamp(1);
    if (uuid.empty()) {
      status.set_source(mesos::v1::TaskStatus::SOURCE_MASTER);
      status.set_reason(mesos::v1::TaskStatus::REASON_RECONCILIATION);
      status.set_message("Reconciliation: Latest task state");
    } else {
      status.set_source(mesos::v1::TaskStatus::SOURCE_EXECUTOR);
      status.set_uuid(uuid);
    }
    return event;
  }
  void Send(const Event& event) { stream_->Write(wire::EncodeRecord(event.SerializeAsString())); }

  net::Loop loop_;
  std::unique_ptr<net::Server> server_;
  std::unordered_map<std::string, std::string> tasks_;  // and their agents
  std::shared_ptr<net::Exchange> stream_;
  net::Handle heartbeat_;
  int last_offer_ = 0;
  std::atomic<bool> offers_{false};
  std::atomic<int> launched_{0}, killed_{0};
  std::mutex mutex_;
  Times times_;
  std::thread thread_;
};

struct Scheduler {
  support::Process process;
  std::string api;
};

class Schedulers {
 public:
  Schedulers(std::string master, std::string state)
      : master_(std::move(master)), state_(std::move(state)) {}

  void Start() {
    const std::string name = folder_.File(std::to_string(++started_));
    auto process = *support::Process::Start(
        {{integration::Program("kiln-scheduler"), "--master=" + master_, "--listen=127.0.0.1:0",
          "--state=" + state_, "--artifacts=" + folder_.File("artifacts"), "--executor=/bin/true",
          "--address-file=" + name},
         name + ".log",
         {}});
    EXPECT_TRUE(support::Eventually([&] { return !support::ReadFile(name).empty(); }));
    all_.push_back({std::move(process), "http://" + support::ReadFile(name)});
  }
  // Waits until one is ready and the others know it; its place among them.
  std::optional<size_t> Ready() {
    std::optional<size_t> leader;
    const bool ready = support::Eventually(
        [&] {
          leader.reset();
          for (size_t i = 0; i < all_.size(); ++i) {
            const auto health = integration::Ask("GET", all_[i].api + "/v1/health");
            if (health.status == 200) leader = i;
          }
          if (!leader) return false;
          return std::all_of(all_.begin(), all_.end(), [&](const Scheduler& one) {
            if (one.api == all_[*leader].api) return true;
            const auto health = integration::Ask("GET", one.api + "/v1/health");
            return health.json.is_object() && health.json.value("leader", "") == all_[*leader].api;
          });
        },
        std::chrono::seconds(60));
    return ready ? leader : std::nullopt;
  }
  const Scheduler& at(size_t place) const { return all_[place]; }
  void Kill(size_t place) {
    all_[place].process.Signal(SIGKILL);
    all_[place].process.Wait(std::chrono::seconds(10));
    all_.erase(all_.begin() + static_cast<ptrdiff_t>(place));
  }
  std::string Logs() {
    std::string text;
    for (int i = 1; i <= started_; ++i) {
      text += support::ReadFile(folder_.File(std::to_string(i)) + ".log");
    }
    return text;
  }

 private:
  support::TempFolder folder_;
  const std::string master_, state_;
  int started_ = 0;
  std::vector<Scheduler> all_;
};

int Run(int rounds) {
  const support::ZookeeperServer zookeeper({.tick = std::chrono::seconds(2), .syncs = true});
  const std::string address = "zk://" + zookeeper.address() + "/kiln";
  const scheduler::State state = BusyState();
  if (const Status written = Remember(state, address); !written) {
    fmt::print(stderr, "takeover: {}\n", written.error().message);
    return 1;
  }
  Master master(state);
  Schedulers schedulers(master.address(), address);
  for (int i = 0; i < 3; ++i) schedulers.Start();
  std::vector<double> subscribed, reconciled, accepted;
  for (int round = 0; round < rounds; ++round) {
    const auto leader = schedulers.Ready();
    if (!leader) {
      fmt::print(stderr, "takeover: nobody leads\n{}", schedulers.Logs());
      return 1;
    }
    const std::string job = wire::DumpJson(
        {{"name", fmt::format("round-{}", round)},
         {"kind", "training"},
         {"groups", {{{"name", "g"}, {"cpus", 1}, {"run", {{"command", "true"}}}}}}});
    const auto reply = integration::Ask("POST", schedulers.at(*leader).api + "/v1/jobs", job);
    if (reply.status != 201) {
      fmt::print(stderr, "takeover: submit answered {} {}\n", reply.status, reply.body);
      return 1;
    }
    std::this_thread::sleep_for(milliseconds(500));  // a moment of a cluster that is at rest
    master.Forget();
    const Time start = steady_clock::now();
    kill(schedulers.at(*leader).process.pid(), SIGKILL);
    master.StartOffers();
    schedulers.Kill(*leader);
    if (!support::Eventually([&] { return master.Seen().done; }, std::chrono::seconds(60))) {
      fmt::print(stderr, "takeover: no ACCEPT within a minute\n{}", schedulers.Logs());
      return 1;
    }
    const Master::Times times = master.Seen();
    subscribed.push_back(Seconds(start, times.subscribed));
    reconciled.push_back(Seconds(start, times.reconciled));
    accepted.push_back(Seconds(start, times.accepted));
    fmt::print("round {}: subscribed {:.3f} s, told {:.3f} s, accepted {:.3f} s\n", round,
               subscribed.back(), reconciled.back(), accepted.back());
    std::fflush(stdout);
    schedulers.Start();
  }
  const std::string note = fmt::format(
      "{} rounds, {} running tasks, 3 schedulers; ZooKeeper with its usual ticks, whose "
      "sessions end after 4 s at the earliest; the master is played",
      rounds, state.tasks.size());
  Report(
      {{"takeover_subscribe_p50", Quantile(subscribed, 0.5), "s", "", {}, "kill -9 to SUBSCRIBE"},
       {"takeover_reconciled_p50",
        Quantile(reconciled, 0.5),
        "s",
        "",
        {},
        "until the master has told of the last task"},
       {"takeover_accept_p50", Quantile(accepted, 0.5), "s", "", {}, note},
       {"takeover_accept_p99", Quantile(accepted, 0.99), "s", "what is asked for", 2, note},
       {"takeover_launches_twice",
        double(master.launched() - rounds),
        "",
        "",
        {},
        "ACCEPTs beyond one a round"},
       {"takeover_kills", double(master.killed()), "", "", {}, "of tasks that should live"}});
  return 0;
}

}  // namespace
}  // namespace kiln::bench

int main(int argc, char** argv) {
  testing::GTEST_FLAG(throw_on_failure) = true;
  return kiln::bench::Run(argc > 1 ? std::atoi(argv[1]) : kiln::bench::kRounds);
}

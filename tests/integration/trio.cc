#include "tests/integration/trio.h"

#include <fstream>
#include <sstream>

#include "tests/integration/cluster.h"
#include "wire/net/client.h"
#include "wire/rest/json.h"

namespace kiln::integration {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using wire::Json;

constexpr char kSteady[] = "steady";
constexpr int kSteadyMembers = 6;
constexpr int kMembers = 3;
constexpr int kPort = 8080;

// A call that gives up soon, as packets may vanish.
Reply Call(const std::string& method, const std::string& url, const std::string& body = "") {
  net::Request request{.method = method, .body = body};
  const auto response = net::Fetch(url, request, {.timeout = seconds(1)});
  if (!response) return {};
  Reply reply{response->status, nullptr, response->body};
  if (auto json = wire::ParseJson(reply.body)) reply.json = *json;
  return reply;
}

// Each start of a member leaves a line.
std::string JobText(const std::string& name, const char* kind, int count, const std::string& ledger,
                    const std::string& then) {
  return wire::DumpJson(
      {{"name", name},
       {"kind", kind},
       {"groups",
        {{{"name", "g"},
          {"count", count},
          {"cpus", 0.1},
          {"mem", "16MiB"},
          {"run",
           {{"command", fmt::format("echo {}.$KILN_INDEX >> {}; {}", name, ledger, then)}}}}}}});
}

}  // namespace

const char* NameOf(Partition partition) {
  switch (partition) {
    case Partition::kLeaderFromZookeeper:
      return "leader from ZooKeeper";
    case Partition::kLeaderFromMaster:
      return "leader from master";
    case Partition::kLeaderFromFollowers:
      return "leader from followers";
    case Partition::kLeaderFromAll:
      return "leader from all";
    case Partition::kZookeeperFromAll:
      return "ZooKeeper from all";
  }
  return "";
}

std::vector<std::string> Trio::Machines() { return {"zookeeper", "mesos", "s1", "s2", "s3"}; }

Trio::Trio(Network& network) : network_(network) {
  zookeeper_.emplace(support::ZookeeperServer::Options{.host = network.AddressOf("zookeeper"),
                                                       .runner = network.RunnerOf("zookeeper")});
  StartMesos();
  for (const char* machine : {"s1", "s2", "s3"}) members_.push_back({machine, std::nullopt});
  Until([&] { return Leader().has_value(); }, seconds(60));
  if (Submit(kSteady, JobText(kSteady, "service", kSteadyMembers, folder_.File("ledger"),
                              "exec sleep 100000"))) {
    acknowledged_.insert(kSteady);
  }
  Until([&] { return PhaseOf(kSteady) == "RUNNING"; }, seconds(20));
}

void Trio::StartMesos() {
  std::vector<std::string> argv = network_.RunnerOf("mesos");
  const std::string host = network_.AddressOf("mesos");
  argv.insert(argv.end(), {Program("kiln-local"), "--host=" + host, "--port=5050",
                           "--work_dir=" + folder_.File("local"),
                           "--agent=" + wire::DumpJson({{"flags",
                                                         {"--resources=cpus:16;mem:8192;disk:4096",
                                                          "--port=5051", "--hostname=" + host}}})});
  mesos_ = *support::Process::Start({argv, folder_.File("local.log"), {}});
  master_ = host + ":5050";
}

std::string Trio::ApiOf(const Member& member) const {
  return fmt::format("http://{}:{}", network_.AddressOf(member.machine), kPort);
}

void Trio::Tend() {
  for (Member& member : members_) {
    if (member.process && !member.process->Wait(milliseconds(0))) continue;
    std::vector<std::string> argv = network_.RunnerOf(member.machine);
    argv.insert(argv.end(), {Program("kiln-scheduler"), "--no-auth", "--master=" + master_,
                             ApiOf(member).replace(0, 7, "--listen="),
                             "--state=zk://" + zookeeper_->address() + "/kiln",
                             "--artifacts=" + folder_.File("artifacts"),
                             "--executor=" + Program("kiln-executor")});
    member.process = *support::Process::Start({argv, folder_.File(member.machine + ".log"), {}});
  }
}

bool Trio::Until(const std::function<bool()>& done, milliseconds deadline) {
  return support::Eventually(
      [&] {
        Tend();
        return done();
      },
      deadline);
}

std::optional<size_t> Trio::Leader() {
  for (size_t i = 0; i < members_.size(); ++i) {
    if (Call("GET", ApiOf(members_[i]) + "/v1/health").status == 200) return i;
  }
  return std::nullopt;
}

bool Trio::Submit(const std::string& job, const std::string& text) {
  for (const Member& member : members_) {
    const int status = Call("POST", ApiOf(member) + "/v1/jobs", text).status;
    if (status != 200 && status != 201) continue;
    acknowledged_.insert(job);
    return true;
  }
  return false;
}

std::string Trio::PhaseOf(const std::string& job) {
  for (const Member& member : members_) {
    const Json json = Call("GET", ApiOf(member) + "/v1/jobs/" + job).json;
    if (json.is_object() && json.contains("phase")) return json.at("phase");
  }
  return "";
}

std::optional<double> Trio::Suffer(Partition partition, milliseconds time) {
  std::optional<size_t> leader;
  if (!Until([&] { return (leader = Leader()).has_value(); }, seconds(30))) return std::nullopt;
  const int number = ++number_;
  const auto submit = [&](const char* when) {
    const std::string name = fmt::format("{}-{}", when, number);
    return Submit(name, JobText(name, "training", kMembers, folder_.File("ledger"), "sleep 0.2"));
  };
  submit("before");
  const std::string& cut = members_[*leader].machine;
  for (const std::string& machine : Machines()) {
    const bool scheduler = machine.starts_with("s");
    const bool apart = partition == Partition::kLeaderFromAll ||
                       (partition == Partition::kLeaderFromZookeeper && machine == "zookeeper") ||
                       (partition == Partition::kLeaderFromMaster && machine == "mesos") ||
                       (partition == Partition::kLeaderFromFollowers && scheduler);
    if (apart && machine != cut) network_.Cut(cut, machine);
    if (partition == Partition::kZookeeperFromAll && scheduler) network_.Cut("zookeeper", machine);
  }
  const auto end = steady_clock::now() + time;
  bool known = false;
  Until(
      [&] {
        known = known || submit("in");
        return steady_clock::now() >= end;
      },
      time + seconds(10));
  const auto healed = steady_clock::now();
  network_.Heal();
  const std::string last = fmt::format("after-{}", number);
  const bool done =
      Until([&] { return submit("after") && PhaseOf(last) == "SUCCEEDED"; }, seconds(60));
  if (!done) return std::nullopt;
  return std::chrono::duration<double>(steady_clock::now() - healed).count();
}

std::vector<std::string> Trio::Faults() {
  std::vector<std::string> faults;
  for (const std::string& job : acknowledged_) {
    const std::string wanted = job == kSteady ? "RUNNING" : "SUCCEEDED";
    if (!Until([&] { return PhaseOf(job) == wanted; }, seconds(20))) {
      faults.push_back(fmt::format("job {} is {}, expected {}", job, PhaseOf(job), wanted));
    }
  }
  std::map<std::string, int> starts;
  std::ifstream ledger(folder_.File("ledger"));
  for (std::string line; std::getline(ledger, line);) ++starts[line];
  for (const auto& [member, times] : starts) {
    if (times != 1) faults.push_back(fmt::format("{} was started {} times", member, times));
  }
  for (const std::string& job : acknowledged_) {
    for (int i = 0; i < (job == kSteady ? kSteadyMembers : kMembers); ++i) {
      const std::string member = fmt::format("{}.{}", job, i);
      if (!starts.contains(member)) faults.push_back(member + " was never started");
    }
  }
  return faults;
}

std::string Trio::Logs() const {
  std::string text;
  for (const char* name : {"s1.log", "s2.log", "s3.log", "local.log"}) {
    const std::string log = support::ReadFile(folder_.File(name));
    text += fmt::format("--- {}\n{}", name,
                        log.substr(log.size() - std::min<size_t>(log.size(), 6000)));
  }
  return text;
}

}  // namespace kiln::integration

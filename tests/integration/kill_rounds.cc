#include "tests/integration/kill_rounds.h"

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace kiln::integration {
namespace {

using wire::Json;

constexpr int kPerDevice = 100;
constexpr char kJob[] = "steady";
constexpr std::chrono::seconds kPatience(90);

Cluster::Options OptionsFor(int tasks) {
  std::string devices;
  for (int i = 0; i < (tasks + kPerDevice - 1) / kPerDevice; ++i) {
    devices += fmt::format("{}GPU-{}", i == 0 ? "" : ",", i);
  }
  Cluster::Options options;
  options.agents = 1;
  // A master that remembers its agents says nothing of their tasks before they are back.
  options.local_flags = {"--registry=replicated_log"};
  options.resources = fmt::format("cpus:64;mem:65536;disk:4096;nvidia_gpu:{{{}}}", devices);
  return options;
}

// The parent of a process; 0 when it has ended.
pid_t ParentOf(pid_t pid) {
  const std::string stat = support::ReadFile(fmt::format("/proc/{}/stat", pid));
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return 0;
  char state = 0;
  pid_t parent = 0;
  std::istringstream(stat.substr(name_end + 1)) >> state >> parent;
  return state == 'Z' ? 0 : parent;
}

// Between a command and its executor stands a supervisor.
pid_t ExecutorOf(pid_t command) { return ParentOf(ParentOf(command)); }

}  // namespace

const char* NameOf(Victim victim) {
  switch (victim) {
    case Victim::kScheduler:
      return "scheduler";
    case Victim::kExecutor:
      return "executor";
    case Victim::kLocal:
      return "local node";
  }
  return "";
}

KillRounds::KillRounds(int tasks) : tasks_(tasks), cluster_(OptionsFor(tasks)) {}

bool KillRounds::Start() {
  const std::string command = fmt::format("echo $KILN_INDEX $$ >> {}; exec sleep 1000000",
                                          (cluster_.folder() / "ledger").string());
  const Json job = {{"name", kJob},
                    {"kind", "service"},
                    {"retries", 1000},  // a killed executor is a failure of its work
                    {"groups",
                     {{{"name", "g"},
                       {"count", tasks_},
                       {"cpus", 0.01},
                       {"mem", "1MiB"},
                       {"gpus", {{"share", 1.0 / kPerDevice}}},
                       {"run", {{"command", command}}}}}}};
  const Reply reply = cluster_.Api("POST", "/v1/jobs", wire::DumpJson(job));
  return reply.status == 201 && support::Eventually([this] { return AllRun(); }, kPatience);
}

std::map<int, std::vector<pid_t>> KillRounds::Starts() const {
  std::map<int, std::vector<pid_t>> starts;
  std::ifstream ledger(cluster_.folder() / "ledger");
  pid_t pid = 0;
  for (int index = 0; ledger >> index >> pid;) starts[index].push_back(pid);
  return starts;
}

bool KillRounds::AllRun() {
  const Json health = cluster_.Api("GET", "/v1/health").json;
  if (!health.is_object() || health.value("status", "") != "ready") return false;
  const Json job = cluster_.Job(kJob);
  if (!job.is_object() || job.value("running", 0) != tasks_) return false;
  const auto starts = Starts();
  if (static_cast<int>(starts.size()) != tasks_) return false;
  for (const auto& [index, pids] : starts) {
    if (ParentOf(pids.back()) == 0) return false;
  }
  return true;
}

std::vector<std::string> KillRounds::Round(Victim victim) {
  const auto before = Starts();
  std::map<int, pid_t> executors;
  for (const auto& [index, pids] : before) executors[index] = ExecutorOf(pids.back());
  pid_t killed = 0;
  switch (victim) {
    case Victim::kScheduler:
      cluster_.KillScheduler();
      cluster_.StartScheduler();
      break;
    case Victim::kExecutor:
      killed = std::next(executors.begin(), 37 * rounds_ % tasks_)->second;
      kill(killed, SIGKILL);
      // Until what it held has ended, so that what runs afterwards was started anew.
      support::Eventually([&] {
        return std::ranges::all_of(before, [&](const auto& member) {
          return executors[member.first] != killed || ParentOf(member.second.back()) == 0;
        });
      });
      break;
    case Victim::kLocal:
      cluster_.KillLocal();
      cluster_.StartLocal();
      break;
  }
  ++rounds_;
  if (!support::Eventually([this] { return AllRun(); }, kPatience)) {
    return {fmt::format("after the {} was killed not all tasks run: {} of {}", NameOf(victim),
                        cluster_.Job(kJob).value("running", 0), tasks_)};
  }
  return Compare(before, killed, executors);
}

std::vector<std::string> KillRounds::Compare(const std::map<int, std::vector<pid_t>>& before,
                                             pid_t killed,
                                             const std::map<int, pid_t>& executors) const {
  std::vector<std::string> faults;
  for (const auto& [index, pids] : Starts()) {
    const size_t anew = pids.size() - before.at(index).size();
    const bool has_to = killed != 0 && executors.at(index) == killed;
    if (anew != (has_to ? 1 : 0)) {
      faults.push_back(fmt::format("member {} was started {} times anew, expected {}", index, anew,
                                   has_to ? 1 : 0));
    }
    for (size_t i = 0; i + 1 < pids.size(); ++i) {
      const bool same = ParentOf(pids[i]) != 0 && pids[i] != pids.back();
      if (same &&
          support::ReadFile(fmt::format("/proc/{}/cmdline", pids[i])).starts_with("sleep")) {
        faults.push_back(fmt::format("member {} lives twice", index));
      }
    }
  }
  return faults;
}

}  // namespace kiln::integration

#include "tests/mesos/local_mesos.h"

#include <fmt/format.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <vector>

#include "tests/mesos/connection.h"

namespace kiln::replay {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kReadyLimit(20);
constexpr std::chrono::seconds kEndLimit(3);

// One agent as kiln-local takes it: its flags in the form of a Mesos agent, in JSON.
Json AgentOf(const Agent& agent, const Bindings::Inventor& invent, Bindings& bindings) {
  std::vector<std::string> flags;
  for (const std::string& flag : agent.flags) flags.push_back(bindings.FillText(flag, invent));
  flags.push_back("--resources=" + agent.resources);
  flags.push_back("--attributes=" + agent.attributes);
  return {{"flags", flags}, {"start", agent.up_at_start}};
}

std::vector<std::string> CommandLine(const fs::path& program, const fs::path& directory,
                                     const Scenario& scenario, Bindings& bindings) {
  const auto invent = [](const std::string& name) { return Json("unknown " + name); };
  std::vector<std::string> arguments = {program.string(), "--port=0", "--agents=0", "--agents=0",
                                        "--work_dir=" + (directory / "work").string()};
  for (const std::string& flag : scenario.master_flags) {
    arguments.push_back(bindings.FillText(flag, invent));
  }
  for (const Agent& agent : scenario.agents) {
    arguments.push_back("--agent=" + AgentOf(agent, invent, bindings).dump());
  }
  return arguments;
}

const char* NameOf(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::kKillAgent:
      return "kill_agent";
    case Fault::Kind::kStartAgent:
      return "start_agent";
    case Fault::Kind::kStartAgentAsNew:
      return "start_agent_as_new";
    case Fault::Kind::kFreezeAgent:
      return "freeze_agent";
    case Fault::Kind::kThawAgent:
      return "thaw_agent";
    case Fault::Kind::kShutAgentDown:
      return "shut_agent_down";
    case Fault::Kind::kKillMaster:
      return "kill_master";
    case Fault::Kind::kStartMaster:
      return "start_master";
    case Fault::Kind::kCloseConnection:
    case Fault::Kind::kExecutorExits:
      break;
  }
  return "";
}

Status WriteFile(const fs::path& path, const std::string& content) {
  std::ofstream file(path);
  file << content;
  if (file.flush()) return {};
  return Fail(ErrorCode::kUnavailable, "cannot write {}", path.string());
}

}  // namespace

Result<std::unique_ptr<LocalMesos>> LocalMesos::Start(const fs::path& program,
                                                      const Scenario& scenario,
                                                      Bindings& bindings) {
  std::unique_ptr<LocalMesos> mesos(new LocalMesos);
  const fs::path& directory = mesos->folder_.path();
  bindings.Set("dir", directory.string());
  for (const auto& [name, content] : scenario.files) {
    const std::string path = bindings.FillText(name, [](const std::string&) { return Json(""); });
    KILN_TRY_OK(WriteFile(path, content));
  }
  KILN_TRY(auto process,
           support::Process::Start({.argv = CommandLine(program, directory, scenario, bindings),
                                    .output = directory / "log"}));
  mesos->process_.emplace(std::move(process));
  KILN_TRY_OK(mesos->WaitUntilReady());
  for (const auto& [name, port] : mesos->ports_) bindings.Set(name + "_port", port);
  return mesos;
}

// {"master":PORT,"agents":[PORT,...]} is a line of its output.
Status LocalMesos::WaitUntilReady() {
  Json ready;
  const auto listens = [&] {
    std::istringstream log(Log());
    for (std::string line; std::getline(log, line) && !log.eof();) {
      if (line.starts_with("{\"master\"")) ready = Json::parse(line, nullptr, false);
    }
    return ready.is_object() || Ended();
  };
  support::Eventually(listens, kReadyLimit);
  if (!ready.is_object()) {
    return Fail(ErrorCode::kUnavailable, "kiln-local is not ready: {}", Log());
  }
  ports_["master"] = ready["master"];
  int number = 0;
  for (const Json& port : ready["agents"]) ports_[fmt::format("agent{}", ++number)] = port;
  return {};
}

LocalMesos::~LocalMesos() {
  if (process_) process_->Stop(kEndLimit);
  KillWhatRunsHere();
}

// Executors and tasks of an agent that did not end them: their working directory is below ours.
void LocalMesos::KillWhatRunsHere() const {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string cwd = fs::read_symlink(entry.path() / "cwd", ignored).string();
    if (cwd.starts_with(folder_.path().string() + "/")) kill(std::stoi(name), SIGKILL);
  }
}

Result<int> LocalMesos::PortOf(const std::string& name) const {
  const auto port = ports_.find(name);
  if (port == ports_.end()) return Fail(ErrorCode::kInvalidArgument, "there is no {}", name);
  return port->second;
}

Status LocalMesos::Inject(const Fault& fault) {
  if (fault.kind == Fault::Kind::kExecutorExits) {
    const auto sandbox = SandboxWith(fault.target, "env.txt");
    if (!sandbox) return Fail(ErrorCode::kNotFound, "executor {} does not run", fault.target);
    KILN_TRY_OK(WriteFile(*sandbox / "exit.tmp", std::to_string(fault.code)));
    fs::rename(*sandbox / "exit.tmp", *sandbox / "exit");
    return {};
  }
  const Json body = {{"fault", NameOf(fault.kind)}, {"target", fault.target}};
  KILN_TRY(const RawAnswer answer, Post(ports_["master"], "/kiln/fault", body.dump()));
  if (answer.status >= 200 && answer.status < 300) return {};
  return Fail(ErrorCode::kUnavailable, "fault {}: {} {}", NameOf(fault.kind), answer.status,
              answer.body);
}

std::vector<fs::path> LocalMesos::SandboxesWith(const std::string& file) const {
  std::vector<fs::path> sandboxes;
  std::error_code ignored;
  for (fs::recursive_directory_iterator entry(folder_.path(), ignored), end; entry != end;
       entry.increment(ignored)) {
    // .../executors/ID/runs/CONTAINER/FILE
    const fs::path run = entry->path().parent_path();
    if (entry->path().filename() == file && run.parent_path().filename() == "runs") {
      sandboxes.push_back(run);
    }
  }
  return sandboxes;
}

std::optional<fs::path> LocalMesos::SandboxWith(const std::string& executor_id,
                                                const std::string& file) const {
  std::optional<fs::path> newest;
  fs::file_time_type newest_time;
  std::error_code ignored;
  for (const fs::path& run : SandboxesWith(file)) {
    if (run.parent_path().parent_path().filename() != executor_id) continue;
    const auto time = fs::last_write_time(run / file, ignored);
    if (newest && time < newest_time) continue;
    newest = run;
    newest_time = time;
  }
  return newest;
}

bool LocalMesos::Ended() { return process_->Wait(std::chrono::milliseconds(0)).has_value(); }

std::string LocalMesos::Log() const {
  std::ifstream file(folder_.path() / "log");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace kiln::replay

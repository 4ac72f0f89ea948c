#include "local/node/agent_node.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <utility>

#include "base/log.h"
#include "local/node/agent_token.h"
#include "local/node/container_environment.h"
#include "local/node/http_call.h"
#include "wire/mesos/recordio.h"

namespace kiln::local {
namespace {

namespace fs = std::filesystem;
using mesos::v1::executor::Event;

constexpr Duration kHeartbeat = std::chrono::minutes(30);
// An executor that reads slower than this falls behind is cut off.
constexpr size_t kUnsentMax = size_t{64} << 20;
constexpr double kMegabyte = 1 << 20;
constexpr double kRevocableWeight = 10.0 / 1024;  // of a cpu that is revocable, beside others

std::string OwnFolder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path().string();
}

// Why an executor cannot be contained here; empty: it can.
std::string Unsupported(const LaunchContainer& action) {
  const auto& container = action.executor.container();
  if (action.executor.has_container() && container.type() == mesos::v1::ContainerInfo::DOCKER) {
    return "None of the enabled containerizers (mesos) could create a container for the provided "
           "TaskInfo/ExecutorInfo message";
  }
  if (container.volumes_size() > 0 || container.mesos().has_image()) {
    return "Container images and volumes are not supported by this agent";
  }
  return {};
}

}  // namespace

AgentNode::AgentNode(net::Loop& loop, AgentNodeOptions options, Callbacks callbacks)
    : loop_(loop),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      checkpoint_(options_.work_dir),
      started_(loop.Now()) {}

AgentNode::~AgentNode() {
  // The loop may hold callbacks of these: they go first.
  timer_.Reset();
  heartbeat_.Reset();
  containers_.reset();
  for (auto& [id, stream] : streams_) stream.exchange->Abort();
}

Result<std::unique_ptr<AgentNode>> AgentNode::Start(net::Loop& loop, AgentNodeOptions options,
                                                    Callbacks callbacks) {
  std::error_code error;
  fs::create_directories(options.work_dir, error);
  options.work_dir = fs::canonical(options.work_dir, error).string();
  if (error) {
    return Fail(ErrorCode::kUnavailable, "cannot make the folder {}: {}", options.work_dir,
                error.message());
  }
  std::unique_ptr<AgentNode> node(new AgentNode(loop, std::move(options), std::move(callbacks)));
  net::ServerOptions server;
  server.host = node->options_.host;
  server.port = node->options_.port;
  server.tls = node->options_.tls;
  server.idle_timeout = kIdle;
  server.answer_inside_streams = true;
  KILN_TRY(node->server_, net::Server::Listen(loop, server, [raw = node.get()](auto exchange) {
             raw->Do([raw, exchange = std::move(exchange)] { raw->Serve(exchange); });
           }));
  node->Begin();
  return node;
}

void AgentNode::Begin() {
  ContainerCallbacks callbacks;
  callbacks.started = [this](const RunKey& key, pid_t pid) {
    Do([=, this] { agent_->ContainerStarted(key, pid); });
  };
  callbacks.failed = [this](const RunKey& key, const std::string& why) {
    Do([=, this] { agent_->LaunchFailed(loop_.Now(), key, why); });
  };
  callbacks.ended = [this](const RunKey& key, const ContainerEnd& end) {
    Do([=, this] { agent_->ContainerEnded(loop_.Now(), key, end); });
  };
  const AgentFlags& flags = options_.flags;
  containers_ = std::make_unique<Containers>(loop_, options_.work_dir + "/run", flags.cgroups,
                                             std::move(callbacks));
  AgentOptions options;
  options.pid = fmt::format("slave(1)@{}", server_->address());
  options.ip = options_.host;
  options.info.set_hostname(flags.hostname);
  options.info.set_port(server_->port());
  for (const auto& resource : flags.resources) *options.info.add_resources() = resource;
  for (const auto& attribute : flags.attributes) *options.info.add_attributes() = attribute;
  options.registration_backoff_factor = flags.registration_backoff_factor;
  options.executor_registration_timeout = flags.executor_registration_timeout;
  options.executor_reregistration_timeout = flags.executor_reregistration_timeout;
  options.executor_shutdown_grace_period = flags.executor_shutdown_grace_period;
  // The name by which Mesos's tools know a command executor; the program is Kiln's.
  options.command_executor = fs::path(ExecutorProgram()).parent_path() / "mesos-executor";
  options.cgroups = containers_->has_cgroups();
  agent_ = std::make_unique<Agent>(std::move(options), Random(RandomSeed()));

  auto& texts = options_.flags.texts;
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"attributes", ""},
           {"hostname", flags.hostname},
           {"ip", options_.host},
           {"launcher_dir", fs::path(ExecutorProgram()).parent_path()},
           {"master", ""},
           {"port", std::to_string(server_->port())},
           {"resources", ""},
           {"runtime_dir", options_.work_dir + "/run"},
           {"work_dir", options_.work_dir}}) {
    if (texts[name].empty()) texts[name] = value;
  }

  heartbeat_ = loop_.Every(kHeartbeat, [this] {
    Event event;
    event.set_type(Event::HEARTBEAT);
    for (const auto& [id, stream] : streams_) {
      stream.exchange->Write(wire::EncodeRecord(wire::Serialize(stream.encoding, event)));
    }
  });
  agent_->Restore(checkpoint_.LoadResources());
  auto state = checkpoint_.Load();
  if (state) {
    Recover(std::move(*state));
  } else {
    agent_->Start(loop_.Now());
  }
  containers_->EndStrays();
  Perform();
}

void AgentNode::Recover(RecoveredAgent state) {
  const std::string id = state.id.value();
  for (RecoveredFramework& framework : state.frameworks) {
    for (RecoveredExecutor& executor : framework.executors) {
      const RunKey key{framework.info.id().value(), executor.info.executor_id().value(),
                       executor.container_id};
      executor.pid = containers_->Attach(
          key, fmt::format("{}/slaves/{}/frameworks/{}/executors/{}/runs/{}", options_.work_dir, id,
                           key.framework_id, key.executor_id, key.container_id));
    }
  }
  agent_->Recover(loop_.Now(), state);
}

void AgentNode::Do(std::function<void()> input) {
  if (frozen_) {
    waiting_.push_back(std::move(input));
    return;
  }
  input();
  Perform();
}

void AgentNode::FromMaster(MasterToAgent message) {
  Do([this, message = std::move(message)] { agent_->FromMaster(loop_.Now(), message); });
}

void AgentNode::ShutDown() {
  Do([this] { agent_->ShutDown(loop_.Now()); });
}

void AgentNode::TakeBack() {
  Do([this] { agent_->TakeBack(); });
}

void AgentNode::Freeze() {
  frozen_ = true;
  timer_.Reset();
}

void AgentNode::Thaw() {
  frozen_ = false;
  for (auto& input : std::exchange(waiting_, {})) Do(std::move(input));
  Perform();
}

void AgentNode::Perform() {
  if (performing_) return;
  performing_ = true;
  for (auto actions = agent_->TakeActions(); !actions.empty(); actions = agent_->TakeActions()) {
    for (AgentAction& action : actions) {
      std::visit([this](auto& it) { Act(it); }, action);
    }
  }
  performing_ = false;
  Reschedule();
}

void AgentNode::Reschedule() {
  const auto next = agent_->NextDeadline();
  // A timer that comes too early does no harm: it only sets the next one.
  if (timer_ && next && scheduled_ <= *next) return;
  timer_.Reset();
  if (!next) return;
  scheduled_ = *next;
  timer_ = loop_.After(std::max(*next - loop_.Now(), Duration::zero()), [this] {
    timer_.Reset();
    Do([this] { agent_->Tick(loop_.Now()); });
  });
}

void AgentNode::Act(SendToMaster& action) {
  loop_.Post(
      [this, alive = std::weak_ptr<bool>(alive_), message = std::move(action.message)]() mutable {
        if (alive.lock()) callbacks_.to_master(std::move(message));
      });
}

std::string AgentNode::AgentFolder() const {
  return options_.work_dir + "/slaves/" + agent_->info().id().value();
}

std::string AgentNode::SandboxOf(const RunKey& key) const {
  return fmt::format("{}/frameworks/{}/executors/{}/runs/{}", AgentFolder(), key.framework_id,
                     key.executor_id, key.container_id);
}

std::string AgentNode::ExecutorProgram() const {
  const std::string& folder = options_.flags.launcher_dir;
  return (folder.empty() ? OwnFolder() : folder) + "/kiln-executor";
}

CgroupLimits AgentNode::LimitsOf(const ContainerShare& share) const {
  CgroupLimits limits;
  const double cpus = static_cast<double>(share.milli_cpus) / 1000;
  const double revocable = static_cast<double>(share.milli_revocable_cpus) / 1000;
  limits.cpus = cpus + revocable * kRevocableWeight;
  limits.memory = static_cast<uint64_t>(static_cast<double>(share.milli_mem) / 1000 * kMegabyte);
  if (options_.flags.cgroups_enable_cfs) limits.cpus_quota = cpus + revocable;
  return limits;
}

Result<ContainerSpec> AgentNode::SpecOf(const LaunchContainer& action) const {
  if (const std::string why = Unsupported(action); !why.empty()) {
    return Fail(ErrorCode::kUnimplemented, "{}", why);
  }
  ContainerSpec spec;
  spec.key = action.key;
  spec.limits = LimitsOf(action.share);
  const auto& command = action.executor.command();
  spec.uris.assign(command.uris().begin(), command.uris().end());
  ProcessSpec& process = spec.process;
  process.directory = SandboxOf(action.key);
  if (action.command_task || action.executor.type() == mesos::v1::ExecutorInfo::DEFAULT) {
    // It learns which of the two it is when it subscribes.
    process.program = ExecutorProgram();
    process.arguments = {"kiln-executor"};
  } else if (command.shell()) {
    process.program = "/bin/sh";
    process.arguments = {"sh", "-c", command.value()};
  } else {
    process.program = command.value();
    process.arguments.assign(command.arguments().begin(), command.arguments().end());
  }
  if (action.command_task) {
    const auto& limits = action.command_task->limits();
    if (limits.contains("cpus")) spec.limits.cpus_quota = limits.at("cpus").value();
    if (limits.contains("mem")) {
      spec.limits.memory = static_cast<uint64_t>(limits.at("mem").value() * kMegabyte);
    }
  }
  if (options_.flags.switch_user && geteuid() == 0) {
    const std::string& user = command.has_user() ? command.user() : action.framework.user();
    if (user != "root") process.user = user;
  }
  process.environment = ExecutorEnvironment(
      {&action, process.directory, agent_->info().id().value(), pid(), server_->address(),
       options_.host,
       options_.flags.jwt_secret ? MakeToken(action.key, *options_.flags.jwt_secret)
                                 : std::string(),
       options_.flags.executor_shutdown_grace_period, options_.flags.recovery_timeout,
       options_.flags.executor_reregistration_timeout, options_.flags.executor_environment});
  return spec;
}

Status AgentNode::LinkVolumes(const std::string& sandbox,
                              const std::vector<mesos::v1::Resource>& volumes,
                              const std::optional<std::string>& user) const {
  for (const auto& volume : volumes) {
    const fs::path path = volume.disk().volume().container_path();
    const fs::path link = fs::path(sandbox) / path;
    const bool outside = std::count(path.begin(), path.end(), "..") > 0;
    if (path.empty() || path.is_absolute() || outside) {
      return Fail(ErrorCode::kInvalidArgument,
                  "container path {} of a volume is not in the sandbox", path.string());
    }
    const std::string folder = checkpoint_.VolumeFolder(volume);
    std::error_code error;
    if (user) {
      KILN_TRY(const auto ids, FindUser(*user));
      if (chown(folder.c_str(), ids.uid, ids.gid) != 0) {
        return Fail(ErrorCode::kUnavailable, "cannot chown {}: {}", folder, strerror(errno));
      }
    }
    if (fs::is_symlink(link, error)) {
      if (fs::read_symlink(link, error) == folder) continue;
      // Of a task that has ended.
      fs::remove(link, error);
    }
    fs::create_directories(link.parent_path(), error);
    fs::create_directory_symlink(folder, link, error);
    if (error) {
      return Fail(ErrorCode::kUnavailable, "cannot link {}: {}", link.string(), error.message());
    }
  }
  return {};
}

void AgentNode::Act(LaunchContainer& action) {
  auto failed = [&](const std::string& why) {
    Do([this, key = action.key, why] { agent_->LaunchFailed(loop_.Now(), key, why); });
  };
  auto spec = SpecOf(action);
  if (!spec) return failed(spec.error().message);
  const std::string& sandbox = spec->process.directory;
  std::error_code error;
  fs::create_directories(sandbox, error);
  if (error) return failed(fmt::format("Failed to create {}: {}", sandbox, error.message()));
  const fs::path latest = fs::path(sandbox).parent_path() / "latest";
  fs::remove(latest, error);
  fs::create_directory_symlink(action.key.container_id, latest, error);
  if (spec->process.user) {
    const auto ids = FindUser(*spec->process.user);
    if (!ids) return failed(ids.error().message);
    if (chown(sandbox.c_str(), ids->uid, ids->gid) != 0) {
      return failed(fmt::format("Failed to chown {}: {}", sandbox, strerror(errno)));
    }
  }
  if (auto linked = LinkVolumes(sandbox, action.volumes, spec->process.user); !linked) {
    return failed(linked.error().message);
  }
  containers_->Launch(std::move(*spec));
}

void AgentNode::Act(UpdateContainer& action) {
  containers_->Update(action.key.container_id, LimitsOf(action.share));
  const std::optional<std::string> same_user;
  if (auto linked = LinkVolumes(SandboxOf(action.key), action.volumes, same_user); !linked) {
    LogError("{}", linked.error().message);
  }
}

void AgentNode::Act(DestroyContainer& action) { containers_->Destroy(action.key.container_id); }

void AgentNode::Act(SendEvent& action) {
  auto found = streams_.find(action.stream);
  if (found == streams_.end()) return;
  net::Exchange& exchange = *found->second.exchange;
  exchange.Write(wire::EncodeRecord(wire::Serialize(found->second.encoding, action.event)));
  if (exchange.Unsent() <= kUnsentMax) return;
  LogWarning("executor stream {} is cut off: its reader is too slow", action.stream);
  exchange.Abort();
}

void AgentNode::Act(CloseStream& action) {
  auto found = streams_.find(action.stream);
  if (found == streams_.end()) return;
  found->second.exchange->EndStream();
  streams_.erase(found);
}

void AgentNode::Act(ForgetAgent&) { checkpoint_.Forget(); }

void AgentNode::Act(Exit&) {
  loop_.Post([exited = callbacks_.exited, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.lock()) exited();
  });
}

}  // namespace kiln::local

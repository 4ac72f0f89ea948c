#include "tests/simulation/machine.h"

#include <algorithm>

#include "wire/mesos/json.h"
#include "wire/mesos/recordio.h"

namespace kiln::simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

std::string AuthorityOf(size_t index) { return fmt::format("10.0.1.{}:5051", index + 1); }

local::AgentOptions OptionsOf(const Machine& machine, const MachineSpec& spec, size_t index) {
  local::AgentOptions options;
  options.pid = machine.pid();
  options.ip = fmt::format("10.0.1.{}", index + 1);
  options.info.set_hostname(fmt::format("m{}", index));
  options.info.set_port(5051);
  const auto resources = local::ParseResources(spec.resources);
  for (const auto& resource : *resources) {
    *options.info.add_resources() = resource;
  }
  const auto attributes = local::ParseAttributes(spec.attributes);
  for (const auto& attribute : *attributes) {
    *options.info.add_attributes() = attribute;
  }
  return options;
}

}  // namespace

Machine::Machine(Stage& stage, Checks& checks, size_t index, Callbacks callbacks)
    : stage_(stage),
      checks_(checks),
      index_(index),
      callbacks_(std::move(callbacks)),
      authority_(AuthorityOf(index)),
      pid_("slave(1)@" + authority_) {}

std::string Machine::agent_id() const { return agent_ ? agent_->info().id().value() : ""; }

void Machine::Start() {
  if (agent_) return;
  ++life_;
  process_ = std::make_unique<Process>(stage_.timeline, no_skew_);
  agent_ = std::make_unique<local::Agent>(
      OptionsOf(*this, stage_.scenario.machines[index_], index_),
      Random(Mix(stage_.scenario.seed, fmt::format("agent {} {}", index_, life_))));
  stage_.network.Listen(authority_,
                        [this](const std::shared_ptr<Exchange>& exchange) { Serve(exchange); });
  agent_->Restore(checkpoint_.resources());
  auto saved = checkpoint_.Load();
  std::set<std::string> kept;
  if (saved) {
    for (auto& framework : saved->frameworks) {
      for (auto& executor : framework.executors) {
        const auto container = containers_.find(executor.container_id);
        if (container == containers_.end()) continue;
        executor.pid = 1;
        kept.insert(executor.container_id);
      }
    }
  }
  // Nobody asks for the others any more.
  std::vector<std::string> strays;
  for (const auto& [id, container] : containers_) {
    if (!kept.contains(id)) strays.push_back(id);
  }
  for (const std::string& id : strays) End(id);
  stage_.history.Note("agent of machine {} starts, {} of its containers live", index_, kept.size());
  if (saved) {
    agent_->Recover(process_->Now(), *saved);
  } else {
    agent_->Start(process_->Now());
  }
  Perform();
}

void Machine::FromMaster(const local::MasterToAgent& message) {
  if (!agent_) return;
  agent_->FromMaster(process_->Now(), message);
  Perform();
}

void Machine::KillAgent() {
  if (!agent_) return;
  stage_.history.Note("agent of machine {} is gone", index_);
  timer_.Reset();
  process_->Kill();
  agent_.reset();
  streams_.clear();
  stage_.network.Close(authority_);
  std::erase_if(containers_, [](const auto& entry) { return entry.second->link == nullptr; });
  callbacks_.gone();
}

void Machine::Lose(bool forget) {
  KillAgent();
  while (!containers_.empty()) End(containers_.begin()->first);
  if (forget) checkpoint_.Forget();
}

void Machine::Leave() {
  if (!agent_) return;
  agent_->ShutDown(process_->Now());
  Perform();
}

void Machine::TakeBack() {
  if (!agent_) return;
  agent_->TakeBack();
  Perform();
}

void Machine::KillExecutors() {
  std::vector<std::string> ids;
  for (const auto& [id, container] : containers_) {
    if (container->link) ids.push_back(id);
  }
  for (const std::string& id : ids) End(id, 9);
}

void Machine::Perform() {
  if (performing_) return;
  performing_ = true;
  while (agent_) {
    const auto actions = agent_->TakeActions();
    if (actions.empty()) break;
    for (const local::AgentAction& action : actions) {
      std::visit([this](const auto& one) { Act(one); }, action);
    }
  }
  performing_ = false;
  timer_.Reset();
  if (!agent_) return;
  const auto next = agent_->NextDeadline();
  if (!next) return;
  timer_ = process_->After(std::max(*next - process_->Now(), Duration(0)), [this] {
    agent_->Tick(process_->Now());
    Perform();
  });
}

void Machine::Act(const local::Exit&) {
  // Somebody starts it again, as systemd does.
  process_->Post([this] {
    KillAgent();
    stage_.timeline.After(seconds(2), [this, life = life_] {
      if (life == life_) Start();
    });
  });
}

void Machine::Serve(const std::shared_ptr<Exchange>& exchange) {
  if (!agent_) return;
  mesos::v1::executor::Call call;
  if (!call.ParseFromString(exchange->request().body)) {
    return stage_.history.Violate("wire", "an agent cannot read a call");
  }
  auto refusal = local::Agent::Validate(call);
  if (!refusal) refusal = agent_->Admit(call, std::nullopt);
  if (refusal) {
    stage_.history.Note("agent of machine {} answers {} {}", index_, refusal->status,
                        refusal->text);
    return exchange->Respond({refusal->status, {}, refusal->text});
  }
  if (call.type() == mesos::v1::executor::Call::SUBSCRIBE) {
    net::Response head;
    head.headers.Set("Content-Type", wire::MediaType(wire::Encoding::kProtobuf));
    exchange->BeginStream(std::move(head));
    const uint64_t stream = next_stream_++;
    streams_[stream] = exchange;
    exchange->OnClose([this, stream] { streams_.erase(stream); });
    agent_->Subscribe(process_->Now(), call, stream);
  } else {
    exchange->Respond({202, {}, {}});
    agent_->Handle(process_->Now(), call);
  }
  Perform();
}

void Machine::Act(const local::SendEvent& action) {
  const auto stream = streams_.find(action.stream);
  if (stream == streams_.end()) return;
  stream->second->Write(wire::EncodeRecord(action.event.SerializeAsString()));
}

void Machine::Act(const local::CloseStream& action) {
  auto node = streams_.extract(action.stream);
  if (!node.empty()) node.mapped()->EndStream();
}

void Machine::Act(const local::LaunchContainer& action) {
  const std::string& id = action.key.container_id;
  auto container = std::make_shared<Container>();
  container->key = action.key;
  containers_[id] = container;
  const Duration delay = milliseconds(stage_.slow_starts ? 1 + stage_.random.Below(70'000)
                                                         : 5 + stage_.random.Below(300));
  stage_.timeline.After(delay, [this, id, weak = std::weak_ptr(container), life = life_,
                                checkpoint = action.framework.checkpoint()] {
    const auto launched = weak.lock();
    if (!launched || life != life_ || !agent_ || !containers_.contains(id)) return;
    StartExecutor(*launched, checkpoint);
    agent_->ContainerStarted(launched->key, 1);
    Perform();
  });
}

void Machine::Act(const local::DestroyContainer& action) {
  stage_.timeline.After(milliseconds(5), [this, id = action.key.container_id] { End(id, 9); });
}

void Machine::StartExecutor(Container& container, bool checkpoint) {
  container.process = std::make_unique<Process>(stage_.timeline, no_skew_);
  Process& process = *container.process;
  net::World world(
      process,
      [this, &process](const net::Url& url, net::Connection::Callbacks callbacks) {
        return stage_.network.Connect(process, "", url, std::move(callbacks));
      },
      [this] {
        return Mix(stage_.scenario.seed, fmt::format("executor {} {}", index_, ++seeds_));
      });
  wire::ExecutorEnvironment environment;
  environment.framework_id = container.key.framework_id;
  environment.executor_id = container.key.executor_id;
  environment.agent_id = agent_id();
  environment.agent_endpoint = authority_;
  environment.checkpoint = checkpoint;
  container.link = std::make_unique<executor::AgentLink>(
      std::move(world), std::move(environment),
      executor::AgentLink::Callbacks{[this, &container](const executor::StartWork& start) {
                                       StartWork(container, start.task);
                                     },
                                     [this, &container](const executor::StopWork& stop) {
                                       StopWork(container, stop.task, stop.force);
                                     },
                                     [this, &container](const executor::Exit& exit) {
                                       End(container.key.container_id, exit.code);
                                     }});
  container.link->Start();
}

std::shared_ptr<Machine::Container> Machine::End(const std::string& id) {
  auto node = containers_.extract(id);
  if (node.empty()) return nullptr;
  const std::shared_ptr<Container> container = node.mapped();
  if (container->process) container->process->Kill();
  for (const auto& [task, running] : container->works) {
    stage_.history.Note("machine {} loses {}", index_, task);
    checks_.WorkEnds(task);
  }
  container->works.clear();
  // What runs at this moment may be its own.
  stage_.timeline.After(Duration(0), [container] {});
  return container;
}

void Machine::End(const std::string& id, int status) {
  const auto container = End(id);
  if (!container) return;
  stage_.timeline.After(milliseconds(1), [this, key = container->key, life = life_, status] {
    if (life != life_ || !agent_) return;
    agent_->ContainerEnded(process_->Now(), key, {.status = status});
    Perform();
  });
}

}  // namespace kiln::simulation

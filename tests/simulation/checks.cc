#include "tests/simulation/checks.h"

#include <algorithm>

#include "local/cluster/resources.h"
#include "scheduler/daemon/ledger.h"
#include "scheduler/lifecycle/runs.h"
#include "scheduler/placement/running.h"
#include "tests/simulation/room.h"
#include "wire/mesos/convert.h"

namespace kiln::simulation {
namespace {

using mesos::v1::scheduler::Call;
using mesos::v1::scheduler::Event;
using scheduler::State;

std::string NameOf(const MemberId& member) {
  return fmt::format("{}.{}.{}", member.job, member.group, member.index);
}

// What is told of a task in a difference.
std::string Words(const Task& task) {
  return fmt::format(
      "state {} reason {} message '{}' charge {} kill {} by '{}' failures {} evictions {} sent {} "
      "fraction {} checkpoints {} started {} ended {}",
      TaskStateName(task.state), task.reason, task.message, static_cast<int>(task.charge),
      task.kill_wanted, task.preempted_by, task.failures, task.evictions,
      task.kill_sent.nanoseconds, task.fraction, task.checkpoints, task.started.nanoseconds,
      task.ended.nanoseconds);
}
std::string Words(const scheduler::JobRecord& record) {
  return fmt::format("phase {} message '{}' claim {} evicted {} ended {}",
                     JobPhaseName(record.phase), record.message, record.claim.has_value(),
                     record.evicted.size(), record.ended.nanoseconds);
}
std::string Words(const scheduler::Model& model) {
  return fmt::format("{} versions", model.versions.size());
}
std::string Words(const Agent& agent) { return agent.hostname; }
std::string Words(const scheduler::Suspicion& suspicion) {
  return fmt::format("{} strikes {} times {} since {} until {} probe {}",
                     StandingName(suspicion.standing), suspicion.strikes.size(), suspicion.times,
                     suspicion.since.nanoseconds, suspicion.until.nanoseconds,
                     suspicion.probe.text);
}

std::string Words(const scheduler::VolumeRecord& volume) {
  return fmt::format("{} removals {} steps {}", VolumePhaseName(volume.phase), volume.removals,
                     volume.steps.size());
}

std::string KeyText(const std::string& key) { return key; }
std::string KeyText(const TaskId& key) { return key.text; }
std::string KeyText(const AgentId& key) { return key.text; }
std::string KeyText(const scheduler::Suspect& key) { return key.agent.text + "/" + key.gpu.text; }

template <typename Map>
std::string DifferenceOf(const char* kind, const Map& memory, const Map& disk) {
  for (const auto& [key, value] : memory) {
    const auto found = disk.find(key);
    if (found == disk.end()) return fmt::format("{} {} is not on disk", kind, KeyText(key));
    if (found->second != value) {
      return fmt::format("{} {} is {} in memory and {} on disk", kind, KeyText(key), Words(value),
                         Words(found->second));
    }
  }
  for (const auto& [key, value] : disk) {
    if (!memory.contains(key)) return fmt::format("{} {} is on disk alone", kind, KeyText(key));
  }
  return {};
}

// When the job that is changed had others evicted the last time.
Instant EvictedBy(const State& state, const scheduler::Change& change) {
  const auto record = state.jobs.find(change.kind == "job" ? change.key : "");
  if (record == state.jobs.end() || record->second.evicted.empty()) return {};
  return record->second.evicted.back();
}

bool IsLive(const State& state, const TaskId& id) {
  const auto task = state.tasks.find(id);
  return task != state.tasks.end() && !IsTerminal(task->second.state);
}

Resources TotalOf(const Scenario& scenario, const std::string& hostname) {
  const size_t machine = std::stoul(hostname.substr(1));  // m0 and so on
  const auto parsed = local::ParseResources(scenario.machines.at(machine).resources);
  return wire::ToResources({parsed->begin(), parsed->end()});
}

}  // namespace

std::string Difference(const State& memory, const State& disk) {
  if (memory == disk) return {};
  std::string difference = DifferenceOf("task", memory.tasks, disk.tasks);
  if (difference.empty()) difference = DifferenceOf("job", memory.jobs, disk.jobs);
  if (difference.empty()) difference = DifferenceOf("model", memory.models, disk.models);
  if (difference.empty()) difference = DifferenceOf("agent", memory.agents, disk.agents);
  if (difference.empty()) {
    difference = DifferenceOf("suspicion", memory.suspicions, disk.suspicions);
  }
  if (difference.empty()) difference = DifferenceOf("volume", memory.volumes, disk.volumes);
  if (!difference.empty()) return difference;
  return fmt::format("framework {} of life {} in memory, {} of life {} on disk",
                     memory.framework_id, memory.incarnation, disk.framework_id, disk.incarnation);
}

void Checks::Committed(std::span<const scheduler::Change> changes, const State* memory) {
  std::vector<const Task*> fresh;
  std::set<std::string> started;     // jobs of which a gang may have
  std::set<std::string> preemptors;  // jobs that have others evicted
  for (const scheduler::Change& change : changes) {
    if (!change.bytes && change.kind == "job" && submitted_.contains(change.key)) {
      stage_.history.Violate("I1", fmt::format("job {} is forgotten", change.key));
    }
    const bool is_new =
        change.bytes && change.kind == "task" && !durable_.tasks.contains({change.key});
    const auto evicted = EvictedBy(durable_, change);
    if (const Status applied = scheduler::Apply(change, durable_); !applied) {
      stage_.history.Violate("I12", applied.error().message);
    }
    if (EvictedBy(durable_, change) > evicted) preemptors.insert(change.key);
    if (change.kind == "task" && !IsLive(durable_, {change.key})) ended_.erase({change.key});
    const auto volume = durable_.volumes.find(change.kind == "volume" ? change.key : "");
    const bool held =
        volume != durable_.volumes.end() && volume->second.phase == scheduler::VolumePhase::kHeld;
    if (held) held_.insert(change.key);
    if (!is_new) continue;
    fresh.push_back(&durable_.tasks.at({change.key}));
  }
  // What else is written with it may be the end of a quarantine.
  for (const Task* task : fresh) {
    CheckQuarantine(*task);
    started.insert(task->member.job);
  }
  CheckGangs(started);
  CheckRoom(preemptors);
  if (memory == nullptr) return;
  const std::string difference = Difference(*memory, durable_);
  if (!difference.empty()) stage_.history.Violate("I12", difference);
}

void Checks::CheckGangs(const std::set<std::string>& jobs) {
  for (const std::string& name : jobs) {
    const auto record = durable_.jobs.find(name);
    if (record == durable_.jobs.end() || record->second.job.gang_members == 0) continue;
    const Job& job = record->second.job;
    std::vector<const Task*> tasks;
    for (const auto& [id, task] : durable_.tasks) {
      if (task.member.job == name) tasks.push_back(&task);
    }
    const scheduler::JobRun run = scheduler::Derive(job, tasks);
    int members = 0;
    for (size_t i = 0; i < job.groups.size(); ++i) {
      if (!scheduler::IsInGang(job, job.groups[i])) continue;
      members += run.groups[i].live - run.groups[i].leaving + run.groups[i].finished;
    }
    if (members < job.gang_members) {
      stage_.history.Violate("I6", fmt::format("job {} has started {} of a gang of {}", name,
                                               members, job.gang_members));
    }
  }
}

void Checks::CheckQuarantine(const Task& task) {
  std::vector<GpuId> gpus = task.resources.gpu_ids;
  for (const GpuShare& share : task.resources.gpu_shares) gpus.push_back(share.id);
  gpus.push_back({});  // the agent itself
  for (const GpuId& gpu : gpus) {
    const auto suspicion = durable_.suspicions.find({task.agent, gpu});
    if (suspicion == durable_.suspicions.end()) continue;
    if (suspicion->second.standing == scheduler::Standing::kQuarantined) {
      stage_.history.Violate("I10", fmt::format("task {} gets agent {} device '{}' in quarantine",
                                                task.id.text, task.agent.text, gpu.text));
    }
  }
}

void Checks::CheckRoom(const std::set<std::string>& preemptors) {
  for (const std::string& name : preemptors) {
    const auto record = durable_.jobs.find(name);
    if (record == durable_.jobs.end() || !record->second.claim) continue;
    const auto is_ahead = [this](const AgentId& agent) { return ahead_.contains(agent); };
    if (std::ranges::any_of(record->second.claim->agents, is_ahead)) continue;
    const std::string lack = LackOfRoom(durable_, record->second, totals_, stage_.scenario.sharing);
    if (lack.empty()) continue;
    stage_.history.Violate("I9",
                           fmt::format("job {} has others evicted, and then has {}", name, lack));
  }
}

void Checks::SchedulerStarted(uint64_t life) { sessions_[life] = {}; }

void Checks::Submitted(const std::string& job) {
  submitted_.insert(job);
  if (!durable_.jobs.contains(job)) {
    stage_.history.Violate("I1", fmt::format("job {} is acknowledged and not on disk", job));
  }
}

void Checks::CallGoesOut(uint64_t life, const Call& call, Instant now) {
  Session& session = sessions_[life];
  if (session.deposed) {
    stage_.history.Violate("I4", fmt::format("scheduler {} calls {} and leads no more", life,
                                             Call::Type_Name(call.type())));
  }
  switch (call.type()) {
    case Call::ACCEPT:
      return CheckLaunch(session, call, now);
    case Call::ACKNOWLEDGE: {
      const auto told = session.told.find(call.acknowledge().uuid());
      if (told == session.told.end() || !IsTerminal(told->second)) return;
      const auto task = durable_.tasks.find({call.acknowledge().task_id().value()});
      if (task == durable_.tasks.end() || IsTerminal(task->second.state)) return;
      stage_.history.Violate("I3", fmt::format("the end of task {} is acknowledged and not on disk",
                                               call.acknowledge().task_id().value()));
      return;
    }
    case Call::KILL: {
      const auto task = durable_.tasks.find({call.kill().task_id().value()});
      if (task == durable_.tasks.end()) return;
      if (task->second.kill_wanted || IsTerminal(task->second.state)) return;
      stage_.history.Violate("I3", fmt::format("task {} is killed, and on disk it is wanted",
                                               call.kill().task_id().value()));
      return;
    }
    default:
      return;
  }
}

void Checks::CheckLaunch(Session& session, const Call& call, Instant now) {
  if (call.framework_id().value() != durable_.framework_id) {
    stage_.history.Violate("I3", fmt::format("ACCEPT of framework {}, and {} is on disk",
                                             call.framework_id().value(), durable_.framework_id));
  }
  std::erase_if(session.unheard, [this](const TaskId& id) {
    const auto task = durable_.tasks.find(id);
    return task == durable_.tasks.end() || IsTerminal(task->second.state);
  });
  for (const auto& operation : call.accept().operations()) {
    CheckVolumes(operation);
    for (const auto& info : operation.launch().task_infos()) {
      const std::string& id = info.task_id().value();
      stage_.history.Note("scheduler launches {} on {}", id, info.agent_id().value());
      const auto task = durable_.tasks.find({id});
      if (task == durable_.tasks.end()) {
        stage_.history.Violate("I3", fmt::format("task {} is launched and not on disk", id));
      } else if (IsTerminal(task->second.state)) {
        stage_.history.Violate("I3", fmt::format("task {} is launched and has ended", id));
      }
      const bool waited = now - session.subscribed >= scheduler::Settings().first_reconciliation;
      if (!session.unheard.empty() && !waited) {
        stage_.history.Violate("I5", fmt::format("task {} is launched and nothing was heard of {}",
                                                 id, session.unheard.begin()->text));
      }
    }
  }
}

void Checks::CheckVolumes(const mesos::v1::Offer::Operation& operation) {
  for (const auto& volume : operation.create().volumes()) {
    const std::string& id = volume.disk().persistence().id();
    if (durable_.volumes.contains(id)) continue;
    stage_.history.Violate("I3", fmt::format("volume {} is made and not on disk", id));
  }
  for (const auto& volume : operation.destroy().volumes()) {
    const auto record = durable_.volumes.find(volume.disk().persistence().id());
    if (record == durable_.volumes.end()) continue;
    if (record->second.phase == scheduler::VolumePhase::kRemoving) continue;
    stage_.history.Violate("data", fmt::format("volume {} is destroyed and {}", record->first,
                                               VolumePhaseName(record->second.phase)));
  }
}

void Checks::EventArrives(uint64_t life, const Event& event, Instant now) {
  Session& session = sessions_[life];
  if (event.type() == Event::SUBSCRIBED) {
    session.subscribed = now;
    session.unheard.clear();
    for (const auto& [id, task] : durable_.tasks) {
      if (!IsTerminal(task.state)) session.unheard.insert(id);
    }
  }
  for (const auto& offer : event.offers().offers()) {
    const AgentId agent{offer.agent_id().value()};
    if (!totals_.contains(agent)) totals_[agent] = TotalOf(stage_.scenario, offer.hostname());
    const bool is_ahead =
        std::ranges::any_of(
            ended_, [&](const TaskId& id) { return durable_.tasks.at(id).agent == agent; }) ||
        OffersWhatIsTaken(durable_, agent, totals_[agent], wire::ToOffer(offer, now).resources);
    if (is_ahead) ahead_.insert(agent);
    if (!is_ahead) ahead_.erase(agent);
  }
  if (event.type() != Event::UPDATE) return;
  const auto& status = event.update().status();
  session.unheard.erase({status.task_id().value()});
  stage_.history.Note("scheduler hears that {} is {} {}", status.task_id().value(),
                      mesos::v1::TaskState_Name(status.state()), status.message());
  if (!status.uuid().empty()) session.told[status.uuid()] = wire::ToTaskState(status.state());
}

void Checks::WorkStarts(size_t machine, const mesos::v1::TaskInfo& task, const v1::Work& work) {
  LiveWork live{.machine = machine,
                .member = {work.job(), work.group(), work.index()},
                .shared_gpu = work.gpu(),
                .share = work.gpu_milli()};
  for (const auto& resource : task.resources()) {
    for (const auto& item : resource.set().item()) live.gpus.insert(item);
    if (resource.disk().has_persistence())
      CheckData(live.member, resource.disk().persistence().id());
    for (const auto& range : resource.ranges().range()) {
      for (uint64_t port = range.begin(); port <= range.end(); ++port) {
        live.ports.insert(static_cast<int>(port));
      }
    }
  }
  const std::string& id = task.task_id().value();
  stage_.history.Note("machine {} starts {}", machine, id);
  CheckCopies(id, live);
  CheckDevices(id, live);
  live_[id] = std::move(live);
}

// The member's work begins with what is in the volume.
void Checks::CheckData(const MemberId& member, const std::string& volume) {
  const auto [data, fresh] = data_.emplace(member, volume);
  if (fresh || data->second == volume) return;
  // What nobody has heard of is as if it had not been: the agent left before it was told.
  if (held_.contains(data->second) && !lost_.contains(data->second)) {
    stage_.history.Violate("data", fmt::format("{} begins on volume {} and has its data on {}",
                                               NameOf(member), volume, data->second));
  }
  data->second = volume;
}

void Checks::DiskLost(const std::string& agent) {
  for (const auto& [id, volume] : durable_.volumes) {
    if (volume.agent.text == agent) lost_.insert(id);
  }
}

void Checks::CheckCopies(const std::string& id, const LiveWork& work) {
  if (live_.contains(id)) {
    stage_.history.Violate("I2", fmt::format("task {} runs twice", id));
  }
  const auto is_ghost = [this](const std::string& name) {
    const auto task = durable_.tasks.find({name});
    return task == durable_.tasks.end() || task->second.kill_wanted ||
           IsTerminal(task->second.state);
  };
  for (const auto& [other, live] : live_) {
    if (live.member == work.member && !is_ghost(other) && !is_ghost(id)) {
      stage_.history.Violate("I2",
                             fmt::format("{} lives as {} and {}", NameOf(work.member), other, id));
    }
  }
}

void Checks::CheckDevices(const std::string& id, const LiveWork& work) {
  int share = work.share;
  for (const auto& [other, live] : live_) {
    if (live.machine != work.machine) continue;
    for (const std::string& gpu : work.gpus) {
      if (live.gpus.contains(gpu) || live.shared_gpu == gpu) {
        stage_.history.Violate("I8", fmt::format("{} has device {} beside {}", id, gpu, other));
      }
    }
    for (const int port : work.ports) {
      if (live.ports.contains(port)) {
        stage_.history.Violate("I8", fmt::format("{} has port {} beside {}", id, port, other));
      }
    }
    if (work.shared_gpu.empty()) continue;
    if (live.gpus.contains(work.shared_gpu)) {
      stage_.history.Violate(
          "I8", fmt::format("{} shares device {} that is all of {}", id, work.shared_gpu, other));
    }
    if (live.shared_gpu == work.shared_gpu) share += live.share;
  }
  if (share > 1000) {
    stage_.history.Violate(
        "I8", fmt::format("{} thousandths of device {} are used", share, work.shared_gpu));
  }
}

void Checks::WorkEnds(const std::string& task) {
  live_.erase(task);
  if (IsLive(durable_, {task})) ended_.insert({task});
}

std::vector<std::string> Checks::LiveOf(const std::string& job) const {
  std::vector<std::string> tasks;
  for (const auto& [id, live] : live_) {
    if (live.member.job == job) tasks.push_back(id);
  }
  return tasks;
}

}  // namespace kiln::simulation

#include "wire/records/records.h"

#include "proto/kiln/v1/state.pb.h"
#include "wire/records/job_record.h"

namespace kiln::wire {
namespace {

using scheduler::State;

v1::Record NewRecord() {
  v1::Record record;
  record.set_version(kRecordVersion);
  return record;
}

void Put(const Resources& resources, v1::Resources& proto) {
  proto.set_cpus_milli(resources.cpus_milli);
  proto.set_revocable_cpus_milli(resources.revocable_cpus_milli);
  proto.set_mem(resources.mem.count);
  proto.set_disk(resources.disk.count);
  proto.set_gpus(resources.gpus);
  for (const GpuId& id : resources.gpu_ids) proto.add_gpu_ids(id.text);
  for (const GpuShare& share : resources.gpu_shares) {
    v1::GpuShare& entry = *proto.add_gpu_shares();
    entry.set_id(share.id.text);
    entry.set_milli(share.milli);
  }
  for (const PortRange& range : resources.ports) {
    proto.add_ports(range.begin);
    proto.add_ports(range.end);
  }
  for (const NamedVolume& volume : resources.volumes) {
    v1::NamedVolume& entry = *proto.add_volumes();
    entry.set_id(volume.id);
    entry.set_size(volume.size.count);
  }
}

Resources Get(const v1::Resources& proto) {
  Resources resources{.cpus_milli = proto.cpus_milli(),
                      .revocable_cpus_milli = proto.revocable_cpus_milli(),
                      .mem = {proto.mem()},
                      .disk = {proto.disk()},
                      .gpus = proto.gpus()};
  for (const std::string& id : proto.gpu_ids()) resources.gpu_ids.push_back({id});
  for (const v1::GpuShare& share : proto.gpu_shares()) {
    resources.gpu_shares.push_back({{share.id()}, share.milli()});
  }
  for (int i = 0; i + 1 < proto.ports_size(); i += 2) {
    resources.ports.push_back({proto.ports(i), proto.ports(i + 1)});
  }
  for (const v1::NamedVolume& volume : proto.volumes()) {
    resources.volumes.push_back({volume.id(), {volume.size()}});
  }
  return resources;
}

// Texts are moved: of a million records they are most of the work.
Task Take(v1::TaskRecord& proto) {
  const auto text = [](std::string* from) { return std::move(*from); };
  Task task{.id = {text(proto.mutable_id())},
            .member = {text(proto.mutable_job()), text(proto.mutable_group()), proto.index()},
            .attempt = proto.attempt(),
            .failures = proto.failures(),
            .evictions = proto.evictions(),
            .agent = {text(proto.mutable_agent())},
            .hostname = text(proto.mutable_hostname()),
            .executor = {text(proto.mutable_executor())},
            .resources = Get(proto.resources()),
            .state = static_cast<TaskState>(proto.state()),
            .message = text(proto.mutable_message()),
            .reason = text(proto.mutable_reason()),
            .charge = static_cast<Charge>(proto.charge()),
            .fraction = proto.fraction(),
            .endpoint = text(proto.mutable_endpoint()),
            .result = text(proto.mutable_result()),
            .kill_wanted = proto.kill_wanted(),
            .preempted_by = text(proto.mutable_preempted_by()),
            .checkpoints = proto.checkpoints(),
            .checkpointed = {proto.checkpointed()},
            .launched = {proto.launched()},
            .started = {proto.started()},
            .ended = {proto.ended()},
            .kill_sent = {proto.kill_sent()}};
  if (proto.has_healthy()) task.healthy = proto.healthy();
  return task;
}

scheduler::Model Get(const v1::ModelRecord& proto) {
  scheduler::Model model{.name = proto.name()};
  for (const v1::ModelVersion& version : proto.versions()) {
    model.versions[version.version()] = {
        .model = proto.name(),
        .version = version.version(),
        .uri = version.uri(),
        .job = version.job(),
        .job_digest = version.job_digest(),
        .data_digest = version.data_digest(),
        .algorithm = version.algorithm(),
        .features = {version.features().begin(), version.features().end()},
        .metrics = {version.metrics().begin(), version.metrics().end()},
        .parameters = {version.parameters().begin(), version.parameters().end()},
        .created = {version.created()}};
  }
  model.labels = {proto.labels().begin(), proto.labels().end()};
  return model;
}

Agent Get(const v1::AgentRecord& proto) {
  Agent agent{.id = {proto.id()},
              .hostname = proto.hostname(),
              .address = proto.address(),
              .region = proto.region(),
              .zone = proto.zone(),
              .attributes = {proto.attributes().begin(), proto.attributes().end()}};
  for (const v1::Gpu& gpu : proto.gpus()) {
    agent.gpus.push_back({.id = {gpu.id()},
                          .model = gpu.model(),
                          .memory = {gpu.memory()},
                          .minor = gpu.minor(),
                          .mig = gpu.mig(),
                          .link_group = gpu.link_group(),
                          .link = static_cast<GpuLink>(gpu.link()),
                          .healthy = gpu.healthy()});
  }
  return agent;
}

scheduler::Claim Get(const std::string& job, const v1::Claim& proto) {
  scheduler::Claim claim{
      .job = job, .members = proto.members(), .until = {proto.until()}, .why = proto.why()};
  for (const std::string& agent : proto.agents()) claim.agents.push_back({agent});
  return claim;
}

scheduler::Suspicion Get(const v1::SuspicionRecord& proto) {
  scheduler::Suspicion suspicion{.hostname = proto.hostname(),
                                 .standing = static_cast<scheduler::Standing>(proto.standing()),
                                 .times = proto.times(),
                                 .since = {proto.since()},
                                 .until = {proto.until()},
                                 .reason = proto.reason(),
                                 .probe = {proto.probe()}};
  for (const v1::Strike& strike : proto.strikes()) {
    suspicion.strikes.push_back(
        {strike.work(), strike.job(), strike.failures(), strike.weight(), {strike.last()}});
  }
  return suspicion;
}

scheduler::VolumeRecord Get(const v1::VolumeRecord& proto) {
  scheduler::VolumeRecord volume{.id = proto.id(),
                                 .member = {proto.job(), proto.group(), proto.index()},
                                 .path = proto.path(),
                                 .size = {proto.size()},
                                 .role = proto.role(),
                                 .agent = {proto.agent()},
                                 .hostname = proto.hostname(),
                                 .phase = static_cast<scheduler::VolumePhase>(proto.phase()),
                                 .removals = proto.removals(),
                                 .since = {proto.since()}};
  for (const v1::VolumeStep& step : proto.steps()) {
    volume.steps[static_cast<scheduler::VolumeStep>(step.step())] =
        static_cast<scheduler::StepState>(step.state());
  }
  return volume;
}

}  // namespace

std::string EncodeMeta(const State& state) {
  v1::Record record = NewRecord();
  record.mutable_meta()->set_framework_id(state.framework_id);
  record.mutable_meta()->set_incarnation(state.incarnation);
  return record.SerializeAsString();
}

std::string Encode(const scheduler::JobRecord& job) {
  v1::Record record = NewRecord();
  v1::JobRecord& proto = *record.mutable_job();
  *proto.mutable_job() = ToProto(job.job);
  proto.set_digest(job.digest);
  proto.set_phase(static_cast<int>(job.phase));
  proto.set_message(job.message);
  proto.set_submitted(job.submitted.nanoseconds);
  proto.set_ended(job.ended.nanoseconds);
  if (job.claim) {
    v1::Claim& claim = *proto.mutable_claim();
    claim.set_members(job.claim->members);
    for (const AgentId& agent : job.claim->agents) claim.add_agents(agent.text);
    claim.set_until(job.claim->until.nanoseconds);
    claim.set_why(job.claim->why);
  }
  for (const Instant& at : job.evicted) proto.add_evicted(at.nanoseconds);
  return record.SerializeAsString();
}

std::string Encode(const Task& task) {
  v1::Record record = NewRecord();
  v1::TaskRecord& proto = *record.mutable_task();
  proto.set_id(task.id.text);
  proto.set_job(task.member.job);
  proto.set_group(task.member.group);
  proto.set_index(task.member.index);
  proto.set_attempt(task.attempt);
  proto.set_failures(task.failures);
  proto.set_evictions(task.evictions);
  proto.set_agent(task.agent.text);
  proto.set_hostname(task.hostname);
  proto.set_executor(task.executor.text);
  Put(task.resources, *proto.mutable_resources());
  proto.set_state(static_cast<int>(task.state));
  proto.set_message(task.message);
  proto.set_reason(task.reason);
  proto.set_charge(static_cast<int>(task.charge));
  if (task.healthy) proto.set_healthy(*task.healthy);
  proto.set_fraction(task.fraction);
  proto.set_endpoint(task.endpoint);
  proto.set_result(task.result);
  proto.set_kill_wanted(task.kill_wanted);
  proto.set_preempted_by(task.preempted_by);
  proto.set_checkpoints(task.checkpoints);
  proto.set_checkpointed(task.checkpointed.nanoseconds);
  proto.set_launched(task.launched.nanoseconds);
  proto.set_started(task.started.nanoseconds);
  proto.set_ended(task.ended.nanoseconds);
  proto.set_kill_sent(task.kill_sent.nanoseconds);
  return record.SerializeAsString();
}

std::string Encode(const scheduler::Model& model) {
  v1::Record record = NewRecord();
  v1::ModelRecord& proto = *record.mutable_model();
  proto.set_name(model.name);
  for (const auto& [number, version] : model.versions) {
    v1::ModelVersion& one = *proto.add_versions();
    one.set_version(number);
    one.set_uri(version.uri);
    one.set_job(version.job);
    one.set_job_digest(version.job_digest);
    one.set_data_digest(version.data_digest);
    one.set_algorithm(version.algorithm);
    one.mutable_features()->Assign(version.features.begin(), version.features.end());
    one.mutable_metrics()->insert(version.metrics.begin(), version.metrics.end());
    one.mutable_parameters()->insert(version.parameters.begin(), version.parameters.end());
    one.set_created(version.created.nanoseconds);
  }
  proto.mutable_labels()->insert(model.labels.begin(), model.labels.end());
  return record.SerializeAsString();
}

std::string Encode(const Agent& agent) {
  v1::Record record = NewRecord();
  v1::AgentRecord& proto = *record.mutable_agent();
  proto.set_id(agent.id.text);
  proto.set_hostname(agent.hostname);
  proto.set_address(agent.address);
  proto.set_region(agent.region);
  proto.set_zone(agent.zone);
  proto.mutable_attributes()->insert(agent.attributes.begin(), agent.attributes.end());
  for (const Gpu& gpu : agent.gpus) {
    v1::Gpu& one = *proto.add_gpus();
    one.set_id(gpu.id.text);
    one.set_model(gpu.model);
    one.set_memory(gpu.memory.count);
    one.set_minor(gpu.minor);
    one.set_mig(gpu.mig);
    one.set_link_group(gpu.link_group);
    one.set_link(static_cast<int>(gpu.link));
    one.set_healthy(gpu.healthy);
  }
  return record.SerializeAsString();
}

std::string Encode(const scheduler::Suspect& suspect, const scheduler::Suspicion& suspicion) {
  v1::Record record = NewRecord();
  v1::SuspicionRecord& proto = *record.mutable_suspicion();
  proto.set_agent(suspect.agent.text);
  proto.set_gpu(suspect.gpu.text);
  proto.set_hostname(suspicion.hostname);
  proto.set_standing(static_cast<int>(suspicion.standing));
  for (const scheduler::Strike& strike : suspicion.strikes) {
    v1::Strike& one = *proto.add_strikes();
    one.set_work(strike.work);
    one.set_job(strike.job);
    one.set_failures(strike.failures);
    one.set_weight(strike.weight);
    one.set_last(strike.last.nanoseconds);
  }
  proto.set_times(suspicion.times);
  proto.set_since(suspicion.since.nanoseconds);
  proto.set_until(suspicion.until.nanoseconds);
  proto.set_reason(suspicion.reason);
  proto.set_probe(suspicion.probe.text);
  return record.SerializeAsString();
}

std::string Encode(const scheduler::VolumeRecord& volume) {
  v1::Record record = NewRecord();
  v1::VolumeRecord& proto = *record.mutable_volume();
  proto.set_id(volume.id);
  proto.set_job(volume.member.job);
  proto.set_group(volume.member.group);
  proto.set_index(volume.member.index);
  proto.set_path(volume.path);
  proto.set_size(volume.size.count);
  proto.set_role(volume.role);
  proto.set_agent(volume.agent.text);
  proto.set_hostname(volume.hostname);
  proto.set_phase(static_cast<int>(volume.phase));
  proto.set_removals(volume.removals);
  for (const auto& [step, state] : volume.steps) {
    v1::VolumeStep& one = *proto.add_steps();
    one.set_step(static_cast<int>(step));
    one.set_state(static_cast<int>(state));
  }
  proto.set_since(volume.since.nanoseconds);
  return record.SerializeAsString();
}

Status Decode(std::string_view bytes, State& state) {
  v1::Record record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Fail(ErrorCode::kDataLoss,
                "a record of {} bytes cannot be read, expected kiln.v1.Record", bytes.size());
  }
  if (record.version() > kRecordVersion) {
    return Fail(ErrorCode::kFailedPrecondition,
                "a record has version {}, expected at most {}: a newer kiln-scheduler wrote it",
                record.version(), kRecordVersion);
  }
  switch (record.kind_case()) {
    case v1::Record::kMeta:
      state.framework_id = record.meta().framework_id();
      state.incarnation = record.meta().incarnation();
      return {};
    case v1::Record::kJob: {
      const v1::JobRecord& proto = record.job();
      KILN_TRY(Job job, FromProto(proto.job()));
      const std::string name = job.name;
      scheduler::JobRecord& known = state.jobs[name];
      known = {.job = std::move(job),
               .digest = proto.digest(),
               .phase = static_cast<scheduler::JobPhase>(proto.phase()),
               .message = proto.message(),
               .submitted = {proto.submitted()},
               .ended = {proto.ended()}};
      if (proto.has_claim()) known.claim = Get(name, proto.claim());
      for (const int64_t at : proto.evicted()) known.evicted.push_back({at});
      return {};
    }
    case v1::Record::kTask: {
      const int state_number = record.task().state();
      if (state_number < 0 || state_number > static_cast<int>(TaskState::kGoneByOperator)) {
        return Fail(ErrorCode::kDataLoss, "task {} has state {}, expected at most {}",
                    record.task().id(), state_number,
                    static_cast<int>(TaskState::kGoneByOperator));
      }
      Task task = Take(*record.mutable_task());
      TaskId id = task.id;
      // Most come in their order.
      state.tasks.insert_or_assign(state.tasks.end(), std::move(id), std::move(task));
      return {};
    }
    case v1::Record::kModel:
      state.models[record.model().name()] = Get(record.model());
      return {};
    case v1::Record::kAgent:
      state.agents[{record.agent().id()}] = Get(record.agent());
      return {};
    case v1::Record::kSuspicion:
      state.suspicions[{{record.suspicion().agent()}, {record.suspicion().gpu()}}] =
          Get(record.suspicion());
      return {};
    case v1::Record::kVolume:
      state.volumes[record.volume().id()] = Get(record.volume());
      return {};
    case v1::Record::KIND_NOT_SET:
      break;
  }
  return Fail(ErrorCode::kDataLoss, "a record says of no noun what it is, expected one");
}

}  // namespace kiln::wire

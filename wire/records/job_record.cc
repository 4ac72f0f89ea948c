#include "wire/records/job_record.h"

#include "wire/records/work.h"

namespace kiln::wire {
namespace {

v1::ModelRef Put(const ModelRef& ref) {
  v1::ModelRef proto;
  proto.set_name(ref.name);
  if (ref.version) proto.set_version(*ref.version);
  proto.set_label(ref.label);
  return proto;
}

ModelRef Get(const v1::ModelRef& proto) {
  ModelRef ref{.name = proto.name(), .label = proto.label()};
  if (proto.has_version()) ref.version = proto.version();
  return ref;
}

struct PutWork {
  v1::Group& group;

  void operator()(const CommandWork& work) const {
    *group.mutable_command()->mutable_command() = ToProto(work);
    group.mutable_command()->set_image(work.image);
  }
  void operator()(const TrainWork& work) const { *group.mutable_train() = ToProto(work); }
  void operator()(const MergeWork& work) const { *group.mutable_merge() = ToProto(work); }
  void operator()(const ServeWork& work) const {
    v1::ServeRun& run = *group.mutable_serve();
    for (const ModelRef& ref : work.models) *run.add_models() = Put(ref);
  }
  void operator()(const ScoreWork& work) const {
    v1::ScoreRun& run = *group.mutable_score();
    *run.mutable_model() = Put(work.model);
    *run.mutable_data() = ToProto(work.data);
    run.set_output(work.output);
  }
  void operator()(const SearchWork& work) const { *group.mutable_search() = ToProto(work); }
};

Result<Work> GetWork(const v1::Group& group) {
  switch (group.work_case()) {
    case v1::Group::kCommand: {
      CommandWork work = FromProto(group.command().command());
      work.image = group.command().image();
      return work;
    }
    case v1::Group::kTrain:
      return FromProto(group.train());
    case v1::Group::kMerge:
      return FromProto(group.merge());
    case v1::Group::kServe: {
      ServeWork work;
      for (const v1::ModelRef& ref : group.serve().models()) work.models.push_back(Get(ref));
      return work;
    }
    case v1::Group::kScore:
      return ScoreWork{.model = Get(group.score().model()),
                       .data = FromProto(group.score().data()),
                       .output = group.score().output()};
    case v1::Group::kSearch:
      return FromProto(group.search());
    case v1::Group::WORK_NOT_SET:
      break;
  }
  return Fail(ErrorCode::kDataLoss, "group {} of a stored job has no work, expected one",
              group.name());
}

void Put(const HealthCheck& health, v1::HealthCheck& proto) {
  proto.set_type(static_cast<int>(health.type));
  proto.set_command(health.command);
  proto.set_path(health.path);
  proto.set_port_index(health.port_index);
  proto.set_delay(health.delay.count());
  proto.set_interval(health.interval.count());
  proto.set_timeout(health.timeout.count());
  proto.set_grace(health.grace.count());
  proto.set_failures_max(health.failures_max);
}

HealthCheck Get(const v1::HealthCheck& proto) {
  return {.type = static_cast<HealthCheck::Type>(proto.type()),
          .command = proto.command(),
          .path = proto.path(),
          .port_index = proto.port_index(),
          .delay = Duration(proto.delay()),
          .interval = Duration(proto.interval()),
          .timeout = Duration(proto.timeout()),
          .grace = Duration(proto.grace()),
          .failures_max = proto.failures_max()};
}

void Put(const Group& group, v1::Group& proto) {
  proto.set_name(group.name);
  proto.set_count(group.count);
  proto.set_cpus_milli(group.cpus_milli);
  proto.set_revocable(group.revocable);
  proto.set_mem(group.mem.count);
  proto.set_disk(group.disk.count);
  for (const Volume& volume : group.volumes) {
    v1::GroupVolume& one = *proto.add_volumes();
    one.set_path(volume.path);
    one.set_size(volume.size.count);
  }
  for (const SecretUse& secret : group.secrets) {
    v1::GroupSecret& one = *proto.add_secrets();
    one.set_name(secret.name);
    one.set_env(secret.env);
    one.set_file(secret.file);
  }
  proto.set_ports(group.ports);
  v1::GpuRequest& gpus = *proto.mutable_gpus();
  gpus.set_count(group.gpus.count);
  gpus.set_share(group.gpus.share);
  gpus.set_model(group.gpus.model);
  gpus.set_memory(group.gpus.memory.count);
  gpus.set_link(group.gpus.link);
  gpus.set_mig(group.gpus.mig);
  for (const Constraint& constraint : group.constraints) {
    v1::Constraint& one = *proto.add_constraints();
    one.set_field(constraint.field);
    one.set_op(static_cast<int>(constraint.op));
    one.set_value(constraint.value);
  }
  std::visit(PutWork{proto}, group.work);
  if (group.health) Put(*group.health, *proto.mutable_health());
  proto.set_kill_grace(group.kill_grace.count());
  if (group.max_completion) proto.set_max_completion(group.max_completion->count());
  proto.mutable_after()->Assign(group.after.begin(), group.after.end());
}

Result<Group> Get(const v1::Group& proto) {
  KILN_TRY(Work work, GetWork(proto));
  Group group{.name = proto.name(),
              .count = proto.count(),
              .cpus_milli = proto.cpus_milli(),
              .revocable = proto.revocable(),
              .mem = {proto.mem()},
              .disk = {proto.disk()},
              .ports = proto.ports(),
              .gpus = {.count = proto.gpus().count(),
                       .share = proto.gpus().share(),
                       .model = proto.gpus().model(),
                       .memory = {proto.gpus().memory()},
                       .link = proto.gpus().link(),
                       .mig = proto.gpus().mig()},
              .work = std::move(work),
              .kill_grace = Duration(proto.kill_grace()),
              .after = {proto.after().begin(), proto.after().end()}};
  for (const v1::GroupVolume& volume : proto.volumes()) {
    group.volumes.push_back({volume.path(), {volume.size()}, std::nullopt});
  }
  for (const v1::GroupSecret& secret : proto.secrets()) {
    group.secrets.push_back({secret.name(), secret.env(), secret.file()});
  }
  for (const v1::Constraint& constraint : proto.constraints()) {
    group.constraints.push_back(
        {constraint.field(), static_cast<ConstraintOperator>(constraint.op()), constraint.value()});
  }
  if (proto.has_health()) group.health = Get(proto.health());
  if (proto.has_max_completion()) group.max_completion = Duration(proto.max_completion());
  return group;
}

}  // namespace

v1::Job ToProto(const Job& job) {
  v1::Job proto;
  proto.set_name(job.name);
  proto.set_kind(static_cast<int>(job.kind));
  proto.set_role(job.role);
  proto.set_priority(job.priority);
  for (const Group& group : job.groups) Put(group, *proto.add_groups());
  proto.set_gang_members(job.gang_members);
  proto.set_gang_require(job.gang_require);
  proto.set_gang_prefer(job.gang_prefer);
  proto.set_retries(job.retries);
  proto.mutable_after()->Assign(job.after.begin(), job.after.end());
  proto.mutable_labels()->insert(job.labels.begin(), job.labels.end());
  proto.set_pool(job.pool);
  proto.set_not_preemptible(!job.preemptible);
  if (job.unreachable_wait) proto.set_unreachable_wait(job.unreachable_wait->count());
  return proto;
}

Result<Job> FromProto(const v1::Job& proto) {
  Job job{.name = proto.name(),
          .kind = static_cast<JobKind>(proto.kind()),
          .role = proto.role(),
          .priority = proto.priority(),
          .gang_members = proto.gang_members(),
          .gang_require = proto.gang_require(),
          .gang_prefer = proto.gang_prefer(),
          .preemptible = !proto.not_preemptible(),
          .retries = proto.retries(),
          .after = {proto.after().begin(), proto.after().end()},
          .pool = proto.pool(),
          .labels = {proto.labels().begin(), proto.labels().end()}};
  if (proto.has_unreachable_wait()) job.unreachable_wait = Duration(proto.unreachable_wait());
  for (const v1::Group& group : proto.groups()) {
    KILN_TRY(Group one, Get(group));
    job.groups.push_back(std::move(one));
  }
  return job;
}

}  // namespace kiln::wire

#include "scheduler/daemon/task_info.h"

#include "proto/kiln/v1/work.pb.h"
#include "scheduler/api/guard.h"
#include "scheduler/lifecycle/models.h"
#include "scheduler/lifecycle/runs.h"
#include "wire/records/work.h"

namespace kiln::scheduler {
namespace {

// The index-th port of the task, or 0.
int PortOf(const Resources& resources, int index) {
  for (const PortRange& range : resources.ports) {
    const int count = range.end - range.begin + 1;
    if (index < count) return range.begin + index;
    index -= count;
  }
  return 0;
}

Status PutModel(const ModelRef& ref, const State& state, v1::ServedModel& proto) {
  KILN_TRY(const ModelVersion* version, Resolve(state.models, ref));
  proto.set_name(version->model);
  proto.set_version(version->version);
  proto.set_uri(version->uri);
  for (const auto& [label, number] : state.models.at(version->model).labels) {
    if (number == version->version) proto.add_labels(label);
  }
  return {};
}

struct PutKind {
  const Task& task;
  const State& state;
  v1::Work& proto;

  Status operator()(const CommandWork& work) const {
    *proto.mutable_command() = wire::ToProto(work);
    return {};
  }
  Status operator()(const TrainWork& work) const {
    *proto.mutable_train() = wire::ToProto(work);
    return {};
  }
  Status operator()(const MergeWork& work) const {
    *proto.mutable_merge() = wire::ToProto(work);
    return {};
  }
  Status operator()(const ServeWork& work) const {
    for (const ModelRef& ref : work.models) {
      KILN_TRY_OK(PutModel(ref, state, *proto.mutable_serve()->add_models()));
    }
    proto.mutable_serve()->set_port(PortOf(task.resources, 0));
    return {};
  }
  Status operator()(const ScoreWork& work) const {
    *proto.mutable_score()->mutable_data() = wire::ToProto(work.data);
    proto.mutable_score()->set_output(work.output);
    return PutModel(work.model, state, *proto.mutable_score()->mutable_model());
  }
  Status operator()(const SearchWork& work) const {
    *proto.mutable_search() = wire::ToProto(work);
    return {};
  }
};

void PutHealth(const HealthCheck& health, const Resources& resources,
               mesos::v1::HealthCheck& proto) {
  const auto port = static_cast<uint32_t>(PortOf(resources, health.port_index));
  switch (health.type) {
    case HealthCheck::Type::kCommand:
      proto.set_type(mesos::v1::HealthCheck::COMMAND);
      proto.mutable_command()->set_value(health.command);
      break;
    case HealthCheck::Type::kHttp:
      proto.set_type(mesos::v1::HealthCheck::HTTP);
      proto.mutable_http()->set_scheme("http");
      proto.mutable_http()->set_port(port);
      proto.mutable_http()->set_path(health.path);
      break;
    case HealthCheck::Type::kTcp:
      proto.set_type(mesos::v1::HealthCheck::TCP);
      proto.mutable_tcp()->set_port(port);
      break;
  }
  proto.set_delay_seconds(ToSeconds(health.delay));
  proto.set_interval_seconds(ToSeconds(health.interval));
  proto.set_timeout_seconds(ToSeconds(health.timeout));
  proto.set_grace_period_seconds(ToSeconds(health.grace));
  proto.set_consecutive_failures(static_cast<uint32_t>(health.failures_max));
}

void PutDiscovery(const Job& job, const Resources& resources, mesos::v1::DiscoveryInfo& proto) {
  proto.set_visibility(mesos::v1::DiscoveryInfo::EXTERNAL);
  proto.set_name(job.name);
  for (int index = 0; index < resources.PortCount(); ++index) {
    mesos::v1::Port& port = *proto.mutable_ports()->add_ports();
    port.set_number(static_cast<uint32_t>(PortOf(resources, index)));
    port.set_protocol("tcp");
    if (index == 0) port.set_name("http");
  }
}

void AddLabel(const std::string& key, const std::string& value, mesos::v1::Labels& labels) {
  mesos::v1::Label& label = *labels.add_labels();
  label.set_key(key);
  label.set_value(value);
}

}  // namespace

mesos::v1::ExecutorInfo ExecutorInfoFor(const Task& task, const Group& group,
                                        const std::string& framework_id,
                                        const TaskInfoOptions& options) {
  mesos::v1::ExecutorInfo info;
  info.set_type(mesos::v1::ExecutorInfo::CUSTOM);
  info.mutable_executor_id()->set_value(task.executor.text);
  info.mutable_framework_id()->set_value(framework_id);
  info.set_name("kiln-executor");
  mesos::v1::CommandInfo& command = *info.mutable_command();
  command.set_shell(false);
  command.set_value(options.executor);
  if (!options.executor_uri.empty()) {
    mesos::v1::CommandInfo::URI& uri = *command.add_uris();
    uri.set_value(options.executor_uri);
    uri.set_executable(true);
    uri.set_extract(false);
    uri.set_output_file("kiln-executor");
    command.set_value("./kiln-executor");
  }
  command.add_arguments(command.value());
  const auto* work = std::get_if<CommandWork>(&group.work);
  if (work != nullptr && !work->image.empty()) {
    mesos::v1::ContainerInfo& container = *info.mutable_container();
    container.set_type(mesos::v1::ContainerInfo::MESOS);
    mesos::v1::Image& image = *container.mutable_mesos()->mutable_image();
    image.set_type(mesos::v1::Image::DOCKER);
    image.mutable_docker()->set_name(work->image);
  }
  return info;
}

Result<mesos::v1::TaskInfo> TaskInfoFor(const Task& task, const State& state,
                                        mesos::v1::ExecutorInfo executor,
                                        wire::ResourceList resources,
                                        const TaskInfoOptions& options) {
  const JobRecord& record = state.jobs.at(task.member.job);
  const Group& group = *FindGroup(record.job, task.member.group);
  v1::Work work;
  work.set_job(task.member.job);
  work.set_group(task.member.group);
  work.set_index(task.member.index);
  work.set_count(group.count);
  work.set_api_url(options.api_url);
  work.set_api_authority(options.api_authority);
  work.set_job_digest(record.digest);
  if (!options.job_key.empty()) {
    work.set_api_token(JobToken(options.job_key, task.member.job, record.digest));
  }
  for (const SecretUse& use : group.secrets) {
    v1::Secret& secret = *work.add_secrets();
    KILN_TRY(*secret.mutable_value(), options.secrets.Read(use));
    secret.set_env(use.env);
    secret.set_file(use.file);
  }
  for (const GpuShare& share : task.resources.gpu_shares) {
    work.set_gpu(share.id.text);
    work.set_gpu_milli(share.milli);
  }
  KILN_TRY_OK(std::visit(PutKind{task, state, work}, group.work));

  mesos::v1::TaskInfo info;
  info.set_name(fmt::format("{}.{}.{}", task.member.job, task.member.group, task.member.index));
  info.mutable_task_id()->set_value(task.id.text);
  info.mutable_agent_id()->set_value(task.agent.text);
  *info.mutable_resources() = std::move(resources);
  *info.mutable_executor() = std::move(executor);
  info.set_data(work.SerializeAsString());
  if (group.health) PutHealth(*group.health, task.resources, *info.mutable_health_check());
  info.mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(group.kill_grace.count());
  if (group.max_completion) {
    info.mutable_max_completion_time()->set_nanoseconds(group.max_completion->count());
  }
  AddLabel("kiln_job", task.member.job, *info.mutable_labels());
  AddLabel("kiln_group", task.member.group, *info.mutable_labels());
  for (const auto& [key, value] : record.job.labels) AddLabel(key, value, *info.mutable_labels());
  if (group.ports > 0) PutDiscovery(record.job, task.resources, *info.mutable_discovery());
  return info;
}

}  // namespace kiln::scheduler

// Holds proto/mesos/v1 against a copy of Mesos's messages that others maintain: the one of
// mesos-go, as Debian packages it (golang-github-mesos-mesos-go-dev).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "proto/mesos/v1/agent.pb.h"
#include "proto/mesos/v1/executor.pb.h"
#include "proto/mesos/v1/master.pb.h"
#include "proto/mesos/v1/mesos.pb.h"
#include "proto/mesos/v1/scheduler.pb.h"

namespace kiln::wire {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorProto;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumDescriptorProto;
using google::protobuf::FieldDescriptor;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;

constexpr char kFolder[] = "/usr/share/gocode/src/github.com/mesos/mesos-go/api/v1/lib/";

// Newer than the copy: it has none of these, and nothing else that we have is missing there.
const std::set<std::string> kNewer = {
    "mesos.v1.AgentInfo.Capability.Type.AGENT_DRAINING",
    "mesos.v1.AgentInfo.Capability.Type.AGENT_OPERATION_FEEDBACK",
    "mesos.v1.AgentInfo.Capability.Type.RESIZE_VOLUME",
    "mesos.v1.AgentInfo.Capability.Type.RESOURCE_PROVIDER",
    "mesos.v1.AgentInfo.Capability.Type.TASK_RESOURCE_LIMITS",
    "mesos.v1.AgentInfo.checkpoint",
    "mesos.v1.CapabilityInfo.Capability.BPF",
    "mesos.v1.CapabilityInfo.Capability.CHECKPOINT_RESTORE",
    "mesos.v1.CapabilityInfo.Capability.PERFMON",
    "mesos.v1.DrainConfig",
    "mesos.v1.DrainInfo",
    "mesos.v1.DrainState",
    "mesos.v1.FrameworkInfo.offer_filters",
    "mesos.v1.HealthCheck.HTTPCheckInfo.protocol",
    "mesos.v1.HealthCheck.TCPCheckInfo.protocol",
    "mesos.v1.LinuxInfo.IpcMode",
    "mesos.v1.LinuxInfo.ipc_mode",
    "mesos.v1.LinuxInfo.seccomp",
    "mesos.v1.LinuxInfo.share_cgroups",
    "mesos.v1.LinuxInfo.shm_size",
    "mesos.v1.MasterInfo.Capability",
    "mesos.v1.MasterInfo.capabilities",
    "mesos.v1.MountPropagation",
    "mesos.v1.Offer.Operation.CreateDisk",
    "mesos.v1.Offer.Operation.DestroyDisk",
    "mesos.v1.Offer.Operation.GrowVolume",
    "mesos.v1.Offer.Operation.Reserve.source",
    "mesos.v1.Offer.Operation.ShrinkVolume",
    "mesos.v1.Offer.Operation.Type.CREATE_DISK",
    "mesos.v1.Offer.Operation.Type.DESTROY_DISK",
    "mesos.v1.Offer.Operation.Type.GROW_VOLUME",
    "mesos.v1.Offer.Operation.Type.SHRINK_VOLUME",
    "mesos.v1.Offer.Operation.create_disk",
    "mesos.v1.Offer.Operation.destroy_disk",
    "mesos.v1.Offer.Operation.grow_volume",
    "mesos.v1.Offer.Operation.id",
    "mesos.v1.Offer.Operation.shrink_volume",
    "mesos.v1.OfferFilters",
    "mesos.v1.Operation",
    "mesos.v1.OperationID",
    "mesos.v1.OperationState",
    "mesos.v1.OperationStatus",
    "mesos.v1.Resource.DiskInfo.Source.Type.BLOCK",
    "mesos.v1.Resource.DiskInfo.Source.Type.RAW",
    "mesos.v1.Resource.DiskInfo.Source.id",
    "mesos.v1.Resource.DiskInfo.Source.metadata",
    "mesos.v1.Resource.DiskInfo.Source.profile",
    "mesos.v1.Resource.DiskInfo.Source.vendor",
    "mesos.v1.ResourceProviderInfo.default_reservations",
    "mesos.v1.ResourceStatistics.cpus_soft_limit",
    "mesos.v1.SeccompInfo",
    "mesos.v1.Task.health_check",
    "mesos.v1.Task.kill_policy",
    "mesos.v1.Task.limits",
    "mesos.v1.TaskInfo.limits",
    "mesos.v1.TaskInfo.max_completion_time",
    "mesos.v1.TaskResourceLimitation",
    "mesos.v1.TaskStatus.Reason.REASON_AGENT_DRAINING",
    "mesos.v1.TaskStatus.Reason.REASON_AGENT_REMOVED_BY_OPERATOR",
    "mesos.v1.TaskStatus.Reason.REASON_AGENT_REREGISTERED",
    "mesos.v1.TaskStatus.Reason.REASON_MAX_COMPLETION_TIME_REACHED",
    "mesos.v1.TaskStatus.limitation",
    "mesos.v1.UUID",
    "mesos.v1.Volume.Source.HostPath",
    "mesos.v1.Volume.Source.Type.CSI_VOLUME",
    "mesos.v1.Volume.Source.Type.HOST_PATH",
    "mesos.v1.Volume.Source.host_path",
    "mesos.v1.agent.Call.GetContainers",
    "mesos.v1.agent.Call.Type.ADD_RESOURCE_PROVIDER_CONFIG",
    "mesos.v1.agent.Call.Type.GET_OPERATIONS",
    "mesos.v1.agent.Call.Type.GET_RESOURCE_PROVIDERS",
    "mesos.v1.agent.Call.Type.KILL_CONTAINER",
    "mesos.v1.agent.Call.Type.LAUNCH_CONTAINER",
    "mesos.v1.agent.Call.Type.MARK_RESOURCE_PROVIDER_GONE",
    "mesos.v1.agent.Call.Type.PRUNE_IMAGES",
    "mesos.v1.agent.Call.Type.REMOVE_CONTAINER",
    "mesos.v1.agent.Call.Type.REMOVE_RESOURCE_PROVIDER_CONFIG",
    "mesos.v1.agent.Call.Type.UPDATE_RESOURCE_PROVIDER_CONFIG",
    "mesos.v1.agent.Call.Type.WAIT_CONTAINER",
    "mesos.v1.agent.Call.get_containers",
    "mesos.v1.agent.Response.GetAgent.drain_config",
    "mesos.v1.agent.Response.GetAgent.estimated_drain_start_time",
    "mesos.v1.agent.Response.GetOperations",
    "mesos.v1.agent.Response.Type.GET_OPERATIONS",
    "mesos.v1.agent.Response.Type.GET_RESOURCE_PROVIDERS",
    "mesos.v1.agent.Response.Type.WAIT_CONTAINER",
    "mesos.v1.agent.Response.get_operations",
    "mesos.v1.executor.Call.Type.HEARTBEAT",
    "mesos.v1.executor.Event.Type.HEARTBEAT",
    "mesos.v1.master.Call.DeactivateAgent",
    "mesos.v1.master.Call.DrainAgent",
    "mesos.v1.master.Call.GrowVolume",
    "mesos.v1.master.Call.MarkAgentGone",
    "mesos.v1.master.Call.ReactivateAgent",
    "mesos.v1.master.Call.ReserveResources.source",
    "mesos.v1.master.Call.ShrinkVolume",
    "mesos.v1.master.Call.Teardown",
    "mesos.v1.master.Call.Type.DEACTIVATE_AGENT",
    "mesos.v1.master.Call.Type.DRAIN_AGENT",
    "mesos.v1.master.Call.Type.GET_OPERATIONS",
    "mesos.v1.master.Call.Type.GROW_VOLUME",
    "mesos.v1.master.Call.Type.MARK_AGENT_GONE",
    "mesos.v1.master.Call.Type.REACTIVATE_AGENT",
    "mesos.v1.master.Call.Type.SHRINK_VOLUME",
    "mesos.v1.master.Call.Type.TEARDOWN",
    "mesos.v1.master.Call.Type.UPDATE_QUOTA",
    "mesos.v1.master.Call.UpdateQuota",
    "mesos.v1.master.Call.deactivate_agent",
    "mesos.v1.master.Call.drain_agent",
    "mesos.v1.master.Call.grow_volume",
    "mesos.v1.master.Call.mark_agent_gone",
    "mesos.v1.master.Call.reactivate_agent",
    "mesos.v1.master.Call.shrink_volume",
    "mesos.v1.master.Call.teardown",
    "mesos.v1.master.Call.update_quota",
    "mesos.v1.master.Event.Subscribed.heartbeat_interval_seconds",
    "mesos.v1.master.Event.Type.HEARTBEAT",
    "mesos.v1.master.QuotaConfig",
    "mesos.v1.master.QuotaStatus.configs",
    "mesos.v1.master.Response.GetAgents.Agent.ResourceProvider",
    "mesos.v1.master.Response.GetAgents.Agent.deactivated",
    "mesos.v1.master.Response.GetAgents.Agent.drain_info",
    "mesos.v1.master.Response.GetAgents.Agent.estimated_drain_start_time",
    "mesos.v1.master.Response.GetAgents.Agent.resource_providers",
    "mesos.v1.master.Response.GetFrameworks.Framework.offer_constraints",
    "mesos.v1.master.Response.GetMaster.elected_time",
    "mesos.v1.master.Response.GetMaster.start_time",
    "mesos.v1.master.Response.GetOperations",
    "mesos.v1.master.Response.Type.GET_OPERATIONS",
    "mesos.v1.master.Response.get_operations",
    "mesos.v1.scheduler.AttributeConstraint",
    "mesos.v1.scheduler.Call.AcknowledgeOperationStatus",
    "mesos.v1.scheduler.Call.ReconcileOperations",
    "mesos.v1.scheduler.Call.Subscribe.offer_constraints",
    "mesos.v1.scheduler.Call.Type.ACKNOWLEDGE_OPERATION_STATUS",
    "mesos.v1.scheduler.Call.Type.RECONCILE_OPERATIONS",
    "mesos.v1.scheduler.Call.Type.UPDATE_FRAMEWORK",
    "mesos.v1.scheduler.Call.UpdateFramework",
    "mesos.v1.scheduler.Call.acknowledge_operation_status",
    "mesos.v1.scheduler.Call.reconcile_operations",
    "mesos.v1.scheduler.Call.update_framework",
    "mesos.v1.scheduler.Event.Type.UPDATE_OPERATION_STATUS",
    "mesos.v1.scheduler.Event.UpdateOperationStatus",
    "mesos.v1.scheduler.Event.update_operation_status",
    "mesos.v1.scheduler.OfferConstraints",
    "mesos.v1.scheduler.Response",
};

// Required in the copy, optional in newer Mesos.
const std::set<std::string> kRelaxed = {
    "mesos.v1.agent.Response.GetContainers.Container.executor_id",
    "mesos.v1.agent.Response.GetContainers.Container.executor_name",
    "mesos.v1.agent.Response.GetContainers.Container.framework_id",
};

class Silent : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int, int, const std::string& message) override { errors += message + "\n"; }
  std::string errors;
};

// name (in our packages) -> message or enum of the copy.
struct Copy {
  std::map<std::string, DescriptorProto> messages;
  std::map<std::string, EnumDescriptorProto> enums;

  void Add(const std::string& scope, const DescriptorProto& message) {
    const std::string name = scope + "." + message.name();
    messages[name] = message;
    for (const auto& nested : message.nested_type()) Add(name, nested);
    for (const auto& nested : message.enum_type()) enums[name + "." + nested.name()] = nested;
  }

  void Load(const std::string& file, const std::string& package) {
    std::ifstream in(kFolder + file);
    std::stringstream text;
    text << in.rdbuf();
    const std::string bytes = text.str();
    google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
    Silent errors;
    google::protobuf::io::Tokenizer tokenizer(&stream, &errors);
    google::protobuf::compiler::Parser parser;
    parser.RecordErrorsTo(&errors);
    FileDescriptorProto proto;
    ASSERT_TRUE(parser.Parse(&tokenizer, &proto)) << file << ": " << errors.errors;
    for (const auto& message : proto.message_type()) Add(package, message);
    for (const auto& item : proto.enum_type()) enums[package + "." + item.name()] = item;
  }
};

// "optional uint32 = 5", with the last part of a message's or enum's name for its type.
std::string Shape(const FieldDescriptor& field) {
  std::string type = field.type_name();
  if (field.message_type() != nullptr) type = field.message_type()->name();
  if (field.enum_type() != nullptr) type = field.enum_type()->name();
  const char* labels[] = {"", "optional", "required", "repeated"};
  return fmt::format("{} {} = {}", labels[field.label()], type, field.number());
}

std::string Shape(const FieldDescriptorProto& field) {
  std::string type = field.type_name().substr(field.type_name().rfind('.') + 1);
  if (type.empty()) {
    type = FieldDescriptor::TypeName(static_cast<FieldDescriptor::Type>(field.type()));
  }
  const char* labels[] = {"", "optional", "required", "repeated"};
  return fmt::format("{} {} = {}", labels[field.label()], type, field.number());
}

class AgainstMesosGo : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::ifstream(std::string(kFolder) + "mesos.proto")) {
      GTEST_SKIP() << "needs the package golang-github-mesos-mesos-go-dev";
    }
    const std::pair<const char*, const char*> files[] = {
        {"mesos.proto", "mesos.v1"},
        {"scheduler/scheduler.proto", "mesos.v1.scheduler"},
        {"executor/executor.proto", "mesos.v1.executor"},
        {"agent/agent.proto", "mesos.v1.agent"},
        {"master/master.proto", "mesos.v1.master"},
        {"quota/quota.proto", "mesos.v1.master"},
        {"maintenance/maintenance.proto", "mesos.v1.master"},
        {"allocator/allocator.proto", "mesos.v1.master"}};
    for (const auto& [file, package] : files) copy_.Load(file, package);
  }

  void Compare(const Descriptor& ours) {
    if (ours.options().map_entry()) return;
    const auto found = copy_.messages.find(ours.full_name());
    if (found == copy_.messages.end()) {
      missing_.insert(ours.full_name());
      return;
    }
    std::map<std::string, std::string> fields;
    std::map<int, std::string> numbers;
    for (const auto& field : found->second.field()) {
      fields[field.name()] = Shape(field);
      numbers[field.number()] = field.name();
    }
    for (int i = 0; i < ours.field_count(); ++i) {
      const FieldDescriptor& field = *ours.field(i);
      if (fields.count(field.name()) > 0) {
        const bool relaxed = kRelaxed.count(field.full_name()) > 0;
        EXPECT_EQ((relaxed ? "required " : "") + Shape(field).substr(relaxed ? 9 : 0),
                  fields[field.name()])
            << field.full_name();
        ++compared_;
      } else {
        missing_.insert(field.full_name());
        EXPECT_EQ(numbers.count(field.number()), 0)
            << field.full_name() << " takes the number of " << numbers[field.number()];
      }
    }
    for (int i = 0; i < ours.nested_type_count(); ++i) Compare(*ours.nested_type(i));
    for (int i = 0; i < ours.enum_type_count(); ++i) Compare(*ours.enum_type(i));
  }

  void Compare(const EnumDescriptor& ours) {
    const auto found = copy_.enums.find(ours.full_name());
    if (found == copy_.enums.end()) {
      missing_.insert(ours.full_name());
      return;
    }
    std::map<std::string, int> values;
    for (const auto& value : found->second.value()) values[value.name()] = value.number();
    for (int i = 0; i < ours.value_count(); ++i) {
      const auto& value = *ours.value(i);
      const std::string name = ours.full_name() + "." + value.name();
      if (values.count(value.name()) > 0) {
        EXPECT_EQ(value.number(), values[value.name()]) << name;
        ++compared_;
      } else {
        missing_.insert(name);
      }
    }
  }

  void Compare(const FileDescriptor& file) {
    for (int i = 0; i < file.message_type_count(); ++i) Compare(*file.message_type(i));
    for (int i = 0; i < file.enum_type_count(); ++i) Compare(*file.enum_type(i));
  }

  Copy copy_;
  std::set<std::string> missing_;
  int compared_ = 0;
};

TEST_F(AgainstMesosGo, EveryFieldAndEnumValueThatBothHaveIsTheSame) {
  Compare(*mesos::v1::ContainerInfo::descriptor()->file());
  Compare(*mesos::v1::TaskInfo::descriptor()->file());
  Compare(*mesos::v1::scheduler::Call::descriptor()->file());
  Compare(*mesos::v1::executor::Call::descriptor()->file());
  Compare(*mesos::v1::master::Call::descriptor()->file());
  Compare(*mesos::v1::agent::Call::descriptor()->file());
  EXPECT_GT(compared_, 700);
  EXPECT_THAT(missing_, ::testing::ContainerEq(kNewer));
}

}  // namespace
}  // namespace kiln::wire

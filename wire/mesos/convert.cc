#include "wire/mesos/convert.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "model/gpu_inventory.h"

namespace kiln::wire {
namespace {

using mesos::v1::Attribute;
using mesos::v1::Resource;
using mesos::v1::Value;

constexpr int64_t kMegabyte = 1 << 20;

// Mesos counts scalars in thousandths.
int64_t Thousandths(const Resource& resource) {
  const double thousandths = resource.scalar().value() * 1000;
  return thousandths > 0 && thousandths < 9e15 ? std::llround(thousandths) : 0;
}

// Rounded down: what is offered is never said to be more than it is.
Bytes FromThousandths(int64_t thousandths_of_megabytes) {
  return {static_cast<int64_t>(static_cast<__int128>(thousandths_of_megabytes) * kMegabyte / 1000)};
}
// Rounded up: what is taken is enough.
int64_t ToThousandths(Bytes bytes) {
  return static_cast<int64_t>((static_cast<__int128>(bytes.count) * 1000 + kMegabyte - 1) /
                              kMegabyte);
}

bool Usable(const Resource& resource) {
  if (resource.has_revocable() && resource.name() != "cpus") return false;
  return !resource.has_shared() && !(resource.has_disk() && (resource.disk().has_persistence() ||
                                                             resource.disk().has_source()));
}

Resources OneToResources(const Resource& resource) {
  Resources found;
  if (const std::string id = VolumeIdOf(resource); !id.empty()) {
    const Bytes size = FromThousandths(Thousandths(resource));
    if (resource.disk().has_persistence() && size.count > 0) found.volumes = {{id, size}};
    return found;
  }
  if (!Usable(resource)) return found;
  if (resource.type() == Value::SCALAR) {
    const int64_t amount = Thousandths(resource);
    if (resource.name() == "cpus") {
      (resource.has_revocable() ? found.revocable_cpus_milli : found.cpus_milli) = amount;
    }
    if (resource.name() == "mem") found.mem = FromThousandths(amount);
    if (resource.name() == "disk") found.disk = FromThousandths(amount);
    if (resource.name() == "gpus") found.gpus = static_cast<int>(amount / 1000);
  } else if (resource.type() == Value::SET && resource.name() == kGpuResource) {
    for (const std::string& item : resource.set().item()) found.gpu_ids.push_back({item});
    std::sort(found.gpu_ids.begin(), found.gpu_ids.end());
  } else if (resource.type() == Value::RANGES && resource.name() == "ports") {
    for (const auto& range : resource.ranges().range()) {
      if (range.begin() > range.end() || range.end() > 65535) continue;
      Resources one;
      one.ports.push_back({static_cast<int>(range.begin()), static_cast<int>(range.end())});
      found += one;
    }
  }
  return found;
}

std::string ScalarText(double value) { return fmt::format("{}", std::round(value * 1000) / 1000); }

std::string AttributeText(const Attribute& attribute) {
  std::string text;
  switch (attribute.type()) {
    case Value::TEXT:
      return attribute.text().value();
    case Value::SCALAR:
      return ScalarText(attribute.scalar().value());
    case Value::RANGES:
      for (const auto& range : attribute.ranges().range()) {
        text += fmt::format("{}{}-{}", text.empty() ? "" : ", ", range.begin(), range.end());
      }
      return "[" + text + "]";
    case Value::SET:
      for (const std::string& item : attribute.set().item()) {
        text += (text.empty() ? "" : ", ") + item;
      }
      return "{" + text + "}";
  }
  return text;
}

Agent ToAgent(const mesos::v1::Offer& offer) {
  Agent agent;
  agent.id.text = offer.agent_id().value();
  agent.hostname = offer.hostname();
  const auto& address = offer.url().address();
  const std::string& host = address.has_ip() ? address.ip() : address.hostname();
  if (offer.has_url()) agent.address = fmt::format("{}:{}", host, address.port());
  agent.region = offer.domain().fault_domain().region().name();
  agent.zone = offer.domain().fault_domain().zone().name();
  for (const Attribute& attribute : offer.attributes()) {
    agent.attributes.emplace(attribute.name(), AttributeText(attribute));
  }
  if (const auto found = agent.attributes.find(kGpuAttribute); found != agent.attributes.end()) {
    agent.gpus = ParseGpuAttribute(found->second).value_or(std::vector<Gpu>{});
  }
  return agent;
}

// Moves up to `*wanted` of a scalar.
void MoveScalar(Resource& from, Resource& to, int64_t& wanted) {
  const int64_t there = Thousandths(from);
  const int64_t taken = std::min(there, wanted);
  wanted -= taken;
  to.mutable_scalar()->set_value(static_cast<double>(taken) / 1000);
  from.mutable_scalar()->set_value(static_cast<double>(there - taken) / 1000);
}

void MoveItems(Resource& from, Resource& to, std::vector<GpuId>& wanted) {
  to.clear_set();
  Value::Set left;
  for (const std::string& item : from.set().item()) {
    const auto found = std::find(wanted.begin(), wanted.end(), GpuId{item});
    if (found == wanted.end()) {
      left.add_item(item);
    } else {
      to.mutable_set()->add_item(item);
      wanted.erase(found);
    }
  }
  *from.mutable_set() = left;
}

void SetPorts(const std::vector<PortRange>& ports, Resource& resource) {
  resource.mutable_ranges()->clear_range();
  for (const PortRange& port : ports) {
    auto* range = resource.mutable_ranges()->add_range();
    range->set_begin(static_cast<uint64_t>(port.begin));
    range->set_end(static_cast<uint64_t>(port.end));
  }
}

// Moves what both have.
void MovePorts(Resource& from, Resource& to, Resources& wanted) {
  const Resources there = OneToResources(from);
  Resources both;
  for (const PortRange& a : there.ports) {
    for (const PortRange& b : wanted.ports) {
      const PortRange common{std::max(a.begin, b.begin), std::min(a.end, b.end)};
      if (common.begin > common.end) continue;
      Resources one;
      one.ports.push_back(common);
      both += one;
    }
  }
  wanted -= both;
  SetPorts(both.ports, to);
  Resources left = there;
  left -= both;
  SetPorts(left.ports, from);
}

// What of a request is still to be found.
struct Wanted {
  int64_t cpus;  // scalars in thousandths
  int64_t revocable_cpus;
  int64_t mem;
  int64_t disk;
  int64_t gpus;
  std::vector<GpuId> gpu_ids;
  Resources ports;
  std::vector<NamedVolume> volumes;

  explicit Wanted(const Resources& resources)
      : cpus(resources.cpus_milli),
        revocable_cpus(resources.revocable_cpus_milli),
        mem(ToThousandths(resources.mem)),
        disk(ToThousandths(resources.disk)),
        gpus(int64_t{1000} * resources.gpus),
        gpu_ids(resources.gpu_ids),
        volumes(resources.volumes) {
    ports.ports = resources.ports;
  }

  bool Found() const {
    return cpus + revocable_cpus + mem + disk + gpus == 0 && gpu_ids.empty() &&
           ports.ports.empty() && volumes.empty();
  }

  // Moves what it can use.
  void TakeFrom(Resource& from, Resource& to) {
    if (const std::string id = VolumeIdOf(from); !id.empty()) {
      const auto is_it = [&](const NamedVolume& volume) { return volume.id == id; };
      const bool wanted = Thousandths(from) > 0 && std::erase_if(volumes, is_it) > 0;
      (wanted ? from : to).mutable_scalar()->set_value(0);
    } else if (from.type() == Value::SCALAR) {
      int64_t* of_cpus = from.has_revocable() ? &revocable_cpus : &cpus;
      for (const auto& [name, amount] : {std::pair<const char*, int64_t*>{"cpus", of_cpus},
                                         {"mem", &mem},
                                         {"disk", &disk},
                                         {"gpus", &gpus}}) {
        if (from.name() == name) MoveScalar(from, to, *amount);
      }
    } else if (from.name() == kGpuResource) {
      MoveItems(from, to, gpu_ids);
    } else {
      MovePorts(from, to, ports);
    }
  }
};

}  // namespace

Resources ToResources(const ResourceList& list) {
  Resources sum;
  for (const Resource& resource : list) sum += OneToResources(resource);
  return sum;
}

Offer ToOffer(const mesos::v1::Offer& offer, Instant received) {
  Offer found;
  found.id.text = offer.id().value();
  found.agent = ToAgent(offer);
  found.role = offer.allocation_info().role();
  found.resources = ToResources(offer.resources());
  found.volumes = VolumesOf(offer.resources());
  found.received = received;
  return found;
}

TaskState ToTaskState(mesos::v1::TaskState state) {
  switch (state) {
    case mesos::v1::TASK_STAGING:
      return TaskState::kStaging;
    case mesos::v1::TASK_STARTING:
      return TaskState::kStarting;
    case mesos::v1::TASK_RUNNING:
      return TaskState::kRunning;
    case mesos::v1::TASK_KILLING:
      return TaskState::kKilling;
    case mesos::v1::TASK_FINISHED:
      return TaskState::kFinished;
    case mesos::v1::TASK_FAILED:
      return TaskState::kFailed;
    case mesos::v1::TASK_KILLED:
      return TaskState::kKilled;
    case mesos::v1::TASK_ERROR:
      return TaskState::kError;
    case mesos::v1::TASK_LOST:
      return TaskState::kLost;
    case mesos::v1::TASK_DROPPED:
      return TaskState::kDropped;
    case mesos::v1::TASK_UNREACHABLE:
      return TaskState::kUnreachable;
    case mesos::v1::TASK_GONE:
      return TaskState::kGone;
    case mesos::v1::TASK_GONE_BY_OPERATOR:
      return TaskState::kGoneByOperator;
    case mesos::v1::TASK_UNKNOWN:
      return TaskState::kUnknown;
  }
  return TaskState::kUnknown;
}

std::string ReasonName(const mesos::v1::TaskStatus& status) {
  if (!status.has_reason()) return "";
  constexpr size_t kPrefix = std::string_view("REASON_").size();
  return mesos::v1::TaskStatus::Reason_Name(status.reason()).substr(kPrefix);
}

void OfferedResources::Add(const ResourceList& list) {
  for (const Resource& resource : list) {
    if (!OneToResources(resource).Empty()) left_.push_back(resource);
  }
  std::stable_partition(left_.begin(), left_.end(),
                        [](const Resource& resource) { return resource.reservations_size() > 0; });
}

Result<ResourceList> OfferedResources::Take(const Resources& wanted) {
  std::vector<Resource> left = left_;
  Wanted missing(wanted);
  ResourceList taken;
  for (Resource& from : left) {
    Resource to = from;
    missing.TakeFrom(from, to);
    if (!OneToResources(to).Empty()) *taken.Add() = std::move(to);
  }
  if (!missing.Found()) {
    ResourceList there;
    for (const Resource& resource : left_) *there.Add() = resource;
    return Fail(ErrorCode::kResourceExhausted, "offered resources: found {}, expected {}",
                ToText(ToResources(there)), ToText(wanted));
  }
  left_ = std::move(left);
  return taken;
}

Result<Resource> OfferedResources::TakeDisk(Bytes size) {
  for (Resource& from : left_) {
    const bool plain = from.name() == "disk" && VolumeIdOf(from).empty();
    int64_t wanted = ToThousandths(size);
    if (!plain || Thousandths(from) < wanted) continue;
    Resource to = from;
    MoveScalar(from, to, wanted);
    return to;
  }
  return Fail(ErrorCode::kResourceExhausted,
              "offered disk: found none that is {} in one piece, reserved or unreserved",
              FormatBytes(size));
}

}  // namespace kiln::wire

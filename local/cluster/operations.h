// Offer operations that change resources: what they take, what they make of it, and what a master
// refuses in them, in Mesos's words. Reservations and volumes are kept by agents. Pure.
#pragma once

#include <functional>
#include <vector>

#include "local/cluster/resources.h"
#include "local/cluster/validation.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::local {

// Every resource of an operation that is no launch.
void ForEachResource(mesos::v1::Offer::Operation* operation,
                     const std::function<void(mesos::v1::Resource&)>& visit);

struct Conversion {
  Resources from;
  Resources to;
};

// Of an operation that is valid and no launch.
Conversion ConversionOf(const mesos::v1::Offer::Operation& operation);

struct OperationContext {
  const mesos::v1::FrameworkInfo* framework = nullptr;
  Resources total;  // of the agent
  Resources used;   // by tasks and executors there
};
// Of an operation whose resources are well formed and in the reservations format.
Objection ValidateOperation(const mesos::v1::Offer::Operation& operation,
                            const OperationContext& context);

bool IsVolume(const mesos::v1::Resource& resource);
// What an agent keeps beside its flags: dynamic reservations and volumes.
std::vector<mesos::v1::Resource> KeptResources(const Resources& total);
// What an agent has by its flags, with what it kept.
Resources TotalResources(const mesos::v1::AgentInfo& agent,
                         const std::vector<mesos::v1::Resource>& kept);

}  // namespace kiln::local

// What a master and its shell hand each other: options, inputs, actions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "local/cluster/allocator.h"
#include "local/cluster/authorization.h"
#include "local/cluster/maintenance.h"
#include "local/cluster/messages.h"
#include "proto/mesos/v1/master.pb.h"
#include "proto/mesos/v1/scheduler.pb.h"

namespace kiln::local {

// What outlives a master: Mesos's registry.
struct Registry {
  std::vector<mesos::v1::AgentInfo> agents;
  std::map<std::string, Instant> unreachable;  // agent id: since when
  std::map<std::string, Instant> gone;
  std::vector<std::string> deactivated;
  std::map<std::string, mesos::v1::DrainInfo> draining;  // agent id; these are deactivated too
  Maintenance maintenance;
  int lives = 0;  // masters that wrote it
};

struct MasterOptions {
  std::string ip = "127.0.0.1";
  int port = 5050;
  std::string hostname = "localhost";
  std::string version = "1.12.0";
  AllocatorOptions allocator;
  Duration agent_ping_timeout = std::chrono::seconds(15);
  int max_agent_ping_timeouts = 5;
  Duration agent_reregister_timeout = std::chrono::minutes(10);
  std::optional<Duration> offer_timeout;
  size_t max_completed_frameworks = 50;
  size_t max_completed_tasks_per_framework = 1000;
  size_t max_unreachable_tasks_per_framework = 1000;
  size_t max_operator_streams = 1000;
  bool root_submissions = true;
  Acls acls;
};

// ---- shell to master

// A call that has come through the checks of its envelope: HTTP, encoding, authentication.
struct SchedulerCall {
  uint64_t request = 0;  // the shell's name for it, given back in the answer
  mesos::v1::scheduler::Call call;
  std::optional<std::string> principal;  // authenticated
  std::optional<std::string> stream_id;  // Mesos-Stream-Id
  bool acceptable = true;                // Accept allows an encoding of ours
};
// The peer has closed the stream.
struct SchedulerStreamClosed {
  std::string stream;
};
struct OperatorCall {
  uint64_t request = 0;
  mesos::v1::master::Call call;
  std::optional<std::string> principal;
};
struct OperatorStreamClosed {
  std::string stream;
};
struct FromAgent {
  std::string pid;
  AgentToMaster message;
};
// The agent's process is gone, or the link to it is cut.
struct AgentLinkCut {
  std::string pid;
};
struct MasterTick {};
// For tests: an offer is taken back, as when its agent leaves.
struct RescindOffer {
  std::string offer_id;
};

using MasterInput =
    std::variant<SchedulerCall, SchedulerStreamClosed, OperatorCall, OperatorStreamClosed,
                 FromAgent, AgentLinkCut, MasterTick, RescindOffer>;

// ---- master to shell, to be done in this order

// An answer that is no stream: an HTTP status and a sentence, which is empty for a success.
struct AnswerRequest {
  uint64_t request = 0;
  int status = 202;
  std::string text;
};
struct AnswerOperator {
  uint64_t request = 0;
  mesos::v1::master::Response response;
};
// The answer is 200 and a stream of this id.
struct OpenSchedulerStream {
  uint64_t request = 0;
  std::string stream;
};
struct SendToScheduler {
  std::string stream;
  mesos::v1::scheduler::Event event;
};
struct CloseSchedulerStream {
  std::string stream;
};
struct OpenOperatorStream {
  uint64_t request = 0;
  std::string stream;
};
struct SendToOperator {
  std::string stream;
  mesos::v1::master::Event event;
};
struct CloseOperatorStream {
  std::string stream;
};
struct SendToAgent {
  std::string pid;
  MasterToAgent message;
};
// The registry changed; it must be safe before the actions behind it are done.
struct SaveRegistry {
  Registry registry;
};

using MasterAction = std::variant<AnswerRequest, AnswerOperator, OpenSchedulerStream,
                                  SendToScheduler, CloseSchedulerStream, OpenOperatorStream,
                                  SendToOperator, CloseOperatorStream, SendToAgent, SaveRegistry>;

}  // namespace kiln::local

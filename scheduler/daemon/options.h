// The command line of kiln-scheduler.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/role.h"
#include "scheduler/api/guard.h"
#include "scheduler/daemon/service_account.h"
#include "scheduler/placement/levels.h"
#include "scheduler/placement/preemption.h"
#include "wire/mesos/json.h"
#include "wire/net/tls.h"
#include "wire/zookeeper/address.h"

namespace kiln::scheduler {

struct Options {
  // host:port, or a URL with what stands before the paths there; none: they are detected.
  std::vector<std::string> masters;
  std::optional<wire::ZookeeperAddress> detection;  // where masters say who leads
  bool mesos_tls = false;            // masters that are detected, and agents, speak TLS
  std::string ca_file;               // of those that are believed; empty: the system's roots
  net::TlsServerOptions server_tls;  // of the API; without a certificate it is plain
  std::string listen_host = "127.0.0.1";
  int listen_port = 0;
  std::string advertise;      // host:port that agents and people reach; empty: where it listens
  std::string tokens_file;    // of those who may use the API; empty: everybody may
  std::vector<Token> tokens;  // what it says at the start
  double rate_limit = -1;     // requests a second of each caller of the API; 0: any number
  std::string state;          // a file; empty with state_nodes
  std::optional<wire::ZookeeperAddress> state_nodes;
  std::string key;  // file of the key of tasks' tokens
  std::string artifacts;
  std::string secrets;  // folder of the secrets of jobs; empty: there are none
  std::vector<std::string> roles = {"*"};
  RoleSettings sharing;
  std::string framework_name = "kiln";
  std::string user;
  std::string principal;
  std::string secret;
  std::optional<ServiceAccount> service_account;  // of DC/OS; its uid is the principal
  std::string webui_url;
  Duration failover_timeout = std::chrono::hours(24 * 14);
  wire::Encoding encoding = wire::Encoding::kProtobuf;
  std::string policy = "fill";
  Levels topology = DefaultLevels();
  Duration hold = std::chrono::seconds(30);
  Duration unreachable_wait = std::chrono::minutes(1);
  Duration executor_idle = std::chrono::minutes(1);
  Duration quarantine = std::chrono::minutes(2);
  PreemptionSettings preemption;
  std::string executor;
  std::string executor_uri;
  std::string address_file;  // gets the address of the API once it listens
  bool uninstall = false;
};

// What the arguments ask for. kInvalidArgument is one sentence about the first fault.
struct Parsed {
  std::string help;  // to be printed, instead of anything else
  Options options;
};
Result<Parsed> ParseOptions(int argc, char** argv);

}  // namespace kiln::scheduler

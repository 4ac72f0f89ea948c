// A job: what a user submits under a name. Values only; the codecs are in wire/rest and
// wire/records.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/constraint.h"
#include "model/gpu.h"
#include "model/ids.h"
#include "model/units.h"

namespace kiln {

enum class JobKind { kTraining, kServing, kScoring, kService };

struct Uri {
  std::string value;
  bool executable = false;
  bool extract = true;
  std::string output_file;

  bool operator==(const Uri&) const = default;
};

// A process. `argv` has the whole argument vector; `shell` a line for /bin/sh -c. Exactly one is
// set.
struct CommandWork {
  std::string shell;
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;
  std::vector<Uri> uris;
  std::string image;  // container image, or empty

  bool operator==(const CommandWork&) const = default;
};

enum class Algorithm {
  kRandomForestClassifier,
  kRandomForestRegressor,
  kLinearRegression,
  kSoftmaxRegression
};

struct Table {
  std::string uri;
  std::vector<std::string> columns;  // empty: all but target and key
  std::string target;
  std::string key;

  bool operator==(const Table&) const = default;
};

struct TrainWork {
  Algorithm algorithm = Algorithm::kRandomForestClassifier;
  Table data;
  std::string model;  // registered under this name
  uint64_t seed = 1;
  double test_fraction = 0.25;
  int trees = 100;
  int depth_max = 0;  // 0: no limit
  int leaf_rows_min = 1;
  int features_per_split = 0;  // 0: by the algorithm
  double learning_rate = 0.1;
  int epochs = 100;
  double l2 = 1e-4;

  bool operator==(const TrainWork&) const = default;
};

// Joins the parts of a training group; stands in the job after its groups are expanded.
struct MergeWork {
  TrainWork train;
  int parts = 0;

  bool operator==(const MergeWork&) const = default;
};

// A model in the registry: by version, by label, or the latest when neither is set.
struct ModelRef {
  std::string name;
  std::optional<int64_t> version;
  std::string label;

  bool operator==(const ModelRef&) const = default;
};

struct ServeWork {
  std::vector<ModelRef> models;

  bool operator==(const ServeWork&) const = default;
};

struct ScoreWork {
  ModelRef model;
  Table data;
  std::string output;  // URI of a folder

  bool operator==(const ScoreWork&) const = default;
};

enum class SearchMetric { kDot, kCosine, kEuclidean };
enum class SearchAggregate { kNone, kMax, kMean, kSum, kCount };

struct SearchWork {
  Table data;
  std::vector<float> query;
  int top = 10;
  SearchMetric metric = SearchMetric::kCosine;
  SearchAggregate aggregate = SearchAggregate::kNone;
  int rows_per_key = 0;  // 0: the top rows overall
  std::string output;    // empty: the result is told with the task's end

  bool operator==(const SearchWork&) const = default;
};

using Work = std::variant<CommandWork, TrainWork, MergeWork, ServeWork, ScoreWork, SearchWork>;

// Mesos's meaning and defaults.
struct HealthCheck {
  enum class Type { kCommand, kHttp, kTcp };
  Type type = Type::kHttp;
  std::string command;
  std::string path = "/";
  int port_index = 0;  // of the member's ports
  Duration delay = std::chrono::seconds(15);
  Duration interval = std::chrono::seconds(10);
  Duration timeout = std::chrono::seconds(20);
  Duration grace = std::chrono::seconds(10);
  int failures_max = 3;

  bool operator==(const HealthCheck&) const = default;
};

// Which volume a member has already, and so where it has to start.
struct VolumeTie {
  std::string id;
  AgentId agent;
  std::string where;  // "agent h1, which has held it since ..."

  bool operator==(const VolumeTie&) const = default;
};

// A folder of each member that outlives its attempts, on the disk of one agent.
struct Volume {
  std::string path;  // a name in the sandbox
  Bytes size;
  std::optional<VolumeTie> tie;  // in what waits; none in a job file

  bool operator==(const Volume&) const = default;
};

// Something that a command needs and nobody else may see: kept by the scheduler under its name.
struct SecretUse {
  std::string name;
  std::string env;   // the variable that holds it; or
  std::string file;  // a name in the sandbox

  bool operator==(const SecretUse&) const = default;
};

// Identical members. A member that runs is a task.
struct Group {
  std::string name;
  int count = 1;
  int64_t cpus_milli = 1000;
  bool revocable = false;  // its cpus are revocable ones, and those alone
  Bytes mem = MiB(512);
  Bytes disk;
  std::vector<Volume> volumes;
  std::vector<SecretUse> secrets;
  int ports = 0;
  GpuRequest gpus;
  std::vector<Constraint> constraints;
  Work work;
  std::optional<HealthCheck> health;
  Duration kill_grace = std::chrono::seconds(3);
  std::optional<Duration> max_completion;
  std::vector<std::string> after;  // groups of this job that must have finished

  bool operator==(const Group&) const = default;
};

inline constexpr Duration kForever = Duration::max();
inline constexpr Duration kUnreachableWaitMax = std::chrono::hours(24 * 365);

struct Job {
  std::string name;
  JobKind kind = JobKind::kTraining;
  std::string role;   // empty: the scheduler's first
  int priority = 50;  // 0 to 100
  std::vector<Group> groups;
  // The groups without `after` start together: all members, or at least this many. 0: no gang, each
  // when it fits.
  int gang_members = 0;
  // Levels of the topology, such as "rack": all of the gang is in one domain of the first, and in
  // as few of the second as can be. Empty: anywhere.
  std::string gang_require;
  std::string gang_prefer;
  // Others of the role may not evict it, whatever their priority. What goes beyond the quota of its
  // role is taken back all the same by those who are owed theirs.
  bool preemptible = true;
  // For so long its members are waited for when Mesos does not reach their agents, before they start
  // elsewhere; kForever: until the agent comes back or is given up. None: as the scheduler is told.
  std::optional<Duration> unreachable_wait;
  int retries = 3;                 // charged attempts of one member beyond the first
  std::vector<std::string> after;  // jobs that must have finished
  // Jobs of one role with the same pool share the executors of their kernel work, which stay warm
  // between them. Empty: the job's executors are its own.
  std::string pool;
  std::map<std::string, std::string> labels;

  bool operator==(const Job&) const = default;
};

// Null when there is none of that name.
const Group* FindGroup(const Job& job, std::string_view name);

// Work that ends by itself, as against serving and services, which run until they are killed.
inline bool EndsByItself(JobKind kind) {
  return kind == JobKind::kTraining || kind == JobKind::kScoring;
}

// Names of jobs, groups, models, labels and pools: 1 to 63 of a-z, 0-9, '-', beginning and ending
// with a letter or digit. `field` and `thing` are for the error.
Status CheckName(const std::string& field, std::string_view thing, const std::string& name);

// Checks what one field cannot tell: names, sums, references between groups, work that fits the
// kind. The first fault, with its field.
Status Validate(const Job& job);

// A training group of several members gets a group "<name>-merge" of one behind it.
Job ExpandGroups(Job job);

}  // namespace kiln

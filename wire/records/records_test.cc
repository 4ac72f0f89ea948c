#include "wire/records/records.h"

#include <gtest/gtest.h>

#include "proto/kiln/v1/state.pb.h"

namespace kiln::wire {
namespace {

using scheduler::State;

// A job that uses every field.
Job FullJob() {
  Job job{.name = "all", .kind = JobKind::kScoring, .role = "research", .priority = 70};
  const Table table{.uri = "file:///x.csv", .columns = {"a", "b"}, .target = "t", .key = "k"};
  const TrainWork train{.algorithm = Algorithm::kSoftmaxRegression,
                        .data = table,
                        .model = "m",
                        .seed = 9,
                        .test_fraction = 0.5,
                        .trees = 3,
                        .depth_max = 4,
                        .leaf_rows_min = 5,
                        .features_per_split = 6,
                        .learning_rate = 0.7,
                        .epochs = 8,
                        .l2 = 0.9};
  const Work works[] = {
      CommandWork{.shell = "echo",
                  .environment = {{"A", "b"}},
                  .uris = {{.value = "http://x", .executable = true, .output_file = "y"}},
                  .image = "debian:12"},
      CommandWork{.argv = {"ls", "-l"}},
      train,
      MergeWork{train, 4},
      ServeWork{{{.name = "m", .version = 3}, {.name = "n", .label = "prod"}}},
      ScoreWork{.model = {.name = "m"}, .data = table, .output = "/out"},
      SearchWork{.data = table,
                 .query = {1.5F, -2},
                 .top = 3,
                 .metric = SearchMetric::kEuclidean,
                 .aggregate = SearchAggregate::kSum,
                 .rows_per_key = 2,
                 .output = "/o"}};
  for (const Work& work : works) {
    job.groups.push_back({.name = "g" + std::to_string(job.groups.size()), .work = work});
  }
  Group& first = job.groups.front();
  first.count = 3;
  first.cpus_milli = 250;
  first.revocable = true;
  first.mem = MiB(33);
  first.disk = GiB(2);
  first.volumes = {{"data", GiB(3), std::nullopt}};
  first.secrets = {{"s3", "S3_KEY", ""}, {"tls", "", "tls.pem"}};
  first.ports = 2;
  first.gpus = {.count = 2, .model = "A100", .memory = GiB(40), .link = "nvlink", .mig = "1g.5gb"};
  first.constraints = {{"hostname", ConstraintOperator::kMaxPer, "2"}};
  first.health = HealthCheck{.type = HealthCheck::Type::kTcp, .port_index = 1, .failures_max = 7};
  first.kill_grace = std::chrono::seconds(9);
  first.max_completion = std::chrono::hours(1);
  first.after = {"g1"};
  job.gang_members = 2;
  job.gang_require = "zone";
  job.gang_prefer = "rack";
  job.preemptible = false;
  job.unreachable_wait = kForever;
  job.retries = 1;
  job.after = {"before"};
  job.pool = "warm";
  job.labels = {{"team", "x"}};
  return job;
}

const scheduler::Suspicion kSuspicion = {.hostname = "h",
                                         .standing = scheduler::Standing::kProbation,
                                         .strikes = {{~0ULL, "all", 3, 2, {9}}},
                                         .times = 2,
                                         .since = {10},
                                         .until = {11},
                                         .reason = "r",
                                         .probe = {"t2"}};

const scheduler::VolumeRecord kVolume = {
    .id = "kiln.v",
    .member = {"all", "g0", 2},
    .path = "data",
    .size = GiB(3),
    .role = "research",
    .agent = {"a"},
    .hostname = "h",
    .phase = scheduler::VolumePhase::kRemoving,
    .removals = 2,
    .steps = {{scheduler::VolumeStep::kDestroy, scheduler::StepState::kDone},
              {scheduler::VolumeStep::kUnreserve, scheduler::StepState::kFailed}},
    .since = {12}};

const Agent kAgent = {.id = {"a"},
                      .hostname = "h",
                      .address = "h:5051",
                      .region = "r",
                      .zone = "z",
                      .attributes = {{"rack", "1"}},
                      .gpus = {{.id = {"GPU-1"},
                                .model = "A100",
                                .memory = GiB(40),
                                .minor = 1,
                                .mig = "1g.5gb",
                                .link_group = "x",
                                .link = GpuLink::kNvlink,
                                .healthy = false}}};

State FullState() {
  State state{.framework_id = "f-0001", .incarnation = 12};
  state.suspicions[{{"a"}, {"GPU-1"}}] = kSuspicion;
  state.jobs["all"] = {.job = FullJob(),
                       .digest = 0xffffffffffffffff,
                       .phase = scheduler::JobPhase::kFailed,
                       .message = "no",
                       .submitted = {5},
                       .ended = {6},
                       .claim = scheduler::Claim{"all", 2, {{"a"}, {"b"}}, {9}, "x"},
                       .evicted = {{3}, {4}}};
  state.tasks[{"t1"}] = {.id = {"t1"},
                         .member = {"all", "g0", 2},
                         .attempt = 4,
                         .failures = 3,
                         .evictions = 2,
                         .agent = {"a"},
                         .hostname = "h",
                         .executor = {"e"},
                         .resources = {.cpus_milli = 1,
                                       .revocable_cpus_milli = 7,
                                       .mem = MiB(2),
                                       .disk = MiB(3),
                                       .gpus = 1,
                                       .gpu_ids = {{"GPU-1"}},
                                       .gpu_shares = {{{"GPU-2"}, 250}},
                                       .ports = {{5, 6}, {8, 8}},
                                       .volumes = {{"kiln.v", GiB(3)}}},
                         .state = TaskState::kFailed,
                         .message = "exit 3",
                         .reason = "EXECUTOR_TERMINATED",
                         .charge = Charge::kJob,
                         .healthy = false,
                         .fraction = 0.5,
                         .endpoint = "h:1",
                         .result = "row\n1\n",
                         .kill_wanted = true,
                         .preempted_by = "job x of priority 9",
                         .checkpoints = 7,
                         .checkpointed = {2},
                         .launched = {1},
                         .started = {2},
                         .ended = {3},
                         .kill_sent = {4}};
  state.tasks[{"t2"}] = {.id = {"t2"}};
  state.volumes["kiln.v"] = kVolume;
  scheduler::Model& model = state.models["m"];
  model = {.name = "m", .labels = {{"prod", 2}}};
  model.versions[2] = {.model = "m",
                       .version = 2,
                       .uri = "artifact:m/2",
                       .job = "all",
                       .job_digest = 7,
                       .data_digest = "d",
                       .algorithm = "forest",
                       .features = {"a"},
                       .metrics = {{"accuracy", 0.97}},
                       .parameters = {{"trees", "3"}},
                       .created = {8}};
  state.agents[{"a"}] = kAgent;
  return state;
}

TEST(Records, EveryFieldComesBack) {
  const State state = FullState();
  State back;
  ASSERT_TRUE(Decode(EncodeMeta(state), back));
  for (const auto& [name, job] : state.jobs) ASSERT_TRUE(Decode(Encode(job), back));
  for (const auto& [id, task] : state.tasks) ASSERT_TRUE(Decode(Encode(task), back));
  for (const auto& [name, model] : state.models) ASSERT_TRUE(Decode(Encode(model), back));
  for (const auto& [id, agent] : state.agents) ASSERT_TRUE(Decode(Encode(agent), back));
  for (const auto& [suspect, suspicion] : state.suspicions) {
    ASSERT_TRUE(Decode(Encode(suspect, suspicion), back));
  }
  for (const auto& [id, volume] : state.volumes) ASSERT_TRUE(Decode(Encode(volume), back));
  EXPECT_TRUE(back == state);
}

TEST(Records, ANewerVersionIsRefused) {
  v1::Record record;
  ASSERT_TRUE(record.ParseFromString(EncodeMeta({})));
  record.set_version(kRecordVersion + 1);
  State state;
  const Status status = Decode(record.SerializeAsString(), state);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(status.error().message,
            "a record has version 2, expected at most 1: a newer kiln-scheduler wrote it");
}

TEST(Records, AStateThatNoTaskHasIsDataLoss) {
  v1::Record record;
  ASSERT_TRUE(record.ParseFromString(Encode(Task{.id = {"t"}})));
  record.mutable_task()->set_state(15);
  State state;
  EXPECT_EQ(Decode(record.SerializeAsString(), state),
            Fail(ErrorCode::kDataLoss, "task t has state 15, expected at most 14"));
}

TEST(Records, BytesThatAreNoRecordAreDataLoss) {
  State state;
  for (const char* bytes : {"", "\xff\xff\xff", "hello"}) {
    const Status status = Decode(bytes, state);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kDataLoss) << bytes;
  }
  EXPECT_TRUE(state == State{});
}

}  // namespace
}  // namespace kiln::wire

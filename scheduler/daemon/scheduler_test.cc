// The daemon against a master that a test plays: what is remembered before what is done.
#include "scheduler/daemon/scheduler.h"

#include <gmock/gmock.h>

#include "proto/kiln/v1/work.pb.h"
#include "scheduler/daemon/fake_master_for_test.h"

namespace kiln::scheduler {
namespace {

const Estimate kNoEstimate{std::nullopt,
                           "none: nothing that runs has a max_completion or a known duration"};

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Call = mesos::v1::scheduler::Call;

// A store that can be told to fail, and whose records outlive the scheduler.
class TestStore final : public Store {
 public:
  TestStore(Store& inner, const bool& full) : inner_(inner), full_(full) {}
  Result<Revision> Read(const TakeRecord& take) override { return inner_.Read(take); }
  Result<Revision> Commit(Revision expected, std::span<const Change> changes) override {
    if (full_) return Fail(ErrorCode::kResourceExhausted, "the disk is full");
    return inner_.Commit(expected, changes);
  }

 private:
  Store& inner_;
  const bool& full_;
};

using SeeCall = std::function<void(const Call&)>;

// Shows each call as it is sent, which is before it comes.
class WatchedConnection final : public net::Connection {
 public:
  WatchedConnection(std::unique_ptr<net::Connection> inner, const SeeCall& see)
      : inner_(std::move(inner)), see_(see) {}
  void Send(net::Request request, std::function<void(Result<net::Response>)> done,
            Duration timeout) override {
    Call call;
    EXPECT_TRUE(call.ParseFromString(request.body));
    see_(call);
    inner_->Send(std::move(request), std::move(done), timeout);
  }
  void OpenStream(net::Request request, StreamCallbacks callbacks) override {
    inner_->OpenStream(std::move(request), std::move(callbacks));
  }
  void Close() override { inner_->Close(); }

 private:
  std::unique_ptr<net::Connection> inner_;
  const SeeCall& see_;
};

class SchedulerTest : public testing::Test {
 protected:
  void Open() {
    Options options;
    options.masters = {master_.address()};
    options.user = "somebody";
    options.executor = "/bin/kiln-executor";
    net::World world(loop_);
    world.connect = [this, connect = world.connect](const net::Url& url,
                                                    net::Connection::Callbacks callbacks) {
      return std::make_unique<WatchedConnection>(connect(url, std::move(callbacks)), on_send_);
    };
    scheduler_ = *Scheduler::Open(world, options, std::make_unique<TestStore>(*store_, full_));
    scheduler_->SetApiUrl("http://api:1");
    scheduler_->OnFatal([this](const Error& error) { fatal_ = error.message; });
    scheduler_->Start();
  }
  void OpenSubscribed() {
    Open();
    ASSERT_TRUE(Until([&] { return scheduler_->GetHealth().recovered; }));
  }

  bool Until(const std::function<bool()>& done, Duration limit = seconds(10)) {
    const Instant end = loop_.Now() + limit;
    while (!done() && loop_.Now() < end) loop_.RunFor(milliseconds(2));
    return done();
  }

  Status Submit(const Job& job, uint64_t digest = 1) {
    std::optional<Status> answer;
    scheduler_->Submit(job, digest, [&](Status status) { answer = std::move(status); });
    EXPECT_TRUE(Until([&] { return answer.has_value(); }));
    return *answer;
  }

  Plan DryRun(const Job& job) {
    std::optional<Plan> plan;
    scheduler_->DryRun(job, [&](const DryPlan& dry) { plan = dry.plan; });
    EXPECT_TRUE(Until([&] { return plan.has_value(); }));
    return *plan;
  }

  static Job Command(const std::string& name, int count = 1) {
    return {.name = name,
            .kind = JobKind::kTraining,
            .groups = {{.name = "g",
                        .count = count,
                        .cpus_milli = 500,
                        .mem = MiB(64),
                        .work = CommandWork{.shell = "true"}}}};
  }

  State Remembered() {
    Ledger ledger(std::make_unique<TestStore>(*store_, full_));
    return ledger.Load().value();
  }
  std::vector<mesos::v1::TaskInfo> Launched() {
    std::vector<mesos::v1::TaskInfo> tasks;
    for (const Call& call : master_.CallsOf(Call::ACCEPT)) {
      for (const auto& operation : call.accept().operations()) {
        for (const auto& task : operation.launch().task_infos()) tasks.push_back(task);
      }
    }
    return tasks;
  }

  net::Loop loop_;
  SeeCall on_send_ = [](const Call&) {};
  FakeMaster master_{loop_};
  std::unique_ptr<Store> store_ = OpenMemoryStore();
  bool full_ = false;
  std::string fatal_;
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(SchedulerTest, ItSubscribesWithTheCapabilitiesThatItHandles) {
  OpenSubscribed();
  ASSERT_THAT(master_.subscriptions, SizeIs(1));
  const auto& info = master_.subscriptions[0].framework_info();
  EXPECT_FALSE(info.has_id());
  EXPECT_TRUE(info.checkpoint());
  EXPECT_EQ(info.user(), "somebody");
  EXPECT_EQ(info.failover_timeout(), 14 * 24 * 3600);
  EXPECT_EQ(info.webui_url(), "http://api:1");
  EXPECT_THAT(info.roles(), ElementsAre("*"));
  std::vector<std::string> capabilities;
  for (const auto& one : info.capabilities()) {
    capabilities.push_back(mesos::v1::FrameworkInfo::Capability::Type_Name(one.type()));
  }
  EXPECT_THAT(capabilities, ElementsAre("PARTITION_AWARE", "MULTI_ROLE", "GPU_RESOURCES",
                                        "RESERVATION_REFINEMENT", "TASK_KILLING_STATE",
                                        "REGION_AWARE", "REVOCABLE_RESOURCES"));
  EXPECT_TRUE(Until([&] { return Remembered().framework_id == "f-1"; }));
}

TEST_F(SchedulerTest, EachCallFollowsItsRecord) {
  OpenSubscribed();
  on_send_ = [this](const Call& call) {
    const State state = Remembered();
    if (call.type() == Call::ACCEPT) {
      EXPECT_FALSE(state.framework_id.empty());
      for (const auto& task : call.accept().operations(0).launch().task_infos()) {
        EXPECT_TRUE(state.tasks.contains({task.task_id().value()}));
      }
    } else if (call.type() == Call::ACKNOWLEDGE) {
      EXPECT_EQ(state.tasks.at({call.acknowledge().task_id().value()}).state, TaskState::kFinished);
    } else if (call.type() == Call::KILL) {
      EXPECT_TRUE(state.tasks.at({call.kill().task_id().value()}).kill_wanted);
    }
  };
  ASSERT_TRUE(Submit(Command("j", 2)));
  EXPECT_TRUE(Remembered().jobs.contains("j"));
  master_.Offer("o1", 4, 1024);
  ASSERT_TRUE(Until([&] { return Launched().size() == 2; }));
  const std::string first = Launched()[0].task_id().value();
  master_.Update(first, mesos::v1::TASK_FINISHED, std::string(16, 'u'));
  ASSERT_TRUE(Until([&] { return !master_.CallsOf(Call::ACKNOWLEDGE).empty(); }));
  scheduler_->Kill("j", [](const Status& status) { EXPECT_TRUE(status); });
  ASSERT_TRUE(Until([&] { return !master_.CallsOf(Call::KILL).empty(); }));
}

TEST_F(SchedulerTest, ATaskCarriesItsWorkAndTheOffersOwnResources) {
  OpenSubscribed();
  Job job = Command("j");
  job.groups[0].max_completion = seconds(60);
  job.groups[0].kill_grace = seconds(7);
  job.labels = {{"team", "x"}};
  ASSERT_TRUE(Submit(job));
  master_.Offer("o1", 4, 1024);
  ASSERT_TRUE(Until([&] { return Launched().size() == 1; }));
  const mesos::v1::TaskInfo task = Launched()[0];
  EXPECT_EQ(task.name(), "j.g.0");
  EXPECT_EQ(task.agent_id().value(), "a1");
  ASSERT_EQ(task.resources_size(), 2);
  EXPECT_EQ(task.resources(0).scalar().value(), 0.5);
  EXPECT_EQ(task.resources(1).scalar().value(), 64);
  EXPECT_EQ(task.resources(0).allocation_info().role(), "*");
  EXPECT_EQ(task.executor().executor_id().value(), task.task_id().value());
  EXPECT_EQ(task.executor().command().value(), "/bin/kiln-executor");
  EXPECT_FALSE(task.executor().command().shell());
  EXPECT_EQ(task.executor().resources_size(), 0);
  EXPECT_EQ(task.kill_policy().grace_period().nanoseconds(), 7'000'000'000);
  EXPECT_EQ(task.max_completion_time().nanoseconds(), 60'000'000'000);
  EXPECT_EQ(task.labels().labels(2).key(), "team");
  v1::Work work;
  ASSERT_TRUE(work.ParseFromString(task.data()));
  EXPECT_EQ(work.api_url(), "http://api:1");
  EXPECT_EQ(work.count(), 1);
  EXPECT_EQ(work.command().value(), "true");
}

// Agents end an executor that does not register within a minute of its start.
TEST_F(SchedulerTest, FilesOfACommandAreNotFetchedBeforeItsExecutorHasRegistered) {
  OpenSubscribed();
  Job job = Command("j");
  job.groups[0].work = CommandWork{.shell = "true", .uris = {{.value = "http://files/large"}}};
  ASSERT_TRUE(Submit(job));
  master_.Offer("o1", 4, 1024);
  ASSERT_TRUE(Until([&] { return Launched().size() == 1; }));
  const mesos::v1::TaskInfo task = Launched()[0];
  EXPECT_EQ(wire::ToJson(task.executor().command()),
            R"({"value":"/bin/kiln-executor","shell":false,"arguments":["/bin/kiln-executor"]})");
  v1::Work work;
  ASSERT_TRUE(work.ParseFromString(task.data()));
  ASSERT_EQ(work.command().uris_size(), 1);
  EXPECT_EQ(work.command().uris(0).value(), "http://files/large");
}

TEST_F(SchedulerTest, KernelTasksOfOneExecutorCarryEqualInfos) {
  OpenSubscribed();
  Job job = Command("j", 3);
  job.groups[0].work = SearchWork{.query = {1}};
  ASSERT_TRUE(Submit(job));
  master_.Offer("o1", 1.1, 1024);
  ASSERT_TRUE(Until([&] { return Launched().size() == 2; }));
  master_.Offer("o2", 1, 1024);
  ASSERT_TRUE(Until([&] { return Launched().size() == 3; }));
  const auto tasks = Launched();
  ASSERT_EQ(tasks[0].executor().resources_size(), 2);
  EXPECT_EQ(tasks[0].executor().resources(0).scalar().value(), 0.1);
  EXPECT_EQ(tasks[0].executor().resources(1).scalar().value(), 64);
  for (const auto& task : tasks) {
    EXPECT_EQ(task.executor().SerializeAsString(), tasks[0].executor().SerializeAsString());
  }
}

TEST_F(SchedulerTest, TheExecutorOfMembersThatShareAGpuHoldsIt) {
  OpenSubscribed();
  Job job = Command("j", 3);
  job.groups[0].gpus.share = 0.4;
  ASSERT_TRUE(Submit(job));
  master_.Offer("o1", 0.6, 1024, "GPU-0");  // one member and the executor
  ASSERT_TRUE(Until([&] { return Launched().size() == 1; }));
  master_.Offer("o2", 4, 1024);  // the device is taken, but part of it is free
  ASSERT_TRUE(Until([&] { return Launched().size() == 2; }));
  const auto tasks = Launched();
  const auto& executor = tasks[0].executor();
  ASSERT_EQ(executor.resources_size(), 3);
  EXPECT_THAT(executor.resources(2).set().item(), ElementsAre("GPU-0"));
  EXPECT_EQ(tasks[1].executor().SerializeAsString(), executor.SerializeAsString());
  for (const auto& task : tasks) {
    EXPECT_EQ(task.resources_size(), 2);
    v1::Work work;
    ASSERT_TRUE(work.ParseFromString(task.data()));
    EXPECT_EQ(work.gpu(), "GPU-0");
    EXPECT_EQ(work.gpu_milli(), 400);
  }
}

TEST_F(SchedulerTest, WhatCannotBeWrittenHasNotHappened) {
  OpenSubscribed();
  master_.Offer("o1", 4, 1024);
  full_ = true;
  const Status refused = Submit(Command("j"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_FALSE(scheduler_->state().jobs.contains("j"));
  EXPECT_THAT(Launched(), IsEmpty());
  full_ = false;
  ASSERT_TRUE(Submit(Command("j")));
  ASSERT_TRUE(Until([&] { return master_.subscriptions.size() == 2; }));
  master_.Offer("o2", 4, 1024);
  EXPECT_TRUE(Until([&] { return Launched().size() == 1; }));
  EXPECT_EQ(fatal_, "");
}

TEST_F(SchedulerTest, AnotherWriterEndsThisOne) {
  OpenSubscribed();
  const Revision revision = store_->Load()->revision;
  ASSERT_TRUE(store_->Commit(revision, {}));
  const Status refused = Submit(Command("j"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(fatal_, testing::HasSubstr("somebody else wrote"));
}

TEST_F(SchedulerTest, AFrameworkThatAnotherTookIsSubscribedAgainByTheOwnerOfTheStateAlone) {
  OpenSubscribed();
  master_.refusal = "Framework failed over";
  master_.CloseStream();
  ASSERT_TRUE(Until([&] { return master_.subscriptions.size() == 3; }));
  ASSERT_TRUE(store_->Commit(store_->Load()->revision, {}));
  master_.refusal = "Framework failed over";
  master_.CloseStream();
  ASSERT_TRUE(Until([&] { return !fatal_.empty(); }));
  EXPECT_THAT(fatal_, testing::HasSubstr("somebody else wrote"));
  EXPECT_EQ(master_.subscriptions.size(), 4U);
}

TEST_F(SchedulerTest, ARemovedFrameworkBeginsAnew) {
  OpenSubscribed();
  ASSERT_TRUE(Submit(Command("j")));
  master_.Offer("o1", 4, 1024);
  ASSERT_TRUE(Until([&] { return Launched().size() == 1; }));
  master_.refusal = "Framework has been removed";
  master_.CloseStream();
  ASSERT_TRUE(Until([&] { return master_.subscriptions.size() == 3; }));
  EXPECT_EQ(master_.subscriptions[1].framework_info().id().value(), "f-1");
  EXPECT_FALSE(master_.subscriptions[2].framework_info().has_id());
  ASSERT_TRUE(Until([&] { return Remembered().framework_id == "f-3"; }));
  master_.Offer("o2", 4, 1024);
  EXPECT_TRUE(Until([&] { return Launched().size() == 2; }));
}

TEST_F(SchedulerTest, ARefusalOfTheMasterIsTheReasonOfAllThatWaits) {
  const std::string refusal = "Not authorized to use roles '*'";
  master_.refusal = refusal;
  Open();
  ASSERT_TRUE(Submit(Command("j")));
  ASSERT_TRUE(Until([&] {
    const auto why = scheduler_->Why("j");
    return !why.empty() && why[0].reason.find(refusal) != std::string::npos;
  }));
  EXPECT_THAT(scheduler_->GetHealth().problem, testing::HasSubstr(refusal));
}

TEST_F(SchedulerTest, ALaterLifeKeepsTheFrameworkAndAsksForItsTasks) {
  OpenSubscribed();
  ASSERT_TRUE(Submit(Command("j")));
  master_.Offer("o1", 4, 1024);
  ASSERT_TRUE(Until([&] { return Launched().size() == 1; }));
  const std::string task = Launched()[0].task_id().value();
  scheduler_->Stop();
  scheduler_.reset();
  master_.calls.clear();
  Open();
  ASSERT_TRUE(Until([&] { return master_.CallsOf(Call::RECONCILE).size() == 2; }));
  EXPECT_EQ(master_.subscriptions[1].framework_info().id().value(), "f-1");
  EXPECT_EQ(master_.CallsOf(Call::RECONCILE)[0].reconcile().tasks(0).task_id().value(), task);
  EXPECT_FALSE(scheduler_->GetHealth().recovered);
  master_.Update(task, mesos::v1::TASK_RUNNING, "");
  EXPECT_TRUE(Until([&] { return scheduler_->GetHealth().recovered; }));
}

TEST_F(SchedulerTest, ReasonsSurviveTheOffersTheyWereJudgedBy) {
  OpenSubscribed();
  Job large = Command("large");
  large.groups[0].cpus_milli = 64'000;
  ASSERT_TRUE(Submit(large));
  master_.Offer("o1", 4, 1024);
  ASSERT_TRUE(Until([&] { return !master_.CallsOf(Call::DECLINE).empty(); }));
  const double refused = master_.CallsOf(Call::DECLINE)[0].decline().filters().refuse_seconds();
  EXPECT_GE(refused, 120);
  EXPECT_THAT(scheduler_->Why("large"),
              ElementsAre(Refusal{"large",
                                  "g",
                                  1,
                                  Blocker::kCpus,
                                  "needs 64 cpus: 1 agent offered, the most free is 4 on host1",
                                  "host1 lacks 60 cpus",
                                  "",
                                  {std::nullopt,
                                   "none: it is more than the agents that have offered have, even "
                                   "without what runs there"}}));
  EXPECT_THAT(scheduler_->Why("other"), IsEmpty());
  const Plan plan = DryRun(Command("dry", 9));
  EXPECT_THAT(plan.launches, SizeIs(8));
  EXPECT_THAT(plan.refusals, SizeIs(1));
}

TEST_F(SchedulerTest, AReviveNamesTheRolesOfTheSubscription) {
  OpenSubscribed();
  Job large = Command("large");
  large.groups[0].cpus_milli = 64'000;
  ASSERT_TRUE(Submit(large));
  master_.Offer("o1", 4, 1024);
  ASSERT_TRUE(Until([&] { return !master_.CallsOf(Call::DECLINE).empty(); }));
  ASSERT_TRUE(Submit(Command("small")));
  ASSERT_TRUE(Until([&] { return !master_.CallsOf(Call::REVIVE).empty(); }));
  EXPECT_EQ(wire::ToJson(master_.CallsOf(Call::REVIVE)[0]),
            R"({"framework_id":{"value":"f-1"},"type":"REVIVE","revive":{"roles":["*"]}})");
}

// The master may not know yet that the former one is dead, and keep to what that declined.
TEST_F(SchedulerTest, ALaterLifeAsksForAllOffersOnce) {
  OpenSubscribed();
  master_.Offer("o1", 4, 1024);
  ASSERT_TRUE(Until([&] { return scheduler_->Agents().size() == 1; }));
  EXPECT_EQ(scheduler_->AgentCount(), 1U);
  EXPECT_THAT(master_.CallsOf(Call::REVIVE), IsEmpty());
  scheduler_->Stop();
  scheduler_.reset();
  Open();
  ASSERT_TRUE(Until([&] { return !master_.CallsOf(Call::REVIVE).empty(); }));
  master_.Offer("o2", 4, 1024);
  ASSERT_TRUE(Until([&] { return scheduler_->Agents().size() == 1; }));
  EXPECT_THAT(master_.CallsOf(Call::REVIVE), SizeIs(1));
}

TEST_F(SchedulerTest, AQuarantineKeepsWorkAwayAndOutlivesTheScheduler) {
  OpenSubscribed();
  const auto change = [this](bool set, const std::string& agent) {
    std::optional<Status> answer;
    const auto done = [&](Status status) { answer = std::move(status); };
    if (set) scheduler_->SetQuarantine(agent, {.reason = "new disk"}, done);
    if (!set) scheduler_->Release(agent, {}, done);
    EXPECT_TRUE(Until([&] { return answer.has_value(); }));
    return *answer;
  };
  EXPECT_EQ(change(true, "host1"), Fail(ErrorCode::kNotFound, "agent host1 is not known"));
  master_.Offer("o1", 4, 1024);
  ASSERT_TRUE(Until([&] { return scheduler_->Agents().size() == 1; }));
  ASSERT_TRUE(change(true, "host1"));
  ASSERT_TRUE(Submit(Command("j")));
  const std::string reason =
      "agent host1 is quarantined until it is released, as an operator wants it: new disk";
  EXPECT_TRUE(Until([&] { return !scheduler_->Why("j").empty(); }));
  EXPECT_THAT(scheduler_->Why("j"),
              ElementsAre(Refusal{"j", "g", 1, Blocker::kQuarantine, reason, "", "", kNoEstimate}));
  EXPECT_THAT(
      DryRun(Command("dry")).refusals,
      ElementsAre(Refusal{"dry", "g", 1, Blocker::kQuarantine, reason, "", "", kNoEstimate}));
  const auto events = scheduler_->EventsAfter(0);
  const bool told = std::any_of(events.begin(), events.end(), [&](const Event& event) {
    return event.type == "agent" && event.name == "a1" && event.state == "QUARANTINED" &&
           event.message == reason;
  });
  EXPECT_TRUE(told);

  scheduler_->Stop();
  scheduler_.reset();
  Open();
  ASSERT_TRUE(Until([&] { return scheduler_->GetHealth().recovered; }));
  master_.Offer("o2", 4, 1024);
  EXPECT_TRUE(Until([&] { return !master_.CallsOf(Call::DECLINE).empty(); }));
  EXPECT_THAT(Launched(), IsEmpty());
  ASSERT_TRUE(change(false, "a1"));
  EXPECT_TRUE(Remembered().suspicions.empty());
  master_.Offer("o3", 4, 1024);
  EXPECT_TRUE(Until([&] { return Launched().size() == 1; }));
  EXPECT_EQ(change(false, "a1"), Fail(ErrorCode::kFailedPrecondition,
                                      "agent a1 is healthy: expected one in quarantine"));
}

TEST_F(SchedulerTest, WhatAnOfferHasIsNotCountedAgainForTheTaskThatGaveItBack) {
  OpenSubscribed();
  ASSERT_TRUE(Submit(Command("j")));
  master_.Offer("o1", 4, 1024);
  ASSERT_TRUE(Until([&] { return Launched().size() == 1; }));
  master_.Update(Launched()[0].task_id().value(), mesos::v1::TASK_FINISHED, "u");
  master_.Offer("o2", 4, 1024);
  ASSERT_TRUE(Until([&] { return scheduler_->GetCounters().offers_received == 2; }));
  loop_.RunFor(milliseconds(20));
  ASSERT_THAT(scheduler_->Agents(), SizeIs(1));
  EXPECT_EQ(scheduler_->Agents()[0].offered.cpus_milli, 4000);
}

TEST_F(SchedulerTest, EventsOfALifeAreNumberedAboveThoseOfTheLast) {
  uint64_t last = 0;
  for (const char* name : {"first", "second"}) {
    OpenSubscribed();
    ASSERT_TRUE(Submit(Command(name)));
    const std::vector<Event> events = scheduler_->EventsAfter(last);
    ASSERT_THAT(events, SizeIs(1));
    EXPECT_EQ(events[0].name, name);
    last = events[0].sequence;
    scheduler_->Stop();
    scheduler_.reset();
  }
}

TEST_F(SchedulerTest, ATeardownEndsJobsAndTheFramework) {
  OpenSubscribed();
  ASSERT_TRUE(Submit(Command("j")));
  std::optional<Status> answer;
  scheduler_->Teardown([&](Status status) { answer = std::move(status); });
  ASSERT_TRUE(Until([&] { return answer.has_value(); }));
  EXPECT_TRUE(*answer);
  EXPECT_TRUE(Until([&] { return !master_.CallsOf(Call::TEARDOWN).empty(); }));
  EXPECT_EQ(Remembered().framework_id, "");
  EXPECT_EQ(Remembered().jobs.at("j").phase, JobPhase::kKilled);
  EXPECT_FALSE(Until([&] { return master_.subscriptions.size() > 1; }, milliseconds(2500)))
      << "no other framework follows";
}

}  // namespace
}  // namespace kiln::scheduler

#include "tests/simulation/scheduler_host.h"

#include <utility>

#include "tests/simulation/master_host.h"

namespace kiln::simulation {

using scheduler::Change;
using scheduler::Revision;

// What one life of the scheduler has of the disk: nothing, once it is dead.
class SchedulerHost::DiskStore final : public scheduler::Store {
 public:
  explicit DiskStore(SchedulerHost& host) : host_(host), life_(host.life_) {}
  Result<Revision> Read(const scheduler::TakeRecord& take) override {
    return host_.disk_.Read(life_, take);
  }
  Result<Revision> Commit(Revision expected, std::span<const Change> changes) override {
    if (life_ != host_.life_ || !host_.process_->alive()) {
      return Fail(ErrorCode::kUnavailable, "dead");
    }
    return host_.Commit(expected, changes);
  }

 private:
  SchedulerHost& host_;
  const uint64_t life_;
};

SchedulerHost::SchedulerHost(Stage& stage, Checks& checks, Disk& disk, std::string link)
    : stage_(stage), checks_(checks), disk_(disk), link_(std::move(link)) {}
SchedulerHost::~SchedulerHost() = default;

void SchedulerHost::Start() {
  if (scheduler_) return;
  life_ = disk_.NextLife();
  calls_left_ = -1;
  process_ = std::make_unique<Process>(stage_.timeline, skew_);
  checks_.SchedulerStarted(life_);
  Process& process = *process_;
  net::World world(
      process,
      [this, &process](const net::Url& url, net::Connection::Callbacks callbacks) {
        return stage_.network.Connect(process, link_, url, std::move(callbacks),
                                      [this](const net::Request& out) { return GoesOut(out); });
      },
      [this] { return Mix(stage_.scenario.seed, fmt::format("{} {}", link_, ++seeds_)); });
  scheduler::Options options;
  options.masters = {kMasterAuthority};
  options.roles = stage_.scenario.roles;
  options.sharing = stage_.scenario.sharing;
  options.user = "kiln";
  options.executor = "/bin/kiln-executor";
  options.unreachable_wait = stage_.scenario.unreachable_wait;
  options.preemption.min_run = stage_.scenario.min_run;
  auto opened = scheduler::Scheduler::Open(std::move(world), std::move(options),
                                           std::make_unique<DiskStore>(*this));
  if (!opened) {
    stage_.history.Note("scheduler {} does not start: {}", life_, opened.error().message);
    return Die();
  }
  if (!process.alive()) {
    // Died while it started.
    stage_.timeline.After(Duration(0), [late = std::shared_ptr(std::move(*opened))] {});
    return Die();
  }
  scheduler_ = std::move(*opened);
  stage_.history.Note("scheduler {} starts", life_);
  scheduler_->OnFatal([this](const Error& error) {
    stage_.history.Note("scheduler ends: {}", error.message);
    Die();
  });
  scheduler_->SetApiUrl("http://scheduler:1");
  scheduler_->Start();
}

void SchedulerHost::Kill() {
  if (!process_ || !process_->alive()) return;
  stage_.history.Note("scheduler {} is killed", life_);
  Die();
}

// It may be what runs at this moment: its memory goes a step later.
void SchedulerHost::Die() {
  process_->Kill();
  disk_.Died(life_);
  std::shared_ptr<scheduler::Scheduler> memory(std::move(scheduler_));
  std::shared_ptr<Process> process(std::move(process_));
  stage_.timeline.After(Duration(0), [process, memory]() mutable {
    memory.reset();
    process.reset();
  });
  process_ = std::make_unique<Process>(stage_.timeline, skew_);
  process_->Kill();
  if (on_death_) stage_.timeline.After(Duration(0), on_death_);
}

Result<Revision> SchedulerHost::Commit(Revision expected, std::span<const Change> changes) {
  const CommitFate fate = std::exchange(fate_, CommitFate::kDone);
  if (fate == CommitFate::kDiesBefore) {
    stage_.history.Note("scheduler {} dies before a commit", life_);
    Die();
    return Fail(ErrorCode::kUnavailable, "dead");
  }
  if (fate == CommitFate::kRefused) {
    stage_.history.Note("scheduler {} cannot write", life_);
    return Fail(ErrorCode::kResourceExhausted, "the disk is full");
  }
  auto written =
      disk_.Commit(life_, expected, changes, scheduler_ ? &scheduler_->state() : nullptr);
  if (!written) return written;
  if (fate == CommitFate::kDoubted) {
    stage_.history.Note("scheduler {} is told that it could not write", life_);
    return Fail(ErrorCode::kUnavailable, "the disk did not answer");
  }
  if (fate == CommitFate::kDiesAfter) {
    stage_.history.Note("scheduler {} dies after a commit", life_);
    Die();
  }
  if (fate == CommitFate::kDiesBetweenCalls) {
    calls_left_ = static_cast<int>(stage_.random.Below(4));
  }
  return written;
}

bool SchedulerHost::GoesOut(const net::Request& request) {
  if (calls_left_ == 0) {
    stage_.history.Note("scheduler {} dies between its calls", life_);
    Die();
    return false;
  }
  if (calls_left_ > 0) --calls_left_;
  mesos::v1::scheduler::Call call;
  if (!call.ParseFromString(request.body)) {
    stage_.history.Violate("wire", "a call of the scheduler cannot be read");
    return false;
  }
  checks_.CallGoesOut(life_, call, process_->Now());
  return true;
}

void SchedulerHost::Heard(const mesos::v1::scheduler::Event& event) {
  checks_.EventArrives(life_, event, process_->Now());
}

}  // namespace kiln::simulation

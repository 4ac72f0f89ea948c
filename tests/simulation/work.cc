// What the work of tasks does, in place of processes and kernels.
#include "tests/simulation/machine.h"

namespace kiln::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Load* LoadOf(const Scenario& scenario, const std::string& job) {
  for (const Load& load : scenario.loads) {
    if (load.job.name == job) return &load;
  }
  return job == scenario.last.job.name ? &scenario.last : nullptr;
}

// The model that this work publishes at its end, or nothing.
std::string Publishes(const v1::Work& work) {
  if (work.has_merge()) return work.merge().train().model();
  return work.has_train() && work.count() == 1 ? work.train().model() : "";
}

}  // namespace

Duration Machine::StartDelay() {
  return milliseconds(stage_.slow_starts ? 1 + stage_.random.Below(40'000)
                                         : 1 + stage_.random.Below(400));
}

void Machine::StartWork(Container& container, const mesos::v1::TaskInfo& task) {
  const std::string& id = task.task_id().value();
  Running& running = container.works[id];
  running.task = task;
  if (!running.work.ParseFromString(task.data())) {
    return stage_.history.Violate("wire", "an executor cannot read the work of " + id);
  }
  checks_.WorkStarts(index_, task, running.work);
  // A command has its executor alone, unless it shares a device there.
  if (running.work.has_command() && running.work.gpu().empty()) container.link->LeaveWhenDone();
  running.timer =
      container.process->After(StartDelay(), [this, &container, id] { BeginWork(container, id); });
}

bool Machine::Sick(const Running& running, v1::Report& report) const {
  if (!sick_) return false;
  if (!running.work.gpu().empty()) report.add_sick_gpus(running.work.gpu());
  for (const auto& resource : running.task.resources()) {
    for (const auto& gpu : resource.set().item()) {
      if (report.sick_gpus_size() == 0) report.add_sick_gpus(gpu);
    }
  }
  return report.sick_gpus_size() > 0;
}

void Machine::BeginWork(Container& container, const std::string& id) {
  Running& running = container.works.at(id);
  const Load* load = LoadOf(stage_.scenario, running.work.job());
  if (load == nullptr) return stage_.history.Violate("wire", "work of no job: " + id);
  v1::Report report;
  const bool sick = Sick(running, report);
  if (running.work.has_serve()) {
    report.set_endpoint(fmt::format("m{}:{}", index_, running.work.serve().port()));
  }
  // A copy: what is fed may end it.
  container.link->Feed(executor::WorkStarted{id, report.SerializeAsString()});
  const auto still = container.works.find(id);
  if (still == container.works.end() || (!EndsByItself(load->job.kind) && !sick)) return;
  Random random(Mix(stage_.scenario.seed, id));
  const Duration time =
      load->work_min +
      Duration(static_cast<int64_t>(
          random.Unit() * static_cast<double>((load->work_max - load->work_min).count())));
  const bool fails = sick || (!stage_.calm && random.Unit() < load->fails);
  still->second.progress = container.process->After(time / 2, [&container, id] {
    v1::Report half;
    half.set_fraction(0.5);
    half.set_checkpoints(1);
    container.link->Feed(executor::WorkProgress{id, half.SerializeAsString(), std::nullopt});
  });
  still->second.timer =
      container.process->After(sick ? milliseconds(100) : time, [this, &container, id, fails] {
        const v1::Work& work = container.works.at(id).work;
        const std::string model = Publishes(work);
        if (fails || model.empty()) {
          return FinishWork(container, id, {id, !fails, fails ? "it fails" : "", {}});
        }
        scheduler::ModelVersion version{.model = model,
                                        .uri = "artifact:models/" + model,
                                        .job = work.job(),
                                        .job_digest = work.job_digest()};
        callbacks_.publish(std::move(version), [this, id, name = container.key.container_id] {
          const auto found = containers_.find(name);
          if (found != containers_.end()) FinishWork(*found->second, id, {id, true, {}, {}});
        });
      });
}

void Machine::StopWork(Container& container, const std::string& id, bool force) {
  const auto found = container.works.find(id);
  if (found == container.works.end()) return;
  const Duration time = force ? Duration(milliseconds(1)) : milliseconds(stage_.random.Below(6000));
  found->second.timer = container.process->After(time, [this, &container, id] {
    FinishWork(container, id, {id, false, "stopped", {}});
  });
}

void Machine::FinishWork(Container& container, const std::string& id, executor::WorkEnded end) {
  auto node = container.works.extract(id);
  if (node.empty()) return;
  stage_.history.Note("machine {} ends {} {}", index_, id, end.ok ? "well" : end.message);
  checks_.WorkEnds(id);
  container.link->Feed(std::move(end));
}

}  // namespace kiln::simulation

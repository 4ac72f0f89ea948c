#include "scheduler/daemon/scheduler.h"

#include "base/log.h"

namespace kiln::scheduler {
namespace {

constexpr Duration kRestartPause = std::chrono::seconds(2);

OfferSettings BookSettings(const Options& options) {
  OfferSettings settings;
  settings.hold = options.hold;
  return settings;
}

}  // namespace

Scheduler::Scheduler(net::World world, Options options, std::unique_ptr<Store> store,
                     const Policy& policy)
    : world_(std::move(world)),
      options_(std::move(options)),
      ledger_(std::move(store)),
      book_(BookSettings(options_), options_.roles),
      cycle_(policy, book_),
      task_options_{.executor = options_.executor,
                    .executor_uri = options_.executor_uri,
                    .secrets = Secrets(options_.secrets)},
      link_(world_, options_, MesosCallbacks()) {}

Result<std::unique_ptr<Scheduler>> Scheduler::Open(net::World world, Options options,
                                                   std::unique_ptr<Store> store) {
  KILN_TRY(const Policy* policy, FindPolicy(options.policy));
  auto scheduler = std::unique_ptr<Scheduler>(
      new Scheduler(std::move(world), std::move(options), std::move(store), *policy));
  KILN_TRY_OK(scheduler->Load());
  // The incarnation is counted before anything is done in it.
  KILN_TRY_OK(scheduler->ledger_.Write(scheduler->state(), scheduler->lifecycle_->TakeEffects()));
  return scheduler;
}

Settings Scheduler::LifecycleSettings() const {
  Settings settings;
  settings.roles = options_.roles;
  settings.sharing = options_.sharing;
  settings.topology = options_.topology;
  settings.unreachable_wait = options_.unreachable_wait;
  settings.executor_idle = options_.executor_idle;
  settings.quarantine.min = options_.quarantine;
  settings.preemption = options_.preemption;
  return settings;
}

Status Scheduler::Load() {
  KILN_TRY(State state, ledger_.Load());
  cycle_.Restart();
  for (AskedDryRun& asked : dry_runs_) asked.run->Restart();
  book_ = OfferBook(BookSettings(options_), options_.roles);
  if (!state.framework_id.empty()) book_.AskForAll();
  lifecycle_ = std::make_unique<Lifecycle>(std::move(state), LifecycleSettings(), world_.seed());
  events_.BeginLife(lifecycle_->state().incarnation);
  return {};
}

void Scheduler::SetApiUrl(const std::string& url, const std::string& authority) {
  task_options_.api_url = url;
  task_options_.api_authority = authority;
  link_.SetWebUrl(url);
}

void Scheduler::Start() {
  LogInfo("state has {} jobs and {} tasks, framework {}, life {}", state().jobs.size(),
          state().tasks.size(), state().framework_id.empty() ? "new" : state().framework_id,
          state().incarnation);
  link_.Start();
  Wake();
}

void Scheduler::Stop() {
  if (!stopped_) Turn();
  stopped_ = true;
  restart_.Reset();
  timer_.Reset();
  next_part_.Reset();
  link_.Stop();
}

MesosLink::Callbacks Scheduler::MesosCallbacks() {
  return {
      .subscribed = [this](const std::string& id,
                           const std::string& master) { OnSubscribed(id, master); },
      .offer =
          [this](Offer offer, const std::vector<ExecutorId>& executors) {
            OnOffer(std::move(offer), executors);
          },
      .rescinded =
          [this](const OfferId& offer) {
            book_.Rescind(offer);
            Wake();
          },
      .update =
          [this](const StatusUpdate& update) {
            ++counters_.updates;
            lifecycle_->Update(update, world_.Now());
            Wake();
          },
      .operation =
          [this](const OperationUpdate& update) {
            lifecycle_->UpdateOperation(update, world_.Now());
            Wake();
          },
      .agent_lost =
          [this](const AgentId& agent) {
            book_.DropAgent(agent);
            lifecycle_->AgentLost(agent, world_.Now());
            events_.Add({0, world_.Now(), "agent", agent.text, "LOST", ""});
            Wake();
          },
      .executor_lost =
          [this](const ExecutorId& executor, const AgentId& agent) {
            lifecycle_->ExecutorLost(executor, agent, world_.Now());
            Wake();
          },
      .disconnected = [this](const Error& why, bool final,
                             bool removed) { OnDisconnected(why, final, removed); },
      .framework_id = [this] { return state().framework_id; },
      .suppressed = [this]() -> const std::set<std::string>& { return book_.suppressed(); },
  };
}

void Scheduler::OnSubscribed(const std::string& framework_id, const std::string& master) {
  LogInfo("subscribed as framework {} with master {}", framework_id, master);
  connected_ = true;
  problem_.clear();
  master_ = master;
  book_.Clear(world_.Now());
  lifecycle_->Subscribed(framework_id, world_.Now());
  Wake();
}

void Scheduler::OnOffer(Offer offer, const std::vector<ExecutorId>& executors) {
  ++counters_.offers_received;
  lifecycle_->ExecutorsSeen(offer.agent.id, executors, world_.Now());
  lifecycle_->AgentSeen(offer.agent.id);
  cycle_.BookFreed(*lifecycle_);
  book_.Add(std::move(offer));
  Wake();
}

void Scheduler::OnDisconnected(const Error& why, bool final, bool removed) {
  if (connected_ || final) LogWarning("not subscribed: {}", why.message);
  connected_ = false;
  problem_ = why.message;
  book_.Clear(world_.Now());
  lifecycle_->Disconnected();
  if (removed) {
    LogWarning("framework {} is no more: its tasks are lost, and the next one begins",
               state().framework_id);
    lifecycle_->FrameworkRemoved(world_.Now());
  }
  if (final && !stopped_ && !torn_down_) {
    restart_ =
        world_.agenda.After(removed ? Duration(0) : kRestartPause, [this] { Resubscribe(); });
  }
  Wake();
}

// Whoever took the framework over may have taken over the state too: the store knows.
void Scheduler::Resubscribe() {
  Effects owner;
  owner.meta = true;
  if (const Status written = ledger_.Write(state(), owner); !written) {
    return Reload(written.error());
  }
  link_.Start();
}

void Scheduler::Wake() {
  if (turn_posted_ || stopped_) return;
  turn_posted_ = true;
  world_.agenda.Post([this] {
    turn_posted_ = false;
    if (!stopped_) Turn();
  });
}

void Scheduler::Turn() {
  const Instant now = world_.Now();
  ++counters_.cycles;
  auto [effects, calls, evicted] = cycle_.Run(*lifecycle_, connected_, now);
  counters_.launches += effects.starts.size();
  counters_.preemptions += evicted > 0 ? 1 : 0;
  counters_.evictions += evicted;
  if (effects.Durable()) {
    ++counters_.commits;
    if (const Status written = ledger_.Write(state(), effects); !written) {
      return Reload(written.error());
    }
  }
  Act(effects, calls);
  for (const auto& answer : std::exchange(answers_, {})) answer({});
  Announce(std::move(effects.notices), now);
  SetTimer(now);
  counters_.cycle_seconds += ToSeconds(world_.Now() - now);
}

void Scheduler::Act(const Effects& effects, const OfferCalls& calls) {
  if (!connected_) return;
  link_.Remove(effects.removals);
  const std::vector<MesosLink::FailedStart> failed =
      link_.Accept(effects.starts, state(), lifecycle_->settings(), task_options_);
  link_.Send(effects);
  link_.Answer(calls);
  for (const DeclineCall& decline : calls.declines) {
    counters_.offers_declined += decline.offers.size();
  }
  for (const auto& [task, why] : failed) {
    // With other offers it may be launched; a secret that is gone is the job's own failure.
    const bool own = why.code == ErrorCode::kFailedPrecondition;
    lifecycle_->Update({.task = task,
                        .agent = state().tasks.at(task).agent,
                        .state = own ? TaskState::kFailed : TaskState::kDropped,
                        .message = own ? why.message : "could not be launched with these offers"},
                       world_.Now());
    Wake();
  }
}

void Scheduler::Announce(std::vector<Notice> notices, Instant now) {
  for (Notice& notice : notices) {
    events_.Add({0, now, std::move(notice.type), std::move(notice.name), std::move(notice.state),
                 std::move(notice.message)});
  }
}

// Nothing that could not be written has happened: what is written is taken up again, as after a
// restart.
void Scheduler::Reload(const Error& why) {
  LogError("{}", why.message);
  // To users a conflict is one of their jobs with another.
  const bool deposed = why.code == ErrorCode::kConflict;
  const Error told =
      deposed ? Error{ErrorCode::kUnavailable, "this scheduler leads no more: " + why.message, {}}
              : why;
  for (const auto& answer : std::exchange(answers_, {})) answer(Failure(told));
  connected_ = false;
  torn_down_ = false;
  link_.Stop();
  book_.Clear(world_.Now());
  const Status loaded = deposed ? Status(Failure(why)) : Load();
  if (!loaded) {
    stopped_ = true;
    if (fatal_) fatal_(loaded.error());
    return;
  }
  link_.KeepExecutors([](const ExecutorId&) { return false; });
  restart_ = world_.agenda.After(kRestartPause, [this] { link_.Start(); });
  SetTimer(world_.Now());
}

void Scheduler::SetTimer(Instant now) {
  std::optional<Instant> next = lifecycle_->NextTick(now);
  const auto earlier = [&next](std::optional<Instant> other) {
    if (other && (!next || *other < *next)) next = other;
  };
  if (connected_) earlier(book_.Next(now));
  earlier(cycle_.Next(now));
  timer_.Reset();
  if (next) timer_ = world_.agenda.After(std::max(*next - now, Duration(0)), [this] { Wake(); });
}

}  // namespace kiln::scheduler

#include "scheduler/daemon/standby.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/log.h"
#include "scheduler/daemon/ledger.h"
#include "scheduler/daemon/state_views.h"
#include "scheduler/lifecycle/runs.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

constexpr Duration kPause = std::chrono::milliseconds(250);

// Of what every scheduler has.
constexpr std::array<std::string_view, 5> kOfAnybody = {"/", "/v1/openapi.json", "/v1/schema/job",
                                                        "/v1/artifacts", "/v1/artifacts/{path...}"};
// Of what is remembered.
constexpr std::array<std::string_view, 11> kRemembered = {"/v1/jobs",
                                                          "/v1/jobs/{name}",
                                                          "/v1/jobs/{name}/tasks",
                                                          "/v1/models",
                                                          "/v1/models/{name}",
                                                          "/v1/models/{name}/versions",
                                                          "/v1/models/{name}/versions/{version}",
                                                          "/v1/endpoints",
                                                          "/v1/endpoints/{job}",
                                                          "/v1/state/frameworkId",
                                                          "/v1/metrics/prometheus"};
// Of what the leader knows better.
constexpr std::array<std::string_view, 2> kInPart = {"/v1/jobs/{name}/why", "/v1/agents"};

bool Stands(const Route& route, const auto& patterns) {
  return std::string_view(route.method) == "GET" &&
         std::find(patterns.begin(), patterns.end(), route.pattern) != patterns.end();
}

}  // namespace

// What a pool thread reads.
struct Standby::Reading {
  std::shared_ptr<StoreFollower> follower;
  Instant began;
  Result<News> news;
  State whole;     // when all of it was read anew
  Status decoded;  // of that
};

Standby::Standby(net::Loop& loop, std::unique_ptr<StoreFollower> follower, Levels topology,
                 std::function<Result<std::string>()> leader)
    : loop_(loop),
      follower_(std::move(follower)),
      topology_(std::move(topology)),
      leader_(std::move(leader)),
      problem_("the state is not read yet") {
  Read();
}

// Who leads next does not wait until a large state is given back.
Standby::~Standby() {
  *alive_ = false;
  loop_.Offload([state = std::make_shared<State>(std::move(state_))] {}, [] {});
}

void Standby::Read() {
  const auto reading =
      std::make_shared<Reading>(Reading{follower_, loop_.Now(), News{}, State{}, {}});
  loop_.Offload(
      [reading, restart = std::exchange(restart_, false)] {
        if (restart) reading->follower->Restart();
        reading->news = reading->follower->Next();
        if (!reading->news || !reading->news->whole) return;
        for (const Change& change : reading->news->changes) {
          reading->decoded = Apply(change, reading->whole);
          if (!reading->decoded) return;
        }
      },
      [this, alive = alive_, reading] {
        if (!*alive) return;
        Take(*reading);
        timer_ = loop_.After(kPause, [this] { Read(); });
      });
}

void Standby::Take(Reading& reading) {
  Status taken = reading.news ? reading.decoded : Status(Failure(reading.news.error()));
  if (taken && reading.news->whole) {
    state_ = std::move(reading.whole);
  } else if (taken) {
    for (const Change& change : reading.news->changes) {
      if (taken) taken = Apply(change, state_);
    }
  }
  const std::string problem = taken ? "" : taken.error().message;
  if (!taken && problem != problem_) LogWarning("{}", problem);
  problem_ = problem;
  restart_ = !taken && reading.news;
  if (taken) as_of_ = reading.began;
}

int64_t Standby::Age() const {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::max(loop_.Now() - as_of_.value_or(loop_.Now()), Duration(0)))
      .count();
}

std::optional<net::Response> Standby::Before(const net::Request& head, const Route* route) const {
  if (head.Path() == "/v1/health") return AnswerHealth();
  if (route == nullptr || Stands(*route, kOfAnybody)) return std::nullopt;
  if (as_of_ && Stands(*route, kRemembered)) return std::nullopt;
  const auto leader = leader_();
  if (leader) return Redirect(*leader, head);
  if (as_of_ && Stands(*route, kInPart)) return std::nullopt;
  return net::ErrorResponse(Refused().error());
}

void Standby::After(const net::Request& request, net::Response& response) const {
  const auto leader = leader_();
  if (response.status == 404 && leader) {
    response = Redirect(*leader, request);
  } else if (as_of_) {
    response.headers.Set("Age", std::to_string(Age()));
  }
}

net::Response Standby::Redirect(const std::string& leader, const net::Request& request) const {
  net::Response response = net::ErrorResponse(Refused().error());
  response.status = 307;
  response.headers.Set("Location", leader + request.target);
  return response;
}

// Alive, and not the one to send requests to.
net::Response Standby::AnswerHealth() const {
  const auto leader = leader_();
  wire::Json health = {{"status", "standing by"},
                       {"connected", false},
                       {"recovered", false},
                       {"leader", leader ? *leader : ""},
                       {"problem", leader ? problem_ : leader.error().message}};
  if (as_of_) health["age"] = Age();
  return {202, {{"Content-Type", "application/json"}}, wire::DumpJson(health) + "\n"};
}

Status Standby::Refused() const {
  const auto leader = leader_();
  if (!leader) {
    return Fail(ErrorCode::kUnavailable, "no scheduler leads: {}", leader.error().message);
  }
  return Fail(ErrorCode::kUnavailable, "this scheduler stands by: expected a call to {}", *leader);
}

Health Standby::GetHealth() const {
  return {.framework_id = state_.framework_id, .problem = Refused().error().message};
}

std::vector<AgentView> Standby::Agents() const { return AgentViews({}, state_, topology_); }

std::vector<Refusal> Standby::Why(const std::string& name) {
  std::vector<Refusal> refusals;
  for (const auto& [job, record] : state_.jobs) {
    if ((!name.empty() && job != name) || IsEnded(record.phase)) continue;
    std::vector<const Task*> tasks;
    for (const auto& [id, task] : state_.tasks) {
      if (task.member.job == job) tasks.push_back(&task);
    }
    const JobRun run = Derive(record.job, tasks);
    for (size_t i = 0; i < run.groups.size(); ++i) {
      const auto waiting = run.groups[i].ready.size() + run.groups[i].resting.size();
      if (waiting == 0) continue;
      refusals.push_back({job, record.job.groups[i].name, static_cast<int>(waiting),
                          Blocker::kNotConnected,
                          "is not known here, as of " + std::to_string(Age()) +
                              "s ago: " + Refused().error().message});
    }
  }
  return refusals;
}

}  // namespace kiln::scheduler

// A scheduler that stands by: it reads along what the leader writes, and answers with that.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/api/backend.h"
#include "scheduler/api/router.h"
#include "scheduler/placement/levels.h"
#include "scheduler/store/follower.h"
#include "wire/net/loop.h"

namespace kiln::scheduler {

// Reads of what is remembered are answered here, with the header Age. Writes, and reads of what
// only the leader knows, go to the leader; so does who asks for what is not known here, as it may
// have come this moment. While no leader is known, all reads that can be are answered here.
//
// Threads: the loop's; the state is read on a pool thread. Owner: main; the loop outlives it.
class Standby final : public Backend {
 public:
  // `leader` gives the URL of who leads, or why nobody is known to.
  Standby(net::Loop& loop, std::unique_ptr<StoreFollower> follower, Levels topology,
          std::function<Result<std::string>()> leader);
  ~Standby() override;

  // As ApiOptions has them.
  std::optional<net::Response> Before(const net::Request& head, const Route* route) const;
  void After(const net::Request& request, net::Response& response) const;

  const State& state() const override { return state_; }
  std::vector<AgentView> Agents() const override;
  size_t AgentCount() const override { return Agents().size(); }
  TaskCounts TasksByState() const override { return CountStates(state_); }
  std::vector<RoleShare> Roles() const override { return {}; }
  Health GetHealth() const override;
  Counters GetCounters() const override { return {}; }
  std::vector<Refusal> Why(const std::string& job) override;
  void DryRun(Job, std::function<void(const DryPlan&)> done) override { done({}); }
  void Submit(Job, uint64_t, Done done) override { done(Refused()); }
  Status CheckSubmit(const Job&, uint64_t) const override { return Refused(); }
  void Kill(const std::string&, Done done) override { done(Refused()); }
  void KillTask(const TaskId&, Done done) override { done(Refused()); }
  void Register(ModelVersion, std::function<void(Result<int64_t>)> done) override {
    done(Failure(Refused().error()));
  }
  void SetLabel(const std::string&, const std::string&, std::optional<int64_t>,
                Done done) override {
    done(Refused());
  }
  void SetQuarantine(const std::string&, const QuarantineRequest&, Done done) override {
    done(Refused());
  }
  void Release(const std::string&, const GpuId&, Done done) override { done(Refused()); }
  void Teardown(Done done) override { done(Refused()); }
  std::vector<Event> EventsAfter(uint64_t) const override { return {}; }
  std::shared_ptr<void> Subscribe(std::function<void(const Event&)>) override { return {}; }
  Result<Sandbox> FindSandbox(const TaskId&) const override { return Failure(Refused().error()); }

 private:
  struct Reading;

  void Read();
  void Take(Reading& reading);
  Status Refused() const;
  net::Response Redirect(const std::string& leader, const net::Request& request) const;
  net::Response AnswerHealth() const;
  int64_t Age() const;  // seconds since the state was surely as it is known

  net::Loop& loop_;
  const std::shared_ptr<StoreFollower> follower_;
  const Levels topology_;
  const std::function<Result<std::string>()> leader_;
  State state_;
  std::optional<Instant> as_of_;  // none: nothing is known yet
  bool restart_ = false;          // what was read could not be understood
  std::string problem_;           // why nothing newer is known
  net::Handle timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kiln::scheduler

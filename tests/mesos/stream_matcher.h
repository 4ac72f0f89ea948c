// Matches the records of one stream with the recorded events, with the freedom of order, number and
// time that the recordings' README gives. Pure: times are arguments.
//
// Records are kept in classes: updates of one task, offers, rescinds, ... Order holds within a
// class, not between them. A record that comes ahead of its step waits for it.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/mesos/matcher.h"

namespace kiln::replay {

// What came, and when.
struct Record {
  Json json;
  std::string end;  // as in Event; then there is no json
  double at_ms = 0;
};

// What is to come, and between which moments.
struct ExpectedEvent {
  Json json;
  std::string end;
  double earliest_ms = 0;
  double latest_ms = 0;
};

class StreamMatcher {
 public:
  void Receive(Record record);

  // The events of the next step of this stream.
  void Expect(const std::vector<ExpectedEvent>& events);

  // From now on an update that came before may come again.
  void AgentRestarted() { agent_restarted_ = true; }

  // Matches what has come so far; tells the first thing that cannot fit.
  std::optional<Difference> Advance(Bindings& bindings);

  bool Done() const { return expected_.empty(); }
  // The moment at which the last of the expected events is late.
  double Deadline() const;
  // What is still expected, and what came instead, if anything.
  Difference Missing() const;

  // Records that no expected event has taken, without heartbeats, which may always come.
  std::vector<Record> Unmatched() const;

 private:
  struct Pending {
    Record record;
    std::string kind;
    std::optional<Difference> difference;  // why no expected event of its class took it
  };
  struct Wanted {
    ExpectedEvent event;
    std::string kind;
  };

  std::optional<Difference> Try(Pending& pending, Bindings& bindings, bool& taken);
  std::optional<Difference> TakeIfAlike(const Wanted& wanted, const Record& record,
                                        Bindings& bindings);
  bool TakeParts(Bindings& bindings);
  bool TakeWhole(Bindings& bindings);
  std::optional<Difference> CheckHeartbeat(const Record& record);
  bool CameBefore(const Record& record) const;
  bool MayBeMissing(const Json& event);

  std::list<Wanted> expected_;
  std::list<Pending> pending_;
  std::set<std::string> updates_expected_;
  std::set<std::string> updates_taken_;
  std::set<std::string> containers_;  // whose first update has come
  std::optional<double> last_heartbeat_ms_;
  bool agent_restarted_ = false;
};

// The class of a record: "UPDATE t1", "OFFERS", "end", ...
std::string KindOf(const Json& json, const std::string& end);

}  // namespace kiln::replay

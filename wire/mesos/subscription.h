// What the scheduler's and the executor's client have in common, without any I/O: two connections
// to one HTTP endpoint, one that streams a subscription's events and one for all other calls.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "proto/mesos/v1/executor.pb.h"
#include "proto/mesos/v1/scheduler.pb.h"
#include "wire/mesos/client.h"
#include "wire/mesos/json.h"
#include "wire/mesos/recordio.h"
#include "wire/net/http.h"

namespace kiln::wire {

// What to do, in this order.
struct Connect {     // open both connections
  std::string base;  // "host:port", or a URL with what stands before the paths there
  std::string name;  // whom its certificate may be for, beside an address; may be empty
};
struct SendSubscribe {  // on the streaming connection
  net::Request request;
};
struct SendCall {  // on the other one
  uint64_t call = 0;
  net::Request request;
};
struct SetTimer {  // the only timer: replaces the one before; nothing: none runs
  std::optional<Duration> delay;
};
struct CloseBoth {};  // and the timer
struct Deliver {
  std::variant<mesos::v1::scheduler::Event, mesos::v1::executor::Event> event;
};
using Action = std::variant<Connect, SendSubscribe, SendCall, SetTimer, CloseBoth, Deliver,
                            CallAnswer, Disconnected>;
using Actions = std::vector<Action>;

struct SubscriptionOptions {
  std::string path;
  Encoding encoding = Encoding::kProtobuf;
  std::string authorization;                    // value of the header; empty: none
  Duration silence = std::chrono::seconds(75);  // before the subscription is answered
  size_t record_limit = size_t{256} << 20;
};

// The state of one client: events in, actions out. No clock, socket or thread; not for several
// threads at once.
class Subscription {
 public:
  Subscription(SubscriptionOptions options, uint64_t seed);
  virtual ~Subscription() = default;
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  Actions Start();
  Actions Stop();

  Actions OnConnected(Instant now);  // both connections are open
  Actions OnHead(int status, const net::Headers& headers, Instant now);
  Actions OnBytes(std::string_view bytes, Instant now);  // of the answer's body, unchunked
  Actions OnStreamEnd(Instant now);                      // the orderly end of the answer
  Actions OnClosed(const Error& why, Instant now);       // of either connection
  Actions OnAnswer(uint64_t call, const Result<net::Response>& answer, Instant now);
  Actions OnTimer(Instant now);

 protected:
  enum class Phase {
    kIdle,     // not started, or ended for good
    kWaiting,  // for the timer, before another try
    kConnecting,
    kOpening,  // subscribe is sent, no answer yet
    kOpen,     // the stream runs
    kRefused,  // another status than 200: its text is coming
  };
  enum class Next { kGoOn, kEnd };

  virtual void OnStart() = 0;
  // The base to try now; nothing: there is none, wait to be told.
  virtual std::optional<std::string> Target() = 0;
  virtual std::string TargetName() const = 0;
  // Pause before the next try.
  virtual Duration Pause() = 0;
  virtual std::string SubscribeBody() = 0;
  virtual Status CheckHead(const net::Headers& headers) = 0;
  // Parses a record and appends its Deliver. kEnd: the other side refuses this subscription.
  virtual Result<Next> Take(std::string_view record, Actions& actions) = 0;
  // Longest silence on a running stream.
  virtual std::optional<Duration> Silence() const = 0;
  // Whether another try may follow a subscription that was refused with this status.
  virtual bool Retry(int status, const net::Headers& headers) = 0;
  // Whether a call that was answered so shows that this is not the endpoint to talk to.
  virtual bool Misplaced(int status, const net::Headers& headers) = 0;
  // Told of every loss; an error ends it for good.
  virtual Status OnLost(Instant now) = 0;

  // Forgets the subscription and tries again, or not.
  void Lose(Error why, Instant now, Actions& actions);
  void End(Error why, Actions& actions);
  void WaitForNextTry(Actions& actions);
  net::Request Post(std::string body) const;
  Result<uint64_t> SendOn(net::Request request, Actions& actions);

  bool InUse() const { return phase_ != Phase::kIdle && phase_ != Phase::kWaiting; }
  Phase phase() const { return phase_; }
  Encoding encoding() const { return options_.encoding; }
  Random& random() { return random_; }
  const std::string& authorization() const { return options_.authorization; }
  void SetHeader(std::string authorization) { options_.authorization = std::move(authorization); }
  void SetSubscribed(bool subscribed) { subscribed_ = subscribed; }
  bool subscribed() const { return subscribed_; }

 private:
  void Drop(Error why, bool final, Actions& actions);
  void Refused(Instant now, Actions& actions);

  SubscriptionOptions options_;
  Random random_;
  Phase phase_ = Phase::kIdle;
  bool subscribed_ = false;  // the SUBSCRIBED event has come
  RecordDecoder decoder_;
  net::Response refusal_;  // of a subscription that got no stream
  uint64_t last_call_ = 0;
  std::set<uint64_t> open_calls_;
};

}  // namespace kiln::wire

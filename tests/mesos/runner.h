// Plays one recording against a local Mesos and tells the first difference.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "tests/mesos/connection.h"
#include "tests/mesos/local_mesos.h"
#include "tests/mesos/messages.h"
#include "tests/mesos/stream_matcher.h"
#include "tests/mesos/timeline.h"

namespace kiln::replay {

struct RunOptions {
  std::filesystem::path program;  // kiln-local
  double slack_ms = 2000;         // what a busy machine may be late
  bool verbose = false;           // tells every step on standard error
};

class Runner {
 public:
  Runner(const Scenario& scenario, LocalMesos& mesos, Bindings bindings, const RunOptions& options);

  // The error tells step, thing, expected and found.
  Status Run();

 private:
  static constexpr double kPollMs = 20;
  static constexpr double kProcessMs = 200;  // what a command takes to come up
  static constexpr double kAnswerLimitMs = 10'000;
  static constexpr double kStartLimitMs = 15'000;     // a started master or agent answers by then
  static constexpr double kExecutorLimitMs = 15'000;  // an executor process has begun by then

  struct Stream {
    StreamMatcher matcher;
    Api api{};
    std::string content_type;
  };
  enum class Outcome { kPlayed, kAgain, kSkipped };

  Status Play(const Step& step);
  Status PlayExchange(const Step& step, const Exchange& exchange);
  Status PlayStream(const StreamStep& step);
  Status PlayWait(const Wait& wait);
  Status PlayFault(const Fault& fault);
  Status PlayEnvironment(const ExecutorEnvironment& environment);
  Status PlayToken(const Token& token);

  // One attempt at a request; kAgain and kSkipped only while a master or agent starts.
  Result<Outcome> Attempt(const Step& step, const Exchange& exchange, const std::string& bytes);
  Result<Outcome> NotReady(const Step& step, const Exchange& exchange, int status,
                           const std::string& problem);
  bool LaterStepExpects(const Step& step, const Exchange& exchange, int status) const;
  Result<Connection*> Connect(const Request& request);
  Result<RawAnswer> WaitForAnswer(const Exchange& exchange, Connection& connection);
  Result<std::string> Encode(const Step& step, const Request& request);
  Result<std::string> EncodeBody(const Request& request, const Bindings::Inventor& invent);
  Json Invent(const std::string& name, const std::string& label);
  Json InventToken(const std::string& label);
  Status AwaitExecutor(const Exchange& exchange);
  Status AwaitProcesses(const Exchange& exchange);

  // Waits for bytes on any connection and hands records to the streams.
  Status Pump(double wait_ms);
  Status TakeRecords(const std::string& name, Connection& connection);
  Status NothingLeft(double older_than_ms) const;
  // KEY=VALUE lines of env.txt, without the shell's own.
  static std::map<std::string, std::string> EnvironmentIn(const std::filesystem::path& sandbox);

  const Scenario& scenario_;
  LocalMesos& mesos_;
  const RunOptions& options_;
  Bindings bindings_;
  Stopwatch clock_;
  Timeline timeline_;
  Connections connections_;
  std::map<std::string, Stream> streams_;
  std::map<std::string, double> running_since_ms_;  // tasks
  std::map<std::string, double> started_at_ms_;     // masters and agents started by a fault
};

struct Report {
  std::string name;
  bool passed = false;
  std::string difference;
  double seconds = 0;
};

// Reads, starts, plays and cleans up.
Report Replay(const std::filesystem::path& file, const RunOptions& options);

}  // namespace kiln::replay

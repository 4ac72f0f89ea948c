#include "tests/mesos/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "tests/mesos/answer_matcher.h"

namespace kiln::replay {
namespace {

// A record that nothing expects and that is younger than this at the end of a file would have come
// behind the last step.
constexpr double kBehindTheEndMs = 1600;

Failure Differs(const Difference& difference) {
  return Fail(ErrorCode::kFailedPrecondition, "{}", Describe(difference));
}

std::string Unexpected(const Record& record) {
  return record.end.empty()
             ? record.json.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 300)
             : record.end;
}

}  // namespace

Runner::Runner(const Scenario& scenario, LocalMesos& mesos, Bindings bindings,
               const RunOptions& options)
    : scenario_(scenario),
      mesos_(mesos),
      options_(options),
      bindings_(std::move(bindings)),
      timeline_(options.slack_ms) {}

Status Runner::Run() {
  for (const Step& step : scenario_.steps) {
    if (options_.verbose) {
      fmt::print(stderr, "{:9.0f} ms {} {}\n", clock_.Ms(), scenario_.name, Describe(step));
    }
    if (auto played = Play(step); !played) {
      return Failure(Within(Describe(step), std::move(played).error()));
    }
  }
  return NothingLeft(kBehindTheEndMs);
}

Status Runner::Play(const Step& step) {
  struct Visitor {
    Runner& runner;
    const Step& step;
    Status operator()(const Exchange& exchange) { return runner.PlayExchange(step, exchange); }
    Status operator()(const StreamStep& stream) { return runner.PlayStream(stream); }
    Status operator()(const Wait& wait) { return runner.PlayWait(wait); }
    Status operator()(const Fault& fault) { return runner.PlayFault(fault); }
    Status operator()(const ExecutorEnvironment& environment) {
      return runner.PlayEnvironment(environment);
    }
    Status operator()(const Token& token) { return runner.PlayToken(token); }
  };
  return std::visit(Visitor{*this, step}, step.action);
}

Status Runner::PlayStream(const StreamStep& step) {
  const auto stream = streams_.find(step.connection);
  if (stream == streams_.end()) {
    return Fail(ErrorCode::kInvalidArgument, "{} has no stream", step.connection);
  }
  StreamMatcher& matcher = stream->second.matcher;
  std::vector<ExpectedEvent> events;
  for (const Event& event : step.events) {
    events.push_back(timeline_.Place(event));
    const Json status = At(event.json, "/update/status");
    if (At(status, "/state") == "TASK_RUNNING") {
      running_since_ms_.try_emplace(At(status, "/task_id/value").dump(), clock_.Ms());
    }
  }
  matcher.Expect(events);
  while (true) {
    KILN_TRY_OK(Pump(0));
    if (auto difference = matcher.Advance(bindings_)) return Differs(*difference);
    if (matcher.Done()) return {};
    if (clock_.Ms() > matcher.Deadline()) return Differs(matcher.Missing());
    KILN_TRY_OK(Pump(kPollMs));
  }
}

Status Runner::PlayWait(const Wait& wait) {
  const double end = timeline_.EndOfWait(clock_.Ms(), wait.ms);
  while (clock_.Ms() < end) {
    KILN_TRY_OK(Pump(std::min(kPollMs, end - clock_.Ms())));
    for (auto& [name, stream] : streams_) {
      if (auto difference = stream.matcher.Advance(bindings_)) return Differs(*difference);
    }
    KILN_TRY_OK(NothingLeft(0));
  }
  timeline_.StepEnded(clock_.Ms(), 0);
  return {};
}

Status Runner::NothingLeft(double older_than_ms) const {
  for (const auto& [name, stream] : streams_) {
    for (const Record& record : stream.matcher.Unmatched()) {
      if (clock_.Ms() - record.at_ms < older_than_ms) continue;
      if (record.end.empty() && KindOf(record.json, "") == "HEARTBEAT") continue;
      return Fail(ErrorCode::kFailedPrecondition, "stream {}: expected nothing, found {}", name,
                  Unexpected(record));
    }
  }
  return {};
}

Status Runner::PlayFault(const Fault& fault) {
  using Kind = Fault::Kind;
  if (fault.kind == Kind::kCloseConnection) {
    connections_.erase(fault.target);
    streams_.erase(fault.target);
  } else {
    KILN_TRY_OK(mesos_.Inject(fault));
  }
  const bool start = fault.kind == Kind::kStartAgent || fault.kind == Kind::kStartAgentAsNew ||
                     fault.kind == Kind::kStartMaster;
  if (start) started_at_ms_[fault.target] = clock_.Ms();
  if (start && fault.kind != Kind::kStartMaster) {
    for (auto& [name, stream] : streams_) stream.matcher.AgentRestarted();
  }
  timeline_.StepEnded(clock_.Ms(), 0);
  return {};
}

std::map<std::string, std::string> Runner::EnvironmentIn(const std::filesystem::path& sandbox) {
  std::ifstream file(sandbox / "env.txt");
  std::map<std::string, std::string> variables;
  for (std::string line; std::getline(file, line);) {
    const size_t equals = line.find('=');
    if (equals != std::string::npos) variables[line.substr(0, equals)] = line.substr(equals + 1);
  }
  for (const char* name : {"_", "SHLVL", "OLDPWD"}) variables.erase(name);
  return variables;
}

Status Runner::PlayEnvironment(const ExecutorEnvironment& environment) {
  const std::string& id = environment.executor_id;
  const double limit = clock_.Ms() + kExecutorLimitMs;
  while (!mesos_.SandboxWith(id, "env.txt") && clock_.Ms() < limit) KILN_TRY_OK(Pump(kPollMs));
  const auto sandbox = mesos_.SandboxWith(id, "env.txt");
  if (!sandbox) return Fail(ErrorCode::kNotFound, "executor {} has no env.txt", id);
  const Json variables = EnvironmentIn(*sandbox);
  if (auto difference = Match(environment.variables, variables, bindings_)) {
    return Differs(*difference);
  }
  timeline_.StepEnded(clock_.Ms(), 0);
  return {};
}

Status Runner::Pump(double wait_ms) {
  replay::Pump(connections_, clock_, wait_ms);
  for (auto& [name, connection] : connections_) KILN_TRY_OK(TakeRecords(name, *connection));
  return {};
}

Status Runner::TakeRecords(const std::string& name, Connection& connection) {
  AnswerParser& parser = connection.parser;
  if (!parser.error.empty()) {
    return Fail(ErrorCode::kDataLoss, "connection {}: {}", name, parser.error);
  }
  const auto stream = streams_.find(name);
  if (stream == streams_.end()) return {};
  for (; !parser.records.empty(); parser.records.pop_front()) {
    const RawRecord& record = parser.records.front();
    KILN_TRY(Json json,
             DecodeRecord(stream->second.api, stream->second.content_type, record.bytes));
    if (options_.verbose) {
      fmt::print(stderr, "{:9.0f} ms {}   {}: {}\n", record.at_ms, scenario_.name, name,
                 json.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    stream->second.matcher.Receive({std::move(json), "", record.at_ms});
  }
  if (!parser.stream_end.empty()) {
    stream->second.matcher.Receive({Json(), parser.stream_end, parser.stream_end_at_ms});
    parser.stream_end.clear();
  }
  return {};
}

Report Replay(const std::filesystem::path& file, const RunOptions& options) {
  Report report;
  report.name = file.stem().string();
  const Stopwatch clock;
  const auto play = [&]() -> Status {
    KILN_TRY(const Scenario scenario, ReadScenario(file));
    Bindings bindings;
    KILN_TRY(const auto mesos, LocalMesos::Start(options.program, scenario, bindings));
    Status status = Runner(scenario, *mesos, bindings, options).Run();
    if (!status && mesos->Ended()) {
      status.error().message += "; kiln-local ended: " + mesos->Log();
    }
    if (!status && options.verbose) {
      fmt::print(stderr, "{}: log\n{}\n", report.name, mesos->Log());
    }
    return status;
  };
  const Status status = play();
  report.passed = status.has_value();
  if (!status) report.difference = status.error().message;
  report.seconds = clock.Ms() / 1000;
  return report;
}

}  // namespace kiln::replay

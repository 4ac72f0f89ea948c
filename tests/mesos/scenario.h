// A recorded exchange as values: what was sent to a master and its agents, and what came back, step
// by step. The form is that of the recordings' own README.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace kiln::replay {

using Json = nlohmann::json;
// What is at "/update/status"; null if there is nothing.
Json At(const Json& json, const char* pointer);

using HeaderLines = std::vector<std::pair<std::string, std::string>>;

struct Request {
  enum class Body { kNone, kJson, kProtobuf, kText, kBase64, kRaw };

  std::string connection;
  std::string to;  // "master", "agent1", ...
  std::string method;
  std::string path;
  HeaderLines headers;  // without Host and Content-Length
  Body body = Body::kNone;
  Json json;         // kJson, and kProtobuf: the message with placeholders
  std::string text;  // kText, kBase64 and kRaw as they stand in the file
  bool gzip = false;
  bool chunked = false;
};

struct Answer {
  enum class Body { kNone, kJson, kProtobuf, kText, kBase64, kShape, kStream };

  int status = 0;  // 0: no answer comes
  std::string reason;
  std::map<std::string, std::string> headers;
  Body body = Body::kNone;
  Json json;         // kJson, kProtobuf and kShape
  std::string text;  // kText and kBase64
  double after_ms = 0;
};

struct Exchange {
  Request request;
  Answer answer;
};

struct Event {
  Json json;        // null at the end of a stream
  std::string end;  // "last chunk", "connection closed"
  double after_ms = 0;

  bool operator==(const Event&) const = default;
};

// What came on the open stream of a connection since the step before.
struct StreamStep {
  std::string connection;
  std::vector<Event> events;
};

struct Wait {
  double ms = 0;
};

struct Fault {
  enum class Kind {
    kKillAgent,
    kStartAgent,
    kStartAgentAsNew,  // its memory of itself is removed before
    kFreezeAgent,
    kThawAgent,
    kShutAgentDown,
    kKillMaster,
    kStartMaster,
    kCloseConnection,
    kExecutorExits,
  };
  Kind kind;
  std::string target;  // "agent1", the connection, or the executor id
  int code = 0;        // of kExecutorExits
};

struct ExecutorEnvironment {
  std::string agent;
  std::string executor_id;
  Json variables;
};

struct Token {
  Json header;
  Json claims;
};

struct Step {
  int number = 0;  // from 1
  std::string label;
  std::variant<Exchange, StreamStep, Wait, Fault, ExecutorEnvironment, Token> action;
};

struct Agent {
  std::vector<std::string> flags;
  std::string resources;
  std::string attributes;
  bool up_at_start = true;
};

struct Piece {
  bool in = false;  // from the server
  std::string bytes;
};

struct RawConnection {
  std::string connection;
  std::string to;
  std::vector<Piece> pieces;
};

struct Scenario {
  std::string name;
  std::vector<std::string> master_flags;
  std::vector<Agent> agents;
  std::map<std::string, std::string> files;  // "${dir}/name" to content
  std::vector<Step> steps;
  std::vector<RawConnection> raw_connections;
};

// kInvalidArgument names the step that cannot be read.
Result<Scenario> ParseScenario(const std::string& name, const Json& document);
Result<Scenario> ReadScenario(const std::filesystem::path& path);

// How long the recorded exchange took.
double RecordedMs(const Scenario& scenario);

// "step 7 (case name)".
std::string Describe(const Step& step);

}  // namespace kiln::replay

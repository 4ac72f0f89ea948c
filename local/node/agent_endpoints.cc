// The HTTP endpoints of an agent: the executor API, the operator API, and the old endpoints.
#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "local/node/agent_json.h"
#include "local/node/agent_node.h"
#include "local/node/agent_token.h"
#include "local/node/http_call.h"
#include "proto/mesos/v1/executor.pb.h"
#include "wire/net/http.h"
#include "wire/rest/json.h"

namespace kiln::local {
namespace {

namespace fs = std::filesystem;
using mesos::v1::agent::Call;
using mesos::v1::agent::Response;

constexpr const char* kStreamTypes =
    "application/json or application/x-protobuf or application/recordio";

// The path without the name of the process, which may stand before it.
std::string EndpointOf(const net::Request& request) {
  std::string path = request.Path();
  for (const char* process : {"/slave(1)/", "/agent(1)/"}) {
    if (path.starts_with(process)) path = path.substr(std::string_view(process).size() - 1);
  }
  return path;
}

bool Below(const std::string& path, std::string_view endpoint) {
  return path == endpoint || path.starts_with(std::string(endpoint) + "/");
}

std::optional<std::string> MissingPart(const Call& call) {
  switch (call.type()) {
    case Call::LIST_FILES:
      return call.has_list_files() ? std::nullopt : std::optional<std::string>("list_files");
    case Call::READ_FILE:
      return call.has_read_file() ? std::nullopt : std::optional<std::string>("read_file");
    case Call::GET_METRICS:
      return call.has_get_metrics() ? std::nullopt : std::optional<std::string>("get_metrics");
    case Call::SET_LOGGING_LEVEL:
      return call.has_set_logging_level() ? std::nullopt
                                          : std::optional<std::string>("set_logging_level");
    default:
      return std::nullopt;
  }
}

net::Response FileRefusal(const Error& error) {
  return error.code == ErrorCode::kInvalidArgument ? TextAnswer(400, error.message)
                                                   : TextAnswer(404, "");
}

}  // namespace

void AgentNode::Respond(const std::shared_ptr<net::Exchange>& exchange, net::Response response) {
  CompressFor(exchange->request(), response);
  exchange->Respond(std::move(response));
}

void AgentNode::Serve(const std::shared_ptr<net::Exchange>& exchange) {
  const std::string path = EndpointOf(exchange->request());
  if (Below(path, "/api/v1/executor")) return ServeExecutor(exchange);
  if (Below(path, "/api/v1")) return ServeOperator(exchange);
  if (path == "/files/download" || path == "/files/download.json") return ServeDownload(exchange);
  Respond(exchange, ServeEndpoint(exchange->request(), path));
}

void AgentNode::ServeExecutor(const std::shared_ptr<net::Exchange>& exchange) {
  using ExecutorCall = mesos::v1::executor::Call;
  const net::Request& request = exchange->request();
  std::optional<ExecutorClaims> claims;
  if (options_.flags.authenticate_http_executors) {
    auto checked =
        CheckAuthorization(request.headers.Get("Authorization"), *options_.flags.jwt_secret);
    if (!checked) {
      net::Response refusal = TextAnswer(401);
      refusal.headers.Set("WWW-Authenticate", checked.error().message);
      return Respond(exchange, std::move(refusal));
    }
    claims = *checked;
  }
  ExecutorCall call;
  DecodedCall decoded = DecodeCall(request, call);
  if (decoded.refusal) return Respond(exchange, std::move(*decoded.refusal));
  if (auto refusal = Agent::Validate(call)) {
    return Respond(exchange, TextAnswer(refusal->status, refusal->text));
  }
  const auto encoding = AcceptedEncoding(request);
  if (call.type() == ExecutorCall::SUBSCRIBE && !encoding) {
    return Respond(exchange, NotAcceptable());
  }
  if (auto refusal = agent_->Admit(call, claims)) {
    return Respond(exchange, TextAnswer(refusal->status, refusal->text));
  }
  if (call.type() != ExecutorCall::SUBSCRIBE) {
    net::Response accepted;
    accepted.status = 202;
    Respond(exchange, std::move(accepted));
    return agent_->Handle(loop_.Now(), call);
  }
  net::Response head;
  head.headers.Set("Content-Type", wire::MediaType(*encoding));
  exchange->BeginStream(std::move(head));
  const uint64_t stream = next_stream_++;
  streams_[stream] = {exchange, *encoding};
  exchange->OnClose([this, stream, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.lock()) streams_.erase(stream);
  });
  agent_->Subscribe(loop_.Now(), call, stream);
}

void AgentNode::ServeOperator(const std::shared_ptr<net::Exchange>& exchange) {
  const net::Request& request = exchange->request();
  Call call;
  DecodedCall decoded = DecodeCall(request, call, kStreamTypes);
  if (!decoded.refusal && request.headers.Has("Message-Content-Type")) {
    decoded.refusal = TextAnswer(
        415, "Expecting 'Message-Content-Type' to be not set for non-streaming requests");
  }
  if (decoded.refusal) return Respond(exchange, std::move(*decoded.refusal));
  if (!call.has_type()) {
    return Respond(
        exchange,
        TextAnswer(400, "Failed to validate agent::Call: Expecting 'type' to be present"));
  }
  if (const auto missing = MissingPart(call)) {
    return Respond(exchange,
                   TextAnswer(400, fmt::format("Failed to validate agent::Call: Expecting '{}' to "
                                               "be present",
                                               *missing)));
  }
  const auto encoding = AcceptedEncoding(request);
  if (!encoding) return Respond(exchange, NotAcceptable());
  if (request.headers.Has("Message-Accept")) {
    return Respond(exchange, TextAnswer(406,
                                        "Expecting 'Message-Accept' to be not set for "
                                        "non-streaming responses"));
  }
  Response response;
  if (auto refusal = Answer(call, response)) return Respond(exchange, std::move(*refusal));
  Respond(exchange, MessageAnswer(*encoding, response));
}

std::optional<net::Response> AgentNode::Answer(const Call& call, Response& response) {
  const AgentView view{agent_.get(), &options_.flags.texts, AgentFolder(), started_, loop_.Now()};
  switch (call.type()) {
    case Call::GET_HEALTH:
      response.set_type(Response::GET_HEALTH);
      response.mutable_get_health()->set_healthy(true);
      return std::nullopt;
    case Call::GET_FLAGS:
      response.set_type(Response::GET_FLAGS);
      for (const auto& [name, value] : options_.flags.texts) {
        auto* flag = response.mutable_get_flags()->add_flags();
        flag->set_name(name);
        flag->set_value(value);
      }
      return std::nullopt;
    case Call::GET_VERSION:
      response.set_type(Response::GET_VERSION);
      response.mutable_get_version()->mutable_version_info()->set_version("1.12.0");
      return std::nullopt;
    case Call::GET_METRICS:
      response.set_type(Response::GET_METRICS);
      for (const auto& [name, value] : AgentMetrics(view)) {
        auto* metric = response.mutable_get_metrics()->add_metrics();
        metric->set_name(name);
        metric->set_value(value);
      }
      return std::nullopt;
    case Call::GET_LOGGING_LEVEL:
      response.set_type(Response::GET_LOGGING_LEVEL);
      response.mutable_get_logging_level()->set_level(0);
      return std::nullopt;
    case Call::GET_STATE:
      response.set_type(Response::GET_STATE);
      *response.mutable_get_state()->mutable_get_tasks() = agent_->GetTasks();
      *response.mutable_get_state()->mutable_get_executors() = agent_->GetExecutors();
      *response.mutable_get_state()->mutable_get_frameworks() = agent_->GetFrameworks();
      return std::nullopt;
    case Call::GET_CONTAINERS: {
      response.set_type(Response::GET_CONTAINERS);
      auto containers = GetContainers();
      if (containers.containers_size() > 0) *response.mutable_get_containers() = containers;
      return std::nullopt;
    }
    case Call::GET_FRAMEWORKS:
      response.set_type(Response::GET_FRAMEWORKS);
      *response.mutable_get_frameworks() = agent_->GetFrameworks();
      return std::nullopt;
    case Call::GET_EXECUTORS:
      response.set_type(Response::GET_EXECUTORS);
      *response.mutable_get_executors() = agent_->GetExecutors();
      return std::nullopt;
    case Call::GET_TASKS:
      response.set_type(Response::GET_TASKS);
      *response.mutable_get_tasks() = agent_->GetTasks();
      return std::nullopt;
    case Call::GET_AGENT:
      response.set_type(Response::GET_AGENT);
      *response.mutable_get_agent() = agent_->GetAgent();
      return std::nullopt;
    case Call::GET_OPERATIONS:
      response.set_type(Response::GET_OPERATIONS);
      response.mutable_get_operations();
      return std::nullopt;
    case Call::LIST_FILES:
    case Call::READ_FILE:
      return AnswerFiles(call, response);
    default:
      return TextAnswer(501);
  }
}

std::optional<net::Response> AgentNode::AnswerFiles(const Call& call, Response& response) {
  const SandboxFiles files(AgentFolder());
  if (call.type() == Call::LIST_FILES) {
    auto list = files.List(call.list_files().path());
    if (!list) return FileRefusal(list.error());
    response.set_type(Response::LIST_FILES);
    auto* infos = response.mutable_list_files()->mutable_file_infos();
    for (auto& file : *list) *infos->Add() = std::move(file);
    return std::nullopt;
  }
  const auto& read = call.read_file();
  auto piece = files.Read(read.path(), read.offset(),
                          read.has_length() ? std::optional(read.length()) : std::nullopt);
  if (!piece) return FileRefusal(piece.error());
  response.set_type(Response::READ_FILE);
  response.mutable_read_file()->set_size(piece->size);
  response.mutable_read_file()->set_data(piece->data);
  return std::nullopt;
}

Response::GetContainers AgentNode::GetContainers() const {
  Response::GetContainers answer;
  for (const auto& [id, framework] : agent_->frameworks()) {
    for (const auto& [executor_id, executor] : framework.executors) {
      const auto usage = containers_->Usage(executor.key.container_id);
      if (executor.state == ExecutorState::kTerminated || !usage) continue;
      auto* container = answer.add_containers();
      *container->mutable_framework_id() = framework.info.id();
      *container->mutable_executor_id() = executor.info.executor_id();
      container->set_executor_name(executor.info.name());
      container->mutable_container_id()->set_value(executor.key.container_id);
      auto* status = container->mutable_container_status();
      status->mutable_container_id()->set_value(executor.key.container_id);
      if (executor.pid) status->set_executor_pid(static_cast<uint32_t>(*executor.pid));
      auto* statistics = container->mutable_resource_statistics();
      statistics->set_timestamp(loop_.Now().Seconds());
      statistics->set_cpus_user_time_secs(usage->process.user_seconds);
      statistics->set_cpus_system_time_secs(usage->process.system_seconds);
      statistics->set_cpus_soft_limit(usage->limits.cpus);
      statistics->set_mem_limit_bytes(usage->limits.memory);
      statistics->set_mem_soft_limit_bytes(usage->limits.memory);
      statistics->set_mem_rss_bytes(usage->process.rss_bytes);
    }
  }
  return answer;
}

net::Response AgentNode::ServeEndpoint(const net::Request& request, const std::string& path) {
  const AgentView view{agent_.get(), &options_.flags.texts, AgentFolder(), started_, loop_.Now()};
  if (path == "/health") return net::Response();
  if (path == "/version") return JsonAnswer(AgentVersionJson(started_));
  if (path == "/flags") return JsonAnswer(AgentFlagsJson(options_.flags.texts));
  if (path == "/state" || path == "/state.json") return JsonAnswer(AgentStateJson(view));
  if (path == "/containers") return JsonAnswer(AgentContainersJson(view, GetContainers(), false));
  if (path == "/monitor/statistics" || path == "/monitor/statistics.json") {
    return JsonAnswer(AgentContainersJson(view, GetContainers(), true));
  }
  if (path == "/metrics/snapshot") return JsonAnswer(wire::DumpJson(AgentMetrics(view)));
  if (path.starts_with("/files/")) return ServeFiles(request, path.substr(7));
  return TextAnswer(404);
}

net::Response AgentNode::ServeFiles(const net::Request& request, const std::string& endpoint) {
  const SandboxFiles files(AgentFolder());
  if (endpoint == "debug" || endpoint == "debug.json") {
    wire::Json attached = wire::Json::object();
    for (const auto& [id, framework] : agent_->frameworks()) {
      for (const auto& [executor_id, executor] : framework.executors) {
        attached[fmt::format("/frameworks/{}/executors/{}/runs/latest", id, executor_id)] =
            SandboxOf(executor.key);
      }
    }
    return JsonAnswer(wire::DumpJson(attached));
  }
  const bool browse = endpoint == "browse" || endpoint == "browse.json";
  const bool read = endpoint == "read" || endpoint == "read.json";
  if (!browse && !read) return TextAnswer(404);
  const auto path = request.Query("path");
  if (!path || path->empty()) return TextAnswer(400, "Expecting 'path=value' in query.\n");
  if (read) return ServeRead(request, *path);
  const auto list = files.List(*path);
  if (!list) return FileRefusal(list.error());
  wire::Json entries = wire::Json::array();
  for (const auto& file : *list) {
    entries.push_back({{"gid", file.gid()},
                       {"mode", ModeText(file.mode())},
                       {"mtime", file.mtime().nanoseconds() / 1'000'000'000},
                       {"nlink", file.nlink()},
                       {"path", file.path()},
                       {"size", file.size()},
                       {"uid", file.uid()}});
  }
  return JsonAnswer(wire::DumpJson(entries));
}

void AgentNode::ServeDownload(const std::shared_ptr<net::Exchange>& exchange) {
  const auto path = exchange->request().Query("path");
  if (!path || path->empty()) {
    return Respond(exchange, TextAnswer(400, "Expecting 'path=value' in query.\n"));
  }
  const auto real = SandboxFiles(AgentFolder()).Resolve(*path);
  if (!real) return Respond(exchange, TextAnswer(404));
  std::error_code error;
  if (fs::is_directory(*real, error)) {
    return Respond(exchange, TextAnswer(400, "Cannot download a directory.\n"));
  }
  net::Response head;
  head.headers.Set("Content-Type", "application/octet-stream");
  head.headers.Set("Content-Disposition",
                   "attachment; filename=" + fs::path(*path).filename().string());
  const uint64_t size = fs::file_size(*real, error);
  if (error) return Respond(exchange, TextAnswer(404));
  exchange->RespondFile(std::move(head), *real, 0, size);
}

net::Response AgentNode::ServeRead(const net::Request& request, const std::string& path) {
  std::optional<int64_t> numbers[2];
  for (const auto& [name, at] : {std::pair{"offset", 0}, std::pair{"length", 1}}) {
    const auto text = request.Query(name);
    if (!text) continue;
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc() || end != text->data() + text->size()) {
      return TextAnswer(
          400, fmt::format("Failed to parse {}: Failed to convert '{}' to number.\n", name, *text));
    }
    numbers[at] = number;
  }
  const int64_t offset = numbers[0].value_or(-1);
  std::optional<uint64_t> length;
  if (numbers[1] && *numbers[1] >= 0) length = static_cast<uint64_t>(*numbers[1]);
  if (offset < 0) length = 0;
  const auto piece = SandboxFiles(AgentFolder())
                         .Read(path, offset < 0 ? 0 : static_cast<uint64_t>(offset), length);
  if (!piece) return FileRefusal(piece.error());
  wire::Json json = {{"data", piece->data},
                     {"offset", offset < 0 ? static_cast<int64_t>(piece->size) : offset}};
  return JsonAnswer(wire::DumpJson(json));
}

}  // namespace kiln::local

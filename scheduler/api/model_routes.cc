#include "scheduler/api/routes.h"
#include "scheduler/api/views.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

using wire::Json;

const Model* FindModel(const ApiContext& context, const Call& call) {
  const auto& models = context.backend.state().models;
  auto found = models.find(call.at("name"));
  if (found != models.end()) return &found->second;
  call.AnswerError(
      {ErrorCode::kNotFound,
       fmt::format("model {} is not known: expected one of those in /v1/models", call.at("name")),
       {}});
  return nullptr;
}

void AnswerUnknownVersion(const Call& call, const Model& model, const std::string& version) {
  call.AnswerError({ErrorCode::kNotFound,
                    fmt::format("model {} has no version {}: expected 1 to {}", model.name, version,
                                model.versions.empty() ? 0 : model.versions.rbegin()->first),
                    {}});
}

void Register(ApiContext& context, const Call& call) {
  const auto body = JsonBody(call);
  if (!body) return;
  const auto name = call.parameters.find("name");
  auto version =
      ModelVersionFromJson(*body, name == call.parameters.end() ? std::string() : name->second);
  if (!version) return call.AnswerError(version.error());
  const std::string model = version->model;
  const auto& jobs = context.backend.state().jobs;
  const auto record = jobs.find(version->job);
  if (version->job_digest == 0 && record != jobs.end()) {
    version->job_digest = record->second.digest;
  }
  context.backend.Register(*std::move(version), [call, model](Result<int64_t> number) {
    if (!number) return call.AnswerError(number.error());
    call.Answer(201, {{"model", model}, {"version", *number}});
  });
}

void Version(ApiContext& context, const Call& call) {
  const Model* model = FindModel(context, call);
  if (model == nullptr) return;
  for (const auto& [number, version] : model->versions) {
    if (std::to_string(number) == call.at("version")) {
      return call.Answer(200, ModelVersionToJson(version));
    }
  }
  AnswerUnknownVersion(call, *model, call.at("version"));
}

void AnswerModel(ApiContext& context, const Call& call, const Status& status) {
  if (!status) return call.AnswerError(status.error());
  const Model* model = FindModel(context, call);
  if (model != nullptr) call.Answer(200, ModelToJson(*model));
}

void SetLabel(ApiContext& context, const Call& call) {
  const Model* model = FindModel(context, call);
  if (model == nullptr) return;
  const auto body = JsonBody(call);
  if (!body) return;
  if (auto name = CheckName("label", "label", call.at("label")); !name) {
    return call.AnswerError(name.error());
  }
  if (!body->is_object() || body->size() != 1 || !body->contains("version") ||
      !(*body)["version"].is_number_integer()) {
    return call.AnswerError({ErrorCode::kInvalidArgument,
                             "body is " + wire::DumpJson(*body) + ": expected {\"version\": N}",
                             "version"});
  }
  const auto version = (*body)["version"].get<int64_t>();
  if (!model->versions.contains(version)) {
    return AnswerUnknownVersion(call, *model, std::to_string(version));
  }
  context.backend.SetLabel(model->name, call.at("label"), version,
                           [&context, call](Status status) { AnswerModel(context, call, status); });
}

void RemoveLabel(ApiContext& context, const Call& call) {
  const Model* model = FindModel(context, call);
  if (model == nullptr) return;
  if (!model->labels.contains(call.at("label"))) {
    return call.AnswerError({ErrorCode::kNotFound,
                             fmt::format("model {} has no label {}", model->name, call.at("label")),
                             {}});
  }
  context.backend.SetLabel(model->name, call.at("label"), std::nullopt,
                           [&context, call](Status status) { AnswerModel(context, call, status); });
}

}  // namespace

void AddModelRoutes(std::vector<Route>& routes, ApiContext& context) {
  auto with = [&context](void (*handler)(ApiContext&, const Call&)) {
    return [&context, handler](const Call& call) { handler(context, call); };
  };
  const char* json = "application/json";
  routes.push_back({"GET", "/v1/models", "all models with their versions and labels",
                    [&context](const Call& call) {
                      Json models = Json::array();
                      for (const auto& [name, model] : context.backend.state().models) {
                        models.push_back(ModelToJson(model));
                      }
                      call.Answer(200, {{"models", std::move(models)}});
                    }});
  routes.push_back({"POST",
                    "/v1/models",
                    "registers a version of the model in the body",
                    with(Register),
                    {},
                    json,
                    "ModelVersion"});
  routes.push_back({"GET", "/v1/models/{name}", "one model",
                    [&context](const Call& call) { AnswerModel(context, call, {}); }});
  routes.push_back(
      {"GET", "/v1/models/{name}/versions", "its versions", [&context](const Call& call) {
         const Model* model = FindModel(context, call);
         if (model == nullptr) return;
         call.Answer(200, {{"versions", ModelToJson(*model)["versions"]}});
       }});
  routes.push_back({"POST",
                    "/v1/models/{name}/versions",
                    "registers a version; the same job gets the same version again",
                    with(Register),
                    {},
                    json,
                    "VersionOfModel"});
  routes.push_back({"GET", "/v1/models/{name}/versions/{version}", "one version", with(Version)});
  routes.push_back({"PUT",
                    "/v1/models/{name}/labels/{label}",
                    "points a label at a version, as in {\"version\": 3}",
                    with(SetLabel),
                    {},
                    json,
                    "LabelTarget"});
  routes.push_back(
      {"DELETE", "/v1/models/{name}/labels/{label}", "removes a label", with(RemoveLabel)});
}

}  // namespace kiln::scheduler

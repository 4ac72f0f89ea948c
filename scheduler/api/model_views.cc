#include <charconv>

#include "model/uri.h"
#include "scheduler/api/views.h"
#include "wire/rest/form.h"
#include "wire/rest/json.h"
#include "wire/rest/view_codec.h"

namespace kiln::scheduler {
namespace {

using wire::Form;
using wire::Json;

Form::SpecialParts MetricsParts(std::map<std::string, double>& metrics) {
  return {[&metrics](const Json& json, const std::string& path) -> Status {
            if (!json.is_object()) return FailField(path, "metrics is no map: expected numbers");
            for (const auto& [name, value] : json.items()) {
              if (value.is_null()) continue;  // not finite
              if (!value.is_number()) {
                return FailField(path + "." + name, "{} is {}: expected a number", name,
                                 wire::DumpJson(value));
              }
              metrics[name] = value.get<double>();
            }
            return {};
          },
          [&metrics] {
            Json json = Json::object();
            for (const auto& [name, value] : metrics) json[name] = value;
            return json;
          },
          [] {
            return Json{{"type", "object"}};
          }};
}

void DescribeVersion(Form& form, ModelVersion& version) {
  form.Text({"model", "the name in the registry", true}, version.model);
  form.Text({"uri", "where the model file is", true}, version.uri);
  form.Text({"job", "that trained it"}, version.job);
  std::string digest = version.job_digest == 0 ? "" : DigestText(version.job_digest);
  form.Text({"job_digest", "of the job, in hexadecimal digits"}, digest);
  const char* end = digest.data() + digest.size();
  version.job_digest = 0;
  const auto parsed = std::from_chars(digest.data(), end, version.job_digest, 16);
  form.Require("job_digest", digest.empty() || (parsed.ec == std::errc() && parsed.ptr == end),
               "job_digest is \"" + digest + "\": expected up to 16 hexadecimal digits");
  form.Text({"data_digest", "of the data it was trained on"}, version.data_digest);
  form.Text({"algorithm", "that trained it"}, version.algorithm);
  form.Texts({"features", "the columns that it takes, in order"}, version.features);
  form.Special({"metrics", "such as accuracy, on rows held out"}, MetricsParts(version.metrics));
  form.TextMap({"parameters", "of the training"}, version.parameters);
}

}  // namespace

Json ModelVersionToJson(const ModelVersion& version) {
  ModelVersion copy = version;
  Json json = {{"version", version.version}, {"created", wire::InstantToJson(version.created)}};
  json.update(wire::WriteForm([&copy](Form& form) { DescribeVersion(form, copy); },
                              [](Form& form) {
                                ModelVersion blank;
                                DescribeVersion(form, blank);
                              }));
  return json;
}

Json ModelToJson(const Model& model) {
  Json labels = Json::object();
  for (const auto& [label, version] : model.labels) labels[label] = version;
  Json versions = Json::array();
  for (const auto& [number, version] : model.versions) {
    versions.push_back(ModelVersionToJson(version));
  }
  return {{"name", model.name},
          {"latest", model.versions.empty() ? Json() : Json(model.versions.rbegin()->first)},
          {"labels", std::move(labels)},
          {"versions", std::move(versions)}};
}

Json ModelVersionSchema() {
  return wire::SchemaOfForm([](Form& form) {
    ModelVersion blank;
    DescribeVersion(form, blank);
  });
}

Result<ModelVersion> ModelVersionFromJson(const Json& json, const std::string& model) {
  Json body = json;
  if (body.is_object() && !model.empty()) {
    if (body.contains("model") && body["model"] != model) {
      return FailField("model", "model is {}: expected \"{}\", as in the path",
                       wire::DumpJson(body["model"]), model);
    }
    body["model"] = model;
  }
  ModelVersion version;
  KILN_TRY_OK(wire::ReadForm(body, "", [&version](Form& form) { DescribeVersion(form, version); }));
  KILN_TRY_OK(CheckName("model", "model", version.model));
  KILN_TRY_OK(CheckUri("uri", "uri", version.uri));
  return version;
}

}  // namespace kiln::scheduler

#include "tests/universe/package.h"

#include <fmt/ranges.h>

#include <regex>

#include "base/file.h"
#include "tests/universe/mustache.h"

namespace kiln::universe {
namespace {

using wire::Json;

Result<Json> ReadJson(const std::filesystem::path& file) {
  KILN_TRY(const std::string text, ReadFile(file.string()));
  auto json = wire::ParseJson(text);
  if (!json) return Failure(Within(file.filename().string(), json.error()));
  return json;
}

void AddOptions(const Json& schema, std::vector<std::string> path, std::vector<Option>& options) {
  if (!schema.contains("properties")) {
    options.push_back({std::move(path), schema});
    return;
  }
  for (const auto& [name, property] : schema["properties"].items()) {
    path.push_back(name);
    AddOptions(property, path, options);
    path.pop_back();
  }
}

bool HasType(const Json& value, const std::string& type) {
  return type == "integer"  ? value.is_number_integer()
         : type == "number" ? value.is_number()
                            : type == value.type_name();
}

// Strings that some option takes; the first shows whether quotes and escapes come through.
std::vector<Json> Candidates(const Json& schema) {
  if (schema.contains("enum")) return schema["enum"];
  const Json& value = schema["default"];
  if (value.is_boolean()) return {!value.get<bool>()};
  if (value.is_number_integer()) return {value.get<int>() + 1};
  if (value.is_number()) return {value.get<double>() + 0.5};
  if (value.is_array()) return {{{"@zone", "IS", "a \"b\""}}};
  return {R"(it's "a\b" $HOME *)", "a,b", "dev/ml-2", "/dev/kiln", "90s", "0s", "1.5h", "64KB",
          "m1:5050,m2:5050"};
}

}  // namespace

std::filesystem::path SourceRoot() { return KILN_SOURCE_ROOT; }

Result<Package> ReadPackage(const std::filesystem::path& folder) {
  Package package;
  KILN_TRY(package.package, ReadJson(folder / "package.json"));
  KILN_TRY(package.config, ReadJson(folder / "config.json"));
  KILN_TRY(package.resource, ReadJson(folder / "resource.json"));
  KILN_TRY(package.app_template, ReadFile((folder / "marathon.json.mustache").string()));
  return package;
}

std::string Option::Name() const { return fmt::format("{}", fmt::join(path, ".")); }

std::vector<Option> OptionsOf(const Json& config) {
  std::vector<Option> options;
  AddOptions(config, {}, options);
  return options;
}

Json Given(const Option& option, const Json& value) {
  Json given;
  Json* at = &given;
  for (const std::string& name : option.path) at = &(*at)[name];
  *at = value;
  return given;
}

bool Takes(const Option& option, const Json& value) {
  const Json& schema = option.schema;
  if (!HasType(value, schema["type"])) return false;
  if (schema.contains("enum") &&
      std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
    return false;
  if (schema.contains("pattern") &&
      !std::regex_search(value.get<std::string>(),
                         std::regex(schema["pattern"].get<std::string>())))
    return false;
  if (schema.contains("minLength") && value.get<std::string>().size() < schema["minLength"])
    return false;
  return !schema.contains("minimum") || value >= schema["minimum"];
}

std::vector<Json> OtherValues(const Option& option) {
  std::vector<Json> values;
  for (const Json& value : Candidates(option.schema)) {
    if (value != option.schema["default"] && Takes(option, value)) values.push_back(value);
  }
  return values;
}

Result<Json> RenderApp(const Package& package, const Json& given) {
  Json values;
  for (const Option& option : OptionsOf(package.config)) {
    if (option.schema.contains("default"))
      values.merge_patch(Given(option, option.schema["default"]));
  }
  values.merge_patch(given);
  values["resource"] = package.resource;
  KILN_TRY(const std::string text, RenderMustache(package.app_template, values));
  KILN_TRY(Json app, wire::ParseJson(text));
  if (!app.is_object()) {
    return Fail(ErrorCode::kInvalidArgument, "app is {}, expected an object", app.type_name());
  }
  const Json labels = app.value("labels", Json::object());
  for (const auto& [name, value] : labels.items()) {
    if (!value.is_string()) {
      return Fail(ErrorCode::kInvalidArgument, "label {} is {}, expected a string", name,
                  value.dump());
    }
  }
  return app;
}

}  // namespace kiln::universe

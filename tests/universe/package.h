// The DC/OS package, and the app that Cosmos makes of it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/rest/json.h"

namespace kiln::universe {

std::filesystem::path SourceRoot();

struct Package {
  wire::Json package;
  wire::Json config;
  wire::Json resource;
  std::string app_template;
};

// The files of one revision. Errors name the file.
Result<Package> ReadPackage(const std::filesystem::path& folder);

// A leaf of config.json.
struct Option {
  std::vector<std::string> path;  // {"service", "name"}
  wire::Json schema;

  std::string Name() const;  // "service.name"
};
std::vector<Option> OptionsOf(const wire::Json& config);

// What a user would give to set one option: {"service": {"name": value}}.
wire::Json Given(const Option& option, const wire::Json& value);

// Whether the option's type, enum, pattern and limits take the value.
bool Takes(const Option& option, const wire::Json& value);

// Values to try instead of the default, each taken by the option; at least one.
std::vector<wire::Json> OtherValues(const Option& option);

// Marathon's app for the options that a user gives, by the rules of Cosmos: defaults below them,
// resources beside them, rendered, parsed, an object whose labels are strings.
Result<wire::Json> RenderApp(const Package& package, const wire::Json& given);

}  // namespace kiln::universe

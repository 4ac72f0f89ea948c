#include "cli/commands/usage.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "base/nearest.h"

namespace kiln::cli {
namespace {

using Names = std::vector<std::string>;

std::vector<const CLI::App*> Commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

Names NamesOf(const std::vector<const CLI::App*>& commands) {
  Names names;
  for (const CLI::App* one : commands) names.push_back(one->get_name());
  return names;
}

std::string OneOf(const Names& names) {
  return names.size() == 1 ? names[0] : fmt::format("one of {}", fmt::join(names, ", "));
}

// "job list", "model list": where a command of that name stands.
Names PathsTo(const CLI::App& app, const std::string& name) {
  Names paths;
  for (const CLI::App* group : Commands(app)) {
    for (const CLI::App* one : Commands(*group)) {
      if (one->get_name() == name) paths.push_back(group->get_name() + " " + name);
    }
  }
  return paths;
}

// What was meant by a word that stands where a command was expected.
std::string MeantBy(const std::string& word, const CLI::App& app) {
  if (const Names paths = PathsTo(app, word); !paths.empty()) return OneOf(paths);
  const Names names = NamesOf(Commands(app));
  if (const std::string nearest = NearestName(word, names); !nearest.empty()) return nearest;
  Names below;
  for (const CLI::App* group : Commands(app)) {
    for (const std::string& one : NamesOf(Commands(*group))) below.push_back(one);
  }
  const Names paths = PathsTo(app, NearestName(word, below));
  return OneOf(paths.empty() ? names : paths);
}

// Of the command and those above it, which take them too.
Names OptionsOf(const CLI::App* app) {
  Names names;
  for (; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

std::string PathOf(const CLI::App* app) {
  const CLI::App* above = app->get_parent();
  return (above == nullptr ? "" : PathOf(above) + " ") + app->get_name();
}

}  // namespace

std::string TextOf(const Error& error) {
  // Some messages begin with the name of the field anyway.
  const bool named = error.field.empty() || error.message.starts_with(error.field);
  return named ? error.message : error.field + ": " + error.message;
}

Error UsageError(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* last = &app;
  while (!last->get_subcommands().empty()) last = last->get_subcommands().front();
  const Names names = NamesOf(Commands(*last));
  const Names left = app.remaining(true);
  const auto option = std::find_if(left.begin(), left.end(),
                                   [](const std::string& one) { return one.starts_with('-'); });
  const std::string help = fmt::format("`{} --help` tells more", PathOf(last));
  std::string message = fmt::format("{}: {}", error.what(), help);
  if (option != left.end()) {
    const std::string nearest = NearestName(*option, OptionsOf(last));
    message = fmt::format("option is \"{}\": {}", *option,
                          nearest.empty() ? help : "expected " + nearest);
  } else if (!names.empty() && left.empty()) {
    message = fmt::format("command is missing: expected {}", OneOf(names));
  } else if (!names.empty()) {
    message = fmt::format("command is \"{}\": expected {}", left[0], MeantBy(left[0], *last));
  } else if (!left.empty()) {
    message = fmt::format("argument \"{}\" is one too many: {}", left[0], help);
  }
  return {ErrorCode::kInvalidArgument, std::move(message), {}};
}

}  // namespace kiln::cli

// Compares what came with what was recorded, with the freedom that the recordings' README gives:
// placeholders, the order of some lists, the order of resources in texts, optional fields.
//
// Pure: values in, differences out.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "tests/mesos/bindings.h"

namespace kiln::replay {

struct Difference {
  std::string path;  // "update.status.state"; empty for the whole
  std::string expected;
  std::string found;

  bool operator==(const Difference&) const = default;
};

std::string Describe(const Difference& difference);

struct MatchOptions {
  // Answers of operators: every list but `statuses` may be in any order, versions and build data
  // differ.
  bool operator_answer = false;
  // The container whose first update this is may lack network_infos and executor_pid.
  bool first_update = false;
  // The task is killed in a container inside another one. How far Mesos got with the start of that
  // shows: a container that has ended before the agent looked is told without network_infos and
  // executor_pid, and one whose launcher was hit before it could pass the signal on is told to have
  // ended by SIGKILL.
  bool nested_kill = false;
};

// Binds what is new in `bindings` if all matches, and nothing if not.
std::optional<Difference> Match(const Json& expected, const Json& found, Bindings& bindings,
                                const MatchOptions& options = {});

std::optional<Difference> MatchText(const std::string& expected, const std::string& found,
                                    Bindings& bindings);

// `shape` gives names and JSON types: {"version": "string"}; a list of names stands for an object
// with these keys or a list of objects of these names.
std::optional<Difference> MatchShape(const Json& shape, const Json& found);

}  // namespace kiln::replay

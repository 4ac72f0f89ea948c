// The flags of a Mesos master, as far as they mean something here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "local/cluster/master_values.h"

namespace kiln::local {

struct MasterFlags {
  MasterOptions options;
  bool authenticate_frameworks = false;  // HTTP basic, of the scheduler API
  bool authenticate_readonly = false;
  bool authenticate_readwrite = false;
  bool durable_registry = false;                   // --registry=replicated_log
  std::map<std::string, std::string> credentials;  // principal: secret
  std::map<std::string, std::string> shown;        // what GET_FLAGS tells
};

// "--name=value", "--name", "--no-name". Flags of Mesos that mean nothing here are shown, but
// change nothing.
Result<MasterFlags> ParseMasterFlags(const std::vector<std::string>& flags);

// "--name=value" apart; a bare name is "true", "--no-name" is "false".
Result<std::map<std::string, std::string>> SplitFlags(const std::vector<std::string>& flags);

}  // namespace kiln::local

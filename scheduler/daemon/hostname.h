// What this machine is called where others are told.
#pragma once

#include <unistd.h>

#include <string>

namespace kiln::scheduler {

inline std::string Hostname() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

// Where others reach what listens there, which may be every interface.
inline std::string ReachableHost(const std::string& host) {
  return host == "0.0.0.0" || host == "::" ? Hostname() : host;
}

}  // namespace kiln::scheduler

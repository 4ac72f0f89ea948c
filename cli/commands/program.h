// The command line as a function, so that tests run it in their process.
#pragma once

#include <map>
#include <ostream>
#include <string>
#include <vector>

namespace kiln::cli {

// What a process is started with.
struct Program {
  std::string name;  // argv[0]
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;
  std::ostream& out;  // data
  std::ostream& err;  // errors, notes and progress
  bool interactive;   // err is a terminal
};

// The exit code.
int Run(const Program& program);

}  // namespace kiln::cli

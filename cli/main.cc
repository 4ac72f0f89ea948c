// kiln: the command line; as dcos-kiln, a subcommand of dcos.
#include <unistd.h>

#include <iostream>

#include "cli/commands/program.h"

extern char** environ;

int main(int argc, char** argv) {
  kiln::cli::Program program{.name = argv[0],
                             .arguments = {argv + 1, argv + argc},
                             .environment = {},
                             .out = std::cout,
                             .err = std::cerr,
                             .interactive = isatty(STDERR_FILENO) == 1};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos)
      program.environment[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return kiln::cli::Run(program);
}

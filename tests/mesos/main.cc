// replay DIR: plays recorded exchanges against Kiln's local Mesos, several at a time, and tells for
// each whether it passes, with the first difference if not.
//
// Exits with 0 if every file passes but those of the left-out list, and none of these does: the
// list may only shrink.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/mesos/runner.h"

namespace kiln::replay {
namespace {

struct Arguments {
  std::filesystem::path directory;
  std::string only;
  size_t jobs = 20;  // most of the time each waits
  std::filesystem::path left_out = KILN_LEFT_OUT;
  RunOptions run{.program = KILN_LOCAL_PROGRAM};
};

// File name to reason: "NAME REASON" in a line, '#' begins a comment.
std::map<std::string, std::string> ReadLeftOut(const std::filesystem::path& path) {
  std::map<std::string, std::string> left_out;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with("#")) continue;
    const size_t end = std::min(line.find(' '), line.size());
    left_out[line.substr(0, end)] = line.substr(std::min(end + 1, line.size()));
  }
  return left_out;
}

std::vector<std::filesystem::path> FilesOf(const Arguments& arguments) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(arguments.directory)) {
    const auto& path = entry.path();
    if (path.extension() != ".json") continue;
    if (path.stem().string().find(arguments.only) != std::string::npos) files.push_back(path);
  }
  // The longest first, so that none is left running alone at the end.
  std::map<std::filesystem::path, double> times;
  for (const auto& file : files) {
    const auto scenario = ReadScenario(file);
    times[file] = scenario ? RecordedMs(*scenario) : 0;
  }
  std::sort(files.begin(), files.end(), [&](const auto& a, const auto& b) {
    return std::pair(-times[a], a) < std::pair(-times[b], b);
  });
  return files;
}

class Tally {
 public:
  explicit Tally(std::map<std::string, std::string> left_out) : left_out_(std::move(left_out)) {}

  void Add(const Report& report) {
    const std::lock_guard lock(mutex_);
    const auto reason = left_out_.find(report.name);
    if (reason != left_out_.end() && !report.passed) {
      ++left_out_count_;
      fmt::print("left out {} ({:.1f} s): {} [{}]\n", report.name, report.seconds, reason->second,
                 report.difference);
    } else if (reason != left_out_.end()) {
      ++failed_;
      fmt::print("FAIL {} ({:.1f} s): it passes: take it out of the list of files left out\n",
                 report.name, report.seconds);
    } else if (report.passed) {
      ++passed_;
      fmt::print("pass {} ({:.1f} s)\n", report.name, report.seconds);
    } else {
      ++failed_;
      fmt::print("FAIL {} ({:.1f} s): {}\n", report.name, report.seconds, report.difference);
    }
    std::fflush(stdout);
  }

  int Finish() const {
    fmt::print("{} passed, {} failed, {} left out\n", passed_, failed_, left_out_count_);
    return failed_ == 0 && passed_ + left_out_count_ > 0 ? 0 : 1;
  }

 private:
  const std::map<std::string, std::string> left_out_;
  std::mutex mutex_;
  int passed_ = 0;
  int failed_ = 0;
  int left_out_count_ = 0;
};

int Run(const Arguments& arguments) {
  const auto files = FilesOf(arguments);
  Tally tally(ReadLeftOut(arguments.left_out));
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < files.size(); i = next++) {
      tally.Add(Replay(files[i], arguments.run));
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 0; i < std::min(arguments.jobs, files.size()); ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  if (files.empty()) fmt::print("no recordings in {}\n", arguments.directory.string());
  return tally.Finish();
}

}  // namespace
}  // namespace kiln::replay

int main(int argc, char** argv) {
  kiln::replay::Arguments arguments;
  CLI::App app("Plays recorded Mesos exchanges against Kiln's local Mesos");
  app.add_option("DIR", arguments.directory, "the folder of the recordings")
      ->required()
      ->check(CLI::ExistingDirectory);
  app.add_option("--only", arguments.only, "only files whose name holds this");
  app.add_option("--jobs", arguments.jobs, "files that are played at a time");
  app.add_option("--left-out", arguments.left_out, "names and reasons of files that do not pass");
  app.add_option("--program", arguments.run.program, "kiln-local");
  app.add_option("--slack", arguments.run.slack_ms, "milliseconds that a busy machine may be late");
  app.add_flag("--verbose", arguments.run.verbose, "tell every step and record");
  CLI11_PARSE(app, argc, argv);
  return kiln::replay::Run(arguments);
}

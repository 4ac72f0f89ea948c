// What all parts of a simulation share.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <optional>
#include <string>

#include "base/random.h"
#include "tests/simulation/network.h"
#include "tests/simulation/scenario.h"
#include "tests/simulation/timeline.h"

namespace kiln::simulation {

struct Violation {
  std::string invariant;  // "I2"
  std::string text;
};

// What happened, for people, and the first thing that must not have.
class History {
 public:
  History(const Timeline& timeline, bool recording)
      : timeline_(timeline), start_(timeline.now()), recording_(recording) {}

  template <typename... Args>
  void Note(fmt::format_string<Args...> text, Args&&... args) {
    if (recording_) Add(fmt::format(text, std::forward<Args>(args)...));
  }
  void Violate(const std::string& invariant, const std::string& text) {
    if (violation_) return;
    violation_ = {invariant, text};
    Note("violated {}: {}", invariant, text);
  }

  const std::optional<Violation>& violation() const { return violation_; }
  const std::deque<std::string>& lines() const { return lines_; }
  Duration Elapsed() const { return timeline_.now() - start_; }

 private:
  static constexpr size_t kKept = 20'000;
  void Add(std::string text) {
    lines_.push_back(fmt::format("{:10.4f} {}", ToSeconds(Elapsed()), text));
    if (lines_.size() > kKept) lines_.pop_front();
  }

  const Timeline& timeline_;
  Instant start_;
  bool recording_;
  std::deque<std::string> lines_;
  std::optional<Violation> violation_;
};

// A number that follows from others: chance that does not depend on what else happens.
inline uint64_t Mix(uint64_t seed, std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325 ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return Random(hash)();
}

// Bugs that are planted into the wiring, so that a test sees them found.
enum class Canary {
  kNone,
  kLateCommit,            // the store says that it has written, and writes with the next commit
  kLostCommit,            // what was written last is gone when the scheduler dies
  kEarlyAcknowledgement,  // updates are acknowledged as soon as they arrive
  kNoFence,               // who had the state before another took it over may write
};

struct Stage {
  Stage(const Scenario& its_scenario, Canary its_canary, bool recording)
      : scenario(its_scenario),
        canary(its_canary),
        network(timeline, Mix(scenario.seed, "network")),
        random(Mix(scenario.seed, "stage")),
        history(timeline, recording) {}

  const Scenario& scenario;
  const Canary canary;
  Timeline timeline;
  Network network;
  Random random;
  History history;
  bool slow_starts = false;
  bool calm = false;  // everything is healed: work ends well
};

}  // namespace kiln::simulation

// Counts and durations of a model server's requests.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/time.h"

namespace kiln::executor {

// Threads: any.
class ServingMetrics {
 public:
  // api: "predict"; code: "OK" or the name of an error.
  void Count(const std::string& model, const std::string& api, const std::string& code,
             Duration duration);
  // Prometheus text format, with TensorFlow Serving's names; durations in microseconds.
  std::string Text() const;

 private:
  struct Latency {
    uint64_t count = 0;
    Duration sum{};
  };
  using Names = std::pair<std::string, std::string>;

  mutable std::mutex mutex_;
  std::map<Names, uint64_t> counts_;    // of model and code
  std::map<Names, Latency> latencies_;  // of model and api
};

}  // namespace kiln::executor

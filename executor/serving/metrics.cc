#include "executor/serving/metrics.h"

#include <fmt/format.h>

#include <iterator>

namespace kiln::executor {
namespace {

std::string LabelText(const std::string& value) {
  std::string text;
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

}  // namespace

void ServingMetrics::Count(const std::string& model, const std::string& api,
                           const std::string& code, Duration duration) {
  const std::lock_guard lock(mutex_);
  ++counts_[{model, code}];
  Latency& latency = latencies_[{model, api}];
  ++latency.count;
  latency.sum += duration;
}

std::string ServingMetrics::Text() const {
  const std::lock_guard lock(mutex_);
  std::string text = "# TYPE :tensorflow:serving:request_count counter\n";
  const auto out = std::back_inserter(text);
  for (const auto& [names, count] : counts_) {
    fmt::format_to(out, ":tensorflow:serving:request_count{{model_name=\"{}\",status=\"{}\"}} {}\n",
                   LabelText(names.first), names.second, count);
  }
  text += "# TYPE :tensorflow:serving:request_latency summary\n";
  for (const auto& [names, latency] : latencies_) {
    const std::string labels = fmt::format("{{model_name=\"{}\",API=\"{}\",entrypoint=\"REST\"}}",
                                           LabelText(names.first), names.second);
    fmt::format_to(out, ":tensorflow:serving:request_latency_sum{} {}\n", labels,
                   ToSeconds(latency.sum) * 1e6);
    fmt::format_to(out, ":tensorflow:serving:request_latency_count{} {}\n", labels, latency.count);
  }
  return text;
}

}  // namespace kiln::executor

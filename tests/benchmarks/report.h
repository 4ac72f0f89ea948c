// What a benchmark measured, beside what it is measured against.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace kiln::bench {

struct Measurement {
  std::string name;
  double value = 0;
  std::string unit;
  std::string peer;  // a named program or a physical limit; measured in the same run unless `note`
                     // says where
  std::optional<double> peer_value;  // in `unit`
  std::string note;
};

// To standard output: a table for people, then one JSON object a line, with the ratio of the value
// to its peer's (null without one).
void Report(const std::vector<Measurement>& measurements);

// The same, with how many faults there were and what counts as one; the program's exit code.
int ReportFaults(std::vector<Measurement> measurements, size_t faults, const std::string& note);

// The value below which a part (0 to 1) of the samples lies, by the nearest rank.
double Quantile(std::vector<double> samples, double part);

// Of the processor, by this thread: others on the machine do not count.
double ProcessorMilliseconds();

}  // namespace kiln::bench

// Finds the wanted columns among those of a file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "executor/formats/table.h"

namespace kiln::executor {

// Places of the wanted columns in a record.
struct ColumnPlan {
  std::vector<std::string> names;  // of the features
  std::vector<size_t> features;
  std::optional<size_t> target;
  std::optional<size_t> key;
};

// `where` stands before the message: "digits.csv line 1".
Result<ColumnPlan> PlanColumns(const std::string& where, const std::vector<std::string>& known,
                               const TableSpec& spec);

// "0", "1", ... for columns that have no names.
std::vector<std::string> NumberedColumns(size_t count);

// The cell as a number. The error says what was found and expected: "is empty, expected a number".
Result<float> ParseFloat(std::string_view cell, HoleKind holes);
Result<double> ParseDouble(std::string_view cell, HoleKind holes);

// The shortest text that gives the number back: "7" for 7.0, "0.1".
std::string NumberText(double number);

}  // namespace kiln::executor

// The door to the log: one line an event, to standard error.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace kiln {

enum class LogLevel { kInfo, kWarning, kError };

// Starts the log of this process. `name` stands in each line; lines below `level` are left out.
void StartLog(const std::string& name, LogLevel level = LogLevel::kInfo);
void WriteLog(LogLevel level, const std::string& text);

template <typename... Args>
void LogInfo(fmt::format_string<Args...> text, Args&&... args) {
  WriteLog(LogLevel::kInfo, fmt::format(text, std::forward<Args>(args)...));
}
template <typename... Args>
void LogWarning(fmt::format_string<Args...> text, Args&&... args) {
  WriteLog(LogLevel::kWarning, fmt::format(text, std::forward<Args>(args)...));
}
template <typename... Args>
void LogError(fmt::format_string<Args...> text, Args&&... args) {
  WriteLog(LogLevel::kError, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace kiln

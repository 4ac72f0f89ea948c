// What reads bytes of others, as functions that take any bytes. They end the process when what they
// stand for does not hold; the sanitizers look for the rest.
#pragma once

#include <span>
#include <string_view>

namespace kiln::fuzz {

struct Target {
  std::string_view name;  // its corpus is tests/fuzz/corpus/<name>
  void (*feed)(std::string_view bytes);
};

std::span<const Target> Targets();
const Target* FindTarget(std::string_view name);

// Ends the process, and says so, unless it holds.
void Require(bool holds, const char* what);

// Of the wire (wire_targets.cc).
void FeedRecordIo(std::string_view bytes);
void FeedHttp(std::string_view bytes);
void FeedMesosEvent(std::string_view bytes);
void FeedMesosJson(std::string_view bytes);
void FeedMasterNode(std::string_view bytes);

// Of the scheduler (scheduler_targets.cc).
void FeedStateRecord(std::string_view bytes);
void FeedChanges(std::string_view bytes);
void FeedJob(std::string_view bytes);
void FeedSettings(std::string_view bytes);
void FeedWords(std::string_view bytes);

// Of the executor (executor_targets.cc).
void FeedPredict(std::string_view bytes);
void FeedModel(std::string_view bytes);
void FeedNpy(std::string_view bytes);
void FeedCsv(std::string_view bytes);

}  // namespace kiln::fuzz

#include "base/log.h"

#include <glog/logging.h>

#ifdef _GLIBCXX_TSAN
// glog asks the system's library for the time zone with each message, and the sanitizer does not
// see the lock in there.
extern "C" const char* __tsan_default_suppressions() {
  return "race:google::LogMessageTime::CalcGmtOffset\n";
}
#endif

namespace kiln {

void StartLog(const std::string& name, LogLevel level) {
  static const std::string kept = name;  // glog keeps the pointer
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = static_cast<int>(level);
  google::InitGoogleLogging(kept.c_str());
}

void WriteLog(LogLevel level, const std::string& text) {
  switch (level) {
    case LogLevel::kInfo:
      LOG(INFO) << text;
      return;
    case LogLevel::kWarning:
      LOG(WARNING) << text;
      return;
    case LogLevel::kError:
      LOG(ERROR) << text;
      return;
  }
}

}  // namespace kiln

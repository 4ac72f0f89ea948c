#include "model/task.h"

namespace kiln {

const char* TaskStateName(TaskState state) {
  switch (state) {
    case TaskState::kIntended:
      return "INTENDED";
    case TaskState::kStaging:
      return "TASK_STAGING";
    case TaskState::kStarting:
      return "TASK_STARTING";
    case TaskState::kRunning:
      return "TASK_RUNNING";
    case TaskState::kKilling:
      return "TASK_KILLING";
    case TaskState::kUnreachable:
      return "TASK_UNREACHABLE";
    case TaskState::kUnknown:
      return "TASK_UNKNOWN";
    case TaskState::kFinished:
      return "TASK_FINISHED";
    case TaskState::kFailed:
      return "TASK_FAILED";
    case TaskState::kKilled:
      return "TASK_KILLED";
    case TaskState::kError:
      return "TASK_ERROR";
    case TaskState::kDropped:
      return "TASK_DROPPED";
    case TaskState::kLost:
      return "TASK_LOST";
    case TaskState::kGone:
      return "TASK_GONE";
    case TaskState::kGoneByOperator:
      return "TASK_GONE_BY_OPERATOR";
  }
  return "";
}

bool IsTerminal(TaskState state) {
  switch (state) {
    case TaskState::kIntended:
    case TaskState::kStaging:
    case TaskState::kStarting:
    case TaskState::kRunning:
    case TaskState::kKilling:
    case TaskState::kUnreachable:
    case TaskState::kUnknown:
      return false;
    case TaskState::kFinished:
    case TaskState::kFailed:
    case TaskState::kKilled:
    case TaskState::kError:
    case TaskState::kDropped:
    case TaskState::kLost:
    case TaskState::kGone:
    case TaskState::kGoneByOperator:
      return true;
  }
  return true;
}

}  // namespace kiln

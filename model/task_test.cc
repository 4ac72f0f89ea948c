#include "model/task.h"

#include <gtest/gtest.h>

namespace kiln {
namespace {

TEST(Task, TerminalStatesAreThoseThatFreeTheMember) {
  const std::pair<TaskState, bool> cases[] = {
      {TaskState::kIntended, false},     {TaskState::kStaging, false},
      {TaskState::kStarting, false},     {TaskState::kRunning, false},
      {TaskState::kKilling, false},      {TaskState::kUnreachable, false},
      {TaskState::kUnknown, false},      {TaskState::kFinished, true},
      {TaskState::kFailed, true},        {TaskState::kKilled, true},
      {TaskState::kError, true},         {TaskState::kDropped, true},
      {TaskState::kLost, true},          {TaskState::kGone, true},
      {TaskState::kGoneByOperator, true}};
  for (const auto& [state, terminal] : cases) {
    EXPECT_EQ(IsTerminal(state), terminal) << TaskStateName(state);
  }
}

TEST(Task, NamesAreThoseOfMesos) {
  EXPECT_STREQ(TaskStateName(TaskState::kRunning), "TASK_RUNNING");
  EXPECT_STREQ(TaskStateName(TaskState::kGoneByOperator), "TASK_GONE_BY_OPERATOR");
}

}  // namespace
}  // namespace kiln

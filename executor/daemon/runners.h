// The kinds of work.
#pragma once

#include "executor/daemon/work.h"

namespace kiln::executor {

std::unique_ptr<RunningWork> RunCommand(WorkContext context);
std::unique_ptr<RunningWork> RunTrain(WorkContext context);
std::unique_ptr<RunningWork> RunMerge(WorkContext context);
std::unique_ptr<RunningWork> RunScore(WorkContext context);
std::unique_ptr<RunningWork> RunSearch(WorkContext context);
std::unique_ptr<RunningWork> RunServe(WorkContext context);

}  // namespace kiln::executor

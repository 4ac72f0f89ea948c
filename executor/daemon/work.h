// A task's work while it runs, whatever its kind.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "executor/process/command.h"
#include "executor/process/uris.h"
#include "executor/protocol/protocol.h"
#include "proto/kiln/v1/work.pb.h"
#include "wire/net/loop.h"

namespace kiln::executor {

// What a runner gets.
struct WorkContext {
  net::Loop* loop = nullptr;
  mesos::v1::TaskInfo task;
  v1::Work work;
  Surroundings surroundings;
  std::string scratch;  // a folder for the files of this task alone; not there yet
  std::string host;     // where servers listen
  // Tells what happened: WorkStarted, any number of others, WorkEnded. From any thread; never comes
  // back inside the call.
  std::function<void(Input)> tell;

  const std::string& id() const { return task.task_id().value(); }
};

// Threads: the loop's. Destroyed by the daemon, at any time; tells nothing any more then.
class RunningWork {
 public:
  virtual ~RunningWork() = default;
  // WorkEnded follows: soon for a gentle stop that works, at once for one by force.
  virtual void Stop(bool force) = 0;
};

using Runner = std::unique_ptr<RunningWork> (*)(WorkContext context);

// The runner for a kind of work. A new kind is one field of v1.Work, one line here, one runner.
// Nothing for a kind that this program does not know.
Runner FindRunner(v1::Work::KindCase kind);

// The work of a task: its data as v1.Work, or its bare command.
Result<v1::Work> WorkOf(const mesos::v1::TaskInfo& task);
// A bare command without its URIs.
v1::Work CommandWorkOf(const mesos::v1::CommandInfo& command);

// The scheduler's REST, as the work asks it.
SchedulerApi ApiOf(const v1::Work& work);

// Where a command finds the certificate by which the REST's is judged.
std::string AuthorityFile(const std::string& sandbox);

// Cores that the task's `cpus` stand for, at least one.
int ThreadsOf(const mesos::v1::TaskInfo& task);
// The ports that the task holds, in their order.
std::vector<int> PortsOf(const mesos::v1::TaskInfo& task);
// Names of the GPUs that the task shares, by its work, or holds, by the set resource nvidia_gpu.
std::vector<std::string> GpusOf(const mesos::v1::TaskInfo& task, const v1::Work& work);

// What a command and its checks see: this process's environment, MESOS_TASK_ID, the ports as
// Marathon names them (PORT, PORT0, ..., PORTS, HOST), the GPUs as CUDA does, a file that takes
// the names of those that do not work (KILN_SICK_GPUS), a file that is touched when what has been
// done would survive an end (KILN_CHECKPOINT), the place in the job (KILN_JOB, KILN_GROUP,
// KILN_INDEX, KILN_COUNT), the scheduler's REST (KILN_API, and KILN_TOKEN where it asks for one,
// KILN_CA_FILE where its certificate is judged by one),
// its secrets, and above all what the command says itself.
Surroundings SurroundingsOf(const mesos::v1::TaskInfo& task, const v1::Work& work,
                            const std::string& sandbox, const std::string& host);

WorkEnded EndOf(const std::string& task, const Error& error);

}  // namespace kiln::executor

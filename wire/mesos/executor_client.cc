#include "wire/mesos/executor_client.h"

#include "wire/mesos/client_shell.h"
#include "wire/mesos/executor_subscription.h"

namespace kiln::wire {

class ExecutorClient::Shell {
 public:
  Shell(net::World world, ExecutorEnvironment environment, Encoding encoding,
        ExecutorClientCallbacks callbacks)
      : subscription(std::move(environment), encoding, std::move(callbacks.subscribe),
                     world.seed()),
        shell(std::move(world), subscription,
              {[on_event = std::move(callbacks.on_event)](const Deliver& deliver) {
                 on_event(std::get<mesos::v1::executor::Event>(deliver.event));
               },
               std::move(callbacks.on_disconnected), std::move(callbacks.on_answer)}) {}

  ExecutorSubscription subscription;
  ClientShell shell;
};

ExecutorClient::ExecutorClient(net::World world, ExecutorEnvironment environment, Encoding encoding,
                               ExecutorClientCallbacks callbacks)
    : shell_(std::make_unique<Shell>(std::move(world), std::move(environment), encoding,
                                     std::move(callbacks))) {}
ExecutorClient::~ExecutorClient() = default;

void ExecutorClient::Start() { shell_->shell.Perform(shell_->subscription.Start()); }
void ExecutorClient::Stop() { shell_->shell.Stop(); }

Result<uint64_t> ExecutorClient::Call(mesos::v1::executor::Call call) {
  Actions actions;
  auto id = shell_->subscription.Send(std::move(call), actions);
  shell_->shell.Perform(std::move(actions));
  return id;
}

}  // namespace kiln::wire

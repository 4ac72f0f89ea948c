#include "wire/mesos/scheduler_client.h"

#include "wire/mesos/client_shell.h"
#include "wire/mesos/scheduler_subscription.h"

namespace kiln::wire {

class SchedulerClient::Shell {
 public:
  Shell(net::World world, SchedulerClientOptions options, SchedulerClientCallbacks callbacks)
      : subscription(std::move(options), std::move(callbacks.subscribe), world.seed()),
        shell(std::move(world), subscription,
              {[on_event = std::move(callbacks.on_event)](const Deliver& deliver) {
                 on_event(std::get<mesos::v1::scheduler::Event>(deliver.event));
               },
               std::move(callbacks.on_disconnected), std::move(callbacks.on_answer)}) {}

  SchedulerSubscription subscription;
  ClientShell shell;
};

SchedulerClient::SchedulerClient(net::World world, SchedulerClientOptions options,
                                 SchedulerClientCallbacks callbacks)
    : shell_(std::make_unique<Shell>(std::move(world), std::move(options), std::move(callbacks))) {}
SchedulerClient::~SchedulerClient() = default;

void SchedulerClient::Start() { shell_->shell.Perform(shell_->subscription.Start()); }
void SchedulerClient::Stop() { shell_->shell.Stop(); }

void SchedulerClient::SetMasters(std::vector<std::string> masters, std::string name) {
  ClientShell& shell = shell_->shell;
  shell.Perform(shell_->subscription.SetMasters(std::move(masters), std::move(name), shell.Now()));
}

void SchedulerClient::SetAuthorization(std::string authorization) {
  shell_->shell.Perform(shell_->subscription.SetAuthorization(std::move(authorization)));
}

Result<uint64_t> SchedulerClient::Call(mesos::v1::scheduler::Call call) {
  Actions actions;
  auto id = shell_->subscription.Send(std::move(call), actions);
  shell_->shell.Perform(std::move(actions));
  return id;
}

}  // namespace kiln::wire

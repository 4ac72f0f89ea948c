// A Mesos master that does what a test says: it takes calls and sends events.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proto/mesos/v1/scheduler.pb.h"
#include "wire/mesos/json.h"
#include "wire/mesos/recordio.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::scheduler {

// Threads: the loop's alone.
class FakeMaster {
 public:
  using Call = mesos::v1::scheduler::Call;
  using Event = mesos::v1::scheduler::Event;

  explicit FakeMaster(net::Loop& loop) {
    server_ = *net::Server::Listen(
        loop, {}, [this](std::shared_ptr<net::Exchange> exchange) { Handle(std::move(exchange)); });
  }

  std::string address() const { return server_->address(); }
  // Every call but SUBSCRIBE, in their order.
  std::vector<Call> calls;
  std::vector<Call::Subscribe> subscriptions;
  // Whether the header Authorization will do; else the answer is 401.
  std::function<bool(const std::string&)> admits = [](const std::string&) { return true; };
  // Sent in place of SUBSCRIBED, once.
  std::string refusal;

  std::vector<Call> CallsOf(Call::Type type) const {
    std::vector<Call> found;
    for (const Call& call : calls) {
      if (call.type() == type) found.push_back(call);
    }
    return found;
  }

  void Send(const Event& event) { stream_->Write(wire::EncodeRecord(event.SerializeAsString())); }
  void Offer(const std::string& id, double cpus, double mem, const std::string& gpu = "") {
    Event event;
    event.set_type(Event::OFFERS);
    mesos::v1::Offer& offer = *event.mutable_offers()->add_offers();
    offer.mutable_id()->set_value(id);
    offer.mutable_framework_id()->set_value("f-1");
    offer.mutable_agent_id()->set_value("a1");
    offer.set_hostname("host1");
    offer.mutable_allocation_info()->set_role("*");
    for (const auto& [name, amount] : {std::pair("cpus", cpus), {"mem", mem}}) {
      mesos::v1::Resource& resource = *offer.add_resources();
      resource.set_name(name);
      resource.set_type(mesos::v1::Value::SCALAR);
      resource.mutable_scalar()->set_value(amount);
      resource.mutable_allocation_info()->set_role("*");
    }
    if (!gpu.empty()) {
      mesos::v1::Resource& resource = *offer.add_resources();
      resource.set_name("nvidia_gpu");
      resource.set_type(mesos::v1::Value::SET);
      resource.mutable_set()->add_item(gpu);
      resource.mutable_allocation_info()->set_role("*");
    }
    Send(event);
  }
  void Update(const std::string& task, mesos::v1::TaskState state, const std::string& uuid) {
    Event event;
    event.set_type(Event::UPDATE);
    mesos::v1::TaskStatus& status = *event.mutable_update()->mutable_status();
    status.mutable_task_id()->set_value(task);
    status.mutable_agent_id()->set_value("a1");
    status.set_state(state);
    status.set_source(mesos::v1::TaskStatus::SOURCE_EXECUTOR);
    if (!uuid.empty()) status.set_uuid(uuid);
    Send(event);
  }
  void CloseStream() { stream_->Abort(); }

 private:
  void Handle(std::shared_ptr<net::Exchange> exchange) {
    Call call;
    ASSERT_TRUE(call.ParseFromString(exchange->request().body));
    const auto& headers = exchange->request().headers;
    if (!admits(std::string(headers.Get("Authorization").value_or("")))) {
      return exchange->Respond({401, {{"WWW-Authenticate", "acsjwt"}}, "no"});
    }
    if (call.type() != Call::SUBSCRIBE) {
      calls.push_back(call);
      exchange->Respond({202, {}, ""});
      if (call.type() == Call::TEARDOWN) stream_->EndStream();
      return;
    }
    subscriptions.push_back(call.subscribe());
    stream_ = std::move(exchange);
    stream_->BeginStream(
        {200, {{"Content-Type", "application/x-protobuf"}, {"Mesos-Stream-Id", "s"}}, ""});
    Event event;
    if (refusal.empty()) {
      event.set_type(Event::SUBSCRIBED);
      const auto& info = call.subscribe().framework_info();
      event.mutable_subscribed()->mutable_framework_id()->set_value(
          info.has_id() ? info.id().value() : "f-" + std::to_string(subscriptions.size()));
      event.mutable_subscribed()->set_heartbeat_interval_seconds(15);
      return Send(event);
    }
    event.set_type(Event::ERROR);
    event.mutable_error()->set_message(std::exchange(refusal, ""));
    Send(event);
    stream_->EndStream();
  }

  std::unique_ptr<net::Server> server_;
  std::shared_ptr<net::Exchange> stream_;
};

}  // namespace kiln::scheduler

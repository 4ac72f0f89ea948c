// The master's offers: made by the allocator, sent, declined, taken back.
#include <algorithm>
#include <cmath>

#include "local/cluster/master.h"
#include "local/cluster/validation.h"

namespace kiln::local {

namespace scheduler = mesos::v1::scheduler;
using mesos::v1::FrameworkInfo;
using mesos::v1::Offer;

namespace {

// What the framework's capabilities let it see.
Offer ForFramework(Offer offer, const FrameworkInfo& info) {
  const bool roles = HasCapability(info, FrameworkInfo::Capability::MULTI_ROLE);
  const bool stacks = HasCapability(info, FrameworkInfo::Capability::RESERVATION_REFINEMENT);
  if (!roles) offer.clear_allocation_info();
  for (mesos::v1::Resource& resource : *offer.mutable_resources()) {
    if (!roles) resource.clear_allocation_info();
    if (!stacks) DowngradeResource(&resource);
  }
  return offer;
}

}  // namespace

// The port in "slave(1)@127.0.0.1:5051".
mesos::v1::URL UrlOf(const MasterAgent& agent) {
  mesos::v1::URL url;
  const size_t at = agent.pid.find('@');
  const size_t colon = agent.pid.rfind(':');
  url.set_scheme("http");
  url.mutable_address()->set_hostname(agent.info.hostname());
  if (at != std::string::npos && colon != std::string::npos && colon > at) {
    url.mutable_address()->set_ip(agent.pid.substr(at + 1, colon - at - 1));
    url.mutable_address()->set_port(std::atoi(agent.pid.c_str() + colon + 1));
    url.set_path("/" + agent.pid.substr(0, at));
  }
  return url;
}

std::optional<Duration> RefusedFor(const mesos::v1::Filters& filters) {
  constexpr double kDefault = 5;
  constexpr double kMost = 365.0 * 86400;
  double seconds = filters.refuse_seconds();
  if (std::isnan(seconds) || seconds < 0) seconds = kDefault;
  if (seconds == 0) return std::nullopt;
  return FromSeconds(std::min(seconds, kMost));
}

void Master::Allocate(const std::set<std::string>* agents) {
  std::map<std::string, std::vector<std::string>> sent;
  for (Allocation& allocation : allocator_.Allocate(now_, random_, agents)) {
    MasterFramework& framework = frameworks_.at(allocation.framework_id);
    MasterAgent& agent = agents_.at(allocation.agent_id);
    const std::string id = NewOfferId();
    MasterOffer& offer = offers_[id];
    offer.wire.mutable_id()->set_value(id);
    *offer.wire.mutable_framework_id() = framework.info.id();
    *offer.wire.mutable_agent_id() = agent.info.id();
    offer.wire.set_hostname(agent.info.hostname());
    *offer.wire.mutable_url() = UrlOf(agent);
    *offer.wire.mutable_resources() = allocation.resources.List();
    *offer.wire.mutable_attributes() = agent.info.attributes();
    if (const auto* unavailability = UnavailabilityOf(agent)) {
      *offer.wire.mutable_unavailability() = *unavailability;
    }
    if (agent.info.has_domain()) *offer.wire.mutable_domain() = agent.info.domain();
    offer.wire.mutable_allocation_info()->set_role(allocation.role);
    for (const auto& [key, executor] : agent.executors) {
      if (key.first == framework.id()) *offer.wire.add_executor_ids() = executor.executor_id();
    }
    if (options_.offer_timeout) offer.end = now_ + *options_.offer_timeout;
    framework.offers.insert(id);
    agent.offers.insert(id);
    sent[framework.id()].push_back(id);
  }
  for (const auto& [framework_id, offers] : sent) SendOffers(frameworks_.at(framework_id), offers);
  SendInverseOffers(agents);
}

void Master::SendOffers(const MasterFramework& framework, const std::vector<std::string>& offers) {
  scheduler::Event event;
  event.set_type(scheduler::Event::OFFERS);
  for (const std::string& id : offers) {
    *event.mutable_offers()->add_offers() = ForFramework(offers_.at(id).wire, framework.info);
  }
  counts_.offers_sent += static_cast<int>(offers.size());
  Send(framework, std::move(event));
}

void Master::RemoveOffer(const std::string& id, bool rescind, std::optional<Duration> refuse) {
  const MasterOffer offer = offers_.at(id);
  offers_.erase(id);
  const std::string& framework_id = offer.wire.framework_id().value();
  const std::string& agent_id = offer.wire.agent_id().value();
  if (auto found = agents_.find(agent_id); found != agents_.end()) found->second.offers.erase(id);
  allocator_.Recover(framework_id, agent_id, Resources(offer.wire.resources()), refuse, now_);
  auto framework = frameworks_.find(framework_id);
  if (framework == frameworks_.end()) return;
  framework->second.offers.erase(id);
  if (!rescind) return;
  scheduler::Event event;
  event.set_type(scheduler::Event::RESCIND);
  event.mutable_rescind()->mutable_offer_id()->set_value(id);
  ++counts_.offers_rescinded;
  Send(framework->second, std::move(event));
}

void Master::RemoveOffers(std::set<std::string> ids, bool rescind) {
  for (const std::string& id : ids) RemoveOffer(id, rescind);
}

void Master::Decline(MasterFramework& framework, const scheduler::Call::Decline& decline) {
  for (const auto& id : decline.offer_ids()) {
    if (framework.offers.count(id.value())) {
      RemoveOffer(id.value(), false, RefusedFor(decline.filters()));
    }
  }
}

}  // namespace kiln::local

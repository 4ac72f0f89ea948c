#include "tests/mesos/stream_matcher.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/mesos/offer_parts.h"

namespace kiln::replay {
namespace {

constexpr double kHeartbeatsApartMs = 10'000;

// The parts of an event that may come in one event or in several.
std::vector<Json> Split(const Json& json) {
  struct List {
    const char* type;
    const char* field;
  };
  static const List kLists[] = {{"OFFERS", "offers"}, {"INVERSE_OFFERS", "inverse_offers"}};
  for (const auto& [type, field] : kLists) {
    if (json.value("type", Json()) != type || !json.contains(field)) continue;
    const Json list = json[field].value(field, Json::array());
    if (list.size() <= 1) return {json};
    std::vector<Json> parts;
    for (const Json& item : list) {
      parts.push_back({{"type", type}, {field, {{field, Json::array({item})}}}});
    }
    return parts;
  }
  return {json};
}

// Events of these classes may change places among themselves.
bool AnyPlace(const std::string& kind) {
  return kind == "OFFERS" || kind == "INVERSE_OFFERS" || kind == "RESCIND" || kind == "FAILURE";
}

const Json* StatusOf(const Json& json) {
  static const Json::json_pointer kUpdate("/update/status");
  static const Json::json_pointer kTaskUpdated("/task_updated/status");
  if (json.contains(kUpdate)) return &json.at(kUpdate);
  if (json.contains(kTaskUpdated)) return &json.at(kTaskUpdated);
  return nullptr;
}

std::string ContainerOf(const Json& json) {
  static const Json::json_pointer kContainer("/container_status/container_id/value");
  const Json* status = StatusOf(json);
  return status && status->contains(kContainer) ? status->at(kContainer).get<std::string>() : "";
}

bool IsNestedKill(const Json& json) {
  static const Json::json_pointer kParent("/container_status/container_id/parent");
  const Json* status = StatusOf(json);
  if (!status || !status->contains(kParent)) return false;
  const Json state = status->value("state", Json());
  return state == "TASK_KILLING" || state == "TASK_KILLED";
}

std::string NameOfUpdate(const Json& status) {
  return status.value("task_id", Json()).dump() + status.value("uuid", Json()).dump();
}

std::string Name(const Json& json, const std::string& end) {
  return end.empty() ? KindOf(json, end) : end;
}

}  // namespace

std::string KindOf(const Json& json, const std::string& end) {
  if (!end.empty()) return "end";
  static const Json::json_pointer kNames[] = {
      Json::json_pointer("/update/status/task_id/value"),
      Json::json_pointer("/task_updated/status/task_id/value"),
      Json::json_pointer("/task_added/task/task_id/value"),
      Json::json_pointer("/acknowledged/task_id/value"),
      Json::json_pointer("/update_operation_status/status/operation_id/value"),
  };
  const Json type = json.value("type", Json());
  std::string kind = type.is_string() ? type.get<std::string>() : "record without type";
  for (const auto& name : kNames) {
    if (json.contains(name) && json.at(name).is_string()) {
      kind += " " + json.at(name).get<std::string>();
    }
  }
  return kind;
}

void StreamMatcher::Receive(Record record) {
  if (!record.end.empty()) {
    pending_.push_back({record, "end", {}});
    return;
  }
  for (Json& part : Split(record.json)) {
    const std::string kind = KindOf(part, "");
    pending_.push_back({{std::move(part), "", record.at_ms}, kind, {}});
  }
}

// An update that is recorded again because the agent came back may come once.
bool StreamMatcher::MayBeMissing(const Json& event) {
  const Json* status = StatusOf(event);
  if (!status || !status->contains("uuid")) return false;
  const bool repetition = !updates_expected_.insert(NameOfUpdate(*status)).second;
  return repetition && agent_restarted_;
}

void StreamMatcher::Expect(const std::vector<ExpectedEvent>& events) {
  for (const ExpectedEvent& event : events) {
    if (!event.end.empty()) {
      expected_.push_back({event, "end"});
      continue;
    }
    for (Json& part : Split(event.json)) {
      if (MayBeMissing(part)) continue;
      const std::string kind = KindOf(part, "");
      expected_.push_back({{std::move(part), "", event.earliest_ms, event.latest_ms}, kind});
    }
  }
}

std::optional<Difference> StreamMatcher::CheckHeartbeat(const Record& record) {
  const auto before = last_heartbeat_ms_;
  last_heartbeat_ms_ = record.at_ms;
  if (!before || record.at_ms - *before >= kHeartbeatsApartMs) return {};
  return Difference{"HEARTBEAT", "one every 15 s",
                    fmt::format("two within {:.0f} ms", record.at_ms - *before)};
}

bool StreamMatcher::CameBefore(const Record& record) const {
  const Json* status = StatusOf(record.json);
  return agent_restarted_ && status && status->contains("uuid") &&
         updates_taken_.contains(NameOfUpdate(*status));
}

std::optional<Difference> StreamMatcher::TakeIfAlike(const Wanted& wanted, const Record& record,
                                                     Bindings& bindings) {
  if (wanted.event.end != record.end) {
    return Difference{"", Name(wanted.event.json, wanted.event.end), record.end};
  }
  if (record.end.empty()) {
    const std::string container = ContainerOf(record.json);
    const MatchOptions options{.first_update = !containers_.contains(container),
                               .nested_kill = IsNestedKill(wanted.event.json)};
    if (auto difference = Match(wanted.event.json, record.json, bindings, options)) {
      return difference;
    }
    containers_.insert(container);
    if (const Json* status = StatusOf(record.json)) updates_taken_.insert(NameOfUpdate(*status));
  }
  if (record.at_ms >= wanted.event.earliest_ms && record.at_ms <= wanted.event.latest_ms) return {};
  return Difference{
      "its time",
      fmt::format("between {:.0f} and {:.0f} ms", wanted.event.earliest_ms, wanted.event.latest_ms),
      fmt::format("{:.0f} ms", record.at_ms)};
}

std::optional<Difference> StreamMatcher::Try(Pending& pending, Bindings& bindings, bool& taken) {
  for (auto wanted = expected_.begin(); wanted != expected_.end(); ++wanted) {
    if (wanted->kind != pending.kind) continue;
    auto difference = TakeIfAlike(*wanted, pending.record, bindings);
    if (!difference) {
      expected_.erase(wanted);
      taken = true;
      return {};
    }
    difference->path = pending.kind + (difference->path.empty() ? "" : ": ") + difference->path;
    if (!AnyPlace(pending.kind)) return difference;
    if (!pending.difference) pending.difference = difference;
  }
  return {};
}

std::optional<Difference> StreamMatcher::Advance(Bindings& bindings) {
  for (auto pending = pending_.begin(); pending != pending_.end();) {
    if (pending->kind == "HEARTBEAT" && pending->record.at_ms != last_heartbeat_ms_) {
      if (auto difference = CheckHeartbeat(pending->record)) return difference;
    }
    const bool first_wanted = !expected_.empty() && expected_.front().kind == "SUBSCRIBED";
    if (first_wanted && pending->kind != "SUBSCRIBED" && pending->kind != "HEARTBEAT") {
      return Difference{"", "SUBSCRIBED", Name(pending->record.json, pending->record.end)};
    }
    bool taken = false;
    if (auto difference = Try(*pending, bindings, taken)) {
      if (!CameBefore(pending->record)) return difference;
      taken = true;
    }
    if (!taken && pending->kind == "end" && !expected_.empty()) return Missing();
    taken = taken || pending->kind == "HEARTBEAT" || CameBefore(pending->record);
    pending = taken ? pending_.erase(pending) : std::next(pending);
  }
  while (TakeParts(bindings) || TakeWhole(bindings)) {
  }
  return {};
}

// Two pending offers that are parts of an expected one.
bool StreamMatcher::TakeParts(Bindings& bindings) {
  for (auto first = pending_.begin(); first != pending_.end(); ++first) {
    for (auto second = std::next(first); second != pending_.end(); ++second) {
      const auto joined = Joined(first->record.json, second->record.json);
      if (!joined) continue;
      Pending whole{{*joined, "", second->record.at_ms}, "OFFERS", {}};
      bool taken = false;
      Try(whole, bindings, taken);
      if (!taken) continue;
      bindings.SetPart(OfferIdOf(*joined), OfferIdOf(first->record.json));
      pending_.erase(first);
      pending_.erase(second);
      return true;
    }
  }
  return false;
}

// A pending offer that is the whole of two expected ones.
bool StreamMatcher::TakeWhole(Bindings& bindings) {
  for (auto first = expected_.begin(); first != expected_.end(); ++first) {
    for (auto second = std::next(first); second != expected_.end(); ++second) {
      const auto joined = Joined(first->event.json, second->event.json);
      for (auto pending = pending_.begin(); joined && pending != pending_.end(); ++pending) {
        Wanted whole = *second;
        whole.event.json = *joined;
        whole.event.earliest_ms = first->event.earliest_ms;
        if (pending->kind != whole.kind || TakeIfAlike(whole, pending->record, bindings)) continue;
        bindings.SetSame(OfferIdOf(first->event.json), OfferIdOf(pending->record.json));
        expected_.erase(first);
        expected_.erase(second);
        pending_.erase(pending);
        return true;
      }
    }
  }
  return false;
}

double StreamMatcher::Deadline() const {
  double deadline = 0;
  for (const Wanted& wanted : expected_) deadline = std::max(deadline, wanted.event.latest_ms);
  return deadline;
}

Difference StreamMatcher::Missing() const {
  const Wanted& wanted = expected_.front();
  for (const Pending& pending : pending_) {
    if (pending.kind == wanted.kind && pending.difference) return *pending.difference;
  }
  std::string found = "nothing";
  for (const Pending& pending : pending_) {
    if (found == "nothing") found.clear();
    found += (found.empty() ? "" : ", ") + Name(pending.record.json, pending.record.end);
  }
  return Difference{"", Name(wanted.event.json, wanted.event.end), found};
}

std::vector<Record> StreamMatcher::Unmatched() const {
  std::vector<Record> records;
  for (const Pending& pending : pending_) records.push_back(pending.record);
  return records;
}

}  // namespace kiln::replay

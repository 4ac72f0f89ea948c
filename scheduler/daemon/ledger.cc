#include "scheduler/daemon/ledger.h"

#include "wire/records/records.h"

namespace kiln::scheduler {
namespace {

template <typename Map, typename Key>
Change ChangeOf(const char* kind, const Map& map, const Key& key, const std::string& name) {
  const auto found = map.find(key);
  if (found == map.end()) return {kind, name, std::nullopt};
  return {kind, name, wire::Encode(found->second)};
}

Status Put(std::string_view kind, std::string_view key, std::string_view bytes, State& state) {
  Status decoded = wire::Decode(bytes, state);
  if (decoded) return decoded;
  return Failure(Within(fmt::format("state {} {}", kind, key), decoded.error()));
}

void Remove(const std::string& kind, const std::string& key, State& state) {
  if (kind == "job") {
    state.jobs.erase(key);
  } else if (kind == "task") {
    state.tasks.erase({key});
  } else if (kind == "model") {
    state.models.erase(key);
  } else if (kind == "agent") {
    state.agents.erase({key});
  } else if (kind == "suspicion") {
    const size_t slash = key.find('/');
    state.suspicions.erase({{key.substr(0, slash)}, {key.substr(slash + 1)}});
  } else if (kind == "volume") {
    state.volumes.erase(key);
  }
}

}  // namespace

Status Apply(const Change& change, State& state) {
  if (!change.bytes) {
    Remove(change.kind, change.key, state);
    return {};
  }
  return Put(change.kind, change.key, *change.bytes, state);
}

Result<State> Ledger::Load() {
  State state;
  KILN_TRY(revision_, store_->Read([&state](auto... record) { return Put(record..., state); }));
  return state;
}

Status Ledger::Write(const State& state, const Effects& effects) {
  std::vector<Change> changes;
  if (effects.meta) changes.push_back({"meta", "", wire::EncodeMeta(state)});
  for (const std::string& name : effects.jobs) {
    changes.push_back(ChangeOf("job", state.jobs, name, name));
  }
  for (const TaskId& id : effects.tasks) {
    changes.push_back(ChangeOf("task", state.tasks, id, id.text));
  }
  for (const std::string& name : effects.models) {
    changes.push_back(ChangeOf("model", state.models, name, name));
  }
  for (const AgentId& id : effects.agents) {
    changes.push_back(ChangeOf("agent", state.agents, id, id.text));
  }
  for (const Suspect& suspect : effects.suspicions) {
    const auto found = state.suspicions.find(suspect);
    Change change{"suspicion", suspect.agent.text + "/" + suspect.gpu.text, std::nullopt};
    if (found != state.suspicions.end()) change.bytes = wire::Encode(suspect, found->second);
    changes.push_back(std::move(change));
  }
  for (const std::string& id : effects.volumes) {
    changes.push_back(ChangeOf("volume", state.volumes, id, id));
  }
  KILN_TRY(revision_, store_->Commit(revision_, changes));
  return {};
}

}  // namespace kiln::scheduler

#include "model/gpu_inventory.h"
#include "model/units.h"
#include "scheduler/store/change_codec.h"
#include "tests/fuzz/targets.h"
#include "wire/mesos/executor_client.h"
#include "wire/records/records.h"
#include "wire/rest/cluster_codec.h"
#include "wire/rest/job_codec.h"
#include "wire/rest/json.h"
#include "wire/rest/role_codec.h"
#include "wire/zookeeper/address.h"

namespace kiln::fuzz {
namespace {

std::vector<std::string> RecordsOf(const scheduler::State& state) {
  std::vector<std::string> records = {wire::EncodeMeta(state)};
  for (const auto& [name, job] : state.jobs) records.push_back(wire::Encode(job));
  for (const auto& [id, task] : state.tasks) records.push_back(wire::Encode(task));
  for (const auto& [name, model] : state.models) records.push_back(wire::Encode(model));
  for (const auto& [id, agent] : state.agents) records.push_back(wire::Encode(agent));
  for (const auto& [suspect, suspicion] : state.suspicions) {
    records.push_back(wire::Encode(suspect, suspicion));
  }
  for (const auto& [id, volume] : state.volumes) records.push_back(wire::Encode(volume));
  return records;
}

}  // namespace

void FeedStateRecord(std::string_view bytes) {
  scheduler::State state;
  if (!wire::Decode(bytes, state)) return;
  scheduler::State again;
  const auto records = RecordsOf(state);
  for (const std::string& record : records) {
    Require(wire::Decode(record, again).has_value(), "a record that is written can be read");
  }
  Require(RecordsOf(again) == records, "a record read and written again is the same");
}

void FeedChanges(std::string_view bytes) {
  const auto changes = scheduler::ReadChanges(bytes);
  if (!changes) return;
  std::string again;
  for (const scheduler::Change& change : *changes) scheduler::AppendChange(change, again);
  Require(again == bytes, "changes read and written again are the same");
}

void FeedJob(std::string_view bytes) {
  const auto job = wire::DecodeJob(bytes);
  if (!job) return Require(!job.error().message.empty(), "who refuses a job says why");
  const auto again = wire::JobFromJson(wire::JobToJson(*job));
  Require(again.has_value(), "a job that is written can be read");
  Require(wire::JobDigest(*again) == wire::JobDigest(*job), "a job read again is the same");
}

void FeedSettings(std::string_view bytes) {
  (void)wire::DecodeRoles(bytes);
  (void)wire::DecodeCluster(bytes);
}

void FeedWords(std::string_view bytes) {
  (void)wire::ParseZookeeperAddress(bytes);
  (void)ParseBytes(bytes);
  (void)ParseDuration(bytes);
  (void)ParseGpuInventory(bytes);
  (void)ParseGpuAttribute(bytes);
  (void)ParseGpuLink(bytes);
  (void)wire::ParseMesosDuration(bytes);
}

}  // namespace kiln::fuzz

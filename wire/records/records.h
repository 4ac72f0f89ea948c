// The scheduler's state as records of bytes, one a noun, and back.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "scheduler/lifecycle/state.h"

namespace kiln::wire {

// The version that this program writes, and the highest that it reads.
inline constexpr uint32_t kRecordVersion = 1;

// Framework id and incarnation.
std::string EncodeMeta(const scheduler::State& state);
std::string Encode(const scheduler::JobRecord& job);
std::string Encode(const Task& task);
std::string Encode(const scheduler::Model& model);
std::string Encode(const Agent& agent);
std::string Encode(const scheduler::Suspect& suspect, const scheduler::Suspicion& suspicion);
std::string Encode(const scheduler::VolumeRecord& volume);

// Puts one record into the state, under its own name. kDataLoss when the bytes are no record,
// kFailedPrecondition when a newer program wrote it.
Status Decode(std::string_view bytes, scheduler::State& state);

}  // namespace kiln::wire

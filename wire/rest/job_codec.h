// Jobs as JSON and YAML: the job file.
#pragma once

#include <string_view>

#include "base/result.h"
#include "model/job.h"
#include "wire/rest/json_fwd.h"

namespace kiln::wire {

// Reads a job file and validates the job. Errors have the path of the field.
Result<Job> DecodeJob(std::string_view text);
// The same from a parsed document.
Result<Job> JobFromJson(const Json& json);

// What differs from the defaults, so that the text of a job stays when Kiln learns a new key.
// An expanded job has "merge" groups, which a job file cannot have.
Json JobToJson(const Job& job);

// Of the job as submitted. The same for two files that mean the same.
uint64_t JobDigest(const Job& job);

// The JSON Schema of a job file, with every key and default.
Json JobSchema();

const char* JobKindName(JobKind kind);
const char* AlgorithmName(Algorithm algorithm);

}  // namespace kiln::wire

// Where bytes are: the URIs that tasks can read and write.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/job.h"

namespace kiln {

// artifact:PATH, http://HOST/PATH, file:///PATH or /PATH on the agents; an artifact's path has no
// empty part, no "." and no "..". `field` and `thing` are for the error.
Status CheckUri(const std::string& field, std::string_view thing, const std::string& uri);

// The same of all data and outputs of a job that is to run. A job file may name data beside it, so
// this is no part of Validate.
Status CheckUris(const Job& job);

}  // namespace kiln

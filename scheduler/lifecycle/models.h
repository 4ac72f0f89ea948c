// Which version a reference to a model means.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "scheduler/lifecycle/state.h"

namespace kiln::scheduler {

// By version, by label, or the latest. kNotFound says what is missing. The version lives as long as
// the map's entry.
Result<const ModelVersion*> Resolve(const std::map<std::string, Model>& models,
                                    const ModelRef& ref);

// The first model that the work needs and the registry has not.
Status HasModels(const std::map<std::string, Model>& models, const Work& work);

}  // namespace kiln::scheduler

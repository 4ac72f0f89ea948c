// The known name that was probably meant: for error messages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// The name in `known` that takes the fewest edits (insert, delete, change, swap of neighbours) to
// become `name`; empty when none is closer than half its length. The first of equals.
std::string NearestName(std::string_view name, const std::vector<std::string>& known);

}  // namespace kiln

// Mustache as DC/OS's package manager (Cosmos) renders a package's template.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/rest/json.h"

namespace kiln::universe {

// The text with {{name}} and {{{name}}} replaced by values, {{#name}}...{{/name}} kept where the
// value is true or a string that is not empty, and {{^name}}...{{/name}} where it is not. Names are
// dotted paths. Strings are escaped as inside JSON's quotes, arrays are JSON.
//
// kInvalidArgument, with the line, for what Cosmos would render in silence or differently from
// version to version: a name without a value, a section that is not closed or not opened, a section
// on a number, an array or an object.
Result<std::string> RenderMustache(std::string_view text, const wire::Json& values);

}  // namespace kiln::universe

// What a caller of the API may do.
#pragma once

#include <optional>
#include <string_view>

namespace kiln::scheduler {

struct Route;

// Each may do what those before it may.
enum class Access { kOpen, kView, kSubmit, kAdmin };

const char* AccessName(Access access);  // "view"
// Nothing for a word that no token has as its access.
std::optional<Access> ParseAccess(std::string_view word);

// What a route asks of its caller.
Access AccessOf(const Route& route);
// Whether the tasks of a job may use it, with the token of their job.
bool IsForTasks(const Route& route);

}  // namespace kiln::scheduler

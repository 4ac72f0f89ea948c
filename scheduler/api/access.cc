#include "scheduler/api/access.h"

#include <algorithm>
#include <array>

#include "scheduler/api/router.h"

namespace kiln::scheduler {
namespace {

struct Name {
  std::string_view method;
  std::string_view pattern;

  bool operator==(const Name&) const = default;
};

// Health checks have no token, the page asks for one, and descriptions are no secret.
constexpr std::array kOpen = {Name{"GET", "/"}, Name{"GET", "/v1/health"},
                              Name{"GET", "/v1/openapi.json"}, Name{"GET", "/v1/schema/job"}};
constexpr std::array kAdmin = {Name{"POST", "/v1/agents/{id}/quarantine"},
                               Name{"POST", "/v1/agents/{id}/release"}};
// Data and models in, results and models out.
constexpr std::array kForTasks = {Name{"GET", "/v1/artifacts/{path...}"},
                                  Name{"PUT", "/v1/artifacts/{path...}"},
                                  Name{"POST", "/v1/models/{name}/versions"}};

bool Stands(const Route& route, const auto& names) {
  return std::find(names.begin(), names.end(), Name{route.method, route.pattern}) != names.end();
}

}  // namespace

const char* AccessName(Access access) {
  switch (access) {
    case Access::kOpen:
      return "open";
    case Access::kView:
      return "view";
    case Access::kSubmit:
      return "submit";
    case Access::kAdmin:
      return "admin";
  }
  return "admin";
}

std::optional<Access> ParseAccess(std::string_view word) {
  for (const Access access : {Access::kView, Access::kSubmit, Access::kAdmin}) {
    if (word == AccessName(access)) return access;
  }
  return std::nullopt;
}

Access AccessOf(const Route& route) {
  if (Stands(route, kOpen)) return Access::kOpen;
  if (Stands(route, kAdmin)) return Access::kAdmin;
  return std::string_view(route.method) == "GET" ? Access::kView : Access::kSubmit;
}

bool IsForTasks(const Route& route) { return Stands(route, kForTasks); }

}  // namespace kiln::scheduler

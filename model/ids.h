// Identities as types: one cannot be passed for another.
#pragma once

#include <compare>
#include <functional>
#include <string>

namespace kiln {

template <typename Tag>
struct StrongId {
  std::string text;

  auto operator<=>(const StrongId&) const = default;
  bool empty() const { return text.empty(); }
};

using FrameworkId = StrongId<struct FrameworkTag>;
using AgentId = StrongId<struct AgentTag>;
using OfferId = StrongId<struct OfferTag>;
using ExecutorId = StrongId<struct ExecutorTag>;
using TaskId = StrongId<struct TaskTag>;
using GpuId = StrongId<struct GpuTag>;

}  // namespace kiln

template <typename Tag>
struct std::hash<kiln::StrongId<Tag>> {
  size_t operator()(const kiln::StrongId<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.text);
  }
};

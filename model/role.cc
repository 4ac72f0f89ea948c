#include "model/role.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace kiln {
namespace {

// Of everything below a role, per resource.
struct Sum {
  Amounts quota{};
  const Role* role = nullptr;  // if it is in the settings
  size_t index = 0;
};

int64_t SaturatingAdd(int64_t a, int64_t b) { return a > kUnlimited - b ? kUnlimited : a + b; }

Status CheckRole(const std::string& field, const Role& role) {
  KILN_TRY_OK(CheckRoleName(field + ".name", role.name));
  if (!std::isfinite(role.weight) || role.weight <= 0) {
    return FailField(field + ".weight", "weight of role {} is {}: expected more than 0", role.name,
                     role.weight);
  }
  for (size_t i = 0; i < kShared.size(); ++i) {
    if (role.quota[i] <= role.limit[i]) continue;
    return FailField(fmt::format("{}.quota.{}", field, kShared[i]),
                     "quota of role {} is {}: expected at most its limit of {}", role.name,
                     AmountText(i, role.quota[i]), AmountText(i, role.limit[i]));
  }
  return {};
}

// What the children are guaranteed together fits into what the role has.
Status CheckChildren(const Sum& sum) {
  const Role& role = *sum.role;
  for (size_t i = 0; i < kShared.size(); ++i) {
    const bool guaranteed = role.quota[i] > 0;
    const int64_t most = guaranteed ? role.quota[i] : role.limit[i];
    if (sum.quota[i] <= most) continue;
    return FailField(
        fmt::format("roles[{}].{}.{}", sum.index, guaranteed ? "quota" : "limit", kShared[i]),
        "quotas of the roles below {} are together {}: expected at most its {} of {}", role.name,
        AmountText(i, sum.quota[i]), guaranteed ? "quota" : "limit", AmountText(i, most));
  }
  return {};
}

Status CheckTree(const std::vector<Role>& roles) {
  std::map<std::string_view, Sum> sums;
  for (size_t i = 0; i < roles.size(); ++i) {
    Sum& sum = sums[roles[i].name];
    if (sum.role != nullptr) {
      return FailField(fmt::format("roles[{}].name", i), "role {} stands twice: expected once",
                       roles[i].name);
    }
    sum.role = &roles[i];
    sum.index = i;
    std::string_view above = ParentRole(roles[i].name);
    for (; !above.empty(); above = ParentRole(above)) sums.try_emplace(above);
  }
  // The longer a name, the deeper it is: each role comes before its parent.
  std::vector<std::string_view> deepest_first;
  for (const auto& [name, sum] : sums) deepest_first.push_back(name);
  std::stable_sort(deepest_first.begin(), deepest_first.end(),
                   [](auto a, auto b) { return a.size() > b.size(); });
  for (const std::string_view name : deepest_first) {
    const Sum& sum = sums[name];
    if (sum.role != nullptr) KILN_TRY_OK(CheckChildren(sum));
    const std::string_view parent = ParentRole(name);
    if (parent.empty()) continue;
    for (size_t i = 0; i < kShared.size(); ++i) {
      const int64_t own = sum.role == nullptr ? 0 : sum.role->quota[i];
      sums[parent].quota[i] = SaturatingAdd(sums[parent].quota[i], std::max(own, sum.quota[i]));
    }
  }
  return {};
}

bool IsForbidden(char c) { return (c >= '\t' && c <= '\r') || c == ' ' || c == 0x7f; }

}  // namespace

Amounts AmountsOf(const Resources& resources) {
  int64_t gpus_milli = 1000 * (resources.gpus + static_cast<int64_t>(resources.gpu_ids.size()));
  for (const GpuShare& share : resources.gpu_shares) gpus_milli += share.milli;
  int64_t disk = resources.disk.count;
  for (const NamedVolume& volume : resources.volumes) disk += volume.size.count;
  return {resources.cpus_milli, resources.mem.count, disk, gpus_milli};
}

Amounts AmountsOf(const Group& group) {
  int64_t disk = group.disk.count;
  for (const Volume& volume : group.volumes) disk += volume.size.count;
  return {group.revocable ? 0 : group.cpus_milli, group.mem.count, disk,
          std::llround(1000 * (group.gpus.share + group.gpus.count))};
}

Amounts Times(Amounts amounts, int64_t count) {
  for (int64_t& amount : amounts) amount *= count;
  return amounts;
}

void Add(Amounts& sum, const Amounts& more) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += more[i];
}

void Subtract(Amounts& sum, const Amounts& less) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] -= less[i];
}

std::string AmountText(size_t shared, int64_t amount) {
  if (shared == 0 || shared == 3) {
    return fmt::format("{} {}", static_cast<double>(amount) / 1000, kShared[shared]);
  }
  return fmt::format("{} of {}", FormatBytes({amount}), kShared[shared]);
}

std::optional<size_t> QuotaCovers(const Amounts& quota, const Amounts& used, const Amounts& asked) {
  std::optional<size_t> covered;
  for (size_t i = 0; i < asked.size(); ++i) {
    if (quota[i] == 0 || asked[i] == 0) continue;
    if (used[i] + asked[i] > quota[i]) return std::nullopt;
    covered = i;
  }
  return covered;
}

std::string_view ParentRole(std::string_view name) {
  const size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
}

bool IsWithin(std::string_view role, std::string_view other) {
  return role.starts_with(other) && (role.size() == other.size() || role[other.size()] == '/');
}

Status CheckRoleName(const std::string& field, const std::string& name) {
  const auto fault = [&](const char* expected) -> Status {
    return FailField(field, "role is \"{}\": expected {}", name, expected);
  };
  if (name == "*") return {};
  if (std::any_of(name.begin(), name.end(), IsForbidden)) {
    return fault("a name without blanks and control characters");
  }
  size_t begin = 0;
  while (begin <= name.size()) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    if (part.empty()) return fault("names joined by single slashes");
    if (part == "." || part == ".." || part == "*") return fault("no \".\", \"..\" or \"*\" in it");
    if (part.front() == '-') return fault("no name that begins with \"-\"");
    begin = end + 1;
  }
  return {};
}

Status Validate(const RoleSettings& settings) {
  for (size_t i = 0; i < settings.roles.size(); ++i) {
    KILN_TRY_OK(CheckRole(fmt::format("roles[{}]", i), settings.roles[i]));
  }
  return CheckTree(settings.roles);
}

}  // namespace kiln

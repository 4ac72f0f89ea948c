#include "wire/net/crowd.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <queue>
#include <string_view>
#include <tuple>

namespace kiln::net {

std::vector<size_t> WhoMakesRoom(std::span<const Guest> guests, size_t count) {
  std::map<std::string_view, std::vector<size_t>> hosts;  // the first to go is the last of each
  for (size_t i = 0; i < guests.size(); ++i) hosts[guests[i].host].push_back(i);
  std::priority_queue<std::pair<size_t, std::string_view>> largest;
  for (auto& [host, all] : hosts) {
    std::sort(all.begin(), all.end(), [guests](size_t a, size_t b) {
      return std::tie(guests[a].served, guests[a].since, a) >
             std::tie(guests[b].served, guests[b].since, b);
    });
    largest.emplace(all.size(), host);
  }
  std::vector<size_t> chosen;
  while (chosen.size() < count && !largest.empty() && largest.top().first > 1) {
    const std::string_view host = largest.top().second;
    std::vector<size_t>& all = hosts[host];
    largest.pop();
    chosen.push_back(all.back());
    all.pop_back();
    largest.emplace(all.size(), host);
  }
  return chosen;
}

std::vector<size_t> WhoHoldsTooMuch(std::span<const Guest> guests, size_t limit) {
  std::vector<size_t> order(guests.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [guests](size_t a, size_t b) { return guests[a].held > guests[b].held; });
  size_t held = 0;
  for (const Guest& guest : guests) held += guest.held;
  std::vector<size_t> chosen;
  for (const size_t i : order) {
    if (held <= limit) break;
    held -= guests[i].held;
    chosen.push_back(i);
  }
  return chosen;
}

}  // namespace kiln::net

#include "scheduler/placement/index.h"

#include <algorithm>
#include <tuple>

namespace kiln::scheduler {

bool ClusterIndex::Candidate::operator<(const Candidate& other) const {
  return std::tuple(apart, score, tightness, other.number) <
         std::tuple(other.apart, other.score, other.tightness, number);
}

int ClusterIndex::Add(const Shape& shape) {
  const int node = Size();
  nodes_.push_back(0);
  Join(node, shape);
  return node;
}

void ClusterIndex::Set(int node, const Shape& shape) {
  const uint32_t left = nodes_[static_cast<size_t>(node)];
  if (classes_[left].shape == shape) return;
  classes_[left].nodes.erase(node);
  if (classes_[left].nodes.empty()) {
    --live_;
    numbers_.erase(classes_[left].shape);
  }
  Join(node, shape);
  if (classes_.size() > 2 * live_ + 1024) Compact();
}

void ClusterIndex::Join(int node, const Shape& shape) {
  const auto [found, created] = numbers_.try_emplace(shape, classes_.size());
  const uint32_t number = found->second;
  if (created) {
    classes_.push_back({shape, judge_.Value(shape), {}});
    ++live_;
  }
  classes_[number].nodes.insert(node);
  nodes_[static_cast<size_t>(node)] = number;
}

std::optional<Choice> ClusterIndex::Best(const Need& need) {
  Asker& asker = askers_[need];
  asker.asked = true;
  for (; asker.seen < classes_.size(); ++asker.seen) {
    Consider(need, static_cast<uint32_t>(asker.seen), asker);
  }
  while (!asker.heap.empty()) {
    const Candidate& best = asker.heap.front();
    const std::set<int>& nodes = classes_[best.number].nodes;
    if (!nodes.empty()) return Choice{*nodes.begin(), best.device};
    std::pop_heap(asker.heap.begin(), asker.heap.end());
    asker.heap.pop_back();
  }
  return std::nullopt;
}

void ClusterIndex::Consider(const Need& need, uint32_t number, Asker& asker) const {
  const Class& from = classes_[number];
  if (from.nodes.empty() || !Fits(need, from.shape)) return;
  std::optional<Candidate> best;
  const int devices = need.IsShare() ? from.shape.devices : 1;
  for (int device = 0; device < devices; ++device) {
    const auto place = from.shape.free.begin() + device;
    if (need.IsShare() && *place < need.milli) break;
    if (device > 0 && *place == *(place - 1)) continue;
    const Shape left = Without(from.shape, need, device);
    const double score = judge_.Score(from.value, judge_.Value(left));
    const Candidate candidate{need.devices > 0 || from.shape.devices == 0,
                              static_cast<float>(score), static_cast<float>(Tightness(left)),
                              number, device};
    // Of devices with one score, the fullest.
    if (!best || !(candidate < *best)) best = candidate;
  }
  asker.heap.push_back(*best);
  std::push_heap(asker.heap.begin(), asker.heap.end());
}

// Numbers the live classes anew, and forgets needs that nobody asked for since the last time.
void ClusterIndex::Compact() {
  constexpr uint32_t kNone = ~0U;
  std::vector<uint32_t> renumbered(classes_.size() + 1, kNone);
  std::vector<size_t> below(classes_.size() + 1);  // live classes before each number
  size_t count = 0;
  for (size_t i = 0; i < classes_.size(); ++i) {
    below[i] = count;
    if (classes_[i].nodes.empty()) continue;
    renumbered[i] = static_cast<uint32_t>(count);
    if (count != i) classes_[count] = std::move(classes_[i]);
    ++count;
  }
  below[classes_.size()] = count;
  classes_.resize(count);
  for (auto& [shape, number] : numbers_) number = renumbered[number];
  for (uint32_t& number : nodes_) number = renumbered[number];
  std::erase_if(askers_, [](const auto& asker) { return !asker.second.asked; });
  for (auto& [need, asker] : askers_) {
    asker.asked = false;
    asker.seen = below[asker.seen];
    std::erase_if(asker.heap, [&](Candidate& candidate) {
      candidate.number = renumbered[candidate.number];
      return candidate.number == kNone;
    });
    std::make_heap(asker.heap.begin(), asker.heap.end());
  }
}

}  // namespace kiln::scheduler

// Rooms for the members of one group, the best first.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

namespace kiln::scheduler {

// The rank of a room only sinks while members go into others, so a room is looked at again only
// when it comes up, or when it was given last.
template <typename Rank>
class Choices {
 public:
  struct Barred {};  // by a rule that may change
  struct Closed {};  // for good
  using Look = std::variant<Rank, Barred, Closed>;

  explicit Choices(std::vector<size_t> rooms) : unseen_(std::move(rooms)) {}

  // Judges up to so many rooms that have not been judged yet; gives whether that were all. Best
  // judges those that are left.
  template <typename Judge>
  bool SeeSome(size_t count, Judge look) {
    for (; count > 0 && !unseen_.empty(); --count) {
      const size_t room = unseen_.back();
      unseen_.pop_back();
      See(room, look(room));
    }
    return unseen_.empty();
  }

  // The best room; of equal ones the first. `look` judges a room as it is. With `again`, those that
  // were barred are looked at too.
  template <typename Judge>
  std::optional<size_t> Best(bool again, Judge look) {
    if (again) {
      unseen_.insert(unseen_.end(), barred_.begin(), barred_.end());
      barred_.clear();
    }
    for (const size_t room : std::exchange(unseen_, {})) See(room, look(room));
    while (!ranked_.empty()) {
      const auto top = std::prev(ranked_.end());
      const int64_t entry = top->second;
      ranked_.erase(top);
      const auto room = static_cast<size_t>(-entry);
      See(room, look(room));
      if (ranked_.empty()) continue;
      const auto best = std::prev(ranked_.end());
      if (best->second != entry) continue;  // it has sunk
      ranked_.erase(best);
      unseen_.push_back(room);
      return room;
    }
    return std::nullopt;
  }

 private:
  void See(size_t room, const Look& seen) {
    if (const Rank* rank = std::get_if<Rank>(&seen)) {
      ranked_.emplace(*rank, -static_cast<int64_t>(room));
    } else if (std::holds_alternative<Barred>(seen)) {
      barred_.push_back(room);
    }
  }

  std::vector<size_t> unseen_;
  std::vector<size_t> barred_;
  std::set<std::pair<Rank, int64_t>> ranked_;  // by rank, and by room, which counts down
};

}  // namespace kiln::scheduler

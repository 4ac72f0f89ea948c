// Members of a group by their indices: a set, and a range of one that is borrowed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

namespace kiln::scheduler {

// A bit for each index up to the largest: a million members cost 125 KB. Ascending.
class MemberSet {
 public:
  // Gives whether it was not there before.
  bool Insert(int index);
  // Gives whether it was there.
  bool Erase(int index);
  bool Contains(int index) const;
  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }

  // What stands at the rank, and what follows it. Requires that there is such a one.
  int At(size_t rank) const;
  int After(int index) const;

 private:
  std::vector<uint64_t> words_;
  size_t count_ = 0;
};

// So many members of a set from a rank on, or so many indices from one on where there is no set.
// Copies are cheap; the set outlives them and does not change while they are read.
class MemberRange {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    using pointer = const int*;
    using reference = int;

    int operator*() const { return index_; }
    Iterator& operator++();
    // Of one range.
    bool operator==(const Iterator& other) const { return left_ == other.left_; }

   private:
    friend class MemberRange;
    Iterator(const MemberSet* set, int index, size_t left)
        : set_(set), index_(index), left_(left) {}

    const MemberSet* set_;
    int index_;
    size_t left_;
  };

  MemberRange() = default;
  explicit MemberRange(const MemberSet& set) : set_(&set), count_(set.size()) {}
  // The first so many of a group.
  static MemberRange First(size_t count) {
    MemberRange range;
    range.count_ = count;
    return range;
  }
  // So many of these, from a rank on. Requires that there are so many.
  MemberRange Part(size_t first, size_t count) const;

  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  Iterator begin() const;
  Iterator end() const { return {set_, 0, 0}; }

 private:
  const MemberSet* set_ = nullptr;
  size_t first_ = 0;
  size_t count_ = 0;
};

}  // namespace kiln::scheduler

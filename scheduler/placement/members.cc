#include "scheduler/placement/members.h"

#include <bit>

namespace kiln::scheduler {
namespace {

constexpr size_t kBits = 64;

size_t WordOf(int index) { return static_cast<size_t>(index) / kBits; }
uint64_t BitOf(int index) { return uint64_t{1} << (static_cast<size_t>(index) % kBits); }

int IndexOf(size_t word, uint64_t bits) {
  return static_cast<int>(word * kBits + static_cast<size_t>(std::countr_zero(bits)));
}

}  // namespace

bool MemberSet::Insert(int index) {
  const size_t word = WordOf(index);
  if (word >= words_.size()) words_.resize(word + 1);
  if ((words_[word] & BitOf(index)) != 0) return false;
  words_[word] |= BitOf(index);
  ++count_;
  return true;
}

bool MemberSet::Erase(int index) {
  if (!Contains(index)) return false;
  words_[WordOf(index)] &= ~BitOf(index);
  --count_;
  return true;
}

bool MemberSet::Contains(int index) const {
  const size_t word = WordOf(index);
  return word < words_.size() && (words_[word] & BitOf(index)) != 0;
}

int MemberSet::At(size_t rank) const {
  size_t word = 0;
  for (size_t here; rank >= (here = static_cast<size_t>(std::popcount(words_[word]))); ++word) {
    rank -= here;
  }
  uint64_t bits = words_[word];
  for (; rank > 0; --rank) bits &= bits - 1;
  return IndexOf(word, bits);
}

int MemberSet::After(int index) const {
  size_t word = WordOf(index);
  // Those above the index: its own bit and all below are taken off.
  uint64_t bits = words_[word] & ~(BitOf(index) | (BitOf(index) - 1));
  while (bits == 0) bits = words_[++word];
  return IndexOf(word, bits);
}

MemberRange::Iterator& MemberRange::Iterator::operator++() {
  if (--left_ > 0) index_ = set_ == nullptr ? index_ + 1 : set_->After(index_);
  return *this;
}

MemberRange MemberRange::Part(size_t first, size_t count) const {
  MemberRange part = *this;
  part.first_ += first;
  part.count_ = count;
  return part;
}

MemberRange::Iterator MemberRange::begin() const {
  if (count_ == 0) return end();
  return {set_, set_ == nullptr ? static_cast<int>(first_) : set_->At(first_), count_};
}

}  // namespace kiln::scheduler

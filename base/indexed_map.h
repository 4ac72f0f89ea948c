// A map that is walked in the order of its keys, and finds a key by its hash.
#pragma once

#include <functional>
#include <map>
#include <unordered_map>
#include <utility>

namespace kiln {

// In a map of many thousands with long keys, a search by order costs a dozen comparisons with what
// lies in no cache; this one costs one. Entries stay where they are until they are erased.
template <typename Key, typename Value, typename Hash = std::hash<Key>>
class IndexedMap {
  using Map = std::map<Key, Value>;

 public:
  using iterator = typename Map::iterator;
  using const_iterator = typename Map::const_iterator;

  IndexedMap() = default;
  IndexedMap(const IndexedMap& other) : map_(other.map_) { Index(); }
  IndexedMap& operator=(const IndexedMap& other) {
    map_ = other.map_;
    Index();
    return *this;
  }
  IndexedMap(IndexedMap&&) = default;
  IndexedMap& operator=(IndexedMap&&) = default;

  iterator begin() { return map_.begin(); }
  iterator end() { return map_.end(); }
  const_iterator begin() const { return map_.begin(); }
  const_iterator end() const { return map_.end(); }
  size_t size() const { return map_.size(); }
  bool empty() const { return map_.empty(); }

  iterator find(const Key& key) {
    const auto found = index_.find(&key);
    return found == index_.end() ? map_.end() : found->second;
  }
  const_iterator find(const Key& key) const {
    const auto found = index_.find(&key);
    return found == index_.end() ? map_.end() : const_iterator(found->second);
  }
  iterator lower_bound(const Key& key) { return map_.lower_bound(key); }
  const_iterator upper_bound(const Key& key) const { return map_.upper_bound(key); }

  Value& operator[](const Key& key) {
    const iterator found = find(key);
    if (found != end()) return found->second;
    const iterator added = map_.try_emplace(key).first;
    index_.emplace(&added->first, added);
    return added->second;
  }
  // Gives the entry behind it.
  iterator erase(iterator entry) {
    index_.erase(&entry->first);
    return map_.erase(entry);
  }

 private:
  struct HashOfKey {
    size_t operator()(const Key* key) const { return Hash()(*key); }
  };
  struct SameKey {
    bool operator()(const Key* a, const Key* b) const { return *a == *b; }
  };

  void Index() {
    index_.clear();
    for (auto entry = map_.begin(); entry != map_.end(); ++entry) {
      index_.emplace(&entry->first, entry);
    }
  }

  Map map_;
  std::unordered_map<const Key*, iterator, HashOfKey, SameKey> index_;
};

}  // namespace kiln

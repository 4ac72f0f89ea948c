// Finds the best node for a task without looking at every node.
//
// Nodes with equal shapes form a class, and scores belong to classes. For each need that was asked
// for, a heap holds the classes that fit by score; a class that no node is in any more is dropped
// when it comes up. Classes are numbered in the order in which they arise, so a need that is asked
// for again only scores those that arose since: a placement costs each need at most one score,
// however many nodes there are.
//
// One thread. The judge outlives the index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "scheduler/placement/judge.h"
#include "scheduler/placement/shape.h"

namespace kiln::scheduler {

struct Choice {
  int node = 0;
  int device = 0;  // that a share is taken from, in the order of the node's shape

  bool operator==(const Choice&) const = default;
};

class ClusterIndex {
 public:
  explicit ClusterIndex(const Judge& judge) : judge_(judge) {}

  // Nodes are numbered 0, 1, 2 and so on.
  int Add(const Shape& shape);
  // What is free on the node has changed.
  void Set(int node, const Shape& shape);
  const Shape& At(int node) const { return classes_[nodes_[static_cast<size_t>(node)]].shape; }
  int Size() const { return static_cast<int>(nodes_.size()); }

  // Tasks without devices keep off nodes that have some. Then the node with the best score; of
  // those the tightest; of those the first of the shape that arose first. Nothing is taken.
  std::optional<Choice> Best(const Need& need);
  void Take(const Need& need, const Choice& choice) {
    Set(choice.node, Without(At(choice.node), need, choice.device));
  }

 private:
  struct Class {
    Shape shape;
    double value = 0;
    std::set<int> nodes;
  };
  struct Candidate {
    bool apart = false;  // no devices lie idle beside a task that needs none
    float score = 0;
    float tightness = 0;
    uint32_t number = 0;  // of the class
    int device = 0;

    bool operator<(const Candidate& other) const;
  };
  struct Asker {
    std::vector<Candidate> heap;
    size_t seen = 0;  // classes below this number have been considered
    bool asked = false;
  };

  void Join(int node, const Shape& shape);
  void Consider(const Need& need, uint32_t number, Asker& asker) const;
  void Compact();

  const Judge& judge_;
  std::vector<Class> classes_;
  std::unordered_map<Shape, uint32_t, HashOf> numbers_;
  size_t live_ = 0;              // classes with nodes
  std::vector<uint32_t> nodes_;  // their classes
  std::unordered_map<Need, Asker, HashOf> askers_;
};

}  // namespace kiln::scheduler

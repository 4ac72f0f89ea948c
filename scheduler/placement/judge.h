// How a policy compares the nodes that fit. Judges are values without state that changes: the same
// shapes give the same scores.
#pragma once

#include <vector>

#include "scheduler/placement/shape.h"

namespace kiln::scheduler {

// Tasks that come again and again: a need and how often it is asked for.
struct Demand {
  Need need;
  double weight = 0;
};

// Nodes with nothing on them.
struct Site {
  Shape shape;
  int count = 0;
};

// What a judge may know before it judges.
struct Workload {
  std::vector<Demand> demands;
  std::vector<Site> sites;
};

class Judge {
 public:
  virtual ~Judge() = default;
  // Of what is free on a node.
  virtual double Value(const Shape& shape) const = 0;
  // Of a placement that changes the value of a node so: higher is better.
  virtual double Score(double before, double after) const { return after - before; }
};

// Breaks the ties of every judge: the less is left, the better. Devices count first, then
// processors, then memory.
double Tightness(const Shape& shape);

}  // namespace kiln::scheduler

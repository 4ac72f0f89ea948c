#include "scheduler/placement/ranking.h"

#include <algorithm>
#include <unordered_map>

namespace kiln::scheduler {
namespace {

constexpr size_t kDemandsMax = 64;  // the most frequent

const Shape kNothing{.cpus_milli = -1};  // in which nothing fits

// Of kinds of which all that is known asks for shares, whoever comes next may ask for a whole
// device: as likely as not.
void ExpectWholeDevices(std::vector<Demand>& demands) {
  uint64_t whole = 0;
  for (const auto& [need, weight] : demands) whole |= need.IsShare() ? 0 : need.kinds;
  uint64_t shared = 0;
  double shares = 0;
  for (const auto& [need, weight] : demands) {
    if ((need.kinds & ~whole) == 0) continue;
    shared |= need.kinds & ~whole;
    shares += weight;
  }
  if (shares > 0) demands.push_back({{.devices = 1, .kinds = shared}, shares});
}

}  // namespace

void Ranking::See(size_t room) {
  of_.push_back(shapes_.Of(*rooms_[room].agent, rooms_[room].free));
  nodes_.push_back(0);
}

void Ranking::Enter(size_t room) {
  Field& field = FieldOf(rooms_[room].role);
  nodes_[room] = field.index.Add(Open(room));
  field.rooms.push_back(room);
}

// What waits, and what has come before.
Workload Ranking::Known() {
  Workload workload;
  std::unordered_map<Need, double, HashOf> weights;
  const auto count = [&](const Group& group, size_t members) {
    if (!group.gpus.Any() || members == 0) return;
    weights[shapes_.Of(group)] += static_cast<double>(members);
  };
  for (const WaitingJob& job : snapshot_.jobs) {
    for (const WaitingGroup& group : job.groups) {
      if (group.facts == nullptr || group.facts->devices) count(*group.group, group.members.size());
    }
  }
  for (const auto& [group, members] : snapshot_.usual) count(*group, members);
  for (const auto& [need, weight] : weights) workload.demands.push_back({need, weight});
  // By value, so that chance in the order of the map decides nothing.
  std::sort(workload.demands.begin(), workload.demands.end(), [](const Demand& a, const Demand& b) {
    const auto key = [](const Demand& demand) {
      return std::tuple(-demand.weight, demand.need.devices, demand.need.milli,
                        demand.need.cpus_milli, demand.need.mem, demand.need.kinds);
    };
    return key(a) < key(b);
  });
  if (workload.demands.size() > kDemandsMax) workload.demands.resize(kDemandsMax);
  ExpectWholeDevices(workload.demands);
  std::unordered_map<Shape, size_t, HashOf> sites;
  for (const Shape& shape : of_) {
    if (shape.devices == 0) continue;
    const auto [site, created] = sites.try_emplace(shape, workload.sites.size());
    if (created) workload.sites.push_back({shape, 0});
    ++workload.sites[site->second].count;
  }
  return workload;
}

const Judge& Ranking::judge() {
  if (judge_ == nullptr) judge_ = policy_.judge(Known());
  return *judge_;
}

Ranking::Field& Ranking::FieldOf(const std::string& role) {
  const auto found = fields_.find(role);
  if (found != fields_.end()) return found->second;
  return fields_.emplace(role, Field{ClusterIndex(judge()), {}}).first->second;
}

// What is to be seen of the room.
const Shape& Ranking::Open(size_t room) const { return rooms_[room].held ? kNothing : of_[room]; }

void Ranking::Narrow(const std::vector<size_t>* rooms) {
  if (narrow_) {
    for (const size_t room : narrow_->rooms) narrow_nodes_[room] = -1;
    narrow_.reset();
  }
  if (rooms == nullptr) return;
  narrow_.emplace(Field{ClusterIndex(judge()), *rooms});
  narrow_nodes_.resize(rooms_.size(), -1);
  for (const size_t room : *rooms) narrow_nodes_[room] = narrow_->index.Add(Open(room));
}

std::optional<Ranking::Place> Ranking::Best(const Group& group, const std::string& role,
                                            const Resources& overhead) {
  Field& field = narrow_ ? *narrow_ : FieldOf(role);
  Need need = shapes_.Of(group);
  need.cpus_milli += overhead.cpus_milli;
  need.mem = need.mem + overhead.mem;
  const auto choice = field.index.Best(need);
  if (!choice) return std::nullopt;
  const int free = field.index.At(choice->node).free[static_cast<size_t>(choice->device)];
  return Place{field.rooms[static_cast<size_t>(choice->node)], free};
}

size_t Ranking::CountOf(const Group& group, const std::string& role) {
  const Need need = shapes_.Of(group);
  size_t count = 0;
  for (size_t room = 0; room < rooms_.size(); ++room) {
    if (rooms_[room].role == role) count += scheduler::CountOf(need, Open(room));
  }
  return count;
}

size_t Ranking::Holds(size_t index, const Group& group, const Need& need) const {
  const Room& room = rooms_[index];
  if (room.held) return 0;
  if (Shapes::TooLarge(group)) {
    const size_t gpus = room.free.gpu_ids.size() + static_cast<size_t>(room.free.gpus);
    return gpus / static_cast<size_t>(group.gpus.count);
  }
  return AtMost(group, room, scheduler::CountOf(need, of_[index]));
}

std::pair<double, double> Ranking::Score(size_t room, const Resources& left) {
  const Judge& by = judge();
  const Shape shape = Shapes::Of(*rooms_[room].agent, left, of_[room].kind);
  return {by.Score(by.Value(of_[room]), by.Value(shape)), Tightness(shape)};
}

void Ranking::Update(size_t room) {
  of_[room] = Shapes::Of(*rooms_[room].agent, rooms_[room].free, of_[room].kind);
  const auto field = fields_.find(rooms_[room].role);
  if (field != fields_.end()) field->second.index.Set(nodes_[room], Open(room));
  if (narrow_ && narrow_nodes_[room] >= 0) narrow_->index.Set(narrow_nodes_[room], Open(room));
}

}  // namespace kiln::scheduler

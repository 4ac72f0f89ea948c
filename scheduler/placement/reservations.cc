#include "scheduler/placement/reservations.h"

#include <algorithm>

#include "model/units.h"

namespace kiln::scheduler {
namespace {

const std::vector<size_t> kNoRooms;

}  // namespace

const Reservations::Line* Reservations::Find(const std::string& role) const {
  const auto line = lines_.find(role);
  return line == lines_.end() ? nullptr : &line->second;
}

Estimate Reservations::Foresee(const WaitingJob& job, const WaitingGroup* group,
                               const Cause& cause) {
  if (snapshot_.outlook == nullptr) return {};
  const Line* line = Find(job.role);
  const bool limited = cause.blocker == Blocker::kLimit;
  const bool late = line != nullptr && line->estimates >= snapshot_.outlook->estimates;
  if (limited || late) {
    // Nobody reads words in a brief plan, and there may be millions.
    if (snapshot_.brief) return {};
    return {std::nullopt, limited ? "none: its role has to use less first" : kTooMany};
  }
  WaitingJob one = job;
  if (group == nullptr) {
    std::erase_if(one.groups, [](const WaitingGroup& other) { return !other.in_gang; });
  } else {
    // The others of the group follow it.
    one.gang_needed = 0;
    one.groups = {*group};
    one.groups[0].in_gang = false;
    one.groups[0].members = group->members.Part(group->members.size() - 1, 1);
  }
  return EstimateOf(one);
}

Estimate Reservations::EstimateOf(const WaitingJob& job) {
  Line& line = lines_[job.role];
  if (line.forecast == nullptr) {
    line.forecast = std::make_unique<Forecast>(snapshot_, policy_, rooms_, job.role);
    for (const Start& start : started_) {
      if (start.role == job.role) {
        line.forecast->GiveBack(start.agent, start.taken, *start.end);
      }
    }
  }
  ++line.estimates;
  const Forecast::Booking booking = line.forecast->Book(job);
  if (booking.estimate.start && line.head.empty() && !job.IsRevocable()) Keep(job, booking, line);
  return booking.estimate;
}

void Reservations::Keep(const WaitingJob& job, const Forecast::Booking& booking, Line& line) {
  line.head = job.job->name;
  line.may_hold = job.may_hold;
  line.start = *booking.estimate.start;
  for (size_t i = 0; i < rooms_.size(); ++i) {
    Room& room = rooms_[i];
    if (room.role != job.role || room.held) continue;
    const auto kept = booking.kept.find(room.agent->id);
    if (kept == booking.kept.end()) continue;
    room.kept = Overlap(room.free, kept->second);
    if (room.kept.Empty()) continue;
    room.free -= room.kept;
    ranking_.Update(i);
    line.kept.push_back(i);
    keeps_ = true;
  }
}

bool Reservations::HasHead(const std::string& role) const {
  const Line* line = Find(role);
  return line != nullptr && !line->head.empty();
}

bool Reservations::EndsBefore(const WaitingJob& job, const Group& group) const {
  const Line* line = keeps_ ? Find(job.role) : nullptr;
  if (line == nullptr || line->kept.empty()) return false;
  // Only what ends by then in any case.
  if (!group.max_completion) return false;
  const auto end = EndOf(*job.job, group, snapshot_.outlook->now, *snapshot_.outlook);
  return end && end->at <= line->start;
}

const std::vector<size_t>& Reservations::Kept(const std::string& role) const {
  const Line* line = Find(role);
  return line == nullptr ? kNoRooms : line->kept;
}

std::string Reservations::Words(const std::string& role) const {
  const Line* line = Find(role);
  return fmt::format(
      "fits only {} for job {}, which is expected to start at {}: may use it with a "
      "max_completion that ends before",
      line->kept.size() == 1 ? "what is kept on " + rooms_[line->kept[0]].agent->hostname
                             : fmt::format("what is kept on {} agents", line->kept.size()),
      line->head, FormatInstant(line->start));
}

void Reservations::Started(size_t index, const Resources& charged, const WaitingJob& job,
                           const Group& group) {
  if (snapshot_.outlook == nullptr) return;
  const Room& room = rooms_[index];
  Start start{room.role, room.agent->id, charged,
              EndOf(*job.job, group, snapshot_.outlook->now, *snapshot_.outlook)};
  start.taken.ports.clear();
  const auto line = lines_.find(room.role);
  if (line != lines_.end()) line->second.forecast->Take(start.agent, start.taken, start.end);
  if (start.end) started_.push_back(std::move(start));
}

void Reservations::Hold(Plan& plan) const {
  for (const auto& [role, line] : lines_) {
    if (line.kept.empty() || !line.may_hold || !plan.holder.empty()) continue;
    if (line.start - snapshot_.outlook->now > snapshot_.outlook->hold) continue;
    for (const size_t i : line.kept) {
      if (rooms_[i].used) continue;
      rooms_[i].held = true;
      plan.holder = line.head;
    }
  }
}

}  // namespace kiln::scheduler

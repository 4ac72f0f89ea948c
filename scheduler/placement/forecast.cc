#include "scheduler/placement/forecast.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "scheduler/placement/gpus.h"
#include "scheduler/placement/needs.h"
#include "scheduler/placement/place.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kTasksSeen = 5'000;    // when the agents are taken down
constexpr size_t kTasksBrief = 1'000;   // where nobody reads it
constexpr size_t kAgentsSeen = 5'000;   // at least, where somebody does
constexpr size_t kLayersSeen = 20'000;  // by all that is booked; then nothing more is
constexpr size_t kSitesTried = 1'024;   // agents that Place is asked about
constexpr int kTries = 12;              // times at which it is asked

constexpr const char* kAtLatest = "at the latest, by the max_completion of what runs";
constexpr const char* kAbout = "about, by how long work like what runs took";
constexpr const char* kAtOnce = "as soon as the agents offer what they have free";
constexpr const char* kNoEnd = "none: nothing that runs has a max_completion or a known duration";
constexpr const char* kNever =
    "none: it is more than the agents that have offered have, even without what runs there";
constexpr const char* kTooLittle = "none: what ends at a known time does not free enough";

Resources FreeAt(const auto& site, Instant time) {
  Resources free;
  for (const auto& layer : site.layers) {
    if (layer.at <= time) free += layer.what;
  }
  CloseDevices(free);
  return free;
}

size_t DevicesFor(const GpuRequest& request, const Agent& agent, const Resources& free) {
  const auto count = static_cast<size_t>(DevicesOf(request));
  GpuRequest unlinked = request;
  unlinked.link.clear();
  const auto linked = static_cast<size_t>(MostTogether(request, agent, free.gpu_ids));
  const auto named = static_cast<size_t>(MostTogether(unlinked, agent, free.gpu_ids));
  return std::max(linked < count ? 0 : named / count,
                  request.AnyDevice() ? static_cast<size_t>(free.gpus) / count : 0);
}

// So many members that have room by their amounts: never too few.
size_t CountOf(const Group& group, const Agent& agent, const Resources& free) {
  size_t count = static_cast<size_t>(group.count);
  const auto most = [&count](int64_t has, int64_t needs) {
    if (needs > 0) count = std::min(count, static_cast<size_t>(std::max<int64_t>(has, 0) / needs));
  };
  most(CpusFor(group, free), group.cpus_milli);
  most(free.mem.count, group.mem.count);
  most(free.disk.count, DiskFor(group).count);
  if (!group.volumes.empty() && !free.Contains(VolumesFor(group))) return 0;
  most(free.PortCount(), group.ports);
  if (count == 0 || !group.gpus.Any()) return count;
  if (!SharesDevice(group)) return std::min(count, DevicesFor(group.gpus, agent, free));
  size_t shares = DevicesFor(group.gpus, agent, free);
  for (const GpuShare& part : PartsFor(group.gpus, agent, free)) {
    shares += static_cast<size_t>(part.milli / MilliOf(group.gpus));
  }
  return std::min(count, shares);
}

// What a member takes of its agent for good: ports are as good as others there.
Resources TakenBy(const Launch& launch) {
  Resources taken = launch.resources;
  taken.ports.clear();
  return taken;
}

// What an agent gave back and has not offered again yet.
Resources NotOffered(const std::vector<const Offer*>& offered, const Agent& agent,
                     const std::string& role, const Outlook& outlook) {
  const Offer* known = outlook.known(agent.id, role);
  if (known == nullptr) return {};
  if (offered.size() == 1 && offered[0]->resources == known->resources) return {};
  Resources sum;
  for (const Offer* offer : offered) sum += offer->resources;
  Resources more = known->resources;
  more -= Overlap(more, sum);
  return more;
}

}  // namespace

Forecast::Forecast(const Snapshot& snapshot, const Policy& policy, const std::vector<Room>& rooms,
                   const std::string& role)
    : snapshot_(snapshot),
      policy_(policy),
      role_(role),
      tasks_max_(snapshot.brief ? kTasksBrief : kTasksSeen) {
  const Outlook& outlook = *snapshot.outlook;
  std::unordered_map<std::string_view, std::vector<const Offer*>> offered;
  for (const Offer& offer : snapshot.offers) {
    if (outlook.known && offer.role == role) offered[offer.agent.id.text].push_back(&offer);
  }
  std::unordered_set<std::string_view> seen;
  for (const Room& room : rooms) {
    const size_t enough = snapshot.brief ? 0 : kAgentsSeen;
    if (tasks_ > tasks_max_ && sites_.size() >= enough) break;
    if (room.role != role) continue;
    seen.insert(room.agent->id.text);
    Resources free = room.free;
    if (outlook.known) free += NotOffered(offered[room.agent->id.text], *room.agent, role, outlook);
    AddSite(*room.agent, std::move(free), role);
  }
  for (const auto& [id, tasks] : outlook.running->Agents()) {
    if (tasks_ > tasks_max_) break;
    if (!outlook.known || seen.contains(id.text)) continue;
    const auto bar = snapshot.bars.find(id);
    if (bar != snapshot.bars.end() && !bar->second.reason.empty()) continue;
    const Offer* offer = outlook.known(id, role);
    if (offer != nullptr) AddSite(offer->agent, offer->resources, role);
  }
  std::sort(sites_.begin(), sites_.end(),
            [](const Site& a, const Site& b) { return a.agent->id < b.agent->id; });
}

void Forecast::AddSite(const Agent& agent, Resources free, const std::string& role) {
  Site site{&agent, {{snapshot_.outlook->now, std::move(free)}}};
  const auto& agents = snapshot_.outlook->running->Agents();
  const auto tasks = tasks_ <= tasks_max_ ? agents.find(agent.id) : agents.end();
  if (tasks != agents.end()) {
    tasks_ += tasks->second.size();
    for (const RunningTask& running : tasks->second) {
      if (running.job->role != role) continue;
      const auto end = EndOf(running, *snapshot_.outlook);
      if (!end) continue;
      ends_ = true;
      site.layers.push_back({end->at, running.task->resources, end->bound});
    }
  }
  std::stable_sort(site.layers.begin() + 1, site.layers.end(),
                   [](const Layer& a, const Layer& b) { return a.at < b.at; });
  sites_.push_back(std::move(site));
}

Forecast::Site* Forecast::Find(const AgentId& agent) {
  const auto found =
      std::lower_bound(sites_.begin(), sites_.end(), agent,
                       [](const Site& site, const AgentId& id) { return site.agent->id < id; });
  return found == sites_.end() || found->agent->id != agent ? nullptr : &*found;
}

std::vector<Instant> Forecast::Times(const WaitingJob& job, size_t needed) {
  struct Rise {
    Instant at;
    size_t group;
    size_t more;
  };
  std::vector<Rise> rises;
  for (const Site& site : sites_) {
    std::vector<size_t> counts(job.groups.size(), 0);
    Resources free;
    for (const Layer& layer : site.layers) {
      ++spent_;
      free += layer.what;
      std::optional<Resources> whole;
      if (!free.gpu_shares.empty()) CloseDevices(whole.emplace(free));
      for (size_t g = 0; g < counts.size(); ++g) {
        const size_t count = CountOf(*job.groups[g].group, *site.agent, whole ? *whole : free);
        if (count <= counts[g]) continue;
        rises.push_back({layer.at, g, count - counts[g]});
        counts[g] = count;
      }
    }
  }
  std::stable_sort(rises.begin(), rises.end(),
                   [](const Rise& a, const Rise& b) { return a.at < b.at; });
  std::vector<Instant> times;
  std::vector<size_t> room(job.groups.size(), 0);
  for (size_t i = 0; i < rises.size(); ++i) {
    room[rises[i].group] += rises[i].more;
    if (i + 1 < rises.size() && rises[i + 1].at == rises[i].at) continue;
    size_t fit = 0;
    for (size_t g = 0; g < room.size(); ++g) {
      fit += std::min(room[g], job.groups[g].members.size());
    }
    if (fit >= needed) times.push_back(rises[i].at);
  }
  return times;
}

std::vector<Launch> Forecast::At(const WaitingJob& job, Instant time) const {
  Snapshot then{.agents = snapshot_.agents,
                .levels = snapshot_.levels,
                .warm = snapshot_.warm,
                .executor = snapshot_.executor,
                .seed = snapshot_.seed};
  for (const Site& site : sites_) {
    if (then.offers.size() == kSitesTried) break;
    Resources free = FreeAt(site, time);
    const bool room = std::any_of(
        job.groups.begin(), job.groups.end(),
        [&](const WaitingGroup& group) { return CountOf(*group.group, *site.agent, free) > 0; });
    if (!room) continue;
    if (!free.gpu_shares.empty()) then.shared[{site.agent->id, role_}] = free.gpu_shares;
    free.gpu_shares.clear();
    then.offers.push_back({.agent = *site.agent, .role = role_, .resources = std::move(free)});
  }
  then.jobs.push_back(job);
  std::vector<Launch> launches = Place(then, policy_).launches;
  const auto needed = static_cast<size_t>(std::max(job.gang_needed, 1));
  if (launches.size() > needed) launches.resize(needed);
  return launches;
}

std::optional<std::pair<Instant, std::vector<Launch>>> Forecast::First(
    const WaitingJob& job, const std::vector<Instant>& times) {
  // In steps that double to a time at which it fits, and then back between the last two.
  size_t low = 0;  // before it, nothing fits
  size_t step = 1;
  int tries = 0;
  std::optional<std::pair<Instant, std::vector<Launch>>> found;
  for (size_t i = 0; i < times.size() && tries < kTries; ++tries) {
    auto launches = At(job, times[i]);
    if (!launches.empty()) {
      found.emplace(times[i], std::move(launches));
      for (size_t high = i; low < high && tries < kTries; ++tries) {
        const size_t middle = low + (high - low) / 2;
        launches = At(job, times[middle]);
        if (launches.empty()) {
          low = middle + 1;
        } else {
          high = middle;
          found.emplace(times[middle], std::move(launches));
        }
      }
      break;
    }
    low = i + 1;
    if (low == times.size()) break;
    i = std::min(i + step, times.size() - 1);
    step *= 2;
  }
  return found;
}

bool Forecast::EverFits(const WaitingJob& job) {
  // Not all agents are seen where some are barred or kept for others.
  const bool all = tasks_ <= tasks_max_ && snapshot_.bars.empty() && snapshot_.claims.empty();
  if (!snapshot_.outlook->details || !all) return true;
  if (emptied_.empty()) {
    for (const Offer& offer : snapshot_.offers) {
      if (offer.role != role_) continue;
      Site& site = emptied_.try_emplace(offer.agent.id, Site{&offer.agent, {{}}}).first->second;
      site.layers[0].what += offer.resources;
    }
    for (auto& [id, site] : emptied_) {
      const auto shares = snapshot_.shared.find({id, role_});
      if (shares != snapshot_.shared.end()) site.layers[0].what.gpu_shares = shares->second;
      const auto tasks = snapshot_.outlook->running->Agents().find(id);
      if (tasks == snapshot_.outlook->running->Agents().end()) continue;
      for (const RunningTask& one : tasks->second) {
        site.layers[0].what += one.task->resources;
        site.layers[0].what += snapshot_.executor;  // at most one for each
      }
      CloseDevices(site.layers[0].what);
    }
  }
  size_t fit = 0;
  for (const WaitingGroup& group : job.groups) {
    size_t room = 0;
    for (const auto& [id, site] : emptied_) {
      room += CountOf(*group.group, *site.agent, site.layers[0].what);
    }
    fit += std::min(room, group.members.size());
  }
  return fit >= static_cast<size_t>(std::max(job.gang_needed, 1));
}

Forecast::Booking Forecast::Book(const WaitingJob& job) {
  Booking booking;
  if (spent_ > kLayersSeen) {
    booking.estimate.words = kTooMany;
    return booking;
  }
  if (!ends_) {
    // At this moment it does not fit, as Place has found.
    booking.estimate.words = EverFits(job) ? kNoEnd : kNever;
    return booking;
  }
  const auto found = First(job, Times(job, static_cast<size_t>(std::max(job.gang_needed, 1))));
  if (!found) {
    booking.estimate.words = EverFits(job) ? kTooLittle : kNever;
    return booking;
  }
  const auto& [start, launches] = *found;
  booking.estimate.start = start;
  booking.estimate.words = start <= snapshot_.outlook->now ? kAtOnce : kAtLatest;
  Take(job, start, launches, booking);
  return booking;
}

void Forecast::Take(const WaitingJob& job, Instant start, const std::vector<Launch>& launches,
                    Booking& booking) {
  std::set<std::pair<const Group*, AgentId>> warmed;
  std::vector<std::pair<Site*, Layer>> ends;
  for (const Launch& launch : launches) {
    const auto group = std::find_if(job.groups.begin(), job.groups.end(), [&](const auto& one) {
      return one.group->name == launch.member.group;
    });
    Site& site = *Find(launch.agent);
    Resources left = TakenBy(launch);
    if (IsPooled(*group->group) && warmed.emplace(group->group, launch.agent).second) {
      left += ExecutorFor(*group->group, snapshot_.executor);
    }
    for (Layer& layer : site.layers) OpenDevices(launch.resources.gpu_shares, layer.what);
    // A device that is whole only once its shares are back is taken as all of its shares.
    for (const GpuId& id : launch.resources.gpu_ids) {
      const bool whole = std::any_of(site.layers.begin(), site.layers.end(), [&](const Layer& one) {
        return one.at <= start &&
               std::binary_search(one.what.gpu_ids.begin(), one.what.gpu_ids.end(), id);
      });
      if (!whole) OpenDevice(id, left);
    }
    const Resources taken = left;
    // Of what is given back last, so that little of what is free has to stay so.
    for (auto layer = site.layers.rbegin(); layer != site.layers.rend(); ++layer) {
      if (layer->at > start) continue;
      const Resources part = Overlap(layer->what, left);
      if (part.Empty()) continue;
      layer->what -= part;
      left -= part;
      if (!layer->bound) booking.estimate.words = kAbout;
      if (layer + 1 == site.layers.rend()) booking.kept[launch.agent] += part;
    }
    if (const auto end = EndOf(*job.job, *group->group, start, *snapshot_.outlook)) {
      ends.push_back({&site, {end->at, taken, end->bound}});
    }
  }
  for (auto& [site, layer] : ends) {
    layer.bound = layer.bound && booking.estimate.words != kAbout;
    Add(*site, std::move(layer));
  }
}

void Forecast::Add(Site& site, Layer layer) {
  const auto later = std::upper_bound(site.layers.begin() + 1, site.layers.end(), layer,
                                      [](const Layer& a, const Layer& b) { return a.at < b.at; });
  site.layers.insert(later, std::move(layer));
}

void Forecast::Take(const AgentId& agent, const Resources& taken, const std::optional<End>& end) {
  Site* site = Find(agent);
  if (site == nullptr) return;
  Resources& free = site->layers[0].what;
  free -= Overlap(free, taken);
  if (end) GiveBack(agent, taken, *end);
}

void Forecast::GiveBack(const AgentId& agent, const Resources& what, const End& end) {
  Site* site = Find(agent);
  if (site == nullptr) return;
  ends_ = true;
  Add(*site, {end.at, what, end.bound});
}

}  // namespace kiln::scheduler

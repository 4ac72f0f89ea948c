#include "scheduler/placement/gathering.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace kiln::scheduler {
namespace {

size_t Sum(const std::vector<size_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), size_t{0});
}

class Gathering {
 public:
  Gathering(const Topology& topology, const std::vector<size_t>& live, const Nearness& nearness,
            GangFill& gang)
      : topology_(topology),
        nearness_(nearness),
        gang_(gang),
        groups_(gang.Out().size()),
        room_for_(topology.size() * groups_),
        live_(topology.size()),
        offers_(topology.size()) {
    for (size_t at : live) {
      for (; at != 0; at = topology_[at].parent) ++live_[at];
    }
    for (size_t domain = topology_.size(); domain-- > 0;) CountRoom(domain);
    if (nearness_.require >= 0) Fix();
  }

  Gathered Run() {
    tops_ = nearness_.require < 0 ? std::vector<size_t>{0} : At(nearness_.require);
    for (int level = nearness_.prefer; level >= nearness_.require; --level) {
      const std::vector<size_t> domains = level == nearness_.require ? tops_ : At(level);
      for (const size_t domain : Tightest(domains)) {
        if (Place(domain)) return In(domain);
        gang_.TakeAllBack();
      }
    }
    return InMost();
  }

 private:
  size_t& RoomFor(size_t domain, size_t group) { return room_for_[domain * groups_ + group]; }

  // Domains below have been counted before.
  void CountRoom(size_t domain) {
    const Topology::Domain& counted = topology_[domain];
    for (const size_t room : counted.rooms) {
      offers_[domain] = true;
      for (size_t g = 0; g < groups_; ++g) RoomFor(domain, g) += gang_.Holds(room, g);
    }
    if (domain == 0) return;
    offers_[counted.parent] = offers_[counted.parent] || offers_[domain];
    for (size_t g = 0; g < groups_; ++g) RoomFor(counted.parent, g) += RoomFor(domain, g);
  }

  // The required domain is where most of the live members are.
  void Fix() {
    for (size_t domain = 1; domain < topology_.size(); ++domain) {
      if (topology_[domain].level == nearness_.require && live_[domain] > live_[fixed_]) {
        fixed_ = domain;
      }
    }
  }

  // Those of the level that the gang may use.
  std::vector<size_t> At(int level) {
    std::vector<size_t> domains;
    for (size_t domain = 1; domain < topology_.size(); ++domain) {
      if (topology_[domain].level != level || !offers_[domain]) continue;
      const size_t top = topology_.Within(domain, nearness_.require);
      if (nearness_.require >= 0 && (top == 0 || (fixed_ != 0 && top != fixed_))) continue;
      domains.push_back(domain);
    }
    return domains;
  }

  bool HoldsAll(size_t domain, const std::vector<size_t>& out) {
    for (size_t g = 0; g < groups_; ++g) {
      if (RoomFor(domain, g) < out[g]) return false;
    }
    return true;
  }

  // Of those that are out.
  size_t HoldsOf(size_t domain, const std::vector<size_t>& out) {
    size_t sum = 0;
    for (size_t g = 0; g < groups_; ++g) sum += std::min(RoomFor(domain, g), out[g]);
    return sum;
  }

  size_t AllRoom(size_t domain) const {
    const auto first = room_for_.begin() + static_cast<long>(domain * groups_);
    return std::accumulate(first, first + static_cast<long>(groups_), size_t{0});
  }

  // The domains that hold all who are out: those with most live members, if any has some, and of
  // these first the one with least room.
  std::vector<size_t> Tightest(std::vector<size_t> domains) {
    const std::vector<size_t> out = gang_.Out();
    size_t most = 0;
    for (const size_t domain : domains) most = std::max(most, live_[domain]);
    std::erase_if(domains, [&](size_t domain) {
      return !HoldsAll(domain, out) || (most > 0 && live_[domain] == 0);
    });
    std::sort(domains.begin(), domains.end(), [&](size_t a, size_t b) {
      return std::tuple(live_[b], AllRoom(a), a) < std::tuple(live_[a], AllRoom(b), b);
    });
    return domains;
  }

  // Whether the domain takes all in, in as few of the preferred level as can be.
  bool Place(size_t domain) {
    for (const size_t part : Parts(domain)) Put(part);
    // Where no preferred level is said, and where others have less room than it seemed.
    Put(domain);
    return gang_.Done();
  }

  void Put(size_t domain) {
    if (gang_.Done()) return;
    if (domain == 0) return gang_.Put(nullptr);
    const std::vector<size_t> rooms = topology_.RoomsOf(domain);
    gang_.Put(&rooms);
  }

  // The fewest domains of the preferred level, in the fewest of the level above, and so on.
  std::vector<size_t> Parts(size_t domain) {
    std::vector<size_t> parts{domain};
    for (bool whole = false; !whole;) {
      whole = true;
      std::vector<size_t> smaller;
      for (const size_t part : parts) {
        const Topology::Domain& from = topology_[part];
        if (from.level == nearness_.prefer || from.below.empty()) {
          smaller.push_back(part);
          continue;
        }
        whole = false;
        for (const auto& [name, below] : from.below) smaller.push_back(below);
      }
      if (!whole) parts = Fewest(smaller);
    }
    return parts;
  }

  // Those with live members first, then those that hold most; at last the tightest that holds all
  // who are still out.
  std::vector<size_t> Fewest(std::vector<size_t> domains) {
    std::vector<size_t> out = gang_.Out();
    std::erase_if(domains, [&](size_t domain) { return HoldsOf(domain, out) == 0; });
    std::stable_sort(domains.begin(), domains.end(), [&](size_t a, size_t b) {
      return std::tuple(live_[a], HoldsOf(a, out)) > std::tuple(live_[b], HoldsOf(b, out));
    });
    std::vector<size_t> fewest;
    for (auto next = domains.begin(); next != domains.end() && Sum(out) > 0; ++next) {
      size_t domain = *next;
      if (live_[domain] == 0 && HoldsAll(domain, out)) {
        for (auto other = next; other != domains.end(); ++other) {
          if (HoldsAll(*other, out) && AllRoom(*other) < AllRoom(domain)) domain = *other;
        }
      }
      for (size_t g = 0; g < groups_; ++g) out[g] -= std::min(out[g], RoomFor(domain, g));
      fewest.push_back(domain);
    }
    return fewest;
  }

  Gathered In(size_t domain) {
    Gathered gathered{.domains = tops_.size()};
    if (nearness_.require < 0) return gathered;
    gathered.domain = topology_.Within(domain, nearness_.require);
    if (gathered.domain == fixed_) gathered.live = live_[fixed_];
    return gathered;
  }

  // No domain holds all: the one that holds most.
  Gathered InMost() {
    if (tops_.empty()) return In(fixed_);
    const std::vector<size_t> out = gang_.Out();
    std::stable_sort(tops_.begin(), tops_.end(),
                     [&](size_t a, size_t b) { return HoldsOf(a, out) > HoldsOf(b, out); });
    size_t best = tops_[0];
    size_t most = 0;
    for (const size_t domain : tops_) {
      if (tops_.size() == 1 || HoldsOf(domain, out) <= most) break;
      if (Place(domain)) return In(domain);
      const size_t in = Sum(out) - Sum(gang_.Out());
      if (in > most) best = domain;
      most = std::max(most, in);
      gang_.TakeAllBack();
    }
    Place(best);
    return In(best);
  }

  const Topology& topology_;
  const Nearness nearness_;
  GangFill& gang_;
  const size_t groups_;
  std::vector<size_t> room_for_;  // by domain and group
  std::vector<size_t> live_;      // members, by domain
  std::vector<bool> offers_;
  size_t fixed_ = 0;          // the required domain, if live members fix it
  std::vector<size_t> tops_;  // domains, each of which may hold the gang
};

std::string Several(const std::string& level, size_t count) {
  if (count == 1) return "1 " + level;
  const bool hisses = level.ends_with("ch") || level.ends_with("s") || level.ends_with("x");
  return fmt::format("{} {}{}", count, level, hisses ? "es" : "s");
}

}  // namespace

Nearness NearnessOf(const Job& job, const Levels& levels) {
  Nearness nearness{.levels = levels};
  nearness.levels.emplace_back(kHostLevel);
  const auto none = static_cast<int>(nearness.levels.size());
  const auto place = [&](const std::string& level) {
    const auto found = std::find(nearness.levels.begin(), nearness.levels.end(), level);
    return static_cast<int>(found - nearness.levels.begin());
  };
  if (!job.gang_require.empty()) nearness.require = place(job.gang_require);
  const int prefer = place(job.gang_prefer);
  nearness.prefer = prefer == none ? nearness.require : std::max(prefer, nearness.require);
  if (nearness.prefer < none) nearness.levels.resize(static_cast<size_t>(nearness.prefer + 1));
  return nearness;
}

Gathered Gather(const Topology& topology, const std::vector<size_t>& live, const Nearness& nearness,
                GangFill& gang) {
  return Gathering(topology, live, nearness, gang).Run();
}

std::string ReasonOf(const Topology& topology, const Gathered& gathered, const std::string& level,
                     size_t needed, size_t fit) {
  const std::string start = fmt::format("needs {} member{}", needed, needed == 1 ? "" : "s");
  if (gathered.live > 0) {
    return fmt::format("{} in {} {}, where {} run{}: {} fit{}", start, level,
                       topology.NameOf(gathered.domain), gathered.live,
                       gathered.live == 1 ? "s" : "", fit, fit == 1 ? "s" : "");
  }
  if (gathered.domains == 0) {
    return fmt::format("{} in one {}: no agent that offers says its {}", start, level, level);
  }
  return fmt::format("{} in one {}: {}, the most that fit is {} in {}", start, level,
                     Several(level, gathered.domains), fit, topology.NameOf(gathered.domain));
}

}  // namespace kiln::scheduler

#include "scheduler/placement/order.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

namespace kiln::scheduler {
namespace {

constexpr double kTurnShare = 1.0 / 64;  // of the cluster, in one turn
constexpr double kServedMax = 4;         // clusters; what comes behind has no use for small turns

using Shares = std::array<double, kShared.size()>;

// What a role itself is charged with.
Shares Counted(const RoleUse& use) {
  Shares counted;
  for (size_t i = 0; i < counted.size(); ++i) {
    counted[i] = (static_cast<double>(use.used[i]) + use.past[i]) / 2;
  }
  return counted;
}

void AddTimes(Shares& sum, const Shares& more, double times) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += more[i] * times;
}

double Dominant(const Shares& amounts, const Amounts& total) {
  double most = 0;
  for (size_t i = 0; i < amounts.size(); ++i) {
    if (total[i] > 0) most = std::max(most, amounts[i] / static_cast<double>(total[i]));
  }
  return most;
}

double Dominant(const Amounts& amounts, const Amounts& total) {
  Shares shares;
  std::copy(amounts.begin(), amounts.end(), shares.begin());
  return Dominant(shares, total);
}

// A role, or the jobs of a role itself beside those of the roles below.
struct Node {
  // Where it stands among its siblings with waiting jobs: covered by quota first, then by share,
  // then by name, of which the index tells.
  using Rank = std::tuple<bool, double, size_t>;

  std::optional<size_t> parent;
  double weight = 1;
  Amounts quota{};
  Amounts used{};    // with all below
  Shares counted{};  // the same with its past; scaled down for a role with children
  const Bid* next = nullptr;

  // Of a role: its children with waiting jobs, their shares by weight, and what they are charged
  // with: each for a share of 1 by its weight, and the others as they are.
  std::set<Rank> open;
  std::multiset<double> shares;
  Shares scaled{};
  Shares closed{};

  // Of a role's own jobs.
  bool leaf = false;
  std::vector<size_t> bids;
  size_t current = 0;
  size_t taken = 0;  // of the current bid

  // As it was entered at its parent.
  bool entered = false;
  std::optional<Rank> rank;
  Shares charge{};
  // Its places in the sets of its parent, while it is withdrawn.
  std::set<Rank>::node_type place;
  std::multiset<double>::node_type share_place;
};

bool Covers(const Node& node, const Amounts& asked) {
  return QuotaCovers(node.quota, node.used, asked).has_value();
}

class Tree {
 public:
  Tree(const std::vector<Bid>& bids, const Sharing& sharing) : bids_(bids), sharing_(sharing) {
    std::set<std::string_view> names;
    const auto name = [&names](std::string_view role) {
      for (; !role.empty() && names.insert(role).second; role = ParentRole(role)) {
      }
    };
    for (const Bid& bid : bids) {
      if (names.empty() || !names.contains(bid.role)) name(bid.role);
    }
    for (const auto& [role, use] : sharing.use) name(role);
    nodes_.reserve(2 * names.size() + 1);
    nodes_.emplace_back();
    for (const std::string_view role : names) {
      const std::string_view parent = ParentRole(role);
      index_[role] = nodes_.size();
      nodes_.push_back({.parent = parent.empty() ? 0 : index_.at(parent)});
    }
    for (const Role& role : sharing.settings->roles) {
      const auto found = index_.find(role.name);
      if (found == index_.end()) continue;
      nodes_[found->second].weight = role.weight;
      nodes_[found->second].quota = role.quota;
    }
    for (const auto& [role, use] : sharing.use) {
      Node& own = nodes_[Own(role)];
      own.counted = Counted(use);
      Charge(own, use.used);
    }
    for (size_t i = 0; i < bids.size(); ++i) nodes_[Own(bids[i].role)].bids.push_back(i);
    for (auto& [role, own] : own_) Begin(nodes_[own]);
    // Children stand behind their parents.
    for (size_t i = nodes_.size(); i-- > 0;) Refresh(i);
  }

  std::optional<Turn> Next() {
    if (nodes_[0].open.empty()) return std::nullopt;
    size_t at = 0;
    while (!nodes_[at].leaf) at = std::get<size_t>(*nodes_[at].open.begin());
    Node& own = nodes_[at];
    const size_t number = own.bids[own.current];
    const Bid& bid = bids_[number];
    const Turn turn{number, own.taken, std::min(TurnSize(at, bid), bid.count - own.taken)};
    const Amounts amounts = Times(bid.each, static_cast<int64_t>(turn.count));
    for (size_t i = 0; i < amounts.size(); ++i) {
      own.counted[i] += static_cast<double>(amounts[i]);
    }
    Charge(own, amounts);
    served_ += Dominant(amounts, sharing_.total);
    own.taken += turn.count;
    if (own.taken == bid.count) {
      ++own.current;
      own.taken = 0;
      if (own.current == own.bids.size()) --waiting_;
    }
    for (std::optional<size_t> up = at; up; up = nodes_[*up].parent) Refresh(*up);
    return turn;
  }

 private:
  size_t Own(std::string_view role) {
    const auto [found, created] = own_.try_emplace(role, nodes_.size());
    if (created) nodes_.push_back({.parent = index_.at(role), .leaf = true});
    return found->second;
  }

  // Jobs are looked at in their order.
  void Begin(Node& own) {
    const auto before = [this](size_t a, size_t b) {
      return bids_[a].precedence < bids_[b].precedence;
    };
    if (!std::is_sorted(own.bids.begin(), own.bids.end(), before)) {
      std::stable_sort(own.bids.begin(), own.bids.end(), before);
    }
    if (!own.bids.empty()) ++waiting_;
  }

  void Charge(Node& own, const Amounts& amounts) {
    Add(own.used, amounts);
    for (std::optional<size_t> up = own.parent; up; up = nodes_[*up].parent) {
      Add(nodes_[*up].used, amounts);
    }
  }

  // So much that no other role has to wait for long, and no more than a quota that covers it.
  size_t TurnSize(size_t at, const Bid& bid) const {
    if (!bid.divisible || waiting_ == 1 || served_ > kServedMax) return bid.count;
    const double share = Dominant(bid.each, sharing_.total);
    if (share == 0) return bid.count;
    auto size = static_cast<size_t>(std::max(1.0, kTurnShare / share));
    for (std::optional<size_t> up = at; up; up = nodes_[*up].parent) {
      const Node& node = nodes_[*up];
      if (!Covers(node, bid.each)) continue;
      for (size_t i = 0; i < bid.each.size(); ++i) {
        if (node.quota[i] == 0 || bid.each[i] == 0) continue;
        size = std::min(size, static_cast<size_t>((node.quota[i] - node.used[i]) / bid.each[i]));
      }
    }
    return size;
  }

  // What is below the node has changed.
  void Refresh(size_t at) {
    Node& node = nodes_[at];
    if (node.leaf) {
      node.next = node.current < node.bids.size() ? &bids_[node.bids[node.current]] : nullptr;
    } else {
      node.counted = node.closed;
      if (!node.shares.empty()) AddTimes(node.counted, node.scaled, *node.shares.begin());
      node.next = node.open.empty() ? nullptr : nodes_[std::get<size_t>(*node.open.begin())].next;
    }
    if (node.parent) {
      Withdraw(node);
      Enter(at);
    }
  }

  void Enter(size_t at) {
    Node& node = nodes_[at];
    Node& parent = nodes_[*node.parent];
    node.entered = true;
    node.charge = node.counted;
    if (node.next == nullptr) return AddTimes(parent.closed, node.charge, 1);
    const double share = Dominant(node.counted, sharing_.total) / node.weight;
    node.rank = {!Covers(node, node.next->each), share, at};
    Put(*node.rank, node.place, parent.open);
    if (share == 0) return;
    Put(share, node.share_place, parent.shares);
    AddTimes(parent.scaled, node.charge, 1 / share);
  }

  // Into the place that it has had before, if any.
  template <typename Value, typename Set>
  static void Put(const Value& value, typename Set::node_type& place, Set& set) {
    if (place.empty()) {
      set.insert(value);
    } else {
      place.value() = value;
      set.insert(std::move(place));
    }
  }

  void Withdraw(Node& node) {
    if (!node.entered) return;
    Node& parent = nodes_[*node.parent];
    if (!node.rank) return AddTimes(parent.closed, node.charge, -1);
    node.place = parent.open.extract(*node.rank);
    const double share = std::get<double>(*node.rank);
    node.rank.reset();
    if (share == 0) return;
    node.share_place = parent.shares.extract(parent.shares.find(share));
    AddTimes(parent.scaled, node.charge, -1 / share);
    if (parent.shares.empty()) parent.scaled = {};
  }

  const std::vector<Bid>& bids_;
  const Sharing& sharing_;
  std::vector<Node> nodes_;  // the first is the root, a parent stands before its children
  std::map<std::string_view, size_t> index_;  // of roles
  std::map<std::string_view, size_t> own_;    // of their own jobs
  size_t waiting_ = 0;                        // roles of which jobs wait
  double served_ = 0;                         // in clusters
};

}  // namespace

Precedence PrecedenceOf(int priority, Instant since, Duration ageing) {
  if (ageing.count() == 0) return {-priority, since.nanoseconds};
  return {since.nanoseconds - priority * ageing.count(), -priority};
}

std::vector<Turn> OrderOf(const std::vector<Bid>& bids, const Sharing& sharing) {
  Tree tree(bids, sharing);
  std::vector<Turn> turns;
  turns.reserve(bids.size());
  while (const auto turn = tree.Next()) turns.push_back(*turn);
  return turns;
}

std::vector<RoleShare> SharesOf(const Sharing& sharing, const std::vector<std::string>& more) {
  std::map<std::string, RoleShare> shares;
  std::map<std::string, Shares> counted;
  const auto each_above = [](std::string_view role, const auto& visit) {
    for (; !role.empty(); role = ParentRole(role)) visit(std::string(role));
  };
  const auto name = [&shares](const std::string& role) { shares[role].role.name = role; };
  for (const std::string& role : more) each_above(role, name);
  for (const Role& role : sharing.settings->roles) {
    each_above(role.name, name);
    shares[role.name].role = role;
  }
  for (const auto& [role, use] : sharing.use) {
    each_above(role, name);
    each_above(role, [&, &use = use](const std::string& above) {
      Add(shares[above].used, use.used);
      AddTimes(counted[above], Counted(use), 1);
    });
  }
  std::vector<RoleShare> list;
  for (auto& [role, share] : shares) {
    share.share = Dominant(share.used, sharing.total);
    share.counted = Dominant(counted[role], sharing.total);
    list.push_back(std::move(share));
  }
  return list;
}

}  // namespace kiln::scheduler

#include "wire/zookeeper/leader.h"

#include <algorithm>
#include <charconv>

#include "base/random.h"
#include "wire/net/loop.h"
#include "wire/zookeeper/handle.h"

namespace kiln::wire {
namespace {

// Numbers wrap to negative ones, which then are the lower: as Mesos's own clients see it.
std::optional<int32_t> NumberOf(std::string_view node) {
  node.remove_prefix(node.rfind('_') + 1);
  int32_t number = 0;
  const auto [end, error] = std::from_chars(node.data(), node.data() + node.size(), number);
  if (error != std::errc() || end != node.data() + node.size()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<std::string> LeaderOf(const std::vector<std::string>& nodes) {
  std::optional<std::string> leader;
  std::optional<int32_t> lowest;
  for (const std::string& node : nodes) {
    const auto number = NumberOf(node);
    if (!number || (lowest && *lowest <= *number)) continue;
    lowest = number;
    leader = node;
  }
  return leader;
}

// Lives on the loop. Each session is a Link of its own: what a Link reports that is not the present
// one is stale.
class LeaderWatch::Core : public std::enable_shared_from_this<LeaderWatch::Core> {
 public:
  Core(net::Loop& loop, ZookeeperAddress address, OnLeader on_leader, Duration session,
       std::optional<std::string> content)
      : loop_(loop),
        address_(std::move(address)),
        on_leader_(std::move(on_leader)),
        session_(session),
        content_(std::move(content)) {}

  void Open();
  void Expel(const std::string& node);

 private:
  // The context of all that the client calls. Its address is stable until the handle is closed.
  struct Link : std::enable_shared_from_this<Link> {
    Link(net::Loop& l, std::weak_ptr<Core> c) : loop(l), core(std::move(c)) {}
    // Runs it on the loop if this is the present session still. From any thread.
    template <typename Function>
    void Post(Function function) {
      loop.Post([weak = weak_from_this(), function = std::move(function)]() mutable {
        const auto link = weak.lock();
        const auto alive = link ? link->core.lock() : nullptr;
        if (alive && alive->link_ == link) function(*alive);
      });
    }

    net::Loop& loop;
    const std::weak_ptr<Core> core;
    // Begins the name of its member, which so is known also when the answer to its making is lost.
    const std::string id = fmt::format("{:016x}", RandomSeed());
    bool joining = false;  // on the loop
    Status opened;
    std::unique_ptr<ZookeeperHandle> handle;
  };
  // The context of a reading, which has to know of which node it is.
  struct Reading {
    Link& link;
    std::string node;
  };

  static void WhenChanged(zhandle_t*, int type, int, const char*, void* context) {
    if (type == ZOO_SESSION_EVENT) return;
    static_cast<Link*>(context)->Post([](Core& core) { core.List(); });
  }
  static void WhenListed(int code, const String_vector* names, const void* context) {
    std::vector<std::string> nodes;
    if (code == ZOK) nodes.assign(names->data, names->data + names->count);
    LinkOf(context).Post([code, nodes](Core& core) { core.OnListed(code, nodes); });
  }
  static void WhenLookedFor(int code, const Stat*, const void* context) {
    LinkOf(context).Post([code](Core& core) {
      if (code == ZOK) return core.List();
      if (code != ZNONODE) core.OnFailed(code);
    });
  }
  static void WhenRead(int code, const char* bytes, int size, const Stat*, const void* context) {
    const std::unique_ptr<const Reading> reading(static_cast<const Reading*>(context));
    Leader leader{.node = reading->node};
    if (code == ZOK && size > 0) leader.content.assign(bytes, bytes + size);
    reading->link.Post([code, leader](Core& core) mutable {
      leader.own = core.IsOwn(leader.node);
      if (code == ZOK) return core.Tell(leader);
      // The watch tells of a node that has gone.
      if (code != ZNONODE) core.OnFailed(code);
    });
  }
  static void WhenJoined(int code, const char*, const void* context) {
    LinkOf(context).Post([code](Core& core) {
      core.link_->joining = false;
      if (code != ZOK) core.OnFailed(code);
    });
  }
  static Link& LinkOf(const void* context) {
    return *static_cast<Link*>(const_cast<void*>(context));
  }

  void OnOpened();
  void OnState(int state);
  void OnListed(int code, const std::vector<std::string>& nodes);
  void OnFailed(int code);
  void List();
  bool IsOwn(const std::string& node) const { return node.starts_with(link_->id); }
  int Join();
  void Tell(Result<Leader> leader);
  void ReopenLater();
  void TellLost();

  net::Loop& loop_;
  const ZookeeperAddress address_;
  const OnLeader on_leader_;
  const Duration session_;
  const std::optional<std::string> content_;  // of its member; none: it is no member
  std::shared_ptr<Link> link_;
  bool open_ = false;  // the link's handle may be used
  std::optional<Result<Leader>> told_;
  net::Handle lost_;   // runs while no server is reached
  net::Handle again_;  // until another listing, after one that was refused
};

// Names are looked up, and a server that does not answer is waited for, off the loop: one at a
// time, however long it takes.
void LeaderWatch::Core::Open() {
  open_ = false;
  again_.Reset();
  lost_ = loop_.After(session_, [this] { TellLost(); });
  const auto link = std::make_shared<Link>(loop_, weak_from_this());
  loop_.Offload(
      [link, old = std::exchange(link_, link), address = address_, session = session_]() mutable {
        old.reset();
        auto opened = ZookeeperHandle::Open(address, session, [&link = *link](int state) {
          link.Post([state](Core& core) { core.OnState(state); });
        });
        if (opened) {
          link->handle = *std::move(opened);
        } else {
          link->opened = Failure(opened.error());
        }
      },
      [link] { link->Post([](Core& core) { core.OnOpened(); }); });
}

// Whoever is away for that long has no session any more, and its servers may have other addresses.
void LeaderWatch::Core::ReopenLater() {
  lost_ = loop_.After(session_, [this] {
    TellLost();
    Open();
  });
}

void LeaderWatch::Core::TellLost() {
  Tell(Fail(ErrorCode::kUnavailable, "zookeeper at {} is not reached: tries on", address_.servers));
}

void LeaderWatch::Core::OnOpened() {
  ReopenLater();
  if (!link_->opened) return Tell(Failure(link_->opened.error()));
  open_ = true;
  OnState(zoo_state(link_->handle->get()));
}

void LeaderWatch::Core::OnState(int state) {
  if (!open_) return;
  if (state == ZOO_CONNECTED_STATE) {
    lost_.Reset();
    List();
  } else if (state == ZOO_EXPIRED_SESSION_STATE) {
    Open();
  } else if (!lost_) {
    ReopenLater();
  }
}

// The watch fires once, and each listing sets it anew.
void LeaderWatch::Core::List() {
  again_.Reset();
  if (!open_) return;
  const int code = zoo_awget_children(link_->handle->get(), address_.path.c_str(), WhenChanged,
                                      link_.get(), WhenListed, link_.get());
  if (code != ZOK) OnFailed(code);
}

void LeaderWatch::Core::OnListed(int code, const std::vector<std::string>& nodes) {
  const auto node = LeaderOf(nodes);
  int asked = code;
  if (code == ZNONODE) {
    asked = zoo_awexists(link_->handle->get(), address_.path.c_str(), WhenChanged, link_.get(),
                         WhenLookedFor, link_.get());
  } else if (code == ZOK && node) {
    auto reading = std::make_unique<Reading>(Reading{*link_, *node});
    const std::string path = address_.path + "/" + *node;
    asked = zoo_aget(link_->handle->get(), path.c_str(), 0, WhenRead, reading.get());
    if (asked == ZOK) (void)reading.release();
  }
  if (asked != ZOK) return OnFailed(asked);
  if (code == ZOK && content_ && !link_->joining &&
      std::none_of(nodes.begin(), nodes.end(), [this](const auto& one) { return IsOwn(one); })) {
    if (const int joined = Join(); joined != ZOK) return OnFailed(joined);
  }
  if (!node) Tell(Fail(ErrorCode::kNotFound, "nobody leads at {}", address_.Text()));
}

// The watch tells when the node is there.
int LeaderWatch::Core::Join() {
  link_->joining = true;
  const std::string path = address_.path + "/" + link_->id + "_";
  return zoo_acreate(link_->handle->get(), path.c_str(), content_->data(),
                     static_cast<int>(content_->size()), AccessOf(address_),
                     ZOO_EPHEMERAL_SEQUENTIAL, WhenJoined, link_.get());
}

// The watch tells when the node is gone; if it cannot be removed, its session ends later on.
void LeaderWatch::Core::Expel(const std::string& node) {
  if (!open_) return;
  const std::string path = address_.path + "/" + node;
  zoo_adelete(
      link_->handle->get(), path.c_str(), -1, [](int, const void*) {}, nullptr);
}

void LeaderWatch::Core::OnFailed(int code) {
  const Error error = ZookeeperError(code, "node " + address_.path);
  // The state of the session tells of what is lost, and of how that ends.
  if (error.code == ErrorCode::kUnavailable) return;
  Tell(Failure(error));
  again_ = loop_.After(session_, [this] { List(); });
}

void LeaderWatch::Core::Tell(Result<Leader> leader) {
  if (told_ && *told_ == leader) return;
  told_ = leader;
  on_leader_(leader);
}

LeaderWatch::LeaderWatch(net::Loop& loop, ZookeeperAddress address, OnLeader on_leader,
                         Duration session, std::optional<std::string> content)
    : core_(std::make_shared<Core>(loop, std::move(address), std::move(on_leader), session,
                                   std::move(content))) {
  core_->Open();
}
LeaderWatch::~LeaderWatch() = default;

void LeaderWatch::Expel(const std::string& node) { core_->Expel(node); }

}  // namespace kiln::wire

#include "scheduler/store/follower.h"
#include "scheduler/store/zookeeper_nodes.h"
#include "wire/zookeeper/session.h"

namespace kiln::scheduler {
namespace {

using wire::ZookeeperSession;

constexpr int kTries = 10;

class ZookeeperFollower final : public StoreFollower {
 public:
  explicit ZookeeperFollower(const wire::ZookeeperAddress& address) : address_(address) {}

  Result<News> Next() override {
    if (!session_) {
      KILN_TRY(session_, ZookeeperSession::Open(address_));
    }
    auto news = Try();
    // A session that has ended stays so.
    if (!news && news.error().code == ErrorCode::kUnavailable) session_.reset();
    if (!news) return Failure(Within("state " + address_.Text(), news.error()));
    return news;
  }
  void Restart() override { revision_.reset(); }

 private:
  Result<News> Try() {
    if (revision_) {
      KILN_TRY(const StateHead head, Head());
      if (head.revision >= *revision_ && head.first <= *revision_ + 1) {
        News news;
        const Status read = AddLog(*revision_ + 1, head.revision, news.changes);
        if (read) {
          revision_ = head.revision;
          return news;
        }
        if (read.error().code != ErrorCode::kNotFound) return Failure(read.error());
      }
    }
    for (int tries = kTries;; --tries) {
      auto whole = Whole();
      // Nodes may go while they are read, as the leader writes.
      if (whole || whole.error().code != ErrorCode::kNotFound || tries == 0) return whole;
    }
  }

  // The log is read before the pages, and what has come to it meanwhile after them. So the log that
  // is played back over the pages holds all that they may lack, up to one commit for all of them.
  Result<News> Whole() {
    KILN_TRY(const StateHead before, Head());
    std::vector<Change> log;
    KILN_TRY_OK(AddLog(before.first, before.revision, log));
    KILN_TRY(const auto nodes, session_->Children("pages"));
    std::vector<std::string> pages;
    for (const std::string& node : nodes) {
      if (node.find('.') == node.npos) pages.push_back("pages/" + node);
    }
    News news{true, {}};
    KILN_TRY_OK(AddBlobs(pages, news.changes));
    KILN_TRY(const StateHead after, Head());
    KILN_TRY_OK(AddLog(before.revision + 1, after.revision, log));
    std::move(log.begin(), log.end(), std::back_inserter(news.changes));
    revision_ = after.revision;
    return news;
  }

  Result<StateHead> Head() {
    KILN_TRY_OK(session_->Sync());
    KILN_TRY(const auto nodes, session_->Read(std::vector<std::string>{"state"}));
    return ReadHead(nodes[0].bytes);
  }

  Status AddLog(Revision from, Revision to, std::vector<Change>& changes) {
    std::vector<std::string> names;
    for (Revision one = from; one <= to; ++one) names.push_back(LogName(one));
    return AddBlobs(names, changes);
  }

  Status AddBlobs(const std::vector<std::string>& names, std::vector<Change>& changes) {
    KILN_TRY(const auto blobs, ReadBlobs(*session_, names));
    for (const Blob& blob : blobs) {
      KILN_TRY(auto some, ChangesOf(blob));
      std::move(some.begin(), some.end(), std::back_inserter(changes));
    }
    return {};
  }

  const wire::ZookeeperAddress address_;
  std::unique_ptr<ZookeeperSession> session_;
  std::optional<Revision> revision_;  // that is known
};

}  // namespace

std::unique_ptr<StoreFollower> FollowZookeeperStore(const wire::ZookeeperAddress& address) {
  return std::make_unique<ZookeeperFollower>(address);
}

}  // namespace kiln::scheduler

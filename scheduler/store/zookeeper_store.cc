// The layout is told in zookeeper_nodes.h.
#include <charconv>
#include <deque>
#include <set>
#include <vector>

#include "base/random.h"
#include "scheduler/store/change_codec.h"
#include "scheduler/store/store.h"
#include "scheduler/store/zookeeper_nodes.h"
#include "wire/zookeeper/session.h"

namespace kiln::scheduler {
namespace {

using wire::ZookeeperNode;
using wire::ZookeeperSession;
using wire::ZookeeperStep;
using Kind = ZookeeperStep::Kind;

constexpr uint64_t kPages = 4096;
constexpr size_t kRemovals = 256;  // nodes of the log that go in one write
constexpr int kTries = 10;

// The same in every build: it is part of what is stored.
uint64_t PageOf(const Change& change) {
  uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](unsigned char byte) { hash = (hash ^ byte) * 0x100000001b3; };
  for (const char byte : change.kind) add(static_cast<unsigned char>(byte));
  add(0);
  for (const char byte : change.key) add(static_cast<unsigned char>(byte));
  return hash % kPages;
}

class ZookeeperStore final : public Store {
 public:
  ZookeeperStore(const wire::ZookeeperAddress& address, const ZookeeperStoreLimits& limits,
                 std::string seat)
      : address_(address), limits_(limits), seat_(std::move(seat)), writer_(RandomSeed()) {}

  Status Open() {
    KILN_TRY_OK(Connect());
    KILN_TRY_OK(session_->MakePath());
    for (const char* folder : {"log", "pages"}) {
      const auto made = session_->Create(folder, "");
      if (!made && made.error().code != ErrorCode::kConflict) return Named(made.error());
    }
    const auto made = session_->Create("state", StateHead{.writer = writer_}.Text());
    if (!made && made.error().code != ErrorCode::kConflict) return Named(made.error());
    loaded_ = owner_ = made.has_value();
    return Named(ReadState());
  }

  Result<Revision> Read(const TakeRecord& take) override {
    KILN_TRY(Records records, LoadWhole());
    auto& bytes = records.bytes;
    // Each goes when it is taken, so that all are not held twice.
    for (auto record = bytes.begin(); record != bytes.end(); record = bytes.erase(record)) {
      KILN_TRY_OK(take(record->first.first, record->first.second, record->second));
    }
    return records.revision;
  }

  Result<Revision> Commit(Revision expected, std::span<const Change> changes) override {
    if (!loaded_) {
      return Fail(ErrorCode::kFailedPrecondition, "state {} is to be loaded before it is written",
                  address_.Text());
    }
    if (expected != head_.revision) return Conflict(expected);
    auto revision = Write(changes);
    // What is known of the nodes may not be true any more.
    loaded_ = revision.has_value() && folded_;
    return revision;
  }

 private:
  Result<Revision> Write(std::span<const Change> changes) {
    StateHead next = NextHead();
    ++next.revision;
    std::string bytes;
    for (const Change& change : changes) AppendChange(change, bytes);
    const Blob entry = Cut(LogName(next.revision), bytes, next.step, limits_.node);
    KILN_TRY_OK(WriteParts(entry));
    std::vector<ZookeeperStep> steps = {{Kind::kCreate, entry.name, entry.First()}};
    KILN_TRY_OK(Advance(next, std::move(steps)));
    Remember(next.revision, changes, entry, bytes.size());
    // It is done, whatever comes of this.
    folded_ = Fold().has_value();
    return next.revision;
  }

  // What the log holds of one page.
  struct Dirt {
    Revision since = 0;
    std::map<std::pair<std::string, std::string>, std::optional<std::string>> changes;
  };
  struct Entry {
    std::vector<std::string> nodes;
    size_t bytes = 0;
  };
  struct Page {
    std::vector<std::string> parts;  // the nodes beside its own
    size_t bytes = 0;
  };

  Result<Records> LoadWhole() {
    for (int tries = kTries;; --tries) {
      auto records = TryLoad();
      // Whose nodes go while they are read is being written by another.
      if (records || records.error().code != ErrorCode::kNotFound || tries == 0) return records;
    }
  }

  Status Connect() {
    session_.reset();
    KILN_TRY(session_, ZookeeperSession::Open(address_));
    return {};
  }

  Failure Named(Error error) const {
    return Failure(Within("state " + address_.Text(), std::move(error)));
  }
  Status Named(Status status) const { return status ? status : Named(status.error()); }
  Failure Conflict(Revision expected) const {
    return Fail(ErrorCode::kConflict, "state {} has another revision than {}: somebody else wrote",
                address_.Text(), expected);
  }

  Status ReadState() {
    KILN_TRY_OK(session_->Sync());
    KILN_TRY(const auto nodes, session_->Read(std::vector<std::string>{"state"}));
    KILN_TRY(head_, ReadHead(nodes[0].bytes));
    version_ = nodes[0].version;
    step_ = std::max(step_, head_.step);
    return {};
  }

  // Of a write to be tried: its step is that of no other.
  StateHead NextHead() {
    StateHead next = head_;
    next.step = ++step_;
    next.writer = writer_;
    return next;
  }
  ZookeeperStep Fence() const { return {Kind::kCheck, "state", "", version_}; }

  // Does the steps if nobody wrote since, and makes `next` the head. Where the answer is lost, the
  // head tells whether they were done.
  Status Advance(const StateHead& next, std::vector<ZookeeperStep> steps) {
    steps.insert(steps.begin(), {Kind::kSet, "state", next.Text(), version_});
    Status done = session_->Do(steps);
    for (int tries = kTries; !done && tries > 0; --tries) {
      const bool lost = done.error().code == ErrorCode::kUnavailable;
      if (lost) KILN_TRY_OK(Named(Connect()));
      if (!lost && tries == kTries) break;
      const Status synced = session_->Sync();
      const auto state = session_->Read(std::vector<std::string>{"state"});
      if (synced && state && state->at(0).bytes == next.Text()) {
        done = {};
      } else if (lost) {
        done = session_->Do(steps);
      } else {
        break;
      }
    }
    if (!done) return Refused(done.error());
    ++version_;
    head_ = next;
    return {};
  }

  Failure Refused(const Error& error) const {
    if (error.code == ErrorCode::kFailedPrecondition) return Conflict(head_.revision);
    return Named(error);
  }

  // The parts beside the first, which no one reads before that names them.
  Status WriteParts(const Blob& blob) {
    for (size_t part = 1; part < blob.parts.size(); ++part) {
      const ZookeeperStep steps[] = {Fence(),
                                     {Kind::kCreate, blob.PartName(part), blob.parts[part]}};
      Status done = session_->Do(steps);
      for (int tries = kTries; !done && tries > 0; --tries) {
        // It is there when the answer of an earlier try was lost.
        if (done.error().code == ErrorCode::kConflict) done = {};
        if (done || done.error().code != ErrorCode::kUnavailable) break;
        KILN_TRY_OK(Named(Connect()));
        done = session_->Do(steps);
      }
      if (!done) return Refused(done.error());
    }
    return {};
  }

  void Remember(Revision revision, std::span<const Change> changes, const Blob& entry,
                size_t bytes) {
    for (const Change& change : changes) {
      const uint64_t page = PageOf(change);
      Dirt& dirt = dirt_[page];
      if (dirt.since == 0) {
        dirt.since = revision;
        oldest_.insert({revision, page});
      }
      dirt.changes[{change.kind, change.key}] = change.bytes;
    }
    Entry& added = log_.emplace_back(Entry{entry.MoreNames(), bytes});
    added.nodes.push_back(entry.name);
    log_bytes_ += bytes;
  }

  // Brings as many of the oldest changes into their pages as one write takes, when the log is long.
  Status Fold() {
    if (log_.size() <= limits_.log_entries &&
        log_bytes_ <= std::max(limits_.log_bytes, page_bytes_ / 4)) {
      return {};
    }
    StateHead next = NextHead();
    std::vector<ZookeeperStep> steps;
    std::map<uint64_t, Page> folded;
    size_t size = 0;
    auto place = oldest_.begin();
    for (; place != oldest_.end() && (folded.empty() || size < limits_.node); ++place) {
      const uint64_t page = place->second;
      KILN_TRY(const std::string bytes, Folded(page));
      size += bytes.size();
      if (size > limits_.node && !folded.empty()) break;
      KILN_TRY(folded[page], WritePage(page, bytes, next.step, steps));
    }
    next.first = place == oldest_.end() ? next.revision + 1 : place->first;
    size_t entries = 0;
    for (size_t nodes = 0; entries < log_.size() && head_.first + entries < next.first; ++entries) {
      const Entry& entry = log_[entries];
      nodes += entry.nodes.size();
      if (nodes > kRemovals && entries > 0) break;
      for (const std::string& name : entry.nodes) steps.push_back({Kind::kRemove, name});
    }
    next.first = head_.first + entries;
    KILN_TRY_OK(Advance(next, std::move(steps)));
    for (auto& [page, written] : folded) {
      oldest_.erase({dirt_.at(page).since, page});
      dirt_.erase(page);
      page_bytes_ += written.bytes - pages_[page].bytes;
      pages_[page] = std::move(written);
    }
    for (; entries > 0; --entries) {
      log_bytes_ -= log_.front().bytes;
      log_.pop_front();
    }
    return {};
  }

  // A page's bytes with all that the log holds of it.
  Result<std::string> Folded(uint64_t page) {
    Records records;
    if (pages_.contains(page)) {
      auto blobs = ReadBlobs(*session_, {PageName(page)});
      if (!blobs && blobs.error().code == ErrorCode::kUnavailable) {
        KILN_TRY_OK(Named(Connect()));
        blobs = ReadBlobs(*session_, {PageName(page)});
      }
      if (!blobs) return Named(blobs.error());
      KILN_TRY_OK(Apply(blobs->at(0), records));
    }
    for (const auto& [key, bytes] : dirt_.at(page).changes) {
      records.Apply({key.first, key.second, bytes});
    }
    std::string bytes;
    for (const auto& [key, value] : records.bytes) {
      AppendChange({key.first, key.second, value}, bytes);
    }
    return bytes;
  }

  Result<Page> WritePage(uint64_t page, const std::string& bytes, uint64_t step,
                         std::vector<ZookeeperStep>& steps) {
    const auto old = pages_.find(page);
    const Blob blob = Cut(PageName(page), bytes, step, limits_.node);
    KILN_TRY_OK(WriteParts(blob));
    steps.push_back({old == pages_.end() ? Kind::kCreate : Kind::kSet, blob.name, blob.First()});
    if (old != pages_.end()) {
      for (const std::string& name : old->second.parts) steps.push_back({Kind::kRemove, name});
    }
    return Page{blob.MoreNames(), bytes.size()};
  }

  static Status Apply(const Blob& blob, Records& records) {
    KILN_TRY(auto changes, ChangesOf(blob));
    for (Change& change : changes) records.Apply(std::move(change));
    return {};
  }

  Result<Records> TryLoad() {
    if (Status state = ReadState(); !state) {
      if (state.error().code != ErrorCode::kUnavailable) return Named(state.error());
      KILN_TRY_OK(Named(Connect()));
      KILN_TRY_OK(Named(ReadState()));
    }
    if (owner_ && head_.writer != writer_) {
      return Fail(ErrorCode::kConflict, "state {} was taken over by another scheduler",
                  address_.Text());
    }
    auto records = LoadNodes();
    if (!records) return Named(records.error());
    return records;
  }

  Result<Records> LoadNodes() {
    dirt_.clear();
    oldest_.clear();
    log_.clear();
    pages_.clear();
    log_bytes_ = page_bytes_ = 0;
    Records records{head_.revision, {}};
    std::set<std::string> known;
    KILN_TRY_OK(LoadPages(records, known));
    KILN_TRY_OK(LoadLog(records, known));
    KILN_TRY_OK(RemoveUnknown(known));
    loaded_ = owner_ = true;
    return records;
  }

  Status LoadPages(Records& records, std::set<std::string>& known) {
    std::vector<std::string> names;
    std::vector<uint64_t> pages;
    KILN_TRY(const auto nodes, session_->Children("pages"));
    for (const std::string& node : nodes) {
      if (node.find('.') != node.npos) continue;
      uint64_t page = kPages;
      std::from_chars(node.data(), node.data() + node.size(), page);
      if (page >= kPages || std::to_string(page) != node) {
        return Fail(ErrorCode::kDataLoss, "node pages/{} is no page, expected a number below {}",
                    node, kPages);
      }
      names.push_back("pages/" + node);
      pages.push_back(page);
    }
    KILN_TRY(const auto blobs, ReadBlobs(*session_, names));
    for (size_t i = 0; i < blobs.size(); ++i) {
      const Blob& blob = blobs[i];
      Page& page = pages_[pages[i]];
      for (const std::string& part : blob.parts) page.bytes += part.size();
      page.parts = blob.MoreNames();
      known.insert(blob.name);
      known.insert(page.parts.begin(), page.parts.end());
      page_bytes_ += page.bytes;
      KILN_TRY_OK(Apply(blob, records));
    }
    return {};
  }

  Status LoadLog(Records& records, std::set<std::string>& known) {
    std::vector<std::string> names;
    KILN_TRY(const auto nodes, session_->Children("log"));
    if (head_.revision - (head_.first - 1) > nodes.size()) {
      return Fail(ErrorCode::kNotFound, "node log has {} nodes, expected commits {} to {}",
                  nodes.size(), head_.first, head_.revision);
    }
    for (Revision one = head_.first; one <= head_.revision; ++one) names.push_back(LogName(one));
    KILN_TRY(const auto blobs, ReadBlobs(*session_, names));
    for (size_t i = 0; i < blobs.size(); ++i) {
      KILN_TRY(const auto changes, ChangesOf(blobs[i]));
      size_t bytes = 0;
      for (const std::string& part : blobs[i].parts) bytes += part.size();
      Remember(head_.first + i, changes, blobs[i], bytes);
      known.insert(log_.back().nodes.begin(), log_.back().nodes.end());
      KILN_TRY_OK(Apply(blobs[i], records));
    }
    return {};
  }

  // Of writes that were begun and not finished. Done together with a write of the head, so that all
  // of what was read is of one moment, and who wrote before writes no more.
  Status RemoveUnknown(const std::set<std::string>& known) {
    std::vector<ZookeeperStep> steps;
    for (const char* folder : {"pages", "log"}) {
      KILN_TRY(const auto nodes, session_->Children(folder));
      for (const std::string& node : nodes) {
        const std::string name = fmt::format("{}/{}", folder, node);
        if (!known.contains(name)) steps.push_back({Kind::kRemove, name});
      }
    }
    if (!seat_.empty()) steps.push_back({Kind::kCheck, seat_, ""});
    const Status taken = Advance(NextHead(), std::move(steps));
    if (taken) return taken;
    KILN_TRY_OK(CheckSeat());
    if (taken.error().code != ErrorCode::kConflict) return taken;
    return Fail(ErrorCode::kNotFound, "another writes while it is read");
  }

  // Who has lost its seat takes nothing from its successor.
  Status CheckSeat() const {
    if (seat_.empty()) return {};
    const auto read = session_->Read(std::vector<std::string>{seat_});
    if (read || read.error().code != ErrorCode::kNotFound) return {};
    return Fail(ErrorCode::kConflict, "state {}: {} is gone, so another scheduler leads",
                address_.Text(), seat_);
  }

  const wire::ZookeeperAddress address_;
  const ZookeeperStoreLimits limits_;
  const std::string seat_;  // the node by which it leads; empty: none is asked for
  const uint64_t writer_;
  std::unique_ptr<ZookeeperSession> session_;
  StateHead head_;
  int32_t version_ = 0;  // of the node `state`
  uint64_t step_ = 0;    // of the last write that was tried
  bool owner_ = false;   // it took the state over, which it does once
  bool loaded_ = false;  // what it knows of the nodes is true
  bool folded_ = true;   // the last write brought into pages what it had to
  std::map<uint64_t, Dirt> dirt_;
  std::set<std::pair<Revision, uint64_t>> oldest_;  // pages by the first change that they lack
  std::deque<Entry> log_;                           // from head_.first on
  size_t log_bytes_ = 0;
  std::map<uint64_t, Page> pages_;
  size_t page_bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<Store>> OpenZookeeperStore(const wire::ZookeeperAddress& address,
                                                  const ZookeeperStoreLimits& limits,
                                                  const std::string& seat) {
  auto store = std::make_unique<ZookeeperStore>(address, limits, seat);
  KILN_TRY_OK(store->Open());
  return store;
}

}  // namespace kiln::scheduler

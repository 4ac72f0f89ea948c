#include "scheduler/api/event_feeds.h"

#include "scheduler/api/views.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

constexpr Duration kHeartbeat = std::chrono::seconds(15);
constexpr size_t kKept = 10'000;         // events
constexpr size_t kPieceSize = 32 << 10;  // about, in bytes
constexpr int kServedAtOnce = 32;        // readers; about half a millisecond

}  // namespace

std::shared_ptr<EventFeeds> EventFeeds::Open(net::Loop& loop, Backend& backend) {
  auto feeds = std::shared_ptr<EventFeeds>(new EventFeeds(loop));
  for (const Event& event : backend.EventsAfter(0)) feeds->Keep(event);
  feeds->subscription_ =
      backend.Subscribe([raw = feeds.get()](const Event& event) { raw->Keep(event); });
  feeds->heartbeat_ = loop.Every(kHeartbeat, [raw = feeds.get()] { raw->WakeAll(true); });
  return feeds;
}

void EventFeeds::Add(const std::shared_ptr<net::Exchange>& exchange, uint64_t seen) {
  // A number that is still to come is of a life that this state does not know.
  if (seen > last()) seen = 0;
  auto reader = std::make_shared<Reader>(Reader{exchange, std::max(seen, first_ - 1)});
  readers_.push_back(reader);
  exchange->OnTaken([this, self = weak_from_this(), weak = std::weak_ptr(reader)] {
    const auto lives = self.lock();
    if (const auto taker = weak.lock(); lives && taker) Serve(*taker);
  });
  exchange->OnClose([reader] {});
  Serve(*reader);
}

// Whoever reads already has seen what was before.
void EventFeeds::Begin(uint64_t first) {
  first_ = first;
  for (const auto& weak : readers_) {
    if (const auto reader = weak.lock()) reader->seen = first - 1;
  }
}

void EventFeeds::Keep(const Event& event) {
  if (texts_.empty()) Begin(event.sequence);
  texts_.push_back(fmt::format("id: {}\nevent: {}\ndata: {}\n\n", event.sequence, event.type,
                               wire::DumpJson(EventToJson(event))));
  if (texts_.size() > kKept) {
    texts_.pop_front();
    ++first_;
  }
  WakeAll(false);
}

void EventFeeds::WakeAll(bool heartbeat) {
  const bool waits = !due_.empty();
  std::erase_if(readers_, [&](const std::weak_ptr<Reader>& weak) {
    const auto reader = weak.lock();
    if (!reader) return true;
    reader->heartbeat |= heartbeat;
    if (!std::exchange(reader->due, true)) due_.push_back(weak);
    return false;
  });
  if (!waits) ServeLater();
}

void EventFeeds::ServeLater() {
  if (due_.empty()) return;
  loop_.Post([self = weak_from_this()] {
    if (const auto lives = self.lock()) lives->ServeSome();
  });
}

void EventFeeds::ServeSome() {
  for (int served = 0; served < kServedAtOnce && !due_.empty(); ++served) {
    const auto reader = due_.front().lock();
    due_.pop_front();
    if (!reader) continue;
    reader->due = false;
    Serve(*reader);
  }
  ServeLater();
}

void EventFeeds::Serve(Reader& reader) {
  const bool heartbeat = std::exchange(reader.heartbeat, false);
  if (reader.exchange->Unsent() > 0) return;
  if (reader.seen + 1 < first_) return reader.exchange->Abort();
  std::string piece;
  for (; reader.seen < last() && piece.size() < kPieceSize; ++reader.seen) {
    piece += texts_[reader.seen + 1 - first_];
  }
  if (piece.empty() && heartbeat) piece = ": heartbeat\n\n";
  reader.exchange->Write(piece);
}

}  // namespace kiln::scheduler

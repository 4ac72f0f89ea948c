#include <charconv>

#include "scheduler/api/event_feeds.h"
#include "scheduler/api/routes.h"

namespace kiln::scheduler {
namespace {

// The sequence that the reader has seen: none is the newest, so that it gets what happens from
// here on.
Result<uint64_t> Seen(const net::Request& request, uint64_t newest) {
  std::string text;
  if (auto header = request.headers.Get("Last-Event-ID")) text = *header;
  if (auto query = request.Query("after")) text = *query;
  if (text.empty()) return newest;
  uint64_t sequence = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, sequence);
  if (parsed.ec == std::errc() && parsed.ptr == end) return sequence;
  return FailField("after", "Last-Event-ID is \"{}\": expected a sequence number", text);
}

void Events(EventFeeds& feeds, const Call& call) {
  const auto seen = Seen(call.request(), feeds.last());
  if (!seen) return call.AnswerError(seen.error());
  call.exchange->BeginStream(
      {200, {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-cache"}}, ": kiln\n\n"});
  if (call.request().method != "HEAD") feeds.Add(call.exchange, *seen);
}

}  // namespace

void AddEventRoutes(std::vector<Route>& routes, ApiContext& context) {
  routes.push_back({"GET",
                    "/v1/events",
                    "what happens, as server-sent events; Last-Event-ID or after resumes",
                    [feeds = EventFeeds::Open(context.loop, context.backend)](const Call& call) {
                      Events(*feeds, call);
                    },
                    {"after"}});
}

}  // namespace kiln::scheduler

#include <charconv>

#include "scheduler/api/routes.h"
#include "scheduler/api/views.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

constexpr Duration kHeartbeat = std::chrono::seconds(15);
constexpr size_t kUnsentMax = 4 << 20;  // bytes; a reader that is further behind is cut off

// Ends with the connection that it is for.
struct Feed {
  std::shared_ptr<void> subscription;
  net::Handle heartbeat;
};

void Send(net::Exchange& exchange, std::string_view text) {
  exchange.Write(text);
  if (exchange.Unsent() > kUnsentMax) exchange.Abort();
}

std::string EventText(const Event& event) {
  return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", event.sequence, event.type,
                     wire::DumpJson(EventToJson(event)));
}

// The sequence that the reader has seen: none is the newest, so that it gets what happens from
// here on.
Result<uint64_t> Seen(const net::Request& request, const Backend& backend) {
  std::string text;
  if (auto header = request.headers.Get("Last-Event-ID")) text = *header;
  if (auto query = request.Query("after")) text = *query;
  if (text.empty()) {
    const auto events = backend.EventsAfter(0);
    return events.empty() ? 0 : events.back().sequence;
  }
  uint64_t sequence = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, sequence);
  if (parsed.ec == std::errc() && parsed.ptr == end) return sequence;
  return FailField("after", "Last-Event-ID is \"{}\": expected a sequence number", text);
}

void Events(ApiContext& context, const Call& call) {
  const auto seen = Seen(call.request(), context.backend);
  if (!seen) return call.AnswerError(seen.error());
  auto exchange = call.exchange;
  exchange->BeginStream(
      {200, {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-cache"}}, ": kiln\n\n"});
  for (const Event& event : context.backend.EventsAfter(*seen)) {
    exchange->Write(EventText(event));
  }
  auto feed = std::make_shared<Feed>();
  feed->subscription = context.backend.Subscribe(
      [exchange](const Event& event) { Send(*exchange, EventText(event)); });
  feed->heartbeat =
      context.loop.Every(kHeartbeat, [exchange] { Send(*exchange, ": heartbeat\n\n"); });
  exchange->OnClose([feed] { *feed = {}; });
}

}  // namespace

void AddEventRoutes(std::vector<Route>& routes, ApiContext& context) {
  routes.push_back({"GET",
                    "/v1/events",
                    "what happens, as server-sent events; Last-Event-ID or after resumes",
                    [&context](const Call& call) { Events(context, call); },
                    {"after"}});
}

}  // namespace kiln::scheduler

#include "proto/mesos/v1/executor.pb.h"
#include "proto/mesos/v1/scheduler.pb.h"
#include "tests/fuzz/targets.h"
#include "wire/mesos/convert.h"
#include "wire/mesos/json.h"
#include "wire/mesos/master_address.h"
#include "wire/mesos/recordio.h"
#include "wire/net/http.h"
#include "wire/net/parser.h"

namespace kiln::fuzz {
namespace {

// Where to cut is taken from the bytes themselves.
size_t CutOf(std::string_view bytes) {
  return bytes.empty() ? 0 : static_cast<unsigned char>(bytes.back()) % bytes.size();
}

// Everything that a parser tells, as text.
struct Heard final : net::MessageEvents {
  std::string text;

  Status OnHead(net::MessageHead head) override {
    text += head.method + " " + head.target + " " + std::to_string(head.status) + "\n";
    return {};
  }
  Status OnBody(std::string_view piece) override {
    text += piece;
    return {};
  }
};

// What is told of one message in two pieces, cut there.
std::string HearHttp(net::MessageParser::Kind kind, std::string_view bytes, size_t cut) {
  Heard heard;
  const auto parser = net::MessageParser::Make(kind, heard, 8192);
  size_t taken = 0;
  for (const size_t end : {cut, bytes.size()}) {
    while (!parser->Done() && taken < end) {
      const auto put = parser->Put(bytes.substr(taken, end - taken));
      if (!put) return heard.text + " broken";
      Require(*put <= end - taken, "a parser takes no more than it is given");
      if (*put == 0) break;
      taken += *put;
    }
  }
  if (!parser->Done() && !parser->PutEnd()) return heard.text + " cut off";
  return heard.text;
}

void CheckJson(std::string_view bytes, google::protobuf::Message& message) {
  if (!wire::FromJson(bytes, message)) return;
  const std::string text = wire::ToJson(message);
  Require(wire::FromJson(text, message).has_value(), "what is written as JSON can be read");
  Require(wire::ToJson(message) == text, "JSON read and written again is the same");
}

}  // namespace

void FeedRecordIo(std::string_view bytes) {
  constexpr size_t kLimit = size_t{1} << 20;
  wire::RecordDecoder whole(kLimit);
  wire::RecordDecoder cut(kLimit);
  const auto all = whole.Feed(bytes);
  auto first = cut.Feed(bytes.substr(0, CutOf(bytes)));
  const auto second = cut.Feed(bytes.substr(CutOf(bytes)));
  Require(all.has_value() == second.has_value(), "a cut changes no verdict");
  if (!all) return;
  first->insert(first->end(), second->begin(), second->end());
  Require(*first == *all, "a cut changes no record");
}

void FeedHttp(std::string_view bytes) {
  using Kind = net::MessageParser::Kind;
  for (const Kind kind : {Kind::kRequest, Kind::kAnswer, Kind::kAnswerToHead}) {
    const std::string whole = HearHttp(kind, bytes, bytes.size());
    const std::string cut = HearHttp(kind, bytes, CutOf(bytes));
    const bool broken = whole.ends_with(" broken") || cut.ends_with(" broken");
    Require(broken || whole == cut, "a cut changes no message");
  }
}

void FeedMesosEvent(std::string_view bytes) {
  mesos::v1::scheduler::Event event;
  if (wire::Parse(wire::Encoding::kProtobuf, bytes, event)) {
    for (const auto& offer : event.offers().offers()) wire::ToOffer(offer, Instant{});
    wire::ToTaskState(event.update().status().state());
    wire::ReasonName(event.update().status());
    mesos::v1::scheduler::Event again;
    const auto written = wire::Serialize(wire::Encoding::kProtobuf, event);
    Require(wire::Parse(wire::Encoding::kProtobuf, written, again).has_value(),
            "what is written can be read");
  }
  mesos::v1::executor::Event other;
  (void)wire::Parse(wire::Encoding::kProtobuf, bytes, other);
}

void FeedMesosJson(std::string_view bytes) {
  mesos::v1::scheduler::Call call;
  CheckJson(bytes, call);
  mesos::v1::scheduler::Event event;
  CheckJson(bytes, event);
  mesos::v1::executor::Event other;
  CheckJson(bytes, other);
}

// The first line is the node's name.
void FeedMasterNode(std::string_view bytes) {
  const size_t line = std::min(bytes.find('\n'), bytes.size());
  const auto place =
      wire::MasterAddress(bytes.substr(0, line), bytes.substr(std::min(line + 1, bytes.size())));
  if (place) {
    Require(net::ParseHostPort(place->address).has_value(), "an address can be connected to");
  }
}

}  // namespace kiln::fuzz

#include "tests/mesos/stream_matcher.h"

#include <gtest/gtest.h>

#include "tests/mesos/timeline.h"

namespace kiln::replay {
namespace {

Json Update(const std::string& task, const std::string& state, const std::string& uuid = "u") {
  return {
      {"type", "UPDATE"},
      {"update", {{"status", {{"task_id", {{"value", task}}}, {"state", state}, {"uuid", uuid}}}}}};
}

Json Offers(std::vector<std::string> ids) {
  Json list = Json::array();
  for (const std::string& id : ids) list.push_back({{"id", id}, {"hostname", "h" + id.substr(5)}});
  return {{"type", "OFFERS"}, {"offers", {{"offers", list}}}};
}

const Json kHeartbeat = {{"type", "HEARTBEAT"}};

struct Case {
  const char* claim;
  std::vector<Json> expected;
  std::vector<Json> found;
  std::string difference;  // "" if all matches
  bool agent_restarted = false;
};

// Plays all records at time 100 against events that may come between 0 and 1000.
std::string Play(const Case& c) {
  StreamMatcher matcher;
  if (c.agent_restarted) matcher.AgentRestarted();
  std::vector<ExpectedEvent> events;
  for (const Json& json : c.expected) events.push_back({json, "", 0, 1000});
  matcher.Expect(events);
  for (const Json& json : c.found) matcher.Receive({json, "", 100});
  Bindings bindings;
  if (const auto difference = matcher.Advance(bindings)) return Describe(*difference);
  if (!matcher.Done()) return Describe(matcher.Missing());
  return matcher.Unmatched().empty() ? "" : "left: " + matcher.Unmatched()[0].json.dump();
}

const Case kCases[] = {
    {"what comes in order matches",
     {Update("t", "A"), Update("t", "B")},
     {Update("t", "A"), Update("t", "B")},
     ""},
    {"updates of two tasks change places",
     {Update("t", "A"), Update("s", "A")},
     {Update("s", "A"), Update("t", "A")},
     ""},
    {"updates of one task do not",
     {Update("t", "A"), Update("t", "B")},
     {Update("t", "B"), Update("t", "A")},
     "UPDATE t: update.status.state: expected \"A\", found \"B\""},
    {"an update that does not come is told",
     {Update("t", "A")},
     {},
     "expected UPDATE t, found nothing"},
    {"what comes instead is told",
     {Update("t", "A")},
     {Update("s", "A")},
     "expected UPDATE t, found UPDATE s"},
    {"two agents' offers come in one event",
     {Offers({"m-O1 a"}), Offers({"m-O2 b"})},
     {Offers({"m-O2 b", "m-O1 a"})},
     ""},
    {"two agents' offers come in two events",
     {Offers({"m-O1 a", "m-O2 b"})},
     {Offers({"m-O2 b"}), Offers({"m-O1 a"})},
     ""},
    {"heartbeats may come at any time", {Update("t", "A")}, {kHeartbeat, Update("t", "A")}, ""},
    {"SUBSCRIBED comes first",
     {{{"type", "SUBSCRIBED"}}},
     {Update("t", "A")},
     "expected SUBSCRIBED, found UPDATE t"},
    {"after the return of an agent an update comes twice",
     {Update("t", "A")},
     {Update("t", "A"), Update("t", "A")},
     "",
     true},
    {"or once where twice is recorded",
     {Update("t", "A"), Update("t", "A")},
     {Update("t", "A")},
     "",
     true},
    {"without that it does not",
     {Update("t", "A")},
     {Update("t", "A"), Update("t", "A")},
     "left: " + Update("t", "A").dump()},
};

TEST(StreamMatcherTest, KeepsTheRulesOfTheRecordings) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.claim);
    EXPECT_EQ(Play(c), c.difference);
  }
}

TEST(StreamMatcherTest, KeepsWhatComesAheadForItsStep) {
  StreamMatcher matcher;
  Bindings bindings;
  matcher.Expect({{Update("t", "A"), "", 0, 1000}});
  matcher.Receive({Update("s", "A"), "", 100});
  matcher.Receive({Update("t", "A"), "", 100});
  EXPECT_EQ(matcher.Advance(bindings), std::nullopt);
  EXPECT_TRUE(matcher.Done());
  EXPECT_EQ(matcher.Unmatched().size(), 1u);
  matcher.Expect({{Update("s", "A"), "", 0, 1000}});
  EXPECT_EQ(matcher.Advance(bindings), std::nullopt);
  EXPECT_TRUE(matcher.Done());
  EXPECT_TRUE(matcher.Unmatched().empty());
}

Json Part(const std::string& id, double cpus, const std::vector<std::string>& executors) {
  Json offer = {{"id", {{"value", id}}},
                {"agent_id", {{"value", "m-S0"}}},
                {"resources", {{{"name", "cpus"}, {"scalar", {{"value", cpus}}}}}}};
  for (const std::string& executor : executors) {
    offer["executor_ids"].push_back({{"value", executor}});
  }
  return {{"type", "OFFERS"}, {"offers", {{"offers", Json::array({offer})}}}};
}

const Json kAccept = {{"offer_ids", {{{"value", "${offer_1}"}}, {{"value", "${offer_2}"}}}}};

TEST(StreamMatcherTest, JoinsAnOfferThatComesInTwoParts) {
  StreamMatcher matcher;
  Bindings bindings;
  bindings.Set("offer_1", "m-O1");
  matcher.Expect({{Part("${offer_2}", 4, {}), "", 0, 1000}});
  matcher.Receive({Part("m-O2", 3.9, {"t1"}), "", 100});
  EXPECT_EQ(matcher.Advance(bindings), std::nullopt);
  EXPECT_FALSE(matcher.Done());
  matcher.Receive({Part("m-O3", 0.1, {}), "", 200});
  EXPECT_EQ(matcher.Advance(bindings), std::nullopt);
  EXPECT_TRUE(matcher.Done());
  EXPECT_TRUE(matcher.Unmatched().empty());
  EXPECT_EQ(bindings.Fill(kAccept, nullptr)["offer_ids"].dump(),
            R"([{"value":"m-O1"},{"value":"m-O3"},{"value":"m-O2"}])");
}

TEST(StreamMatcherTest, TakesAWholeOfferWhereTwoPartsAreRecorded) {
  StreamMatcher matcher;
  Bindings bindings;
  matcher.Expect(
      {{Part("${offer_1}", 3.5, {"t1"}), "", 0, 1000}, {Part("${offer_2}", 0.5, {}), "", 0, 1000}});
  matcher.Receive({Part("m-O2", 4, {}), "", 100});
  EXPECT_EQ(matcher.Advance(bindings), std::nullopt);
  EXPECT_TRUE(matcher.Done());
  EXPECT_EQ(bindings.Fill(kAccept, nullptr)["offer_ids"].dump(), R"([{"value":"m-O2"}])");
}

TEST(StreamMatcherTest, TellsAnEventOutOfItsTime) {
  StreamMatcher matcher;
  Bindings bindings;
  matcher.Expect({{Update("t", "A"), "", 500, 1000}});
  matcher.Receive({Update("t", "A"), "", 400});
  EXPECT_EQ(matcher.Advance(bindings),
            (Difference{"UPDATE t: its time", "between 500 and 1000 ms", "400 ms"}));
}

TEST(StreamMatcherTest, TellsHeartbeatsThatComeTooOften) {
  StreamMatcher matcher;
  Bindings bindings;
  matcher.Receive({kHeartbeat, "", 0});
  matcher.Receive({kHeartbeat, "", 15'000});
  EXPECT_EQ(matcher.Advance(bindings), std::nullopt);
  matcher.Receive({kHeartbeat, "", 16'000});
  EXPECT_TRUE(matcher.Advance(bindings));
}

TEST(StreamMatcherTest, TellsTheKindOfTheEnd) {
  StreamMatcher matcher;
  Bindings bindings;
  matcher.Expect({{Json(), "last chunk", 0, 1000}});
  matcher.Receive({Json(), "connection closed", 100});
  EXPECT_EQ(matcher.Advance(bindings), (Difference{"end", "last chunk", "connection closed"}));
}

TEST(TimelineTest, AllowsTheRecordedTimeByAnyAmountThatTheRunWasBehind) {
  Timeline timeline(0);
  timeline.StepEnded(10, 0);
  const ExpectedEvent first = timeline.Place({kHeartbeat, "", 1000});
  EXPECT_EQ(first.earliest_ms, 500);
  EXPECT_EQ(first.latest_ms, 1510);
  timeline.StepEnded(1400, 0);  // recorded at 1000
  const ExpectedEvent second = timeline.Place({kHeartbeat, "", 100});
  EXPECT_EQ(second.earliest_ms, 600);
  EXPECT_EQ(second.latest_ms, 2000);
  const ExpectedEvent offers = timeline.Place({Offers({}), "", 100});
  EXPECT_EQ(offers.earliest_ms, 0);
  EXPECT_EQ(offers.latest_ms, 2600);
}

TEST(TimelineTest, AWaitCountsFromTheStepBeforeItsEvents) {
  Timeline timeline(0);
  timeline.StepEnded(1000, 0);
  timeline.Place({kHeartbeat, "", 300});
  EXPECT_EQ(timeline.EndOfWait(1300, 500), 1500);
  timeline.StepEnded(1500, 0);
  timeline.Place({kHeartbeat, "", 2000});
  EXPECT_EQ(timeline.EndOfWait(3500, 1000), 4500);
}

}  // namespace
}  // namespace kiln::replay

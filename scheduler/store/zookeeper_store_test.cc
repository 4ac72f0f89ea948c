#include <gtest/gtest.h>

#include <random>

#include "scheduler/store/change_codec.h"
#include "scheduler/store/follower.h"
#include "scheduler/store/store.h"
#include "tests/support/zookeeper_server.h"
#include "wire/zookeeper/session.h"

namespace kiln::scheduler {
namespace {

// A path that nobody used.
wire::ZookeeperAddress NewAddress() {
  static int last = 0;
  return {support::SharedZookeeperServer().address(), "/own/" + std::to_string(++last), ""};
}

// Every few commits fold pages, and most of what is written has several parts.
constexpr ZookeeperStoreLimits kTight{.node = 64, .log_entries = 4, .log_bytes = 1000};

std::unique_ptr<Store> OpenAt(const wire::ZookeeperAddress& address,
                              const ZookeeperStoreLimits& limits = kTight) {
  auto store = OpenZookeeperStore(address, limits);
  EXPECT_TRUE(store) << store.error().message;
  return *std::move(store);
}

std::unique_ptr<wire::ZookeeperSession> Session(const wire::ZookeeperAddress& address) {
  return wire::ZookeeperSession::Open(address).value();
}

std::vector<Change> SomeChanges(std::mt19937& random) {
  const auto below = [&](size_t end) { return random() % end; };
  std::vector<Change> changes(below(6));
  for (Change& change : changes) {
    change = {below(2) == 0 ? "job" : "task", std::to_string(below(30)), std::nullopt};
    if (below(4) > 0) change.bytes = std::string(below(150), static_cast<char>('a' + below(26)));
  }
  return changes;
}

TEST(ChangeCodec, ReadsWhatItWroteAndNothingThatIsCut) {
  const std::vector<Change> changes = {
      {"job", "a", "1"}, {"", "", ""}, {"task", "b", std::nullopt}, {"x", "y", std::string(1, 0)}};
  std::string bytes;
  for (const Change& change : changes) AppendChange(change, bytes);
  const auto read = ReadChanges(bytes);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), changes.size());
  for (size_t i = 0; i < changes.size(); ++i) {
    EXPECT_EQ((*read)[i].kind, changes[i].kind);
    EXPECT_EQ((*read)[i].key, changes[i].key);
    EXPECT_EQ((*read)[i].bytes, changes[i].bytes);
  }
  EXPECT_EQ(ReadChanges(std::string_view(bytes).substr(0, bytes.size() - 1)).error().message,
            "records end in the middle of one, after 3 whole ones");
  EXPECT_EQ(ReadChanges("\xff\xff\xff\xff").error().code, ErrorCode::kDataLoss);
}

TEST(ZookeeperStore, HoldsWhatAMapHoldsThroughFoldsAndLives) {
  const auto address = NewAddress();
  const auto memory = OpenMemoryStore();
  auto store = OpenAt(address);
  std::mt19937 random(1);
  for (Revision revision = 0; revision < 150; ++revision) {
    const std::vector<Change> changes = SomeChanges(random);
    ASSERT_TRUE(memory->Commit(revision, changes));
    const auto done = store->Commit(revision, changes);
    ASSERT_TRUE(done) << done.error().message;
    if (revision % 30 != 29) continue;
    store = OpenAt(address);
    ASSERT_EQ(store->Load().value(), memory->Load().value()) << revision;
  }
  EXPECT_EQ(store->Load().value(), memory->Load().value());
  // The log is bounded by the pages: each write folds one of at most 60, and 4 entries stay.
  size_t entries = 0;
  const auto names = Session(address)->Children("log").value();
  for (const std::string& name : names) {
    entries += name.find('.') == name.npos ? 1 : 0;
  }
  EXPECT_LE(entries, 70U);
}

TEST(ZookeeperStore, WhatIsLargerThanARequestIsWrittenAllTheSame) {
  const auto address = NewAddress();
  std::vector<Change> changes = {{"job", "huge", std::string(3 << 20, 'x')}};
  for (int i = 0; i < 30'000; ++i) {
    changes.push_back({"task", std::to_string(i), std::string(200, 'y')});
  }
  auto store = OpenAt(address, {});
  ASSERT_TRUE(store->Commit(0, changes));
  // So long a log is folded bit by bit by the commits that follow.
  for (Revision revision = 1; revision < 12; ++revision) {
    const Change again[] = {changes[revision]};
    const auto done = store->Commit(revision, again);
    ASSERT_TRUE(done) << done.error().message;
  }
  store = OpenAt(address, {});
  const Records records = store->Load().value();
  EXPECT_EQ(records.revision, 12U);
  EXPECT_EQ(records.bytes.size(), changes.size());
  for (const Change& change : changes) {
    ASSERT_EQ(records.bytes.at({change.kind, change.key}), *change.bytes) << change.key;
  }
}

TEST(ZookeeperStore, WhoLoadsWritesAndWhoDidBeforeDoesNot) {
  const auto address = NewAddress();
  const Change change[] = {{"job", "a", "1"}};
  const auto first = OpenAt(address);
  ASSERT_TRUE(first->Commit(0, change));
  const auto second = OpenAt(address);
  EXPECT_EQ(second->Commit(1, change).error().message,
            "state " + address.Text() + " is to be loaded before it is written");
  ASSERT_TRUE(second->Load());
  const auto late = first->Commit(1, change);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kConflict);
  EXPECT_EQ(late.error().message,
            "state " + address.Text() + " has another revision than 1: somebody else wrote");
  EXPECT_EQ(first->Load().error().message,
            "state " + address.Text() + " was taken over by another scheduler");
  EXPECT_EQ(second->Commit(1, change).value(), 2U);
  EXPECT_EQ(second->Load().value().revision, 2U);
}

TEST(ZookeeperStore, WhoHasLostItsSeatTakesNothingOver) {
  const auto address = NewAddress();
  const Change change[] = {{"job", "a", "1"}};
  ASSERT_TRUE(OpenAt(address)->Commit(0, change));
  const auto session = Session(address);
  for (const char* seat : {"first", "second"}) ASSERT_TRUE(session->Create(seat, ""));
  const auto first = OpenZookeeperStore(address, kTight, "first").value();
  ASSERT_TRUE(session->Remove("first"));
  const auto second = OpenZookeeperStore(address, kTight, "second").value();
  ASSERT_TRUE(second->Load());
  EXPECT_EQ(first->Load().error(), (Error{ErrorCode::kConflict,
                                          "state " + address.Text() + ": state " + address.Text() +
                                              ": first is gone, so another scheduler leads",
                                          {}}));
  EXPECT_EQ(second->Commit(1, change).value(), 2U);
}

TEST(ZookeeperStore, WithCredentialsItsFolderIsClosedToOthers) {
  auto address = NewAddress();
  const auto stranger = Session(address);
  ASSERT_TRUE(stranger->MakePath()) << "as older programs have left it";
  address.credentials = "me:secret";
  const auto store = OpenAt(address);
  for (const Status& done :
       {stranger->Remove("state"), Status(stranger->Create("x", "").map([](auto) {}))}) {
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::kPermissionDenied);
  }
  // Below a folder that is another's.
  auto below = address;
  below.path += "/below";
  ASSERT_TRUE(Session(below)->MakePath());
  const auto guest = OpenZookeeperStore({address.servers, below.path, ""});
  ASSERT_FALSE(guest);
  EXPECT_EQ(guest.error().code, ErrorCode::kPermissionDenied);
}

TEST(ZookeeperStore, WhatWasBegunAndNotFinishedIsRemoved) {
  const auto address = NewAddress();
  const Change change[] = {{"job", "a", "1"}};
  ASSERT_TRUE(OpenAt(address)->Commit(0, change));
  const auto session = Session(address);
  for (const char* name : {"log/2.2.1", "pages/7.2.1"}) ASSERT_TRUE(session->Create(name, "x"));
  EXPECT_EQ(OpenAt(address)->Load().value(), (Records{1, {{{"job", "a"}, "1"}}}));
  EXPECT_EQ(session->Children("log").value(), std::vector<std::string>{"1"});
  EXPECT_EQ(session->Children("pages").value(), std::vector<std::string>{});
}

TEST(ZookeeperStore, AServerThatComesBackIsWrittenToAgain) {
  const auto address = NewAddress();
  const Change change[] = {{"job", "a", "1"}};
  const auto store = OpenAt(address);
  ASSERT_TRUE(store->Commit(0, change));
  support::SharedZookeeperServer().Stop(false);
  support::SharedZookeeperServer().Start();
  const auto done = store->Commit(1, change);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(OpenAt(address)->Load().value(), (Records{2, {{{"job", "a"}, "1"}}}));
}

TEST(ZookeeperStore, NodesThatAreNotItsOwnAreNamed) {
  const auto address = NewAddress();
  const auto session = Session(address);
  ASSERT_TRUE(session->MakePath());
  ASSERT_TRUE(session->Create("state", "kiln 2 x"));
  const auto newer = OpenZookeeperStore(address);
  EXPECT_EQ(newer.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(newer.error().message,
            "state " + address.Text() +
                ": node state has format 2, expected at most 1: a newer kiln-scheduler made it");
  for (const char* state : {"hello", "kiln 1 5 x", "kiln 1 5 7 0 0", "kiln 1 5 0 0 0"}) {
    ASSERT_TRUE(session->Remove("state"));
    ASSERT_TRUE(session->Create("state", state));
    EXPECT_EQ(OpenZookeeperStore(address).error().code, ErrorCode::kDataLoss) << state;
  }
  ASSERT_TRUE(session->Remove("state"));
  ASSERT_TRUE(session->Create("state", "kiln 1 9000000000000000000 1 0 0"));
  EXPECT_EQ(OpenAt(address)->Load().error().message,
            "state " + address.Text() +
                ": node log has 0 nodes, expected commits 1 to 9000000000000000000");
  ASSERT_TRUE(session->Remove("state"));
  ASSERT_TRUE(session->Create("state", "kiln 1 1 1 0 0"));
  ASSERT_TRUE(session->Create("log/1", "999999999999999 1\nx"));
  EXPECT_EQ(OpenAt(address)->Load().error().message,
            "state " + address.Text() +
                ": node log/1 begins with \"999999999999999 1\", expected Kiln's head line");
}

void Take(const News& news, Records& known) {
  if (news.whole) known = {};
  for (const Change& change : news.changes) known.Apply(change);
}

TEST(ZookeeperFollower, KnowsWhatIsWrittenThroughFoldsAndTakesNothingOver) {
  const auto address = NewAddress();
  const auto follower = FollowZookeeperStore(address);
  EXPECT_EQ(follower->Next().error().code, ErrorCode::kNotFound);
  const auto store = OpenAt(address);
  const auto memory = OpenMemoryStore();
  std::mt19937 random(1);
  const auto below = [&](size_t end) { return random() % end; };
  Records known;
  int whole = 0;
  for (Revision revision = 0; revision < 200; ++revision) {
    const std::vector<Change> changes = SomeChanges(random);
    ASSERT_TRUE(memory->Commit(revision, changes));
    const auto done = store->Commit(revision, changes);
    ASSERT_TRUE(done) << done.error().message;
    // Some commits are read one by one, and others have long been folded.
    if (below(revision < 100 ? 3 : 50) != 0) continue;
    const auto news = follower->Next();
    ASSERT_TRUE(news) << news.error().message;
    whole += news->whole ? 1 : 0;
    Take(*news, known);
    ASSERT_EQ(known.bytes, memory->Load()->bytes) << revision;
  }
  EXPECT_GT(whole, 1);
  EXPECT_LT(whole, 20);
  Take(*follower->Next(), known);
  EXPECT_EQ(known.bytes, memory->Load()->bytes);
  const auto nothing = follower->Next();
  EXPECT_FALSE(nothing->whole);
  EXPECT_TRUE(nothing->changes.empty());
}

}  // namespace
}  // namespace kiln::scheduler

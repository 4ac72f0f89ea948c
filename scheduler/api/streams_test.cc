// Artifacts, events and logs: what goes in pieces.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "base/file.h"
#include "scheduler/api/artifacts.h"
#include "scheduler/api/fake/api_host.h"
#include "scheduler/api/log_tail.h"
#include "wire/net/client.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

using testing::HasSubstr;
using wire::Json;
namespace fs = std::filesystem;

constexpr const char* kHelloDigest =
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

class StreamsTest : public testing::Test {
 protected:
  net::Response Ask(const std::string& method, const std::string& target, std::string body = "",
                    net::Headers headers = {}) {
    auto response =
        net::Fetch(host_.url() + target, {method, target, std::move(headers), std::move(body), ""});
    EXPECT_TRUE(response) << response.error().message;
    return response.value_or(net::Response{0, {}, ""});
  }
  net::Response Range(const std::string& range) {
    return Ask("GET", "/v1/artifacts/a/hello", "", {{"Range", range}});
  }
  // What the store has on disk, links and bytes, and not its lock.
  std::vector<std::string> Files() const {
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(host_.folder() / "artifacts")) {
      if (entry.is_symlink() || (!entry.is_directory() && entry.path().filename() != "lock")) {
        files.push_back(fs::relative(entry.path(), host_.folder() / "artifacts"));
      }
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  ApiHost host_;
};

TEST_F(StreamsTest, AnArtifactComesBackAsItWasPut) {
  net::Response put =
      Ask("PUT", "/v1/artifacts/a/hello", "hello", {{"X-Kiln-Digest", kHelloDigest}});
  EXPECT_EQ(put.status, 201);
  EXPECT_EQ(put.body,
            fmt::format("{{\"path\":\"a/hello\",\"size\":5,\"digest\":\"{}\"}}\n", kHelloDigest));
  net::Response got = Ask("GET", "/v1/artifacts/a/hello");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, "hello");
  EXPECT_EQ(got.headers.Get("X-Kiln-Digest"), kHelloDigest);
  EXPECT_EQ(got.headers.Get("ETag"), fmt::format("\"{}\"", kHelloDigest));
  EXPECT_EQ(Ask("GET", "/v1/artifacts/a/hello", "",
                {{"If-None-Match", fmt::format("\"{}\"", kHelloDigest)}})
                .status,
            304);
  net::Response head = Ask("HEAD", "/v1/artifacts/a/hello");
  EXPECT_EQ(head.headers.Get("Content-Length"), "5");
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(Ask("PUT", "/v1/artifacts/a/hello", "hello").status, 200);
  EXPECT_EQ(Ask("PUT", "/v1/artifacts/a/hello", "").status, 200);
  EXPECT_EQ(Ask("GET", "/v1/artifacts/a/hello").body, "");
}

TEST_F(StreamsTest, AnArtifactIsPutOnConditions) {
  const std::string tag = fmt::format("\"{}\"", kHelloDigest);
  const auto put = [&](const net::Headers& headers) {
    return Ask("PUT", "/v1/artifacts/a/hello", "hello", headers).status;
  };
  EXPECT_EQ(put({{"If-Match", "*"}}), 412) << "nothing is there";
  EXPECT_EQ(put({{"If-None-Match", "*"}}), 201);
  EXPECT_EQ(put({{"If-None-Match", "*"}}), 412);
  EXPECT_EQ(put({{"If-None-Match", "\"x\", W/" + tag}}), 412);
  EXPECT_EQ(put({{"If-Match", "\"x\""}}), 412);
  EXPECT_EQ(put({{"If-Match", "W/" + tag}}), 412) << "a weak tag matches nothing";
  EXPECT_EQ(put({{"If-Match", "\"x\" , " + tag}}), 200);
  EXPECT_EQ(put({{"Content-Range", "bytes 0-4/9"}}), 400);
  for (const std::string& list : {std::string("*"), "W/" + tag, "\"x\"," + tag}) {
    EXPECT_EQ(Ask("GET", "/v1/artifacts/a/hello", "", {{"If-None-Match", list}}).status, 304);
  }
  EXPECT_EQ(Ask("HEAD", "/v1/artifacts/a/hello", "", {{"Range", "bytes=1-2"}}).status, 200);
}

TEST_F(StreamsTest, RangesAreParts) {
  Ask("PUT", "/v1/artifacts/a/hello", "hello");
  struct Case {
    const char* range;
    int status;
    const char* body;
    const char* content_range;
  };
  const Case cases[] = {
      {"bytes=1-3", 206, "ell", "bytes 1-3/5"},   {"bytes=3-", 206, "lo", "bytes 3-4/5"},
      {"bytes=-2", 206, "lo", "bytes 3-4/5"},     {"bytes=0-99", 206, "hello", "bytes 0-4/5"},
      {"bytes=-99", 206, "hello", "bytes 0-4/5"}, {"bytes=3-1", 200, "hello", nullptr},
      {"bytes=0-1,3-4", 200, "hello", nullptr},   {"lines=1-2", 200, "hello", nullptr},
  };
  for (const Case& c : cases) {
    net::Response response = Range(c.range);
    EXPECT_EQ(response.status, c.status) << c.range;
    EXPECT_EQ(response.body, c.body) << c.range;
    EXPECT_EQ(response.headers.Get("Content-Range").value_or(""),
              c.content_range == nullptr ? "" : c.content_range);
  }
  for (const char* range : {"bytes=5-", "bytes=9-12", "bytes=-0"}) {
    net::Response response = Range(range);
    EXPECT_EQ(response.status, 416) << range;
    EXPECT_EQ(response.headers.Get("Content-Range"), "bytes */5");
  }
}

TEST_F(StreamsTest, AWrongDigestLeavesNothing) {
  net::Response response =
      Ask("PUT", "/v1/artifacts/a/hello", "hello!",
          {{"Digest", "SHA-256=LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="}});
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr(std::string("expected ") + kHelloDigest));
  EXPECT_TRUE(Files().empty());
}

TEST_F(StreamsTest, PathsDoNotLeaveTheStore) {
  for (const char* path :
       {"../x", "a/../../x", "a//b", "a/./b", "%2e%2e/x", "a/%00", "%2Fetc/x", "a/"}) {
    EXPECT_EQ(Ask("PUT", std::string("/v1/artifacts/") + path, "x").status, 400) << path;
  }
  for (const char* path : {"../x", "%2e%2e/x", "a//b"}) {
    EXPECT_EQ(Ask("GET", std::string("/v1/artifacts/") + path).status, 400) << path;
  }
  EXPECT_TRUE(Files().empty());
}

TEST_F(StreamsTest, AFullDiskLeavesNothing) {
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 1 << 20;
  setrlimit(RLIMIT_FSIZE, &small);
  net::Response response = Ask("PUT", "/v1/artifacts/big", std::string(4 << 20, 'x'));
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(response.status, 507);
  EXPECT_THAT(response.body, HasSubstr("RESOURCE_EXHAUSTED"));
  EXPECT_TRUE(Files().empty());
  EXPECT_EQ(Ask("GET", "/v1/artifacts/big").status, 404);
}

TEST_F(StreamsTest, MoreThanTheDiskHasIsRefusedBeforeItIsSent) {
  auto url = net::ParseUrl(host_.url()).value();
  net::Loop loop;
  std::optional<Result<net::Response>> answer;
  auto connection = net::Connection::Open(loop, url, {});
  net::Request request{
      "PUT", "/v1/artifacts/big", {{"Content-Length", "1000000000000000"}}, "", ""};
  connection->Send(request, [&](Result<net::Response> response) {
    answer = std::move(response);
    loop.Stop();
  });
  loop.RunFor(std::chrono::seconds(20));
  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ((*answer)->status, 507);
  EXPECT_THAT((*answer)->body, HasSubstr("the artifact has 1000000000000000: expected room"));
}

TEST_F(StreamsTest, FoldersAreListedAndGoWithTheirLastArtifact) {
  Ask("PUT", "/v1/artifacts/a/b/hello", "hello");
  Ask("PUT", "/v1/artifacts/a/again", "hello");
  EXPECT_EQ(Ask("GET", "/v1/artifacts").body,
            "{\"path\":\"\",\"entries\":[{\"name\":\"a\",\"folder\":true}]}\n");
  EXPECT_EQ(Ask("GET", "/v1/artifacts/a/").body,
            fmt::format("{{\"path\":\"a\",\"entries\":[{{\"name\":\"again\",\"folder\":false,"
                        "\"size\":5,\"digest\":\"{}\"}},{{\"name\":\"b\",\"folder\":true}}]}}\n",
                        kHelloDigest));
  EXPECT_EQ(Ask("PUT", "/v1/artifacts/a/b", "x").status, 409);
  EXPECT_EQ(Ask("PUT", "/v1/artifacts/a/again/x", "x").status, 409);
  EXPECT_EQ(Files().size(), 3);  // two names, one blob
  EXPECT_EQ(Ask("DELETE", "/v1/artifacts/a/b/hello").status, 204);
  EXPECT_EQ(Ask("GET", "/v1/artifacts/a/b").status, 404);
  EXPECT_EQ(Ask("GET", "/v1/artifacts/a/again").body, "hello");
  EXPECT_EQ(Ask("DELETE", "/v1/artifacts/a/again").status, 204);
  EXPECT_EQ(Ask("DELETE", "/v1/artifacts/a/again").status, 404);
  EXPECT_TRUE(Files().empty());
}

TEST_F(StreamsTest, ALargeArtifactGoesThroughInPieces) {
  std::string bytes(9 << 20, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 >> 3);
  EXPECT_EQ(Ask("PUT", "/v1/artifacts/large", bytes).status, 201);
  EXPECT_EQ(Ask("GET", "/v1/artifacts/large").body == bytes, true);
}

class ArtifactStoreTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(mkdtemp(folder_.data()), nullptr); }
  void TearDown() override { fs::remove_all(folder_); }

  std::unique_ptr<ArtifactStore> Open() { return ArtifactStore::Open(folder_).value(); }
  static Status Put(ArtifactStore& store, const std::string& path, std::string_view bytes) {
    auto upload = store.Begin(path, 0).value();
    KILN_TRY_OK(upload->Write(bytes));
    Artifact artifact;
    KILN_TRY_OK(store.Publish(upload, path, std::nullopt, &artifact));
    return {};
  }
  // Two hours.
  void Age(const std::string& file) {
    std::error_code gone;
    fs::last_write_time(folder_ + file, fs::file_time_type::clock::now() - std::chrono::hours(2),
                        gone);
  }
  void Leave(const std::string& file) { ASSERT_TRUE(WriteFile(folder_ + file, "x")); }
  bool Has(const std::string& file) { return fs::exists(folder_ + file); }

  std::string folder_ = fs::temp_directory_path() / "kiln-store-XXXXXX";
};

TEST_F(ArtifactStoreTest, FindsItsArtifactsAgainAndForgetsHalfOnes) {
  EXPECT_TRUE(Put(*Open(), "a/b", "hello"));
  for (const char* file : {"/tmp/half", "/blobs/orphan", "/tmp/of-another", "/blobs/unnamed"}) {
    Leave(file);
  }
  for (const char* file : {"/tmp/half", "/blobs/orphan"}) Age(file);
  Age(std::string("/blobs/") + kHelloDigest);
  auto store = Open();
  EXPECT_TRUE(Has("/tmp/half") && Has("/blobs/orphan")) << "it may not lead";
  ASSERT_TRUE(store->Clean());
  EXPECT_EQ(store->Find("a/b")->digest, kHelloDigest);
  EXPECT_FALSE(Has("/tmp/half"));
  EXPECT_FALSE(Has("/blobs/orphan"));
  EXPECT_TRUE(Has("/tmp/of-another")) << "an upload under way";
  EXPECT_TRUE(Has("/blobs/unnamed"));
}

TEST_F(ArtifactStoreTest, WhatAnotherSchedulerNamedKeepsItsBytes) {
  auto before = Open(), after = Open();
  ASSERT_TRUE(after->Clean());
  ASSERT_TRUE(Put(*after, "old", "hello"));
  auto upload = before->Begin("late", 0).value();
  ASSERT_TRUE(upload->Write("late"));
  ASSERT_TRUE(Put(*before, "new", "hello"));
  ASSERT_TRUE(after->Remove("old"));
  EXPECT_TRUE(after->Find("new"));
  Age(std::string("/blobs/") + kHelloDigest);
  ASSERT_TRUE(Put(*before, "newer", "hello"));
  ASSERT_TRUE(Put(*after, "new", "other"));
  EXPECT_TRUE(after->Find("newer"));
  Age(std::string("/blobs/") + kHelloDigest);
  ASSERT_TRUE(after->Clean());
  EXPECT_TRUE(after->Find("newer"));
  Artifact artifact;
  EXPECT_TRUE(before->Publish(upload, "late", std::nullopt, &artifact));
}

TEST_F(ArtifactStoreTest, SchedulersThatPublishAndRemoveTheSameBytesTakeTurns) {
  std::atomic<bool> done = false;
  std::thread cleaner([this, &done] {
    while (!done) EXPECT_TRUE(Open()->Clean());
  });
  const auto work = [this](const std::string& path) {
    const auto store = Open();
    for (int i = 0; i < 50; ++i) {
      EXPECT_TRUE(Put(*store, path, "hello"));
      Age(std::string("/blobs/") + kHelloDigest);
      const auto found = store->Find(path);
      EXPECT_TRUE(found) << found.error().message;
      EXPECT_TRUE(store->Remove(path));
    }
  };
  std::thread one(work, "one"), two(work, "two");
  one.join();
  two.join();
  done = true;
  cleaner.join();
}

TEST_F(ArtifactStoreTest, WithoutDescriptorsNothingIsSaidToBeMissing) {
  auto store = Open();
  ASSERT_TRUE(Put(*store, "a/b", "hello"));
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 0;
  setrlimit(RLIMIT_NOFILE, &none);
  const auto listed = store->List("a");
  setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(listed.error().message, "artifact a: Too many open files, expected to read its folder");
  EXPECT_EQ(store->List("b").error().code, ErrorCode::kNotFound);
}

TEST_F(ArtifactStoreTest, WithoutRoomArtifactsAreRemovedAllTheSame) {
  auto one = Open(), two = Open();
  ASSERT_TRUE(Put(*one, "a", "hello"));
  ASSERT_TRUE(Put(*two, "b", "hello"));
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit none = before;
  none.rlim_cur = 0;
  setrlimit(RLIMIT_FSIZE, &none);
  const Status removed = one->Remove("a");
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_TRUE(removed) << removed.error().message;
  ASSERT_TRUE(Put(*one, "c", "hello"));
  ASSERT_TRUE(two->Remove("b"));
  EXPECT_TRUE(one->Find("c"));
}

TEST_F(ArtifactStoreTest, WhoStandsByLeavesItToTheLeaderToClean) {
  Open();
  Leave("/tmp/half");
  Age("/tmp/half");
  for (const bool leads : {false, true}) {
    net::Loop loop;
    FakeBackend backend;
    ApiOptions options{.artifacts = folder_};
    if (!leads) options.before = [](auto&, auto*) { return std::nullopt; };
    ASSERT_TRUE(Api::Serve(loop, net::Listener::Open("127.0.0.1", 0).value(), backend, options));
    EXPECT_EQ(Has("/tmp/half"), !leads);
  }
}

TEST_F(StreamsTest, EventsComeAsTheyHappenAndResume) {
  host_.Change([](FakeBackend& backend) {
    backend.Tell("job", "first", "WAITING");
    backend.Tell("job", "second", "WAITING");
  });
  std::string text;
  bool told = false;
  net::Request request;
  request.headers.Set("Last-Event-ID", "1");
  auto response =
      net::FetchStream(host_.url() + "/v1/events", request, [&](std::string_view piece) {
        text += piece;
        if (!told && text.find("second") != std::string::npos) {
          told = true;
          host_.Change([](FakeBackend& backend) { backend.Tell("task", "t-1", "TASK_RUNNING"); });
        }
        return text.find("t-1") == std::string::npos;
      });
  EXPECT_TRUE(response);
  EXPECT_EQ(
      text,
      ": kiln\n\nid: 2\nevent: job\ndata: {\"sequence\":2,\"time\":\"2025-01-31T12:00:00.000Z\","
      "\"type\":\"job\",\"name\":\"second\",\"state\":\"WAITING\",\"message\":\"\"}\n\n"
      "id: 3\nevent: task\ndata: {\"sequence\":3,\"time\":\"2025-01-31T12:00:00.000Z\","
      "\"type\":\"task\",\"name\":\"t-1\",\"state\":\"TASK_RUNNING\",\"message\":\"\"}\n\n");
  EXPECT_EQ(Ask("GET", "/v1/events?after=x").status, 400);
}

TEST_F(StreamsTest, AnEventOfAnotherLifeIsFollowedByAllOfThisOne) {
  host_.Change([](FakeBackend& backend) { backend.Tell("job", "first", "WAITING"); });
  for (const char* seen : {"500", "18446744073709551615"}) {
    std::string text;
    EXPECT_TRUE(
        net::FetchStream(host_.url() + "/v1/events?after=" + seen, {}, [&](std::string_view piece) {
          text += piece;
          return text.find("first") == std::string::npos;
        }));
    EXPECT_THAT(text, HasSubstr("id: 1\n")) << seen;
  }
}

TEST_F(StreamsTest, WhoeverReadsBeforeTheFirstEventGetsIt) {
  host_.Change([](FakeBackend& backend) { backend.first_event = 5'000'000'000; });
  bool told = false;
  std::string text;
  EXPECT_TRUE(net::FetchStream(host_.url() + "/v1/events", {}, [&](std::string_view piece) {
    text += piece;
    if (!std::exchange(told, true)) {
      host_.Change([](FakeBackend& backend) { backend.Tell("job", "first", "WAITING"); });
    }
    return text.find("first") == std::string::npos;
  }));
  EXPECT_THAT(text, HasSubstr("id: 5000000000\n"));
}

TEST_F(StreamsTest, AReaderThatIsFarBehindGetsAllEventsInTheirOrder) {
  host_.Change([](FakeBackend& backend) {
    for (int i = 0; i < 2000; ++i) backend.Tell("job", std::string(100, 'n'), "WAITING");
  });
  std::string text;
  EXPECT_TRUE(net::FetchStream(host_.url() + "/v1/events?after=0", {}, [&](std::string_view piece) {
    text += piece;
    return text.find("id: 2000\n") == std::string::npos;
  }));
  size_t at = 0;
  for (int i = 1; i <= 2000 && at != std::string::npos; ++i) {
    at = text.find(fmt::format("\nid: {}\n", i), at);
  }
  EXPECT_NE(at, std::string::npos);
}

// An agent that serves /files/read of one growing text.
class FakeAgent {
 public:
  std::string text;

  net::Response Answer(const net::Request& request) {
    if (request.Query("path") != "/frameworks/f/runs/latest/stdout") return {404, {}, ""};
    const size_t offset = std::stoul(request.Query("offset").value_or("0"));
    const std::string piece = text.substr(std::min(offset, text.size()), 4);
    return {200,
            {},
            "{\"data\":" + net::JsonString(piece) + ",\"offset\":" + std::to_string(offset) + "}"};
  }
};

TEST_F(StreamsTest, ALogIsReadFromTheAgentAndFollowed) {
  net::Loop loop;
  FakeAgent agent;
  agent.text = "one\ntwo\n";
  auto server = net::Server::Listen(loop, {}, [&](std::shared_ptr<net::Exchange> exchange) {
                  exchange->Respond(agent.Answer(exchange->request()));
                }).value();
  std::thread thread([&] { loop.Run(); });
  host_.Change([&](FakeBackend& backend) {
    Group group;
    group.name = "main";
    group.work = CommandWork{"ls", {}, {}, {}, {}};
    JobRecord record;
    record.job.name = "sleeper";
    record.job.groups = {group};
    backend.data.jobs["sleeper"] = record;
    Task task;
    task.id = {"t-0"};
    task.member = {"sleeper", "main", 0};
    task.state = TaskState::kRunning;
    backend.data.tasks[task.id] = task;
    backend.sandboxes[task.id] = {server->address(), "/frameworks/f/runs/latest"};
  });
  const net::Response whole = Ask("GET", "/v1/jobs/sleeper/log");
  EXPECT_EQ(whole.body, "one\ntwo\n");
  EXPECT_EQ(whole.headers.Get("X-Kiln-Task"), "t-0");
  EXPECT_EQ(Ask("GET", "/v1/jobs/sleeper/log?task=t-0&offset=4").body, "two\n");

  std::string text;
  net::FetchStream(
      host_.url() + "/v1/jobs/sleeper/log?follow=true", {}, [&](std::string_view piece) {
        text += piece;
        if (text == "one\ntwo\n") {
          loop.Post([&] { agent.text += "three\n"; });
          host_.Change(
              [](FakeBackend& b) { b.data.tasks.at({"t-0"}).state = TaskState::kFinished; });
        }
        return true;
      });
  EXPECT_EQ(text, "one\ntwo\nthree\n");

  // Of a job that failed, that of the task which did.
  host_.Change([](FakeBackend& backend) {
    backend.data.jobs.at("sleeper").phase = JobPhase::kFailed;
    Task task = backend.data.tasks.at({"t-0"});
    task.id = {"t-1"};
    task.member.index = 1;
    task.state = TaskState::kFailed;
    backend.data.tasks[task.id] = task;
    backend.sandboxes[task.id] = backend.sandboxes.at({"t-0"});
  });
  EXPECT_EQ(Ask("GET", "/v1/jobs/sleeper/log").headers.Get("X-Kiln-Task"), "t-1");

  const std::pair<const char*, const char*> faults[] = {
      {"file=stderr&task=t-0", "log of t-0: agent"},
      {"file=secrets", "file is \\\"secrets\\\": expected stdout or stderr"},
      {"offset=-1", "offset is \\\"-1\\\": expected a number of bytes"},
      {"follow=yes", "follow is \\\"yes\\\": expected true or false"},
      {"task=t-9", "job sleeper has no task t-9"},
  };
  for (const auto& [query, message] : faults) {
    EXPECT_THAT(Ask("GET", std::string("/v1/jobs/sleeper/log?") + query).body, HasSubstr(message));
  }
  loop.Stop();
  thread.join();
  server.reset();
  EXPECT_EQ(Ask("GET", "/v1/jobs/sleeper/log").status, 503);
}

TEST(DecodeFileRead, KeepsBytesThatAreNoUtf8) {
  EXPECT_EQ(DecodeFileRead("{\"data\":\"a\\n\xff\xc3\xa4\\\"\",\"offset\":0}").value(),
            "a\n\xff\xc3\xa4\"");
  EXPECT_FALSE(DecodeFileRead("{\"offset\":0}"));
  EXPECT_FALSE(DecodeFileRead("no"));
}

}  // namespace
}  // namespace kiln::scheduler

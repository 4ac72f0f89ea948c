// A disk that is full and gets room again: what was acknowledged is there, and work goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "tests/integration/cluster.h"
#include "tests/integration/raw_client.h"

namespace kiln::integration {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using wire::Json;

// A disk of 2 MiB that only this process and its children see.
class FullDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    mounted_ = unshare(CLONE_NEWNS) == 0 &&
               mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               mount("kiln", disk_.path().c_str(), "tmpfs", 0, "size=2m") == 0;
    if (!mounted_) GTEST_SKIP() << "a disk of its own needs root: " << std::strerror(errno);
  }
  void TearDown() override {
    if (HasFailure() && cluster_) std::fputs(cluster_->Logs().c_str(), stderr);
    cluster_.reset();
    if (mounted_) umount2(disk_.path().c_str(), MNT_DETACH);
  }
  void Start(std::vector<std::string> flags, std::string state) {
    Cluster::Options options;
    options.agents = 1;
    options.scheduler_flags = std::move(flags);
    options.state = std::move(state);
    cluster_ = std::make_unique<Cluster>(options);
  }

  // Takes all the room there is, to the last byte.
  void Fill() {
    std::ofstream out(disk_.File("filler"), std::ios::app);
    const std::string piece(4096, 'x');
    while (out.write(piece.data(), static_cast<std::streamsize>(piece.size())).flush()) {
    }
  }
  void MakeRoom() { fs::remove(disk_.File("filler")); }

  Reply Submit(const std::string& name) {
    return cluster_->Api("POST", "/v1/jobs",
                         "name: " + name +
                             "\nkind: service\nafter: [nosuch]\ngroups: [{name: g, run: {command: "
                             "'true'}}]\n");
  }
  // A search that writes to `output`.
  Reply Search(const std::string& name, const std::string& output, int retries) {
    const std::string data = cluster_->folder() / "data.csv";
    std::ofstream(data) << "a,b\n1,2\n3,4\n";
    const Json search = {{"data", data}, {"query", {1, 2}}, {"output", output}};
    const Json group = {{"name", "g"}, {"cpus", 0.5}, {"run", {{"search", search}}}};
    return cluster_->Api(
        "POST", "/v1/jobs",
        wire::DumpJson(
            {{"name", name}, {"kind", "scoring"}, {"retries", retries}, {"groups", {group}}}));
  }
  // Files in a folder.
  static size_t Files(const std::string& folder) {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
  }

  support::TempFolder disk_;
  bool mounted_ = false;
  std::unique_ptr<Cluster> cluster_;
};

TEST_F(FullDiskTest, NoJobIsLostThatWasAcknowledged) {
  const std::string state = disk_.File("state.db");
  Start({}, state);
  ASSERT_EQ(Submit("before").status, 201);
  // What the log of the database has claimed is used up first.
  Fill();
  Reply refused{201, nullptr, ""};
  int taken = 0;
  for (; refused.status == 201 && taken < 1000; ++taken) {
    refused = Submit("job-" + std::to_string(taken));
  }
  const std::string name = "job-" + std::to_string(taken - 1);
  const std::string full = "state " + state + " cannot be written: the disk is full";
  EXPECT_EQ(refused.status, 507) << refused.body;
  EXPECT_EQ(refused.json["error"], (Json{{"code", "RESOURCE_EXHAUSTED"}, {"message", full}}));
  EXPECT_EQ(cluster_->Api("GET", "/v1/jobs/" + name).status, 404);
  const auto killed = cluster_->Kiln({"job", "kill", "before"});
  EXPECT_EQ(killed.code, 74);
  EXPECT_EQ(killed.output, "error: " + full + "\n");
  EXPECT_EQ(cluster_->Job("before")["phase"], "WAITING");

  MakeRoom();
  EXPECT_TRUE(support::Eventually([&] { return Submit("after").status < 300; }));
  cluster_->KillScheduler();
  cluster_->StartScheduler();
  EXPECT_EQ(cluster_->Job("before")["phase"], "WAITING");
  EXPECT_EQ(cluster_->Job("after")["phase"], "WAITING");
  EXPECT_EQ(cluster_->Api("GET", "/v1/jobs/" + name).status, 404);
  EXPECT_EQ(cluster_->Api("GET", "/v1/jobs").json["jobs"].size(), static_cast<size_t>(taken) + 1);
}

TEST_F(FullDiskTest, AnUploadLeavesNothing) {
  const std::string store = disk_.File("store");
  Start({"--artifacts=" + store}, "");
  const std::string small = cluster_->folder() / "small", large = cluster_->folder() / "large";
  std::ofstream(small) << "small";
  std::ofstream(large) << std::string(3 << 20, 'x');
  ASSERT_EQ(cluster_->Kiln({"artifact", "put", small, "small"}).code, 0);
  const auto refused = cluster_->Kiln({"artifact", "put", large, "large"});
  EXPECT_EQ(refused.code, 74);
  EXPECT_THAT(refused.output,
              testing::MatchesRegex("error: disk has [0-9]+ bytes left, the artifact has 3145728: "
                                    "expected room for it\n"));
  // Where nobody says how much comes, the room ends on the way.
  const EndlessReply endless =
      SendEndless(cluster_->api() + "/v1/artifacts/large", "PUT", 8 << 20, true);
  EXPECT_THAT(endless.answer, testing::StartsWith("HTTP/1.1 507 "));
  EXPECT_THAT(endless.answer, HasSubstr("No space left on device"));
  EXPECT_TRUE(support::Eventually([&] { return Files(store + "/tmp") == 0; }));
  EXPECT_EQ(Files(store + "/blobs"), 1u);
  EXPECT_EQ(cluster_->Api("GET", "/v1/artifacts/large").status, 404);
  EXPECT_EQ(cluster_->Api("GET", "/v1/artifacts/small").body, "small");
  EXPECT_EQ(cluster_->Kiln({"artifact", "put", small, "again"}).code, 0);
}

constexpr const char* kResult = "row,key,score,rows\n0,,1,1\n1,,0.9838699102401733,1\n";

TEST_F(FullDiskTest, ATaskWaitsForRoomInTheStore) {
  Start({"--artifacts=" + disk_.File("store")}, "");
  Fill();
  ASSERT_EQ(Search("job", "artifact:out", 0).status, 201);
  std::string message;
  EXPECT_TRUE(support::Eventually([&] {
    const auto tasks = cluster_->Tasks("job");
    if (!tasks.empty()) message = tasks[0].at("message");
    return message.starts_with("tries again: ");
  })) << message;
  EXPECT_THAT(message, HasSubstr("disk has 0 bytes left"));
  EXPECT_EQ(cluster_->Job("job")["phase"], "RUNNING");
  EXPECT_EQ(cluster_->Api("GET", "/v1/artifacts/out").status, 404);
  MakeRoom();
  EXPECT_TRUE(cluster_->Reaches("job", "SUCCEEDED"));
  EXPECT_EQ(cluster_->Api("GET", "/v1/artifacts/out/part-00000.csv").body, kResult);
}

TEST_F(FullDiskTest, ATaskIsTriedAgainWhereItsOutputHasNoRoom) {
  Start({}, "");
  Fill();
  const std::string out = disk_.File("out");
  ASSERT_EQ(Search("job", out, 100).status, 201);
  Json why;
  EXPECT_TRUE(support::Eventually([&] {
    why = cluster_->Api("GET", "/v1/jobs/job/why").json;
    return why["refusals"].size() == 1 && why["refusals"][0]["blocker"] == "BACKOFF";
  })) << why;
  EXPECT_THAT(
      why["refusals"][0]["reason"].get<std::string>(),
      testing::EndsWith("cannot write " + out + "/part-00000.csv: No space left on device"));
  EXPECT_EQ(Files(out), 0u);
  MakeRoom();
  EXPECT_TRUE(cluster_->Reaches("job", "SUCCEEDED"));
  EXPECT_EQ(support::ReadFile(out + "/part-00000.csv"), kResult);
  EXPECT_EQ(Files(out), 1u);
}

}  // namespace
}  // namespace kiln::integration

// One contract, held by every store.
#include "scheduler/store/store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "tests/support/zookeeper_server.h"

namespace kiln::scheduler {
namespace {

// A path that nobody used.
wire::ZookeeperAddress NewAddress() {
  static int last = 0;
  return {support::SharedZookeeperServer().address(), "/contract/" + std::to_string(++last), ""};
}

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/kiln-store-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct Kind {
  const char* name;
  std::unique_ptr<Store> (*open)(const Folder&);
};

class StoreContract : public testing::TestWithParam<Kind> {
 protected:
  Folder folder_;
  std::unique_ptr<Store> store_ = GetParam().open(folder_);
};

TEST_P(StoreContract, ANewStoreIsEmpty) { EXPECT_EQ(store_->Load().value(), Records{}); }

TEST_P(StoreContract, ACommitPutsReplacesAndRemoves) {
  const Change first[] = {{"job", "a", "1"}, {"job", "b", "2"}, {"task", "a", "3"}};
  EXPECT_EQ(store_->Commit(0, first).value(), 1U);
  const std::string binary("\0\xff\n", 3);
  const Change second[] = {{"job", "a", binary}, {"job", "b", std::nullopt}, {"x", "y", ""}};
  EXPECT_EQ(store_->Commit(1, second).value(), 2U);
  EXPECT_EQ(store_->Load().value(),
            (Records{2, {{{"job", "a"}, binary}, {{"task", "a"}, "3"}, {{"x", "y"}, ""}}}));
}

TEST_P(StoreContract, AnotherRevisionIsAConflictAndChangesNothing) {
  const Change change[] = {{"job", "a", "1"}};
  ASSERT_TRUE(store_->Commit(0, change));
  const Records before = store_->Load().value();
  const Change late[] = {{"job", "a", "2"}, {"job", "b", "2"}};
  for (Revision revision : {0U, 2U}) {
    const auto result = store_->Commit(revision, late);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kConflict);
  }
  EXPECT_EQ(store_->Load().value(), before);
}

TEST_P(StoreContract, AnEmptyCommitCounts) {
  EXPECT_EQ(store_->Commit(0, {}).value(), 1U);
  EXPECT_EQ(store_->Load().value(), (Records{1, {}}));
}

INSTANTIATE_TEST_SUITE_P(
    Stores, StoreContract,
    testing::Values(
        Kind{"memory", [](const Folder&) { return OpenMemoryStore(); }},
        Kind{"sqlite",
             [](const Folder& folder) { return OpenSqliteStore(folder.File("state")).value(); }},
        Kind{"zookeeper", [](const Folder&) { return OpenZookeeperStore(NewAddress()).value(); }}),
    [](const auto& store) { return store.param.name; });

Error OpenError(const std::string& path) {
  auto store = OpenSqliteStore(path);
  return store ? Error{} : store.error();
}

TEST(SqliteStore, LastsFromOneLifeToTheNext) {
  const Folder folder;
  const Change change[] = {{"job", "a", "1"}};
  ASSERT_TRUE(OpenSqliteStore(folder.File("s")).value()->Commit(0, change));
  EXPECT_EQ(OpenSqliteStore(folder.File("s")).value()->Load().value(),
            (Records{1, {{{"job", "a"}, "1"}}}));
}

TEST(SqliteStore, OneProcessHasItAtATime) {
  const Folder folder;
  const auto first = OpenSqliteStore(folder.File("s")).value();
  const Error error = OpenError(folder.File("s"));
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_EQ(error.message, "state " + folder.File("s") + " is in use by another kiln-scheduler");
}

TEST(SqliteStore, FilesThatAreNotItsOwnAreNamedAndLeftAlone) {
  const Folder folder;
  const std::string text = folder.File("text");
  std::ofstream(text) << std::string(4096, 'x');
  EXPECT_EQ(OpenError(text).code, ErrorCode::kDataLoss);
  EXPECT_EQ(OpenError(text).message,
            "state " + text +
                " cannot be read (file is not a database), expected a state file of "
                "kiln-scheduler");
  EXPECT_EQ(std::filesystem::file_size(text), 4096U);

  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(folder.File("other").c_str(), &other), SQLITE_OK);
  sqlite3_exec(other, "CREATE TABLE t (x)", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  EXPECT_EQ(OpenError(folder.File("other")).code, ErrorCode::kDataLoss);

  EXPECT_EQ(OpenError(folder.File("none/state")).code, ErrorCode::kPermissionDenied);
}

TEST(SqliteStore, ANewerSchemaIsRefused) {
  const Folder folder;
  const std::string path = folder.File("s");
  ASSERT_TRUE(OpenSqliteStore(path));
  sqlite3* file = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &file), SQLITE_OK);
  sqlite3_exec(file, "PRAGMA user_version = 9", nullptr, nullptr, nullptr);
  sqlite3_close(file);
  EXPECT_EQ(OpenError(path).code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(OpenError(path).message, path +
                                         " has schema version 9, expected at most 1: a newer "
                                         "kiln-scheduler made it");
}

// A file size limit acts as a full disk does: writes stop in the middle.
TEST(SqliteStore, AFullDiskFailsTheCommitAndKeepsWhatWasThere) {
  const Folder folder;
  const std::string path = folder.File("s");
  const auto store = OpenSqliteStore(path).value();
  const Change small[] = {{"job", "a", "1"}};
  ASSERT_TRUE(store->Commit(0, small));
  const Records before = store->Load().value();

  signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit tight{1 << 20, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &tight);
  const Change large[] = {{"job", "b", std::string(4 << 20, 'x')}};
  const auto result = store->Commit(1, large);
  setrlimit(RLIMIT_FSIZE, &old);

  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().code == ErrorCode::kResourceExhausted ||
              result.error().code == ErrorCode::kUnavailable)
      << result.error().message;
  EXPECT_EQ(store->Load().value(), before);
  EXPECT_EQ(store->Commit(1, small).value(), 2U);
}

// A child commits revision after revision, each of two records that must agree, and says each on a
// pipe once it is done; it is killed after so many.
void KillAfter(uint32_t enough, const std::function<std::unique_ptr<Store>()>& open) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto store = open();
    for (Revision revision = 0;; ++revision) {
      const std::string text = std::to_string(revision + 1);
      const Change changes[] = {{"a", "x", text}, {"b", "x", text}};
      if (!store->Commit(revision, changes)) _exit(1);
      const auto said = static_cast<uint32_t>(revision + 1);
      if (write(pipe_ends[1], &said, sizeof said) != sizeof said) _exit(1);
    }
  }
  close(pipe_ends[1]);
  uint32_t said = 0;
  while (said < enough) ASSERT_EQ(read(pipe_ends[0], &said, sizeof said), ssize_t{sizeof said});
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  while (read(pipe_ends[0], &said, sizeof said) == ssize_t{sizeof said}) {
  }
  close(pipe_ends[0]);

  const Records records = open()->Load().value();
  EXPECT_GE(records.revision, said);
  EXPECT_LE(records.revision, said + 1);
  const std::string text = std::to_string(records.revision);
  EXPECT_EQ(records.bytes.at({"a", "x"}), text);
  EXPECT_EQ(records.bytes.at({"b", "x"}), text);
}

TEST(SqliteStore, AKillAtAnyPointLosesNoAcknowledgedCommit) {
  for (uint32_t round = 0; round < 8; ++round) {
    const Folder folder;
    KillAfter(1 + 7 * round, [&] { return OpenSqliteStore(folder.File("s")).value(); });
  }
}

TEST(ZookeeperStore, AKillAtAnyPointLosesNoAcknowledgedCommit) {
  for (uint32_t round = 0; round < 8; ++round) {
    const auto address = NewAddress();
    KillAfter(1 + 7 * round,
              [&] { return OpenZookeeperStore(address, {.node = 8, .log_entries = 2}).value(); });
  }
}

}  // namespace
}  // namespace kiln::scheduler

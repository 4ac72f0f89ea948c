#include "scheduler/store/state_file.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>

#include "tests/support/process.h"
#include "wire/records/records.h"

namespace kiln::scheduler {
namespace {

constexpr Instant kNow{1'800'000'000'000'000'000};

std::vector<Change> Changes(int first, int count) {
  State state{.framework_id = "f-1", .incarnation = 3};
  std::vector<Change> changes = {{"meta", "", wire::EncodeMeta(state)}};
  for (int i = first; i < first + count; ++i) {
    const Task task{.id = {fmt::format("t{:05}", i)}, .member = {"job", "g", i}};
    changes.push_back({"task", task.id.text, wire::Encode(task)});
  }
  return changes;
}

void Execute(const std::string& path, const std::string& sql) {
  sqlite3* file = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &file), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(file, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(file);
}

class StateFileTest : public testing::Test {
 protected:
  std::string File(const std::string& name) const { return folder_.File(name); }
  // A state of two commits, closed.
  std::string GoodState(const std::string& name) const {
    const auto store = OpenSqliteStore(File(name)).value();
    EXPECT_TRUE(store->Commit(0, Changes(0, 100)));
    EXPECT_TRUE(store->Commit(1, Changes(100, 100)));
    return File(name);
  }
  static StateSummary Summary(Revision revision, uint64_t tasks, uint64_t bytes) {
    return {1, revision, bytes, "f-1", {{"meta", 1}, {"task", tasks}}};
  }

  support::TempFolder folder_;
};

TEST_F(StateFileTest, ABackupOfAStateThatIsWrittenHasOneRevisionWhole) {
  const auto store = OpenSqliteStore(File("s")).value();
  ASSERT_TRUE(store->Commit(0, Changes(0, 5000)));
  const auto backup = BackUpState(File("s"), File("b"));
  ASSERT_TRUE(backup) << backup.error().message;
  EXPECT_EQ(*backup, Summary(1, 5000, std::filesystem::file_size(File("b"))));
  const auto before = store->Load();
  ASSERT_TRUE(store->Commit(1, Changes(5000, 1)));
  EXPECT_EQ(VerifyState(File("b")).value(), *backup);
  EXPECT_EQ(VerifyState(File("s")).value().records.at("task"), 5001U);
  EXPECT_FALSE(std::filesystem::exists(File("b-wal")));
  EXPECT_EQ(OpenSqliteStore(File("b")).value()->Load(), before);
}

TEST_F(StateFileTest, WhatAKilledSchedulerLeftIsBackedUpWithItsLog) {
  const auto store = OpenSqliteStore(File("s")).value();
  ASSERT_TRUE(store->Commit(0, Changes(0, 10)));
  const support::TempFolder left;
  for (const char* end : {"", "-wal"}) {
    std::filesystem::copy(File("s") + end, left.File("s") + end);
  }
  EXPECT_EQ(BackUpState(left.File("s"), File("b")).value().revision, 1U);
  EXPECT_EQ(OpenSqliteStore(File("b")).value()->Load(), store->Load());
}

TEST_F(StateFileTest, ARestoredStateHasAllAndMakesOtherIds) {
  const std::string state = GoodState("s");
  ASSERT_TRUE(BackUpState(state, File("b")));
  const auto restored = RestoreState(File("b"), File("r"), kNow);
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(*restored, Summary(2, 200, std::filesystem::file_size(File("r"))));
  State expected{.framework_id = "f-1", .incarnation = 1'800'000'000};
  auto records = OpenSqliteStore(state).value()->Load();
  records->bytes[{"meta", ""}] = wire::EncodeMeta(expected);
  EXPECT_EQ(OpenSqliteStore(File("r")).value()->Load(), records);
}

TEST_F(StateFileTest, NothingThatIsThereIsReplaced) {
  const std::string state = GoodState("s");
  ASSERT_TRUE(BackUpState(state, File("b")));
  const auto there = [](const std::string& path) {
    return Error{ErrorCode::kConflict, path + " is there, expected no file of that name", {}};
  };
  EXPECT_EQ(BackUpState(state, File("b")).error(), there(File("b")));
  EXPECT_EQ(RestoreState(File("b"), state, kNow).error(), there(state));
  std::ofstream(File("r-wal")) << "log";
  EXPECT_EQ(RestoreState(File("b"), File("r"), kNow).error(), there(File("r-wal")));
  EXPECT_FALSE(std::filesystem::exists(File("r")));
}

TEST_F(StateFileTest, WhatIsNoStateIsNamedAndNotCopied) {
  const auto cut = [this](const std::string& name) {
    std::filesystem::resize_file(GoodState(name), 8192);
    return File(name);
  };
  const auto changed = [this](const std::string& name, const std::string& sql) {
    Execute(GoodState(name), sql);
    return File(name);
  };
  std::ofstream(File("text")) << "hello";
  std::ofstream(File("empty")).flush();
  const std::string unreadable = "), expected a state file of kiln-scheduler";
  const std::tuple<std::string, ErrorCode, std::string> cases[] = {
      {File("none"), ErrorCode::kNotFound,
       "cannot read " + File("none") + ": No such file or directory"},
      {folder_.path(), ErrorCode::kInvalidArgument,
       folder_.path().string() + " is no file, expected a state file"},
      {File("empty"), ErrorCode::kDataLoss,
       File("empty") + " is empty, expected a state file of kiln-scheduler"},
      {File("text"), ErrorCode::kDataLoss,
       "state " + File("text") + " cannot be read (file is not a database" + unreadable},
      {cut("cut"), ErrorCode::kDataLoss,
       "state " + File("cut") + " cannot be read (database disk image is malformed" + unreadable},
      {changed("other", "PRAGMA application_id = 7"), ErrorCode::kDataLoss,
       File("other") + " is a database of another program, expected Kiln's state"},
      {changed("newer", "PRAGMA user_version = 9"), ErrorCode::kFailedPrecondition,
       File("newer") + " has schema version 9, expected at most 1: a newer kiln-scheduler made it"},
      {changed("record", "UPDATE records SET bytes = x'ff' WHERE key = 't00007'"),
       ErrorCode::kDataLoss,
       "state " + File("record") +
           ": task t00007: a record of 1 bytes cannot be read, expected kiln.v1.Record"},
  };
  for (const auto& [path, code, message] : cases) {
    const Error expected{code, message, {}};
    EXPECT_EQ(VerifyState(path).error(), expected);
    EXPECT_EQ(BackUpState(path, File("copy")).error(), expected);
    EXPECT_EQ(RestoreState(path, File("copy"), kNow).error(), expected);
    EXPECT_FALSE(std::filesystem::exists(File("copy")));
  }
}

// A bit that turned in a page: SQLite's own check names the page.
TEST_F(StateFileTest, ADamagedPageIsFound) {
  const std::string state = GoodState("s");
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(state));
  std::fstream file(state, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(size - 4096);
  file.write("\0\0\0\0\0\0\0\0", 8);
  file.close();
  EXPECT_EQ(VerifyState(state).error().code, ErrorCode::kDataLoss);
}

}  // namespace
}  // namespace kiln::scheduler

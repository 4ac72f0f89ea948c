// A file of SQLite that holds a state, and what is wrong with it as sentences.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "scheduler/store/store.h"

namespace kiln::scheduler {

inline constexpr int kSchemaVersion = 1;
inline constexpr int kApplicationId = 0x4b696c6e;  // "Kiln", in the file's header

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

// The bytes of a column of the row that a statement stands at, until it goes on.
std::string_view Column(const Statement& statement, int index);

// Threads: one at a time. Owner: whoever opened it; it outlives its statements.
class SqliteFile {
 public:
  // Flags of sqlite3_open_v2. kPermissionDenied: it cannot be opened.
  static Result<SqliteFile> Open(std::string path, int flags);

  // It has no table yet, or says that it is a state of this schema or an older one.
  // kDataLoss: it is another program's, or none. kFailedPrecondition: a newer program's.
  Status CheckOwner() const;
  // It has tables.
  Result<bool> HasTables() const;

  Status Execute(const std::string& sql) const;
  Result<Statement> Compile(const char* sql) const;
  // One step of a statement that gives no row, or of which the rows are of no interest.
  Status StepOnce(const Statement& statement) const;
  Result<int64_t> StepNumber(const Statement& statement) const;
  Result<int64_t> ReadNumber(const char* sql) const;
  // Every record, in any order.
  Status ReadRecords(const TakeRecord& take) const;

  // What a result of SQLite means.
  Failure Failed(int result) const;

  sqlite3* get() const { return database_.get(); }
  const std::string& path() const { return path_; }
  // What errors call it, when that is not where it is.
  void SetName(const std::string& name) { path_ = name; }

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };

  SqliteFile(std::string path, sqlite3* database) : path_(std::move(path)), database_(database) {}
  std::string WhyNot() const;

  std::string path_;
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace kiln::scheduler

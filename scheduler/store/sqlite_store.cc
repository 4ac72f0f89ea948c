#include <sqlite3.h>

#include <cstring>

#include "scheduler/store/store.h"

namespace kiln::scheduler {
namespace {

constexpr int kSchemaVersion = 1;
constexpr int kApplicationId = 0x4b696c6e;  // "Kiln", in the file's header

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

ErrorCode CodeOf(int result) {
  switch (result & 0xff) {
    case SQLITE_FULL:
      return ErrorCode::kResourceExhausted;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
      return ErrorCode::kUnavailable;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return ErrorCode::kDataLoss;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH:
      return ErrorCode::kPermissionDenied;
    default:
      return ErrorCode::kInternal;
  }
}

class SqliteStore final : public Store {
 public:
  static Result<std::unique_ptr<Store>> Open(const std::string& path) {
    auto store = std::unique_ptr<SqliteStore>(new SqliteStore(path));
    KILN_TRY_OK(store->Prepare());
    return store;
  }

  Result<Records> Load() override {
    Records records;
    KILN_TRY(records.revision, ReadNumber("SELECT revision FROM state"));
    KILN_TRY(Statement all, Compile("SELECT kind, key, bytes FROM records"));
    int result = SQLITE_ROW;
    while ((result = sqlite3_step(all.get())) == SQLITE_ROW) {
      records.bytes[{Column(all, 0), Column(all, 1)}] = Column(all, 2);
    }
    if (result != SQLITE_DONE) return Failed(result);
    return records;
  }

  Result<Revision> Commit(Revision expected, std::span<const Change> changes) override {
    KILN_TRY_OK(Execute("BEGIN IMMEDIATE"));
    Status written = Write(expected, changes);
    if (written) written = Execute("COMMIT");
    if (!written) {
      if (sqlite3_get_autocommit(database_.get()) == 0) {
        sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
      }
      return Failure(written.error());
    }
    return expected + 1;
  }

 private:
  explicit SqliteStore(std::string path) : path_(std::move(path)) {}

  Status Prepare() {
    sqlite3* opened = nullptr;
    const int result = sqlite3_open_v2(path_.c_str(), &opened,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    database_.reset(opened);
    if (result != SQLITE_OK) return Failed(result);
    sqlite3_extended_result_codes(opened, 1);
    // The lock lasts until the file is closed: a second scheduler on the same file is refused.
    KILN_TRY_OK(Execute("PRAGMA locking_mode = EXCLUSIVE"));
    KILN_TRY_OK(CheckOwner());
    // A commit is one append to the write-ahead log and one fsync.
    KILN_TRY_OK(Execute("PRAGMA journal_mode = WAL"));
    KILN_TRY_OK(Execute("PRAGMA synchronous = FULL"));
    KILN_TRY_OK(Execute("BEGIN IMMEDIATE"));
    KILN_TRY_OK(
        Execute("CREATE TABLE IF NOT EXISTS records (kind TEXT, key TEXT, bytes BLOB, "
                "PRIMARY KEY (kind, key)) WITHOUT ROWID"));
    KILN_TRY_OK(Execute("CREATE TABLE IF NOT EXISTS state (revision INTEGER)"));
    KILN_TRY_OK(Execute("INSERT INTO state SELECT 0 WHERE NOT EXISTS (SELECT * FROM state)"));
    KILN_TRY_OK(Execute(fmt::format("PRAGMA application_id = {}", kApplicationId)));
    KILN_TRY_OK(Execute(fmt::format("PRAGMA user_version = {}", kSchemaVersion)));
    KILN_TRY_OK(Execute("COMMIT"));
    KILN_TRY(read_revision_, Compile("SELECT revision FROM state"));
    KILN_TRY(set_revision_, Compile("UPDATE state SET revision = ?1"));
    KILN_TRY(put_, Compile("INSERT OR REPLACE INTO records VALUES (?1, ?2, ?3)"));
    KILN_TRY(remove_, Compile("DELETE FROM records WHERE kind = ?1 AND key = ?2"));
    return {};
  }

  // An empty file is a new one; any other must say that it is ours and not of a later day.
  Status CheckOwner() {
    KILN_TRY(const int64_t tables, ReadNumber("SELECT count(*) FROM sqlite_schema"));
    if (tables == 0) return {};
    KILN_TRY(const int64_t owner, ReadNumber("PRAGMA application_id"));
    if (owner != kApplicationId) {
      return Fail(ErrorCode::kDataLoss,
                  "{} is a database of another program, expected Kiln's state", path_);
    }
    KILN_TRY(const int64_t version, ReadNumber("PRAGMA user_version"));
    if (version > kSchemaVersion) {
      return Fail(ErrorCode::kFailedPrecondition,
                  "{} has schema version {}, expected at most {}: a newer kiln-scheduler made it",
                  path_, version, kSchemaVersion);
    }
    return {};
  }

  Status Write(Revision expected, std::span<const Change> changes) {
    KILN_TRY(const int64_t revision, StepNumber(read_revision_));
    if (static_cast<Revision>(revision) != expected) {
      return Fail(ErrorCode::kConflict,
                  "state {} has revision {}, expected {}: somebody else wrote", path_, revision,
                  expected);
    }
    for (const Change& change : changes) {
      sqlite3_stmt* statement = change.bytes ? put_.get() : remove_.get();
      BindText(statement, 1, change.kind);
      BindText(statement, 2, change.key);
      if (change.bytes) {
        sqlite3_bind_blob64(statement, 3, change.bytes->data(), change.bytes->size(),
                            SQLITE_STATIC);
      }
      KILN_TRY_OK(StepOnce(statement));
    }
    sqlite3_bind_int64(set_revision_.get(), 1, static_cast<int64_t>(expected + 1));
    return StepOnce(set_revision_.get());
  }

  static void BindText(sqlite3_stmt* statement, int index, const std::string& text) {
    sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  }

  static std::string Column(const Statement& statement, int index) {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement.get(), index));
    const auto size = static_cast<size_t>(sqlite3_column_bytes(statement.get(), index));
    return bytes == nullptr ? std::string() : std::string(bytes, size);
  }

  Status Execute(const std::string& sql) {
    const int result = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (result != SQLITE_OK) return Failed(result);
    return {};
  }

  Result<Statement> Compile(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    const int result = sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT,
                                          &statement, nullptr);
    if (result != SQLITE_OK) return Failed(result);
    return Statement(statement);
  }

  Status StepOnce(sqlite3_stmt* statement) {
    const int result = sqlite3_step(statement);
    sqlite3_reset(statement);
    if (result != SQLITE_DONE && result != SQLITE_ROW) return Failed(result);
    return {};
  }

  Result<int64_t> StepNumber(const Statement& statement) {
    const int result = sqlite3_step(statement.get());
    const int64_t number = sqlite3_column_int64(statement.get(), 0);
    sqlite3_reset(statement.get());
    if (result != SQLITE_ROW) return Failed(result);
    return number;
  }

  Result<int64_t> ReadNumber(const char* sql) {
    KILN_TRY(const Statement statement, Compile(sql));
    return StepNumber(statement);
  }

  Failure Failed(int result) {
    const ErrorCode code = CodeOf(result);
    switch (code) {
      case ErrorCode::kResourceExhausted:
        return Fail(code, "state {} cannot be written: the disk is full", path_);
      case ErrorCode::kDataLoss:
        return Fail(code, "state {} cannot be read ({}), expected a state file of kiln-scheduler",
                    path_, sqlite3_errmsg(database_.get()));
      case ErrorCode::kPermissionDenied:
        return Fail(code, "state {} cannot be opened ({}), expected a file that can be written",
                    path_, WhyNot());
      default:
        break;
    }
    if ((result & 0xff) == SQLITE_BUSY || (result & 0xff) == SQLITE_LOCKED) {
      return Fail(code, "state {} is in use by another kiln-scheduler", path_);
    }
    return Fail(code, "state {}: {}", path_, sqlite3_errmsg(database_.get()));
  }

  // The system knows better than SQLite why a file is not opened.
  std::string WhyNot() {
    const int number = sqlite3_system_errno(database_.get());
    return number == 0 ? sqlite3_errmsg(database_.get()) : std::strerror(number);
  }

  std::string path_;
  Database database_;
  Statement read_revision_, set_revision_, put_, remove_;
};

}  // namespace

Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path) {
  return SqliteStore::Open(path);
}

}  // namespace kiln::scheduler

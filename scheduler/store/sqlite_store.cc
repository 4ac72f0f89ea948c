#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "scheduler/store/sqlite_file.h"
#include "scheduler/store/store.h"

namespace kiln::scheduler {
namespace {

constexpr int64_t kLogBytes = int64_t{64} << 20;  // before its pages go to the database
constexpr int64_t kCacheBytes = int64_t{64} << 20;

// Of a file that is there for it alone: SQLite's own locks are for one transaction each, so that
// a backup can read meanwhile.
class OwnerLock {
 public:
  ~OwnerLock() {
    if (fd_ >= 0) close(fd_);
  }

  Status Take(const std::string& state) {
    const std::string path = state + ".lock";
    fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) {
      return Fail(ErrorCode::kPermissionDenied,
                  "state {} cannot be locked ({}: {}), expected a file that can be written", state,
                  path, std::strerror(errno));
    }
    if (flock(fd_, LOCK_EX | LOCK_NB) == 0) return {};
    if (errno != EWOULDBLOCK) {
      return Fail(ErrorCode::kUnavailable, "state {} cannot be locked: {}: {}", state, path,
                  std::strerror(errno));
    }
    return Fail(ErrorCode::kUnavailable, "state {} is in use by another kiln-scheduler", state);
  }

 private:
  int fd_ = -1;
};

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(SqliteFile file) : file_(std::move(file)) {}

  Status Prepare() {
    KILN_TRY_OK(file_.CheckOwner());
    KILN_TRY_OK(lock_.Take(file_.path()));
    // Of a new file. A record has some hundred bytes, and when it changes its page is written.
    KILN_TRY_OK(file_.Execute("PRAGMA page_size = 1024"));
    // A commit is one append to the write-ahead log and one fsync.
    KILN_TRY_OK(file_.Execute("PRAGMA journal_mode = WAL"));
    KILN_TRY_OK(file_.Execute("PRAGMA synchronous = FULL"));
    KILN_TRY(const int64_t page, file_.ReadNumber("PRAGMA page_size"));
    KILN_TRY_OK(file_.Execute(fmt::format("PRAGMA wal_autocheckpoint = {}", kLogBytes / page)));
    KILN_TRY_OK(file_.Execute(fmt::format("PRAGMA cache_size = -{}", kCacheBytes >> 10)));
    KILN_TRY_OK(file_.Execute("BEGIN IMMEDIATE"));
    KILN_TRY_OK(
        file_.Execute("CREATE TABLE IF NOT EXISTS records (kind TEXT, key TEXT, bytes BLOB, "
                      "PRIMARY KEY (kind, key))"));
    KILN_TRY_OK(file_.Execute("CREATE TABLE IF NOT EXISTS state (revision INTEGER)"));
    KILN_TRY_OK(file_.Execute("INSERT INTO state SELECT 0 WHERE NOT EXISTS (SELECT * FROM state)"));
    KILN_TRY_OK(file_.Execute(fmt::format("PRAGMA application_id = {}", kApplicationId)));
    KILN_TRY_OK(file_.Execute(fmt::format("PRAGMA user_version = {}", kSchemaVersion)));
    KILN_TRY_OK(file_.Execute("COMMIT"));
    KILN_TRY(read_revision_, file_.Compile("SELECT revision FROM state"));
    KILN_TRY(set_revision_, file_.Compile("UPDATE state SET revision = ?1"));
    KILN_TRY(put_, file_.Compile("INSERT INTO records VALUES (?1, ?2, ?3) "
                                 "ON CONFLICT DO UPDATE SET bytes = excluded.bytes"));
    KILN_TRY(remove_, file_.Compile("DELETE FROM records WHERE kind = ?1 AND key = ?2"));
    return {};
  }

  Result<Revision> Read(const TakeRecord& take) override {
    KILN_TRY(const int64_t revision, file_.StepNumber(read_revision_));
    KILN_TRY_OK(file_.ReadRecords(take));
    return static_cast<Revision>(revision);
  }

  Result<Revision> Commit(Revision expected, std::span<const Change> changes) override {
    KILN_TRY_OK(file_.Execute("BEGIN IMMEDIATE"));
    Status written = Write(expected, changes);
    if (written) written = file_.Execute("COMMIT");
    if (!written) {
      if (sqlite3_get_autocommit(file_.get()) == 0) {
        sqlite3_exec(file_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
      }
      return Failure(written.error());
    }
    return expected + 1;
  }

 private:
  Status Write(Revision expected, std::span<const Change> changes) {
    KILN_TRY(const int64_t revision, file_.StepNumber(read_revision_));
    if (static_cast<Revision>(revision) != expected) {
      return Fail(ErrorCode::kConflict,
                  "state {} has revision {}, expected {}: somebody else wrote", file_.path(),
                  revision, expected);
    }
    for (const Change& change : changes) {
      const Statement& statement = change.bytes ? put_ : remove_;
      BindText(statement, 1, change.kind);
      BindText(statement, 2, change.key);
      if (change.bytes) {
        sqlite3_bind_blob64(statement.get(), 3, change.bytes->data(), change.bytes->size(),
                            SQLITE_STATIC);
      }
      KILN_TRY_OK(file_.StepOnce(statement));
    }
    sqlite3_bind_int64(set_revision_.get(), 1, static_cast<int64_t>(expected + 1));
    return file_.StepOnce(set_revision_);
  }

  static void BindText(const Statement& statement, int index, const std::string& text) {
    sqlite3_bind_text64(statement.get(), index, text.data(), text.size(), SQLITE_STATIC,
                        SQLITE_UTF8);
  }

  OwnerLock lock_;
  SqliteFile file_;
  Statement read_revision_, set_revision_, put_, remove_;
};

}  // namespace

Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path) {
  KILN_TRY(SqliteFile file, SqliteFile::Open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
  auto store = std::make_unique<SqliteStore>(std::move(file));
  KILN_TRY_OK(store->Prepare());
  return store;
}

}  // namespace kiln::scheduler

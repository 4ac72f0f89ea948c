#include "scheduler/store/state_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "base/file.h"
#include "scheduler/store/sqlite_file.h"
#include "wire/records/records.h"

namespace kiln::scheduler {
namespace {

// Done to a copy before anybody sees it.
using Edit = std::function<Status(const SqliteFile& copy)>;

// SQLite would open what is no file as an empty database, and make one that is missing.
Result<SqliteFile> OpenState(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return Failure(FileError("read", path, errno));
  if (!S_ISREG(info.st_mode)) {
    return Fail(ErrorCode::kInvalidArgument, "{} is no file, expected a state file", path);
  }
  KILN_TRY(SqliteFile file, SqliteFile::Open(path, SQLITE_OPEN_READONLY));
  KILN_TRY(const bool tables, file.HasTables());
  if (!tables) {
    return Fail(ErrorCode::kDataLoss, "{} is empty, expected a state file of kiln-scheduler", path);
  }
  KILN_TRY_OK(file.CheckOwner());
  return file;
}

Status CheckPages(const SqliteFile& file) {
  KILN_TRY(const Statement check, file.Compile("PRAGMA integrity_check(1)"));
  const int result = sqlite3_step(check.get());
  if (result != SQLITE_ROW) return file.Failed(result);
  const std::string_view found = Column(check, 0);
  if (found == "ok") return {};
  return Fail(ErrorCode::kDataLoss, "state {} is damaged: {}", file.path(), found);
}

Result<StateSummary> ReadRecords(const SqliteFile& file) {
  StateSummary summary;
  KILN_TRY(summary.schema_version, file.ReadNumber("PRAGMA user_version"));
  KILN_TRY(const int64_t revision, file.ReadNumber("SELECT revision FROM state"));
  summary.revision = static_cast<Revision>(revision);
  KILN_TRY_OK(file.ReadRecords([&](auto kind, auto key, auto bytes) -> Status {
    State one;
    if (const Status decoded = wire::Decode(bytes, one); !decoded) {
      return Failure(
          Within(fmt::format("state {}: {} {}", file.path(), kind, key), decoded.error()));
    }
    if (!one.framework_id.empty()) summary.framework_id = one.framework_id;
    ++summary.records[std::string(kind)];
    return {};
  }));
  return summary;
}

Result<StateSummary> Verify(const SqliteFile& file) {
  // Pages and records of one revision, whoever writes meanwhile.
  KILN_TRY_OK(file.Execute("BEGIN"));
  KILN_TRY_OK(CheckPages(file));
  KILN_TRY(StateSummary summary, ReadRecords(file));
  KILN_TRY(const int64_t pages, file.ReadNumber("PRAGMA page_count"));
  KILN_TRY(const int64_t page_size, file.ReadNumber("PRAGMA page_size"));
  summary.bytes = static_cast<uint64_t>(pages * page_size);
  KILN_TRY_OK(file.Execute("COMMIT"));
  return summary;
}

Status CopyPages(const SqliteFile& from, const SqliteFile& to) {
  sqlite3_backup* backup = sqlite3_backup_init(to.get(), "main", from.get(), "main");
  if (backup == nullptr) return to.Failed(sqlite3_errcode(to.get()));
  const int result = sqlite3_backup_step(backup, -1);
  sqlite3_backup_finish(backup);
  if (result == SQLITE_DONE) return {};
  return (result & 0xff) == SQLITE_FULL ? to.Failed(result) : from.Failed(result);
}

Result<StateSummary> CopyInto(const std::string& path, const SqliteFile& from, const Edit& edit) {
  KILN_TRY(SqliteFile copy, SqliteFile::Open(path, SQLITE_OPEN_READWRITE));
  KILN_TRY_OK(CopyPages(from, copy));
  // One file, whatever stands beside the source.
  KILN_TRY_OK(copy.Execute("PRAGMA journal_mode = DELETE"));
  KILN_TRY_OK(edit(copy));
  copy.SetName(from.path());
  return Verify(copy);
}

Result<StateSummary> Copy(const std::string& from, const std::string& to, const Edit& edit) {
  KILN_TRY(const SqliteFile source, OpenState(from));
  KILN_TRY(NewFile file, NewFile::Create(to));
  KILN_TRY(StateSummary summary, CopyInto(file.temporary(), source, edit));
  KILN_TRY_OK(file.PublishNew());
  return summary;
}

Status CheckFree(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, error))) return {};
  return Fail(ErrorCode::kConflict, "{} is there, expected no file of that name", path);
}

// Ids are made from the count of the scheduler's starts, which a copy does not know.
Status RaiseIncarnation(const SqliteFile& file, Instant now) {
  State state;
  {
    KILN_TRY(const Statement read,
             file.Compile("SELECT bytes FROM records WHERE kind = 'meta' AND key = ''"));
    const int result = sqlite3_step(read.get());
    if (result == SQLITE_ROW) {
      KILN_TRY_OK(wire::Decode(Column(read, 0), state));
    } else if (result != SQLITE_DONE) {
      return file.Failed(result);
    }
  }
  state.incarnation =
      std::max(state.incarnation + 1, static_cast<uint64_t>(now.nanoseconds / 1'000'000'000));
  const std::string bytes = wire::EncodeMeta(state);
  KILN_TRY(const Statement write,
           file.Compile("INSERT OR REPLACE INTO records VALUES ('meta', '', ?1)"));
  sqlite3_bind_blob64(write.get(), 1, bytes.data(), bytes.size(), SQLITE_STATIC);
  return file.StepOnce(write);
}

}  // namespace

Result<StateSummary> VerifyState(const std::string& path) {
  KILN_TRY(const SqliteFile file, OpenState(path));
  return Verify(file);
}

Result<StateSummary> BackUpState(const std::string& state, const std::string& backup) {
  KILN_TRY_OK(CheckFree(backup));
  return Copy(state, backup, [](const SqliteFile&) { return Status(); });
}

Result<StateSummary> RestoreState(const std::string& backup, const std::string& state,
                                  Instant now) {
  // A log of another database would be played into this one.
  for (const char* end : {"", "-wal", "-journal"}) KILN_TRY_OK(CheckFree(state + end));
  return Copy(backup, state, [now](const SqliteFile& copy) { return RaiseIncarnation(copy, now); });
}

}  // namespace kiln::scheduler

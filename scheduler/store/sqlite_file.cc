#include "scheduler/store/sqlite_file.h"

#include <cstring>

namespace kiln::scheduler {
namespace {

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

}  // namespace

std::string_view Column(const Statement& statement, int index) {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement.get(), index));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement.get(), index));
  return bytes == nullptr ? std::string_view() : std::string_view(bytes, size);
}

Result<SqliteFile> SqliteFile::Open(std::string path, int flags) {
  sqlite3* opened = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
  SqliteFile file(std::move(path), opened);
  if (result != SQLITE_OK) return file.Failed(result);
  sqlite3_extended_result_codes(opened, 1);
  return file;
}

Result<bool> SqliteFile::HasTables() const {
  KILN_TRY(const int64_t tables, ReadNumber("SELECT count(*) FROM sqlite_schema"));
  return tables > 0;
}

Status SqliteFile::CheckOwner() const {
  KILN_TRY(const bool any, HasTables());
  if (!any) return {};
  KILN_TRY(const int64_t owner, ReadNumber("PRAGMA application_id"));
  if (owner != kApplicationId) {
    return Fail(ErrorCode::kDataLoss, "{} is a database of another program, expected Kiln's state",
                path_);
  }
  KILN_TRY(const int64_t version, ReadNumber("PRAGMA user_version"));
  if (version > kSchemaVersion) {
    return Fail(ErrorCode::kFailedPrecondition,
                "{} has schema version {}, expected at most {}: a newer kiln-scheduler made it",
                path_, version, kSchemaVersion);
  }
  return {};
}

Status SqliteFile::Execute(const std::string& sql) const {
  const int result = sqlite3_exec(get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return Failed(result);
  return {};
}

Result<Statement> SqliteFile::Compile(const char* sql) const {
  sqlite3_stmt* statement = nullptr;
  const int result =
      sqlite3_prepare_v3(get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) return Failed(result);
  return Statement(statement);
}

Status SqliteFile::StepOnce(const Statement& statement) const {
  const int result = sqlite3_step(statement.get());
  sqlite3_reset(statement.get());
  if (result != SQLITE_DONE && result != SQLITE_ROW) return Failed(result);
  return {};
}

Result<int64_t> SqliteFile::StepNumber(const Statement& statement) const {
  const int result = sqlite3_step(statement.get());
  const int64_t number = sqlite3_column_int64(statement.get(), 0);
  sqlite3_reset(statement.get());
  if (result != SQLITE_ROW) return Failed(result);
  return number;
}

Result<int64_t> SqliteFile::ReadNumber(const char* sql) const {
  KILN_TRY(const Statement statement, Compile(sql));
  return StepNumber(statement);
}

Status SqliteFile::ReadRecords(const TakeRecord& take) const {
  KILN_TRY(const Statement all, Compile("SELECT kind, key, bytes FROM records"));
  int result = SQLITE_ROW;
  while ((result = sqlite3_step(all.get())) == SQLITE_ROW) {
    KILN_TRY_OK(take(Column(all, 0), Column(all, 1), Column(all, 2)));
  }
  if (result != SQLITE_DONE) return Failed(result);
  return {};
}

Failure SqliteFile::Failed(int result) const {
  const ErrorCode code = CodeOf(result);
  switch (code) {
    case ErrorCode::kResourceExhausted:
      return Fail(code, "state {} cannot be written: the disk is full", path_);
    case ErrorCode::kDataLoss:
      return Fail(code, "state {} cannot be read ({}), expected a state file of kiln-scheduler",
                  path_, sqlite3_errmsg(get()));
    case ErrorCode::kPermissionDenied:
      return Fail(code, "state {} cannot be opened ({}), expected a file that can be written",
                  path_, WhyNot());
    default:
      break;
  }
  if ((result & 0xff) == SQLITE_BUSY || (result & 0xff) == SQLITE_LOCKED) {
    return Fail(code, "state {} is in use by another program", path_);
  }
  return Fail(code, "state {}: {}", path_, sqlite3_errmsg(get()));
}

// The system knows better than SQLite why a file is not opened.
std::string SqliteFile::WhyNot() const {
  const int number = sqlite3_system_errno(get());
  return number == 0 ? sqlite3_errmsg(get()) : std::strerror(number);
}

}  // namespace kiln::scheduler

// database.cpp - SQLite's codes become errors with an errno where there is one.
#include "history/database.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "base/unique_fd.h"

namespace apnat {
namespace {

int errno_of(int code, sqlite3* connection) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return ENOSPC;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return EUCLEAN;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return EBUSY;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return connection && ::sqlite3_system_errno(connection) ? ::sqlite3_system_errno(connection) : EIO;
    default:
      return 0;
  }
}

std::unexpected<Error> refused(sqlite3* connection) {
  const int code = connection ? ::sqlite3_extended_errcode(connection) : SQLITE_NOMEM;
  const char* file = connection ? ::sqlite3_db_filename(connection, "main") : nullptr;
  const std::string name = file ? std::filesystem::path(file).filename().string() : "";
  return std::unexpected(
      Error{errno_of(code, connection),
            fmt::format("history {}: {}", name, connection ? ::sqlite3_errmsg(connection) : ::sqlite3_errstr(code))});
}

// SQLite's own files beside it take its mode.
Result<void> make_file(const std::filesystem::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
  if (!file && errno != EEXIST) return fail(errno, "make history file " + path.string());
  return {};
}

}  // namespace

bool is_damage(const Error& error) { return error.code == EUCLEAN; }

Statement& Statement::bind(int parameter, std::int64_t value) {
  ::sqlite3_bind_int64(statement_.get(), parameter, value);
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view bytes) {
  ::sqlite3_bind_blob64(statement_.get(), parameter, bytes.data(), bytes.size(), SQLITE_STATIC);
  return *this;
}

Statement& Statement::bind_text(int parameter, std::string_view text) {
  ::sqlite3_bind_text64(statement_.get(), parameter, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

Result<bool> Statement::step() {
  const int code = ::sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  sqlite3* connection = ::sqlite3_db_handle(statement_.get());
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  auto error = refused(connection);
  reset();
  return error;
}

Result<void> Statement::run() {
  while (TRY(step())) {
  }
  return {};
}

std::string_view Statement::bytes(int column) const {
  const void* data = ::sqlite3_column_blob(statement_.get(), column);
  return {static_cast<const char*>(data), static_cast<std::size_t>(::sqlite3_column_bytes(statement_.get(), column))};
}

Result<Database> Database::open(const std::filesystem::path& path, Use use) {
  const bool writes = use == Use::kWrite;
  if (writes) TRY_VOID(make_file(path));
  sqlite3* opened = nullptr;
  const int flags = (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
  const int code = ::sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
  Database database(opened);
  if (code != SQLITE_OK) return refused(opened);
  ::sqlite3_busy_timeout(opened, 2'000);
  // The cache holds what merging and looking up touch again and again; a day's file is far larger.
  TRY_VOID(database.run("PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY"));
  if (!writes) return database;
  TRY_VOID(
      database.run("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA "
                   "wal_autocheckpoint = 2000; "
                   "PRAGMA journal_size_limit = 16777216"));
  return database;
}

Result<void> Database::run(const char* sql) {
  if (::sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return refused(connection_.get());
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  const int code = ::sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return refused(connection_.get());
  return Statement(statement);
}

Result<std::string> Database::complaints() const {
  Statement check = TRY(prepare("PRAGMA quick_check(1)"));
  std::string text;
  while (TRY(check.step())) {
    if (check.bytes(0) != "ok") text += check.bytes(0);
  }
  return text;
}

}  // namespace apnat

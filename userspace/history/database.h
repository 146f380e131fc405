// database.h - one SQLite file. The only header of the project that knows SQLite.
//
// POSIX gives up every lock a process has on a file when it closes any descriptor of
// it: nobody else may open and close these files while a Database is open on them.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace apnat {

class Statement {
 public:
  // Parameters count from 1, columns from 0.
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::string_view bytes);  // must live until the statement is reset
  Statement& bind_text(int parameter, std::string_view text);

  // True: a row is there. After false or an error it has been reset.
  Result<bool> step();
  // For statements without rows.
  Result<void> run();
  void reset() { ::sqlite3_reset(statement_.get()); }

  int columns() const { return ::sqlite3_column_count(statement_.get()); }
  std::int64_t number(int column) const { return ::sqlite3_column_int64(statement_.get(), column); }
  bool is_null(int column) const { return ::sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }
  std::string_view bytes(int column) const;  // until the next step or reset

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { ::sqlite3_finalize(statement); }
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  enum class Use { kWrite, kRead };

  // kWrite makes the file, 0640, and sets it to WAL with every commit synced to the disk.
  static Result<Database> open(const std::filesystem::path& path, Use use);

  Result<void> run(const char* sql);
  Result<Statement> prepare(std::string_view sql) const;
  std::int64_t last_id() const { return ::sqlite3_last_insert_rowid(connection_.get()); }
  bool is_in_transaction() const { return ::sqlite3_get_autocommit(connection_.get()) == 0; }

  // What is wrong with the file, in SQLite's words; empty: nothing.
  Result<std::string> complaints() const;

 private:
  struct Close {
    void operator()(sqlite3* connection) const { ::sqlite3_close_v2(connection); }
  };
  explicit Database(sqlite3* connection) : connection_(connection) {}

  std::unique_ptr<sqlite3, Close> connection_;
};

// Is it the file that is wrong, not the machine?
bool is_damage(const Error& error);

}  // namespace apnat

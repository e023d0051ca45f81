// store/sqlite/database.h - a thin RAII cover over SQLite; with disk.cc the only user of it.
//
// Not thread-safe: the caller serialises (the store's one writer). Errors name the file and are kInternal unless
// said otherwise. Blocks on the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "store/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace store::sqlite {

// A prepared statement. bind_* count from 1 and copy nothing: bound text must live until the next reset.
class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  void bind(int index, int64_t value);
  void bind(int index, std::string_view text);
  // True while there is a row. On an error or the end the statement is reset.
  base::Result<bool> step();
  // Steps to the end, then resets.
  base::Status run();
  void reset();
  int64_t integer(int column) const;
  std::string text(int column) const;  // Of a TEXT or BLOB column.

 private:
  sqlite3* db_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

class Database {
 public:
  // Creates the file when it is absent. kConflict: another process has it open.
  static base::Result<Database> open(const std::string& path);
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  ~Database();

  base::Status execute(const char* sql);
  base::Result<int64_t> query_integer(const char* sql);
  base::Result<Statement> prepare(const char* sql);
  const std::string& path() const { return path_; }

 private:
  Database(sqlite3* db, std::string path) : db_(db), path_(std::move(path)) {}
  sqlite3* db_ = nullptr;
  std::string path_;
};

}  // namespace store::sqlite

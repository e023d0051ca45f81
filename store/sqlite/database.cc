#include "store/sqlite/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <utility>

namespace store::sqlite {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

Error database_error(sqlite3* db, const std::string& path) {
  int code = sqlite3_errcode(db);
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
    return Error(Code::kConflict, path + " is in use by another process; is this cluster running already?");
  }
  if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) {
    return Error(Code::kInvalid, path + " is damaged or no kubelan store (" + sqlite3_errmsg(db) +
                                     "); move it away, or start afresh with --name or --state-dir");
  }
  std::string message = path + ": " + sqlite3_errmsg(db);
  if (int system = sqlite3_system_errno(db); system != 0) message = base::os_error(message, system).message;
  return Error(Code::kInternal, message);
}

Error database_error(sqlite3* db) {
  const char* path = sqlite3_db_filename(db, "main");
  return database_error(db, path != nullptr ? path : "store");
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : db_(std::exchange(other.db_, nullptr)), statement_(std::exchange(other.statement_, nullptr)) {}
Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(db_, other.db_);
  std::swap(statement_, other.statement_);
  return *this;
}
Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::bind(int index, int64_t value) { sqlite3_bind_int64(statement_, index, value); }
void Statement::bind(int index, std::string_view text) {
  // A null pointer would bind NULL instead of "".
  sqlite3_bind_text64(statement_, index, text.data() == nullptr ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

Result<bool> Statement::step() {
  int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  Error error = database_error(db_);
  reset();
  return error;
}

Status Statement::run() {
  while (TRY(step())) {
  }
  return {};
}

void Statement::reset() { sqlite3_reset(statement_); }

int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Statement::text(int column) const {
  // The pointer first: asking for it may convert, which changes the size.
  const void* data = sqlite3_column_blob(statement_, column);
  int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), static_cast<size_t>(size));
}

Result<Database> Database::open(const std::string& path) {
  // Secrets are in there, and SQLite would create the file with 0644. (Only a file that was absent is opened here:
  // closing a descriptor drops every lock that this process holds on the file, SQLite's included.)
  if (int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); fd >= 0) ::close(fd);
  sqlite3* raw = nullptr;
  // NOMUTEX: the store's writer mutex serialises all use.
  int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database db(raw, path);
  if (raw == nullptr) return Error(Code::kInternal, path + ": out of memory");
  if (code != SQLITE_OK) return database_error(raw, path).context("open the store");
  return db;
}

Database::Database(Database&& other) noexcept : db_(std::exchange(other.db_, nullptr)), path_(std::move(other.path_)) {}
Database& Database::operator=(Database&& other) noexcept {
  std::swap(db_, other.db_);
  std::swap(path_, other.path_);
  return *this;
}
// close_v2 waits for statements that are destroyed later.
Database::~Database() { sqlite3_close_v2(db_); }

Status Database::execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return database_error(db_, path_);
  return {};
}

Result<int64_t> Database::query_integer(const char* sql) {
  Statement statement = TRY(prepare(sql));
  bool row = TRY(statement.step());
  return row ? statement.integer(0) : 0;
}

Result<Statement> Database::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) return database_error(db_, path_);
  return Statement(db_, statement);
}

}  // namespace store::sqlite

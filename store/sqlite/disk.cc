#include "store/sqlite/disk.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace store::sqlite {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr int kStoreVersion = 1;  // PRAGMA user_version. Raise it with every change of the tables, and migrate in set_up().

// locking_mode before journal_mode: an exclusive WAL needs no shared-memory file, and a second daemon on one file
// is refused. NORMAL does not sync each commit: a commit survives the death of the process (the kernel has the
// pages), and after a power cut the file is consistent but may lack the last commits. The log is copied into the
// database, with two syncs that every writer waits for, when it has 32 MiB rather than 4, which most clusters never write.
constexpr char kPragmas[] =
    "PRAGMA locking_mode=EXCLUSIVE;"
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=NORMAL;"
    "PRAGMA wal_autocheckpoint=8000;";

constexpr char kTables[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE event(rev INTEGER PRIMARY KEY, op INTEGER NOT NULL, resource TEXT NOT NULL, ns TEXT NOT NULL,"
    " name TEXT NOT NULL, prev INTEGER NOT NULL, value TEXT NOT NULL);"
    "CREATE TABLE live(resource TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL, rev INTEGER NOT NULL,"
    " PRIMARY KEY(resource, ns, name)) WITHOUT ROWID;"
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('floor', 0);"
    "PRAGMA user_version=1;"
    "COMMIT;";
static_assert(kStoreVersion == 1, "change the number in kTables, too");

int64_t as_integer(Revision revision) { return static_cast<int64_t>(revision); }
Revision as_revision(int64_t value) { return static_cast<Revision>(value); }

Object read_object(const Statement& row, Revision revision, int first_column) {
  Key key{row.text(first_column), row.text(first_column + 1), row.text(first_column + 2)};
  return Object(std::move(key), revision, std::make_shared<const std::string>(row.text(first_column + 3)));
}

}  // namespace

Result<std::unique_ptr<Disk>> Disk::open(const std::string& path) {
  Database db = TRY(Database::open(path));
  std::unique_ptr<Disk> disk(new Disk(std::move(db)));
  TRY_STATUS(disk->set_up());
  TRY_STATUS(disk->prepare_statements());
  return disk;
}

Status Disk::set_up() {
  int64_t version = TRY(db_.query_integer("PRAGMA user_version"));
  if (version > kStoreVersion) {
    return Error(Code::kInvalid, db_.path() + " was written by a newer kubelan (store version " + std::to_string(version) +
                                     ", this one reads up to " + std::to_string(kStoreVersion) +
                                     "); use that kubelan, or start afresh with --name or --state-dir, or delete " + db_.path());
  }
  int64_t tables = TRY(db_.query_integer("SELECT count(*) FROM sqlite_master"));
  if (version == 0 && tables > 0) {
    return Error(Code::kInvalid, db_.path() + " is an SQLite file but no kubelan store; start with another --name or --state-dir");
  }
  TRY_STATUS(db_.execute(kPragmas));
  if (version == 0) TRY_STATUS(db_.execute(kTables));
  floor_ = as_revision(TRY(db_.query_integer("SELECT value FROM meta WHERE key='floor'")));
  // The newest event may have been a deletion that compaction dropped: the floor then remembers its revision.
  revision_ = std::max(floor_, as_revision(TRY(db_.query_integer("SELECT max(rev) FROM event"))));
  return {};
}

Status Disk::prepare_statements() {
  begin_ = TRY(db_.prepare("BEGIN IMMEDIATE"));
  commit_ = TRY(db_.prepare("COMMIT"));
  rollback_ = TRY(db_.prepare("ROLLBACK"));
  insert_event_ = TRY(db_.prepare("INSERT INTO event(rev, op, resource, ns, name, prev, value) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
  put_live_ = TRY(db_.prepare("INSERT OR REPLACE INTO live(resource, ns, name, rev) VALUES(?1, ?2, ?3, ?4)"));
  erase_live_ = TRY(db_.prepare("DELETE FROM live WHERE resource=?1 AND ns=?2 AND name=?3"));
  version_ = TRY(db_.prepare("SELECT resource, ns, name, value FROM event WHERE rev=?1"));
  return {};
}

Status Disk::load_live(const std::function<void(Object)>& visit) {
  Statement rows = TRY(db_.prepare(
      "SELECT e.rev, l.resource, l.ns, l.name, e.value FROM live l JOIN event e ON e.rev=l.rev ORDER BY l.resource, l.ns, l.name"));
  while (TRY(rows.step())) visit(read_object(rows, as_revision(rows.integer(0)), 1));
  return {};
}

Result<std::optional<Object>> Disk::load_version(Revision revision) {
  version_.bind(1, as_integer(revision));
  if (!TRY(version_.step())) return std::optional<Object>();
  std::optional<Object> out = read_object(version_, revision, 0);
  version_.reset();
  return out;
}

Result<std::vector<Event>> Disk::load_events(Revision after, Revision through) {
  std::vector<Event> out;
  std::unordered_map<Revision, Object> seen;
  Statement rows =
      TRY(db_.prepare("SELECT rev, op, prev, resource, ns, name, value FROM event WHERE rev>?1 AND rev<=?2 ORDER BY rev"));
  rows.bind(1, as_integer(after));
  rows.bind(2, as_integer(through));
  while (TRY(rows.step())) {
    Event event;
    event.revision = as_revision(rows.integer(0));
    event.type = static_cast<EventType>(rows.integer(1));
    event.object = read_object(rows, event.revision, 3);
    if (Revision prev = as_revision(rows.integer(2)); prev != 0) {
      auto it = seen.find(prev);
      std::optional<Object> previous;
      if (it != seen.end()) previous = it->second;
      else previous = TRY(load_version(prev));
      if (previous) event.previous = *previous;
    }
    seen.emplace(event.revision, event.object);
    out.push_back(std::move(event));
  }
  return out;
}

Status Disk::in_transaction(const std::function<Status()>& body) {
  TRY_STATUS(begin_.run());
  // Also when `body` throws: the next write would find a transaction that is not its own.
  struct Undo {
    Statement* rollback;
    ~Undo() {
      // SQLite may have rolled back by itself (disk full); then this one fails and nothing is left to undo.
      if (rollback) base::ignore(rollback->run(), "the first error is the one to report");
    }
  } undo{&rollback_};
  TRY_STATUS(body());
  TRY_STATUS(commit_.run());
  undo.rollback = nullptr;
  return {};
}

Status Disk::append(const Event& event) {
  TRY_STATUS(in_transaction([&] { return write(event); }));
  revision_ = event.revision;
  return {};
}

Status Disk::write(const Event& event) {
  const Key& key = event.object.key();
  insert_event_.bind(1, as_integer(event.revision));
  insert_event_.bind(2, static_cast<int64_t>(event.type));
  insert_event_.bind(3, key.resource);
  insert_event_.bind(4, key.ns);
  insert_event_.bind(5, key.name);
  insert_event_.bind(6, as_integer(event.previous.revision()));
  insert_event_.bind(7, event.object.bytes());
  TRY_STATUS(insert_event_.run());
  Statement& live = event.type == EventType::kDeleted ? erase_live_ : put_live_;
  live.bind(1, key.resource);
  live.bind(2, key.ns);
  live.bind(3, key.name);
  if (event.type != EventType::kDeleted) live.bind(4, as_integer(event.revision));
  return live.run();
}

Status Disk::compact(Revision floor) {
  if (floor <= floor_) return {};
  TRY_STATUS(in_transaction([&] { return drop_until(floor); }));
  floor_ = floor;
  return {};
}

// An event up to the floor made the version before it unreachable: nothing lists or watches from so far back. A
// deletion up to the floor is unreachable itself. All else up to the floor is live, or the `previous` of a later event.
Status Disk::drop_until(Revision floor) {
  static constexpr const char* kSteps[] = {
      "DELETE FROM event WHERE rev IN (SELECT prev FROM event WHERE rev>?1 AND rev<=?2 AND prev>0)",
      "DELETE FROM event WHERE rev>?1 AND rev<=?2 AND op=2",
      "UPDATE meta SET value=?2 WHERE key='floor' AND value=?1",
  };
  static_assert(static_cast<int>(EventType::kDeleted) == 2);
  for (const char* sql : kSteps) {
    Statement step = TRY(db_.prepare(sql));
    step.bind(1, as_integer(floor_));
    step.bind(2, as_integer(floor));
    TRY_STATUS(step.run());
  }
  return {};
}

}  // namespace store::sqlite

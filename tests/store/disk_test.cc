// What a file adds to the contract: restarts, SIGKILL, a full disk, versions, compaction on disk.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <map>

#include "store/base/fd.h"
#include "store/sqlite/database.h"
#include "tests/store/store_fixture.h"

namespace store {
namespace {

using base::Code;

std::unique_ptr<Store> open(const TempDir& dir, size_t history = 16384) { return open_store({.path = dir.file(), .history = history}); }

std::string open_error(const std::string& path) {
  auto opened = Store::open({.path = path});
  return opened.ok() ? "opened" : opened.error().message;
}

int64_t query(const TempDir& dir, const char* sql) {
  auto db = sqlite::Database::open(dir.file());
  if (!db.ok()) return -1;
  auto value = db->query_integer(sql);
  return value.ok() ? *value : -1;
}

TEST(Disk, ObjectsSurviveARestartByteForByte) {
  TempDir dir;
  std::string bytes;
  {
    auto store = open(dir);
    json with_everything = tree("a", "x");
    with_everything["text"] = std::string("nul \0 quote \" snowman \xE2\x98\x83", 24);
    bytes = store->create({"things", "a", "x"}, with_everything)->bytes();
    create(*store, {"things", "", "cluster-wide"});
    create(*store, {"things", "a", "gone"});
    ASSERT_TRUE(store->remove({"things", "a", "gone"}, tree("a", "gone"), 3).ok());
  }
  auto store = open(dir);
  EXPECT_EQ(store->revision(), 4u);
  EXPECT_EQ(store->get({"things", "a", "x"})->bytes(), bytes);
  EXPECT_EQ(listed(*store, {.resource = "things"}), "/cluster-wide@2 a/x@1");
}

TEST(Disk, RevisionsAreNeverReused) {
  TempDir dir;
  for (Revision round = 0; round < 4; ++round) {
    auto store = open(dir);
    EXPECT_EQ(store->revision(), 2 * round);
    EXPECT_EQ(create(*store, {"things", "a", "x"}).revision(), 2 * round + 1);
    ASSERT_TRUE(store->remove({"things", "a", "x"}, tree("a", "x"), 2 * round + 1).ok());
    // Compaction drops the newest row, a deletion; its number is taken all the same.
    ASSERT_TRUE(store->compact(1000).ok());
  }
}

TEST(Disk, HistoryFromBeforeARestartCanBeWatchedAndListed) {
  TempDir dir;
  {
    auto store = open(dir);
    create(*store, {"things", "a", "x"});
    create(*store, {"things", "a", "y"});
    ASSERT_TRUE(store->update({"things", "a", "x"}, tree("a", "x", 1), 1).ok());
    ASSERT_TRUE(store->remove({"things", "a", "y"}, tree("a", "y", 9), 2).ok());
  }
  for (bool write_first : {false, true}) {
    SCOPED_TRACE(write_first);
    auto store = open(dir);
    std::string live;
    if (write_first) {
      create(*store, {"things", "a", "z"});
      live = " +a/z@5";
    }
    EXPECT_EQ(watched(*store, {.resource = "things", .after = 4}), live.empty() ? "" : "+a/z@5");
    auto watch = store->watch({.resource = "things"}).value();
    auto events = watch->next(kNow).value();
    EXPECT_EQ(render(events), "+a/x@1 +a/y@2 ~a/x@3 -a/y@4" + live);
    EXPECT_EQ(events[2].previous.revision(), 1u);
    EXPECT_EQ(events[2].object.tree()["spec"]["value"], 1);
    EXPECT_EQ(events[3].previous.revision(), 2u);
    EXPECT_EQ(events[3].object.tree()["spec"]["value"], 9);
    EXPECT_EQ(listed(*store, {.resource = "things", .at = 2}), "a/x@1 a/y@2");
    EXPECT_EQ(listed(*store, {.resource = "things", .at = 3}), "a/x@3 a/y@2");
  }
}

TEST(Disk, CompactionIsRememberedAndKeepsWhatLaterEventsNeed) {
  TempDir dir;
  {
    auto store = open(dir);
    create(*store, {"things", "a", "x"});                                          // 1
    create(*store, {"things", "a", "y"});                                          // 2
    ASSERT_TRUE(store->update({"things", "a", "x"}, tree("a", "x", 1), 1).ok());  // 3
    ASSERT_TRUE(store->update({"things", "a", "x"}, tree("a", "x", 2), 3).ok());  // 4
    ASSERT_TRUE(store->remove({"things", "a", "y"}, tree("a", "y"), 2).ok());     // 5
    ASSERT_TRUE(store->compact(4).ok());
  }
  EXPECT_EQ(query(dir, "SELECT count(*) FROM event"), 4) << "1 is dropped; 2 and 3 are previous states of 5 and 4";
  {
    auto store = open(dir);
    EXPECT_EQ(watched(*store, {.resource = "things", .after = 2}), "E too old resource version: 2 (3)");
    auto watch = store->watch({.resource = "things", .after = 3}).value();
    auto events = watch->next(kNow).value();
    EXPECT_EQ(render(events), "~a/x@4 -a/y@5");
    EXPECT_EQ(events[0].previous.tree()["spec"]["value"], 1);
    EXPECT_EQ(events[1].previous.revision(), 2u);
    EXPECT_EQ(listed(*store, {.resource = "things", .at = 3}), "a/x@3 a/y@2");
    EXPECT_EQ(listed(*store, {.resource = "things", .at = 2}), "E The resourceVersion for the provided list is too old.");
    ASSERT_TRUE(store->compact(1000).ok());
  }
  EXPECT_EQ(query(dir, "SELECT count(*) FROM event"), 1);
  EXPECT_EQ(listed(*open(dir), {.resource = "things"}), "a/x@4");
}

TEST(Disk, AutomaticCompactionBoundsTheFile) {
  TempDir dir;
  {
    auto store = open(dir, 50);
    create(*store, {"things", "a", "still"});
    create(*store, {"things", "a", "busy"});
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(store->update({"things", "a", "busy"}, tree("a", "busy", i), 0).ok());
    for (int i = 0; i < 300; ++i) {
      create(*store, {"things", "a", "brief"});
      ASSERT_TRUE(store->remove({"things", "a", "brief"}, tree("a", "brief"), 0).ok());
    }
  }
  EXPECT_LE(query(dir, "SELECT count(*) FROM event"), 60);
  auto store = open(dir, 50);
  EXPECT_EQ(store->revision(), 1602u);
  EXPECT_EQ(listed(*store, {.resource = "things"}), "a/busy@1002 a/still@1");
  EXPECT_EQ(store->watch({.resource = "things", .after = 1552}).value()->next(kNow)->size(), 50u);
}

TEST(Disk, ASmallerHistoryAfterARestart) {
  TempDir dir;
  {
    auto store = open(dir, 100);
    for (int i = 0; i < 20; ++i) create(*store, {"things", "a", std::to_string(i)});
  }
  auto store = open(dir, 5);
  EXPECT_EQ(watched(*store, {.resource = "things", .after = 3}), "E too old resource version: 3 (15)");
  EXPECT_EQ(store->watch({.resource = "things", .after = 15}).value()->next(kNow)->size(), 5u);
  create(*store, {"things", "a", "z"});
  EXPECT_EQ(store->watch({.resource = "things", .after = 16}).value()->next(kNow)->size(), 5u);
}

TEST(Disk, AFileOfANewerKubelanIsRefusedWithARemedy) {
  TempDir dir;
  open(dir)->close();
  ASSERT_EQ(query(dir, "PRAGMA user_version"), 1);
  ASSERT_TRUE(sqlite::Database::open(dir.file())->execute("PRAGMA user_version=7").ok());
  auto opened = Store::open({.path = dir.file()});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kInvalid);
  EXPECT_EQ(opened.error().message, dir.file() +
                                        " was written by a newer kubelan (store version 7, this one reads up to 1); use that kubelan, "
                                        "or start afresh with --name or --state-dir, or delete " +
                                        dir.file());
}

TEST(Disk, FilesThatAreNoStoreAreRefused) {
  TempDir dir;
  {
    base::Fd fd(::open(dir.file("text").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    std::string text(5000, 'x');
    ASSERT_TRUE(base::write_all(fd.get(), text.data(), text.size()).ok());
  }
  ASSERT_TRUE(sqlite::Database::open(dir.file("foreign"))->execute("CREATE TABLE event(a)").ok());
  struct Row {
    std::string path;
    std::string want;
  };
  const Row kRows[] = {
      {dir.file("text"), dir.file("text") + " is damaged or no kubelan store (file is not a database); move it away, or start afresh with --name or "
                                           "--state-dir"},
      {dir.file("foreign"), dir.file("foreign") + " is an SQLite file but no kubelan store; start with another --name or --state-dir"},
      {dir.file("no/such/dir"), "open the store: " + dir.file("no/such/dir") + ": unable to open database file: No such file or directory"},
  };
  for (const Row& row : kRows) EXPECT_EQ(open_error(row.path), row.want);
}

TEST(Disk, TheFileIsForItsOwnerOnly) {
  TempDir dir;
  auto store = open(dir);
  create(*store, {"secrets", "a", "x"});
  for (const char* name : {"state.db", "state.db-wal"}) {
    struct stat info {};
    ASSERT_EQ(::stat(dir.file(name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
  }
}

TEST(Disk, OneStoreAFile) {
  TempDir dir;
  auto store = open(dir);
  create(*store, {"things", "a", "x"});
  EXPECT_EQ(open_error(dir.file()), dir.file() + " is in use by another process; is this cluster running already?");
  create(*store, {"things", "a", "y"});
  store.reset();
  EXPECT_EQ(open_error(dir.file()), "opened");
}

// Lets files grow to `bytes`, for as long as it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);  // So that the write fails instead.
    ::getrlimit(RLIMIT_FSIZE, &old_);
    rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int) = nullptr;
};

TEST(Disk, AFullDiskFailsTheWriteAndNothingElse) {
  TempDir dir;
  std::string all;
  Revision last = 0;
  {
    auto store = open(dir, 64);
    auto watch = store->watch({}).value();
    create(*store, {"things", "a", "first"});
    int failures = 0;
    {
      FileSizeLimit limit(300000);
      json big = tree("a", "x");
      big["pad"] = std::string(3000, 'p');
      for (int i = 0; i < 400; ++i) {
        Key key{"things", "a", "n" + std::to_string(1000 + i)};
        auto made = store->create(key, big);
        if (made.ok()) continue;
        ++failures;
        EXPECT_EQ(made.error().code, Code::kInternal);
        EXPECT_EQ(made.error().message.rfind(dir.file() + ": ", 0), 0u) << made.error().message;
        EXPECT_EQ(store->get(key).error().code, Code::kNotFound);
      }
      ASSERT_GT(failures, 0);
      // Reads go on, and so does what needs no space from the disk.
      EXPECT_TRUE(store->get({"things", "a", "first"}).ok());
    }
    last = store->revision();
    EXPECT_EQ(store->list({.resource = "things"})->items.size(), last) << "one object a revision";
    EXPECT_EQ(create(*store, {"things", "a", "later"}).revision(), last + 1) << "space again; the failed writes took no revision";
    auto events = watch->next(kNow).value();
    ASSERT_EQ(events.size(), last + 1);
    for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].revision, i + 1);
    all = listed(*store, {.resource = "things"});
  }
  auto store = open(dir);
  EXPECT_EQ(store->revision(), last + 1);
  EXPECT_EQ(listed(*store, {.resource = "things"}), all);
}

// The child's part of the SIGKILL test: writes for ever, and reports each acknowledged write ("+name revision" or
// "-name 0") in one write() to a pipe.
[[noreturn]] void write_until_killed(const std::string& path, int pipe, int round) {
  auto opened = Store::open({.path = path, .history = 100});
  if (!opened.ok()) ::_exit(3);
  Store& store = **opened;
  for (int i = 0;; ++i) {
    Key key{"things", "a", "r" + std::to_string(round) + "-" + std::to_string(i % 40)};
    auto current = store.get(key);
    json content = tree("a", key.name, i);
    base::Result<Object> done = !current.ok()  ? store.create(key, content)
                                : i % 3 == 0 ? store.remove(key, content, current->revision())
                                             : store.update(key, content, current->revision());
    if (!done.ok()) ::_exit(4);
    bool removed = current.ok() && i % 3 == 0;
    std::string line = (removed ? "-" : "+") + key.name + " " + std::to_string(done->revision()) + "\n";
    if (!base::write_all(pipe, line.data(), line.size()).ok()) ::_exit(5);
  }
}

TEST(Disk, AcknowledgedWritesSurviveSigkill) {
  TempDir dir;
  std::map<std::string, Revision> acknowledged;  // 0: removed.
  Revision last = 0;
  for (int round = 0; round < 5; ++round) {
    SCOPED_TRACE(round);
    base::Pipe pipe = base::make_pipe().value();
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) write_until_killed(dir.file(), pipe.write.get(), round);
    pipe.write.reset();
    std::string received;
    char buffer[4096];
    ssize_t n = 0;
    bool killed = false;
    while ((n = ::read(pipe.read.get(), buffer, sizeof buffer)) > 0) {
      received.append(buffer, static_cast<size_t>(n));
      if (!killed && received.size() > 4000u * static_cast<size_t>(round + 1)) {
        ::kill(child, SIGKILL);
        killed = true;
      }
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
    std::string unfinished;  // The key that the child may have written without telling.
    size_t at = 0;
    for (size_t end; (end = received.find('\n', at)) != std::string::npos; at = end + 1) {
      std::string line = received.substr(at, end - at);
      size_t space = line.find(' ');
      last = std::stoull(line.substr(space + 1));
      acknowledged[line.substr(1, space - 1)] = line[0] == '-' ? 0 : last;
    }

    auto store = open(dir, 100);
    ASSERT_NE(store, nullptr);
    EXPECT_GE(store->revision(), last);
    EXPECT_LE(store->revision(), last + 1) << "at most the one write that was under way";
    auto extra = store->watch({.resource = "things", .after = last}).value()->next(kNow).value();
    if (!extra.empty()) unfinished = extra[0].object.name();
    for (const auto& [name, revision] : acknowledged) {
      if (name == unfinished) continue;
      auto got = store->get({"things", "a", name});
      EXPECT_EQ(got.ok() ? got->revision() : 0, revision) << name;
    }
    if (!unfinished.empty()) {
      auto got = store->get({"things", "a", unfinished});
      acknowledged[unfinished] = got.ok() ? got->revision() : 0;
    }
    last = store->revision();
  }
}

}  // namespace
}  // namespace store

// The Store contract, line by line; each test runs on a file and in memory.
#include <atomic>
#include <thread>

#include "tests/store/store_fixture.h"

namespace store {
namespace {

using base::Code;

class StoreTest : public ::testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<Store> open(size_t history = 16384, size_t watch_buffer = 8192) {
    return open_store({.path = GetParam() ? dir_.file() : "", .watch_buffer = watch_buffer, .history = history});
  }
  TempDir dir_;
};
INSTANTIATE_TEST_SUITE_P(, StoreTest, ::testing::Bool(), [](const auto& row) { return row.param ? "File" : "Memory"; });

const Key kA{"things", "a", "x"};

TEST_P(StoreTest, StartsEmpty) {
  auto store = open();
  EXPECT_EQ(store->revision(), 0u);
  EXPECT_EQ(store->get(kA).error().code, Code::kNotFound);
  EXPECT_EQ(store->get(kA).error().message, "things \"x\" not found");
  auto page = store->list({.resource = "things"});
  ASSERT_TRUE(page.ok());
  EXPECT_TRUE(page->items.empty());
  EXPECT_FALSE(page->more);
}

TEST_P(StoreTest, CreateStoresTheRevisionInTheTree) {
  auto store = open();
  auto made = store->create(kA, tree("a", "x", 7));
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(made->revision(), 1u);
  EXPECT_EQ(made->tree()["metadata"]["resourceVersion"], "1");
  EXPECT_EQ(made->bytes(), made->tree().dump());
  auto got = store->get(kA);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->bytes(), made->bytes());
  EXPECT_EQ(&got->bytes(), &made->bytes()) << "serialised once";
  EXPECT_EQ(store->revision(), 1u);
}

TEST_P(StoreTest, TheKeyWinsOverTheTree) {
  auto store = open();
  auto made = store->create({"things", "", "x"}, tree("other", "name"));
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(made->key(), (Key{"things", "", "x"}));
  EXPECT_TRUE(store->get({"things", "", "x"}).ok());
  EXPECT_EQ(store->create({"things", "a", "y"}, json())->key(), (Key{"things", "a", "y"}));
}

TEST_P(StoreTest, ErrorsNameTheObjectAndChangeNothing) {
  auto store = open();
  Key key{"deployments.apps", "a", "x"};
  create(*store, key);
  auto twice = store->create(key, tree("a", "x"));
  EXPECT_EQ(twice.error().code, Code::kAlreadyExists);
  EXPECT_EQ(twice.error().message, "deployments.apps \"x\" already exists");
  EXPECT_EQ(twice.error().kind, "deployments");
  EXPECT_EQ(twice.error().group, "apps");
  auto conflict = store->update(key, tree("a", "x", 1), 99);
  EXPECT_EQ(conflict.error().code, Code::kConflict);
  EXPECT_EQ(conflict.error().message,
            "Operation cannot be fulfilled on deployments.apps \"x\": the object has been modified; please apply your changes to the "
            "latest version and try again");
  EXPECT_EQ(store->remove(key, tree("a", "x"), 99).error().code, Code::kConflict);
  EXPECT_EQ(store->update({"things", "a", "y"}, tree("a", "y"), 1).error().code, Code::kNotFound);
  EXPECT_EQ(store->remove({"things", "a", "y"}, tree("a", "y"), 1).error().code, Code::kNotFound);
  EXPECT_EQ(store->revision(), 1u);
  EXPECT_EQ(store->get(key)->revision(), 1u);
}

TEST_P(StoreTest, UpdateAndRemove) {
  auto store = open();
  create(*store, kA);
  auto updated = store->update(kA, tree("a", "x", 1), 1);
  ASSERT_TRUE(updated.ok());
  EXPECT_EQ(updated->revision(), 2u);
  EXPECT_EQ(store->get(kA)->tree()["spec"]["value"], 1);
  json last = updated->tree();
  last["status"] = "gone";
  auto removed = store->remove(kA, last, 2);
  ASSERT_TRUE(removed.ok());
  EXPECT_EQ(removed->revision(), 3u);
  EXPECT_EQ(removed->tree()["metadata"]["resourceVersion"], "3");
  EXPECT_EQ(store->get(kA).error().code, Code::kNotFound);
  EXPECT_EQ(create(*store, kA).revision(), 4u);
  auto anyhow = store->update(kA, tree("a", "x", 2), 0);
  ASSERT_TRUE(anyhow.ok()) << "expected 0 means any";
}

TEST_P(StoreTest, ListIsOrderedByNamespaceAndName) {
  auto store = open();
  for (const char* ns : {"b", "a", "a-b", "", "c"}) {
    for (const char* name : {"y", "x"}) create(*store, {"things", ns, name});
  }
  create(*store, {"others", "a", "x"});
  struct Row {
    const char* name;
    ListQuery query;
    const char* want;
    bool more;
    size_t remaining;
  };
  const Row kRows[] = {
      {"all", {.resource = "things"}, "/x@8 /y@7 a/x@4 a/y@3 a-b/x@6 a-b/y@5 b/x@2 b/y@1 c/x@10 c/y@9", false, 0},
      {"one namespace", {.resource = "things", .ns = "a"}, "a/x@4 a/y@3", false, 0},
      {"unknown namespace", {.resource = "things", .ns = "zz"}, "", false, 0},
      {"unknown resource", {.resource = "nope"}, "", false, 0},
      {"other resource", {.resource = "others"}, "a/x@11", false, 0},
      {"first page", {.resource = "things", .limit = 3}, "/x@8 /y@7 a/x@4", true, 7},
      {"second page", {.resource = "things", .after_ns = "a", .after_name = "x", .limit = 3}, "a/y@3 a-b/x@6 a-b/y@5", true, 4},
      {"last page", {.resource = "things", .after_ns = "b", .after_name = "y", .limit = 3}, "c/x@10 c/y@9", false, 0},
      {"limit reached exactly", {.resource = "things", .ns = "a", .limit = 2}, "a/x@4 a/y@3", false, 0},
      {"after a cluster-scoped name", {.resource = "things", .after_name = "y", .limit = 1}, "a/x@4", true, 7},
      {"after a name that is gone", {.resource = "things", .after_ns = "b", .after_name = "xx"}, "b/y@1 c/x@10 c/y@9", false, 0},
      {"page of a namespace", {.resource = "things", .ns = "b", .after_ns = "b", .after_name = "x", .limit = 5}, "b/y@1", false, 0},
      {"after an earlier namespace", {.resource = "things", .ns = "b", .after_ns = "a", .after_name = "x"}, "b/x@2 b/y@1", false, 0},
      {"after a later namespace", {.resource = "things", .ns = "b", .after_ns = "c", .after_name = "x"}, "", false, 0},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    auto page = store->list(row.query);
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(render(page->items), row.want);
    EXPECT_EQ(page->more, row.more);
    EXPECT_EQ(page->remaining, row.remaining);
    EXPECT_EQ(page->revision, 11u);
  }
}

TEST_P(StoreTest, ListAtAnEarlierRevision) {
  auto store = open();
  create(*store, {"things", "a", "x"});                                                      // 1
  create(*store, {"things", "a", "y"});                                                      // 2
  create(*store, {"others", "a", "x"});                                                      // 3
  ASSERT_TRUE(store->update({"things", "a", "x"}, tree("a", "x", 1), 1).ok());               // 4
  ASSERT_TRUE(store->remove({"things", "a", "y"}, tree("a", "y"), 2).ok());                  // 5
  create(*store, {"things", "a", "y"}, 2);                                                   // 6
  create(*store, {"things", "a", "z"});                                                      // 7
  ASSERT_TRUE(store->update({"things", "a", "x"}, tree("a", "x", 2), 4).ok());               // 8
  constexpr const char* kWant[] = {"", "a/x@1", "a/x@1 a/y@2", "a/x@1 a/y@2", "a/x@4 a/y@2", "a/x@4", "a/x@4 a/y@6",
                                   "a/x@4 a/y@6 a/z@7", "a/x@8 a/y@6 a/z@7"};
  for (Revision at = 0; at <= 8; ++at) {
    SCOPED_TRACE(at);
    auto page = store->list({.resource = "things", .at = at});
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(render(page->items), kWant[at]);
    EXPECT_EQ(page->revision, at);
  }
  // Pages of one list: the second does not see what happened since the first.
  auto page = store->list({.resource = "things", .at = 2, .after_ns = "a", .after_name = "x", .limit = 1});
  EXPECT_EQ(render(page->items), "a/y@2");
  EXPECT_FALSE(page->more);
  EXPECT_EQ(store->list({.resource = "things", .at = 4})->items[0].tree()["spec"]["value"], 1);
  EXPECT_EQ(listed(*store, {.resource = "things", .at = 9}), "E Timeout: Too large resource version: 9, current: 8");
}

TEST_P(StoreTest, WatchSeesWhatItAskedFor) {
  auto store = open();
  create(*store, {"things", "a", "x"});
  create(*store, {"others", "a", "x"});
  create(*store, {"things", "b", "x"});
  ASSERT_TRUE(store->update({"things", "a", "x"}, tree("a", "x", 1), 1).ok());
  ASSERT_TRUE(store->remove({"things", "b", "x"}, tree("b", "x"), 3).ok());
  struct Row {
    WatchQuery query;
    const char* want;
  };
  const Row kRows[] = {
      {{.resource = "things"}, "+a/x@1 +b/x@3 ~a/x@4 -b/x@5"},
      {{}, "+a/x@1 +a/x@2 +b/x@3 ~a/x@4 -b/x@5"},
      {{.resource = "things", .ns = "a"}, "+a/x@1 ~a/x@4"},
      {{.ns = "b"}, "+b/x@3 -b/x@5"},
      {{.resource = "things", .after = 3}, "~a/x@4 -b/x@5"},
      {{.resource = "things", .after = 5}, ""},
      {{.resource = "nope"}, ""},
  };
  for (const Row& row : kRows) EXPECT_EQ(watched(*store, row.query), row.want);

  auto watch = store->watch({.resource = "things", .after = 3}).value();
  std::vector<Event> events = watch->next(kNow).value();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].previous.revision(), 1u);
  EXPECT_EQ(events[0].previous.tree()["spec"]["value"], 0);
  EXPECT_EQ(events[0].object.tree()["spec"]["value"], 1);
  EXPECT_EQ(events[1].object.tree()["metadata"]["resourceVersion"], "5");
  EXPECT_EQ(events[1].previous.revision(), 3u);
  EXPECT_FALSE(store->watch({.resource = "things"}).value()->next(kNow).value()[0].previous);
}

TEST_P(StoreTest, WatchGoesOnFromHistoryToLiveEvents) {
  auto store = open();
  create(*store, {"things", "a", "1"});
  auto watch = store->watch({.resource = "things"}).value();
  create(*store, {"things", "a", "2"});
  EXPECT_EQ(render(watch->next(kNow).value()), "+a/1@1 +a/2@2");
  EXPECT_EQ(render(watch->next(kNow).value()), "");
  create(*store, {"things", "a", "3"});
  EXPECT_EQ(render(watch->next(kNow).value()), "+a/3@3");
}

TEST_P(StoreTest, WatchFromAFutureRevision) {
  auto store = open();
  create(*store, {"things", "a", "1"});
  auto watch = store->watch({.resource = "things", .after = 3}).value();
  EXPECT_EQ(watch->progress(), 3u);
  for (const char* name : {"2", "3", "4"}) create(*store, {"things", "a", name});
  EXPECT_EQ(render(watch->next(kNow).value()), "+a/4@4");
}

TEST_P(StoreTest, NextWakesUp) {
  auto store = open();
  auto watch = store->watch({.resource = "things"}).value();
  std::thread writer([&] { create(*store, kA); });
  EXPECT_EQ(render(watch->next(kDeadline).value()), "+a/x@1");
  writer.join();
  EXPECT_EQ(render(watch->next(milliseconds(1)).value()), "");
}

TEST_P(StoreTest, ProgressCountsWhatWasHandedOut) {
  auto store = open();
  auto watch = store->watch({.resource = "things"}).value();
  EXPECT_EQ(watch->progress(), 0u);
  create(*store, {"others", "a", "x"});
  EXPECT_EQ(watch->progress(), 1u) << "nothing of interest up to 1";
  create(*store, {"things", "a", "x"});
  create(*store, {"things", "a", "y"});
  EXPECT_EQ(watch->progress(), 1u);
  EXPECT_EQ(watch->next(kNow)->size(), 2u);
  EXPECT_EQ(watch->progress(), 3u);
  create(*store, {"others", "a", "y"});
  EXPECT_EQ(watch->progress(), 4u);
}

TEST_P(StoreTest, SlowWatcherExpiresAndOthersGoOn) {
  auto store = open(16384, 3);
  for (int i = 0; i < 5; ++i) create(*store, {"things", "a", "old" + std::to_string(i)});
  auto slow = store->watch({.resource = "things", .after = 5}).value();
  auto keen = store->watch({.resource = "things", .after = 5}).value();
  auto backlogged = store->watch({.resource = "things"}).value();
  for (int i = 0; i < 4; ++i) {
    create(*store, {"things", "a", std::to_string(i)});
    EXPECT_EQ(keen->next(kNow)->size(), 1u);
  }
  auto got = slow->next(kNow);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, Code::kExpired);
  EXPECT_EQ(slow->next(kNow).error().code, Code::kExpired) << "for good";
  EXPECT_EQ(backlogged->next(kNow).error().code, Code::kExpired) << "the backlog does not count, the four live events do";
  EXPECT_EQ(render(store->watch({.resource = "things", .after = 6}).value()->next(kNow).value()), "+a/1@7 +a/2@8 +a/3@9");
}

TEST_P(StoreTest, HistoryIsBounded) {
  auto store = open(10);
  for (int i = 0; i < 30; ++i) create(*store, {"things", "a", std::to_string(100 + i)});
  EXPECT_EQ(watched(*store, {.resource = "things", .after = 5}), "E too old resource version: 5 (20)");
  EXPECT_EQ(watched(*store, {.resource = "things", .after = 19}), "E too old resource version: 19 (20)");
  EXPECT_EQ(watched(*store, {.resource = "things", .after = 27}), "+a/127@28 +a/128@29 +a/129@30");
  EXPECT_EQ(store->watch({.resource = "things", .after = 20}).value()->next(kNow)->size(), 10u);
  EXPECT_EQ(store->watch({.resource = "things", .after = 5}).error().code, Code::kExpired);
  EXPECT_EQ(store->list({.resource = "things", .at = 19}).error().code, Code::kExpired);
  EXPECT_EQ(store->list({.resource = "things", .at = 20})->items.size(), 20u);
  EXPECT_EQ(store->list({.resource = "things"})->items.size(), 30u);
}

TEST_P(StoreTest, Compact) {
  auto store = open();
  for (int i = 0; i < 5; ++i) create(*store, {"things", "a", std::to_string(i)});
  ASSERT_TRUE(store->compact(0).ok());
  EXPECT_EQ(watched(*store, {.resource = "things", .after = 0}), "+a/0@1 +a/1@2 +a/2@3 +a/3@4 +a/4@5");
  ASSERT_TRUE(store->compact(4).ok());
  EXPECT_EQ(watched(*store, {.resource = "things", .after = 2}), "E too old resource version: 2 (3)");
  EXPECT_EQ(watched(*store, {.resource = "things", .after = 3}), "+a/3@4 +a/4@5");
  ASSERT_TRUE(store->compact(2).ok()) << "never backwards";
  EXPECT_EQ(watched(*store, {.resource = "things", .after = 2}), "E too old resource version: 2 (3)");
  ASSERT_TRUE(store->compact(1000).ok()) << "beyond the end: all there is";
  EXPECT_EQ(watched(*store, {.resource = "things", .after = 4}), "E too old resource version: 4 (5)");
  EXPECT_EQ(watched(*store, {.resource = "things", .after = 5}), "");
  EXPECT_EQ(store->list({.resource = "things"})->items.size(), 5u);
  EXPECT_EQ(create(*store, {"things", "a", "5"}).revision(), 6u);
}

TEST_P(StoreTest, CompactDoesNotTouchRunningWatches) {
  auto store = open();
  auto watch = store->watch({.resource = "things"}).value();
  create(*store, kA);
  ASSERT_TRUE(store->compact(1000).ok());
  EXPECT_EQ(render(watch->next(kNow).value()), "+a/x@1");
}

TEST_P(StoreTest, WaitFor) {
  auto store = open();
  create(*store, kA);
  EXPECT_TRUE(store->wait_for(0, kNow));
  EXPECT_TRUE(store->wait_for(1, kNow));
  EXPECT_FALSE(store->wait_for(2, milliseconds(1)));
  std::thread writer([&] { create(*store, {"things", "a", "y"}); });
  EXPECT_TRUE(store->wait_for(2, kDeadline));
  EXPECT_GE(store->revision(), 2u);
  writer.join();
}

TEST_P(StoreTest, CloseEndsWatchesAndWrites) {
  auto store = open();
  create(*store, kA);
  auto watch = store->watch({.resource = "things", .after = 1}).value();
  std::atomic<bool> unavailable{false};
  std::thread reader([&] { unavailable = watch->next(milliseconds::max()).error().code == Code::kUnavailable; });
  std::thread waiter([&] { EXPECT_FALSE(store->wait_for(100, milliseconds::max())); });
  store->close();
  reader.join();
  waiter.join();
  EXPECT_TRUE(unavailable);
  EXPECT_EQ(store->create({"things", "a", "y"}, tree("a", "y")).error().code, Code::kUnavailable);
  EXPECT_EQ(store->update(kA, tree("a", "x"), 1).error().code, Code::kUnavailable);
  EXPECT_EQ(store->remove(kA, tree("a", "x"), 1).error().code, Code::kUnavailable);
  EXPECT_EQ(store->compact(1).error().code, Code::kUnavailable);
  EXPECT_TRUE(store->get(kA).ok()) << "reads still answer";
  EXPECT_EQ(store->watch({.resource = "things", .after = 1}).value()->next(kNow).error().code, Code::kUnavailable);
  store->close();
}

TEST_P(StoreTest, WatchCloseAndWatchThatOutlivesTheStore) {
  auto store = open();
  auto closed = store->watch({.resource = "things"}).value();
  auto orphan = store->watch({.resource = "things"}).value();
  create(*store, kA);
  closed->close();
  closed->close();
  EXPECT_EQ(closed->next(kNow).error().code, Code::kUnavailable);
  store.reset();
  EXPECT_EQ(orphan->next(kNow).error().code, Code::kUnavailable);
  orphan.reset();
}

}  // namespace
}  // namespace store

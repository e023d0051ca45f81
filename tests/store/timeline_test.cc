// A property of the whole: random writers against watchers, listers and pagers. Whatever the interleaving, there is
// one timeline; every watcher sees its part of it without gap, duplicate or reordering, and every list and every
// series of pages is the state at one of its revisions.
#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "tests/store/store_fixture.h"

namespace store {
namespace {

using base::Code;
using Random = std::mt19937;

constexpr int kWriters = 3;
constexpr int kOperations = 500;  // A writer.
const char* const kResources[] = {"pods", "services"};
const char* const kNamespaces[] = {"a", "b"};

size_t pick(Random& random, size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); }

std::string render_one(const Event& event) {
  return event.object.key().resource + " " + render(std::vector<Event>{event}) + " after " + std::to_string(event.previous.revision());
}

// What was seen, to be checked against the timeline when that is known.
struct Watched {
  WatchQuery query;
  std::vector<Event> events;
  bool expired = false;
};
struct Listed {
  ListQuery query;
  std::string objects;
  Revision revision = 0;
};

class Timeline : public ::testing::TestWithParam<std::tuple<bool, unsigned>> {
 protected:
  // Records what it was told to have committed: the timeline is made of these records, not of what watchers say.
  void write(unsigned seed, std::vector<Event>& committed) {
    Random random(seed);
    for (int i = 0; i < kOperations; ++i) {
      Key key{kResources[pick(random, 2)], kNamespaces[pick(random, 2)], "n" + std::to_string(pick(random, 12))};
      auto current = store_->get(key);
      base::Result<Object> done = current;
      EventType type = !current.ok() ? EventType::kAdded : pick(random, 4) == 0 ? EventType::kDeleted : EventType::kModified;
      if (type == EventType::kAdded) done = store_->create(key, tree(key.ns, key.name, i));
      else if (type == EventType::kDeleted) done = store_->remove(key, tree(key.ns, key.name, i), current->revision());
      else done = store_->update(key, tree(key.ns, key.name, i), current->revision());
      if (done.ok()) {
        committed.push_back({type, *done, current.ok() ? *current : Object(), done->revision()});
      } else {
        // Another writer may have been faster; nothing else may go wrong.
        Code code = done.error().code;
        EXPECT_TRUE(code == Code::kAlreadyExists || code == Code::kConflict || code == Code::kNotFound) << done.error().message;
      }
      if (i % 100 == 99) {
        EXPECT_TRUE(store_->compact(store_->revision() > 300 ? store_->revision() - 300 : 0).ok());
      }
    }
    --writers_;
  }

  // Watches until the writers are done and all was handed out. A new watch starts whenever one expires.
  void watch(unsigned seed, std::vector<Watched>& out) {
    Random random(seed);
    bool lazy = pick(random, 3) == 0;  // Looks only when all is over: will have expired, or must have everything.
    WatchQuery query;
    if (pick(random, 3) != 0) query.resource = kResources[pick(random, 2)];
    if (pick(random, 2) == 0) query.ns = kNamespaces[pick(random, 2)];
    query.after = store_->revision();
    for (bool over = false; !over;) {
      auto watch = store_->watch(query);
      Watched seen{query, {}, !watch.ok()};
      while (!seen.expired && !over) {
        if (lazy && writers_ > 0) {
          store_->wait_for(store_->revision() + 50, milliseconds(1));
          continue;
        }
        bool last_round = writers_ == 0;
        auto events = (*watch)->next(milliseconds(1));
        seen.expired = !events.ok();
        if (!events.ok()) {
          EXPECT_EQ(events.error().code, Code::kExpired);
          break;
        }
        Revision progress = (*watch)->progress();
        for (Event& event : *events) seen.events.push_back(std::move(event));
        if (!seen.events.empty()) {
          EXPECT_GE(progress, seen.events.back().revision);
        }
        over = last_round && progress >= store_->revision();
        if (pick(random, 20) == 0) break;  // Goes away and comes back where it was.
      }
      query.after = seen.expired ? store_->revision() : std::max(query.after, watch.ok() ? (*watch)->progress() : 0);
      if (!seen.expired && !seen.events.empty()) query.after = std::max(query.after, seen.events.back().revision);
      out.push_back(std::move(seen));
    }
  }

  void list(unsigned seed, std::vector<Listed>& out) {
    Random random(seed);
    while (writers_ > 0) {
      store_->wait_for(store_->revision() + 5, milliseconds(1));
      ListQuery query;
      query.resource = kResources[pick(random, 2)];
      if (pick(random, 2) == 0) query.ns = kNamespaces[pick(random, 2)];
      query.limit = pick(random, 8);
      Listed seen{query, "", 0};
      std::vector<Object> objects;
      for (bool more = true; more;) {
        auto page = store_->list(query);
        if (!page.ok()) {
          EXPECT_EQ(page.error().code, Code::kExpired) << page.error().message;
          break;
        }
        objects.insert(objects.end(), page->items.begin(), page->items.end());
        seen.revision = page->revision;
        more = page->more;
        EXPECT_EQ(more, page->remaining > 0);
        if (!more) {
          seen.objects = render(objects);
          out.push_back(seen);
        } else {
          query.at = page->revision;
          query.after_ns = objects.back().ns();
          query.after_name = objects.back().name();
        }
      }
    }
  }

  // Replays the timeline and compares each list with the state at its revision.
  void check_lists(const std::vector<Event>& timeline, std::vector<Listed> lists) {
    std::sort(lists.begin(), lists.end(), [](const Listed& a, const Listed& b) { return a.revision < b.revision; });
    std::map<Key, Object> state;
    size_t at = 0;
    for (const Listed& list : lists) {
      for (; at < list.revision; ++at) {
        const Object& object = timeline[at].object;
        if (timeline[at].type == EventType::kDeleted) state.erase(object.key());
        else state.insert_or_assign(object.key(), object);
      }
      std::vector<Object> objects;
      for (const auto& [key, object] : state) {
        if (key.resource == list.query.resource && (list.query.ns.empty() || key.ns == list.query.ns)) objects.push_back(object);
      }
      ASSERT_EQ(list.objects, render(objects)) << list.query.resource << " " << list.query.ns << " at " << list.revision;
    }
  }

  // The timeline itself: dense, and each event follows from the one before of its object.
  void check_timeline(const std::vector<Event>& timeline) {
    std::map<Key, Object> live;
    for (size_t i = 0; i < timeline.size(); ++i) {
      const Event& event = timeline[i];
      ASSERT_EQ(event.revision, i + 1);
      ASSERT_EQ(event.object.revision(), event.revision);
      ASSERT_EQ(event.object.tree()["metadata"]["resourceVersion"], std::to_string(event.revision));
      auto before = live.find(event.object.key());
      ASSERT_EQ(before == live.end(), event.type == EventType::kAdded);
      ASSERT_EQ(event.previous.revision(), before == live.end() ? 0 : before->second.revision());
      if (event.type == EventType::kDeleted) live.erase(before);
      else live.insert_or_assign(event.object.key(), event.object);
    }
  }

  void check_watch(const std::vector<Event>& timeline, const Watched& watched) {
    std::vector<std::string> want;
    for (const Event& event : timeline) {
      const Key& key = event.object.key();
      bool wanted = event.revision > watched.query.after && (watched.query.resource.empty() || watched.query.resource == key.resource) &&
                    (watched.query.ns.empty() || watched.query.ns == key.ns);
      // A watch that ended early has seen a beginning of its part.
      if (wanted && want.size() < watched.events.size()) want.push_back(render_one(event));
    }
    ASSERT_EQ(want.size(), watched.events.size());
    for (size_t i = 0; i < want.size(); ++i) ASSERT_EQ(render_one(watched.events[i]), want[i]);
  }

  TempDir dir_;
  std::unique_ptr<Store> store_;
  std::atomic<int> writers_{kWriters};
};

TEST_P(Timeline, IsOneForAll) {
  auto [on_disk, seed] = GetParam();
  Store::Options options{.path = on_disk ? dir_.file() : "", .watch_buffer = 200, .history = 400};
  store_ = open_store(options);
  std::vector<std::vector<Event>> committed(kWriters);
  std::vector<std::vector<Watched>> watched(5);
  std::vector<std::vector<Listed>> listed_by(3);
  std::vector<std::thread> threads;
  unsigned next_seed = seed * 1000;
  for (auto& out : watched) threads.emplace_back([this, &out, s = next_seed++] { watch(s, out); });
  for (auto& out : listed_by) threads.emplace_back([this, &out, s = next_seed++] { list(s, out); });
  for (auto& out : committed) threads.emplace_back([this, &out, s = next_seed++] { write(s, out); });
  for (std::thread& thread : threads) thread.join();

  std::vector<Event> timeline;
  for (const auto& of_thread : committed) timeline.insert(timeline.end(), of_thread.begin(), of_thread.end());
  std::sort(timeline.begin(), timeline.end(), [](const Event& a, const Event& b) { return a.revision < b.revision; });
  ASSERT_EQ(timeline.size(), store_->revision());
  check_timeline(timeline);
  size_t handed_out = 0;
  for (const auto& of_thread : watched) {
    for (const Watched& one : of_thread) {
      check_watch(timeline, one);
      handed_out += one.events.size();
    }
  }
  std::vector<Listed> lists;
  for (const auto& of_thread : listed_by) lists.insert(lists.end(), of_thread.begin(), of_thread.end());
  check_lists(timeline, lists);
  EXPECT_GT(handed_out, 0u);
  EXPECT_FALSE(lists.empty());

  if (!on_disk) return;
  std::string last = listed(*store_, {.resource = "pods"});
  check_lists(timeline, {{{.resource = "pods"}, last, store_->revision()}});
  store_.reset();
  store_ = open_store(options);
  EXPECT_EQ(store_->revision(), timeline.size());
  EXPECT_EQ(listed(*store_, {.resource = "pods"}), last);
  Watched replay{{.after = timeline.size() - 250}, {}, false};
  replay.events = store_->watch(replay.query).value()->next(kNow).value();
  EXPECT_EQ(replay.events.size(), 250u);
  check_watch(timeline, replay);
}

INSTANTIATE_TEST_SUITE_P(, Timeline, ::testing::Combine(::testing::Bool(), ::testing::Values(1u, 2u, 3u)), [](const auto& row) {
  return std::string(std::get<0>(row.param) ? "File" : "Memory") + std::to_string(std::get<1>(row.param));
});

}  // namespace
}  // namespace store

// Random writers against random watchers, pagers and readers, over real connections: all of them see parts of one
// timeline. What happened is taken from one plain watch of each kind, and is whole because revisions are dense; all
// else is compared with it. KUBELAN_SEED=N runs another one, KUBELAN_OPERATIONS=N more of it.
#include <atomic>
#include <cstdlib>
#include <list>
#include <thread>

#include "tests/server/api/load/writing.h"

namespace load {
namespace {

using namespace std::chrono_literals;

constexpr int kWriters = 4, kWatchers = 6, kPagers = 3, kCounters = 3, kIncrementers = 3;

long from_environment(const char* name, long otherwise) {
  const char* text = getenv(name);
  return text && *text ? atol(text) : otherwise;
}

struct TempFile {
  TempFile() {
    char path[] = "/tmp/kubelan-load-XXXXXX";
    dir = mkdtemp(path);
  }
  ~TempFile() { base::ignore(remove_all(), "a test's folder"); }
  base::Status remove_all() const {
    for (const char* name : {"/s.db", "/s.db-wal", "/s.db-shm"}) ::unlink((dir + name).c_str());
    ::rmdir(dir.c_str());
    return {};
  }
  std::string dir;
};

class TimelineTest : public testing::TestWithParam<unsigned> {
 protected:
  // Two namespaces, and their accounts, which the first pod of each would make.
  void set_up(const store::Store::Options& options) {
    world_ = std::make_unique<HttpWorld>(options);
    ApiConnection connection(world_->port, world_->credentials);
    for (const char* ns : kNamespaces) {
      connection.call("POST", "/api/v1/namespaces", json{{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", ns}}}}.dump());
      Answer made = connection.call("POST", std::string("/api/v1/namespaces/") + ns + "/serviceaccounts", R"({"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}})");
      ASSERT_EQ(made.status, 201) << made.body;
    }
    begin_ = world_->store->revision();
  }

  // The plain watch of one kind, until its fence is made.
  void refer(int kind, std::vector<Line>* out) {
    ApiConnection connection(world_->port, world_->credentials);
    Scope all;
    all.kind = kind;
    Answer answer = connection.start({"GET", all.collection() + "?watch=1&resourceVersion=" + std::to_string(begin_)});
    ASSERT_EQ(answer.status, 200);
    std::string text;
    while (connection.line(&text, 60s) == ApiConnection::More::kLine) {
      json line = json::parse(text, nullptr, false);
      out->push_back({store::get_string(line, "type"), line["object"]});
      if (name_of(line["object"]) == "fence") return;
    }
    ADD_FAILURE() << "no fence of " << kKinds[kind].resource;
  }

  void make_fences() {
    ApiConnection connection(world_->port, world_->credentials);
    const std::string meta = R"("metadata":{"name":"fence"})", pod = R"({"containers":[{"name":"c","image":"i"}]})";
    const std::string bodies[] = {R"({"apiVersion":"v1","kind":"ConfigMap",)" + meta + "}", R"({"apiVersion":"v1","kind":"Pod",)" + meta + R"(,"spec":)" + pod + "}",
                                  R"({"apiVersion":"apps/v1","kind":"Deployment",)" + meta + R"(,"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":)" + pod + "}}}"};
    for (int kind = 0; kind < 3; ++kind) {
      Scope in_one;
      in_one.kind = kind;
      in_one.ns = "one";
      Answer made = connection.call("POST", in_one.collection(), bodies[kind]);
      EXPECT_EQ(made.status, 201) << made.body;
    }
  }

  void watch(unsigned seed, std::vector<Watched>* out) {
    Random random(seed);
    std::unique_ptr<ApiConnection> connection;
    Scope scope = random_scope(random);
    uint64_t resume = begin_;
    for (bool last = false; !last;) {
      last = writers_ == 0;  // One more from there on, so that somebody sees the end.
      if (!connection || connection->ended()) connection = std::make_unique<ApiConnection>(world_->port, world_->credentials);
      Start start = pick(random, 3) == 0 ? static_cast<Start>(1 + pick(random, 2)) : Start::kRevision;
      // Where it was, or anywhere: forgotten, recent, not yet reached.
      if (start == Start::kRevision && pick(random, 3) == 0) resume = begin_ + random() % (world_->store->revision() - begin_ + 5);
      Watched seen = watch_once(*connection, *world_->store, random, scope, start, resume);
      if (seen.left) connection.reset();
      const bool saw_something = seen.lines.size() + seen.bookmarks.size() > 0;
      if (!seen.lines.empty() && start == Start::kRevision) resume = revision_of(seen.lines.back().object);
      if (!seen.bookmarks.empty()) resume = std::max(resume, seen.bookmarks.back().second);
      if (seen.expired) resume = world_->store->revision();
      out->push_back(std::move(seen));
      if (saw_something && pick(random, 4) == 0) scope = random_scope(random);
    }
  }

  // Begins many watches while writes go on, for the seam between what was before and what comes after.
  void begin_watches(unsigned seed, std::vector<Watched>* out) {
    Random random(seed);
    Scope scope;
    while (writers_ > 0) {
      ApiConnection connection(world_->port, world_->credentials);
      scope.kind = pick(random, 3);
      const uint64_t now = world_->store->revision();
      out->push_back(watch_once(connection, *world_->store, random, scope, Start::kRevision, now - std::min<uint64_t>(now - begin_, random() % 3), 1 + pick(random, 4)));
    }
  }

  // Optimistic locking: what is added is the number of writes that were acknowledged.
  void increment(unsigned seed, int rounds, std::vector<int>* successes) {
    Random random(seed);
    ApiConnection connection(world_->port, world_->credentials);
    for (int i = 0; i < rounds; ++i) {
      const int which = pick(random, kCounters);
      const std::string path = "/api/v1/namespaces/one/configmaps/counter-" + std::to_string(which);
      json object = json::parse(connection.call("GET", path).body, nullptr, false);
      const std::string old = store::get_string(object, "data.n"), next = std::to_string(std::stoi(old) + 1);
      Request request{"PUT", path};
      const int form = pick(random, 3);
      if (form == 0) {
        object["data"]["n"] = next;
        request.body = object.dump();
      } else if (form == 1) {
        request.method = "PATCH";
        request.content_type = "application/merge-patch+json";
        request.body = json{{"metadata", {{"resourceVersion", object["metadata"]["resourceVersion"]}}}, {"data", {{"n", next}}}}.dump();
      } else {
        request.method = "PATCH";
        request.content_type = "application/json-patch+json";
        request.body = json::array({{{"op", "test"}, {"path", "/data/n"}, {"value", old}}, {{"op", "replace"}, {"path", "/data/n"}, {"value", next}}}).dump();
      }
      Answer answer = connection.call(request);
      if (answer.status == 200) ++(*successes)[static_cast<size_t>(which)];
      else EXPECT_TRUE(answer.status == 409 || (form == 2 && answer.status == 422)) << answer.status << " " << answer.body;
    }
  }

  void make_counters() {
    ApiConnection connection(world_->port, world_->credentials);
    for (int i = 0; i < kCounters; ++i) {
      Answer made = connection.call("POST", "/api/v1/namespaces/one/configmaps", R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"counter-)" + std::to_string(i) + R"("},"data":{"n":"0"}})");
      ASSERT_EQ(made.status, 201);
    }
  }

  void check_counters(const std::vector<std::vector<int>>& successes) {
    ApiConnection connection(world_->port, world_->credentials);
    for (int i = 0; i < kCounters; ++i) {
      int want = 0;
      for (const auto& of_thread : successes) want += of_thread[static_cast<size_t>(i)];
      json object = json::parse(connection.call("GET", "/api/v1/namespaces/one/configmaps/counter-" + std::to_string(i)).body);
      EXPECT_EQ(store::get_string(object, "data.n"), std::to_string(want)) << "counter " << i;
      EXPECT_GT(want, 0);
    }
  }

  std::unique_ptr<HttpWorld> world_;
  uint64_t begin_ = 0;
  std::atomic<int> writers_{0};
};

TEST_P(TimelineTest, IsOneForAllClients) {
  const unsigned seed = GetParam();
  const int operations = static_cast<int>(from_environment("KUBELAN_OPERATIONS", 300));
  constexpr uint64_t kHistory = 400;
  RecordProperty("seed", static_cast<int>(seed));
  std::printf("seed %u, %d operations a writer\n", seed, operations);
  SCOPED_TRACE("seed " + std::to_string(seed));
  TempFile file;
  set_up({.path = seed % 2 ? file.dir + "/s.db" : "", .history = kHistory});
  ASSERT_FALSE(HasFatalFailure());

  std::vector<std::vector<Line>> reference(3);
  std::vector<std::thread> referring;
  for (int kind = 0; kind < 3; ++kind) referring.emplace_back([&, kind] { refer(kind, &reference[static_cast<size_t>(kind)]); });
  make_counters();
  std::list<Writer> writers;
  for (int i = 0; i < kWriters; ++i) writers.emplace_back(*world_, seed * 1000 + static_cast<unsigned>(i), i);
  writers_ = kWriters;
  std::vector<std::vector<Watched>> watched(kWatchers + 2);
  std::vector<std::vector<Listed>> listed(kPagers);
  std::vector<std::vector<int>> successes(kIncrementers, std::vector<int>(kCounters));
  std::vector<std::thread> threads;
  unsigned next_seed = seed * 1000 + 100;
  for (size_t i = 0; i < kWatchers; ++i) threads.emplace_back([&, i, s = next_seed++] { watch(s, &watched[i]); });
  for (size_t i = 0; i < 2; ++i) threads.emplace_back([&, i, s = next_seed++] { begin_watches(s, &watched[kWatchers + i]); });
  for (auto& out : listed) {
    threads.emplace_back([&, s = next_seed++] {
      Random random(s);
      ApiConnection connection(world_->port, world_->credentials);
      while (writers_ > 0) list_once(connection, *world_->store, random, kHistory, &out);
    });
  }
  for (auto& out : successes) threads.emplace_back([&, s = next_seed++] { increment(s, operations / 2, &out); });
  for (Writer& writer : writers) {
    threads.emplace_back([&] {
      writer.run(operations);
      --writers_;
    });
  }
  for (std::thread& thread : threads) thread.join();
  check_counters(successes);
  make_fences();
  for (std::thread& thread : referring) thread.join();

  Truth truth;
  truth.build(begin_, reference);
  ASSERT_FALSE(HasFatalFailure());
  ASSERT_EQ(truth.end(), world_->store->revision());
  size_t lines = 0, watches = 0, expired = 0, lists = 0, acks = 0;
  for (const Writer& writer : writers) {
    check_writer(truth, writer);
    acks += writer.acks.size();
  }
  for (const auto& of_thread : watched) {
    for (const Watched& one : of_thread) {
      check_watch(truth, one, kHistory);
      lines += one.lines.size();
      ++(one.expired ? expired : watches);
      if (HasFatalFailure()) return;
    }
  }
  for (const auto& of_thread : listed) {
    for (const Listed& one : of_thread) check_list(truth, one);
    lists += of_thread.size();
  }
  std::map<std::string, int> done;
  for (const Writer& writer : writers) {
    for (const auto& [what, count] : writer.done) done[what] += count;
  }
  std::string text;
  for (const auto& [what, count] : done) text += ", " + std::to_string(count) + " " + what;
  std::printf("  %zu revisions (%zu deletions), %zu acknowledged, %zu watches (%zu lines, %zu expired), %zu lists%s\n", static_cast<size_t>(truth.end() - truth.begin()), truth.deletions(), acks, watches, lines, expired, lists, text.c_str());
  // A test that saw nothing proves nothing.
  EXPECT_GT(lines, 100u);
  EXPECT_GT(lists, 10u);
  EXPECT_GE(done.size(), 12u) << text;
}

INSTANTIATE_TEST_SUITE_P(, TimelineTest, testing::Values(static_cast<unsigned>(from_environment("KUBELAN_SEED", 1)), static_cast<unsigned>(from_environment("KUBELAN_SEED", 1)) + 1),
                         [](const auto& row) { return "Seed" + std::to_string(row.param); });

}  // namespace
}  // namespace load

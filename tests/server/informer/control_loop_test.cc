#include "server/informer/control_loop.h"

#include <future>

#include "tests/server/support/world.h"

namespace server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string map_yaml(const std::string& name, const std::string& value) { return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {k: " + value + "}\n"; }

struct LoopTest : WorldTest {};

TEST_F(LoopTest, DeliversWhatIsThereThenWhatChanges) {
  ASSERT_TRUE(api->apply_manifest(map_yaml("old", "a"), "default").ok());
  std::vector<std::string> seen;
  loop->on_change("configmaps", [&](const store::Object& before, const store::Object& after) {
    seen.push_back((before ? before.name() : "-") + ">" + (after ? after.name() : "-"));
    if (after) {
      EXPECT_NE(loop->cache("configmaps").find("default", after.name()), nullptr) << "caches first, then handlers";
    }
  });
  idle();
  EXPECT_EQ(seen, (std::vector<std::string>{"->old"}));
  apply(map_yaml("new", "a"));
  apply(map_yaml("new", "b"));
  remove("/api/v1/namespaces/default/configmaps/old");
  EXPECT_EQ(seen, (std::vector<std::string>{"->old", "->new", "new>new", "old>-"}));
  EXPECT_EQ(loop->cache("configmaps").list("default").size(), 1u);
}

// A mistake of ours costs one object, and not the loop.
TEST_F(LoopTest, WhatThrowsIsLeftBehind) {
  ASSERT_TRUE(api->apply_manifest(map_yaml("bad", "a") + "---\n" + map_yaml("good", "a"), "default").ok());
  std::vector<std::string> seen, ran;
  WorkQueue& queue = loop->make_queue("q", [&](const store::Key& key) -> base::Result<Requeue> {
    ran.push_back(key.name);
    if (key.name == "bad") throw std::runtime_error("reconcile");
    return Requeue{};
  });
  loop->on_change("configmaps", [&](const store::Object&, const store::Object& after) {
    queue.add(after.key());
    if (after.name() == "bad") throw std::runtime_error("handler");
    seen.push_back(after.name());
  });
  loop->post([] { throw std::runtime_error("call"); });
  loop->post_after(milliseconds(1), [] { throw std::runtime_error("timer"); });
  idle();
  EXPECT_EQ(seen, (std::vector<std::string>{"good"}));
  EXPECT_EQ(ran, (std::vector<std::string>{"bad", "good"}));
  pass(milliseconds(6));
  EXPECT_EQ(ran.back(), "bad") << "tried again, as after an error";
}

// So does what the JSON library takes for a mistake that must end the process.
TEST_F(LoopTest, AMemberThatIsNotThereCostsItsKey) {
  ASSERT_TRUE(api->apply_manifest(map_yaml("bad", "a") + "---\n" + map_yaml("good", "a"), "default").ok());
  std::vector<std::string> done;
  WorkQueue& queue = loop->make_queue("q", [&](const store::Key& key) -> base::Result<Requeue> {
    const json tree = loop->cache("configmaps").find("default", key.name)->tree();
    if (key.name == "bad") done.push_back(tree["spec"]["absent"].dump());
    done.push_back(key.name);
    return Requeue{};
  });
  loop->on_change("configmaps", [&](const store::Object&, const store::Object& after) { queue.add(after.key()); });
  idle();
  EXPECT_EQ(done, std::vector<std::string>{"good"});
}

TEST_F(LoopTest, AKeyWaitsOnceAndErrorsBackOff) {
  int runs = 0;
  bool failing = false;
  WorkQueue& queue = loop->make_queue("q", [&](const store::Key&) -> base::Result<Requeue> {
    ++runs;
    if (failing) return base::Error(base::Code::kInternal, "no");
    return Requeue{};
  });
  store::Key key{"configmaps", "default", "x"};
  idle();
  for (int i = 0; i < 5; ++i) queue.add(key);
  idle();
  EXPECT_EQ(runs, 1);
  failing = true;
  queue.add(key);
  idle();
  EXPECT_EQ(runs, 2);
  pass(milliseconds(4));
  EXPECT_EQ(runs, 2) << "the first wait is 5 ms";
  pass(milliseconds(2));
  EXPECT_EQ(runs, 3);
  pass(milliseconds(6));
  EXPECT_EQ(runs, 3) << "the second is twice that";
  pass(milliseconds(6));
  EXPECT_EQ(runs, 4);
  failing = false;
  pass(seconds(30));
  EXPECT_EQ(runs, 5);
  pass(seconds(60));
  EXPECT_EQ(runs, 5) << "success forgets the errors";
}

TEST_F(LoopTest, RequeueAndTimers) {
  int runs = 0, timers = 0;
  WorkQueue& queue = loop->make_queue("q", [&](const store::Key&) -> base::Result<Requeue> { return Requeue{++runs < 3 ? milliseconds(100) : milliseconds(0)}; });
  loop->post_after(milliseconds(50), [&] { ++timers; });
  queue.add_after({"configmaps", "default", "x"}, milliseconds(10));
  idle();
  EXPECT_EQ(runs, 0);
  pass(milliseconds(10));
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(timers, 0);
  pass(milliseconds(100));
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(timers, 1);
  pass(milliseconds(100));
  pass(seconds(10));
  EXPECT_EQ(runs, 3);
}

// A reconciler that writes sees its own write before it runs again.
TEST_F(LoopTest, ReadsItsWrites) {
  int runs = 0;
  WorkQueue* queue = nullptr;
  queue = &loop->make_queue("q", [&](const store::Key& key) -> base::Result<Requeue> {
    const store::Resource* maps = loop->client().registry().find("", "v1", "configmaps");
    if (++runs == 1) {
      TRY(loop->client().create(*maps, {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "made"}, {"namespace", "default"}}}}));
      queue->add(key);
      return Requeue{};
    }
    EXPECT_NE(loop->cache("configmaps").find("default", "made"), nullptr);
    return Requeue{};
  });
  idle();
  queue->add({"configmaps", "default", "x"});
  idle();
  EXPECT_EQ(runs, 2);
}

// On its own thread: a write is followed without polling; stop() ends it.
TEST_F(LoopTest, RunsOnItsOwnThread) {
  std::promise<std::string> seen;
  loop->on_change("configmaps", [&](const store::Object&, const store::Object& after) {
    if (after && after.name() == "live") seen.set_value(after.name());
  });
  ASSERT_TRUE(loop->start().ok());
  ASSERT_TRUE(api->apply_manifest(map_yaml("live", "a"), "default").ok());
  auto future = seen.get_future();
  ASSERT_EQ(future.wait_for(seconds(10)), std::future_status::ready);
  EXPECT_EQ(future.get(), "live");
  loop->stop();
  loop->stop();
}

}  // namespace
}  // namespace server

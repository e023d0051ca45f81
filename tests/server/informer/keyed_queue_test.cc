// What a queue decides, with a host whose clock and caches the test moves.
#include "server/informer/keyed_queue.h"

#include "tests/server/support/world.h"

namespace server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FakeHost final : public QueueHost {
 public:
  base::MonoTime now() const override { return time_; }
  void after(milliseconds delay, std::function<void()> fn) override { timers_.emplace(time_ + delay, std::move(fn)); }
  bool reached(const WriteBar& bar) const override { return bar.revision <= seen_ && bar.removed.empty(); }
  store::Revision seen() const override { return seen_; }
  bool throttles() const override { return true; }

  void see(store::Revision revision) { seen_ = revision; }
  void pass(milliseconds by) {
    const base::MonoTime end = time_ + by;
    while (!timers_.empty() && timers_.begin()->first <= end) {
      auto node = timers_.extract(timers_.begin());
      time_ = node.key();
      node.mapped()();
    }
    time_ = end;
  }

 private:
  base::MonoTime time_ = base::SystemClock().mono();
  store::Revision seen_ = 0;
  std::multimap<base::MonoTime, std::function<void()>> timers_;
};

const store::Key kKey{"configmaps", "default", "x"};

struct QueueTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    client = std::make_unique<RecordingClient>(api->client());
    make({});
  }
  void make(QueueOptions queue_options) {
    queue = std::make_unique<KeyedQueue>(
        "q", [this](const store::Key&) { return step(); }, queue_options, host);
  }
  base::Result<Requeue> step() {
    ++runs;
    if (writes) {
      const store::Resource* maps = client->registry().find("", "v1", "configmaps");
      json tree = config_map("made-" + std::to_string(runs));
      tree["metadata"]["namespace"] = "default";
      written = TRY(client->create(*maps, std::move(tree))).revision();
    }
    if (failure) return base::Error(*failure, "no");
    return Requeue{};
  }
  // All that may run now.
  int drain() {
    const int before = runs;
    while (auto key = queue->take()) queue->run(*key, *client);
    return runs - before;
  }
  int pass(milliseconds by) {
    host.pass(by);
    return drain();
  }
  void see(store::Revision revision) {
    host.see(revision);
    queue->unpark();
  }

  FakeHost host;
  std::unique_ptr<RecordingClient> client;
  std::unique_ptr<KeyedQueue> queue;
  int runs = 0;
  bool writes = false;
  std::optional<base::Code> failure;
  store::Revision written = 0;
};

TEST_F(QueueTest, WaitsForItsOwnWrites) {
  writes = true;
  queue->add(kKey);
  EXPECT_EQ(drain(), 1);
  queue->add(kKey);
  EXPECT_EQ(drain(), 0) << "the caches do not hold the write yet";
  queue->add(kKey);
  see(written - 1);
  EXPECT_EQ(drain(), 0);
  see(written);
  EXPECT_EQ(drain(), 1);
}

TEST_F(QueueTest, OtherKeysDoNotWait) {
  writes = true;
  queue->add(kKey);
  drain();
  queue->add(kKey);
  queue->add({"configmaps", "default", "y"});
  EXPECT_EQ(drain(), 1);
}

TEST_F(QueueTest, ABarThatIsNeverReachedHoldsForASecond) {
  writes = true;
  queue->add(kKey);
  drain();
  queue->add(kKey);
  drain();
  EXPECT_EQ(pass(milliseconds(999)), 0);
  EXPECT_EQ(pass(milliseconds(1)), 1);
}

// The limit of a stay that is over does not end the next one.
TEST_F(QueueTest, EachStayHasItsOwnLimit) {
  writes = true;
  queue->add(kKey);
  drain();
  queue->add(kKey);
  drain();  // Waits; limit at 1000 ms.
  host.pass(milliseconds(900));
  see(written);
  EXPECT_EQ(drain(), 1);
  queue->add(kKey);
  EXPECT_EQ(drain(), 0);  // Waits again; limit at 1900 ms.
  EXPECT_EQ(pass(milliseconds(200)), 0);
  see(written);
  EXPECT_EQ(drain(), 1);
}

TEST_F(QueueTest, AConflictWaitsForNews) {
  failure = base::Code::kConflict;
  see(7);
  queue->add(kKey);
  EXPECT_EQ(drain(), 1);
  EXPECT_EQ(pass(milliseconds(500)), 0) << "no back-off: the same caches would give the same conflict";
  see(7);
  EXPECT_EQ(drain(), 0);
  failure.reset();
  see(8);
  EXPECT_EQ(drain(), 1);
  EXPECT_EQ(pass(seconds(60)), 0);
}

TEST_F(QueueTest, BackOffDoublesUpToHalfAMinute) {
  failure = base::Code::kInternal;
  queue->add(kKey);
  EXPECT_EQ(drain(), 1);
  milliseconds delay{5};
  for (int i = 0; i < 16; ++i, delay = std::min(delay * 2, milliseconds(30'000))) {
    SCOPED_TRACE(delay.count());
    EXPECT_EQ(pass(delay - milliseconds(1)), 0);
    EXPECT_EQ(pass(milliseconds(1)), 1);
  }
}

TEST_F(QueueTest, TheEarliestDelayCounts) {
  queue->add_after(kKey, milliseconds(100));
  queue->add_after(kKey, milliseconds(10));
  queue->add_after(kKey, milliseconds(50));
  EXPECT_EQ(pass(milliseconds(9)), 0);
  EXPECT_EQ(pass(milliseconds(1)), 1);
  EXPECT_EQ(pass(seconds(1)), 0) << "the later ones were the same wish";
  queue->add_after(kKey, milliseconds(0));
  EXPECT_EQ(drain(), 1);
}

TEST_F(QueueTest, ABurstCostsOneRunAnInterval) {
  make({.min_interval = milliseconds(100)});
  queue->add(kKey);
  EXPECT_EQ(drain(), 1) << "the first at once";
  for (int i = 0; i < 10; ++i) {
    queue->add(kKey);
    EXPECT_EQ(drain(), 0);
  }
  EXPECT_EQ(pass(milliseconds(100)), 1);
  EXPECT_EQ(pass(seconds(1)), 0);
  queue->add(kKey);
  EXPECT_EQ(drain(), 1);
}

}  // namespace
}  // namespace server

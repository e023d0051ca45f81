// A watch that lagged too far is replaced by a list: whatever happened meanwhile is delivered as the difference.
#include <atomic>
#include <future>

#include "tests/server/support/world.h"

namespace server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Expires when told to; until then it is the real one, asked in short turns.
class FragileWatch final : public store::Watch {
 public:
  FragileWatch(std::unique_ptr<store::Watch> inner, std::atomic<bool>& broken) : inner_(std::move(inner)), broken_(broken) {}
  base::Result<std::vector<store::Event>> next(milliseconds wait) override {
    if (broken_.exchange(false)) return base::Error(base::Code::kExpired, "too old");
    return inner_->next(std::min(wait, milliseconds(10)));
  }
  store::Revision progress() const override { return inner_->progress(); }
  void close() override { inner_->close(); }

 private:
  const std::unique_ptr<store::Watch> inner_;
  std::atomic<bool>& broken_;
};

class FragileClient final : public Client {
 public:
  explicit FragileClient(Client& inner) : inner_(inner) {}
  const store::Registry& registry() const override { return inner_.registry(); }
  base::Result<store::Object> get(const store::Resource& r, const std::string& ns, const std::string& name) override {
    return inner_.get(r, ns, name);
  }
  base::Result<std::vector<store::Object>> list(const store::Resource& r, const std::string& ns, const store::LabelSelector& s) override {
    return inner_.list(r, ns, s);
  }
  base::Result<store::Object> create(const store::Resource& r, json tree) override { return inner_.create(r, std::move(tree)); }
  base::Result<store::Object> update(const store::Resource& r, json tree) override { return inner_.update(r, std::move(tree)); }
  base::Result<store::Object> update_status(const store::Resource& r, json tree) override {
    return inner_.update_status(r, std::move(tree));
  }
  base::Result<store::Object> patch(const store::Resource& r, const std::string& ns, const std::string& name, PatchType type,
                                    const json& patch, const std::string& subresource) override {
    return inner_.patch(r, ns, name, type, patch, subresource);
  }
  base::Status remove(const store::Resource& r, const std::string& ns, const std::string& name, const DeleteOptions& options) override {
    return inner_.remove(r, ns, name, options);
  }
  base::Status bind(const std::string& ns, const std::string& pod, const std::string& node) override { return inner_.bind(ns, pod, node); }
  base::Result<IssuedToken> issue_token(const TokenWish& wish) override { return inner_.issue_token(wish); }
  base::Result<std::string> issue_secret_token(const std::string& ns, const std::string& account, const std::string& secret) override {
    return inner_.issue_secret_token(ns, account, secret);
  }
  base::Result<Snapshot> snapshot_and_watch() override {
    Snapshot out = TRY(inner_.snapshot_and_watch());
    ++lists;
    out.watch = std::make_unique<FragileWatch>(std::move(out.watch), broken);
    return out;
  }

  std::atomic<bool> broken{false};
  std::atomic<int> lists{0};

 private:
  Client& inner_;
};

struct RelistTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    client = std::make_unique<FragileClient>(api->client());
    loop = ControlLoop::make(*client, time);
  }
  void TearDown() override {
    loop.reset();
    WorldTest::TearDown();
  }
  // Past the loop.
  void make(const std::string& name, const std::string& value) { ASSERT_EQ(call("POST", cms, config_map(name, value)).status, 201); }
  void change(const std::string& name, const std::string& value) {
    ASSERT_EQ(call("PUT", cms + "/" + name, config_map(name, value)).status, 200);
  }
  void drop(const std::string& name) { ASSERT_EQ(call("DELETE", cms + "/" + name).status, 200); }
  static std::string text(const store::Object& object) {
    return object ? object.name() + "=" + store::get_string(object.tree(), "data.key") : "-";
  }
  std::unique_ptr<FragileClient> client;
};

TEST_F(RelistTest, DeliversTheDifference) {
  for (const char* name : {"changed", "gone", "replaced", "same"}) make(name, "1");
  std::multiset<std::string> seen;
  loop->on_change("configmaps",
                  [&](const store::Object& before, const store::Object& after) { seen.insert(text(before) + ">" + text(after)); });
  idle();
  EXPECT_EQ(seen.size(), 4u);
  seen.clear();

  client->broken = true;
  make("new", "1");
  change("changed", "2");
  drop("gone");
  drop("replaced");
  make("replaced", "2");
  idle();
  EXPECT_EQ(client->lists, 2);
  EXPECT_EQ(seen, (std::multiset<std::string>{"->new=1", "changed=1>changed=2", "gone=1>-", "replaced=1>-", "->replaced=2"}));
  EXPECT_EQ(loop->cache("configmaps").find("default", "gone"), nullptr);
  EXPECT_EQ(loop->revision(), store->revision());

  seen.clear();
  change("same", "2");
  idle();
  EXPECT_EQ(seen, (std::multiset<std::string>{"same=1>same=2"})) << "the new watch goes on where the list ended";
}

// What a reconciler wrote may be gone again in the list; its key still runs.
TEST_F(RelistTest, KeysThatWaitForTheirWritesGoOn) {
  int runs = 0;
  WorkQueue* queue = nullptr;
  queue = &loop->make_queue("q", [&](const store::Key& key) -> base::Result<Requeue> {
    if (++runs > 1) return Requeue{};
    const store::Resource* maps = loop->client().registry().find("", "v1", "configmaps");
    json tree = config_map("made");
    tree["metadata"]["namespace"] = "default";
    TRY(loop->client().create(*maps, tree));
    drop("made");
    client->broken = true;
    queue->add(key);
    return Requeue{};
  });
  idle();
  queue->add({"configmaps", "default", "x"});
  idle();
  EXPECT_EQ(runs, 2);
}

TEST_F(RelistTest, OnItsOwnThread) {
  std::promise<void> gone, changed;
  loop->on_change("configmaps", [&](const store::Object& before, const store::Object& after) {
    if (text(before) + ">" + text(after) == "a=1>-") gone.set_value();
    if (text(before) + ">" + text(after) == "b=1>b=2") changed.set_value();
  });
  make("a", "1");
  make("b", "1");
  ASSERT_TRUE(loop->start().ok());
  client->broken = true;
  drop("a");
  EXPECT_EQ(gone.get_future().wait_for(seconds(10)), std::future_status::ready);
  change("b", "2");
  EXPECT_EQ(changed.get_future().wait_for(seconds(10)), std::future_status::ready);
  const auto deadline = std::chrono::steady_clock::now() + seconds(10);
  while (client->lists < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(client->lists, 2);
  loop->stop();
}

}  // namespace
}  // namespace server

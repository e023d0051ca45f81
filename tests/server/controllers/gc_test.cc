// Ownership in families of ConfigMaps: what goes, what stays, and in which order.
#include "server/controllers/garbage_collector.h"

#include "tests/server/support/world.h"

namespace server {
namespace {

constexpr const char* kHold = "example.com/hold";  // A finalizer that the test takes away when it likes.

json owned_by(const std::string& name, const std::string& uid, bool block = false) {
  return {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"name", name}, {"uid", uid}, {"blockOwnerDeletion", block}};
}

struct GcTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    start();
  }
  void TearDown() override {
    collector.reset();
    WorldTest::TearDown();
  }
  void start() {
    collector = make_garbage_collector(*loop);
    idle();
  }
  void restart_with(const std::function<void()>& meanwhile) {
    loop.reset();
    collector.reset();
    meanwhile();
    loop = ControlLoop::make(api->client(), time);
    start();
  }

  std::string path(const std::string& name) const { return cms + "/" + name; }
  // Returns the uid.
  std::string make(const std::string& name, const std::vector<json>& owners = {}, const std::vector<std::string>& finalizers = {}) {
    json tree = config_map(name);
    tree["metadata"]["ownerReferences"] = owners;
    tree["metadata"]["finalizers"] = finalizers;
    Answer made = call("POST", cms, tree);
    EXPECT_EQ(made.status, 201) << made.text;
    idle();
    return store::get_string(made.body, "metadata.uid");
  }
  void end(const std::string& name, const std::string& policy) { remove(path(name), json{{"propagationPolicy", policy}}.dump()); }
  void let_go(const std::string& name) { merge(path(name), {{"metadata", {{"finalizers", nullptr}}}}); }
  bool alive(const std::string& name) { return call("GET", path(name)).status == 200; }
  bool ending(const std::string& name) { return store::find(get(path(name)), "metadata.deletionTimestamp") != nullptr; }
  std::vector<std::string> owners(const std::string& name) {
    const json tree = get(path(name));
    std::vector<std::string> out;
    for (const json& ref : store::get_array(tree, "metadata.ownerReferences")) out.push_back(store::get_string(ref, "name"));
    return out;
  }
  using Names = std::vector<std::string>;

  std::unique_ptr<Controller> collector;
};

TEST_F(GcTest, BackgroundFollowsTheFamily) {
  const std::string a = make("a"), b = make("b", {owned_by("a", a)});
  make("c", {owned_by("b", b)});
  make("stranger");
  end("a", "Background");
  EXPECT_FALSE(alive("b"));
  EXPECT_FALSE(alive("c"));
  EXPECT_TRUE(alive("stranger"));
}

TEST_F(GcTest, OneLivingOwnerIsEnough) {
  const std::string a = make("a"), b = make("b");
  make("c", {owned_by("a", a), owned_by("b", b)});
  end("a", "Background");
  EXPECT_EQ(owners("c"), Names{"b"}) << "the reference to the dead owner is dropped";
  end("b", "Background");
  EXPECT_FALSE(alive("c"));
}

TEST_F(GcTest, OwnersCountByUid) {
  make("a");
  make("b", {owned_by("a", "00000000-0000-0000-0000-000000000001")});
  EXPECT_FALSE(alive("b")) << "an owner of that name lives, but it is another one";
  const std::string old = make("c");
  end("c", "Background");
  make("c");
  make("d", {owned_by("c", old)});
  EXPECT_FALSE(alive("d"));
}

TEST_F(GcTest, OwnersAcrossKinds) {
  Answer made = call("POST", "/api/v1/namespaces/default/secrets", json{{"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", "s"}}}});
  ASSERT_EQ(made.status, 201) << made.text;
  json owner = {{"apiVersion", "v1"}, {"kind", "Secret"}, {"name", "s"}, {"uid", made.body["metadata"]["uid"]}};
  make("a", {owner});
  EXPECT_TRUE(alive("a"));
  remove("/api/v1/namespaces/default/secrets/s");
  EXPECT_FALSE(alive("a"));
}

TEST_F(GcTest, AReferenceAddedLaterCounts) {
  const std::string a = make("a");
  make("b");
  merge(path("b"), {{"metadata", {{"ownerReferences", json::array({owned_by("a", a)})}}}});
  EXPECT_TRUE(alive("b"));
  end("a", "Background");
  EXPECT_FALSE(alive("b"));
}

TEST_F(GcTest, ForegroundWaitsForBlockingDependents) {
  const std::string a = make("a");
  make("b", {owned_by("a", a, true)}, {kHold});
  end("a", "Foreground");
  EXPECT_TRUE(ending("a"));
  EXPECT_TRUE(ending("b"));
  let_go("b");
  EXPECT_FALSE(alive("b"));
  EXPECT_FALSE(alive("a"));
}

TEST_F(GcTest, ForegroundGoesThroughAllGenerations) {
  const std::string a = make("a"), b = make("b", {owned_by("a", a, true)});
  make("c", {owned_by("b", b, true)}, {kHold});
  end("a", "Foreground");
  EXPECT_TRUE(ending("a"));
  EXPECT_TRUE(ending("b"));
  EXPECT_TRUE(ending("c"));
  let_go("c");
  for (const char* name : {"a", "b", "c"}) EXPECT_FALSE(alive(name)) << name;
}

TEST_F(GcTest, ForegroundDoesNotWaitForOthers) {
  const std::string a = make("a");
  make("b", {owned_by("a", a, false)}, {kHold});
  end("a", "Foreground");
  EXPECT_FALSE(alive("a"));
  EXPECT_TRUE(ending("b"));
}

TEST_F(GcTest, ForegroundSparesWhatHasAnotherOwner) {
  const std::string a = make("a"), b = make("b");
  make("c", {owned_by("a", a, true), owned_by("b", b, true)});
  end("a", "Foreground");
  EXPECT_FALSE(alive("a"));
  EXPECT_EQ(owners("c"), Names{"b"});
}

TEST_F(GcTest, ForegroundStopsWaitingForTheDisowned) {
  const std::string a = make("a"), b = make("b");
  make("c", {owned_by("a", a, true)}, {kHold});
  end("a", "Foreground");
  EXPECT_TRUE(ending("a"));
  // As many references as before, to somebody else.
  merge(path("c"), {{"metadata", {{"ownerReferences", json::array({owned_by("b", b, true)})}}}});
  EXPECT_FALSE(alive("a"));
}

TEST_F(GcTest, ForegroundOfAChildlessObjectIsADeletion) {
  make("a");
  end("a", "Foreground");
  EXPECT_FALSE(alive("a"));
}

TEST_F(GcTest, OrphanDisownsAndKeepsOtherOwners) {
  const std::string a = make("a"), b = make("b");
  make("c", {owned_by("a", a)});
  make("d", {owned_by("a", a), owned_by("b", b)});
  end("a", "Orphan");
  EXPECT_FALSE(alive("a"));
  EXPECT_EQ(owners("c"), Names{});
  EXPECT_EQ(owners("d"), Names{"b"});
}

// The caches are a step behind when somebody writes in between: that owner must not be lost.
TEST_F(GcTest, OrphanKeepsAnOwnerAddedMeanwhile) {
  const std::string a = make("a"), b = make("b");
  make("c", {owned_by("a", a)});
  loop->on_change("configmaps", [&](const store::Object&, const store::Object& after) {
    if (!after || after.name() != "a") return;
    json both = json::array({owned_by("a", a), owned_by("b", b)});
    call("PATCH", path("c"), json{{"metadata", {{"ownerReferences", both}}}}.dump(), "application/merge-patch+json");
  });
  end("a", "Orphan");
  EXPECT_FALSE(alive("a"));
  EXPECT_EQ(owners("c"), Names{"b"});
}

TEST_F(GcTest, OtherFinalizersStay) {
  const std::string a = make("a", {}, {kHold});
  make("b", {owned_by("a", a)});
  end("a", "Orphan");
  EXPECT_TRUE(ending("a"));
  EXPECT_EQ(get(path("a"))["metadata"]["finalizers"], json::array({kHold}));
  EXPECT_EQ(owners("b"), Names{});
}

// An object that lost its references in the very write that removed it leaves nothing behind in the index.
TEST_F(GcTest, ANamesakeIsNotTheDependent) {
  const std::string a = make("a");
  make("b", {owned_by("a", a, true)}, {kHold});
  end("b", "Background");
  merge(path("b"), {{"metadata", {{"finalizers", nullptr}, {"ownerReferences", nullptr}}}});
  EXPECT_FALSE(alive("b"));
  make("b");
  end("a", "Foreground");
  EXPECT_FALSE(alive("a"));
  EXPECT_TRUE(alive("b"));
}

TEST_F(GcTest, FindsAfterARestartWhatItMissed) {
  const std::string a = make("a"), b = make("b");
  make("c", {owned_by("a", a)});
  make("d", {owned_by("b", b, true)}, {kHold});
  restart_with([&] {
    call("DELETE", path("a"));
    call("DELETE", path("b"), json{{"propagationPolicy", "Foreground"}});
  });
  EXPECT_FALSE(alive("c"));
  EXPECT_TRUE(ending("b"));
  EXPECT_TRUE(ending("d"));
  let_go("d");
  EXPECT_FALSE(alive("b"));
}

}  // namespace
}  // namespace server

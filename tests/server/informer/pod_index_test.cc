#include "server/informer/pod_index.h"

#include "tests/server/support/world.h"

namespace server {
namespace {

struct PodIndexTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    index = std::make_unique<PodIndex>(*loop);
    index->on_change([this](const Pod* before, const Pod* after) {
      seen.push_back((before ? before->meta.name : "-") + ">" + (after ? after->meta.name : "-"));
    });
    idle();
  }
  void TearDown() override {
    loop.reset();
    WorldTest::TearDown();
  }
  void add(const std::string& name, const std::string& owner = "") {
    json tree = pod(name);
    if (!owner.empty()) {
      json ref = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"name", owner}, {"uid", owner}, {"controller", true}};
      tree["metadata"]["ownerReferences"] = json::array({ref});
    }
    ASSERT_EQ(call("POST", ApiTest::pods, tree).status, 201);
    idle();
  }
  std::string path(const std::string& name) const { return ApiTest::pods + "/" + name; }
  static std::string names(const PodIndex::ByName& found) {
    std::string out;
    for (const auto& [name, pod] : found) out += name + " ";
    return out;
  }
  std::unique_ptr<PodIndex> index;
  std::vector<std::string> seen;
};

TEST_F(PodIndexTest, FindsByOwnerNamespaceAndNode) {
  add("b", "one");
  add("a", "one");
  add("c");
  EXPECT_EQ(names(index->owned_by("one")), "a b ");
  EXPECT_EQ(names(index->owned_by("two")), "");
  EXPECT_EQ(names(index->uncontrolled("default")), "c ");
  EXPECT_EQ(names(index->in_namespace("default")), "a b c ");
  EXPECT_EQ(names(index->on_node("")), "default/a default/b default/c ");
  ASSERT_NE(index->find("default", "a"), nullptr);
  EXPECT_EQ(index->find("default", "x"), nullptr);
}

TEST_F(PodIndexTest, FollowsChanges) {
  add("a", "one");
  ASSERT_TRUE(api->client().bind("default", "a", "node-1").ok());
  merge(path("a"), {{"metadata", {{"ownerReferences", nullptr}}}});
  EXPECT_EQ(names(index->on_node("")), "");
  EXPECT_EQ(names(index->on_node("node-1")), "default/a ");
  EXPECT_EQ(names(index->owned_by("one")), "");
  EXPECT_EQ(names(index->uncontrolled("default")), "a ");
  remove(path("a"), R"({"gracePeriodSeconds":0})");
  for (const auto* found : {&index->on_node("node-1"), &index->uncontrolled("default"), &index->in_namespace("default")}) {
    EXPECT_TRUE(found->empty());
  }
  EXPECT_EQ(index->find("default", "a"), nullptr);
  EXPECT_EQ(seen, (std::vector<std::string>{"->a", "a>a", "a>a", "a>-"}));
}

}  // namespace
}  // namespace server

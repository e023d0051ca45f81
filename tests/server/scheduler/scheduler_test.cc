#include "server/scheduler/scheduler.h"

#include <set>

#include "server/model/fit.h"
#include "tests/server/support/world.h"

namespace server {
namespace {

struct NodeIs {
  json labels = json::object();
  json taints = json::array();
  bool unschedulable = false;
  bool ready = true;
};
json node(const std::string& name, const NodeIs& is = {}) {
  json labels = is.labels;
  labels["kubernetes.io/hostname"] = name;
  json ready = {{"type", "Ready"}, {"status", is.ready ? "True" : "False"}};
  return {{"apiVersion", "v1"},
          {"kind", "Node"},
          {"metadata", {{"name", name}, {"labels", labels}}},
          {"spec", {{"taints", is.taints}, {"unschedulable", is.unschedulable}}},
          {"status", {{"conditions", json::array({ready})}}}};
}
json taint(const std::string& effect) { return json::array({{{"key", "k"}, {"value", "v"}, {"effect", effect}}}); }

constexpr const char* kMismatch = "node(s) didn't match Pod's node affinity/selector";
constexpr const char* kTainted = "node(s) had untolerated taint(s)";

// `spec` and `term` in YAML's flow style would need a parser here; JSON it is.
json tolerating(const char* toleration) { return {{"tolerations", json::array({json::parse(toleration)})}}; }
json requiring(const char* terms) {
  json required = {{"nodeSelectorTerms", json::parse(terms)}};
  return {{"affinity", {{"nodeAffinity", {{"requiredDuringSchedulingIgnoredDuringExecution", required}}}}}};
}

struct FitRow {
  const char* name;
  json spec;
  json node;
  const char* why;
};

void check(const std::vector<FitRow>& rows) {
  for (const FitRow& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(why_not(project_placement({{"spec", row.spec}}), project_node(row.node)), row.why);
  }
}

TEST(Fit, SelectorAndAffinity) {
  const json plain = node("a"), zoned = node("a", {.labels = {{"zone", "x"}, {"n", "4"}, {"disk", "ssd"}}});
  check({
      {"plain", json::object(), plain, ""},
      {"selector", {{"nodeSelector", {{"disk", "ssd"}}}}, zoned, ""},
      {"selector misses", {{"nodeSelector", {{"disk", "ssd"}}}}, plain, kMismatch},
      {"selector and affinity both hold",
       {{"nodeSelector", {{"disk", "hdd"}}},
        {"affinity", requiring(R"([{"matchExpressions":[{"key":"zone","operator":"Exists"}]}])")["affinity"]}},
       zoned,
       kMismatch},
      {"In", requiring(R"([{"matchExpressions":[{"key":"zone","operator":"In","values":["w","x"]}]}])"), zoned, ""},
      {"In, absent", requiring(R"([{"matchExpressions":[{"key":"zone","operator":"In","values":["x"]}]}])"), plain, kMismatch},
      {"NotIn", requiring(R"([{"matchExpressions":[{"key":"zone","operator":"NotIn","values":["x"]}]}])"), zoned, kMismatch},
      {"NotIn, absent", requiring(R"([{"matchExpressions":[{"key":"zone","operator":"NotIn","values":["x"]}]}])"), plain, ""},
      {"Exists", requiring(R"([{"matchExpressions":[{"key":"zone","operator":"Exists"}]}])"), plain, kMismatch},
      {"DoesNotExist", requiring(R"([{"matchExpressions":[{"key":"zone","operator":"DoesNotExist"}]}])"), plain, ""},
      {"Gt", requiring(R"([{"matchExpressions":[{"key":"n","operator":"Gt","values":["3"]}]}])"), zoned, ""},
      {"Gt, equal", requiring(R"([{"matchExpressions":[{"key":"n","operator":"Gt","values":["4"]}]}])"), zoned, kMismatch},
      {"Lt", requiring(R"([{"matchExpressions":[{"key":"n","operator":"Lt","values":["5"]}]}])"), zoned, ""},
      {"Lt of no number", requiring(R"([{"matchExpressions":[{"key":"zone","operator":"Lt","values":["5"]}]}])"), zoned, kMismatch},
      {"expressions of a term all hold",
       requiring(R"([{"matchExpressions":[{"key":"zone","operator":"Exists"},{"key":"n","operator":"DoesNotExist"}]}])"), zoned, kMismatch},
      {"terms are alternatives",
       requiring(
           R"([{"matchExpressions":[{"key":"no","operator":"Exists"}]},{"matchFields":[{"key":"metadata.name","operator":"In","values":["a"]}]}])"),
       plain, ""},
      {"field NotIn", requiring(R"([{"matchFields":[{"key":"metadata.name","operator":"NotIn","values":["a"]}]}])"), plain, kMismatch},
      {"an empty term matches no node", requiring("[{}]"), plain, kMismatch},
      {"no term matches no node", requiring("[]"), plain, kMismatch},
  });
}

TEST(Fit, TaintsAndState) {
  const json tainted = node("a", {.taints = taint("NoSchedule")}), cordoned = node("a", {.unschedulable = true});
  check({
      {"NoSchedule", json::object(), tainted, kTainted},
      {"NoExecute", json::object(), node("a", {.taints = taint("NoExecute")}), kTainted},
      {"PreferNoSchedule is only a wish", json::object(), node("a", {.taints = taint("PreferNoSchedule")}), ""},
      {"tolerated", tolerating(R"({"key":"k","operator":"Equal","value":"v","effect":"NoSchedule"})"), tainted, ""},
      {"Equal is the default", tolerating(R"({"key":"k","value":"v"})"), tainted, ""},
      {"wrong value", tolerating(R"({"key":"k","value":"w"})"), tainted, kTainted},
      {"wrong effect", tolerating(R"({"key":"k","value":"v","effect":"NoExecute"})"), tainted, kTainted},
      {"Exists asks for no value", tolerating(R"({"key":"k","operator":"Exists"})"), tainted, ""},
      {"tolerates all", tolerating(R"({"operator":"Exists"})"), tainted, ""},
      {"cordoned", json::object(), cordoned, "node(s) were unschedulable"},
      {"cordoned, tolerated", tolerating(R"({"key":"node.kubernetes.io/unschedulable","operator":"Exists"})"), cordoned, ""},
      {"cordoned comes first",
       {{"nodeSelector", {{"disk", "ssd"}}}},
       node("a", {.taints = taint("NoSchedule"), .unschedulable = true}),
       "node(s) were unschedulable"},
      {"taints come before affinity", {{"nodeSelector", {{"disk", "ssd"}}}}, tainted, kTainted},
      {"not ready", json::object(), node("a", {.ready = false}), kTainted},
      {"not ready, tolerated", tolerating(R"({"key":"node.kubernetes.io/not-ready","operator":"Exists"})"), node("a", {.ready = false}),
       ""},
  });
}

struct SchedulerTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    scheduler = make_scheduler(*loop);
    idle();
  }
  void TearDown() override {
    scheduler.reset();
    WorldTest::TearDown();
  }
  void add_node(const json& tree) {
    ASSERT_EQ(call("POST", "/api/v1/nodes", tree).status, 201);
    const std::string at = "/api/v1/nodes/" + tree["metadata"]["name"].get<std::string>();
    merge(at, {{"spec", {{"taints", tree.value("spec", json::object()).value("taints", json())}}}});  // Without admission's.
    merge(at + "/status", {{"status", tree["status"]}});
  }
  void add_nodes(int count) {
    for (int i = 1; i <= count; ++i) add_node(node("node-" + std::to_string(i)));
  }
  static std::string pod_yaml(const std::string& name, const std::string& app = "web", const std::string& extra = "") {
    return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", labels: {app: " + app +
           "}}\nspec:\n  containers: [{name: c, image: nginx}]\n" + extra;
  }
  void add_pod(const std::string& name, const std::string& extra = "") { apply(pod_yaml(name, "web", extra)); }
  static std::string path(const std::string& pod) { return "/api/v1/namespaces/default/pods/" + pod; }
  std::string node_of(const std::string& pod) { return store::get_string(get(path(pod)), "spec.nodeName"); }
  json scheduled(const std::string& pod) {
    const json tree = get(path(pod));
    for (const json& c : store::get_array(tree, "status.conditions")) {
      if (store::get_string(c, "type") == "PodScheduled") return c;
    }
    return json::object();
  }
  // Pods by node.
  std::map<std::string, int> spread(const std::string& selector = "") {
    std::map<std::string, int> out;
    for (const json& pod : pods(selector)) ++out[store::get_string(pod, "spec.nodeName")];
    return out;
  }
  // "Normal Scheduled: ..." of a pod, in order.
  std::vector<std::string> events(const std::string& pod) {
    pass(std::chrono::seconds(2));
    std::vector<std::string> out;
    for (const json& e : items("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=" + pod)) {
      out.push_back(store::get_string(e, "type") + " " + store::get_string(e, "reason") + ": " + store::get_string(e, "message"));
    }
    return out;
  }
  using Spread = std::map<std::string, int>;
  std::unique_ptr<Scheduler> scheduler;
};

TEST_F(SchedulerTest, SpreadsAlikePods) {
  add_nodes(3);
  // All pending at once: the load must count what was just bound.
  apply(pod_yaml("a") + pod_yaml("b") + pod_yaml("c"));
  EXPECT_EQ(spread(), (Spread{{"node-1", 1}, {"node-2", 1}, {"node-3", 1}}));
  EXPECT_EQ(scheduled("a")["status"], "True");
  EXPECT_EQ(events("a"), (std::vector<std::string>{"Normal Scheduled: Successfully assigned default/a to node-1"}));
}

TEST_F(SchedulerTest, SpreadsEachWorkloadThenAll) {
  add_nodes(3);
  apply(pod_yaml("a", "one") + pod_yaml("b", "one"));
  apply(pod_yaml("c", "two"));
  EXPECT_EQ(node_of("c"), "node-3") << "none of its kind anywhere; the emptiest node";
  apply(pod_yaml("d", "two") + pod_yaml("e", "two"));
  EXPECT_EQ(spread("app=two"), (Spread{{"node-1", 1}, {"node-2", 1}, {"node-3", 1}}));
}

TEST_F(SchedulerTest, ABurstIsAsEvenAsPodsOneByOne) {
  add_nodes(3);
  std::string many;
  for (int i = 0; i < 200; ++i) many += pod_yaml("p" + std::to_string(i), i % 2 == 0 ? "even" : "odd");
  apply(many);
  EXPECT_EQ(spread(), (Spread{{"node-1", 67}, {"node-2", 67}, {"node-3", 66}}));
  for (const char* app : {"app=even", "app=odd"}) {
    for (const auto& [name, count] : spread(app)) EXPECT_TRUE(count == 33 || count == 34) << app << " " << name << " " << count;
  }
}

TEST_F(SchedulerTest, WhatIsGoneOrEndedMakesRoom) {
  add_nodes(2);
  apply(pod_yaml("a") + pod_yaml("b") + pod_yaml("c"));
  EXPECT_EQ(spread(), (Spread{{"node-1", 2}, {"node-2", 1}}));
  remove(path("a"), R"({"gracePeriodSeconds":0})");
  merge(path("c") + "/status", {{"status", {{"phase", "Succeeded"}}}});
  add_pod("d");
  EXPECT_EQ(node_of("d"), "node-1");
}

TEST_F(SchedulerTest, CountsWhatARestartFinds) {
  add_nodes(2);
  add_pod("a");
  EXPECT_EQ(node_of("a"), "node-1");
  loop = ControlLoop::make(api->client(), time);
  scheduler = make_scheduler(*loop);
  add_pod("b");
  EXPECT_EQ(node_of("b"), "node-2");
}

TEST_F(SchedulerTest, PrefersNodesWithoutUnwelcomeTaints) {
  add_node(node("node-1", {.taints = taint("PreferNoSchedule")}));
  add_node(node("node-2"));
  apply(pod_yaml("a") + pod_yaml("b"));
  EXPECT_EQ(spread(), (Spread{{"node-2", 2}}));
  apply(pod_yaml("c", "other", "  tolerations: [{operator: Exists}]\n"));
  EXPECT_EQ(node_of("c"), "node-1");
}

TEST_F(SchedulerTest, SaysWhyAndTriesAgain) {
  add_node(node("node-1", {.unschedulable = true}));
  add_node(node("node-2"));
  add_node(node("node-3"));
  add_pod("a", "  nodeSelector: {disk: ssd}\n");
  EXPECT_EQ(node_of("a"), "");
  const json before = scheduled("a");
  EXPECT_EQ(before["reason"], "Unschedulable");
  EXPECT_EQ(before["message"],
            "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match Pod's node affinity/selector.");
  pass(std::chrono::seconds(5));
  merge("/api/v1/nodes/node-1", {{"spec", {{"unschedulable", nullptr}}}});
  EXPECT_EQ(scheduled("a")["message"], "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.");
  EXPECT_EQ(scheduled("a")["lastTransitionTime"], before["lastTransitionTime"]) << "it was False all the time";
  merge("/api/v1/nodes/node-2", {{"metadata", {{"labels", {{"disk", "ssd"}}}}}});
  EXPECT_EQ(node_of("a"), "node-2");
  EXPECT_EQ(scheduled("a")["status"], "True");
  const std::vector<std::string> told = events("a");
  EXPECT_EQ(
      std::count_if(told.begin(), told.end(), [](const std::string& e) { return e.starts_with("Warning FailedScheduling: 0/3 nodes"); }),
      2);
}

TEST_F(SchedulerTest, NoNodes) {
  add_pod("a");
  EXPECT_EQ(scheduled("a")["message"], "no nodes available to schedule pods");
  add_nodes(1);
  EXPECT_EQ(node_of("a"), "node-1");
}

TEST_F(SchedulerTest, LeavesOthersAlone) {
  add_nodes(1);
  add_pod("other", "  schedulerName: mine\n");
  EXPECT_EQ(node_of("other"), "");
  add_pod("placed", "  nodeName: node-9\n");
  EXPECT_EQ(node_of("placed"), "node-9");
  add_pod("gated", "  schedulingGates: [{name: g}]\n");
  EXPECT_EQ(node_of("gated"), "");
  merge(path("gated"), {{"spec", {{"schedulingGates", nullptr}}}});
  EXPECT_EQ(node_of("gated"), "node-1");
}

// Between the event and the reaction.
TEST_F(SchedulerTest, OthersMayBeQuicker) {
  add_nodes(1);
  loop->on_change("pods", [&](const store::Object& before, const store::Object& after) {
    if (before || !after) return;
    if (after.name() == "taken") EXPECT_TRUE(api->client().bind("default", "taken", "node-9").ok());
    if (after.name() == "gone") call("DELETE", path("gone"));
  });
  apply(pod_yaml("taken") + pod_yaml("gone") + pod_yaml("left"));
  EXPECT_EQ(node_of("taken"), "node-9");
  EXPECT_EQ(call("GET", path("gone")).status, 404);
  EXPECT_EQ(node_of("left"), "node-1");
  EXPECT_TRUE(events("taken").empty());
}

}  // namespace
}  // namespace server

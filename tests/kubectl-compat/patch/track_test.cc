// Ownership after ordinary writes.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kubectl-compat/patch/patch.h"

namespace compat {
namespace {

using std::chrono::seconds;

const store::Resource& tracked_resource(const char* api_version, const char* kind) { return *store::builtin_registry().find_kind(api_version, kind); }
base::WallTime at(int second) { return *base::parse_rfc3339("2026-01-02T03:04:00Z") + seconds(second); }

json fields_of(const json& tree, const std::string& manager, const std::string& subresource = "") {
  for (const json& entry : tree["metadata"].value("managedFields", json::array())) {
    if (entry["manager"] == manager && entry.value("subresource", "") == subresource) return entry["fieldsV1"];
  }
  return nullptr;
}

json deployment() {
  return json::parse(R"({"apiVersion":"apps/v1","kind":"Deployment",
    "metadata":{"name":"d","namespace":"default","uid":"u","resourceVersion":"1","generation":1,"creationTimestamp":"2026-01-01T00:00:00Z","labels":{"app":"d"}},
    "spec":{"replicas":1,"selector":{"matchLabels":{"app":"d"}},"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%"}},
      "template":{"metadata":{"labels":{"app":"d"}},"spec":{"containers":[{"name":"nginx","image":"nginx","resources":{},
        "env":[{"name":"A","value":"1"}],"ports":[{"containerPort":80,"protocol":"TCP"}]}],"securityContext":{}}}},
    "status":{"replicas":1}})");
}

TEST(Track, CreateLooksAsUpstreams) {
  json got = track_update(nullptr, deployment(), tracked_resource("apps/v1", "Deployment"), {"kubectl-create", "apps/v1", ""}, at(1));
  json want = json::parse(R"({
    "f:metadata":{"f:labels":{".":{},"f:app":{}}},
    "f:spec":{"f:replicas":{},"f:selector":{},"f:strategy":{"f:rollingUpdate":{".":{},"f:maxSurge":{}},"f:type":{}},
      "f:template":{"f:metadata":{"f:labels":{".":{},"f:app":{}}},
        "f:spec":{"f:containers":{"k:{\"name\":\"nginx\"}":{".":{},"f:name":{},"f:image":{},"f:resources":{},
            "f:env":{".":{},"k:{\"name\":\"A\"}":{".":{},"f:name":{},"f:value":{}}},
            "f:ports":{".":{},"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:protocol":{}}}}},
          "f:securityContext":{}}}}})");
  EXPECT_EQ(got["metadata"]["managedFields"], (json{{{"manager", "kubectl-create"}, {"operation", "Update"}, {"apiVersion", "apps/v1"},
      {"time", "2026-01-02T03:04:01Z"}, {"fieldsType", "FieldsV1"}, {"fieldsV1", want}}}));
}

// Upstream's object before a create has what its types hold by value.
TEST(Track, ZeroValuesAreOwnedAsPartsOfSomethingNew) {
  const store::Resource& resource = tracked_resource("v1", "Pod");
  const json made = json::parse(R"({"metadata":{"name":"a"},"spec":{"containers":[{"name":"c","resources":{}}]},"status":{}})");
  json one = track_update(nullptr, made, resource, {"a", "v1", ""}, at(1)), next = one;
  EXPECT_EQ(fields_of(one, "a"), json::parse(R"({"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:name":{},"f:resources":{}}}}})"));
  next["status"]["conditions"] = json::parse(R"([{"type":"Ready","status":"True","lastProbeTime":null}])");
  json two = track_update(one, next, resource, {"b", "v1", "status"}, at(2));
  EXPECT_EQ(fields_of(two, "b", "status"), json::parse(R"({"f:status":{"f:conditions":{".":{},
      "k:{\"type\":\"Ready\"}":{".":{},"f:lastProbeTime":{},"f:status":{},"f:type":{}}}}})"));
  const json role = track_update(nullptr, json::parse(R"({"metadata":{"name":"a"},"rules":null})"), tracked_resource("rbac.authorization.k8s.io/v1", "Role"),
                                 {"a", "rbac.authorization.k8s.io/v1", ""}, at(1));
  EXPECT_FALSE(role["metadata"].contains("managedFields")) << "nothing was given";
}

TEST(Track, ChangesMoveOwnership) {
  const store::Resource& resource = tracked_resource("apps/v1", "Deployment");
  json one = track_update(nullptr, deployment(), resource, {"a", "apps/v1", ""}, at(1));
  json next = one;
  next["spec"]["replicas"] = 3;
  next["spec"]["template"]["spec"]["containers"][0]["env"] = json::parse(R"([{"name":"B","value":"2"}])");
  json two = track_update(one, next, resource, {"b", "apps/v1", ""}, at(2));
  EXPECT_EQ(fields_of(two, "b"), json::parse(R"({"f:spec":{"f:replicas":{},"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"nginx\"}":
      {"f:env":{"k:{\"name\":\"B\"}":{".":{},"f:name":{},"f:value":{}}}}}}}}})"));
  json left = fields_of(two, "a");
  EXPECT_FALSE(left["f:spec"].contains("f:replicas"));
  EXPECT_EQ(left["f:spec"]["f:template"]["f:spec"]["f:containers"]["k:{\"name\":\"nginx\"}"]["f:env"], json::object());
  EXPECT_EQ(two["metadata"]["managedFields"][0]["time"], "2026-01-02T03:04:01Z");
  EXPECT_EQ(two["metadata"]["managedFields"][1]["time"], "2026-01-02T03:04:02Z");
}

TEST(Track, NoChangeKeepsEverything) {
  const store::Resource& resource = tracked_resource("apps/v1", "Deployment");
  json one = track_update(nullptr, deployment(), resource, {"a", "apps/v1", ""}, at(1));
  EXPECT_EQ(track_update(one, one, resource, {"b", "apps/v1", ""}, at(2)), one);
  json plain = one;  // A client that does not know of managedFields.
  plain["metadata"].erase("managedFields");
  EXPECT_EQ(track_update(one, plain, resource, {"b", "apps/v1", ""}, at(2)), one);
  json newer = one;
  newer["metadata"]["resourceVersion"] = "77";
  newer["metadata"]["generation"] = 5;
  EXPECT_EQ(track_update(one, newer, resource, {"b", "apps/v1", ""}, at(2))["metadata"]["managedFields"], one["metadata"]["managedFields"]);
  json garbage = one;
  garbage["metadata"]["managedFields"] = json::parse(R"([{"manager":"x","operation":"Steal","apiVersion":"v1"}])");
  EXPECT_EQ(track_update(one, garbage, resource, {"b", "apps/v1", ""}, at(2)), one);
}

TEST(Track, StatusBelongsToItsSubresource) {
  const store::Resource& resource = tracked_resource("apps/v1", "Deployment");
  json one = track_update(nullptr, deployment(), resource, {"a", "apps/v1", ""}, at(1));
  json next = one;
  next["status"]["readyReplicas"] = 1;
  json two = track_update(one, next, resource, {"a", "apps/v1", "status"}, at(2));
  EXPECT_EQ(fields_of(two, "a", "status"), json::parse(R"({"f:status":{"f:readyReplicas":{}}})"));
  EXPECT_EQ(fields_of(two, "a"), fields_of(one, "a"));
  next = two;
  next["metadata"]["managedFields"] = json::array();
  json three = track_update(two, next, resource, {"a", "apps/v1", "status"}, at(3));
  EXPECT_EQ(three, two) << "a subresource cannot reset ownership";
}

TEST(Track, ResetLasts) {
  const store::Resource& resource = tracked_resource("apps/v1", "Deployment");
  json one = track_update(nullptr, deployment(), resource, {"a", "apps/v1", ""}, at(1));
  for (const char* reset : {"[]", "[{}]"}) {
    json next = one;
    next["metadata"]["managedFields"] = json::parse(reset);
    json two = track_update(one, next, resource, {"b", "apps/v1", ""}, at(2));
    EXPECT_FALSE(two["metadata"].contains("managedFields")) << reset;
    next = two;
    next["spec"]["replicas"] = 4;
    EXPECT_FALSE(track_update(two, next, resource, {"b", "apps/v1", ""}, at(3))["metadata"].contains("managedFields")) << reset;
  }
}

TEST(Track, RemovedFieldsLoseTheirOwners) {
  const store::Resource& resource = tracked_resource("v1", "ConfigMap");
  json tree = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "c"}}}, {"data", {{"a", "1"}}}};
  json one = track_update(nullptr, tree, resource, {"a", "v1", ""}, at(1));
  json next = one;
  next.erase("data");
  json two = track_update(one, next, resource, {"b", "v1", ""}, at(2));
  EXPECT_FALSE(two["metadata"].contains("managedFields")) << two;
}

// What was below a value that became another kind of value is nobody's any more.
TEST(Track, AMapThatBecomesTextTakesItsKeysAlong) {
  const store::Resource& resource = tracked_resource("apps/v1", "ControllerRevision");
  json tree = json::parse(R"({"apiVersion":"apps/v1","kind":"ControllerRevision","metadata":{"name":"r"},"revision":1})");
  static const store::Type kAnything{.kind = store::TypeKind::kAny};
  store::Resource open = resource;
  const store::Field fields[] = {{.name = "metadata", .type = resource.type->find_field("metadata")->type, .always = true}, {.name = "spec", .type = &kAnything}};
  const store::Type type{.kind = store::TypeKind::kObject, .fields = fields, .open = true};
  open.type = &type;
  tree["spec"] = json::parse(R"({"deep":{"list":[1],"empty":{}},"b":1})");
  json one = track_update(nullptr, tree, open, {"a", "apps/v1", ""}, at(1)), next = one;
  next["spec"]["deep"] = "text";
  json two = track_update(one, next, open, {"b", "apps/v1", ""}, at(2));
  EXPECT_EQ(fields_of(two, "a")["f:spec"], json::parse(R"({".":{},"f:b":{}})"));
  EXPECT_EQ(fields_of(two, "b")["f:spec"], json::parse(R"({"f:deep":{}})"));
}

TEST(Track, ClientsSpellingIsMadeOurs) {
  const store::Resource& resource = tracked_resource("v1", "Pod");
  json pod = json::parse(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i",
      "ports":[{"containerPort":80,"protocol":"TCP"}]}]}})");
  json one = track_update(nullptr, pod, resource, {"a", "v1", ""}, at(1));
  json next = one;
  next["metadata"]["managedFields"] = json::parse(R"([{"manager":"m","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":
      {"f:spec":{"f:containers":{"k:{ \"name\" : \"c\" }":{"f:image":{},"f:ports":{"k:{\"protocol\":\"TCP\",\"containerPort\":80}":{"f:name":{}}}}}}}}])");
  json two = track_update(one, next, resource, {"m", "v1", ""}, at(2));
  EXPECT_EQ(fields_of(two, "m"), json::parse(R"({"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{"f:image":{},
      "f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{"f:name":{}}}}}}})"));
  next = two;
  next["spec"]["containers"][0]["image"] = "j";
  json three = track_update(two, next, resource, {"b", "v1", ""}, at(3));
  EXPECT_FALSE(fields_of(three, "m")["f:spec"]["f:containers"]["k:{\"name\":\"c\"}"].contains("f:image"));
}

TEST(Track, OldUpdatersAreFolded) {
  const store::Resource& resource = tracked_resource("v1", "ConfigMap");
  json live = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "c"}}}, {"data", {{"k", "v"}}}};
  live = track_update(nullptr, live, resource, {"m0", "v1", ""}, at(0));
  for (int i = 1; i < 15; ++i) {
    json next = live;
    next["data"]["k" + std::to_string(i)] = "v";
    live = track_update(live, next, resource, {"m" + std::to_string(i), "v1", ""}, at(i));
  }
  ASSERT_EQ(live["metadata"]["managedFields"].size(), 10u);
  EXPECT_EQ(live["metadata"]["managedFields"][0]["manager"], "ancient-changes");
  EXPECT_EQ(fields_of(live, "ancient-changes"), json::parse(R"({"f:data":{".":{},"f:k":{},"f:k1":{},"f:k2":{},"f:k3":{},"f:k4":{},"f:k5":{}}})"));
}

}  // namespace
}  // namespace compat

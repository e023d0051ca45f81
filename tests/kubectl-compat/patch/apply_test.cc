// Server-side apply: scenes of several managers over built-in kinds. A step applies or updates; the wanted tree and
// owners are checked after it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kubectl-compat/patch/patch.h"

namespace compat {
namespace {

using std::chrono::seconds;

constexpr const char* kStart = "2026-01-02T03:04:05Z";

const store::Resource& resource_of(const char* api_version, const char* kind) { return *store::builtin_registry().find_kind(api_version, kind); }

// A live object and the steps taken on it; one second passes with each.
class Scene {
 public:
  Scene(const char* api_version, const char* kind) : resource_(resource_of(api_version, kind)), now_(*base::parse_rfc3339(kStart)) {}

  base::Result<json> try_apply(const std::string& manager, const std::string& config, bool force = false, const std::string& subresource = "") {
    now_ += seconds(1);
    auto result = apply_server_side(live, tree(config), resource_, {{manager, resource_.api_version(), subresource}, force, now_});
    if (result.ok()) live = *result;
    return result;
  }
  void apply(const std::string& manager, const std::string& config, bool force = false, const std::string& subresource = "") {
    auto result = try_apply(manager, config, force, subresource);
    ASSERT_TRUE(result.ok()) << result.error().message;
  }
  // The live object with a merge patch laid over it, written by an ordinary update.
  void update(const std::string& manager, const std::string& change, const std::string& subresource = "") {
    now_ += seconds(1);
    json next = apply_merge_patch(live.is_null() ? tree("{}") : live, json::parse(change));
    live = track_update(live, next, resource_, {manager, resource_.api_version(), subresource}, now_);
  }

  // Owners as "manager Apply: {fields}" lines.
  std::string owners() const {
    std::string out;
    for (const json& entry : live["metadata"].value("managedFields", json::array())) {
      out += entry["manager"].get<std::string>() + (entry.contains("subresource") ? "/" + entry["subresource"].get<std::string>() : "") + " " +
             entry["operation"].get<std::string>() + " " + entry["fieldsV1"].dump() + "\n";
    }
    return out;
  }
  json bare() const {
    json out = live;
    out["metadata"].erase("managedFields");
    return out;
  }
  json tree(const std::string& text) const {
    json out = json::parse(text);
    out["apiVersion"] = resource_.api_version();
    out["kind"] = resource_.kind;
    if (!out.contains("metadata")) out["metadata"] = json::object();
    out["metadata"]["name"] = "x";
    return out;
  }

  json live;

 private:
  const store::Resource& resource_;
  base::WallTime now_;
};

TEST(Apply, CreateOwnsWhatItSets) {
  Scene scene("v1", "ConfigMap");
  scene.apply("me", R"({"metadata":{"labels":{"a":"1"},"creationTimestamp":null},"data":{"k":"v"}})");
  EXPECT_EQ(scene.live["metadata"]["managedFields"], json::parse(R"([{"manager":"me","operation":"Apply","apiVersion":"v1",
      "time":"2026-01-02T03:04:06Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:k":{}},"f:metadata":{"f:labels":{"f:a":{}}}}}])"));
  EXPECT_EQ(scene.bare().dump(), scene.tree(R"({"metadata":{"labels":{"a":"1"}},"data":{"k":"v"}})").dump());
}

TEST(Apply, NothingNewReturnsLive) {
  Scene scene("v1", "ConfigMap");
  scene.apply("me", R"({"data":{"k":"v"}})");
  json before = scene.live;
  scene.apply("me", R"({"data":{"k":"v"}})");
  EXPECT_EQ(scene.live, before);  // The time of the entry too.
}

TEST(Apply, GivenUpFieldsGo) {
  Scene scene("v1", "ConfigMap");
  scene.apply("me", R"({"metadata":{"labels":{"a":"1"}},"data":{"k":"v","l":"w"}})");
  scene.update("other", R"({"data":{"m":"x"}})");
  scene.apply("me", R"({"data":{"k":"v"}})");
  EXPECT_EQ(scene.bare().dump(), scene.tree(R"({"data":{"k":"v","m":"x"}})").dump());
  EXPECT_EQ(scene.owners(), "me Apply {\"f:data\":{\"f:k\":{}}}\nother Update {\"f:data\":{\"f:m\":{}}}\n");
}

TEST(Apply, SharedFieldsStay) {
  Scene scene("v1", "ConfigMap");
  scene.apply("one", R"({"data":{"k":"v"}})");
  scene.apply("two", R"({"data":{"k":"v"}})");
  EXPECT_EQ(scene.owners(), "one Apply {\"f:data\":{\"f:k\":{}}}\ntwo Apply {\"f:data\":{\"f:k\":{}}}\n");
  scene.apply("one", R"({"data":{"l":"w"}})");
  EXPECT_EQ(scene.live["data"], json::parse(R"({"k":"v","l":"w"})"));
  scene.apply("two", R"({})");
  EXPECT_EQ(scene.live["data"], json::parse(R"({"l":"w"})"));
  EXPECT_EQ(scene.owners(), "one Apply {\"f:data\":{\"f:l\":{}}}\n");
}

TEST(Apply, ConflictsNameOwnersAndPaths) {
  Scene scene("apps/v1", "Deployment");
  scene.update("kubectl-create", R"({"spec":{"replicas":1,"selector":{"matchLabels":{"a":"b"}},
      "template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})");
  auto one = scene.try_apply("me", R"({"spec":{"replicas":2}})");
  ASSERT_FALSE(one.ok());
  EXPECT_EQ(one.error().code, base::Code::kConflict);
  EXPECT_EQ(one.error().message, "Apply failed with 1 conflict: conflict with \"kubectl-create\" using apps/v1: .spec.replicas");
  ASSERT_EQ(one.error().causes.size(), 1u);
  EXPECT_EQ(one.error().causes[0].reason, "FieldManagerConflict");
  EXPECT_EQ(one.error().causes[0].message, "conflict with \"kubectl-create\" using apps/v1");
  EXPECT_EQ(one.error().causes[0].field, ".spec.replicas");

  scene.apply("rival", R"({"metadata":{"labels":{"l":"1"}}})");
  auto more = scene.try_apply("me", R"({"metadata":{"labels":{"l":"2"}},"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"c","image":"j"}]}}}})");
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.error().message,
            "Apply failed with 3 conflicts: conflicts with \"kubectl-create\" using apps/v1:\n- .spec.replicas\n"
            "- .spec.template.spec.containers[name=\"c\"].image\nconflicts with \"rival\":\n- .metadata.labels.l");

  scene.apply("me", R"({"spec":{"replicas":2}})", true);
  EXPECT_EQ(scene.live["spec"]["replicas"], 2);
  EXPECT_EQ(scene.owners().find("f:replicas"), scene.owners().rfind("f:replicas")) << scene.owners();
}

TEST(Apply, ListItemsByKeyWithDefaults) {
  Scene scene("v1", "Pod");
  scene.apply("one", R"({"spec":{"containers":[{"name":"c","image":"i","ports":[{"containerPort":80}]}]}})");
  EXPECT_NE(scene.owners().find(R"("k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}})"), std::string::npos) << scene.owners();
  scene.live["spec"]["containers"][0]["ports"][0]["protocol"] = "TCP";  // As stored after defaulting.
  scene.apply("two", R"({"spec":{"containers":[{"name":"c","ports":[{"containerPort":80,"name":"web"},{"containerPort":80,"protocol":"UDP"}]}]}})");
  EXPECT_EQ(scene.live["spec"]["containers"][0]["ports"],
            json::parse(R"([{"containerPort":80,"name":"web","protocol":"TCP"},{"containerPort":80,"protocol":"UDP"}])"));
  scene.apply("two", R"({"spec":{"containers":[{"name":"c","ports":[{"containerPort":80,"name":"web"}]}]}})");
  EXPECT_EQ(scene.live["spec"]["containers"][0]["ports"].size(), 1u);
  EXPECT_EQ(scene.live["spec"]["containers"][0]["image"], "i");
}

TEST(Apply, OrderOfItems) {
  struct Row {
    const char* name;
    std::vector<std::string> live, config, want;
  };
  const Row rows[] = {
      {"same", {"a", "b"}, {"a", "b"}, {"a", "b"}},
      {"config decides", {"a", "b"}, {"b", "a"}, {"b", "a"}},
      {"live only keeps its place", {"x", "a", "b"}, {"b", "a"}, {"x", "b", "a"}},
      {"new ones", {"a"}, {"n", "a", "m"}, {"n", "a", "m"}},
      {"between", {"a", "x", "b"}, {"a", "b", "c"}, {"a", "x", "b", "c"}},
      {"nothing in common", {"a"}, {"b"}, {"a", "b"}},
      {"empty config", {"a"}, {}, {"a"}},
  };
  for (const Row& row : rows) {
    auto list = [](const std::vector<std::string>& names) {
      json out = json::array();
      for (const std::string& name : names) out.push_back({{"name", name}, {"image", "i"}});
      return json{{"spec", {{"containers", out}}}}.dump();
    };
    Scene scene("v1", "Pod");
    scene.update("other", list(row.live));
    scene.apply("me", list(row.config));
    std::vector<std::string> got;
    for (const json& container : scene.live["spec"]["containers"]) got.push_back(container["name"]);
    EXPECT_EQ(got, row.want) << row.name;
  }
}

TEST(Apply, SetsUnite) {
  Scene scene("v1", "ConfigMap");
  scene.apply("one", R"({"metadata":{"finalizers":["a/b"]}})");
  scene.apply("two", R"({"metadata":{"finalizers":["c/d"]}})");
  EXPECT_EQ(scene.live["metadata"]["finalizers"], json::parse(R"(["a/b","c/d"])"));
  EXPECT_EQ(scene.owners(), "one Apply {\"f:metadata\":{\"f:finalizers\":{\"v:\\\"a/b\\\"\":{}}}}\ntwo Apply {\"f:metadata\":{\"f:finalizers\":{\"v:\\\"c/d\\\"\":{}}}}\n");
  scene.apply("one", R"({})");
  EXPECT_EQ(scene.live["metadata"]["finalizers"], json::parse(R"(["c/d"])"));
}

TEST(Apply, AtomicValuesAreOne) {
  Scene scene("v1", "Service");
  scene.apply("one", R"({"spec":{"selector":{"a":"1"},"ports":[{"port":80}]}})");
  auto second = scene.try_apply("two", R"({"spec":{"selector":{"b":"2"}}})");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().causes[0].field, ".spec.selector");
  scene.apply("two", R"({"spec":{"selector":{"b":"2"}}})", true);
  EXPECT_EQ(scene.live["spec"]["selector"], json::parse(R"({"b":"2"})"));
}

TEST(Apply, StatusIsASubresource) {
  Scene scene("apps/v1", "Deployment");
  scene.apply("me", R"({"spec":{"replicas":1},"status":{"replicas":9}})");
  EXPECT_FALSE(scene.live.contains("status"));
  EXPECT_EQ(scene.owners(), "me Apply {\"f:spec\":{\"f:replicas\":{}}}\n");
  scene.apply("ctl", R"({"spec":{"replicas":7},"status":{"replicas":1}})", false, "status");
  EXPECT_EQ(scene.live["spec"]["replicas"], 1);
  EXPECT_EQ(scene.live["status"]["replicas"], 1);
  EXPECT_EQ(scene.owners(), "me Apply {\"f:spec\":{\"f:replicas\":{}}}\nctl/status Apply {\"f:status\":{\"f:replicas\":{}}}\n");
}

TEST(Apply, ObjectsWithoutOwnersGetOne) {
  Scene scene("v1", "ConfigMap");
  scene.live = scene.tree(R"({"data":{"k":"v"}})");
  auto clash = scene.try_apply("me", R"({"data":{"k":"w"}})");
  ASSERT_FALSE(clash.ok());
  EXPECT_EQ(clash.error().message, "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.k");
  scene.apply("me", R"({"data":{"l":"w"}})");
  EXPECT_EQ(scene.owners(), "me Apply {\"f:data\":{\"f:l\":{}}}\nbefore-first-apply Update {\"f:data\":{\".\":{},\"f:k\":{}}}\n");
}

TEST(Apply, RefusedConfigs) {
  struct Row {
    const char* name;
    const char* config;
    base::Code code;
    const char* message;
  };
  constexpr const char* kTyped = "failed to create typed patch object (d/x; apps/v1, Kind=Deployment): ";
  const Row rows[] = {
      {"managedFields", R"({"metadata":{"managedFields":[{}]}})", base::Code::kBadRequest, "metadata.managedFields must be nil"},
      {"version", R"({"apiVersion":"v2"})", base::Code::kBadRequest, "Incorrect version specified in apply patch. Specified patch version: v2, expected: apps/v1"},
      {"unknown field", R"({"spec":{"foo":1}})", base::Code::kInternal, ".spec.foo: field not declared in schema"},
      {"in an item", R"({"spec":{"template":{"spec":{"containers":[{"name":"c","foo":1}]}}}})", base::Code::kInternal,
       ".spec.template.spec.containers[name=\"c\"].foo: field not declared in schema"},
      {"no key", R"({"spec":{"template":{"spec":{"containers":[{"image":"c"}]}}}})", base::Code::kInternal,
       ".spec.template.spec.containers: element 0: associative list with keys has an element that omits key field \"name\" (and doesn't have default value)"},
      {"twice", R"({"spec":{"template":{"spec":{"containers":[{"name":"c"},{"name":"c"}]}}}})", base::Code::kInternal,
       ".spec.template.spec.containers: duplicate entries for key [name=\"c\"]"},
      {"wrong type", R"({"spec":{"replicas":"2"}})", base::Code::kInternal, ".spec.replicas: expected numeric (int or float), got string"},
      {"two errors", R"({"spec":{"bar":1,"foo":1}})", base::Code::kInternal,
       "errors:\n  .spec.bar: field not declared in schema\n  .spec.foo: field not declared in schema"},
  };
  for (const Row& row : rows) {
    json config = json::parse(row.config);
    config["metadata"]["name"] = "x";
    config["metadata"]["namespace"] = "d";
    if (!config.contains("apiVersion")) config["apiVersion"] = "apps/v1";
    const store::Resource& resource = resource_of("apps/v1", "Deployment");
    auto got = apply_server_side(nullptr, config, resource, {{"me", "apps/v1", ""}, false, {}});
    ASSERT_FALSE(got.ok()) << row.name;
    EXPECT_EQ(got.error().code, row.code) << row.name;
    EXPECT_EQ(got.error().message, (row.code == base::Code::kInternal ? kTyped : "") + std::string(row.message)) << row.name;
  }
}

TEST(Apply, TakesOverFromClientSideApply) {
  constexpr const char* kAnnotation = "kubectl.kubernetes.io/last-applied-configuration";
  Scene scene("v1", "ConfigMap");
  json first = scene.tree(R"({"data":{"k":"v"}})");
  json create = first;
  create["metadata"]["annotations"][kAnnotation] = first.dump() + "\n";
  scene.update("kubectl-client-side-apply", create.dump());
  // Another manager conflicts with it, kubectl does not: the value is still what its annotation says.
  EXPECT_FALSE(scene.try_apply("me", R"({"data":{"k":"w"}})").ok());
  scene.apply("kubectl", R"({"data":{"k":"w"}})");
  EXPECT_EQ(scene.live["data"]["k"], "w");
  EXPECT_EQ(json::parse(scene.live["metadata"]["annotations"][kAnnotation].get<std::string>()), scene.tree(R"({"data":{"k":"w"}})"));
  EXPECT_EQ(scene.live["metadata"]["annotations"][kAnnotation].get<std::string>().back(), '\n');
  // Changed by somebody else meanwhile: a conflict for kubectl too.
  scene.update("editor", R"({"data":{"k":"edited"}})");
  EXPECT_FALSE(scene.try_apply("kubectl", R"({"data":{"k":"x"}})").ok());
}

TEST(Apply, MigratedOwnersAreTaken) {
  // What kubectl >= 1.26 does: a JSON patch that turns the client-side entry into its own Apply entry.
  Scene scene("v1", "ConfigMap");
  scene.update("kubectl-client-side-apply", R"({"data":{"k":"v","gone":"1"}})");
  json managed = json::parse(R"([{"manager":"kubectl","operation":"Apply","apiVersion":"v1","time":"2026-01-02T03:04:06Z","fieldsType":"FieldsV1",
      "fieldsV1":{"f:data":{"f:k":{},"f:gone":{}}}}])");
  scene.update("kubectl", json{{"metadata", {{"managedFields", managed}}}}.dump());
  EXPECT_EQ(scene.live["metadata"]["managedFields"], managed);
  scene.apply("kubectl", R"({"data":{"k":"v"}})");
  EXPECT_EQ(scene.live["data"], json::parse(R"({"k":"v"})"));
}

}  // namespace
}  // namespace compat

// Deletion, namespaces, cluster addresses.
#include "tests/server/api/fixture.h"

namespace server {
namespace {

TEST_F(ApiTest, DeleteAnswersWithStatusOrObject) {
  json made = call("POST", cms, config_map("a")).body;
  Answer gone = call("DELETE", cms + "/a");
  EXPECT_EQ(gone.status, 200);
  EXPECT_EQ(gone.body["status"], "Success");
  EXPECT_EQ(gone.body["details"], (json{{"name", "a"}, {"kind", "configmaps"}, {"uid", made["metadata"]["uid"]}}));
  EXPECT_EQ(call("GET", cms + "/a").status, 404);
  ASSERT_EQ(call("POST", services, service("s")).status, 201);
  EXPECT_EQ(call("DELETE", services + "/s").body["kind"], "Service");
}

TEST_F(ApiTest, Preconditions) {
  json made = call("POST", cms, config_map("a")).body;
  Answer wrong = call("DELETE", cms + "/a", json{{"preconditions", {{"uid", "x"}}}});
  EXPECT_EQ(wrong.status, 409);
  EXPECT_EQ(wrong.message(), "Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition (x) does not match the UID in record (" +
                                 made["metadata"]["uid"].get<std::string>() + "). The object might have been deleted and then recreated");
  EXPECT_EQ(call("DELETE", cms + "/a", json{{"preconditions", {{"resourceVersion", "1"}}}}).status, 409);
  EXPECT_EQ(call("DELETE", cms + "/a", json{{"preconditions", {{"uid", made["metadata"]["uid"]}}}}).status, 200);
}

TEST_F(ApiTest, PodsAreDeletedWithGrace) {
  struct Row {
    const char* name;
    std::string node;
    std::string body;
    bool gone;
    int grace;
  };
  const Row rows[] = {
      {"unbound", "", "", true, 0},
      {"bound", "node-1", "", false, 30},
      {"shorter", "node-1", R"({"gracePeriodSeconds":5})", false, 5},
      {"forced", "node-1", R"({"gracePeriodSeconds":0})", true, 0},
      {"negative", "node-1", R"({"gracePeriodSeconds":-5})", false, 1},
  };
  for (const Row& row : rows) {
    ASSERT_EQ(call("POST", pods, pod(row.name, row.node)).status, 201) << row.name;
    Answer a = call("DELETE", pods + "/" + row.name, row.body);
    EXPECT_EQ(a.status, 200) << row.name;
    Answer after = call("GET", pods + "/" + row.name);
    EXPECT_EQ(after.status, row.gone ? 404 : 200) << row.name;
    if (!row.gone) {
      EXPECT_EQ(after.body["metadata"]["deletionGracePeriodSeconds"], row.grace) << row.name;
      EXPECT_TRUE(after.body["metadata"].contains("deletionTimestamp")) << row.name;
    }
  }
  // Only ever shorter.
  EXPECT_EQ(call("DELETE", pods + "/shorter", json{{"gracePeriodSeconds", 60}}).body["metadata"]["deletionGracePeriodSeconds"], 5);
  EXPECT_EQ(call("DELETE", pods + "/shorter", json{{"gracePeriodSeconds", 2}}).body["metadata"]["deletionGracePeriodSeconds"], 2);
  // The node agent's last word.
  EXPECT_TRUE(api->client().remove(*store::builtin_registry().find("", "v1", "pods"), "default", "bound", {.grace_period_seconds = 0}).ok());
  EXPECT_EQ(call("GET", pods + "/bound").status, 404);
}

TEST_F(ApiTest, FinalizersHoldAnObject) {
  json body = config_map("a");
  body["metadata"]["finalizers"] = {"example.com/x"};
  ASSERT_EQ(call("POST", cms, body).status, 201);
  Answer deleting = call("DELETE", cms + "/a");
  EXPECT_EQ(deleting.body["kind"], "ConfigMap");
  EXPECT_TRUE(deleting.body["metadata"].contains("deletionTimestamp"));
  std::string merge = "application/merge-patch+json";
  Answer added = call("PATCH", cms + "/a", R"({"metadata":{"finalizers":["example.com/x","example.com/y"]}})", merge);
  EXPECT_EQ(added.status, 422);
  EXPECT_NE(added.message().find("metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"example.com/y\"}"), std::string::npos)
      << added.message();
  EXPECT_EQ(call("PATCH", cms + "/a", R"({"metadata":{"finalizers":null}})", merge).status, 200);
  EXPECT_EQ(call("GET", cms + "/a").status, 404);
}

TEST_F(ApiTest, PropagationBecomesFinalizers) {
  struct Row {
    const char* policy;
    json want;
  };
  for (const Row& row : {Row{"Foreground", json::array({"foregroundDeletion"})}, Row{"Orphan", json::array({"orphan"})}}) {
    ASSERT_EQ(call("POST", deployments, deployment("d")).status, 201);
    Answer a = call("DELETE", deployments + "/d", json{{"propagationPolicy", row.policy}});
    EXPECT_EQ(a.body["metadata"]["finalizers"], row.want);
    EXPECT_EQ(call("PATCH", deployments + "/d", R"({"metadata":{"finalizers":null}})", "application/merge-patch+json").status, 200);
    EXPECT_EQ(call("GET", deployments + "/d").status, 404);
  }
  EXPECT_EQ(call("DELETE", deployments + "/d", json{{"propagationPolicy", "Nope"}}).status, 422);
}

TEST_F(ApiTest, DeleteCollectionTakesASelector) {
  for (const char* name : {"a", "b"}) {
    json body = config_map(name);
    body["metadata"]["labels"] = {{"n", name}};
    ASSERT_EQ(call("POST", cms, body).status, 201);
  }
  Answer a = call("DELETE", cms + "?labelSelector=n=a");
  EXPECT_EQ(a.status, 200);
  EXPECT_EQ(a.body["items"].size(), 1u);
  EXPECT_EQ(call("GET", cms + "/a").status, 404);
  EXPECT_EQ(call("GET", cms + "/b").status, 200);
}

TEST_F(ApiTest, NamespacesEndThroughFinalize) {
  Answer made = call("POST", "/api/v1/namespaces", json{{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "n"}}}});
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["spec"]["finalizers"], json::array({"kubernetes"}));
  EXPECT_EQ(made.body["metadata"]["labels"]["kubernetes.io/metadata.name"], "n");
  EXPECT_EQ(made.body["status"]["phase"], "Active");
  Answer deleting = call("DELETE", "/api/v1/namespaces/n");
  EXPECT_EQ(deleting.body["status"]["phase"], "Terminating");
  Answer refused = call("POST", "/api/v1/namespaces/n/configmaps", config_map("a"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.message(), "configmaps \"a\" is forbidden: unable to create new content in namespace n because it is being terminated");
  EXPECT_EQ(refused.body["details"]["causes"][0]["reason"], "NamespaceTerminating");
  json finalized = call("GET", "/api/v1/namespaces/n").body;
  finalized["spec"]["finalizers"] = json::array();
  EXPECT_EQ(call("PUT", "/api/v1/namespaces/n", finalized).body["spec"]["finalizers"], json::array({"kubernetes"}));
  EXPECT_EQ(call("PUT", "/api/v1/namespaces/n/finalize", finalized).status, 200);
  EXPECT_EQ(call("GET", "/api/v1/namespaces/n").status, 404);
  EXPECT_EQ(call("DELETE", "/api/v1/namespaces/default").message(), "namespaces \"default\" is forbidden: this namespace may not be deleted");
}

TEST_F(ApiTest, ClusterAddresses) {
  EXPECT_EQ(call("GET", services + "/kubernetes").body["spec"]["clusterIP"], "10.96.0.1");
  json made = call("POST", services, service("a")).body;
  std::string ip = made["spec"]["clusterIP"];
  EXPECT_TRUE(options.service_cidr.contains(*base::Ip::parse(ip)));
  EXPECT_EQ(made["spec"]["clusterIPs"], json::array({ip}));
  EXPECT_EQ(made["spec"]["ipFamilies"], json::array({"IPv4"}));
  struct Row {
    const char* name;
    json spec;
    std::string want;  // clusterIP, or the message
  };
  const Row rows[] = {
      {"headless", {{"clusterIP", "None"}}, "None"},
      {"explicit", {{"clusterIP", "10.97.1.1"}}, "10.97.1.1"},
      {"taken", {{"clusterIP", "10.96.0.10"}},
       "Service \"taken\" is invalid: spec.clusterIPs: Invalid value: [\"10.96.0.10\"]: failed to allocate IP 10.96.0.10: provided IP is already allocated"},
      {"outside", {{"clusterIP", "10.0.0.1"}},
       "Service \"outside\" is invalid: spec.clusterIPs: Invalid value: [\"10.0.0.1\"]: failed to allocate IP 10.0.0.1: the provided network does not match the "
       "current range"},
      {"edge", {{"clusterIP", "10.96.0.0"}},
       "Service \"edge\" is invalid: spec.clusterIPs: Invalid value: [\"10.96.0.0\"]: failed to allocate IP 10.96.0.0: the provided IP (10.96.0.0) is not in the "
       "valid range. The range of valid IPs is 10.96.0.0/12"},
  };
  for (const Row& row : rows) {
    Answer a = call("POST", services, service(row.name, row.spec));
    EXPECT_EQ(a.status == 201 ? store::get_string(a.body, "spec.clusterIP") : a.message(), row.want) << row.name;
  }
  // Kept by an update that does not name it; given back by deletion.
  EXPECT_EQ(call("PUT", services + "/a", service("a", {{"selector", {{"app", "y"}}}})).body["spec"]["clusterIP"], ip);
  EXPECT_EQ(call("PATCH", services + "/a", R"({"spec":{"clusterIP":"10.97.1.2","clusterIPs":["10.97.1.2"]}})", "application/merge-patch+json").status, 422);
  EXPECT_EQ(call("DELETE", services + "/a").status, 200);
  EXPECT_EQ(call("POST", services, service("b", {{"clusterIP", ip}})).status, 201);
}

TEST_F(ApiTest, TakenAddressesAreKnownAfterARestart) {
  ASSERT_EQ(call("POST", services, service("a", {{"clusterIP", "10.97.1.1"}})).status, 201);
  api = ApiServer::make(*store, store::builtin_registry(), clock, options);
  EXPECT_EQ(call("POST", services, service("b", {{"clusterIP", "10.97.1.1"}})).status, 422);
}

TEST_F(ApiTest, NodePorts) {
  json made = call("POST", services, service("a", {{"type", "NodePort"}})).body;
  int port = made["spec"]["ports"][0]["nodePort"];
  EXPECT_TRUE(port >= 30000 && port <= 32767);
  json taken = service("b", {{"type", "NodePort"}, {"ports", json::array({{{"port", 80}, {"nodePort", port}}})}});
  EXPECT_EQ(call("POST", services, taken).message(), "Service \"b\" is invalid: spec.ports[0].nodePort: Invalid value: " + std::to_string(port) + ": provided port is already allocated");
  taken["spec"]["ports"][0]["nodePort"] = 80;
  EXPECT_EQ(call("POST", services, taken).message(),
            "Service \"b\" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767");
  // Back to ClusterIP: the port is free again.
  Answer back = call("PATCH", services + "/a", R"({"spec":{"type":"ClusterIP"}})", "application/merge-patch+json");
  ASSERT_EQ(back.status, 200) << back.text;
  EXPECT_FALSE(back.body["spec"]["ports"][0].contains("nodePort"));
  taken["spec"]["ports"][0]["nodePort"] = port;
  Answer freed = call("POST", services, taken);
  EXPECT_EQ(freed.status, 201) << freed.text;
}

TEST_F(ApiTest, BootObjectsAreThereAndBootIsIdempotent) {
  for (const char* path : {"/api/v1/namespaces/default", "/api/v1/namespaces/kube-system", "/api/v1/namespaces/kube-public", "/api/v1/namespaces/kube-node-lease",
                           "/api/v1/namespaces/default/services/kubernetes", "/api/v1/namespaces/default/endpoints/kubernetes",
                           "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes", "/api/v1/namespaces/kube-system/services/kube-dns"}) {
    EXPECT_EQ(call("GET", path).status, 200) << path;
  }
  auto before = store->revision();
  EXPECT_TRUE(ensure_boot_objects(api->client(), options).ok());
  EXPECT_EQ(store->revision(), before);
  options.api_port = 7443;
  EXPECT_TRUE(ensure_boot_objects(api->client(), options).ok());
  EXPECT_EQ(call("GET", "/api/v1/namespaces/default/endpoints/kubernetes").body["subsets"][0]["ports"][0]["port"], 7443);
}

TEST_F(ApiTest, ManifestsAreAppliedInOrder) {
  const std::string text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n---\n" +
                           deployment("web").dump();
  auto lines = api->apply_manifest(text, "default");
  ASSERT_TRUE(lines.ok()) << lines.error().message;
  EXPECT_EQ(*lines, (std::vector<std::string>{"namespace/shop created", "configmap/a created", "deployment.apps/web created"}));
  EXPECT_EQ(call("GET", deployments + "/web").status, 200);
  struct Row {
    const char *in, *want;
  };
  for (const Row& row : {Row{"kind: ConfigMap\nmetadata: {name: a}\n", "document 1 (ConfigMap a): Object 'apiVersion' is missing"},
                         Row{"apiVersion: v1\nkind: Nope\nmetadata: {name: a}\n", "document 1 (Nope a): no matches for kind \"Nope\" in version \"v1\""},
                         Row{"a: [", "yaml: line"}}) {
    auto failed = api->apply_manifest(row.in, "default");
    ASSERT_FALSE(failed.ok()) << row.in;
    EXPECT_NE(failed.error().message.find(row.want), std::string::npos) << failed.error().message;
  }
}

}  // namespace
}  // namespace server

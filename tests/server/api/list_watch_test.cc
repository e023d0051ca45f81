// Lists, watches, forms of answers, discovery, the in-process client.
#include "tests/server/api/fixture.h"

namespace server {
namespace {

TEST_F(ApiTest, ListsArePagedConsistently) {
  for (int i = 0; i < 5; ++i) ASSERT_EQ(call("POST", cms, config_map("c" + std::to_string(i))).status, 201);
  Answer first = call("GET", cms + "?limit=2");
  EXPECT_EQ(first.body["kind"], "ConfigMapList");
  EXPECT_EQ(first.body["items"].size(), 2u);
  EXPECT_EQ(first.body["metadata"]["remainingItemCount"], 3);
  ASSERT_EQ(call("POST", cms, config_map("c2b")).status, 201);
  std::string token = first.body["metadata"]["continue"];
  Answer second = call("GET", cms + "?limit=2&continue=" + token);
  EXPECT_EQ(second.body["metadata"]["resourceVersion"], first.body["metadata"]["resourceVersion"]);
  EXPECT_EQ(second.body["items"][1]["metadata"]["name"], "c3") << "what came later is not on this list";
  Answer third = call("GET", cms + "?limit=2&continue=" + second.body["metadata"]["continue"].get<std::string>());
  EXPECT_EQ(third.body["items"].size(), 1u);
  EXPECT_FALSE(third.body["metadata"].contains("continue"));
  EXPECT_EQ(call("GET", cms + "?continue=nonsense").status, 400);
}

TEST_F(ApiTest, Selectors) {
  for (const char* name : {"a", "b", "c"}) {
    json body = pod(name, name == std::string("c") ? "node-1" : "");
    ASSERT_EQ(call("POST", pods, body).status, 201);
  }
  struct Row {
    const char* query;
    size_t want;
  };
  const Row rows[] = {
      {"labelSelector=app=a", 1},
      {"labelSelector=app in (a,b)", 2},
      {"labelSelector=!app", 0},
      {"fieldSelector=metadata.name=b", 1},
      {"fieldSelector=metadata.name!=b", 2},
      {"fieldSelector=spec.nodeName=node-1", 1},
      {"fieldSelector=spec.nodeName=,metadata.namespace=default", 2},
      {"fieldSelector=status.phase=Pending", 3},
  };
  for (const Row& row : rows) {
    Answer a = call("GET", pods + "?" + row.query);
    EXPECT_EQ(a.body["items"].size(), row.want) << row.query << a.text;
  }
  Answer bad = call("GET", pods + "?fieldSelector=spec.foo=1");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.message(), "field label not supported: spec.foo");
  EXPECT_EQ(call("GET", pods + "?labelSelector=a=b=c").status, 400);
  Answer limited = call("GET", pods + "?labelSelector=app in (a,b)&limit=1");
  EXPECT_EQ(limited.body["items"].size(), 1u);
  EXPECT_FALSE(limited.body["metadata"].contains("remainingItemCount"));
  EXPECT_EQ(call("GET", pods + "?labelSelector=app in (a,b)&limit=1&continue=" + limited.body["metadata"]["continue"].get<std::string>()).body["items"][0]["metadata"]["name"], "b");
}

TEST_F(ApiTest, RevisionsOfLists) {
  std::string before = std::to_string(store->revision());
  ASSERT_EQ(call("POST", cms, config_map("a")).status, 201);
  EXPECT_EQ(call("GET", cms + "?resourceVersion=" + before + "&resourceVersionMatch=Exact").body["items"].size(), 0u);
  EXPECT_EQ(call("GET", cms + "?resourceVersion=" + before + "&resourceVersionMatch=NotOlderThan").body["items"].size(), 1u);
  EXPECT_EQ(call("GET", cms + "?resourceVersion=0").body["items"].size(), 1u);
  EXPECT_EQ(call("GET", cms + "?resourceVersionMatch=Exact").status, 422);
  EXPECT_EQ(call("GET", cms + "?resourceVersion=x").status, 400);
}

TEST_F(ApiTest, Tables) {
  ASSERT_EQ(call("POST", cms, config_map("a")).status, 201);
  const std::string accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
  Answer list = call("GET", cms, "", "", accept);
  EXPECT_EQ(list.body["kind"], "Table");
  EXPECT_EQ(list.body["columnDefinitions"][0]["name"], "Name");
  EXPECT_EQ(list.body["rows"][0]["cells"][0], "a");
  EXPECT_EQ(list.body["rows"][0]["object"]["kind"], "PartialObjectMetadata");
  EXPECT_EQ(call("GET", cms + "/a?includeObject=Object", "", "", accept).body["rows"][0]["object"]["kind"], "ConfigMap");
  EXPECT_EQ(call("GET", cms + "?includeObject=Some", "", "", accept).status, 400);
  const std::string partial = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
  Answer metadata = call("GET", cms, "", "", partial);
  EXPECT_EQ(metadata.body["kind"], "PartialObjectMetadataList");
  EXPECT_FALSE(metadata.body["items"][0].contains("data"));
}

TEST_F(ApiTest, LargeAnswersAreCompressedOnRequest) {
  for (int i = 0; i < 3; ++i) ASSERT_EQ(call("POST", cms, config_map("c" + std::to_string(i), std::string(100000, 'x'))).status, 201);
  HttpRequest request = make_request("GET", cms);
  EXPECT_EQ(send(request).header("Content-Encoding"), "");
  request.headers.emplace("accept-encoding", "gzip");
  Answer a = send(request);
  EXPECT_EQ(a.header("Content-Encoding"), "gzip");
  EXPECT_LT(a.text.size(), 10000u);
}

TEST_F(ApiTest, WatchSaysWhatChanges) {
  ASSERT_EQ(call("POST", cms, config_map("a")).status, 201);
  auto events = watch(cms + "?watch=true", 4, "application/json", [&] {
    call("POST", cms, config_map("b"));
    call("PATCH", cms + "/b", R"({"data":{"key":"2"}})", "application/merge-patch+json");
    call("DELETE", cms + "/b");
  });
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0]["type"], "ADDED");
  EXPECT_EQ(events[0]["object"]["metadata"]["name"], "a");
  EXPECT_EQ(events[1]["type"], "ADDED");
  EXPECT_EQ(events[2]["type"], "MODIFIED");
  EXPECT_EQ(events[3]["type"], "DELETED");
  auto number = [](const json& e) { return std::stoull(e["object"]["metadata"]["resourceVersion"].get<std::string>()); };
  EXPECT_LT(number(events[1]), number(events[2]));
  EXPECT_LT(number(events[2]), number(events[3]));
  // From a revision on: strictly after it.
  auto later = watch(cms + "?watch=true&resourceVersion=" + events[1]["object"]["metadata"]["resourceVersion"].get<std::string>(), 2);
  EXPECT_EQ(later[0]["type"], "MODIFIED");
  EXPECT_EQ(later[1]["type"], "DELETED");
}

TEST_F(ApiTest, ObjectsEnterAndLeaveASelector) {
  json body = config_map("a");
  body["metadata"]["labels"] = {{"in", "no"}};
  ASSERT_EQ(call("POST", cms, body).status, 201);
  auto events = watch(cms + "?watch=true&labelSelector=in=yes", 4, "application/json", [&] {
    std::string merge = "application/merge-patch+json";
    call("PATCH", cms + "/a", R"({"metadata":{"labels":{"in":"yes"}}})", merge);
    call("PATCH", cms + "/a", R"({"data":{"key":"2"}})", merge);
    call("PATCH", cms + "/a", R"({"metadata":{"labels":{"in":"no"}}})", merge);
    call("PATCH", cms + "/a", R"({"metadata":{"labels":{"in":"yes"}}})", merge);
  });
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0]["type"], "ADDED");
  EXPECT_EQ(events[1]["type"], "MODIFIED");
  EXPECT_EQ(events[2]["type"], "DELETED");
  EXPECT_EQ(events[2]["object"]["metadata"]["labels"]["in"], "yes") << "the last state that matched";
  EXPECT_EQ(events[3]["type"], "ADDED");
}

TEST_F(ApiTest, WatchListEndsItsFirstPartWithABookmark) {
  ASSERT_EQ(call("POST", cms, config_map("a")).status, 201);
  auto events = watch(cms + "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", 2);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0]["type"], "ADDED");
  EXPECT_EQ(events[1]["type"], "BOOKMARK");
  EXPECT_EQ(events[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
  EXPECT_EQ(call("GET", cms + "?watch=true&sendInitialEvents=true").status, 422);
  EXPECT_EQ(call("GET", cms + "?sendInitialEvents=true&resourceVersionMatch=NotOlderThan").status, 422);
}

TEST_F(ApiTest, TableWatchesSendColumnsOnce) {
  ASSERT_EQ(call("POST", cms, config_map("a")).status, 201);
  ASSERT_EQ(call("POST", cms, config_map("b")).status, 201);
  auto events = watch(cms + "?watch=true", 2, "application/json;as=Table;v=v1;g=meta.k8s.io");
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0]["object"]["kind"], "Table");
  EXPECT_FALSE(events[0]["object"]["columnDefinitions"].empty());
  EXPECT_TRUE(events[1]["object"].value("columnDefinitions", json()).empty());
}

TEST_F(ApiTest, WatchesEndAtTheirTimeoutAndAtClose) {
  Answer timed = call("GET", cms + "?watch=true&timeoutSeconds=1");
  timed.raw.stream([](std::string_view) { return true; }, [] { return true; });
  Answer open = call("GET", cms + "?watch=true");
  std::thread reader([&] { open.raw.stream([](std::string_view) { return true; }, [] { return true; }); });
  api->close_watches();
  reader.join();
}

TEST_F(ApiTest, TooOldWatchesAreExpired) {
  ASSERT_EQ(call("POST", cms, config_map("a")).status, 201);
  ASSERT_EQ(call("POST", cms, config_map("b")).status, 201);
  ASSERT_TRUE(store->compact(store->revision()).ok());
  // The watch begins, as upstream's does, and tells so in its stream.
  auto lines = watch(cms + "?watch=true&resourceVersion=1", 1);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["type"], "ERROR");
  EXPECT_EQ(lines[0]["object"]["code"], 410);
  EXPECT_EQ(lines[0]["object"]["reason"], "Expired");
}

TEST_F(ApiTest, DiscoveryIsCachedByETag) {
  for (const char* path : {"/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1", "/openapi/v3", "/openapi/v3/apis/apps/v1", "/openapi/v2", "/version", "/"}) {
    EXPECT_EQ(call("GET", path).status, 200) << path;
  }
  const std::string v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
  Answer aggregated = call("GET", "/apis", "", "", v2);
  EXPECT_EQ(aggregated.body["kind"], "APIGroupDiscoveryList");
  HttpRequest again = make_request("GET", "/apis", "", "", v2);
  again.headers.emplace("if-none-match", aggregated.header("ETag"));
  EXPECT_EQ(send(again).status, 304);
  EXPECT_EQ(call("GET", "/apis/nosuch").status, 404);
  Answer proto = call("GET", "/openapi/v2", "", "", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf");
  EXPECT_EQ(proto.raw.content_type, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
}

TEST_F(ApiTest, ClientSnapshotsWithoutGap) {
  Client& client = api->client();
  const store::Resource& r = *client.registry().find("", "v1", "configmaps");
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) {
      json body = config_map("w" + std::to_string(i));
      body["metadata"]["namespace"] = "default";
      EXPECT_TRUE(client.create(r, body).ok());
    }
  });
  auto snapshot = client.snapshot_and_watch();
  ASSERT_TRUE(snapshot.ok());
  writer.join();
  std::map<std::string, int> seen;
  for (const auto& o : snapshot->objects) {
    if (o.key().resource == "configmaps") ++seen[o.name()];
  }
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (seen.size() < 200 && std::chrono::steady_clock::now() < deadline) {
    auto events = snapshot->watch->next(std::chrono::milliseconds(100));
    ASSERT_TRUE(events.ok());
    for (const auto& e : *events) ++seen[e.object.name()];
  }
  EXPECT_EQ(seen.size(), 200u);
  for (const auto& [name, count] : seen) EXPECT_EQ(count, 1) << name;
}

TEST_F(ApiTest, ClientWritesGoThroughThePipeline) {
  Client& client = api->client();
  const store::Resource& r = *client.registry().find("apps", "v1", "deployments");
  json tree = deployment("d");
  tree["metadata"]["namespace"] = "default";
  auto made = client.create(r, tree);
  ASSERT_TRUE(made.ok()) << made.error().message;
  json status = made->tree();
  status["status"] = {{"replicas", 2}};
  EXPECT_TRUE(client.update_status(r, status).ok());
  EXPECT_EQ(client.update(r, status).error().code, base::Code::kConflict);
  EXPECT_TRUE(client.patch(r, "default", "d", PatchType::kMerge, {{"spec", {{"replicas", 5}}}}).ok());
  EXPECT_EQ(client.get(r, "default", "d")->tree()["spec"]["replicas"], 5);
  EXPECT_EQ(client.list(r, "", *store::LabelSelector::parse("app=d"))->size(), 1u);
  json bad = tree;
  bad["metadata"]["name"] = "e";
  bad["spec"]["selector"]["matchLabels"]["app"] = "other";
  EXPECT_EQ(client.create(r, bad).error().code, base::Code::kInvalid);
  EXPECT_TRUE(client.remove(r, "default", "d").ok());
  EXPECT_EQ(client.remove(r, "default", "d").error().code, base::Code::kNotFound);
}

}  // namespace
}  // namespace server

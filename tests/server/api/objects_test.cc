// Requests in, responses out: reads and writes.
#include "tests/server/api/fixture.h"

namespace server {
namespace {

TEST_F(ApiTest, AnonymousMayReadHealthAndVersionOnly) {
  struct Row {
    const char* path;
    int want;
  };
  for (const Row& row : {Row{"/healthz", 200}, Row{"/livez", 200}, Row{"/readyz", 200}, Row{"/version", 200}, Row{"/api", 403}, Row{"/api/v1/pods", 403}, Row{"/", 403}, Row{"/nosuch", 403}}) {
    HttpRequest request = make_request("GET", row.path);
    request.user.clear();
    Answer a = send(request);
    EXPECT_EQ(a.status, row.want) << row.path;
  }
}

TEST_F(ApiTest, ReadyzFollowsTheServer) {
  api->set_ready(false);
  EXPECT_EQ(call("GET", "/readyz").status, 500);
  EXPECT_EQ(call("GET", "/livez").status, 200);
}

TEST_F(ApiTest, UnknownPathsAndMethods) {
  struct Row {
    const char *method, *path;
    int want;
    const char* text;
  };
  const Row rows[] = {
      {"GET", "/nosuch", 404, "404 page not found"},
      {"GET", "/api/v1/nosuch", 404, "the server could not find the requested resource"},
      {"GET", "/apis/nosuch/v1/x", 404, "404 page not found"},
      {"GET", "/api/v1/namespaces/default/pods/x/nosuch", 404, "the server could not find the requested resource"},
      {"GET", "/api/v1/namespaces/default/nodes", 404, "the server could not find the requested resource"},
      {"PUT", "/api/v1/nodes", 405, "the server does not allow this method on the requested resource"},
      {"POST", "/api/v1/pods", 405, "the server does not allow this method on the requested resource"},
      {"GET", "/api/v1/namespaces/default/pods/p", 404, "pods \\\"p\\\" not found"},
      {"GET", "/apis/apps/v1/namespaces/default/deployments/d", 404, "deployments.apps \\\"d\\\" not found"},
  };
  for (const Row& row : rows) {
    Answer a = call(row.method, row.path);
    EXPECT_EQ(a.status, row.want) << row.path;
    EXPECT_NE(a.text.find(row.text), std::string::npos) << row.path << ": " << a.text;
  }
  EXPECT_EQ(call("GET", "/apis/apps/v1/namespaces/default/deployments/d").body["details"], (json{{"name", "d"}, {"group", "apps"}, {"kind", "deployments"}}));
}

TEST_F(ApiTest, CreateFillsInWhatTheServerOwns) {
  json sent = config_map("a");
  sent["metadata"]["uid"] = "mine";
  sent["metadata"]["creationTimestamp"] = nullptr;
  sent["metadata"]["generation"] = 7;
  Answer a = call("POST", cms, sent);
  ASSERT_EQ(a.status, 201) << a.text;
  EXPECT_EQ(a.body["metadata"]["namespace"], "default");
  EXPECT_EQ(a.body["metadata"]["uid"].get<std::string>().size(), 36u);
  EXPECT_TRUE(base::parse_rfc3339(a.body["metadata"]["creationTimestamp"].get<std::string>()).ok());
  EXPECT_EQ(a.body["metadata"]["generation"], 7) << "of a kind that does not count";
  EXPECT_EQ(call("GET", cms + "/a").body, a.body);
}

TEST_F(ApiTest, CreateRefusals) {
  json other_ns = config_map("x"), versioned = config_map("x"), unnamed = config_map("x"), bad_name = config_map("X_y"), wrong_kind = config_map("x"), wrong_version = config_map("x");
  other_ns["metadata"]["namespace"] = "other";
  versioned["metadata"]["resourceVersion"] = "5";
  unnamed["metadata"].erase("name");
  wrong_kind["kind"] = "Pod";
  wrong_version["apiVersion"] = "v2";
  json wrong_type = deployment("x");
  wrong_type["spec"]["replicas"] = "three";
  ASSERT_EQ(call("POST", cms, config_map("taken")).status, 201);
  struct Row {
    const char* name;
    std::string path;
    json body;
    int want;
    std::string reason, message;
  };
  const Row rows[] = {
      {"taken", cms, config_map("taken"), 409, "AlreadyExists", "configmaps \"taken\" already exists"},
      {"namespace mismatch", cms, other_ns, 400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"},
      {"no namespace", "/api/v1/namespaces/nosuch/configmaps", config_map("x"), 404, "NotFound", "namespaces \"nosuch\" not found"},
      {"resourceVersion", cms, versioned, 500, "", "resourceVersion should not be set on objects to be created"},
      {"no name", cms, unnamed, 422, "Invalid", "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required"},
      {"bad name", cms, bad_name, 422, "Invalid", "ConfigMap \"X_y\" is invalid: metadata.name: Invalid value: \"X_y\": a lowercase RFC 1123 subdomain"},
      {"wrong kind", cms, wrong_kind, 400, "BadRequest", "Pod in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown conversion"},
      {"wrong version", cms, wrong_version, 400, "BadRequest", "ConfigMap in version \"v2\" cannot be handled as a ConfigMap: no kind \"ConfigMap\" is registered for version \"v2\" in scheme"},
      {"wrong type", deployments, wrong_type, 400, "BadRequest", "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal string"},
  };
  for (const Row& row : rows) {
    Answer a = call("POST", row.path, row.body);
    EXPECT_EQ(a.status, row.want) << row.name;
    EXPECT_EQ(a.reason(), row.reason) << row.name;
    EXPECT_NE(a.message().find(row.message), std::string::npos) << row.name << ": " << a.message();
  }
  EXPECT_EQ(call("POST", cms, std::string("{")).status, 400);
  EXPECT_EQ(call("POST", cms, std::string("x"), "image/png").status, 415);
}

TEST_F(ApiTest, FieldValidation) {
  json body = deployment("d");
  body["spec"]["foo"] = 1;
  Answer strict = call("POST", deployments + "?fieldValidation=Strict", body);
  EXPECT_EQ(strict.status, 400);
  EXPECT_EQ(strict.message(), "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field \"spec.foo\"");
  Answer warn = call("POST", deployments + "?dryRun=All", body);
  EXPECT_EQ(warn.status, 201);
  EXPECT_EQ(warn.header("Warning"), "299 - \"unknown field \\\"spec.foo\\\"\"");
  EXPECT_FALSE(warn.body["spec"].contains("foo"));
  Answer ignore = call("POST", deployments + "?fieldValidation=Ignore&dryRun=All", body);
  EXPECT_EQ(ignore.status, 201);
  EXPECT_EQ(ignore.header("Warning"), "");
  EXPECT_EQ(call("POST", deployments + "?fieldValidation=Maybe", body).status, 422);
  Answer twice = call("POST", cms + "?fieldValidation=Strict", std::string(R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x","name":"x"}})"));
  EXPECT_NE(twice.message().find("duplicate field \"metadata.name\""), std::string::npos) << twice.message();
  ASSERT_EQ(call("POST", deployments, deployment("e")).status, 201);
  Answer patch = call("PATCH", deployments + "/e?fieldValidation=Strict", R"({"spec":{"foo":1}})", "application/merge-patch+json");
  EXPECT_EQ(patch.status, 422);
  EXPECT_TRUE(patch.message().starts_with(" \"\" is invalid: patch: Invalid value: \"{\\\"apiVersion\\\":\\\"apps/v1\\\",")) << patch.message();
  EXPECT_TRUE(patch.message().ends_with("\": strict decoding error: unknown field \"spec.foo\"")) << patch.message();
  patch = call("PATCH", deployments + "/e?fieldValidation=Strict", R"({"spec":{"foo":1}})", "application/strategic-merge-patch+json");
  EXPECT_EQ(patch.message(), " \"\" is invalid: patch: Invalid value: \"map[spec:map[foo:1]]\": strict decoding error: unknown field \"spec.foo\"");
}

TEST_F(ApiTest, DryRunStoresNothing) {
  EXPECT_EQ(call("POST", cms + "?dryRun=All", config_map("a")).status, 201);
  EXPECT_EQ(call("GET", cms + "/a").status, 404);
  EXPECT_EQ(call("POST", cms + "?dryRun=Some", config_map("a")).message(), "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"Some\"]: supported values: \"All\"");
  ASSERT_EQ(call("POST", cms, config_map("a")).status, 201);
  EXPECT_EQ(call("DELETE", cms + "/a?dryRun=All").status, 200);
  EXPECT_EQ(call("PUT", cms + "/a?dryRun=All", config_map("a", "2")).body["data"]["key"], "2");
  EXPECT_EQ(call("GET", cms + "/a").body["data"]["key"], "1");
}

TEST_F(ApiTest, GenerateName) {
  json body = config_map("");
  body["metadata"] = {{"generateName", "pre-"}};
  Answer a = call("POST", cms, body), b = call("POST", cms, body);
  ASSERT_EQ(a.status, 201) << a.text;
  EXPECT_EQ(a.body["metadata"]["name"].get<std::string>().substr(0, 4), "pre-");
  EXPECT_EQ(a.body["metadata"]["name"].get<std::string>().size(), 9u);
  EXPECT_NE(a.body["metadata"]["name"], b.body["metadata"]["name"]);
}

TEST_F(ApiTest, UpdatesNeedTheRevisionTheyWereMadeFrom) {
  json first = call("POST", cms, config_map("a")).body;
  json second = first;
  second["data"]["key"] = "2";
  Answer changed = call("PUT", cms + "/a", second);
  ASSERT_EQ(changed.status, 200) << changed.text;
  EXPECT_NE(changed.body["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
  Answer stale = call("PUT", cms + "/a", second);
  EXPECT_EQ(stale.status, 409);
  EXPECT_EQ(stale.message(), "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again");
  Answer unconditional = call("PUT", cms + "/a", config_map("a", "3"));
  EXPECT_EQ(unconditional.status, 200);
  EXPECT_EQ(unconditional.body["metadata"]["uid"], first["metadata"]["uid"]);
  json other = config_map("a");
  other["metadata"]["uid"] = "x";
  EXPECT_EQ(call("PUT", cms + "/a", other).status, 409);
  EXPECT_EQ(call("PUT", cms + "/a", config_map("b")).message(), "the name of the object (b) does not match the name on the URL (a)");
  EXPECT_EQ(call("PUT", cms + "/nosuch", config_map("nosuch")).status, 404);
}

TEST_F(ApiTest, AnUpdateWithoutEffectKeepsTheRevision) {
  json first = call("POST", deployments, deployment("d")).body;
  EXPECT_EQ(call("PUT", deployments + "/d", first).body["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
  EXPECT_EQ(call("PUT", deployments + "/d", deployment("d")).body["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
  EXPECT_EQ(call("PATCH", deployments + "/d", R"({"spec":{"replicas":3}})", "application/merge-patch+json").body["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
}

TEST_F(ApiTest, GenerationCountsSpecChanges) {
  EXPECT_EQ(call("POST", deployments, deployment("d")).body["metadata"]["generation"], 1);
  struct Row {
    const char* patch;
    int want;
  };
  for (const Row& row : {Row{R"({"metadata":{"labels":{"x":"y"}}})", 1}, Row{R"({"spec":{"replicas":4}})", 2}, Row{R"({"status":{"replicas":9}})", 2}}) {
    EXPECT_EQ(call("PATCH", deployments + "/d", row.patch, "application/merge-patch+json").body["metadata"]["generation"], row.want) << row.patch;
  }
}

TEST_F(ApiTest, StatusAndSpecAreWrittenApart) {
  json with_status = deployment("d");
  with_status["status"] = {{"replicas", 5}};
  EXPECT_EQ(call("POST", deployments, with_status).body["status"].value("replicas", 0), 0);
  Answer status = call("PATCH", deployments + "/d/status", R"({"spec":{"replicas":9},"status":{"replicas":2},"metadata":{"annotations":{"a":"b"}}})", "application/merge-patch+json");
  ASSERT_EQ(status.status, 200) << status.text;
  EXPECT_EQ(status.body["spec"]["replicas"], 3);
  EXPECT_EQ(status.body["status"]["replicas"], 2);
  EXPECT_EQ(status.body["metadata"]["annotations"]["a"], "b");
  EXPECT_EQ(status.body["metadata"]["generation"], 1);
  EXPECT_EQ(call("PUT", deployments + "/d", deployment("d", 4)).body["status"]["replicas"], 2);
}

TEST_F(ApiTest, PatchTypes) {
  ASSERT_EQ(call("POST", deployments, deployment("d")).status, 201);
  struct Row {
    const char *type, *patch;
    int want;
    const char* message;
  };
  const Row rows[] = {
      {"application/merge-patch+json", R"({"spec":{"replicas":5}})", 200, ""},
      {"application/strategic-merge-patch+json", R"({"spec":{"template":{"spec":{"containers":[{"name":"c","image":"x:1"}]}}}})", 200, ""},
      {"application/json-patch+json", R"([{"op":"replace","path":"/spec/replicas","value":6}])", 200, ""},
      {"application/json-patch+json", R"([{"op":"test","path":"/spec/replicas","value":99}])", 422, "the server rejected our request due to an error in our request"},
      {"application/json-patch+json", R"({)", 400, "error decoding patch"},
      {"application/merge-patch+json", R"([])", 400, "error decoding patch"},
      {"application/merge-patch+json", R"({"metadata":{"name":"e"}})", 400, "the name of the object (e) does not match the name on the URL (d)"},
      {"application/merge-patch+json", R"({"metadata":{"resourceVersion":"1"}})", 409, "the object has been modified"},
      {"application/merge-patch+json", R"({"spec":{"selector":{"matchLabels":{"app":"other"}}}})", 422, "field is immutable"},
      {"application/json", R"({})", 415, "415: Unsupported Media Type"},
  };
  for (const Row& row : rows) {
    Answer a = call("PATCH", deployments + "/d", row.patch, row.type);
    EXPECT_EQ(a.status, row.want) << row.patch << ": " << a.text;
    EXPECT_NE((a.status == 200 ? std::string() : a.message()).find(row.message), std::string::npos) << row.patch << ": " << a.message();
  }
  json after = call("GET", deployments + "/d").body;
  EXPECT_EQ(after["spec"]["replicas"], 6);
  EXPECT_EQ(after["spec"]["template"]["spec"]["containers"][0]["image"], "x:1");
  EXPECT_EQ(call("PATCH", deployments + "/x", "{}", "application/merge-patch+json").status, 404);
}

TEST_F(ApiTest, ApplyCreatesThenChanges) {
  json config = config_map("a");
  std::string type = "application/apply-patch+yaml";
  EXPECT_EQ(call("PATCH", cms + "/a", config.dump(), type).message(), "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
  EXPECT_EQ(call("PATCH", cms + "/a?fieldManager=m", config.dump(), type).status, 201);
  EXPECT_EQ(call("PATCH", cms + "/a?fieldManager=m", "apiVersion: v1\nkind: ConfigMap\ndata: {key: '2'}\n", type).body["data"]["key"], "2");
  Answer wrong = call("PATCH", cms + "/a?fieldManager=m", "apiVersion: v2\nkind: ConfigMap\n", type);
  EXPECT_EQ(wrong.message(), "invalid object type: /v2, Kind=ConfigMap");
  Answer unknown = call("PATCH", cms + "/a?fieldManager=m", "apiVersion: v1\nkind: ConfigMap\nfoo: 1\n", type);
  EXPECT_EQ(unknown.status, 500);
  EXPECT_EQ(unknown.message(), "failed to create typed patch object (/; /v1, Kind=ConfigMap): .foo: field not declared in schema");
  EXPECT_EQ(call("PATCH", cms + "/a?force=true", "{}", "application/merge-patch+json").message(),
            "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch");
}

TEST_F(ApiTest, Scale) {
  ASSERT_EQ(call("POST", deployments, deployment("d")).status, 201);
  Answer got = call("GET", deployments + "/d/scale");
  EXPECT_EQ(got.body["kind"], "Scale");
  EXPECT_EQ(got.body["spec"]["replicas"], 3);
  EXPECT_EQ(got.body["status"]["selector"], "app=d");
  EXPECT_EQ(call("PATCH", deployments + "/d/scale", R"({"spec":{"replicas":7}})", "application/merge-patch+json").body["spec"]["replicas"], 7);
  json put = call("GET", deployments + "/d/scale").body;
  put["spec"]["replicas"] = 1;
  EXPECT_EQ(call("PUT", deployments + "/d/scale", put).status, 200);
  EXPECT_EQ(call("PUT", deployments + "/d/scale", put).status, 409);
  EXPECT_EQ(call("PATCH", deployments + "/d/scale", R"({"spec":{"replicas":-1}})", "application/merge-patch+json").message(),
            "Scale.autoscaling \"d\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0");
  EXPECT_EQ(call("GET", deployments + "/d").body["metadata"]["generation"], 3);
}

TEST_F(ApiTest, BindingGivesAPodItsNodeOnce) {
  ASSERT_EQ(call("POST", pods, pod("p")).status, 201);
  json binding = {{"apiVersion", "v1"}, {"kind", "Binding"}, {"metadata", {{"name", "p"}}}, {"target", {{"kind", "Node"}, {"name", "node-1"}}}};
  EXPECT_EQ(call("POST", pods + "/p/binding", binding).status, 201);
  json bound = call("GET", pods + "/p").body;
  EXPECT_EQ(bound["spec"]["nodeName"], "node-1");
  EXPECT_EQ(bound["status"]["conditions"][0]["type"], "PodScheduled");
  Answer again = call("POST", pods + "/p/binding", binding);
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.message(), "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"node-1\"");
}

TEST_F(ApiTest, YamlBodies) {
  Answer a = call("POST", cms, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-yaml}\ndata: {a: 'b'}\n", "application/yaml");
  EXPECT_EQ(a.status, 201) << a.text;
}

}  // namespace
}  // namespace server

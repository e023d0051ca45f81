// What requests are refused with, and what their options mean.
#include "tests/server/api/fixture.h"

namespace server {
namespace {

TEST_F(ApiTest, WhatDoesNotChangeDoesNotAnswerToGet) {
  ASSERT_EQ(call("POST", pods, pod("p")).status, 201);
  struct Row {
    const char *method, *path;
    int want;
  };
  const Row rows[] = {
      {"GET", "/api/v1/namespaces/default/pods/p/eviction", 405},
      {"GET", "/api/v1/namespaces/default/pods/p/binding", 405},
      {"PUT", "/api/v1/namespaces/default/pods/p/binding", 405},
      {"GET", "/api/v1/namespaces/default/serviceaccounts/default/token", 405},
      {"DELETE", "/api/v1/namespaces/default/pods/p/status", 405},
      {"POST", "/apis/apps/v1/namespaces/default/deployments/d/scale", 405},
      {"HEAD", "/api/v1/namespaces/default/pods/p", 405},
      {"HEAD", "/api/v1", 405},
      {"HEAD", "/apis", 200},
      {"POST", "/apis/apps", 200},
      {"POST", "/version", 405},
      {"DELETE", "/api/v1/pods", 405},
      {"GET", "/api/v1//pods", 404},
      {"GET", "/api/v1/namespaces/default/pods/p/status/x", 404},
      {"GET", "/api/v1/namespaces/default/pods/p?watch=true", 200},
  };
  for (const Row& row : rows) EXPECT_EQ(call(row.method, row.path).status, row.want) << row.method << " " << row.path;
  EXPECT_EQ(call("GET", pods + "/p").status, 200) << "nothing of this was an eviction";
  EXPECT_EQ(call("DELETE", "/api/v1/pods").body["details"], json::object());
}

TEST_F(ApiTest, OptionsThatDoNotFit) {
  ASSERT_EQ(call("POST", cms, config_map("a")).status, 201);
  struct Row {
    const char *method, *target;
    int want;
    const char* message;
  };
  const std::string list = cms;
  const Row rows[] = {
      {"GET", "?resourceVersion=abc", 400, "invalid resource version: resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax"},
      {"GET", "/a?resourceVersion=abc", 500, "resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax"},
      {"GET", "/a?export=true", 400, "the export parameter, deprecated since v1.14, is no longer supported"},
      {"GET", "/a?timeout=5", 400, "invalid timeout specified in the request URL - time: missing unit in duration \"5\""},
      {"GET", "?limit=x", 400, "strconv.ParseInt: parsing \"x\": invalid syntax"},
      {"GET", "?limit=-1", 200, ""},
      {"GET", "?resourceVersionMatch=x", 422,
       "ListOptions.meta.k8s.io \"\" is invalid: [resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided, "
       "resourceVersionMatch: Unsupported value: \"x\": supported values: \"Exact\", \"NotOlderThan\", \"\"]"},
      {"GET", "?fieldSelector=spec.x=1", 400, "\"spec.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""},
      {"DELETE", "/a?dryRun=x", 422, "DeleteOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"x\"]: supported values: \"All\""},
      {"DELETE", "/a?propagationPolicy=", 422,
       "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""},
  };
  for (const Row& row : rows) {
    Answer a = call(row.method, list + row.target);
    EXPECT_EQ(a.status, row.want) << row.target;
    EXPECT_EQ(a.message(), row.message) << row.target;
  }
  EXPECT_EQ(call("GET", "/api/v1/nodes?fieldSelector=metadata.namespace=x").message(), "field label not supported: metadata.namespace");
  EXPECT_EQ(call("GET", "/apis/batch/v1/jobs?fieldSelector=x=1").message(), "field label \"x\" not supported for Job");
}

TEST_F(ApiTest, PagesAreOfTheRevisionThatWasAskedFor) {
  for (const char* name : {"a", "b", "c"}) ASSERT_EQ(call("POST", cms, config_map(name)).status, 201);
  const std::string second = call("GET", cms + "/b").body["metadata"]["resourceVersion"];
  Answer page = call("GET", cms + "?limit=2&resourceVersion=" + second);
  EXPECT_EQ(page.body["items"].size(), 2u);
  EXPECT_FALSE(page.body["metadata"].contains("continue")) << "there was no third";
  EXPECT_EQ(call("GET", cms + "?limit=1&resourceVersion=0").body["items"].size(), 3u) << "whatever there is, at once";
}

TEST_F(ApiTest, BodiesThatAreNoObjects) {
  struct Row {
    const char *body, *want;
  };
  const Row rows[] = {
      {" ", "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input (20)"},
      {"{", "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input ({)"},
      {R"({"kind":1})", "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string ({\"kind\":1})"},
      {R"({"apiVersion":"a/b/c"})", "the object provided is unrecognized (must be of type ConfigMap): unexpected GroupVersion string: a/b/c ({\"apiVersion\":\"a/b/c\"})"},
      {R"({"apiVersion":"v1","kind":"Nope"})", "Nope in version \"v1\" cannot be handled as a ConfigMap: no kind \"Nope\" is registered for version \"v1\" in scheme \"pkg/runtime/scheme.go:111\""},
      {R"({"apiVersion":"v1","kind":"PodList"})", "PodList in version \"v1\" cannot be handled as a ConfigMap: converting (v1.PodList) to (core.ConfigMap): unknown conversion"},
  };
  for (const Row& row : rows) {
    Answer a = call("POST", cms, std::string(row.body));
    EXPECT_EQ(a.status, 400) << row.body;
    EXPECT_EQ(a.message(), row.want);
  }
}

TEST_F(ApiTest, UnknownFieldsComeInTheOrderOfTheBody) {
  const std::string body = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","labels":{"a":"1","a":"2"}},"zoo":1,"bar":2,"zoo":3})";
  EXPECT_EQ(call("POST", cms + "?fieldValidation=Strict", body).message(),
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: duplicate field \"metadata.labels.a\", unknown field \"zoo\", unknown field \"bar\"");
}

TEST_F(ApiTest, UpdatesNameTheirObject) {
  ASSERT_EQ(call("POST", cms, config_map("a")).status, 201);
  json unnamed = config_map("a"), elsewhere = config_map("a"), stamped = config_map("a"), strange = config_map("a");
  unnamed["metadata"].erase("name");
  elsewhere["metadata"]["namespace"] = "other";
  stamped["metadata"]["deletionTimestamp"] = "2020-01-01T00:00:00Z";
  strange["metadata"]["resourceVersion"] = "abc";
  struct Row {
    const char* name;
    json body;
    int want;
    const char* message;
  };
  const Row rows[] = {
      {"no name", unnamed, 400, "the name of the object (a based on URL) was undeterminable: name must be provided"},
      {"another name", config_map("b"), 400, "the name of the object (b) does not match the name on the URL (a)"},
      {"another namespace", elsewhere, 400, "the namespace of the provided object does not match the namespace sent on the request"},
      {"deleted by hand", stamped, 422, "ConfigMap \"a\" is invalid: metadata.deletionTimestamp: Invalid value: \"2020-01-01T00:00:00Z\": field is immutable"},
      {"no revision", strange, 500, "strconv.ParseUint: parsing \"abc\": invalid syntax"},
  };
  for (const Row& row : rows) {
    Answer a = call("PUT", cms + "/a", row.body);
    EXPECT_EQ(a.status, row.want) << row.name;
    EXPECT_EQ(a.message(), row.message) << row.name;
  }
  EXPECT_EQ(call("PATCH", cms + "/a", R"({"metadata":{"uid":"x"}})", "application/merge-patch+json").message(), "ConfigMap \"a\" is invalid: metadata.uid: Invalid value: \"x\": field is immutable");
}

TEST_F(ApiTest, SomeKindsAreMadeByAnUpdate) {
  const json lease = {{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}, {"metadata", {{"name", "l"}}}};
  const std::string leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l";
  EXPECT_EQ(call("PUT", leases, lease).status, 201);
  EXPECT_EQ(call("PUT", cms + "/new", config_map("new")).status, 404);
  HttpRequest request = make_request("PUT", "/apis/coordination.k8s.io/v1/namespaces/default/leases/m", json({{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}, {"metadata", {{"name", "m"}}}}).dump());
  request.headers.emplace("impersonate-user", "nobody");
  EXPECT_EQ(send(request).status, 403);
}

TEST_F(ApiTest, OwnersOfANewObject) {
  Answer made = call("POST", pods, pod("p"));
  ASSERT_EQ(made.status, 201) << made.text;
  const json& spec = made.body["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"];
  for (const char* given : {"f:priority", "f:preemptionPolicy", "f:serviceAccountName", "f:serviceAccount", "f:tolerations"}) EXPECT_FALSE(spec.contains(given)) << given;
  EXPECT_TRUE(spec.contains("f:restartPolicy")) << "a default is the writer's";
  EXPECT_FALSE(call("POST", "/api/v1/namespaces", R"({"metadata":{"name":"n"}})").body["metadata"]["managedFields"][0]["fieldsV1"].contains("f:spec"));
  const json job = json::parse(R"({"metadata":{"name":"j"},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}})");
  const json fields = call("POST", "/apis/batch/v1/namespaces/default/jobs", job).body["metadata"]["managedFields"][0]["fieldsV1"];
  EXPECT_FALSE(fields.contains("f:metadata"));
  EXPECT_FALSE(fields["f:spec"].contains("f:selector"));
}

TEST_F(ApiTest, OwnersThatAreThereTwice) {
  json body = config_map("a");
  const json owner = {{"apiVersion", "v1"}, {"kind", "Pod"}, {"name", "x"}, {"uid", "y"}};
  body["metadata"]["ownerReferences"] = {owner, owner};
  Answer made = call("POST", cms, body);
  EXPECT_EQ(made.body["metadata"]["ownerReferences"], json::array({owner}));
  EXPECT_NE(made.header("Warning").find("duplicate UID(s) observed: y"), std::string::npos);
}

TEST_F(ApiTest, WarningsOfWritesThatFail) {
  json body = pod("Bad_Name");
  body["spec"]["nosuch"] = 1;
  body["spec"]["hostPID"] = true;  // Stored, which is told of a pod that is made.
  Answer a = call("POST", pods, body);
  EXPECT_EQ(a.status, 422);
  std::vector<std::string> told;
  for (const auto& [name, value] : a.raw.headers) {
    if (name == "Warning") told.push_back(value);
  }
  EXPECT_EQ(told, std::vector<std::string>{"299 - \"unknown field \\\"spec.nosuch\\\"\""});
}

TEST_F(ApiTest, AnswersInYaml) {
  ASSERT_EQ(call("POST", cms, config_map("a")).status, 201);
  Answer one = call("GET", cms + "/a", "", "", "application/yaml");
  EXPECT_EQ(one.raw.content_type, "application/yaml");
  EXPECT_TRUE(one.text.starts_with("apiVersion: v1\ndata:\n  key: \"1\"\nkind: ConfigMap\n")) << one.text;
  EXPECT_TRUE(call("GET", cms, "", "", "application/yaml").text.starts_with("apiVersion: v1\nitems:\n- "));
  EXPECT_TRUE(call("GET", cms + "/nosuch", "", "", "application/yaml").text.starts_with("apiVersion: v1\ncode: 404\n"));
  EXPECT_TRUE(call("GET", "/apis", "", "", "application/yaml").text.starts_with("apiVersion: v1\ngroups:\n- name: "));
  EXPECT_EQ(call("GET", "/version", "", "", "application/yaml").status, 406);
  EXPECT_EQ(call("GET", cms + "?watch=true", "", "", "application/yaml").status, 406);
}

TEST_F(ApiTest, MetadataOfListsHaveANameOfTheirOwn) {
  ASSERT_EQ(call("POST", cms, config_map("a")).status, 201);
  const std::string one = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", many = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
  EXPECT_EQ(call("GET", cms, "", "", one).message(), "you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)");
  EXPECT_EQ(call("GET", cms + "/a", "", "", many).message(), "you requested PartialObjectMetadataList, but the requested object is not a list (*core.ConfigMap)");
  EXPECT_EQ(call("GET", cms + "/a", "", "", one).status, 200);
}

TEST_F(ApiTest, StatusWritesMetadataToo) {
  ASSERT_EQ(call("POST", deployments, deployment("d")).status, 201);
  ASSERT_EQ(call("POST", pods, pod("p")).status, 201);
  const std::string merge = "application/merge-patch+json", patch = R"({"metadata":{"labels":{"new":"1"},"annotations":{"a":"1"},"finalizers":["example.com/x"]}})";
  Answer of_pod = call("PATCH", pods + "/p/status", patch, merge), of_deployment = call("PATCH", deployments + "/d/status", patch, merge);
  EXPECT_EQ(of_pod.body["metadata"]["finalizers"], json::array({"example.com/x"}));
  EXPECT_EQ(of_pod.body["metadata"]["labels"]["new"], "1");
  EXPECT_FALSE(of_deployment.body["metadata"]["labels"].contains("new")) << "which upstream takes back there";
  EXPECT_EQ(of_deployment.body["metadata"]["annotations"]["a"], "1");
}

}  // namespace
}  // namespace server

// Ingresses among other objects: the default class, ingress-nginx's webhook, columns, generation.
#include "fixture.h"

namespace server {
namespace {

// The machine's time, unless a test says otherwise.
struct SetClock final : base::Clock {
  base::WallTime wall() const override { return now; }
  base::MonoTime mono() const override { return base::SystemClock().mono(); }
  base::WallTime now = base::SystemClock().wall();
};

struct IngressTest : ApiTest {
  void SetUp() override {
    ApiTest::SetUp();
    restart();
  }
  void restart() {
    api->close_watches();
    api = ApiServer::make(*store, store::builtin_registry(), time, options);
    api->set_ready(true);
  }

  Answer make_class(const std::string& name, const std::string& controller, bool is_default = false) {
    json tree = {{"apiVersion", "networking.k8s.io/v1"}, {"kind", "IngressClass"}, {"metadata", {{"name", name}}}, {"spec", {{"controller", controller}}}};
    if (is_default) tree["metadata"]["annotations"] = {{"ingressclass.kubernetes.io/is-default-class", "true"}};
    return call("POST", classes, tree);
  }
  static json ingress(const std::string& name, const json& spec, const json& annotations = nullptr) {
    json tree = {{"apiVersion", "networking.k8s.io/v1"}, {"kind", "Ingress"}, {"metadata", {{"name", name}}}, {"spec", spec}};
    if (!annotations.is_null()) tree["metadata"]["annotations"] = annotations;
    return tree;
  }
  static json backend() { return {{"service", {{"name", "web"}, {"port", {{"number", 80}}}}}}; }
  // "host path Type[, ...]"; host "*" for none, class "" for none.
  static json routes(const std::string& text, const std::string& class_name = "nginx") {
    json spec;
    if (!class_name.empty()) spec["ingressClassName"] = class_name;
    std::istringstream in(text);
    for (std::string host, path, type; in >> host >> path >> type;) {
      if (type.ends_with(',')) type.pop_back();
      json rule = {{"http", {{"paths", json::array({{{"path", path}, {"pathType", type}, {"backend", backend()}}})}}}};
      if (host != "*") rule["host"] = host;
      spec["rules"].push_back(rule);
    }
    return spec;
  }
  static std::vector<std::string> warnings(const Answer& a) {
    std::vector<std::string> out;
    for (const auto& [k, v] : a.raw.headers) {
      if (k == "Warning") out.push_back(v);
    }
    return out;
  }
  // The rest of the webhook's refusal; "" when the write was taken; otherwise what else was said.
  static std::string verdict(const Answer& a) {
    static const std::string kStart = "admission webhook \"validate.nginx.ingress.kubernetes.io\" denied the request: ";
    if (a.status < 300) return "";
    if (!a.message().starts_with(kStart)) return "? " + a.text;
    EXPECT_EQ(a.status, 400);
    EXPECT_EQ(a.reason(), "BadRequest");
    return a.message().substr(kStart.size());
  }

  SetClock time;
  const std::string classes = "/apis/networking.k8s.io/v1/ingressclasses";
  const std::string ingresses = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";
};

struct MadeClass {
  const char* name;
  int made;  // Seconds
  const char* marked;  // The annotation; nullptr: without
};

TEST_F(IngressTest, DefaultClass) {
  struct Row {
    const char* name;
    std::vector<MadeClass> classes;
    json spec, annotations;
    json want;  // spec.ingressClassName
  };
  const json plain = {{"defaultBackend", backend()}}, other = {{"defaultBackend", backend()}, {"ingressClassName", "other"}};
  const json old_way = {{"kubernetes.io/ingress.class", "old"}};
  const Row rows[] = {
      {"no class at all", {}, plain, nullptr, nullptr},
      {"none is the default", {{"a", 0, nullptr}, {"b", 0, "false"}, {"c", 0, ""}, {"d", 0, "True"}}, plain, nullptr, nullptr},
      {"one is", {{"a", 0, nullptr}, {"b", 0, "true"}}, plain, nullptr, "b"},
      {"a class of its own", {{"b", 0, "true"}}, other, nullptr, "other"},
      {"named in the old way", {{"b", 0, "true"}}, plain, old_way, nullptr},
      {"the newest", {{"a", 0, "true"}, {"b", 5, "true"}, {"c", 2, "true"}}, plain, nullptr, "b"},
      {"the newest comes first", {{"a", 5, "true"}, {"b", 0, "true"}}, plain, nullptr, "a"},
      {"by name in the same second", {{"c", 0, "true"}, {"b", 0, "true"}}, plain, nullptr, "b"},
  };
  const base::WallTime start = time.now;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    for (const MadeClass& c : row.classes) {
      time.now = start + std::chrono::seconds(c.made);
      json tree = {{"metadata", {{"name", c.name}}}, {"spec", {{"controller", "example.com/c"}}}};
      if (c.marked) tree["metadata"]["annotations"] = {{"ingressclass.kubernetes.io/is-default-class", c.marked}};
      ASSERT_EQ(call("POST", classes, tree).status, 201);
    }
    Answer a = call("POST", ingresses, ingress("web", row.spec, row.annotations));
    ASSERT_EQ(a.status, 201) << a.text;
    EXPECT_EQ(a.body["spec"].value("ingressClassName", json()), row.want);
    EXPECT_EQ(warnings(a).size(), row.annotations.is_null() ? 0u : 1u);
    EXPECT_EQ(call("DELETE", ingresses + "/web").status, 200);
    for (const MadeClass& c : row.classes) EXPECT_EQ(call("DELETE", classes + "/" + c.name).status, 200);
  }
}

TEST_F(IngressTest, DefaultClassIsForNewOnes) {
  ASSERT_EQ(call("POST", ingresses, ingress("old", {{"defaultBackend", backend()}})).status, 201);
  ASSERT_EQ(make_class("nginx", "k8s.io/ingress-nginx", true).status, 201);
  Answer a = call("PUT", ingresses + "/old", ingress("old", {{"defaultBackend", {{"service", {{"name", "b"}, {"port", {{"number", 1}}}}}}}}));
  EXPECT_EQ(a.status, 200) << a.text;
  EXPECT_FALSE(a.body["spec"].contains("ingressClassName"));
  EXPECT_EQ(a.body["metadata"]["generation"], 2);
  // Server-side apply makes one too.
  a = call("PATCH", ingresses + "/applied?fieldManager=me", ingress("applied", {{"defaultBackend", backend()}}).dump(), "application/apply-patch+yaml");
  EXPECT_EQ(a.status, 201) << a.text;
  EXPECT_EQ(a.body["spec"]["ingressClassName"], "nginx");
  a = call("POST", ingresses, ingress("empty", {{"defaultBackend", backend()}, {"ingressClassName", ""}}));
  EXPECT_EQ(a.status, 422) << "asked for, and wrong";
}

TEST_F(IngressTest, WarnsOfTheOldAnnotation) {
  Answer a = call("POST", ingresses, ingress("web", {{"defaultBackend", backend()}}, {{"kubernetes.io/ingress.class", "nginx"}}));
  ASSERT_EQ(a.status, 201) << a.text;
  ASSERT_EQ(warnings(a).size(), 1u);
  EXPECT_NE(warnings(a)[0].find("is deprecated, please use 'spec.ingressClassName' instead"), std::string::npos) << warnings(a)[0];
  a = call("POST", ingresses, ingress("both", {{"defaultBackend", backend()}, {"ingressClassName", "b"}}, {{"kubernetes.io/ingress.class", "a"}}));
  EXPECT_EQ(a.message(), "Ingress.networking.k8s.io \"both\" is invalid: annotations.kubernetes.io/ingress.class: Invalid value: \"a\": must match "
                         "`ingressClassName` when both are specified");
}

// One Ingress after the other; the verdict on the last.
TEST_F(IngressTest, RoutesThatAreThereAlready) {
  struct Made {
    std::string routes, class_name = "nginx";
    json annotations = nullptr;
  };
  struct Row {
    const char* name;
    std::vector<Made> made;
    std::string want;
  };
  auto taken = [](const std::string& host, const std::string& path, const std::string& by) {
    return "host \"" + host + "\" and path \"" + path + "\" is already defined in ingress default/" + by;
  };
  auto canary = [](const char* value) { return json{{"nginx.ingress.kubernetes.io/canary", value}}; };
  const json rewrite = {{"nginx.ingress.kubernetes.io/rewrite-target", "/x"}}, regex = {{"nginx.ingress.kubernetes.io/use-regex", "true"}};
  const json old_way = {{"kubernetes.io/ingress.class", "nginx"}};
  const Row rows[] = {
      {"the same", {{"a.b / Prefix"}, {"a.b / Prefix"}}, taken("a.b", "/", "i0")},
      {"another host", {{"a.b / Prefix"}, {"b.b / Prefix"}}, ""},
      {"another path", {{"a.b /a Prefix"}, {"a.b /b Prefix"}}, ""},
      {"below it", {{"a.b /a Prefix"}, {"a.b /a/b Prefix"}}, ""},
      {"any host", {{"* /a Exact"}, {"* /a Exact"}}, taken("_", "/a", "i0")},
      {"any host and a host", {{"* /a Exact"}, {"a.b /a Exact"}}, ""},
      {"wildcard", {{"*.b /a Exact"}, {"*.b /a Exact"}}, taken("*.b", "/a", "i0")},
      {"in one of several rules", {{"a.b /x Exact, c.d /y Exact"}, {"a.b /z Exact, c.d /y Exact"}}, taken("c.d", "/y", "i0")},
      {"by the oldest", {{"a.b /x Exact"}, {"a.b /y Exact"}, {"a.b /y Exact"}}, taken("a.b", "/y", "i1")},
      {"a prefix with its slash", {{"a.b /a Prefix"}, {"a.b /a/ Exact"}}, taken("a.b", "/a/", "i0")},
      {"an exact path does not", {{"a.b /a Exact"}, {"a.b /a/ Exact"}}, ""},
      {"the prefix of an exact path", {{"a.b /a Exact"}, {"a.b /a Prefix"}}, taken("a.b", "/a", "i0")},
      {"an exact path within a prefix", {{"a.b /a Prefix"}, {"a.b /a Exact"}}, ""},
      {"left to the controller is a prefix", {{"a.b /a ImplementationSpecific"}, {"a.b /a/ Prefix"}}, taken("a.b", "/a/", "i0")},
      {"rewritten ones have no second path", {{"a.b /a Prefix", "nginx", rewrite}, {"a.b /a/ Exact"}}, ""},
      {"nor regular expressions", {{"a.b /a Prefix", "nginx", regex}, {"a.b /a/ Exact"}}, ""},
      {"rewritten ones have the first", {{"a.b /a Prefix", "nginx", rewrite}, {"a.b /a Prefix"}}, taken("a.b", "/a", "i0")},
      {"canary of it", {{"a.b / Prefix"}, {"a.b / Prefix", "nginx", canary("true")}}, ""},
      {"two canaries of it", {{"a.b / Prefix"}, {"a.b / Prefix", "nginx", canary("true")}, {"a.b / Prefix", "nginx", canary("true")}}, ""},
      {"canary first", {{"a.b / Prefix", "nginx", canary("true")}, {"a.b / Prefix"}}, ""},
      {"canary switched off", {{"a.b / Prefix"}, {"a.b / Prefix", "nginx", canary("false")}}, ""},
      {"beside a canary switched off", {{"a.b / Prefix", "nginx", canary("false")}, {"a.b / Prefix"}}, ""},
      {"of another class", {{"a.b / Prefix", "other"}, {"a.b / Prefix"}}, ""},
      {"both of another class", {{"a.b / Prefix", "other"}, {"a.b / Prefix", "other"}}, ""},
      {"no such class", {{"a.b / Prefix"}, {"a.b / Prefix", "missing"}}, ""},
      {"no class", {{"a.b / Prefix", ""}, {"a.b / Prefix", ""}}, ""},
      {"named in the old way", {{"a.b / Prefix", "", old_way}, {"a.b / Prefix"}}, taken("a.b", "/", "i0")},
      {"the old way asks too", {{"a.b / Prefix"}, {"a.b / Prefix", "", old_way}}, taken("a.b", "/", "i0")},
  };
  ASSERT_EQ(make_class("nginx", "k8s.io/ingress-nginx").status, 201);
  ASSERT_EQ(make_class("other", "example.com/other").status, 201);
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    for (size_t i = 0; i < row.made.size(); ++i) {
      const Made& m = row.made[i];
      time.now += std::chrono::seconds(1);
      Answer a = call("POST", ingresses, ingress("i" + std::to_string(i), routes(m.routes, m.class_name), m.annotations));
      EXPECT_EQ(verdict(a), i + 1 == row.made.size() ? row.want : "") << i;
    }
    EXPECT_EQ(call("DELETE", ingresses).status, 200);
  }
}

TEST_F(IngressTest, RoutesFollowWhatIsStored) {
  ASSERT_EQ(make_class("nginx", "k8s.io/ingress-nginx").status, 201);
  auto made = [&](const std::string& name, const std::string& text) { return verdict(call("POST", ingresses, ingress(name, routes(text)))); };
  auto put = [&](const std::string& name, const std::string& text) { return verdict(call("PUT", ingresses + "/" + name, ingress(name, routes(text)))); };
  const std::string taken = "host \"a.b\" and path \"/a\" is already defined in ingress default/";
  EXPECT_EQ(made("x", "a.b /a Exact"), "");
  EXPECT_EQ(put("x", "a.b /a Exact, a.b /b Exact"), "") << "its own routes";
  EXPECT_EQ(made("y", "a.b /c Exact"), "");
  EXPECT_EQ(put("y", "a.b /a Exact"), taken + "x");
  EXPECT_EQ(verdict(call("PATCH", ingresses + "/y", json{{"spec", routes("a.b /a Exact")}}.dump(), "application/merge-patch+json")), taken + "x");
  EXPECT_EQ(verdict(call("POST", ingresses + "?dryRun=All", ingress("z", routes("a.b /a Exact")))), taken + "x");
  EXPECT_EQ(put("x", "a.b /b Exact"), "");
  EXPECT_EQ(put("y", "a.b /a Exact"), "") << "given up by x";
  EXPECT_EQ(put("x", "a.b /a Exact"), taken + "y");
  restart();
  EXPECT_EQ(made("z", "a.b /a Exact"), taken + "y") << "read at the start";
  EXPECT_EQ(call("DELETE", ingresses + "/y").status, 200);
  EXPECT_EQ(made("z", "a.b /a Exact"), "");

  json leaving = ingress("leaving", routes("a.b /d Exact"));
  leaving["metadata"]["finalizers"] = {"example.com/wait"};
  EXPECT_EQ(verdict(call("POST", ingresses, leaving)), "");
  EXPECT_EQ(call("DELETE", ingresses + "/leaving").status, 200);
  EXPECT_EQ(put("leaving", "a.b /a Exact"), "") << "on its way out: nobody minds, and it is gone without its finalizer";
  EXPECT_EQ(call("GET", ingresses + "/leaving").status, 404);
  EXPECT_EQ(made("w", "a.b /d Exact"), "");

  json other = ingress("x", routes("a.b /a Exact"));
  EXPECT_EQ(verdict(call("POST", "/apis/networking.k8s.io/v1/namespaces/kube-public/ingresses", other)), taken + "z") << "any namespace";
}

// kubectl 1.32 and newer create with protobuf, and delete so from Go.
TEST_F(IngressTest, InProtobuf) {
  static constexpr std::string_view kHex =  // kubectl create ingress simple --rule=foo.com/bar=web:80
      "6b3873000a1f0a146e6574776f726b696e672e6b38732e696f2f76311207496e6772657373124b0a160a0673696d706c6512001a0022002a0032003800420012"
      "2d1a2b0a07666f6f2e636f6d12200a1e0a1c0a042f626172120d220b0a0377656212040a0010501a0545786163741a020a001a002200";
  std::string body;
  for (size_t i = 0; i + 1 < kHex.size(); i += 2) body += static_cast<char>(std::stoi(std::string(kHex.substr(i, 2)), nullptr, 16));
  const std::string type = "application/vnd.kubernetes.protobuf";
  ASSERT_EQ(make_class("nginx", "k8s.io/ingress-nginx", true).status, 201);
  Answer a = call("POST", ingresses, body, type, type + ",application/json");
  ASSERT_EQ(a.status, 201) << a.text;
  json want = routes("foo.com /bar Exact");
  EXPECT_EQ(a.body["spec"], want);
  EXPECT_EQ(verdict(call("POST", ingresses, ingress("again", want))), "host \"foo.com\" and path \"/bar\" is already defined in ingress default/simple");
  EXPECT_EQ(call("POST", ingresses, body, type).reason(), "AlreadyExists");
  EXPECT_EQ(call("POST", ingresses, body.substr(0, 40), type).status, 400);
  EXPECT_EQ(call("POST", services, body, type).status, 400) << "of another kind";

  // {kind: DeleteOptions, preconditions (2) {uid (1)}}
  const std::string removal("k8s\0\x0a\x13\x0a\x02v1\x12\x0d""DeleteOptions\x12\x05\x12\x03\x0a\x01x", 32);
  a = call("DELETE", ingresses + "/simple", removal, type);
  EXPECT_EQ(a.status, 409) << a.text;
  EXPECT_NE(a.message().find("the UID in the precondition (x) does not match"), std::string::npos) << a.message();
  EXPECT_EQ(call("DELETE", ingresses + "/simple", removal.substr(0, 25), type).status, 200) << "no conditions";
}

TEST_F(IngressTest, CatchAll) {
  ASSERT_EQ(make_class("nginx", "k8s.io/ingress-nginx").status, 201);
  const json all = {{"ingressClassName", "nginx"}, {"defaultBackend", backend()}};
  EXPECT_EQ(verdict(call("POST", ingresses, ingress("all", all))), "");
  time.now += std::chrono::seconds(1);
  EXPECT_EQ(verdict(call("POST", ingresses, ingress("again", all))), "") << "only rules are compared";
  EXPECT_EQ(verdict(call("POST", ingresses, ingress("root", routes("* / Prefix")))), "host \"_\" and path \"/\" is already defined in ingress default/all");
  EXPECT_EQ(verdict(call("POST", ingresses, ingress("root", routes("a.b / Prefix")))), "");
}

TEST_F(IngressTest, WhatTheWebhookReads) {
  struct Row {
    const char* name;
    json spec, annotations;
    std::string want;
  };
  auto annotated = [](const char* key, const char* value) { return json{{std::string("nginx.ingress.kubernetes.io/") + key, value}}; };
  const Row rows[] = {
      {"plain paths", routes("a.b /A.b_c-9/ Exact"), nullptr, ""},
      {"regular expression", routes("a.b /a(/|$)(.*) ImplementationSpecific"), nullptr, ""},
      {"as a prefix", routes("a.b /a(/|$)(.*) Prefix"), nullptr, "ingress contains invalid paths: path /a(/|$)(.*) cannot be used with pathType Prefix"},
      {"several", routes("a.b /a* Prefix, a.b /b Exact, c.d /~c Exact"), nullptr,
       "ingress contains invalid paths: path /a* cannot be used with pathType Prefix\npath /~c cannot be used with pathType Exact"},
      {"another class may", routes("a.b /a* Prefix", "other"), nullptr, ""},
      {"escape by path", routes("a.b /etc/nginx Prefix"), nullptr,
       "invalid object: invalid rule in ingress default/web: invalid http path: invalid value found: /etc/nginx"},
      {"escape by directive", routes("a.b /x;root;/y; ImplementationSpecific"), nullptr,
       "invalid object: invalid rule in ingress default/web: invalid http path: invalid value found: /x;root;/y;"},
      {"a root without one", routes("a.b /root/alias Prefix"), nullptr, ""},
      {"snippet", routes("a.b / Prefix"), annotated("configuration-snippet", "return 204;"),
       "nginx.ingress.kubernetes.io/configuration-snippet annotation cannot be used. Snippet directives are disabled by the Ingress administrator"},
      {"blocked word that nobody blocks", routes("a.b / Prefix"), annotated("app-root", "a;}"), ""},
  };
  ASSERT_EQ(make_class("nginx", "k8s.io/ingress-nginx").status, 201);
  ASSERT_EQ(make_class("other", "example.com/other").status, 201);
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Answer a = call("POST", ingresses, ingress("web", row.spec, row.annotations));
    EXPECT_EQ(verdict(a), row.want);
    if (a.status == 201) {
      EXPECT_EQ(call("DELETE", ingresses + "/web").status, 200);
    }
  }

  ASSERT_EQ(call("POST", "/api/v1/namespaces", json{{"metadata", {{"name", "ingress-nginx"}}}}).status, 201);
  json settings = config_map("ingress-nginx-controller");
  settings["data"] = {{"strict-validate-path-type", "false"}, {"allow-snippet-annotations", "true"}, {"annotation-value-word-blocklist", "load_module, }"}};
  ASSERT_EQ(call("POST", "/api/v1/namespaces/ingress-nginx/configmaps", settings).status, 201);
  Answer a = call("POST", ingresses, ingress("loose", routes("a.b /a* Prefix"), annotated("configuration-snippet", "return 204;")));
  EXPECT_EQ(verdict(a), "");
  ASSERT_EQ(warnings(a).size(), 1u) << "said, though allowed";
  EXPECT_NE(warnings(a)[0].find("path /a* cannot be used with pathType Prefix"), std::string::npos);
  EXPECT_EQ(verdict(call("POST", ingresses, ingress("words", routes("a.b /b Prefix"), annotated("app-root", "a;}")))),
            "nginx.ingress.kubernetes.io/app-root annotation contains invalid word }");
}

TEST_F(IngressTest, Columns) {
  ASSERT_EQ(make_class("nginx", "k8s.io/ingress-nginx", true).status, 201);
  json spec = routes("a.b / Prefix, *.c.d / Prefix", "");
  spec["tls"] = json::array({{{"hosts", {"a.b"}}}});
  ASSERT_EQ(call("POST", ingresses, ingress("web", spec)).status, 201);
  const std::string status = R"({"status":{"loadBalancer":{"ingress":[{"ip":"172.30.255.2"}]}}})";
  Answer a = call("PATCH", ingresses + "/web/status", status, "application/merge-patch+json");
  EXPECT_EQ(a.status, 200) << a.text;
  EXPECT_EQ(a.body["metadata"]["generation"], 1);

  auto table = [&](const std::string& path) {
    Answer t = call("GET", path, "", "", "application/json;as=Table;v=v1;g=meta.k8s.io");
    std::string out;
    for (const json& column : t.body["columnDefinitions"]) out += column["name"].get<std::string>() + " ";
    for (const json& row : t.body["rows"]) {
      json cells = row["cells"];
      cells.erase(cells.size() - 1);  // The age
      out += cells.dump();
    }
    return out;
  };
  EXPECT_EQ(table(ingresses), R"(Name Class Hosts Address Ports Age ["web","nginx","a.b,*.c.d","172.30.255.2","80, 443"])");
  EXPECT_EQ(table(classes), R"-(Name Controller Parameters Age ["nginx (default)","k8s.io/ingress-nginx","<none>"])-");
}

TEST_F(IngressTest, ClassesKeepTheirController) {
  ASSERT_EQ(make_class("a", "example.com/a").status, 201);
  Answer a = call("PATCH", classes + "/a", R"({"spec":{"controller":"example.com/b"}})", "application/merge-patch+json");
  EXPECT_EQ(a.message(), R"(IngressClass.networking.k8s.io "a" is invalid: spec.controller: Invalid value: "example.com/b": field is immutable)");
  a = call("PATCH", classes + "/a", R"({"spec":{"parameters":{"kind":"ConfigMap","name":"b"}}})", "application/merge-patch+json");
  EXPECT_EQ(a.status, 200) << a.text;
  EXPECT_EQ(a.body["metadata"]["generation"], 2);
  EXPECT_EQ(a.body["spec"]["parameters"]["scope"], "Cluster");
}

}  // namespace
}  // namespace server

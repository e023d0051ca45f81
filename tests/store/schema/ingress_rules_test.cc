// Ingress and IngressClass: each row is an object, and what prepare makes of it or what validation says. What needs
// other objects (the default class, routes of other Ingresses) is in tests/server/api/ingress_test.cc.
#include "tests/store/schema/rules_support.h"

namespace store {
namespace {

const std::string kTo = R"("backend":{"service":{"name":"web","port":{"number":80}}})";
const std::string kSubdomain =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const std::string kWildcard =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric "
    "characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is "
    "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

// An Ingress of one path with these fields.
std::string path(const std::string& fields) { return R"({"spec":{"rules":[{"http":{"paths":[{)" + fields + "}]}}]}}"; }
std::string route(const std::string& text, const std::string& type) { return path(R"("path":")" + text + R"(","pathType":")" + type + "\"," + kTo); }
std::string host(const std::string& text) { return R"({"spec":{"rules":[{"host":")" + text + R"("}]}})"; }
std::string backend(const std::string& fields) { return R"({"spec":{"defaultBackend":{)" + fields + "}}}"; }
std::string spec(const std::string& fields) { return R"({"spec":{"defaultBackend":{"service":{"name":"a","port":{"number":1}}},)" + fields + "}}"; }

TEST(IngressRules, Prepare) {
  struct IngressRow {
    const char* name;
    std::string in;
    const char* want;  // The spec
  };
  const IngressRow rows[] = {
      {"as it was", R"({"spec":{"rules":[{"host":"a.b","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"a","port":{"name":"http"}}}}]}}]}})",
       R"({"rules":[{"host":"a.b","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"a","port":{"name":"http"}}}}]}}]})"},
      {"empty values are left out",
       R"({"spec":{"defaultBackend":{"service":{"name":"a","port":{"name":"","number":80}}},"tls":[{"hosts":[],"secretName":""}],
           "rules":[{"host":"","http":{"paths":[{"path":"","pathType":"ImplementationSpecific","backend":{"service":{"name":"a","port":{"name":"http","number":0}}}}]}}]}})",
       R"({"defaultBackend":{"service":{"name":"a","port":{"number":80}}},"tls":[{}],
           "rules":[{"http":{"paths":[{"pathType":"ImplementationSpecific","backend":{"service":{"name":"a","port":{"name":"http"}}}}]}}]})"},
      {"empty lists", R"({"spec":{"rules":[],"tls":[]}})", "{}"},
      {"an empty class is a class", R"({"spec":{"ingressClassName":""}})", R"({"ingressClassName":""})"},
  };
  for (const IngressRow& row : rows) {
    SCOPED_TRACE(row.name);
    const json made = prepared("Ingress", row.in);
    EXPECT_EQ(made["spec"], json::parse(row.want));
    EXPECT_EQ(made["status"], json::parse(R"({"loadBalancer":{}})"));
    EXPECT_EQ(prepared("Ingress", made.dump()), made) << "twice is once";
  }
}

struct IngressRow {
  const char* name;
  std::string in;
  std::vector<std::string> want;
  std::string old = {};
};

void expect(const char* kind, const std::vector<IngressRow>& rows) {
  for (const IngressRow& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(problems(kind, row.in, row.old), row.want);
  }
}

TEST(IngressRules, Paths) {
  const std::string at = "spec.rules[0].http.paths[0].";
  expect("Ingress", {
      {"prefix", route("/a/b", "Prefix"), {}},
      {"exact, with a slash", route("/a/", "Exact"), {}},
      {"root", route("/", "Prefix"), {}},
      {"a dot within", route("/a/.b/c.d", "Prefix"), {}},
      {"regular expression", route("/a(/|$)(.*)", "ImplementationSpecific"), {}},
      {"what others may not have", route("/a//b/../%2f/.", "ImplementationSpecific"), {}},
      {"no path", path(R"("pathType":"ImplementationSpecific",)" + kTo), {}},
      {"no path, but needed", path(R"("pathType":"Prefix",)" + kTo), {at + R"(path: Invalid value: "": must be an absolute path)"}},
      {"relative prefix", route("a", "Prefix"), {at + R"(path: Invalid value: "a": must be an absolute path)"}},
      {"relative", route("a", "ImplementationSpecific"), {at + R"(path: Invalid value: "a": must be an absolute path)"}},
      {"two slashes", route("/a//b", "Exact"), {at + R"(path: Invalid value: "/a//b": must not contain '//')"}},
      {"dot", route("/a/./b", "Exact"), {at + R"(path: Invalid value: "/a/./b": must not contain '/./')"}},
      {"dots", route("/a/../b", "Prefix"), {at + R"(path: Invalid value: "/a/../b": must not contain '/../')"}},
      {"encoded slash", route("/a%2fb", "Prefix"), {at + R"(path: Invalid value: "/a%2fb": must not contain '%2f')"}},
      {"encoded slash in capitals", route("/a%2Fb", "Prefix"), {at + R"(path: Invalid value: "/a%2Fb": must not contain '%2F')"}},
      {"dots at the end", route("/a/..", "Prefix"), {at + R"(path: Invalid value: "/a/..": cannot end with '/..')"}},
      {"dot at the end", route("/a/.", "Prefix"), {at + R"(path: Invalid value: "/a/.": cannot end with '/.')"}},
      {"several", route("x//./", "Exact"),
       {at + R"(path: Invalid value: "x//./": must be an absolute path)", at + R"(path: Invalid value: "x//./": must not contain '//')",
        at + R"(path: Invalid value: "x//./": must not contain '/./')"}},
      {"no type: nothing else is looked at", path(R"("path":"a")"), {at + "pathType: Required value: pathType must be specified"}},
      {"unknown type", path(R"("path":"a","pathType":"Regex",)" + kTo),
       {at + R"(pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix")"}},
      {"empty type", path(R"("path":"a","pathType":"",)" + kTo),
       {at + R"(pathType: Unsupported value: "": supported values: "Exact", "ImplementationSpecific", "Prefix")"}},
      {"no backend", path(R"("path":"/","pathType":"Exact")"), {at + R"(backend: Invalid value: "": resource or service backend is required)"}},
      {"the same path twice",
       R"({"spec":{"rules":[{"http":{"paths":[{"path":"/","pathType":"Exact",)" + kTo + R"(},{"path":"/","pathType":"Exact",)" + kTo + "}]}}]}}", {}},
      {"no paths", R"({"spec":{"rules":[{"http":{"paths":[]}}]}})", {"spec.rules[0].http.paths: Required value"}},
  });
}

TEST(IngressRules, Hosts) {
  const std::string at = "spec.rules[0].host: Invalid value: ";
  const std::string long_host = std::string(250, 'a') + ".com";
  expect("Ingress", {
      {"name", host("a.example.com"), {}},
      {"wildcard", host("*.example.com"), {}},
      {"wildcard of one label", host("*.com"), {}},
      {"none", R"({"spec":{"rules":[{}]}})", {}},
      {"address", host("10.0.0.1"), {at + R"("10.0.0.1": must be a DNS name, not an IP address)"}},
      {"IPv6", host("::1"), {at + R"("::1": must be a DNS name, not an IP address)", at + "\"::1\": " + kSubdomain}},
      {"port", host("a.b:80"), {at + "\"a.b:80\": " + kSubdomain}},
      {"capitals", host("A.b"), {at + "\"A.b\": " + kSubdomain}},
      {"only a star", host("*"), {at + "\"*\": " + kWildcard}},
      {"star in the middle", host("a.*.b"), {at + "\"a.*.b\": " + kWildcard}},
      {"two stars", host("*.*.b"), {at + "\"*.*.b\": " + kWildcard}},
      {"star beside letters", host("a*.b"), {at + "\"a*.b\": " + kWildcard}},
      {"too long", host(long_host), {at + "\"" + long_host + "\": must be no more than 253 characters"}},
      {"tls", spec(R"("tls":[{"hosts":["*.a.b","c"],"secretName":"cert"},{}])"), {}},
      {"wrong tls", spec(R"("tls":[{"hosts":["a","*"],"secretName":"a_b"}])"),
       {"spec.tls[0].hosts[1]: Invalid value: \"*\": " + kWildcard, "spec.tls[0].secretName: Invalid value: \"a_b\": " + kSubdomain}},
      {"tls host", spec(R"("tls":[{},{"hosts":["a_b"]}])"), {"spec.tls[1].hosts[0]: Invalid value: \"a_b\": " + kSubdomain}},
  });
}

TEST(IngressRules, Backends) {
  const std::string at = "spec.defaultBackend";
  expect("Ingress", {
      {"number", backend(R"("service":{"name":"a","port":{"number":65535}})"), {}},
      {"name", backend(R"("service":{"name":"a","port":{"name":"http-1"}})"), {}},
      {"service that begins with a digit", backend(R"("service":{"name":"1a","port":{"number":1}})"), {}},
      {"resource", backend(R"("resource":{"apiGroup":"k8s.example.com","kind":"Bucket","name":"assets"})"), {}},
      {"resource of the core group", backend(R"("resource":{"kind":"ConfigMap","name":"a"})"), {}},
      {"nothing", backend(""), {at + R"(: Invalid value: "": resource or service backend is required)"}},
      {"both", backend(R"("service":{},"resource":{"kind":"a","name":"b"})"), {at + R"(: Invalid value: "": cannot set both resource and service backends)"}},
      {"no service name", backend(R"("service":{"port":{"number":1}})"), {at + ".service.name: Required value"}},
      {"bad service name", backend(R"("service":{"name":"a.b","port":{"number":1}})"),
       {at + ".service.name: Invalid value: \"a.b\": must not contain dots"}},
      {"no port", backend(R"("service":{"name":"a"})"), {at + ": Required value: port name or number is required"}},
      {"port 0", backend(R"("service":{"name":"a","port":{"number":0}})"), {at + ": Required value: port name or number is required"}},
      {"two ports", backend(R"("service":{"name":"a","port":{"number":1,"name":"http"}})"), {at + R"(: Invalid value: "": cannot set both port name & port number)"}},
      {"port name", backend(R"("service":{"name":"a","port":{"name":"HTTP"}})"),
       {at + R"(.service.port.name: Invalid value: "HTTP": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-))",
        at + R"(.service.port.name: Invalid value: "HTTP": must contain at least one letter (a-z))"}},
      {"port number", backend(R"("service":{"name":"a","port":{"number":65536}})"),
       {at + ".service.port.number: Invalid value: 65536: must be between 1 and 65535, inclusive"}},
      {"resource without kind and name", backend(R"("resource":{"apiGroup":"A"})"),
       {at + ".resource.apiGroup: Invalid value: \"A\": " + kSubdomain, at + ".resource.kind: Required value", at + ".resource.name: Required value"}},
      {"resource's name", backend(R"("resource":{"kind":"a","name":"b/c"})"), {at + R"(.resource.name: Invalid value: "b/c": may not contain '/')"}},
      {"no rules", R"({"spec":{"ingressClassName":"a"}})", {"spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"}},
      {"no spec", "{}", {"spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"}},
  });
}

TEST(IngressRules, ClassAndStatus) {
  const std::string both = R"({"metadata":{"annotations":{"kubernetes.io/ingress.class":"a"}},"spec":{"ingressClassName":"b","rules":[{}]}})";
  auto status = [](const std::string& fields) { return R"({"spec":{"rules":[{}]},"status":{"loadBalancer":{"ingress":[{)" + fields + "}]}}}"; };
  const std::string at = "status.loadBalancer.ingress[0].";
  expect("Ingress", {
      {"class", spec(R"("ingressClassName":"my.class")"), {}},
      {"bad class", spec(R"("ingressClassName":"a_b")"), {"spec.ingressClassName: Invalid value: \"a_b\": " + kSubdomain}},
      {"empty class", spec(R"("ingressClassName":"")"), {"spec.ingressClassName: Invalid value: \"\": " + kSubdomain}},
      {"the old annotation", R"({"metadata":{"annotations":{"kubernetes.io/ingress.class":"A b"}},"spec":{"rules":[{}]}})", {}},
      {"both, alike", R"({"metadata":{"annotations":{"kubernetes.io/ingress.class":"b"}},"spec":{"ingressClassName":"b","rules":[{}]}})", {}},
      {"both", both, {R"(annotations.kubernetes.io/ingress.class: Invalid value: "a": must match `ingressClassName` when both are specified)"}},
      {"both, later", both, {}, host("a")},
      {"addresses", status(R"("ip":"fd00::1","ports":[{"port":80,"protocol":"TCP"}]},{"hostname":"a.b")"), {}},
      {"no address", status(R"("ip":"a")"), {at + R"(ip: Invalid value: "a": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff))"}},
      {"no name", status(R"("hostname":"a_b")"), {at + "hostname: Invalid value: \"a_b\": " + kSubdomain}},
      {"an address as name", status(R"("hostname":"1.2.3.4")"), {at + R"(hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address)"}},
  });
}

TEST(IngressClassRules, Validation) {
  auto controller = [](const std::string& text) { return R"({"spec":{"controller":")" + text + "\"}}"; };
  auto parameters = [](const std::string& fields) { return R"({"spec":{"controller":"a.b/c","parameters":{)" + fields + "}}}"; };
  const std::string at = "spec.controller: ", longest = "a.b/" + std::string(246, 'x');
  expect("IngressClass", {
      {"controller", controller("k8s.io/ingress-nginx"), {}},
      {"deep path", controller("example.com/a/b~c%20$1"), {}},
      {"250 bytes", controller(longest), {}},
      {"251 bytes", controller(longest + "x"), {at + "Too long: may not be more than 250 bytes"}},
      {"none", R"({"spec":{}})", {at + "Required value"}},
      {"no domain", controller("nginx"), {at + R"(Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo"))"}},
      {"no path", controller("a.b/"), {at + R"(Invalid value: "a.b/": must be a domain-prefixed path (such as "acme.io/foo"))"}},
      {"empty domain", controller("/a"), {at + R"(Invalid value: "/a": must be a domain-prefixed path (such as "acme.io/foo"))"}},
      {"bad domain", controller("A.b/c"), {at + "Invalid value: \"A.b\": " + kSubdomain}},
      {"bad path", controller("a.b/c d"), {at + R"(Invalid value: "c d": Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+'))"}},

      {"parameters", parameters(R"("apiGroup":"k8s.example.net","kind":"ClusterIngressParameter","name":"a")"), {}},
      {"in a namespace", parameters(R"("kind":"ConfigMap","name":"a","scope":"Namespace","namespace":"b")"), {}},
      {"without kind and name", parameters(""), {"spec.parameters.kind: Required value", "spec.parameters.name: Required value"}},
      {"no namespace", parameters(R"("kind":"a","name":"b","scope":"Namespace")"),
       {"spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"}},
      {"namespace of the cluster", parameters(R"("kind":"a","name":"b","namespace":"c")"),
       {"spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"}},
      {"bad namespace", parameters(R"("kind":"a","name":"b","scope":"Namespace","namespace":"c.d")"),
       {"spec.parameters.namespace: Invalid value: \"c.d\": must not contain dots"}},
      {"scope", parameters(R"("kind":"a","name":"b","scope":"World")"),
       {R"(spec.parameters.scope: Unsupported value: "World": supported values: "Cluster", "Namespace")"}},
  });
  EXPECT_EQ(prepared("IngressClass", parameters(R"("kind":"a","name":"b")"))["spec"]["parameters"]["scope"], "Cluster");
  EXPECT_EQ(problems("IngressClass", controller("a.b/d"), controller("a.b/c")),
            std::vector<std::string>{R"(spec.controller: Invalid value: "a.b/d": field is immutable)"});
}

TEST(IngressRules, AsTheApiNamesThem) {
  const Resource& ingress = resource_of("Ingress");
  EXPECT_EQ(ingress.plural, "ingresses");
  EXPECT_EQ(ingress.short_names.size(), 1u);
  EXPECT_EQ(ingress.short_names[0], "ing");
  EXPECT_TRUE(ingress.has_generation && ingress.has_status && ingress.namespaced);
  const Resource& ingress_class = resource_of("IngressClass");
  EXPECT_TRUE(ingress_class.has_generation && !ingress_class.has_status && !ingress_class.namespaced);
  EXPECT_EQ(ingress_class.short_names.size(), 0u);
}

}  // namespace
}  // namespace store

// The scenarios of the Ingress conformance suite, as far as they are about routing (and not about a real request, of which the
// integration tests have some).
#include "server/http/pki.h"
#include "tests/server/gateway/ingress/rig.h"

namespace server::gateway {
namespace {

struct ConformanceRow {
  const char* scenario;
  const char* rules;       // Of the Ingress; SERVICE in it is api.
  const char* host;
  const char* path;
  const char* want;        // The Service, or 404.
};

#define EXACT(path) "{path: " path ", pathType: Exact, backend: {service: {name: api, port: {number: 80}}}}"
#define PREFIX(path) "{path: " path ", pathType: Prefix, backend: {service: {name: api, port: {number: 80}}}}"
#define PREFIX_WEB(path) "{path: " path ", pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}"
#define PATHS(host, paths) "rules: [{host: " host ", http: {paths: [" paths "]}}]"

const ConformanceRow kConformanceRows[] = {
    // Default backend: whatever the host, the path, the method.
    {"default backend, /", "defaultBackend: {service: {name: api, port: {number: 80}}}", "anything.example", "/", "api"},
    {"default backend, a path", "defaultBackend: {service: {name: api, port: {number: 80}}}", "other.example", "/test", "api"},
    {"default backend, an address", "defaultBackend: {service: {name: api, port: {number: 80}}}", "192.0.2.1", "/", "api"},
    // Hosts
    {"wildcard, one label", PATHS("'*.foo.com'", PREFIX("/")), "bar.foo.com", "/", "api"},
    {"wildcard, two labels", PATHS("'*.foo.com'", PREFIX("/")), "baz.bar.foo.com", "/", "404"},
    {"wildcard, none", PATHS("'*.foo.com'", PREFIX("/")), "foo.com", "/", "404"},
    {"exact host", PATHS("foo.bar.com", PREFIX_WEB("/")), "foo.bar.com", "/", "web"},
    {"exact host, another", PATHS("foo.bar.com", PREFIX_WEB("/")), "sub.foo.bar.com", "/", "404"},
    {"exact host, of the same domain", PATHS("foo.bar.com", PREFIX_WEB("/")), "bar.com", "/", "404"},
    // Paths
    {"exact, the path", PATHS("exact-path-rules", EXACT("/foo")), "exact-path-rules", "/foo", "api"},
    {"exact, a slash more", PATHS("exact-path-rules", EXACT("/foo")), "exact-path-rules", "/foo/", "404"},
    {"exact, case", PATHS("exact-path-rules", EXACT("/foo")), "exact-path-rules", "/FOO", "404"},
    {"exact, another", PATHS("exact-path-rules", EXACT("/foo")), "exact-path-rules", "/bar", "404"},
    {"exact with a slash, without", PATHS("exact-path-rules", EXACT("/foo/")), "exact-path-rules", "/foo", "404"},
    {"exact with a slash", PATHS("exact-path-rules", EXACT("/foo/")), "exact-path-rules", "/foo/", "api"},
    {"prefix, the path", PATHS("prefix-path-rules", PREFIX("/foo")), "prefix-path-rules", "/foo", "api"},
    {"prefix, a slash more", PATHS("prefix-path-rules", PREFIX("/foo")), "prefix-path-rules", "/foo/", "api"},
    {"prefix, case", PATHS("prefix-path-rules", PREFIX("/foo")), "prefix-path-rules", "/FOO", "404"},
    {"prefix, below it", PATHS("prefix-path-rules", PREFIX("/aaa/bbb")), "prefix-path-rules", "/aaa/bbb/ccc", "api"},
    {"prefix, elements not characters", PATHS("prefix-path-rules", PREFIX("/aaa/bbb")), "prefix-path-rules", "/aaa/bbbccc", "404"},
    {"prefix, above it", PATHS("prefix-path-rules", PREFIX("/aaa/bbb")), "prefix-path-rules", "/aaa", "404"},
    {"prefix with a slash, without", PATHS("prefix-path-rules", PREFIX("/aaa/bbb/")), "prefix-path-rules", "/aaa/bbb", "api"},
    {"prefix with a slash, below it", PATHS("prefix-path-rules", PREFIX("/aaa/bbb/")), "prefix-path-rules", "/aaa/bbb/ccc", "api"},
    {"the longer prefix", PATHS("mixed-path-rules", PREFIX("/") ", " PREFIX_WEB("/aaa")), "mixed-path-rules", "/aaa/ccc", "web"},
    {"the shorter prefix", PATHS("mixed-path-rules", PREFIX("/") ", " PREFIX_WEB("/aaa")), "mixed-path-rules", "/ccc", "api"},
    {"the longer prefix, element-wise", PATHS("mixed-path-rules", PREFIX("/") ", " PREFIX_WEB("/aaa")), "mixed-path-rules", "/aaaccc", "api"},
    {"exact before prefix", PATHS("mixed-path-rules", PREFIX_WEB("/foo") ", " EXACT("/foo")), "mixed-path-rules", "/foo", "api"},
    {"prefix beside exact", PATHS("mixed-path-rules", PREFIX_WEB("/foo") ", " EXACT("/foo")), "mixed-path-rules", "/foo/", "web"},
    {"no path fits", PATHS("mixed-path-rules", PREFIX_WEB("/foo") ", " EXACT("/foo")), "mixed-path-rules", "/bar", "404"},
};

TEST(Conformance, routing) {
  for (const ConformanceRow& row : kConformanceRows) {
    Rig rig;
    rig.add(std::string("{kind: Ingress, metadata: {name: a}, spec: {ingressClassName: nginx, ") + row.rules + "}}");
    const IngressResult result = rig.compile();
    EXPECT_EQ(problems_of(result), "") << row.scenario;
    EXPECT_EQ(answer(result, row.host, row.path), row.want) << row.scenario;
    EXPECT_EQ(answer(result, row.host, row.path, true), row.want) << row.scenario << ", TLS";
  }
}

TEST(Conformance, a_class_of_nobody_gets_no_status) {
  Rig rig;
  rig.add("{kind: Ingress, metadata: {name: a}, spec: {ingressClassName: some-invalid-class-name, defaultBackend: {service: {name: api, port: {number: 80}}}}}");
  const IngressResult result = rig.compile();
  EXPECT_TRUE(result.served.empty());
  EXPECT_EQ(answer(result, "x", "/"), "404");
}

TEST(Conformance, all_endpoints_of_ten) {
  Rig rig;
  std::string endpoints;
  for (int i = 1; i <= 10; ++i) endpoints += "{addresses: [10.244.2." + std::to_string(i) + "]}, ";
  rig.add("{kind: Service, metadata: {name: ten}, spec: {clusterIP: 10.96.0.60, ports: [{port: 8080}]}}\n---\n"
          "{kind: EndpointSlice, metadata: {name: ten-1, labels: {kubernetes.io/service-name: ten}}, addressType: IPv4, ports: [{port: 3000}], endpoints: [" + endpoints + "]}\n---\n"
          "{kind: Ingress, metadata: {name: a}, spec: {ingressClassName: nginx, rules: [{host: load-balancing, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: ten, port: {number: 8080}}}}]}}]}}");
  const IngressResult result = rig.compile();
  const Forward& forward = std::get<Forward>(listener_of(result).hosts.at(0).routes.at(0).action);
  EXPECT_EQ(forward.backends.at(0).upstream->endpoints.size(), 10u);
  EXPECT_EQ(forward.backends.at(0).upstream->balance, Balance::kRoundRobin);
}

// ---- Certificates ------------------------------------------------------------------------------------------------------

std::map<std::string, std::string> certificate(std::vector<std::string> names, int days = 30) {
  static const KeyPair ca = make_ca("test").value();
  CertRequest request;
  request.common_name = names.at(0);
  request.dns_names = std::move(names);
  request.days = days;
  const KeyPair pair = sign(ca, request).value();
  return {{"tls.crt", pair.cert_pem}, {"tls.key", pair.key_pem}};
}

struct TlsRow {
  const char* name;
  const char* tls;
  const char* want;        // Secret shown for foo.bar.com; "": the default one.
  const char* reason = "";
};

const TlsRow kTls[] = {
    {"a Secret for the host", "{hosts: [foo.bar.com], secretName: good}", "default/good"},
    {"in another case", "{hosts: [Foo.Bar.com], secretName: good}", "default/good"},
    {"by a wildcard of one label", "{hosts: [foo.bar.com], secretName: wild}", "default/wild"},
    {"no hosts, but a certificate that fits", "{secretName: good}", "default/good"},
    {"no hosts, none fits", "{secretName: strange}", ""},
    {"no Secret is named", "{hosts: [foo.bar.com]}", ""},
    {"no such Secret", "{hosts: [foo.bar.com], secretName: gone}", "", "TlsSecretNotFound"},
    {"no certificate in it", "{hosts: [foo.bar.com], secretName: opaque}", "", "TlsSecretInvalid"},
    {"no PEM in it", "{hosts: [foo.bar.com], secretName: garbage}", "", "TlsSecretInvalid"},
    {"another's key", "{hosts: [foo.bar.com], secretName: mixed}", "", "TlsSecretInvalid"},
    {"for other names", "{hosts: [foo.bar.com], secretName: strange}", "", "TlsHostMismatch"},
};

TEST(Tls, certificates) {
  for (const TlsRow& row : kTls) {
    Rig rig;
    const auto good = certificate({"foo.bar.com"}), strange = certificate({"other.org"});
    rig.secret("good", good);
    rig.secret("wild", certificate({"*.bar.com"}));
    rig.secret("strange", strange);
    rig.secret("opaque", {{"x", "y"}});
    rig.secret("garbage", {{"tls.crt", "x"}, {"tls.key", "y"}});
    rig.secret("mixed", {{"tls.crt", good.at("tls.crt")}, {"tls.key", strange.at("tls.key")}});
    rig.add(std::string("{kind: Ingress, metadata: {name: a}, spec: {ingressClassName: nginx, tls: [") + row.tls + "], " + PATHS("foo.bar.com", PREFIX_WEB("/")) + "}}");
    const IngressResult result = rig.compile();
    const VirtualHost& host = listener_of(result, true).hosts.at(0);
    EXPECT_EQ(host.identity == nullptr ? "" : host.identity->origin.ns + "/" + host.identity->origin.name, row.want) << row.name;
    EXPECT_EQ(result.problems.empty() ? "" : result.problems[0].reason, row.reason) << row.name << "\n" << problems_of(result);
    // A tls section is enough for clients to be sent to https.
    EXPECT_EQ(answer(result, "foo.bar.com", "/"), "308") << row.name;
    EXPECT_EQ(answer(result, "foo.bar.com", "/", true), "web") << row.name;
    EXPECT_EQ(listener_of(result, false).hosts.at(0).identity, nullptr);
    EXPECT_EQ(listener_of(result, true).identity->origin.name, "");
  }
}

TEST(Tls, an_expired_certificate_is_shown_and_told) {
  Rig rig;
  rig.secret("old", certificate({"foo.bar.com"}, -1));
  rig.add("{kind: Ingress, metadata: {name: a}, spec: {ingressClassName: nginx, tls: [{hosts: [foo.bar.com], secretName: old}], " PATHS("foo.bar.com", PREFIX_WEB("/")) "}}");
  const IngressResult result = rig.compile();
  EXPECT_EQ(reasons_of(result), std::vector<std::string>{"TlsCertificateExpired"}) << problems_of(result);
  EXPECT_NE(listener_of(result, true).hosts.at(0).identity, nullptr);
}

TEST(Tls, the_same_Secret_is_the_same_identity_in_the_next_table) {
  Rig rig;
  rig.secret("good", certificate({"foo.bar.com"}));
  rig.add("{kind: Ingress, metadata: {name: a}, spec: {ingressClassName: nginx, tls: [{hosts: [foo.bar.com], secretName: good}], " PATHS("foo.bar.com", PREFIX_WEB("/")) "}}");
  const IdentityPtr first = listener_of(rig.compile(), true).hosts.at(0).identity;
  EXPECT_EQ(listener_of(rig.compile(), true).hosts.at(0).identity, first);
  rig.secret("good", certificate({"foo.bar.com"}));
  EXPECT_NE(listener_of(rig.compile(), true).hosts.at(0).identity, first);
}

TEST(Tls, the_first_Ingress_of_a_host_decides_whom_it_asks_for_certificates) {
  Rig rig;
  rig.secret("ca", {{"ca.crt", make_ca("x").value().cert_pem}});
  for (const char* name : {"a", "b"}) {
    rig.add(std::string("{kind: Ingress, metadata: {name: ") + name + ", annotations: {nginx.ingress.kubernetes.io/auth-tls-secret: ca, nginx.ingress.kubernetes.io/auth-tls-verify-depth: \"" +
            (*name == 'a' ? "1" : "2") + "\"}}, spec: {ingressClassName: nginx, rules: [{host: foo.bar.com, http: {paths: [{path: /" + name + ", pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}}");
  }
  const IngressResult result = rig.compile();
  EXPECT_EQ(reasons_of(result), std::vector<std::string>{"AnnotationConflict"}) << problems_of(result);
  EXPECT_EQ(listener_of(result, true).hosts.at(0).client_auth->depth, 1);
}

TEST(Tls, the_default_certificate_may_be_a_Secret) {
  Rig rig;
  rig.secret("everybody", certificate({"x.org"}), "certs");
  rig.options.default_certificate = "certs/everybody";
  EXPECT_EQ(listener_of(rig.compile(), true).identity->origin.name, "everybody");
  rig.options.default_certificate = "certs/gone";
  const IngressResult result = rig.compile();
  EXPECT_EQ(listener_of(result, true).identity->origin.name, "");
  EXPECT_EQ(reasons_of(result), std::vector<std::string>{"TlsSecretInvalid"});
}

}  // namespace
}  // namespace server::gateway

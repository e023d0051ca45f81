// The scenarios of the Ingress conformance suite (kubernetes-sigs/ingress-controller-conformance: 5 features, 30 scenarios), from manifests
// through the compiler and the engine to echo endpoints on 127.0.0.1. Prints each scenario. What the suite asks of a cluster beyond that
// (addresses in the status, pods that scale) is asked of the compiler here, and of a cluster by tests/integration/ingress.sh.
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <future>
#include <iostream>
#include <set>

#include "server/gateway/engine/engine.h"
#include "server/http/pki.h"
#include "tests/server/gateway/differential/conversation.h"
#include "tests/server/gateway/differential/echo_backend.h"
#include "tests/server/gateway/ingress/rig.h"

namespace conformance {
namespace {

using differential::Answer;
using differential::Conversation;
using differential::EchoBackend;

int scenarios = 0;

// One line an executed scenario; failures follow it.
void scenario(const std::string& feature, const std::string& name) {
  ++scenarios;
  std::cout << "   " << feature << ": " << name << "\n";
}

// Ingresses in force: B's compiler, the lead's engine, a backend a Service.
class Cluster {
 public:
  // A Service of that name with so many endpoints on port 8080, named "http".
  void add_service(const std::string& name, int endpoints = 1) {
    rig_.add("{kind: Service, metadata: {name: " + name + "}, spec: {clusterIP: 10.96.1." + std::to_string(++services_) + ", ports: [{name: http, port: 8080, targetPort: 3000}]}}");
    for (int i = 0; i < endpoints; ++i) {
      backends_.push_back(std::make_unique<EchoBackend>(name + (endpoints > 1 ? "-" + std::to_string(i) : "")));
      rig_.add("{kind: EndpointSlice, metadata: {name: " + name + "-" + std::to_string(i) + ", labels: {kubernetes.io/service-name: " + name +
               "}}, addressType: IPv4, ports: [{name: http, port: " + std::to_string(backends_.back()->port()) + "}], endpoints: [{addresses: [127.0.0.1]}]}");
    }
  }
  server::gateway::Rig& rig() { return rig_; }

  // The manifest's Ingresses, and the engine that serves them. `problem`: the reason of the one that is told; empty: none is.
  void serve(const std::string& manifest, const std::string& problem = "") {
    rig_.add(manifest);
    result = rig_.compile();
    EXPECT_EQ(server::gateway::reasons_of(result), problem.empty() ? std::vector<std::string>() : std::vector<std::string>{problem}) << server::gateway::problems_of(result);
    server::gateway::EngineOptions options;
    options.addresses = {base::Ip::v4(127, 0, 0, 1)};
    options.ephemeral_ports = true;
    auto engine = server::gateway::Engine::start(std::move(options));
    ASSERT_TRUE(engine.ok());
    engine_ = std::move(*engine);
    std::promise<std::vector<std::string>> done;
    engine_->publish(std::make_shared<server::gateway::Table>(result.table), [&](std::vector<std::string> problems) { done.set_value(std::move(problems)); });
    ASSERT_EQ(done.get_future().get(), std::vector<std::string>());
    port_ = engine_->ports().at("http");
    tls_port_ = engine_->ports().at("https");
  }

  // As the suite's client, which is Go's.
  Conversation send(const std::string& method, const std::string& host, const std::string& path, bool tls = false) {
    differential::Request request;
    request.bytes = method + " " + path + " HTTP/1.1\r\nHost: " + (host.empty() ? "127.0.0.1:" + std::to_string(port_) : host) + "\r\nUser-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\nConnection: close\r\n" +
                    (method == "GET" || method == "DELETE" ? "" : "Content-Length: 0\r\n") + "\r\n";
    request.tls = tls;
    request.server_name = host;
    return differential::converse(request, port_, tls_port_);
  }

  server::gateway::IngressResult result;

 private:
  server::gateway::Rig rig_;
  int services_ = 0;
  std::vector<std::unique_ptr<EchoBackend>> backends_;
  std::unique_ptr<server::gateway::Engine> engine_;
  uint16_t port_ = 0, tls_port_ = 0;
};

std::string field(const Answer& answer, const std::string& name) {
  for (const std::string& line : answer.headers) {
    if (line.rfind(name + ": ", 0) == 0) return line.substr(name.size() + 2);
  }
  return "";
}
int status_of(const Conversation& got) { return got.answers.empty() ? 0 : std::atoi(got.answers[0].status.c_str() + 9); }

// 200 by that service, which saw that request; or 404, with `service` empty.
void expect_served(const Conversation& got, const std::string& service, const std::string& method, const std::string& path) {
  ASSERT_EQ(got.answers.size(), 1u);
  EXPECT_EQ(status_of(got), service.empty() ? 404 : 200);
  if (service.empty()) return;
  EXPECT_EQ(field(got.answers[0], "x-backend"), service);
  EXPECT_EQ(got.answers[0].body.substr(0, got.answers[0].body.find("\r\n")), method + " " + path + " HTTP/1.1");
}

TEST(IngressConformance, default_backend) {
  Cluster cluster;
  cluster.add_service("echo-service");
  cluster.serve("{kind: Ingress, metadata: {name: default-backend}, spec: {ingressClassName: nginx, defaultBackend: {service: {name: echo-service, port: {number: 8080}}}}}");
  struct Row {
    const char *method, *host, *path;
  };
  for (const Row& row : {Row{"GET", "my-host", "/"}, Row{"GET", "my-host", "/sub-path"}, Row{"POST", "some-host", "/"}, Row{"PUT", "", "/resource"}, Row{"DELETE", "some-host", "/resource"},
                         Row{"PATCH", "my-host", "/resource"}}) {
    scenario("default backend", std::string(row.method) + " " + (*row.host != 0 ? row.host : "(no host)") + row.path + " goes to it");
    Conversation got = cluster.send(row.method, row.host, row.path);
    expect_served(got, "echo-service", row.method, row.path);
    EXPECT_EQ(got.raw.rfind("HTTP/1.1 ", 0), 0u);
    for (const char* name : {"\r\nContent-Length: ", "\r\nContent-Type: ", "\r\nDate: ", "\r\nServer: "}) EXPECT_NE(got.raw.find(name), std::string::npos) << name + 2;
    EXPECT_NE(got.raw.find("User-Agent: Go-http-client/1.1"), std::string::npos);
  }
}

TEST(IngressConformance, host_rules) {
  Cluster cluster;
  cluster.add_service("wildcard-foo-com");
  cluster.add_service("foo-bar-com");
  auto ca = server::make_ca("test");
  server::CertRequest request;
  request.common_name = "foo.bar.com";
  request.dns_names = {"foo.bar.com"};
  auto pair = server::sign(*ca, request);
  ASSERT_TRUE(pair.ok());
  cluster.rig().secret("conformance-tls", {{"tls.crt", pair->cert_pem}, {"tls.key", pair->key_pem}});
  cluster.serve(R"({kind: Ingress, metadata: {name: host-rules}, spec: {ingressClassName: nginx, tls: [{hosts: [foo.bar.com], secretName: conformance-tls}], rules: [
    {host: "*.foo.com", http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: wildcard-foo-com, port: {number: 8080}}}}]}},
    {host: foo.bar.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: foo-bar-com, port: {name: http}}}}]}}]}})");
  struct Row {
    const char *name, *host;
    bool tls;
    const char* service;
  };
  for (const Row& row : {Row{"an exact host by TLS, with its certificate", "foo.bar.com", true, "foo-bar-com"}, Row{"an exact host", "foo.bar.com", false, "foo-bar-com"},
                         Row{"another host is not found", "subdomain.bar.com", false, ""}, Row{"a wildcard takes one label", "bar.foo.com", false, "wildcard-foo-com"},
                         Row{"a wildcard does not take two labels", "baz.bar.foo.com", false, ""}, Row{"a wildcard does not take none", "foo.com", false, ""}}) {
    scenario("host rules", row.name);
    Conversation got = cluster.send("GET", row.host, "/", row.tls);
    // A host with a certificate is redirected to it; the suite's client follows once.
    if (status_of(got) == 308) {
      EXPECT_EQ(field(got.answers[0], "location"), std::string("https://") + row.host);
      got = cluster.send("GET", row.host, "/", true);
    }
    expect_served(got, row.service, "GET", "/");
    if (*row.service != 0) EXPECT_NE(got.answers[0].body.find(std::string("host: ") + row.host + "\r\n"), std::string::npos);
    if (!row.tls) continue;
    BIO* memory = BIO_new_mem_buf(got.certificate.data(), static_cast<int>(got.certificate.size()));
    X509* shown = PEM_read_bio_X509(memory, nullptr, nullptr, nullptr);
    ASSERT_NE(shown, nullptr);
    EXPECT_EQ(X509_check_host(shown, row.host, 0, 0, nullptr), 1);
    X509_free(shown);
    BIO_free(memory);
  }
}

TEST(IngressConformance, ingress_class) {
  Cluster cluster;
  cluster.add_service("echo-service");
  scenario("ingress class", "an Ingress of another class gets no address and no traffic");
  cluster.serve("{kind: Ingress, metadata: {name: other}, spec: {ingressClassName: some-invalid-class-name, rules: [{host: some-host, http: {paths: [{path: /, pathType: Prefix, backend: {service: "
                "{name: echo-service, port: {number: 8080}}}}]}}]}}", "IngressClassNotFound");
  EXPECT_TRUE(cluster.result.served.empty());
  EXPECT_EQ(status_of(cluster.send("GET", "some-host", "/")), 404);
}

TEST(IngressConformance, load_balancing) {
  Cluster cluster;
  cluster.add_service("echo-service", 10);
  cluster.serve("{kind: Ingress, metadata: {name: path-rules}, spec: {ingressClassName: nginx, rules: [{host: load-balancing, http: {paths: [{path: /, pathType: Prefix, backend: {service: "
                "{name: echo-service, port: {number: 8080}}}}]}}]}}");
  scenario("load balancing", "100 requests reach all of 10 endpoints");
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    Conversation got = cluster.send("GET", "load-balancing", "/");
    ASSERT_EQ(status_of(got), 200);
    seen.insert(field(got.answers[0], "x-backend"));
  }
  EXPECT_EQ(seen.size(), 10u);
}

std::string path_rule(const std::string& path, const std::string& type, const std::string& service) {
  return "{path: " + path + ", pathType: " + type + ", backend: {service: {name: " + service + ", port: {number: 8080}}}}";
}

TEST(IngressConformance, path_rules) {
  Cluster cluster;
  for (const char* name : {"foo-exact", "foo-prefix", "aaa-slash-bbb-prefix", "aaa-prefix", "aaa-slash-bbb-slash-prefix", "foo-slash-exact"}) cluster.add_service(name);
  cluster.serve("{kind: Ingress, metadata: {name: path-rules}, spec: {ingressClassName: nginx, rules: [\n{host: exact, http: {paths: [" + path_rule("/foo", "Exact", "foo-exact") +
                "]}},\n{host: prefix, http: {paths: [" + path_rule("/foo", "Prefix", "foo-prefix") + ", " + path_rule("/aaa/bbb", "Prefix", "aaa-slash-bbb-prefix") + ", " +
                path_rule("/aaa", "Prefix", "aaa-prefix") + "]}},\n{host: mixed, http: {paths: [" + path_rule("/foo", "Prefix", "foo-prefix") + ", " + path_rule("/foo", "Exact", "foo-exact") +
                "]}},\n{host: trailing-slash, http: {paths: [" + path_rule("/aaa/bbb/", "Prefix", "aaa-slash-bbb-slash-prefix") + ", " + path_rule("/foo/", "Exact", "foo-slash-exact") + "]}}]}}");
  struct Row {
    const char *name, *host, *path, *service;
  };
  for (const Row& row : {
           Row{"exact /foo takes /foo", "exact", "/foo", "foo-exact"},
           Row{"exact /foo does not take /foo/", "exact", "/foo/", ""},
           Row{"exact /foo does not take /FOO", "exact", "/FOO", ""},
           Row{"exact /foo does not take /bar", "exact", "/bar", ""},
           Row{"prefix /foo takes /foo", "prefix", "/foo", "foo-prefix"},
           Row{"prefix /foo takes /foo/", "prefix", "/foo/", "foo-prefix"},
           Row{"prefix /foo does not take /FOO", "prefix", "/FOO", ""},
           Row{"prefix /aaa/bbb, the longest, takes /aaa/bbb", "prefix", "/aaa/bbb", "aaa-slash-bbb-prefix"},
           Row{"prefix /aaa/bbb, the longest, takes /aaa/bbb/ccc", "prefix", "/aaa/bbb/ccc", "aaa-slash-bbb-prefix"},
           Row{"prefix /aaa takes /aaa/ccc", "prefix", "/aaa/ccc", "aaa-prefix"},
           Row{"prefix /aaa does not take /aaaccc", "prefix", "/aaaccc", ""},
           Row{"prefix /foo takes /foo/, asked once more", "prefix", "/foo/", "foo-prefix"},
           Row{"exact /foo beats prefix /foo", "mixed", "/foo", "foo-exact"},
           Row{"prefix /aaa/bbb/ takes /aaa/bbb", "trailing-slash", "/aaa/bbb", "aaa-slash-bbb-slash-prefix"},
           Row{"prefix /aaa/bbb/ takes /aaa/bbb/", "trailing-slash", "/aaa/bbb/", "aaa-slash-bbb-slash-prefix"},
           Row{"exact /foo/ does not take /foo", "trailing-slash", "/foo", ""},
       }) {
    scenario("path rules", row.name);
    SCOPED_TRACE(row.name);
    expect_served(cluster.send("GET", row.host, row.path), row.service, "GET", row.path);
  }
}

// Last in the file, and so in the run.
TEST(IngressConformance, there_were_thirty_scenarios) {
  if (::testing::GTEST_FLAG(filter) != "*") GTEST_SKIP() << "not all were run";
  EXPECT_EQ(scenarios, 30);
}

}  // namespace
}  // namespace conformance

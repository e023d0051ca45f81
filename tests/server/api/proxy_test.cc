// .../proxy: whom it means, what it changes, and what comes back over a real socket pair.
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "server/api/subresources/proxy_backend.h"
#include "server/api/subresources/proxy_target.h"
#include "tests/server/api/fixture.h"
#include "tests/tools/echo_runtime.h"

namespace server {
namespace {

constexpr std::chrono::milliseconds kWait{5000};

TEST(ProxyTarget, NamesHaveUpToThreeParts) {
  EXPECT_EQ(parse_proxy_name("web")->name, "web");
  EXPECT_EQ(parse_proxy_name("web:http")->port, "http");
  EXPECT_EQ(parse_proxy_name("https:web:443")->scheme, "https");
  EXPECT_EQ(parse_proxy_name("https:web:")->name, "web");
  for (const char* bad : {"", ":80", "ftp:web:21", "a:b:c:d"}) EXPECT_FALSE(parse_proxy_name(bad)) << bad;
}

TEST(ProxyTarget, APodsFirstPortUnlessOneIsAskedFor) {
  const json pod = json::parse(R"({"spec": {"containers": [{"name": "a"}, {"name": "b", "ports": [{"containerPort": 8080}]}]}, "status": {"podIP": "10.244.1.5"}})");
  EXPECT_EQ(pod_target({"", "p", ""}, pod)->port, 8080);
  EXPECT_EQ(pod_target({"https", "p", "9"}, pod)->port, 9);
  EXPECT_TRUE(pod_target({"https", "p", "9"}, pod)->tls);
  EXPECT_EQ(pod_target({"", "p", ""}, json::parse(R"({"status": {"podIP": "10.244.1.5"}})"))->port, 80);
  EXPECT_EQ(pod_target({"", "p", ""}, json::object()).error().message, "address not allowed");
}

TEST(ProxyTarget, AServicesReadyEndpointsByPortNameOrNumber) {
  const json service = json::parse(R"({"spec": {"ports": [{"name": "web", "port": 80}, {"name": "admin", "port": 81}]}})");
  const std::vector<json> slices = {json::parse(R"({"ports": [{"name": "web", "port": 8080}, {"name": "admin", "port": 9090}],
    "endpoints": [{"addresses": ["10.244.1.5"], "conditions": {"ready": false}}, {"addresses": ["10.244.1.6"], "conditions": {"ready": true}}]})")};
  auto ask = [&](const std::string& port, const std::vector<json>& of) { return service_target({"", "s", port}, "s:" + port, service, of, 0); };
  EXPECT_EQ(ask("web", slices)->port, 8080);
  EXPECT_EQ(ask("81", slices)->port, 9090);
  EXPECT_EQ(ask("81", slices)->ip.text(), "10.244.1.6") << "the other one is not ready";
  EXPECT_EQ(ask("82", slices).error().message, "no service port 82 found for service \"s\"");
  EXPECT_EQ(ask("web", {}).error().message, "no endpoints available for service \"s\"");
  EXPECT_EQ(ask("nosuch", slices).error().message, "no endpoints available for service \"s:nosuch\"");
  EXPECT_EQ(http_code(ask("82", slices).error().code), 503);
}

TEST(ProxyTarget, RedirectsStayBehindTheProxy) {
  const std::string prefix = "/api/v1/namespaces/d/services/s/proxy";
  auto rewrite = [&](const std::string& location) { return rewrite_location(location, prefix, "127.0.0.1:6443", "10.244.1.6:80"); };
  EXPECT_EQ(rewrite("/login/"), prefix + "/login/");
  EXPECT_EQ(rewrite("http://10.244.1.6:80/a?b=c"), "https://127.0.0.1:6443" + prefix + "/a?b=c");
  EXPECT_EQ(rewrite("http://127.0.0.1:6443/a"), "https://127.0.0.1:6443" + prefix + "/a");
  EXPECT_EQ(rewrite("http://example.org/a"), "http://example.org/a");
  EXPECT_EQ(rewrite("next"), "next");
  EXPECT_EQ(rewrite(prefix + "/a"), prefix + "/a");
}

struct BackendTest : testing::Test {
  // A backend that has already said `text` and hung up.
  std::unique_ptr<ProxyBackend> backend(const std::string& text) {
    auto pair = base::make_socket_pair(SOCK_STREAM);
    EXPECT_TRUE(base::write_all(pair->second.get(), text.data(), text.size()).ok());
    auto opened = ProxyBackend::open(std::move(pair->first), false);
    return std::move(*opened);
  }
  static std::string body(ProxyBackend& b) {
    std::string out;
    while (!b.at_end()) {
      auto bytes = b.read_body(kWait);
      if (!bytes.ok()) return out + "!" + bytes.error().message;
      out += *bytes;
    }
    return out;
  }
};

TEST_F(BackendTest, BodiesByLengthByChunksAndUpToTheEnd) {
  auto counted = backend("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello and more");
  EXPECT_EQ(counted->read_head(false)->status, 201);
  EXPECT_EQ(body(*counted), "hello");
  auto chunked = backend("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n");
  ASSERT_TRUE(chunked->read_head(false).ok());
  EXPECT_EQ(body(*chunked), "abc0123456789");
  auto open = backend("HTTP/1.0 200 OK\r\n\r\nuntil the end");
  ASSERT_TRUE(open->read_head(false).ok());
  EXPECT_EQ(body(*open), "until the end");
  auto head = backend("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  ASSERT_TRUE(head->read_head(true).ok());
  EXPECT_EQ(body(*head), "");
}

TEST_F(BackendTest, ABrokenAnswerIsToldAsOne) {
  EXPECT_FALSE(backend("SSH-2.0-x\r\n\r\n")->read_head(false).ok());
  EXPECT_EQ(backend("HTTP/1.1 200 OK\r\nConte")->read_head(false).error().message, "EOF");
  auto cut = backend("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort");
  ASSERT_TRUE(cut->read_head(false).ok());
  EXPECT_EQ(body(*cut), "short!unexpected EOF");
  auto bad = backend("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
  ASSERT_TRUE(bad->read_head(false).ok());
  EXPECT_EQ(body(*bad), "!malformed chunked encoding");
}

// Answers with what it was asked, once a connection.
class AskedRuntime final : public EchoRuntime {
 public:
  base::Result<base::Fd> dial_address(const base::Ip& ip, uint16_t port) override {
    if (port == 1) return base::Error(base::Code::kUnavailable, "dial tcp " + ip.text() + ":1: connect: connection refused");
    auto pair = TRY(base::make_socket_pair(SOCK_STREAM));
    asker = std::thread([end = std::move(pair.second)] {
      std::string text;
      char b[4096];
      while (text.find("\r\n\r\n") == std::string::npos) {
        const ssize_t n = ::read(end.get(), b, sizeof b);
        if (n <= 0) return;
        text.append(b, static_cast<size_t>(n));
      }
      const std::string answer = "HTTP/1.1 202 Accepted\r\nX-Kept: yes\r\nConnection: close\r\nContent-Type: text/x\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text;
      base::ignore(base::write_all(end.get(), answer.data(), answer.size()), "test");
    });
    return std::move(pair.first);
  }
  ~AskedRuntime() override {
    if (asker.joinable()) asker.join();
  }
  std::thread asker;
};

struct ProxyTest : ApiTest {
  void SetUp() override {
    ApiTest::SetUp();
    api->set_runtime(&runtime);
    ASSERT_EQ(call("POST", "/api/v1/namespaces/default/pods", pod("web", "node-1")).status, 201);
    const json status = {{"status", {{"podIP", "10.244.1.5"}}}};
    ASSERT_EQ(call("PATCH", "/api/v1/namespaces/default/pods/web/status", status.dump(), "application/merge-patch+json").status, 200);
  }
  void TearDown() override {
    api->set_runtime(nullptr);
    ApiTest::TearDown();
  }
  AskedRuntime runtime;
};

TEST_F(ProxyTest, ARequestGoesOnWithoutWhatIsBetweenClientAndServer) {
  HttpRequest request = make_request("PUT", "/api/v1/namespaces/default/pods/web:80/proxy/a b/?x=1", "data", "text/plain");
  request.headers.emplace("authorization", "Bearer secret");
  request.headers.emplace("host", "api");
  const Answer a = send(request);
  EXPECT_EQ(a.status, 202);
  EXPECT_EQ(a.header("X-Kept"), "yes");
  EXPECT_EQ(a.header("Connection"), "");
  EXPECT_EQ(a.raw.content_type, "text/x");
  EXPECT_TRUE(a.text.starts_with("PUT /a%20b/?x=1 HTTP/1.1\r\nHost: api\r\n")) << a.text;
  EXPECT_NE(a.text.find("Content-Length: 4\r\n"), std::string::npos);
  EXPECT_NE(a.text.find("X-Forwarded-Uri: /api/v1/namespaces/default/pods/web:80/proxy/a%20b/\r\n"), std::string::npos);
  EXPECT_EQ(a.text.find("secret"), std::string::npos);
}

TEST_F(ProxyTest, WhatCannotBeReachedIsUnavailable) {
  const Answer refused = call("GET", "/api/v1/namespaces/default/pods/web:1/proxy/");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.message(), "error trying to reach service: dial tcp 10.244.1.5:1: connect: connection refused");
  EXPECT_EQ(call("GET", "/api/v1/namespaces/default/pods/nosuch/proxy/").status, 404);
  EXPECT_EQ(call("GET", "/api/v1/namespaces/default/pods/ftp:web:1/proxy/").message(), "invalid pod request \"ftp:web:1\"");
}

TEST_F(ProxyTest, TheRootIsAFolder) {
  const Answer a = call("GET", "/api/v1/namespaces/default/pods/web/proxy?x=1");
  EXPECT_EQ(a.status, 301);
  EXPECT_EQ(a.header("Location"), "/api/v1/namespaces/default/pods/web/proxy/?x=1");
}

}  // namespace
}  // namespace server

// Headers towards endpoints and, of their answers, towards clients.
#include <gtest/gtest.h>

#include "server/gateway/policy/forwarded.h"
#include "server/gateway/policy/substitute.h"
#include "tests/server/gateway/policy/requests.h"

namespace {

using namespace server::gateway;
using policy_test::get;
using policy_test::headers;
using policy_test::text_of;
using policy_test::value_of;

class Forwarded : public ::testing::Test {
 protected:
  std::string send(const RequestHead& request) {
    RequestHead out = request;
    TemplateContext context;
    context.request = &request;
    context.client = &client;
    context.host = &host;
    context.request_id = "42";
    set_forwarded_headers(out, context, listener);
    return text_of(out.headers);
  }
  Forwarded() { client.address = base::Ip::v4(192, 0, 2, 7); }

  ClientInfo client;
  VirtualHost host;
  Listener listener;
};

constexpr const char* kPlain =
    "X-Request-ID: 42\nX-Real-IP: 192.0.2.7\nX-Forwarded-For: 192.0.2.7\nX-Forwarded-Host: example.com\nX-Forwarded-Port: 80\nX-Forwarded-Proto: http\nX-Forwarded-Scheme: http\nX-Scheme: http\n";

TEST_F(Forwarded, OfAPlainRequest) {
  EXPECT_EQ(send(get("/", {{"Accept", "*/*"}})), std::string("Accept: */*\n") + kPlain);
}

TEST_F(Forwarded, NothingOfTheClientsIsBelieved) {
  RequestHead request = get("/", {{"x-forwarded-for", "10.0.0.1"},
                                  {"A", "1"},
                                  {"X-Forwarded-Host", "evil"},
                                  {"X-FORWARDED-PROTO", "https"},
                                  {"X-Forwarded-Port", "1"},
                                  {"X-Forwarded-Scheme", "https"},
                                  {"X-Scheme", "https"},
                                  {"X-Real-IP", "10.0.0.1"},
                                  {"X-Forwarded-For", "10.0.0.2"},
                                  {"X-Original-Forwarded-For", "10.0.0.3"},
                                  {"X-Original-Forwarded-Host", "evil2"},
                                  {"Proxy", "http://evil"},
                                  {"X-Request-ID", "theirs"},
                                  {"ssl-client-verify", "SUCCESS"}});
  EXPECT_EQ(send(request), std::string("A: 1\nssl-client-verify: SUCCESS\n") + kPlain + "X-Original-Forwarded-For: 10.0.0.1, 10.0.0.2\nX-Original-Forwarded-Host: evil\n");
}

TEST_F(Forwarded, ByTlsWithClientCertificates) {
  client.tls = true;
  listener.port = 443;
  auto rules = std::make_shared<ClientAuth>();
  rules->mode = ClientAuth::Mode::kOptional;
  host.client_auth = rules;
  client.verified = "SUCCESS";
  client.subject_dn = "CN=a\r\nEvil: 1";
  client.certificate_pem = "-----\nAB+\n";
  std::string got = send(get("/", {{"SSL-Client-Verify", "forged"}, {"ssl-client-cert", "forged"}, {"ssl-client-subject-dn", "forged"}, {"ssl-client-issuer-dn", "forged"}}));
  EXPECT_NE(got.find("X-Forwarded-Port: 443\nX-Forwarded-Proto: https\n"), std::string::npos) << got;
  EXPECT_NE(got.find("ssl-client-verify: SUCCESS\nssl-client-subject-dn: CN=a  Evil: 1\n"), std::string::npos) << got;
  EXPECT_EQ(got.find("forged"), std::string::npos) << got;
  EXPECT_EQ(got.find("ssl-client-cert"), std::string::npos) << got;
  rules->pass_to_upstream = true;
  EXPECT_NE(send(get("/")).find("ssl-client-cert: -----%0AAB%2B%0A\n"), std::string::npos);
}

TEST(RequestId, TheClientsOrARandomOne) {
  EXPECT_EQ(request_id_of(get("/", {{"X-Request-ID", "abc"}})), "abc");
  std::string first = request_id_of(get("/", {{"X-Request-ID", ""}})), second = request_id_of(get("/"));
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(first.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(first, second);
}

TEST(ApplyChanges, InOrder) {
  using Kind = HeaderChange::Kind;
  Headers all = headers({{"A", "1"}, {"B", "2"}, {"a", "3"}, {"C", "4"}});
  RequestHead request = get("/", {{"X", "v\r\nEvil: 1"}});
  TemplateContext context;
  context.request = &request;
  apply_changes({{Kind::kSet, "a", policy_test::text("$http_x")}, {Kind::kAdd, "B", Template::literal("5")}, {Kind::kRemove, "c", nullptr}, {Kind::kSet, "D", Template::literal("")}, {Kind::kSet, "E", Template::literal("6")}}, context, all);
  EXPECT_EQ(text_of(all), "A: v  Evil: 1\nB: 2\nB: 5\nE: 6\n");
}

TEST(ErrorPageHeaders, SayWhatFailed) {
  RequestHead request = policy_test::request("POST", "/x?y", {{"Accept", "text/html"}, {"Content-Type", "a/b"}, {"X-Code", "forged"}, {"X-Service-Name", "forged"}});
  request.body = BodyKind::kLength;
  request.length = 3;
  Route route;
  route.origin = {"Ingress", "ns", "web", ""};
  TemplateContext context;
  context.request = &request;
  context.route = &route;
  context.request_id = "42";
  RequestHead out = request;
  set_error_page_headers(out, 503, request, context);
  EXPECT_EQ(out.method, "POST");
  EXPECT_EQ(out.target, "/");
  EXPECT_EQ(out.body, BodyKind::kNone);
  const std::pair<const char*, const char*> rows[] = {{"X-Code", "503"},      {"X-Format", "text/html"}, {"X-Original-URI", "/x?y"}, {"X-Namespace", "ns"},
                                                      {"X-Ingress-Name", "web"}, {"X-Service-Name", "(none)"}, {"X-Request-ID", "42"},  {"Content-Type", "(none)"}};
  for (const auto& [name, want] : rows) EXPECT_EQ(value_of(out.headers, name), want) << name;
}

TEST(FallbackHeaders, LeaveTheRequestAsItIs) {
  RequestHead request = policy_test::request("POST", "/x?y", {{"Content-Type", "a/b"}});
  request.body = BodyKind::kLength;
  request.length = 3;
  auto broken = std::make_shared<Upstream>();
  broken->service = "web";
  Upstream helper;
  helper.service = "helper";
  Route route;
  Forward forward;
  forward.backends.push_back({broken});
  route.action = forward;
  TemplateContext context;
  context.route = &route;
  context.upstream = &helper;
  RequestHead out = request;
  set_fallback_headers(out, request, context);
  EXPECT_EQ(out.target, "/x?y");
  EXPECT_EQ(out.length, 3u);
  EXPECT_EQ(text_of(out.headers), "Content-Type: a/b\nX-Code: 503\nX-Service-Name: web\n");
}

// ---- Substitutions -----------------------------------------------------------------------------------------------

struct Row {
  const char* name;
  std::vector<Substitution> rules;
  const char* in;
  const char* want;
};

Substitution by_regex(const char* pattern, const char* to) { return {std::string("~") + pattern, to, policy_test::regex(pattern, false)}; }

TEST(Substitute, Redirects) {
  const Row rows[] = {
      {"no rule", {}, "http://a/x", "http://a/x"},
      {"off", {{"off", "x"}}, "off/x", "off/x"},
      {"prefix", {{"http://a/", "https://b/c/"}}, "http://a/x?y", "https://b/c/x?y"},
      {"does not fit", {{"http://a/", "/"}}, "http://b/x", "http://b/x"},
      {"the first that fits", {{"http://z/", "/1"}, {"http://a/", "/2/"}, {"http://a", "/3"}}, "http://a/x", "/2/x"},
      {"regex replaces all", {by_regex("^http://([^/]+)/(.*)", "https://$1.ex/$2")}, "http://a/x?y", "https://a.ex/x?y"},
      {"variable", {{"http://a/", "$scheme://$host/"}}, "http://a/x", "://example.com/x"},
      {"not a template", {{"http://a/", "$nope/"}}, "http://a/x", "$nope/x"},
  };
  RequestHead request = get("/");
  TemplateContext context;
  context.request = &request;
  for (const Row& row : rows) {
    Headers all = headers({{"A", "1"}, {"Location", row.in}, {"Refresh", std::string("5; URL=") + row.in}});
    substitute_redirects(row.rules, all, &context);
    EXPECT_EQ(value_of(all, "location"), row.want) << row.name;
    EXPECT_EQ(value_of(all, "refresh"), std::string("5; URL=") + row.want) << row.name;
    EXPECT_EQ(all.size(), 3u);
  }
}

// What nginx 1.22 makes of them.
TEST(Substitute, CookieDomains) {
  const Row rows[] = {
      {"plain", {{"a.com", "b.com"}}, "s=1; Domain=a.com; Path=/", "s=1; Domain=b.com; Path=/"},
      {"dots and case do not count", {{"A.com", ".b.com"}}, "s=1;domain=.a.COM", "s=1; domain=.b.com"},
      {"whole, not a part", {{"a.com", "b.com"}}, "s=1; Domain=x.a.com", "s=1; Domain=x.a.com"},
      {"the name of the cookie is left alone", {{"a.com", "b.com"}}, "domain=a.com; HttpOnly", "domain=a.com; HttpOnly"},
      {"regex", {by_regex("^(.*)\\.local$", "$1.com")}, "s=1; Domain=a.local", "s=1; Domain=a.com"},
      {"none", {{"a.com", "b.com"}}, "s=1", "s=1"},
      {"spaces", {{"a.com", "b.com"}}, "s=1;   Domain =  a.com ;Secure", "s=1; Domain=b.com; Secure"},
      {"odd ones", {{"a.com", "b.com"}}, "s=1;; =; domain", "s=1;; =; domain"},
  };
  for (const Row& row : rows) {
    Headers all = headers({{"Set-Cookie", row.in}});
    substitute_cookies(row.rules, {}, all);
    EXPECT_EQ(value_of(all, "set-cookie"), row.want) << row.name;
  }
}

TEST(Substitute, CookiePaths) {
  const Row rows[] = {
      {"prefix", {{"/two/", "/"}}, "s=1; Path=/two/some/; Secure", "s=1; Path=/some/; Secure"},
      {"case counts", {{"/two/", "/"}}, "s=1; path=/TWO/x", "s=1; path=/TWO/x"},
      {"regex", {by_regex("^/api(/.*)?$", "/v1$1")}, "s=1; path=/api/x", "s=1; path=/v1/x"},
      {"off", {{"off", ""}}, "s=1; path=off", "s=1; path=off"},
  };
  for (const Row& row : rows) {
    Headers all = headers({{"Set-Cookie", row.in}, {"B", "2"}, {"set-cookie", "t=2; Path=/"}});
    substitute_cookies({}, row.rules, all);
    EXPECT_EQ(value_of(all, "set-cookie"), row.want) << row.name;
    EXPECT_EQ(all.count("set-cookie"), 2u);
  }
}

}  // namespace

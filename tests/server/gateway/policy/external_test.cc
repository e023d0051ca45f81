#include "server/gateway/policy/external.h"

#include <gtest/gtest.h>

#include "tests/server/gateway/policy/requests.h"

namespace {

using namespace server::gateway;
using policy_test::get;
using policy_test::headers;
using policy_test::text_of;
using policy_test::value_of;
using Kind = AuthDecision::Kind;

class External : public ::testing::Test {
 protected:
  External() {
    request = policy_test::request("POST", "/app?x=1", {{"Cookie", "s=1"}, {"Content-Length", "3"}, {"X-Forwarded-Proto", "https"}, {"X-Sent-From", "forged"}});
    request.body = BodyKind::kLength;
    request.length = 3;
    client.address = base::Ip::v4(192, 0, 2, 7);
    context.request = &request;
    context.client = &client;
    context.request_id = "42";
    auth.url = policy_test::text("http://auth.ns.svc.cluster.local:8080/verify?u=$arg_x");
  }
  RequestHead request;
  ClientInfo client;
  TemplateContext context;
  ExternalAuth auth;
};

TEST_F(External, WhatItIsAsked) {
  RequestHead out = auth_request(auth, request, context);
  EXPECT_EQ(out.method, "GET");
  EXPECT_EQ(out.target, "/verify?u=1");
  EXPECT_EQ(out.authority, "auth.ns.svc.cluster.local:8080");
  EXPECT_FALSE(out.has_body());
  EXPECT_EQ(text_of(out.headers),
            "Cookie: s=1\nX-Sent-From: nginx-ingress-controller\nX-Request-ID: 42\nX-Original-URL: http://example.com/app?x=1\nX-Original-Method: POST\nX-Real-IP: 192.0.2.7\n"
            "X-Forwarded-For: 192.0.2.7\nX-Auth-Request-Redirect: /app?x=1\n");
}

TEST_F(External, WithMoreSaid) {
  auth.method = "POST";
  auth.request_redirect = policy_test::text("https://$host/back");
  auth.request_headers = {{HeaderChange::Kind::kSet, "X-Extra", policy_test::text("$remote_addr")}, {HeaderChange::Kind::kRemove, "Cookie", nullptr}};
  RequestHead out = auth_request(auth, request, context);
  EXPECT_EQ(out.method, "POST");
  const std::pair<const char*, const char*> rows[] = {
      {"X-Original-URI", "/app?x=1"}, {"X-Scheme", "http"}, {"X-Auth-Request-Redirect", "https://example.com/back"}, {"X-Extra", "192.0.2.7"}, {"Cookie", "(none)"}};
  for (const auto& [name, want] : rows) EXPECT_EQ(value_of(out.headers, name), want) << name;
}

TEST_F(External, Urls) {
  const std::tuple<const char*, const char*, const char*> rows[] = {
      {"http://a", "a", "/"},
      {"http://a/", "a", "/"},
      {"https://a:1?x", "a:1", "/?x"},
      {"http://u:p@a/x", "a", "/x"},
      {"http://[::1]:80/x", "[::1]:80", "/x"},
      {"http://a/$uri", "a", "//a%0D%0A%20b"},
      {"", "", "/"},
  };
  request.target = "/a%0d%0a%20b";
  for (const auto& [url, authority, target] : rows) {
    auth.url = policy_test::text(url);
    RequestHead out = auth_request(auth, request, context);
    EXPECT_EQ(out.authority, authority) << url;
    EXPECT_EQ(out.target, target) << url;
  }
}

TEST_F(External, WhatItsAnswerMeans) {
  const std::tuple<int, Kind, int> rows[] = {{200, Kind::kAllow, 200}, {202, Kind::kAllow, 202}, {204, Kind::kAllow, 204}, {401, Kind::kDeny, 401}, {403, Kind::kDeny, 403}, {302, Kind::kDeny, 500}, {404, Kind::kDeny, 500}, {500, Kind::kDeny, 500}, {0, Kind::kDeny, 500}};
  for (const auto& [status, kind, sent] : rows) {
    AuthDecision got = decide_external(auth, status, headers({{"WWW-Authenticate", "Basic"}, {"X", "1"}}), context);
    EXPECT_EQ(got.kind, kind) << status;
    EXPECT_EQ(got.status, sent) << status;
    EXPECT_EQ(text_of(got.response_headers), status == 401 ? "WWW-Authenticate: Basic\n" : "") << status;
  }
}

TEST_F(External, HeadersItHandsOn) {
  auth.response_headers = {"X-User", "X-Groups", "X-Gone"};
  AuthDecision got = decide_external(auth, 200, headers({{"x-user", "joe"}, {"X-Groups", "a"}, {"X-Groups", "b"}, {"Set-Cookie", "s=1"}, {"Set-Cookie", "t=2"}, {"X-Other", "1"}}), context);
  ASSERT_EQ(got.request_headers.size(), 3u);
  EXPECT_EQ(got.request_headers[0].value->render(context), "joe");
  EXPECT_EQ(got.request_headers[1].value->render(context), "a, b");
  EXPECT_EQ(got.request_headers[2].kind, HeaderChange::Kind::kRemove) << "or a client could say who it is";
  EXPECT_EQ(got.cookies, (std::vector<std::string>{"s=1", "t=2"}));
  // What it says is data, whatever it looks like.
  got = decide_external(auth, 200, headers({{"X-User", "$http_cookie"}}), context);
  EXPECT_EQ(got.request_headers[0].value->render(context), "$http_cookie");
}

TEST_F(External, ToThePageToSignIn) {
  const std::tuple<const char*, const char*, std::string> rows[] = {
      {"https://login.ex/start", "", "https://login.ex/start?rd=http://example.com%2Fapp%3Fx%3D1"},
      {"https://login.ex/start?a=1", "", "https://login.ex/start?a=1&rd=http://example.com%2Fapp%3Fx%3D1"},
      {"https://login.ex/start?rd=$escaped_request_uri", "", "https://login.ex/start?rd=%2Fapp%3Fx%3D1"},
      {"https://$host/login", "back", "https://example.com/login?back=http://example.com%2Fapp%3Fx%3D1"},
      {"https://login.ex/?xrd=1", "rd", "https://login.ex/?xrd=1&rd=http://example.com%2Fapp%3Fx%3D1"},
  };
  for (const auto& [page, parameter, want] : rows) {
    auth.signin = policy_test::text(page);
    auth.signin_redirect_param = parameter;
    AuthDecision got = decide_external(auth, 401, headers({{"Set-Cookie", "s=1"}}), context);
    EXPECT_EQ(got.kind, Kind::kSignIn);
    EXPECT_EQ(got.location, want);
    EXPECT_EQ(got.cookies.size(), 1u);
  }
  EXPECT_EQ(decide_external(auth, 403, {}, context).kind, Kind::kDeny);
}

TEST_F(External, WhereItsCookiesGo) {
  for (int status : {200, 204, 302}) EXPECT_TRUE(cookie_goes_with(auth, status)) << status;
  for (int status : {202, 401, 404, 503}) EXPECT_FALSE(cookie_goes_with(auth, status)) << status;
  auth.always_set_cookie = true;
  EXPECT_TRUE(cookie_goes_with(auth, 503));
}

TEST(AuthCache, KeepsAsLongAsItIsTold) {
  using std::chrono::seconds;
  ExternalAuth auth;
  auth.cache = {{200, seconds(300)}, {401, seconds(1)}};
  AuthCache cache;
  base::MonoTime now{seconds(1'000)};
  cache.keep(auth, "joe", 200, headers({{"X-User", "joe"}}), now);
  cache.keep(auth, "ann", 401, {}, now);
  cache.keep(auth, "bob", 403, {}, now);
  cache.keep(auth, "down", 500, {}, now);
  cache.keep(auth, "gone", 0, {}, now);
  EXPECT_EQ(cache.size(), 2u);
  auto joe = cache.find("joe", now + seconds(299));
  ASSERT_TRUE(joe);
  EXPECT_EQ(joe->status, 200);
  EXPECT_EQ(text_of(joe->headers), "X-User: joe\n");
  EXPECT_FALSE(cache.find("joe", now + seconds(300)));
  EXPECT_FALSE(cache.find("ann", now + seconds(2)));
  EXPECT_EQ(cache.size(), 0u) << "what is over is dropped when it is asked for";
  cache.keep(auth, "joe", 200, {}, now);
  cache.keep(auth, "joe", 401, {}, now);
  EXPECT_EQ(cache.find("joe", now)->status, 401);
}

TEST(AuthCache, AnyStatusAndBounds) {
  ExternalAuth auth;
  auth.cache = {{0, std::chrono::seconds(10)}, {204, std::chrono::seconds(0)}};
  AuthCache cache;
  base::MonoTime now;
  cache.keep(auth, "a", 302, {}, now);
  EXPECT_TRUE(cache.find("a", now));
  cache.keep(auth, "b", 204, {}, now);
  EXPECT_FALSE(cache.find("b", now)) << "its own rule counts before that for any";
  cache.keep(auth, "c", 503, {}, now);
  EXPECT_FALSE(cache.find("c", now));
  for (int i = 0; i < 20'000; ++i) cache.keep(auth, std::to_string(i), 200, {}, now);
  EXPECT_LE(cache.size(), 16u * 512);
  EXPECT_TRUE(cache.find("19999", now));
}

}  // namespace

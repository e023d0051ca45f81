#include "server/gateway/policy/template.h"

#include <gtest/gtest.h>

#include "server/gateway/policy/encoding.h"
#include "store/base/text.h"
#include "tests/server/gateway/policy/requests.h"

namespace {

using namespace server::gateway;

struct TemplateRow {
  const char* in;
  const char* want;
};

class TemplateValues : public ::testing::Test {
 protected:
  TemplateValues() {
    request = policy_test::request("POST", "/a%20b/?x=1&Y=%20&empty=&x=2", {{"X-One", "1"}, {"Cookie", "a=1; B=two"}, {"x-one", "2"}, {"Authorization", "Basic " + base::encode_base64("joe:pw")}, {"Content-Type", "text/x"}}, "ex.com:8080");
    request.upgrade = "websocket";
    request.body = BodyKind::kLength;
    request.length = 12;
    client.address = base::Ip::v4(192, 0, 2, 7);
    client.port = 4711;
    client.local_port = 443;
    client.tls = true;
    client.server_name = "sni.com";
    client.tls_version = "TLSv1.3";
    client.verified = "SUCCESS";
    client.subject_dn = "CN=joe";
    client.certificate_pem = "-----BEGIN\nab+/\n-----END\n";
    host.name = "ex.com";
    route.origin = {"Ingress", "ns", "web", ""};
    route.location_path = "/a";
    auto first = std::make_shared<Upstream>();
    first->service_ns = "ns";
    first->service = "svc";
    first->service_port = "80";
    Forward forward;
    forward.backends.push_back({first});
    route.action = forward;
    context = {&request, &client, &host, &route, nullptr, "0123", &captures, {}};
  }

  RequestHead request;
  ClientInfo client;
  VirtualHost host;
  Route route;
  std::vector<std::string_view> captures{"all", "one", "two"};
  TemplateContext context;
};

TEST_F(TemplateValues, Variables) {
  const TemplateRow rows[] = {
      {"", ""},
      {"plain", "plain"},
      {"$scheme://$host$request_uri", "https://ex.com/a%20b/?x=1&Y=%20&empty=&x=2"},
      {"${scheme}s", "httpss"},
      {"$1-$2-$3", "one-two-"},
      {"$12", "one2"},
      {"${1}2", "one2"},
      {"$http_host|$best_http_host", "ex.com:8080|ex.com:8080"},
      {"$uri|$document_uri", "/a b/|/a b/"},
      {"$args|$query_string|$is_args", "x=1&Y=%20&empty=&x=2|x=1&Y=%20&empty=&x=2|?"},
      {"$arg_x|$arg_y|$arg_empty|$arg_none|$arg_emp", "1|%20|||"},
      {"$http_x_one|$http_X_ONE|$http_none|$http_upgrade", "1, 2|1, 2||websocket"},
      {"$cookie_a|$cookie_b|$cookie_c", "1|two|"},
      {"$remote_addr:$remote_port $remote_user", "192.0.2.7:4711 joe"},
      {"$request_method $server_port $server_name $https", "POST 443 ex.com on"},
      {"$request_id $req_id", "0123 0123"},
      {"$content_type $content_length", "text/x 12"},
      {"$namespace/$ingress_name $service_name:$service_port $location_path", "ns/web svc:80 /a"},
      {"$proxy_upstream_name", "ns-svc-80"},
      {"$pass_access_scheme $pass_server_port", "https 443"},
      {"$escaped_request_uri", "%2Fa%2520b%2F%3Fx%3D1%26Y%3D%2520%26empty%3D%26x%3D2"},
      {"$request", "POST /a%20b/?x=1&Y=%20&empty=&x=2 HTTP/1.1"},
      {"$ssl_protocol $ssl_server_name $ssl_client_verify $ssl_client_s_dn$ssl_client_i_dn", "TLSv1.3 sni.com SUCCESS CN=joe"},
      {"$ssl_client_cert", "-----BEGIN\n\tab+/\n\t-----END"},
      {"$ssl_client_escaped_cert", "-----BEGIN%0Aab%2B%2F%0A-----END%0A"},
      {"$proxy_add_x_forwarded_for", "192.0.2.7"},
  };
  for (const TemplateRow& row : rows) {
    SCOPED_TRACE(row.in);
    auto made = Template::parse(row.in);
    ASSERT_TRUE(made.ok()) << made.error().message;
    EXPECT_EQ((*made)->render(context), row.want);
    EXPECT_EQ((*made)->text(), row.in);
    EXPECT_EQ((*made)->constant(), std::string(row.in).find('$') == std::string::npos);
    // Whatever is missing is empty, and nothing falls over.
    (*made)->render({});
  }
  EXPECT_EQ(policy_test::text("$binary_remote_addr")->render(context), std::string("\xc0\x00\x02\x07", 4));
}

TEST_F(TemplateValues, OfTheRequestUriLessASlash) {
  const TemplateRow rows[] = {{"/", ""}, {"/a/", "/a"}, {"/a//", "/a/"}, {"/a", "/a"}, {"/a/?x=/", "/a/?x="}, {"/a?x", "/a?x"}};
  for (const TemplateRow& row : rows) {
    request.target = row.in;
    EXPECT_EQ(policy_test::text("$request_uri_without_slash")->render(context), row.want) << row.in;
  }
}

TEST_F(TemplateValues, HostIsWithoutPort) {
  const TemplateRow rows[] = {{"a.com", "a.com"}, {"a.com:1", "a.com"}, {"[::1]:80", "[::1]"}, {"[::1]", "[::1]"}, {"", "ex.com"}};
  for (const TemplateRow& row : rows) {
    request.authority = row.in;
    EXPECT_EQ(policy_test::text("$host")->render(context), row.want) << row.in;
  }
}

TEST(Template, RefusesWhatItDoesNotKnow) {
  for (const char* text : {"$", "a$", "$ b", "$nope", "${scheme", "${}", "$-", "$http_", "$0"}) EXPECT_FALSE(Template::parse(text).ok()) << text;
  EXPECT_EQ(Template::literal("$nope $1")->render({}), "$nope $1");
  EXPECT_TRUE(Template::literal("$nope")->constant());
}

TEST(Encoding, Base64) {
  const std::pair<std::string, std::string> rows[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {std::string("\0\xff\x10", 3), "AP8Q"}};
  for (const auto& [plain, coded] : rows) {
    EXPECT_EQ(base::encode_base64(plain), coded);
    EXPECT_EQ(base::decode_base64(coded), plain);
  }
  EXPECT_EQ(base::decode_base64("Zg"), "f");
  for (const char* bad : {"Z", "Zg=a", "Zm 9v", "Zm9v!", "====", "Zm9v-_"}) EXPECT_EQ(base::decode_base64(bad), std::nullopt) << bad;
}

TEST(Encoding, CookiesAsNginxFindsThem) {
  const std::pair<const char*, const char*> rows[] = {
      {"a=1", "1"}, {"b=2; a=3", "3"}, {"A=4", "4"}, {"xa=5", nullptr}, {"a=6; a=7", "6"}, {"a = 8 ; b=1", "8 "}, {"a=9,b=1", "9,b=1"}, {"b=1,a=10", "10"}, {"a", nullptr}, {"a=\"q\"", "\"q\""}, {"a=", ""}, {"", nullptr}, {";;a=1", "1"}, {"aa=1; a=2", "2"},
  };
  for (const auto& [line, want] : rows) {
    auto got = find_cookie(policy_test::headers({{"Cookie", line}}), "a");
    EXPECT_EQ(got, want == nullptr ? std::nullopt : std::optional<std::string>(want)) << line;
  }
  EXPECT_EQ(find_cookie(policy_test::headers({{"Cookie", "b=1"}, {"cookie", "a=2"}}), "a"), "2") << "HTTP/2 sends them apart";
  EXPECT_EQ(find_cookie(policy_test::headers({{"Cookie", "a=1"}}), ""), std::nullopt);
}

}  // namespace

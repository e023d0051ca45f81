// Clients behind proxies: who they are decides about access, limits, redirects and the log.
#include <mutex>

#include "server/gateway/policy/template.h"
#include "tests/server/gateway/engine/rig.h"

namespace gateway_test {
namespace {

void believe(Listener& listener) {
  listener.trust_forwarded = listener.find_client = true;
  listener.trusted_proxies = {*base::Cidr::parse("127.0.0.0/8")};
}
constexpr char kFrom[] = "X-Forwarded-For: 192.0.2.7\r\n";

TEST(ForwardedClient, is_who_may_or_may_not) {
  FakeEndpoint endpoint(echo);
  Policy only_one, limited;
  only_one.allow = {*base::Cidr::parse("192.0.2.7/32")};
  limited.limits.key = "k";
  limited.limits.requests_per_minute = 1;
  limited.limits.burst_multiplier = 1;
  Forward to = forward_to(upstream("u", {endpoint.port()}));
  const std::vector<VirtualHost> hosts = {host("", {route(PathKind::kPrefix, "/only", to, only_one), route(PathKind::kPrefix, "/limited", to, limited)})};
  Rig rig(table(hosts, believe));
  EXPECT_EQ(rig.ask(get("/only", kFrom)).status(), 200);
  EXPECT_EQ(rig.ask(get("/only")).status(), 403);
  EXPECT_EQ(rig.ask(get("/only", "X-Forwarded-For: 192.0.2.8\r\n")).status(), 403);
  int refused = 0;
  for (int i = 0; i < 4; ++i) refused += rig.ask(get("/limited", kFrom)).status() == 503;
  EXPECT_GT(refused, 0);
  EXPECT_EQ(rig.ask(get("/limited", "X-Forwarded-For: 192.0.2.9\r\n")).status(), 200);
  rig.publish(table(hosts, [](Listener& listener) {
    believe(listener);
    listener.trusted_proxies = {*base::Cidr::parse("10.0.0.0/8")};
  }));
  EXPECT_EQ(rig.ask(get("/only", kFrom)).status(), 403);
  rig.publish(table(hosts));
  EXPECT_EQ(rig.ask(get("/only", kFrom)).status(), 403);
}

TEST(ForwardedClient, is_not_sent_to_TLS_that_it_has) {
  FakeEndpoint endpoint(echo);
  Route secure = route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})));
  Redirect to_tls;
  to_tls.status = 308;
  to_tls.location = *Template::parse("https://$redirect_host$request_uri");
  to_tls.to_tls = true;
  secure.redirect = to_tls;
  const std::vector<VirtualHost> hosts = {host("", {secure})};
  Rig rig(table(hosts, believe));
  Wire::Message m = rig.ask(get("/x", "X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example:8443\r\n"));
  EXPECT_EQ(m.status(), 200);
  EXPECT_NE(m.body.find("Host: shop.example:8443\r\n"), std::string::npos) << m.body;
  EXPECT_NE(m.body.find("X-Forwarded-Proto: https\r\n"), std::string::npos) << m.body;
  EXPECT_EQ(rig.ask(get("/x", "X-Forwarded-Proto: http\r\nX-Forwarded-Host: shop.example:8443\r\n")).header("Location"), "https://shop.example/x");
  rig.publish(table(hosts));
  EXPECT_EQ(rig.ask(get("/x", "X-Forwarded-Proto: https\r\n")).header("Location"), "https://a.example/x");
}

TEST(ForwardedClient, is_in_the_log) {
  std::promise<std::string> logged;
  EngineOptions options;
  options.access_log = [&, told = false](std::string&& lines) mutable {
    if (!std::exchange(told, true)) logged.set_value(std::move(lines));
  };
  FakeEndpoint endpoint(echo);
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}, believe), std::move(options));
  EXPECT_EQ(rig.ask(get("/x", kFrom)).status(), 200);
  auto line = logged.get_future();
  ASSERT_EQ(line.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_EQ(line.get().substr(0, 14), "192.0.2.7 - - ");
}

// PROXY protocol of a proxy that is not among the trusted is read, not believed.
TEST(ForwardedClient, by_PROXY_protocol_of_the_trusted) {
  FakeEndpoint endpoint(echo);
  const std::vector<VirtualHost> hosts = {host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})};
  auto with = [&](const char* trusted) {
    return table(hosts, [trusted](Listener& listener) {
      listener.accept_proxy_protocol = true;
      listener.trusted_proxies = {*base::Cidr::parse(trusted)};
    });
  };
  const std::string header = "PROXY TCP4 192.0.2.7 203.0.113.1 4711 443\r\n";
  Rig rig(with("127.0.0.0/8"));
  Wire::Message m = rig.ask(header + get("/x"));
  EXPECT_NE(m.body.find("X-Real-IP: 192.0.2.7\r\n"), std::string::npos) << m.body;
  EXPECT_NE(m.body.find("X-Forwarded-Proto: https\r\n"), std::string::npos) << m.body;
  rig.publish(with("10.0.0.0/8"));
  m = rig.ask(header + get("/x"));
  EXPECT_NE(m.body.find("X-Real-IP: 127.0.0.1\r\n"), std::string::npos) << m.body;
}

}  // namespace
}  // namespace gateway_test

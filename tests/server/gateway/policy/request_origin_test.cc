// Who a request is from, by the word of proxies.
#include "server/gateway/policy/request_origin.h"

#include <gtest/gtest.h>

#include "server/gateway/policy/forwarded.h"
#include "tests/server/gateway/policy/requests.h"

namespace {

using namespace server::gateway;
using policy_test::get;
using policy_test::text;
using policy_test::value_of;

std::vector<base::Cidr> ranges(std::initializer_list<const char*> all) {
  std::vector<base::Cidr> out;
  for (const char* one : all) out.push_back(*base::Cidr::parse(one));
  return out;
}

struct OriginRow {
  const char* name;
  std::initializer_list<const char*> trusted;
  const char* peer;
  const char* chain;
  const char* want;
  uint16_t port = 0;
};

const OriginRow kRows[] = {
    {"nobody says anything", {"0.0.0.0/0"}, "10.0.0.1", "", "10.0.0.1", 7},
    {"all are trusted: the first", {"0.0.0.0/0"}, "10.0.0.1", "1.1.1.1, 2.2.2.2,3.3.3.3", "1.1.1.1"},
    {"a peer that is not trusted", {"10.0.0.0/8"}, "11.0.0.1", "1.1.1.1", "11.0.0.1", 7},
    {"the first that is not trusted, from the right", {"10.0.0.0/8"}, "10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"},
    {"what cannot be read ends the way", {"0.0.0.0/0"}, "10.0.0.1", "1.1.1.1, unknown, 2.2.2.2", "2.2.2.2"},
    {"nothing can be read", {"0.0.0.0/0"}, "10.0.0.1", "_hidden", "10.0.0.1", 7},
    {"with a port", {"0.0.0.0/0"}, "10.0.0.1", "1.1.1.1:4711", "1.1.1.1", 4711},
    {"a port that is none", {"0.0.0.0/0"}, "10.0.0.1", "1.1.1.1:99999", "10.0.0.1", 7},
    {"IPv6", {"0.0.0.0/0"}, "10.0.0.1", "2001:db8::1", "2001:db8::1"},
    {"IPv6 with a port", {"0.0.0.0/0"}, "10.0.0.1", "[2001:db8::1]:80", "2001:db8::1", 80},
    {"an IPv6 peer is not in 0.0.0.0/0", {"0.0.0.0/0"}, "2001:db8::9", "1.1.1.1", "2001:db8::9", 7},
    {"an IPv4 peer in IPv6's form is", {"0.0.0.0/0"}, "::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"},
    {"no list: everybody", {}, "2001:db8::9", "1.1.1.1, 2001:db8::2", "1.1.1.1"},
    {"spaces and commas", {"0.0.0.0/0"}, "10.0.0.1", " , 1.1.1.1 ,, 2.2.2.2 , ", "1.1.1.1"},
};

TEST(LastUntrusted, AsNginx) {
  for (const OriginRow& row : kRows) {
    uint16_t port = 7;
    EXPECT_EQ(last_untrusted(ranges(row.trusted), *base::Ip::parse(row.peer), row.chain, &port).text(), row.want) << row.name;
    EXPECT_EQ(port, row.port) << row.name;
  }
}

class Origin : public ::testing::Test {
 protected:
  Origin() {
    client.address = base::Ip::v4(10, 0, 0, 1);
    client.port = 4711;
    listener.trust_forwarded = listener.find_client = true;
    listener.trusted_proxies = ranges({"0.0.0.0/0"});
  }
  RequestHead sent() {
    auto origin = find_origin(listener, request, client);
    TemplateContext context;
    context.request = &request;
    context.client = origin ? &origin->client : &client;
    context.origin = origin.get();
    RequestHead out = request;
    set_forwarded_headers(out, context, listener);
    return out;
  }
  std::string shown(const std::string& variables) {
    auto origin = find_origin(listener, request, client);
    TemplateContext context;
    context.request = &request;
    context.client = origin ? &origin->client : &client;
    context.origin = origin.get();
    return text(variables)->render(context);
  }

  ClientInfo client;
  Listener listener;
  RequestHead request = get("/x", {{"X-Forwarded-For", "192.0.2.7, 10.0.0.9"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Port", "8443"}, {"X-Forwarded-Host", "Shop.example:8443, inner.example"}});
};

TEST_F(Origin, IsPassedOn) {
  const Headers got = sent().headers;
  EXPECT_EQ(value_of(got, "X-Real-IP"), "192.0.2.7");
  EXPECT_EQ(value_of(got, "X-Forwarded-For"), "192.0.2.7");
  EXPECT_EQ(value_of(got, "X-Forwarded-Host"), "shop.example:8443");
  EXPECT_EQ(value_of(got, "X-Forwarded-Port"), "8443");
  EXPECT_EQ(value_of(got, "X-Forwarded-Proto"), "https");
  EXPECT_EQ(value_of(got, "X-Forwarded-Scheme"), "https");
  EXPECT_EQ(value_of(got, "X-Scheme"), "https");
  EXPECT_EQ(value_of(got, "X-Original-Forwarded-For"), "192.0.2.7, 10.0.0.9");
  EXPECT_EQ(shown("$remote_addr $remote_port $realip_remote_addr $scheme $pass_access_scheme $pass_port $best_http_host $redirect_host $http_host"),
            "192.0.2.7  10.0.0.1 http https 8443 shop.example:8443 shop.example example.com");
}

TEST_F(Origin, WholeChain) {
  listener.append_forwarded_for = true;
  EXPECT_EQ(value_of(sent().headers, "X-Forwarded-For"), "192.0.2.7, 10.0.0.9, 10.0.0.1");
  EXPECT_EQ(shown("$full_x_forwarded_for"), "192.0.2.7, 10.0.0.9, 10.0.0.1");
  request.headers.remove("X-Forwarded-For");
  EXPECT_EQ(value_of(sent().headers, "X-Forwarded-For"), "10.0.0.1");
}

TEST_F(Origin, OfAPeerThatIsNotTrustedNoAddress) {
  listener.trusted_proxies = ranges({"172.16.0.0/12"});
  const Headers got = sent().headers;
  EXPECT_EQ(value_of(got, "X-Real-IP"), "10.0.0.1");
  EXPECT_EQ(value_of(got, "X-Forwarded-For"), "10.0.0.1");
  EXPECT_EQ(value_of(got, "X-Forwarded-Proto"), "https");  // As in ingress-nginx.
}

TEST_F(Origin, WithoutWordsTheConnection) {
  request = get("/x");
  const Headers got = sent().headers;
  EXPECT_EQ(value_of(got, "X-Real-IP"), "10.0.0.1");
  EXPECT_EQ(value_of(got, "X-Forwarded-Host"), "example.com");
  EXPECT_EQ(value_of(got, "X-Forwarded-Port"), "80");
  EXPECT_EQ(value_of(got, "X-Forwarded-Proto"), "http");
  EXPECT_EQ(shown("$remote_port $pass_port $best_http_host"), "4711 80 example.com");
}

TEST_F(Origin, ByAnotherHeader) {
  listener.forwarded_for_header = "CF-Connecting-IP";
  request.headers.add("cf-connecting-ip", "198.51.100.3");
  const Headers got = sent().headers;
  EXPECT_EQ(value_of(got, "X-Real-IP"), "198.51.100.3");
  EXPECT_EQ(value_of(got, "X-Original-Forwarded-For"), "198.51.100.3");
  EXPECT_EQ(value_of(got, "CF-Connecting-IP"), "198.51.100.3");
}

TEST_F(Origin, AddressOnly) {
  listener.trust_forwarded = false;
  const Headers got = sent().headers;
  EXPECT_EQ(value_of(got, "X-Real-IP"), "192.0.2.7");
  EXPECT_EQ(value_of(got, "X-Forwarded-Proto"), "http");
  EXPECT_EQ(value_of(got, "X-Forwarded-Host"), "example.com");
}

TEST_F(Origin, OfProxyProtocol) {
  listener.accept_proxy_protocol = true;  // The greeter has put the address into the connection's.
  client.proxied_port = 443;
  listener.trust_forwarded = listener.find_client = false;
  Headers got = sent().headers;
  EXPECT_EQ(value_of(got, "X-Real-IP"), "10.0.0.1");
  EXPECT_EQ(value_of(got, "X-Forwarded-Proto"), "https");
  listener.trust_forwarded = listener.find_client = true;
  request.headers.set("X-Forwarded-Proto", "http");
  got = sent().headers;
  EXPECT_EQ(value_of(got, "X-Real-IP"), "10.0.0.1");
  EXPECT_EQ(value_of(got, "X-Forwarded-Proto"), "https");
  client.proxied_port = 80;
  listener.trust_forwarded = listener.find_client = false;
  EXPECT_EQ(find_origin(listener, request, client), nullptr);
}

TEST_F(Origin, AHostThatIsNone) {
  request.headers.set("X-Forwarded-Host", "evil/path");
  EXPECT_EQ(value_of(sent().headers, "X-Forwarded-Host"), "example.com");
}

}  // namespace

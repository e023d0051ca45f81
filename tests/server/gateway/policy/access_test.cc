// Addresses, CORS, pages.
#include <gtest/gtest.h>

#include "server/gateway/policy/addresses.h"
#include "server/gateway/policy/cors.h"
#include "server/gateway/policy/pages.h"
#include "tests/server/gateway/policy/requests.h"

namespace {

using namespace server::gateway;
using policy_test::get;
using policy_test::request;
using policy_test::text_of;

struct AddressRow {
  std::vector<const char*> deny, allow;
  const char* address;
  bool want;
};

TEST(AddressAllowed, DenyThenAllow) {
  const AddressRow rows[] = {
      {{}, {}, "192.0.2.1", true},
      {{}, {"192.0.2.0/24"}, "192.0.2.1", true},
      {{}, {"192.0.2.0/24"}, "192.0.3.1", false},
      {{}, {"10.0.0.0/8", "192.0.3.1/32"}, "192.0.3.1", true},
      {{"192.0.2.0/24"}, {}, "192.0.2.1", false},
      {{"192.0.2.0/24"}, {}, "192.0.3.1", true},
      {{"192.0.2.1/32"}, {"192.0.2.0/24"}, "192.0.2.1", false},
      {{"192.0.2.1/32"}, {"192.0.2.0/24"}, "192.0.2.2", true},
      {{}, {"192.0.2.0/24"}, "::ffff:192.0.2.1", true},
      {{"192.0.2.0/24"}, {}, "::ffff:192.0.2.1", false},
      {{}, {"0.0.0.0/0"}, "2001:db8::1", false},
      {{}, {"2001:db8::/32"}, "2001:db8::1", true},
  };
  for (const AddressRow& row : rows) {
    Policy policy;
    for (const char* each : row.deny) policy.deny.push_back(*base::Cidr::parse(each));
    for (const char* each : row.allow) policy.allow.push_back(*base::Cidr::parse(each));
    EXPECT_EQ(address_allowed(policy, *base::Ip::parse(row.address)), row.want) << row.address;
  }
}

// ---- CORS --------------------------------------------------------------------------------------------------------

Cors make_cors() {
  Cors cors;
  cors.any_origin = false;
  cors.origins = {policy_test::regex("^https://ex\\.com$"), policy_test::regex("^https://[A-Za-z0-9\\-]+\\.ex\\.com$")};
  cors.methods = "GET, PUT";
  cors.headers = "X-A";
  cors.max_age_s = 60;
  return cors;
}

constexpr const char* kFor = "Access-Control-Allow-Origin: https://ex.com\nAccess-Control-Allow-Credentials: true\nAccess-Control-Allow-Methods: GET, PUT\nAccess-Control-Allow-Headers: X-A\n";

TEST(Cors, Origins) {
  Cors cors = make_cors();
  const std::pair<const char*, bool> rows[] = {{"https://ex.com", true}, {"HTTPS://EX.COM", true}, {"https://a.ex.com", true}, {"https://a.b.ex.com", false}, {"http://ex.com", false}, {"https://ex.com.evil", false}, {"", false}};
  for (const auto& [origin, want] : rows) EXPECT_EQ(origin_allowed(cors, origin), want) << origin;
  cors.any_origin = true;
  EXPECT_TRUE(origin_allowed(cors, ""));
}

TEST(Cors, APreflightIsAnsweredHere) {
  Cors cors = make_cors();
  auto answer = answer_preflight(cors, request("OPTIONS", "/", {{"Origin", "https://ex.com"}}));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 204);
  EXPECT_EQ(text_of(answer->headers), "Content-Type: text/plain charset=UTF-8\n");
  EXPECT_FALSE(answer_preflight(cors, request("OPTIONS", "/", {{"Origin", "https://evil.com"}})));
  EXPECT_FALSE(answer_preflight(cors, request("OPTIONS", "/")));
  EXPECT_FALSE(answer_preflight(cors, get("/", {{"Origin", "https://ex.com"}})));
  cors.any_origin = true;
  EXPECT_TRUE(answer_preflight(cors, request("OPTIONS", "/")));
}

TEST(Cors, HeadersOnEveryAnswer) {
  Cors cors = make_cors();
  RequestHead from_ex = get("/", {{"Origin", "https://ex.com"}});
  Headers answer = policy_test::headers({{"access-control-allow-origin", "*"}});
  add_cors_headers(cors, from_ex, answer);
  EXPECT_EQ(answer.count("Access-Control-Allow-Origin"), 1u);
  answer.clear();
  add_cors_headers(cors, from_ex, answer);
  EXPECT_EQ(text_of(answer), std::string(kFor) + "Access-Control-Max-Age: 60\n");

  answer.clear();
  add_cors_headers(cors, get("/", {{"Origin", "https://evil.com"}}), answer);
  add_cors_headers(cors, get("/"), answer);
  EXPECT_TRUE(answer.empty());

  cors.expose = "X-B";
  cors.credentials = false;
  cors.any_origin = true;
  add_cors_headers(cors, from_ex, answer);
  EXPECT_EQ(text_of(answer), "Access-Control-Allow-Origin: *\nAccess-Control-Allow-Methods: GET, PUT\nAccess-Control-Allow-Headers: X-A\nAccess-Control-Expose-Headers: X-B\nAccess-Control-Max-Age: 60\n");
}

// ---- Pages -------------------------------------------------------------------------------------------------------

TEST(ErrorPage, IsNginx) {
  EXPECT_EQ(error_page(404),
            "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n");
  EXPECT_EQ(error_page(404).size(), 146u);
  EXPECT_EQ(error_page(308).size(), 164u);
  EXPECT_EQ(error_page(503).size(), 190u);
  EXPECT_EQ(error_page(413).size(), 176u);
  EXPECT_EQ(error_page(494),
            "<html>\r\n<head><title>400 Request Header Or Cookie Too Large</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>Request Header Or Cookie Too Large</center>\r\n"
            "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n");
  EXPECT_EQ(sent_status(497), 400);
  EXPECT_EQ(sent_status(498), 498);
  for (int status : {200, 204, 304, 418, 999}) EXPECT_EQ(error_page(status), "") << status;
}

}  // namespace

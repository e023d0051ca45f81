#include "server/gateway/policy/affinity.h"

#include <gtest/gtest.h>

#include <set>

#include "server/gateway/policy/canary.h"
#include "tests/server/gateway/policy/requests.h"

namespace {

using namespace server::gateway;
using policy_test::get;
using policy_test::upstream;

const base::WallTime kNow{std::chrono::seconds(784111777)};  // Sun, 06 Nov 1994 08:49:37 GMT

// The value of a Set-Cookie text.
std::string value_in(const std::string& set_cookie) {
  size_t from = set_cookie.find('=') + 1;
  return set_cookie.substr(from, set_cookie.find(';') - from);
}

TEST(Affinity, TheCookieLeadsBack) {
  for (bool persistent : {false, true}) {
    for (size_t count : {1u, 2u, 5u, 60u}) {
      auto target = upstream("default/web:80", count);
      Affinity affinity;
      affinity.persistent = persistent;
      for (size_t i = 0; i < count; ++i) {
        std::string cookie = value_in(affinity_set_cookie(affinity, *target, i, get("/"), {}, "/", kNow));
        EXPECT_EQ(endpoint_of_cookie(affinity, *target, cookie), i) << cookie;
        EXPECT_TRUE(cookie_is_of(cookie, *target));
        EXPECT_FALSE(cookie_is_of(cookie, *upstream("default/other:80", 1)));
      }
    }
  }
}

TEST(Affinity, WhenEndpointsChange) {
  auto ten = upstream("a", 10), eleven = upstream("a", 11);
  auto nine = std::make_shared<Upstream>(*ten);
  nine->endpoints.erase(nine->endpoints.begin());
  Affinity balanced, persistent;
  persistent.persistent = true;
  int moved = 0;
  for (size_t i = 0; i < 10; ++i) {
    std::string stays = value_in(affinity_set_cookie(persistent, *ten, i, get("/"), {}, "/", kNow));
    EXPECT_EQ(endpoint_of_cookie(persistent, *eleven, stays), i);
    EXPECT_EQ(endpoint_of_cookie(persistent, *nine, stays), i == 0 ? std::nullopt : std::optional<size_t>(i - 1));
    for (int k = 0; k < 20; ++k) {
      std::string cookie = value_in(affinity_set_cookie(balanced, *ten, i, get("/"), {}, "/", kNow));
      auto now = endpoint_of_cookie(balanced, *eleven, cookie);
      if (now != i) {
        EXPECT_EQ(now, 10u);
        ++moved;
      }
      auto with_one_less = endpoint_of_cookie(balanced, *nine, cookie);
      EXPECT_TRUE(i == 0 || with_one_less == i - 1);
    }
  }
  EXPECT_GT(moved, 2) << "of 200, an eleventh goes to the new one";
  EXPECT_LT(moved, 60);
}

TEST(Affinity, StrangeCookies) {
  auto target = upstream("a", 3);
  Affinity balanced, persistent;
  persistent.persistent = true;
  for (const char* cookie : {"x", "x|y", "x|y|z", "\"q\"", "x|"}) {
    EXPECT_TRUE(endpoint_of_cookie(balanced, *target, cookie)) << "any key hashes to something, as ingress-nginx's";
    EXPECT_FALSE(endpoint_of_cookie(persistent, *target, cookie));
    EXPECT_FALSE(cookie_is_of(cookie, *target));
  }
  for (const char* cookie : {"", "|", "|x"}) EXPECT_FALSE(endpoint_of_cookie(balanced, *target, cookie)) << cookie;
  EXPECT_FALSE(endpoint_of_cookie(balanced, *upstream("a", 0), "x"));
  EXPECT_EQ(affinity_set_cookie(balanced, *upstream("a", 0), 0, get("/"), {}, "/"), "");
}

TEST(Affinity, TheTextOfTheCookie) {
  auto target = upstream("a", 1);
  const std::string value = md5_hex("a10.244.0.1:8080") + "|" + md5_hex(md5_hex("a") + "a");
  Affinity plain;
  plain.persistent = true;
  ClientInfo clear, tls;
  tls.tls = true;
  EXPECT_EQ(affinity_set_cookie(plain, *target, 0, get("/"), clear, "/app", kNow), "INGRESSCOOKIE=" + value + "; Path=/app; HttpOnly");
  EXPECT_EQ(affinity_set_cookie(plain, *target, 0, get("/"), tls, "/app", kNow), "INGRESSCOOKIE=" + value + "; Path=/app; Secure; HttpOnly");
  Affinity full = plain;
  full.cookie = "route";
  full.path = "/p";
  full.domain = "ex.com";
  full.expires_s = 60;
  full.max_age_s = 120;
  full.secure = false;
  full.same_site = "None";
  EXPECT_EQ(affinity_set_cookie(full, *target, 0, get("/"), tls, "/app", kNow),
            "route=" + value + "; Expires=Sun, 06 Nov 1994 08:50:37 GMT; Max-Age=120; Domain=ex.com; Path=/p; HttpOnly; SameSite=None");
  full.conditional_same_site_none = true;
  const std::pair<const char*, bool> agents[] = {
      {"Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0", true},
      {"Mozilla/5.0 (X11; Linux x86_64) Chrome/65.0", false},
      {"Mozilla/5.0 (iPhone; CPU iPhone OS 12_2 like Mac OS X)", false},
      {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) Version/13 Safari/605", false},
      {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) Chrome/120 Safari/605", true},
      {"", true},
  };
  for (const auto& [agent, kept] : agents) {
    std::string text = affinity_set_cookie(full, *target, 0, get("/", {{"User-Agent", agent}}), tls, "/app", kNow);
    EXPECT_EQ(text.find("SameSite") != std::string::npos, kept) << agent;
  }
}

// ---- Canaries ----------------------------------------------------------------------------------------------------

Forward make_forward(const Canary& canary) {
  Forward forward;
  forward.backends.push_back({upstream("primary", 2)});
  forward.canaries.push_back(canary);
  forward.canaries[0].backend.upstream = upstream("canary", 2);
  return forward;
}

struct CanaryRow {
  const char* name;
  const char* header;
  const char* value;
  const char* pattern;
  const char* cookie;
  uint32_t weight;
  policy_test::Fields sent;
  bool want;
};

TEST(ChooseCanary, InTheOrderOfTheRules) {
  const CanaryRow rows[] = {
      {"nothing set", "", "", "", "", 0, {}, false},
      {"all by weight", "", "", "", "", 100, {}, true},
      {"header always", "X-C", "", "", "", 0, {{"x-c", "always"}}, true},
      {"header never beats weight", "X-C", "", "", "", 100, {{"x-c", "never"}}, false},
      {"header never beats cookie", "X-C", "", "", "c", 0, {{"x-c", "never"}, {"Cookie", "c=always"}}, false},
      {"another word falls through", "X-C", "", "", "", 100, {{"x-c", "maybe"}}, true},
      {"another word, no weight", "X-C", "", "", "", 0, {{"x-c", "Always"}}, false},
      {"exact value", "X-C", "v1", "", "", 0, {{"x-c", "v1"}}, true},
      {"always is not the value", "X-C", "v1", "", "", 0, {{"x-c", "always"}}, false},
      {"never is not the value either", "X-C", "v1", "", "", 100, {{"x-c", "never"}}, true},
      {"pattern", "X-C", "", "^v[0-9]", "", 0, {{"x-c", "v2"}}, true},
      {"pattern does not fit", "X-C", "", "^v[0-9]", "", 0, {{"x-c", "w"}}, false},
      {"value wins over pattern", "X-C", "v1", "^v[0-9]", "", 0, {{"x-c", "v2"}}, false},
      {"cookie always", "", "", "", "c", 0, {{"Cookie", "c=always"}}, true},
      {"cookie never", "", "", "", "c", 100, {{"Cookie", "c=never"}}, false},
      {"cookie with another word", "", "", "", "c", 100, {{"Cookie", "c=1"}}, true},
  };
  for (const CanaryRow& row : rows) {
    SCOPED_TRACE(row.name);
    Canary canary;
    canary.header = row.header;
    canary.header_value = row.value;
    if (*row.pattern != '\0') canary.header_pattern = policy_test::regex(row.pattern, false);
    canary.cookie = row.cookie;
    canary.weight = row.weight;
    Forward forward = make_forward(canary);
    WeightedTurns turns;
    EXPECT_EQ(choose_canary(forward, get("/", row.sent), std::nullopt, &turns) != nullptr, row.want);
  }
}

TEST(ChooseCanary, WeightsAreExact) {
  for (auto [weight, total, rounds, want] : {std::tuple{25u, 100u, 100, 25}, {1u, 100u, 200, 2}, {5u, 1000u, 1000, 5}, {30u, 50u, 100, 30}, {200u, 100u, 10, 10}}) {
    Canary canary;
    canary.weight = weight;
    canary.weight_total = total;
    Forward forward = make_forward(canary);
    WeightedTurns turns;
    int taken = 0;
    for (int i = 0; i < rounds; ++i) taken += choose_canary(forward, get("/"), std::nullopt, &turns) != nullptr ? 1 : 0;
    EXPECT_EQ(taken, want) << weight << " of " << total << " (a total below 100 counts as 100)";
  }
}

TEST(ChooseCanary, SeveralShareTheSameHundred) {
  Canary canary;
  canary.weight = 20;
  Forward forward = make_forward(canary);
  forward.canaries.push_back(forward.canaries[0]);
  forward.canaries[1].weight = 30;
  WeightedTurns turns;
  std::map<const Canary*, int> hits;
  for (int i = 0; i < 100; ++i) ++hits[choose_canary(forward, get("/"), std::nullopt, &turns)];
  EXPECT_EQ(hits[&forward.canaries[0]], 20);
  EXPECT_EQ(hits[&forward.canaries[1]], 30);
  EXPECT_EQ(hits[nullptr], 50);
}

TEST(ChooseCanary, AnAffinityCookieIsFirst) {
  Canary canary;
  canary.header = "X-C";
  Forward forward = make_forward(canary);
  std::string of_primary = "key|" + backend_key(*forward.backends[0].upstream), of_canary = "key|" + backend_key(*forward.canaries[0].backend.upstream);
  RequestHead always = get("/", {{"X-C", "always"}}), never = get("/", {{"X-C", "never"}});
  EXPECT_EQ(choose_canary(forward, always, of_primary, nullptr), nullptr);
  EXPECT_NE(choose_canary(forward, never, of_canary, nullptr), nullptr);
  EXPECT_EQ(choose_canary(forward, never, "key|other", nullptr), nullptr);
  EXPECT_NE(choose_canary(forward, always, "key|other", nullptr), nullptr);
  forward.canaries[0].sticky = false;
  EXPECT_EQ(choose_canary(forward, never, of_canary, nullptr), nullptr) << "affinity-canary-behavior: legacy";
}

TEST(ChooseCanary, OneWithoutEndpointsDoesNotCount) {
  Canary canary;
  canary.weight = 100;
  Forward forward = make_forward(canary);
  forward.canaries[0].backend.upstream = upstream("canary", 0);
  EXPECT_EQ(choose_canary(forward, get("/"), "key|" + backend_key(*forward.canaries[0].backend.upstream), nullptr), nullptr);
  forward.canaries[0].backend.upstream = nullptr;
  EXPECT_EQ(choose_canary(forward, get("/"), std::nullopt, nullptr), nullptr);
}

}  // namespace

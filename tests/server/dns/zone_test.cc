#include "server/dns/zone.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/server/dns/messages.h"
#include "tests/server/proxy/objects.h"

namespace {

using dns_test::Ask;
using dns_test::Response;
using server::dns::Zone;

enum : uint16_t { kA = 1, kNs = 2, kCname = 5, kSoa = 6, kPtr = 12, kHinfo = 13, kMx = 15, kTxt = 16, kAaaa = 28, kSrv = 33, kAny = 255 };
enum { kOk = 0, kFormErr = 1, kServFail = 2, kNx = 3, kNotImp = 4, kRefused = 5 };

constexpr const char* kPorts = R"([{"name":"http","port":80},{"name":"dns","port":53,"protocol":"UDP"}])";
const char* const kSoaText = "cluster.local. 5 SOA ns.dns.cluster.local. hostmaster.cluster.local. 7200 1800 86400 5";
const char* const kReverseSoa = "in-addr.arpa. 5 SOA ns.dns.in-addr.arpa. hostmaster.in-addr.arpa. 7200 1800 86400 5";

void put(Zone& zone, const std::string& ns, const std::string& name, const nlohmann::json& service,
         const std::vector<nlohmann::json>& slices = {}) {
  std::vector<server::model::EndpointSlice> projected;
  for (const auto& tree : slices) projected.push_back(proxy_test::slice(ns, name + "-" + std::to_string(projected.size()), tree));
  std::vector<const server::model::EndpointSlice*> pointers;
  for (const auto& slice : projected) pointers.push_back(&slice);
  zone.set_service({ns, name}, server::dns::compile_records(proxy_test::service(ns, name, service), pointers));
}

nlohmann::json external(const std::string& name) { return {{"spec", {{"type", "ExternalName"}, {"externalName", name}}}}; }

Zone make_zone() {
  Zone zone("cluster.local", 5);
  for (const char* ns : {"default", "kube-system", "quiet"}) zone.set_namespace(ns, true);
  put(zone, "kube-system", "kube-dns", proxy_test::service_tree("10.96.0.10", R"([{"name":"dns","port":53,"protocol":"UDP"}])"));
  put(zone, "default", "web", proxy_test::service_tree("10.96.1.1", kPorts),
      {proxy_test::slice_tree("web", {"10.244.1.5", "10.244.2.5"}, R"([{"name":"http","port":8080}])")});
  put(zone, "default", "plain", proxy_test::service_tree("10.96.1.2", R"([{"port":80}])"));
  auto dual = proxy_test::service_tree("10.96.1.3", kPorts);
  dual["spec"]["clusterIPs"] = {"10.96.1.3", "fd00:10:96::3"};
  put(zone, "default", "dual", dual);
  auto db_slice = proxy_test::slice_tree("db", {"10.244.1.7", "10.244.2.8", "10.244.2.9"}, R"([{"name":"sql","port":5432}])");
  db_slice["endpoints"][0]["hostname"] = "db-0";
  db_slice["endpoints"][1]["hostname"] = "DB-1";
  db_slice["endpoints"][2]["conditions"]["ready"] = false;
  put(zone, "default", "db", proxy_test::service_tree("None", R"([{"name":"sql","port":5432}])"), {db_slice});
  put(zone, "default", "bare", proxy_test::service_tree("None", "[]"), {proxy_test::slice_tree("bare", {"10.244.1.5"}, "[]")});
  put(zone, "default", "empty", proxy_test::service_tree("None", R"([{"name":"sql","port":5432}])"));
  put(zone, "default", "out", external("example.com."));
  put(zone, "default", "alias", external("web.default.svc.cluster.local"));
  put(zone, "default", "alias2", external("alias.default.svc.cluster.local"));
  put(zone, "default", "loop", external("loop.default.svc.cluster.local"));
  put(zone, "default", "literal", external("192.0.2.1"));
  zone.set_synced();
  return zone;
}

Response ask_raw(Zone& zone, const std::string& message, size_t limit = 0) {
  const auto parsed = server::dns::parse_query(message);
  server::dns::Answer answer;
  answer.rcode = parsed.rcode;
  if (parsed.outcome == server::dns::ParsedQuery::Outcome::kAnswer) answer = zone.answer(parsed.query);
  return dns_test::parse(server::dns::render_response(parsed.query, answer, limit != 0 ? limit : server::dns::udp_limit(parsed.query)));
}
Response ask(Zone& zone, const Ask& query) { return ask_raw(zone, dns_test::query(query)); }

std::vector<std::string> sorted(std::vector<std::string> lines) {
  std::sort(lines.begin(), lines.end());
  return lines;
}

struct Row {
  const char* name;
  uint16_t type;
  int rcode;
  std::vector<std::string> want;  // Order does not matter.
};

TEST(Zone, answers) {
  Zone zone = make_zone();
  const std::vector<Row> rows = {
      // Services with an address.
      {"web.default.svc.cluster.local.", kA, kOk, {"web.default.svc.cluster.local. 5 A 10.96.1.1"}},
      {"WEB.Default.SVC.cluster.LOCAL.", kA, kOk, {"WEB.Default.SVC.cluster.LOCAL. 5 A 10.96.1.1"}},
      {"web.default.svc.cluster.local.", kAaaa, kOk, {}},
      {"web.default.svc.cluster.local.", kTxt, kOk, {}},
      {"web.default.svc.cluster.local.", kSoa, kOk, {}},
      {"web.default.svc.cluster.local.", kMx, kOk, {}},
      {"web.default.svc.cluster.local.", kHinfo, kOk, {}},
      {"dual.default.svc.cluster.local.", kA, kOk, {"dual.default.svc.cluster.local. 5 A 10.96.1.3"}},
      {"dual.default.svc.cluster.local.", kAaaa, kOk, {"dual.default.svc.cluster.local. 5 AAAA fd00:10:96::3"}},
      {"nosuch.default.svc.cluster.local.", kA, kNx, {}},
      {"web.nosuch.svc.cluster.local.", kA, kNx, {}},
      {"bogus.web.default.svc.cluster.local.", kA, kNx, {}},
      {"a.b.c.web.default.svc.cluster.local.", kA, kNx, {}},
      // SRV: per named port; of the bare service name all.
      {"_http._tcp.web.default.svc.cluster.local.",
       kSrv,
       kOk,
       {"_http._tcp.web.default.svc.cluster.local. 5 SRV 0 100 80 web.default.svc.cluster.local."}},
      {"_dns._udp.web.default.svc.cluster.local.",
       kSrv,
       kOk,
       {"_dns._udp.web.default.svc.cluster.local. 5 SRV 0 100 53 web.default.svc.cluster.local."}},
      {"_http._udp.web.default.svc.cluster.local.", kSrv, kNx, {}},
      {"_http._tcp.web.default.svc.cluster.local.", kA, kOk, {}},
      {"_tcp.web.default.svc.cluster.local.", kA, kOk, {}},
      {"_sctp.web.default.svc.cluster.local.", kA, kNx, {}},
      {"http.tcp.web.default.svc.cluster.local.", kSrv, kNx, {}},
      {"web.default.svc.cluster.local.",
       kSrv,
       kOk,
       {"web.default.svc.cluster.local. 5 SRV 0 50 53 web.default.svc.cluster.local.",
        "web.default.svc.cluster.local. 5 SRV 0 50 80 web.default.svc.cluster.local."}},
      {"plain.default.svc.cluster.local.", kSrv, kOk, {}},
      // Headless services: the ready endpoints.
      {"db.default.svc.cluster.local.",
       kA,
       kOk,
       {"db.default.svc.cluster.local. 5 A 10.244.1.7", "db.default.svc.cluster.local. 5 A 10.244.2.8"}},
      {"db-0.db.default.svc.cluster.local.", kA, kOk, {"db-0.db.default.svc.cluster.local. 5 A 10.244.1.7"}},
      {"db-1.db.default.svc.cluster.local.", kA, kOk, {"db-1.db.default.svc.cluster.local. 5 A 10.244.2.8"}},
      {"10-244-2-9.db.default.svc.cluster.local.", kA, kNx, {}},
      {"_sql._tcp.db.default.svc.cluster.local.",
       kSrv,
       kOk,
       {"_sql._tcp.db.default.svc.cluster.local. 5 SRV 0 50 5432 db-0.db.default.svc.cluster.local.",
        "_sql._tcp.db.default.svc.cluster.local. 5 SRV 0 50 5432 db-1.db.default.svc.cluster.local."}},
      {"bare.default.svc.cluster.local.", kA, kOk, {"bare.default.svc.cluster.local. 5 A 10.244.1.5"}},
      {"10-244-1-5.bare.default.svc.cluster.local.", kA, kOk, {"10-244-1-5.bare.default.svc.cluster.local. 5 A 10.244.1.5"}},
      {"empty.default.svc.cluster.local.", kA, kNx, {}},
      {"10-244-1-5.web.default.svc.cluster.local.", kA, kOk, {"10-244-1-5.web.default.svc.cluster.local. 5 A 10.244.1.5"}},
      // ExternalName.
      {"out.default.svc.cluster.local.", kA, kOk, {"out.default.svc.cluster.local. 5 CNAME example.com."}},
      {"out.default.svc.cluster.local.", kCname, kOk, {"out.default.svc.cluster.local. 5 CNAME example.com."}},
      {"alias.default.svc.cluster.local.",
       kA,
       kOk,
       {"alias.default.svc.cluster.local. 5 CNAME web.default.svc.cluster.local.", "web.default.svc.cluster.local. 5 A 10.96.1.1"}},
      {"alias2.default.svc.cluster.local.",
       kA,
       kOk,
       {"alias.default.svc.cluster.local. 5 CNAME web.default.svc.cluster.local.",
        "alias2.default.svc.cluster.local. 5 CNAME alias.default.svc.cluster.local.", "web.default.svc.cluster.local. 5 A 10.96.1.1"}},
      {"x.out.default.svc.cluster.local.", kA, kNx, {}},
      {"_http._tcp.out.default.svc.cluster.local.", kSrv, kNx, {}},
      {"literal.default.svc.cluster.local.", kA, kNx, {}},
      // Pods, at their word; the namespace must exist.
      {"10-244-1-5.default.pod.cluster.local.", kA, kOk, {"10-244-1-5.default.pod.cluster.local. 5 A 10.244.1.5"}},
      {"10-244-1-5.default.pod.cluster.local.", kAaaa, kOk, {}},
      {"fd00--1.quiet.pod.cluster.local.", kAaaa, kOk, {"fd00--1.quiet.pod.cluster.local. 5 AAAA fd00::1"}},
      {"10-244-1-5.nosuch.pod.cluster.local.", kA, kNx, {}},
      {"web-0.default.pod.cluster.local.", kA, kNx, {}},
      // Names that only have names below them.
      {"svc.cluster.local.", kA, kOk, {}},
      {"pod.cluster.local.", kA, kOk, {}},
      {"quiet.svc.cluster.local.", kA, kOk, {}},
      {"default.pod.cluster.local.", kNs, kOk, {}},
      {"nosuch.svc.cluster.local.", kA, kNx, {}},
      {"foo.cluster.local.", kA, kNx, {}},
      {"foo.svc.cluster.local.", kA, kNx, {}},
      // The apex and what hangs from it.
      {"cluster.local.", kA, kOk, {}},
      {"cluster.local.", kSoa, kOk, {kSoaText}},
      {"cluster.local.", kNs, kOk, {"cluster.local. 5 NS ns.dns.cluster.local."}},
      {"ns.dns.cluster.local.", kA, kOk, {"ns.dns.cluster.local. 5 A 10.96.0.10"}},
      {"dns.cluster.local.", kA, kOk, {}},
      {"dns-version.cluster.local.", kTxt, kOk, {"dns-version.cluster.local. 28800 TXT 1.1.0"}},
      {"dns-version.cluster.local.", kA, kOk, {}},
      // Reverse.
      {"1.1.96.10.in-addr.arpa.", kPtr, kOk, {"1.1.96.10.in-addr.arpa. 5 PTR web.default.svc.cluster.local."}},
      {"7.1.244.10.in-addr.arpa.", kPtr, kOk, {"7.1.244.10.in-addr.arpa. 5 PTR db-0.db.default.svc.cluster.local."}},
      {"5.1.244.10.in-addr.arpa.",
       kPtr,
       kOk,
       {"5.1.244.10.in-addr.arpa. 5 PTR 10-244-1-5.bare.default.svc.cluster.local.",
        "5.1.244.10.in-addr.arpa. 5 PTR 10-244-1-5.web.default.svc.cluster.local."}},
      {"1.1.96.10.in-addr.arpa.", kA, kOk, {}},
      {"99.1.96.10.in-addr.arpa.", kPtr, kNx, {}},
      {"96.10.in-addr.arpa.", kPtr, kOk, {}},
      {"1.1.168.192.in-addr.arpa.", kPtr, kNx, {}},
      {"x.1.96.10.in-addr.arpa.", kPtr, kNx, {}},
      {"3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa.",
       kPtr,
       kOk,
       {"3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa. 5 PTR dual.default.svc.cluster.local."}},
  };
  for (const Row& row : rows) {
    const Response got = ask(zone, {row.name, row.type});
    SCOPED_TRACE(std::string(row.name) + " type " + std::to_string(row.type));
    EXPECT_TRUE(got.ok);
    EXPECT_EQ(got.rcode, row.rcode);
    EXPECT_EQ(sorted(got.answers), sorted(row.want));
    EXPECT_EQ(got.question, row.name);
    EXPECT_TRUE(got.aa);
    EXPECT_FALSE(got.tc);
    // A negative answer says for how long it holds.
    if (row.want.empty()) {
      ASSERT_EQ(got.authority.size(), 1u);
      if (std::string(row.name).ends_with("local.")) {
        EXPECT_EQ(got.authority[0], kSoaText);
      }
      if (std::string(row.name).ends_with("in-addr.arpa.")) {
        EXPECT_EQ(got.authority[0], kReverseSoa);
      }
    } else {
      EXPECT_TRUE(got.authority.empty());
    }
  }
}

TEST(Zone, outside_the_cluster) {
  Zone zone = make_zone();
  struct OutsideRow {
    const char* name;
    uint16_t type;
    int rcode;
    std::vector<std::string> want;
  };
  const OutsideRow rows[] = {
      {"example.com.", kA, kServFail, {}},
      {"www.example.com.", kAaaa, kServFail, {}},
      {".", kNs, kServFail, {}},
      {"8.8.8.8.in-addr.arpa.", kPtr, kServFail, {}},
      {"localhost.", kA, kOk, {"localhost. 5 A 127.0.0.1"}},
      {"localhost.", kAaaa, kOk, {}},
      {"nginx.", kA, kNx, {}},
      {"web.default.svc.", kA, kNx, {}},
      {"printer.local.", kA, kNx, {}},
      {"cluster.local.example.com.", kA, kServFail, {}},
      {"xcluster.local.", kA, kNx, {}},
  };
  for (const OutsideRow& row : rows) {
    const std::string name = std::string(row.name) == "." ? "" : row.name;
    const Response got = ask(zone, {name, row.type, 1232});
    SCOPED_TRACE(row.name);
    EXPECT_TRUE(got.ok);
    EXPECT_EQ(got.rcode, row.rcode);
    EXPECT_EQ(got.aa, row.rcode != kServFail);
    EXPECT_EQ(got.answers, row.want);
    EXPECT_EQ(got.ede, row.rcode == kServFail ? 22 : -1);
    if (row.rcode == kServFail) {
      EXPECT_EQ(got.ede_text, "kubelan has no way out: no upstream resolver");
    }
    EXPECT_EQ(ask(zone, {name, row.type}).ede, -1);  // Not for clients without EDNS.
  }
}

TEST(Zone, queries_that_get_no_records) {
  Zone zone = make_zone();
  EXPECT_EQ(ask(zone, {"web.default.svc.cluster.local.", 252}).rcode, kRefused);         // AXFR
  EXPECT_EQ(ask(zone, {"version.bind.", kTxt, std::nullopt, 3}).rcode, kRefused);        // CHAOS
  EXPECT_EQ(ask(zone, {"cluster.local.", kA, std::nullopt, 1, 0x2900}).rcode, kNotImp);  // UPDATE
  std::string two = dns_test::query({"cluster.local."});
  two[5] = 2;
  EXPECT_EQ(ask_raw(zone, two).rcode, kFormErr);
  std::string newer = dns_test::query({"cluster.local.", kA, 1232});
  newer[newer.size() - 5] = 1;  // The version's byte.
  const Response badvers = ask_raw(zone, newer);
  EXPECT_EQ(badvers.rcode, 16);
  EXPECT_TRUE(badvers.opt);
}

TEST(Zone, an_external_chain_that_loops_ends) {
  Zone zone = make_zone();
  const Response got = ask(zone, {"loop.default.svc.cluster.local."});
  EXPECT_TRUE(got.ok);
  EXPECT_EQ(got.rcode, kOk);
  EXPECT_EQ(got.answers.size(), 8u);
}

TEST(Zone, additional_addresses_come_with_srv) {
  Zone zone = make_zone();
  const Response got = ask(zone, {"_sql._tcp.db.default.svc.cluster.local.", kSrv});
  EXPECT_EQ(sorted(got.additional), (std::vector<std::string>{"db-0.db.default.svc.cluster.local. 5 A 10.244.1.7",
                                                              "db-1.db.default.svc.cluster.local. 5 A 10.244.2.8"}));
}

TEST(Zone, headless_addresses_take_turns) {
  Zone zone = make_zone();
  std::set<std::string> first;
  for (int i = 0; i < 2; ++i) first.insert(ask(zone, {"db.default.svc.cluster.local."}).answers.at(0));
  EXPECT_EQ(first.size(), 2u);
}

TEST(Zone, before_everything_is_known_a_missing_name_is_not_denied) {
  Zone zone("cluster.local", 5);
  put(zone, "default", "web", proxy_test::service_tree("10.96.1.1", kPorts));
  EXPECT_EQ(ask(zone, {"web.default.svc.cluster.local."}).answers.size(), 1u);
  EXPECT_EQ(ask(zone, {"late.default.svc.cluster.local."}).rcode, kServFail);
  zone.set_synced();
  EXPECT_EQ(ask(zone, {"late.default.svc.cluster.local."}).rcode, kNx);
}

TEST(Zone, follows_changes) {
  Zone zone = make_zone();
  put(zone, "default", "web", proxy_test::service_tree("10.96.9.9", kPorts));
  EXPECT_EQ(ask(zone, {"web.default.svc.cluster.local."}).answers.at(0), "web.default.svc.cluster.local. 5 A 10.96.9.9");
  EXPECT_EQ(ask(zone, {"1.1.96.10.in-addr.arpa.", kPtr}).rcode, kNx);
  EXPECT_EQ(ask(zone, {"9.9.96.10.in-addr.arpa.", kPtr}).rcode, kOk);
  zone.set_service({"default", "web"}, std::nullopt);
  EXPECT_EQ(ask(zone, {"web.default.svc.cluster.local."}).rcode, kNx);
  EXPECT_EQ(ask(zone, {"9.9.96.10.in-addr.arpa.", kPtr}).rcode, kNx);
  zone.set_namespace("quiet", false);
  EXPECT_EQ(ask(zone, {"quiet.svc.cluster.local."}).rcode, kNx);
}

TEST(Zone, what_does_not_fit_is_cut_and_said) {
  Zone zone("cluster.local", 5);
  std::vector<std::string> addresses;
  for (int i = 1; i <= 200; ++i) addresses.push_back("10.244.3." + std::to_string(i));
  put(zone, "default", "big", proxy_test::service_tree("None", "[]"), {proxy_test::slice_tree("big", addresses, "[]")});
  struct SizeRow {
    std::optional<uint16_t> edns;
    size_t limit;
  };
  for (const SizeRow& row : {SizeRow{std::nullopt, 512}, SizeRow{100, 512}, SizeRow{1232, 1232}, SizeRow{4096, 1232}}) {
    const std::string message = dns_test::query({"big.default.svc.cluster.local.", kA, row.edns});
    const auto parsed = server::dns::parse_query(message);
    const std::string bytes = server::dns::render_response(parsed.query, zone.answer(parsed.query), server::dns::udp_limit(parsed.query));
    EXPECT_LE(bytes.size(), row.limit);
    EXPECT_GT(bytes.size(), row.limit - 16);  // One more record would not have fitted.
    const Response got = dns_test::parse(bytes);
    EXPECT_TRUE(got.ok);
    EXPECT_TRUE(got.tc);
    EXPECT_EQ(got.opt, row.edns.has_value());
  }
  const Response whole = ask_raw(zone, dns_test::query({"big.default.svc.cluster.local."}), 65535);
  EXPECT_FALSE(whole.tc);
  EXPECT_EQ(whole.answers.size(), 200u);
}

}  // namespace

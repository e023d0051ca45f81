// Transactions against the real kernel, in a network namespace of the test's own; libnftables is the witness.
#include "netns/nft/batch.h"

#include <netinet/in.h>

#include <algorithm>

#include "netns/nft/nft.h"
#include "tests/netns/support.h"

namespace {

using base::Family;
using base::Ip;
using netns::NftBatch;
using netns::NftElement;
using netns::NftSocket;
using netns::NftValue;
using netns::NftVerdict;

constexpr const char* kBatchTable = R"(
table ip t {
  map services { type ipv4_addr . inet_proto . inet_service : mark; }
  map endpoints { type mark . mark : ipv4_addr . inet_service; }
  map targets { type mark : verdict; }
  map ports { type inet_service : mark; }
  set addresses { type ipv4_addr; }
  set ranges { type ipv4_addr; flags interval; }
  set sources { type mark . ipv4_addr; flags interval; }
  map sticky { type ipv4_addr . mark : mark; flags timeout; }
  chain refuse {
    reject
  }
  chain output {
    type filter hook output priority 0; policy accept;
    ct mark vmap @targets
  }
}
table ip6 t {
  map services { type ipv6_addr . inet_proto . inet_service : mark; }
}
)";

struct NftWorld {
  std::unique_ptr<netns::Nft> nft;
  std::unique_ptr<NftSocket> socket;

  NftWorld() {
    auto opened = netns::Nft::open();
    EXPECT_TRUE(opened.ok());
    nft = std::move(opened).value();
    base::Status loaded = nft->run(kBatchTable);
    EXPECT_TRUE(loaded.ok()) << loaded.error().message;
    auto raw = NftSocket::open();
    EXPECT_TRUE(raw.ok());
    socket = std::make_unique<NftSocket>(std::move(raw).value());
  }
  std::string text(const std::string& command) {
    auto out = nft->query(command, false);
    EXPECT_TRUE(out.ok()) << out.error().message;
    return out.ok() ? *out : "";
  }
  size_t count(const char* set) {
    auto out = socket->list_elements(Family::kIpv4, "t", set);
    EXPECT_TRUE(out.ok()) << out.error().message;
    return out.ok() ? out->size() : 0;
  }
};

NftValue frontend(const Ip& ip, uint16_t port) { return NftValue().ip(ip).protocol(IPPROTO_TCP).port(port); }

TEST(NftValue, PutsComponentsAtMultiplesOfFour) {
  const Ip ip = Ip::v4(10, 96, 0, 1);
  struct {
    const char* name;
    NftValue value;
    const char* want;
  } cases[] = {
      {"an address", NftValue().ip(ip), "0a600001"},
      {"a port alone keeps its size", NftValue().port(80), "0050"},
      {"a protocol alone keeps its size", NftValue().protocol(6), "06"},
      {"a concatenation is padded, its end as well", frontend(ip, 80), "0a600001 06000000 00500000"},
      {"the first of several is padded", NftValue().port(53).port(80), "00350000 00500000"},
      {"no padding after six bytes but up to four", NftValue().raw("abcdef").port(1), "61626364 65660000 00010000"},
      {"IPv6", NftValue().ip(*Ip::parse("fd00::1")).port(443), "fd000000 00000000 00000000 00000001 01bb0000"},
  };
  for (const auto& c : cases) EXPECT_EQ(c.value.text(), c.want) << c.name;
  const NftValue value = NftValue().ip(ip).mark(70000).port(443);
  EXPECT_EQ(value.ip_at(0, Family::kIpv4), ip);
  EXPECT_EQ(value.mark_at(1), 70000u);
  EXPECT_EQ(value.port_at(2), 443);
  EXPECT_EQ(value.port_at(3), 0);
  EXPECT_EQ(frontend(ip, 80).protocol_at(1), 6);
}

TEST(NftBatch, WritesWhatNftReads) {
  netns_test::run_isolated([] {
    NftWorld world;
    NftBatch batch(Family::kIpv4, "t");
    const Ip ip = Ip::v4(10, 96, 0, 1);
    batch.add_chain("wheel-3");
    batch.add_numgen_rule("wheel-3", NftBatch::Numgen::kIncrement, 3);
    batch.add_chain("random-5");
    batch.add_numgen_rule("random-5", NftBatch::Numgen::kRandom, 5, 100);
    batch.add_chain("fixed");
    batch.add_mark_rule("fixed", 7);
    batch.add_verdict_rule("fixed", {NftVerdict::Kind::kGoto, "refuse"});
    batch.add_element("endpoints", {.key = NftValue().mark(1).mark(2), .data = NftValue().ip(Ip::v4(10, 244, 1, 5)).port(8080)});
    batch.add_element("services", {.key = frontend(ip, 80), .data = NftValue().mark(1)});
    batch.add_element("targets", {.key = NftValue().mark(1), .verdict = NftVerdict{NftVerdict::Kind::kJump, "wheel-3"}});
    batch.add_element("targets", {.key = NftValue().mark(2), .verdict = NftVerdict{NftVerdict::Kind::kGoto, "refuse"}});
    batch.add_element("targets", {.key = NftValue().mark(3), .verdict = NftVerdict{NftVerdict::Kind::kDrop, ""}});
    batch.add_element("ports", {.key = NftValue().port(30080), .data = NftValue().mark(9)});
    batch.add_element("addresses", {.key = NftValue().ip(ip)});
    batch.add_element("ranges", {.key = NftValue().ip(Ip::v4(10, 0, 0, 0)), .key_end = NftValue().ip(Ip::v4(10, 255, 255, 255))});
    batch.add_element("sources", {.key = NftValue().range_mark(1).ip(Ip::v4(192, 168, 0, 0)), .key_end = NftValue().range_mark(1).ip(Ip::v4(192, 168, 0, 255))});
    batch.add_element("sticky", {.key = NftValue().ip(ip).mark(1), .data = NftValue().mark(2), .timeout = std::chrono::hours(3)});
    base::Status done = world.socket->commit(batch);
    ASSERT_TRUE(done.ok()) << done.error().message;
    const std::string text = world.text("list table ip t");
    for (const char* want :
         {"numgen inc mod 3", "numgen random mod 5 offset 100", "meta mark set 0x00000007", "goto refuse", "10.96.0.1 . tcp . 80 : 0x00000001",
          "0x00000001 . 0x00000002 : 10.244.1.5 . 8080", "0x00000001 : jump wheel-3", "0x00000002 : goto refuse", "0x00000003 : drop",
          "30080 : 0x00000009", "10.0.0.0/8", "0x00000001 . 192.168.0.0/24", "10.96.0.1 . 0x00000001 timeout 3h"}) {
      EXPECT_NE(text.find(want), std::string::npos) << want << "\n" << text;
    }
  });
}

TEST(NftBatch, ListsWhatWasWritten) {
  netns_test::run_isolated([] {
    NftWorld world;
    NftBatch batch(Family::kIpv4, "t");
    const std::vector<std::pair<std::string, NftElement>> wanted = {
        {"services", {.key = frontend(Ip::v4(10, 96, 0, 1), 80), .data = NftValue().mark(1)}},
        {"targets", {.key = NftValue().mark(2), .verdict = NftVerdict{NftVerdict::Kind::kGoto, "refuse"}}},
        {"targets", {.key = NftValue().mark(3), .verdict = NftVerdict{NftVerdict::Kind::kAccept, ""}}},
        {"ports", {.key = NftValue().port(1), .data = NftValue().mark(9)}},
        {"ranges", {.key = NftValue().ip(Ip::v4(10, 0, 0, 0)), .key_end = NftValue().ip(Ip::v4(10, 0, 0, 255))}},
        {"ranges", {.key = NftValue().ip(Ip::v4(10, 0, 1, 0)), .key_end = NftValue().ip(Ip::v4(10, 0, 1, 7))}},
        {"ranges", {.key = NftValue().ip(Ip::v4(240, 0, 0, 0)), .key_end = NftValue().ip(Ip::v4(255, 255, 255, 255))}},
        {"sources", {.key = NftValue().range_mark(1).ip(Ip::v4(1, 0, 0, 0)), .key_end = NftValue().range_mark(1).ip(Ip::v4(1, 0, 0, 255))}},
    };
    for (const auto& [set, element] : wanted) batch.add_element(set, element);
    base::Status done = world.socket->commit(batch);
    ASSERT_TRUE(done.ok()) << done.error().message;
    for (const char* set : {"services", "targets", "ports", "ranges", "sources"}) {
      std::vector<NftElement> want;
      for (const auto& [name, element] : wanted) {
        if (name == set) want.push_back(element);
      }
      auto have = world.socket->list_elements(Family::kIpv4, "t", set);
      ASSERT_TRUE(have.ok()) << have.error().message;
      EXPECT_TRUE(std::is_permutation(have->begin(), have->end(), want.begin(), want.end())) << set << ": " << have->size();
    }
    auto chains = world.socket->list_chains(Family::kIpv4, "t");
    ASSERT_TRUE(chains.ok());
    std::sort(chains->begin(), chains->end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    const std::vector<netns::NftChain> want = {{"output", true, 1}, {"refuse", false, 2}};
    EXPECT_EQ(*chains, want);
    EXPECT_EQ(world.socket->list_elements(Family::kIpv4, "t", "nosuch").error().code, base::Code::kNotFound);
    EXPECT_EQ(world.socket->list_elements(Family::kIpv4, "nosuch", "services").error().code, base::Code::kNotFound);
    EXPECT_TRUE(world.socket->list_chains(Family::kIpv4, "nosuch")->empty());
  });
}

TEST(NftBatch, DeletesReplacesAndFlushes) {
  netns_test::run_isolated([] {
    NftWorld world;
    NftSocket& socket = *world.socket;
    const NftValue key = frontend(Ip::v4(10, 96, 0, 1), 80);
    const NftValue low = NftValue().range_mark(1).ip(Ip::v4(1, 0, 0, 0)), high = NftValue().range_mark(1).ip(Ip::v4(1, 0, 0, 255));
    NftBatch batch(Family::kIpv4, "t");
    batch.add_element("services", {.key = key, .data = NftValue().mark(1)});
    batch.add_element("ranges", {.key = NftValue().ip(Ip::v4(10, 0, 0, 0)), .key_end = NftValue().ip(Ip::v4(10, 0, 0, 255))});
    batch.add_element("sources", {.key = low, .key_end = high});
    batch.add_chain("a");
    batch.add_verdict_rule("a", {NftVerdict::Kind::kAccept, ""});
    ASSERT_TRUE(socket.commit(batch).ok());

    batch.clear();
    EXPECT_TRUE(batch.empty());
    EXPECT_EQ(batch.size(), 0u);
    batch.delete_element("services", key);
    batch.add_element("services", {.key = key, .data = NftValue().mark(2)});
    batch.delete_element("ranges", NftValue().ip(Ip::v4(10, 0, 0, 0)), NftValue().ip(Ip::v4(10, 0, 0, 255)));
    const NftElement listed = socket.list_elements(Family::kIpv4, "t", "sources")->at(0);
    EXPECT_EQ(listed.key, low);
    batch.delete_element("sources", listed.key, listed.key_end);
    batch.flush_chain("a");
    batch.add_mark_rule("a", 5);
    base::Status done = socket.commit(batch);
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_EQ(socket.list_elements(Family::kIpv4, "t", "services")->at(0).data.mark_at(0), 2u);
    EXPECT_EQ(world.count("ranges"), 0u);
    EXPECT_EQ(world.count("sources"), 0u);
    EXPECT_EQ(world.text("list chain ip t a").find("accept"), std::string::npos);

    batch.clear();
    batch.flush_set("services");
    batch.delete_chain("a");  // With its rule.
    done = socket.commit(batch);
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_EQ(world.count("services"), 0u);

    NftBatch six(Family::kIpv6, "t");
    six.add_element("services", {.key = frontend(*Ip::parse("fd00::1"), 80), .data = NftValue().mark(4)});
    ASSERT_TRUE(socket.commit(six).ok());
    EXPECT_EQ(socket.list_elements(Family::kIpv6, "t", "services")->at(0).key.ip_at(0, Family::kIpv6), *Ip::parse("fd00::1"));
    EXPECT_EQ(world.count("services"), 0u);
  });
}

TEST(NftBatch, AFailureNamesItsPlaceAndChangesNothing) {
  netns_test::run_isolated([] {
    NftWorld world;
    auto service = [](uint16_t port) { return NftElement{.key = frontend(Ip::v4(10, 96, 0, 1), port), .data = NftValue().mark(1)}; };
    NftBatch first(Family::kIpv4, "t");
    for (uint16_t port = 1; port <= 3; ++port) first.add_element("services", service(port));
    first.add_chain("used");
    first.add_element("targets", {.key = NftValue().mark(1), .verdict = NftVerdict{NftVerdict::Kind::kJump, "used"}});
    ASSERT_TRUE(world.socket->commit(first).ok());
    struct {
      const char* name;
      std::function<void(NftBatch&)> fill;
      base::Code code;
      const char* message;
    } cases[] = {
        {"an element is there",
         [&](NftBatch& b) {
           for (uint16_t port : {7, 8, 2, 9}) b.add_element("services", service(port));
         },
         base::Code::kAlreadyExists, "add element services 0a600001 06000000 00020000: File exists"},
        {"an element is not there", [&](NftBatch& b) { b.delete_element("services", frontend(Ip::v4(10, 96, 0, 1), 99)); }, base::Code::kNotFound,
         "delete element services 0a600001 06000000 00630000"},
        {"no such set", [](NftBatch& b) { b.add_element("nosuch", {.key = NftValue().mark(1)}); }, base::Code::kNotFound, "add element nosuch"},
        {"no such chain to jump to",
         [](NftBatch& b) { b.add_element("targets", {.key = NftValue().mark(5), .verdict = NftVerdict{NftVerdict::Kind::kJump, "nosuch"}}); },
         base::Code::kNotFound, "add element targets 05000000"},
        {"a chain in use", [](NftBatch& b) { b.delete_chain("used"); }, base::Code::kConflict, "delete chain used"},
        {"a chain that is there", [](NftBatch& b) { b.add_chain("used"); }, base::Code::kAlreadyExists, "add chain used"},
        {"a rule for no chain", [](NftBatch& b) { b.add_mark_rule("nosuch", 1); }, base::Code::kNotFound, "add rule to nosuch"},
        {"a loop",
         [](NftBatch& b) {
           b.add_chain("x");
           b.add_verdict_rule("x", {NftVerdict::Kind::kJump, "x"});
           b.add_element("targets", {.key = NftValue().mark(6), .verdict = NftVerdict{NftVerdict::Kind::kJump, "x"}});
         },
         base::Code::kInternal, "nftables: "},
    };
    for (const auto& c : cases) {
      NftBatch batch(Family::kIpv4, "t");
      batch.add_element("services", service(1000));
      c.fill(batch);
      batch.add_element("addresses", {.key = NftValue().ip(Ip::v4(1, 2, 3, 4))});
      base::Status done = world.socket->commit(batch);
      ASSERT_FALSE(done.ok()) << c.name;
      EXPECT_EQ(done.error().code, c.code) << c.name << ": " << done.error().message;
      EXPECT_NE(done.error().message.find(c.message), std::string::npos) << c.name << ": " << done.error().message;
      EXPECT_EQ(world.count("services"), 3u) << c.name;
    }
    NftBatch fine(Family::kIpv4, "t");
    fine.add_element("services", service(1000));
    EXPECT_TRUE(world.socket->commit(fine).ok());
  });
}

TEST(NftBatch, FillsATransactionToTheBrim) {
  netns_test::run_isolated([] {
    NftWorld world;
    NftBatch batch(Family::kIpv4, "t");
    uint32_t i = 0;
    const NftBatch empty = batch;
    EXPECT_TRUE(world.socket->commit(empty).ok());
    for (; batch.size() + 200 < world.socket->max_batch_bytes(); ++i) {
      batch.add_element("endpoints", {.key = NftValue().mark(i).mark(0), .data = NftValue().ip(Ip::v4(i)).port(80)});
    }
    base::Status done = world.socket->commit(batch);
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_EQ(world.count("endpoints"), i);
    EXPECT_GT(i, 1000u);
    for (; batch.size() <= world.socket->max_batch_bytes(); ++i) batch.add_element("endpoints", {.key = NftValue().mark(i).mark(1)});
    done = world.socket->commit(batch);
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, base::Code::kTooLarge);
    // More failures than the receive buffer holds: still a failure, and the first of them.
    NftBatch bad(Family::kIpv4, "t");
    while (bad.size() + 200 < world.socket->max_batch_bytes()) {
      bad.delete_element("services", frontend(Ip::v4(10, 96, 0, 1), 80));
      bad.delete_element("ports", NftValue().port(1));
    }
    done = world.socket->commit(bad);
    ASSERT_FALSE(done.ok());
    EXPECT_NE(done.error().message.find("delete element services 0a600001"), std::string::npos) << done.error().message;
    NftBatch fine(Family::kIpv4, "t");
    fine.add_element("ports", {.key = NftValue().port(1), .data = NftValue().mark(1)});
    done = world.socket->commit(fine);
    EXPECT_TRUE(done.ok()) << done.error().message;
  });
}

}  // namespace

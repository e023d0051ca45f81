// Connections over lo, translated by nftables, in a network namespace of the test's own.
#include "netns/conntrack/conntrack.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "netns/fabric.h"
#include "netns/link/messages.h"
#include "netns/link/rtnl.h"
#include "netns/nft/nft.h"
#include "netns/ns/worker.h"
#include "tests/netns/support.h"

namespace {

using base::Cidr;
using base::Family;
using base::Ip;
using netns::Conntrack;
using netns::ConntrackFilter;
using netns::Endpoint;

constexpr const char* kTable = R"(
table ip t {
  map to { type ipv4_addr . inet_service : ipv4_addr . inet_service; }
  chain output {
    type nat hook output priority -100; policy accept;
    ct mark set 7
    meta l4proto { tcp, udp } dnat ip to ip daddr . th dport map @to
  }
}
table ip6 t {
  chain output {
    type nat hook output priority -100; policy accept;
    ip6 daddr fd00::1 udp dport 53 dnat ip6 to [fd00::2]:5353
  }
}
)";

const Ip kDns = Ip::v4(10, 96, 0, 10), kWeb = Ip::v4(10, 96, 0, 20), kPlain = Ip::v4(10, 96, 0, 30), kNode = Ip::v4(10, 96, 0, 99);
const Endpoint kOld{Ip::v4(10, 96, 1, 1), 5353}, kNew{Ip::v4(10, 96, 1, 2), 5353};

// The socket: a TCP connection that is refused is forgotten at once, one that ends soon.
base::Fd send_to(int type, const Ip& ip, uint16_t port) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  std::memcpy(&v4.sin_addr, ip.bytes(), 4);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, ip.bytes(), 16);
  const sockaddr* address = ip.is_v4() ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
  const socklen_t size = ip.is_v4() ? sizeof v4 : sizeof v6;
  base::Fd fd(::socket(ip.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
  if (type == SOCK_DGRAM) {
    EXPECT_EQ(::sendto(fd.get(), "x", 1, 0, address, size), 1) << std::strerror(errno);
  } else {
    EXPECT_EQ(::connect(fd.get(), address, size), 0) << std::strerror(errno);
  }
  return fd;
}

struct World {
  std::unique_ptr<netns::Nft> nft;
  std::unique_ptr<Conntrack> conntrack;
  base::Fd listener, client;

  World() {
    auto rtnl = netns::Rtnl::open();
    netns::Batch links;
    netns::set_link_up(links, 1);
    for (const char* text : {"10.96.0.1/16", "fd00::1/128", "fd00::2/128"}) {
      const std::string cidr = text;
      const size_t slash = cidr.find('/');
      netns::add_address(links, 1, *Ip::parse(cidr.substr(0, slash)), std::stoi(cidr.substr(slash + 1)), 0);
    }
    base::Status linked = rtnl->apply(links);
    EXPECT_TRUE(linked.ok()) << linked.error().message;
    nft = std::move(netns::Nft::open()).value();
    base::Status loaded = nft->run(kTable);
    EXPECT_TRUE(loaded.ok()) << loaded.error().message;
    auto opened = Conntrack::open();
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    conntrack = std::make_unique<Conntrack>(std::move(opened).value());
    listener = netns::make_tcp_listener(Ip(), kOld.port, 8).value();
  }
  void lead(const Ip& ip, uint16_t port, const Endpoint& to) {
    const std::string key = ip.text() + " . " + std::to_string(port);
    base::Status done = nft->run("flush map ip t to\nadd element ip t to { " + key + " : " + to.ip.text() + " . " + std::to_string(to.port) + " }");
    EXPECT_TRUE(done.ok()) << done.error().message;
  }
  // Two datagrams to the old endpoint of the DNS service, one to the new; others that only look alike.
  void fill() {
    lead(kDns, 53, kOld);
    send_to(SOCK_DGRAM, kDns, 53);
    send_to(SOCK_DGRAM, kDns, 53);
    client = send_to(SOCK_STREAM, kDns, 53);
    lead(kDns, 53, kNew);
    send_to(SOCK_DGRAM, kDns, 53);
    lead(kNode, 30053, kOld);
    send_to(SOCK_DGRAM, kNode, 30053);
    send_to(SOCK_DGRAM, kWeb, 53);
    send_to(SOCK_DGRAM, kPlain, 30053);
    send_to(SOCK_DGRAM, *Ip::parse("fd00::1"), 53);
  }
  std::vector<std::string> left() {
    std::vector<std::string> out;
    for (Family family : {Family::kIpv4, Family::kIpv6}) {
      auto all = conntrack->list({.family = family, .protocol = 0});
      EXPECT_TRUE(all.ok()) << all.error().message;
      for (const auto& one : *all) {
        if (one.protocol != IPPROTO_UDP && one.protocol != IPPROTO_TCP) continue;  // Errors and neighbours.
        out.push_back(std::string(one.protocol == IPPROTO_TCP ? "tcp " : "") + one.destination.ip.text() + ":" + std::to_string(one.destination.port) + ">" +
                      one.reply_source.ip.text());
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  }
};

const std::vector<std::string> kAll = {
    "10.96.0.10:53>10.96.1.1", "10.96.0.10:53>10.96.1.1", "10.96.0.10:53>10.96.1.2", "10.96.0.20:53>10.96.0.20", "10.96.0.30:30053>10.96.0.30",
    "10.96.0.99:30053>10.96.1.1", "fd00::1:53>fd00::2", "tcp 10.96.0.10:53>10.96.1.1"};

TEST(Conntrack, ListsWhatPassed) {
  netns_test::run_isolated([] {
    World world;
    world.fill();
    EXPECT_EQ(world.left(), kAll);
    auto one = world.conntrack->list({.destination = kNode});
    ASSERT_TRUE(one.ok());
    ASSERT_EQ(one->size(), 1u);
    const netns::TrackedConnection& c = one->at(0);
    EXPECT_EQ(c.protocol, IPPROTO_UDP);
    EXPECT_EQ(c.destination, (Endpoint{kNode, 30053}));
    EXPECT_EQ(c.reply_source, kOld);
    EXPECT_EQ(c.source, c.reply_destination);
    EXPECT_NE(c.source.port, 0);
    EXPECT_EQ(c.mark, 7u);
    auto count = world.conntrack->count();
    ASSERT_TRUE(count.ok());
    EXPECT_GE(*count, kAll.size());
    struct {
      const char* name;
      ConntrackFilter filter;
      size_t want;
    } cases[] = {
        {"UDP", {}, 6},
        {"TCP", {.protocol = IPPROTO_TCP}, 1},
        {"a protocol nobody used", {.protocol = IPPROTO_SCTP}, 0},
        {"IPv6", {.family = Family::kIpv6}, 1},
        {"an address", {.destination = kDns}, 3},
        {"a port", {.destination_port = 30053}, 2},
        {"address and port", {.destination = kDns, .destination_port = 53}, 3},
        {"address and another port", {.destination = kDns, .destination_port = 54}, 0},
        {"any protocol, address and port", {.protocol = 0, .destination = kDns, .destination_port = 53}, 4},
        {"a mark", {.mark = 7}, 6},
        {"another mark", {.mark = 8}, 0},
        {"an IPv6 address", {.family = Family::kIpv6, .destination = *Ip::parse("fd00::1"), .destination_port = 53}, 1},
    };
    for (const auto& c2 : cases) {
      auto found = world.conntrack->list(c2.filter);
      ASSERT_TRUE(found.ok()) << c2.name << ": " << found.error().message;
      EXPECT_EQ(found->size(), c2.want) << c2.name;
    }
  });
}

TEST(Conntrack, DeletesWhatNobodyServes) {
  netns_test::run_isolated([] {
    const ConntrackFilter dns{.destination = kDns, .destination_port = 53}, node_port{.destination_port = 30053};
    const ConntrackFilter six{.family = Family::kIpv6, .destination = *Ip::parse("fd00::1"), .destination_port = 53};
    struct {
      const char* name;
      std::vector<Conntrack::Stale> stale;
      std::vector<const char*> gone;
    } cases[] = {
        {"nothing asked", {}, {}},
        {"all are served", {{dns, {kOld, kNew}}}, {}},
        {"one endpoint left", {{dns, {kNew}}}, {"10.96.0.10:53>10.96.1.1", "10.96.0.10:53>10.96.1.1"}},
        {"the same address with another port is another endpoint",
         {{dns, {kOld, {kNew.ip, 53}}}},
         {"10.96.0.10:53>10.96.1.2"}},
        {"a node port, whatever the address; an entry without translation is answered by its destination",
         {{node_port, {{kPlain, 30053}}}},
         {"10.96.0.99:30053>10.96.1.1"}},
        {"several at once",
         {{dns, {kNew}}, {node_port, {}}, {six, {}}},
         {"10.96.0.10:53>10.96.1.1", "10.96.0.10:53>10.96.1.1", "10.96.0.99:30053>10.96.1.1", "10.96.0.30:30053>10.96.0.30", "fd00::1:53>fd00::2"}},
        {"the first that matches judges", {{dns, {kOld, kNew}}, {{.destination_port = 53}, {}}}, {"10.96.0.20:53>10.96.0.20"}},
        {"by mark", {{{.mark = 8}, {}}, {{.destination = kWeb, .mark = 7}, {}}}, {"10.96.0.20:53>10.96.0.20"}},
        {"TCP when asked", {{{.protocol = IPPROTO_TCP}, {}}}, {"tcp 10.96.0.10:53>10.96.1.1"}},
    };
    World world;
    for (const auto& c : cases) {
      world.client.reset();
      world.listener = {};
      world.listener = netns::make_tcp_listener(Ip(), kOld.port, 8).value();  // Without what it had accepted.
      ASSERT_TRUE(world.conntrack->delete_stale({{{.protocol = 0}, {}}, {{.family = Family::kIpv6, .protocol = 0}, {}}}).ok());
      ASSERT_TRUE(world.left().empty()) << c.name;
      world.fill();
      auto deleted = world.conntrack->delete_stale(c.stale);
      ASSERT_TRUE(deleted.ok()) << c.name << ": " << deleted.error().message;
      EXPECT_EQ(*deleted, c.gone.size()) << c.name;
      std::vector<std::string> want = kAll;
      for (const char* gone : c.gone) want.erase(std::find(want.begin(), want.end(), gone));
      EXPECT_EQ(world.left(), want) << c.name;
    }
  });
}

TEST(Conntrack, TouchesItsOwnNamespaceOnly) {
  netns_test::run_isolated([] {
    World here;
    here.fill();
    auto worker = netns::Worker::start("there", netns::make_network_namespace().value()).value();
    worker->call([] {
      World there;
      there.fill();
      EXPECT_EQ(there.left(), kAll);
      auto deleted = there.conntrack->delete_entries({}, {});
      EXPECT_TRUE(deleted.ok());
      EXPECT_EQ(*deleted, 6u);
      return 0;
    });
    EXPECT_EQ(here.left(), kAll);
  });
}

TEST(Conntrack, DeletesManyInOneCall) {
  netns_test::run_isolated([] {
    World world;
    constexpr int kMany = 3000;
    base::Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    for (int i = 0; i < kMany; ++i) {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(static_cast<uint16_t>(20000 + i));
      to.sin_addr.s_addr = htonl(kWeb.v4_host_order());
      ASSERT_EQ(::sendto(fd.get(), "x", 1, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&to), sizeof to), 1);
    }
    auto deleted = world.conntrack->delete_entries({.destination = kWeb}, {{kWeb, 20000}, {kWeb, 20001}});
    ASSERT_TRUE(deleted.ok()) << deleted.error().message;
    EXPECT_EQ(*deleted, static_cast<size_t>(kMany - 2));
    EXPECT_EQ(world.conntrack->list({.destination = kWeb})->size(), 2u);
  });
}

}  // namespace

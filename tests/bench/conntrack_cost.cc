// What finding and deleting tracked connections costs, beside how many there are. Milliseconds, medians of 11.
// Usage: conntrack_cost [ENTRIES]
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "netns/conntrack/conntrack.h"
#include "netns/link/messages.h"
#include "netns/link/rtnl.h"
#include "netns/nft/nft.h"
#include "netns/process/isolate.h"

namespace {

using base::Ip;
using Clock = std::chrono::steady_clock;

const Ip kService = Ip::v4(10, 0, 0, 1), kOther = Ip::v4(10, 0, 0, 2);

void send_datagrams(const Ip& ip, int count) {
  int sent = 0;
  while (sent < count) {
    base::Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    for (int port = 1; port <= 60000 && sent < count; ++port, ++sent) {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(static_cast<uint16_t>(port));
      to.sin_addr.s_addr = htonl(ip.v4_host_order());
      if (::sendto(fd.get(), "x", 1, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&to), sizeof to) != 1) --sent;
    }
  }
}

double median_ms(const std::function<void()>& run) {
  std::vector<double> times;
  for (int i = 0; i < 11; ++i) {
    const auto begin = Clock::now();
    run();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

int measure(int entries) {
  netns::Batch links;
  netns::set_link_up(links, 1);
  for (const Ip& ip : {kService, kOther}) netns::add_address(links, 1, ip, 8, 0);
  auto rtnl = netns::Rtnl::open();
  auto nft = netns::Nft::open();
  auto conntrack = netns::Conntrack::open();
  if (!rtnl.ok() || !rtnl->apply(links).ok() || !nft.ok() || !conntrack.ok()) return 1;
  // No ICMP errors: they would make every second datagram fail.
  if (!(*nft)->run("table ip t {\n chain input {\n type filter hook input priority 0;\n ct state new accept\n icmp type destination-unreachable drop\n }\n}").ok()) return 1;
  for (int have : {0, entries / 10, entries}) {
    send_datagrams(kOther, have - static_cast<int>(*conntrack->count()));
    std::printf("%7zu entries: ", *conntrack->count());
    std::printf("none match, address %.1f, port %.1f, protocol %.1f; ", median_ms([&] { (void)conntrack->list({.destination = kService}); }),
                median_ms([&] { (void)conntrack->list({.destination_port = 65000}); }), median_ms([&] { (void)conntrack->list({.protocol = 132}); }));
    std::printf("all match %.1f; ", median_ms([&] { (void)conntrack->list({}); }));
    std::vector<netns::Conntrack::Stale> hundred;
    for (uint16_t i = 0; i < 100; ++i) hundred.push_back({{.destination = kService, .destination_port = static_cast<uint16_t>(i + 1)}, {}});
    std::printf("100 filters at once %.1f; ", median_ms([&] { (void)conntrack->delete_stale(hundred); }));
    send_datagrams(kService, 1000);
    const auto begin = Clock::now();
    auto deleted = conntrack->delete_entries({.destination = kService}, {});
    std::printf("delete %zu of them %.1f\n", deleted.ok() ? *deleted : 0, std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  }
  std::fflush(stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int entries = argc > 1 ? std::atoi(argv[1]) : 100000;
  auto child = netns::fork_isolated([entries] { return measure(entries); });
  if (!child.ok()) {
    std::fprintf(stderr, "conntrack_cost: %s\n", child.error().message.c_str());
    return 1;
  }
  int status = 0;
  ::waitpid(*child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

#include "server/proxy/stale.h"

#include <gtest/gtest.h>

namespace {

using base::Ip;
using namespace server::proxy;

const Ip kVip = Ip::v4(10, 96, 1, 1);
UdpPort port(std::vector<Backend> serving, std::vector<Frontend> frontends = {{kVip, Protocol::kUdp, 53}}) { return {std::move(frontends), std::move(serving)}; }
Backend pod(uint8_t last, uint16_t number = 53) { return {Ip::v4(10, 244, 1, last), number}; }

// "10.96.1.1:53 but 10.244.1.2:53", a filter each.
std::vector<std::string> words(const std::vector<netns::Conntrack::Stale>& all) {
  std::vector<std::string> out;
  for (const auto& stale : all) {
    std::string text = (stale.filter.destination ? stale.filter.destination->text() : "any") + ":" + std::to_string(stale.filter.destination_port.value_or(0)) + " but";
    for (const netns::Endpoint& endpoint : stale.serving) text += " " + endpoint.ip.text() + ":" + std::to_string(endpoint.port);
    EXPECT_EQ(stale.filter.protocol, 17);
    out.push_back(text);
  }
  return out;
}

TEST(Stale, what_a_change_leaves_behind) {
  struct Row {
    const char* name;
    std::vector<UdpPort> before, after;
    std::vector<std::string> want;
  };
  const Row rows[] = {
      {"nothing changed", {port({pod(2)})}, {port({pod(2)})}, {}},
      {"an endpoint goes", {port({pod(2), pod(3)})}, {port({pod(3)})}, {"10.96.1.1:53 but 10.244.1.3:53"}},
      {"the first one comes", {}, {port({pod(2)})}, {"10.96.1.1:53 but 10.244.1.2:53"}},
      {"another target port", {port({pod(2)})}, {port({pod(2, 54)})}, {"10.96.1.1:53 but 10.244.1.2:54"}},
      {"none is left: left alone", {port({pod(2)})}, {port({})}, {}},
      {"the service goes: left alone", {port({pod(2)})}, {}, {}},
      {"a node port, whatever the address", {}, {port({pod(2)}, {{kVip, Protocol::kUdp, 53}, {Ip(), Protocol::kUdp, 30053}})},
       {"10.96.1.1:53 but 10.244.1.2:53", "any:30053 but 10.244.1.2:53"}},
      {"only the port that changed", {port({pod(2)}), port({pod(2)}, {{kVip, Protocol::kUdp, 54}})}, {port({pod(2)}), port({pod(3)}, {{kVip, Protocol::kUdp, 54}})},
       {"10.96.1.1:54 but 10.244.1.3:53"}},
  };
  for (const Row& row : rows) EXPECT_EQ(words(compile_stale(row.before, row.after, base::Family::kIpv4)), row.want) << row.name;
}

}  // namespace

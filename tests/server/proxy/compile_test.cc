#include "server/proxy/compile.h"

#include <gtest/gtest.h>

#include "tests/server/proxy/golden.h"
#include "tests/server/proxy/objects.h"

namespace {

using base::Cidr;
using base::Ip;
using nlohmann::json;
using proxy_test::service_tree;
using proxy_test::slice_tree;
using namespace server::proxy;

server::ProxyOptions options() {
  server::ProxyOptions out;
  out.service_cidr = Cidr(Ip::v4(10, 96, 0, 0), 12);
  out.pod_cidr = Cidr(Ip::v4(10, 244, 0, 0), 16);
  out.local_services = {Ip::v4(10, 96, 0, 10)};
  return out;
}
const NodeView kNode{base::Family::kIpv4, Cidr(Ip::v4(10, 244, 1, 0), 24), "node-1", "", {Ip::v4(172, 30, 0, 11)}, {Ip::v4(172, 30, 0, 11)}};

json endpoint(const std::string& ip, const json& conditions) { return {{"addresses", json::array({ip})}, {"conditions", conditions}}; }

json slice_of(std::vector<json> endpoints, const std::string& ports = R"([{"port":8080}])") {
  json tree = slice_tree("web", {}, ports);
  tree["endpoints"] = std::move(endpoints);
  return tree;
}

struct CompileRow {
  const char* name;
  json service;
  std::vector<json> slices;
};

const char* const kOnePort = R"([{"port":80}])";
const json kReady = {{"ready", true}};
const json kNotReady = {{"ready", false}, {"serving", false}, {"terminating", false}};
const json kLeaving = {{"ready", false}, {"serving", true}, {"terminating", true}};
const json kDead = {{"ready", false}, {"serving", false}, {"terminating", true}};

std::vector<CompileRow> rows() {
  json external = {{"spec", {{"type", "ExternalName"}, {"externalName", "example.com"}, {"clusterIP", "10.96.1.1"}}}};
  json ipv6 = slice_of({endpoint("fd00::1", kReady)});
  ipv6["addressType"] = "IPv6";
  json fqdn = slice_of({endpoint("example.com", kReady)});
  fqdn["addressType"] = "FQDN";
  json no_conditions = slice_of({json{{"addresses", json::array({"10.244.1.5"})}}});
  json dual = service_tree("10.96.1.1", kOnePort);
  dual["spec"]["clusterIPs"] = {"10.96.1.1", "fd00:96::1"};
  json pending = service_tree("", kOnePort);
  pending["spec"].erase("clusterIPs");
  return {
      {"one endpoint", service_tree("10.96.1.1", kOnePort), {slice_of({endpoint("10.244.1.5", kReady)})}},
      {"endpoints here and elsewhere",
       service_tree("10.96.1.1", kOnePort),
       {slice_of({endpoint("10.244.2.5", kReady), endpoint("10.244.1.5", kReady)})}},
      {"no slice", service_tree("10.96.1.1", kOnePort), {}},
      {"several ports, one number for two protocols, named target ports resolved by the slices",
       service_tree("10.96.1.1", R"([{"name":"http","port":80},{"name":"dns","port":53,"protocol":"UDP"},{"name":"dns-tcp","port":53}])"),
       {slice_of({endpoint("10.244.1.5", kReady)}, R"([{"name":"http","port":8080},{"name":"dns","port":5353,"protocol":"UDP"}])"),
        slice_of({endpoint("10.244.1.6", kReady)}, R"([{"name":"http","port":9090},{"name":"dns-tcp","port":5353}])")}},
      {"port name matches, protocol does not",
       service_tree("10.96.1.1", kOnePort),
       {slice_of({endpoint("10.244.1.5", kReady)}, R"([{"port":8080,"protocol":"UDP"}])")}},
      {"one address in two slices counts once",
       service_tree("10.96.1.1", kOnePort),
       {slice_of({endpoint("10.244.1.5", kReady)}), slice_of({endpoint("10.244.1.5", kReady), endpoint("10.244.1.6", kReady)})}},
      {"absent conditions are ready", service_tree("10.96.1.1", kOnePort), {no_conditions}},
      {"only ready ones",
       service_tree("10.96.1.1", kOnePort),
       {slice_of({endpoint("10.244.1.5", kReady), endpoint("10.244.1.6", kNotReady), endpoint("10.244.1.7", kLeaving)})}},
      {"none ready: those that still serve",
       service_tree("10.96.1.1", kOnePort),
       {slice_of({endpoint("10.244.1.5", kDead), endpoint("10.244.1.6", kNotReady), endpoint("10.244.1.7", kLeaving)})}},
      {"none usable", service_tree("10.96.1.1", kOnePort), {slice_of({endpoint("10.244.1.5", kDead), endpoint("10.244.1.6", kNotReady)})}},
      {"other families and names are not this node's", dual, {ipv6, fqdn, slice_of({endpoint("10.244.1.5", kReady)})}},
      {"headless", service_tree("None", kOnePort), {slice_of({endpoint("10.244.1.5", kReady)})}},
      {"external name with an address left over", external, {slice_of({endpoint("10.244.1.5", kReady)})}},
      {"no address yet", pending, {slice_of({endpoint("10.244.1.5", kReady)})}},
      {"answered by the node itself", service_tree("10.96.0.10", kOnePort), {slice_of({endpoint("10.244.1.5", kReady)})}},
      {"no ports", service_tree("10.96.1.1", "[]"), {}},
      {"the API server",
       service_tree("10.96.0.1", R"([{"name":"https","port":443}])"),
       {slice_of({endpoint("172.30.0.1", kReady)}, R"([{"name":"https","port":6443}])")}},
  };
}

TEST(Compile, plans) {
  std::string all;
  for (const CompileRow& row : rows()) {
    std::vector<server::model::EndpointSlice> slices;
    for (const json& tree : row.slices) slices.push_back(proxy_test::slice("default", "web-" + std::to_string(slices.size()), tree));
    std::vector<const server::model::EndpointSlice*> pointers;
    for (const auto& slice : slices) pointers.push_back(&slice);
    const ServicePlan plan = compile_service(proxy_test::service("default", "web", row.service), pointers, kNode, options());
    all += std::string("# ") + row.name + "\n" + render_plan({"default", "web"}, plan) + "\n";
  }
  proxy_test::expect_golden("plans.txt", all);
}

TEST(Compile, ruleset) {
  proxy_test::expect_golden("ruleset.nft", compile_ruleset(kNode, options()));
  server::ProxyOptions v6 = options();
  v6.service_cidr = Cidr::parse("fd00:96::/108").value();
  v6.pod_cidr = Cidr::parse("fd00:244::/48").value();
  v6.local_services = {};
  proxy_test::expect_golden("ruleset_ipv6.nft", compile_ruleset({base::Family::kIpv6, {}, "node-1", "", {Ip::parse("fd00:30::b").value()}, {Ip::parse("fd00:30::b").value()}}, v6));
}

TEST(Compile, node_port_addresses) {
  struct Row {
    const char* name;
    std::vector<std::string> addresses, ranges, want;
  };
  const Row rows[] = {
      {"none given: the first", {"172.30.0.11", "172.30.1.11"}, {}, {"172.30.0.11"}},
      {"several ranges", {"172.30.0.11", "172.30.1.11"}, {"172.30.1.0/24", "172.30.0.0/24"}, {"172.30.1.11", "172.30.0.11"}},
      {"IPv6", {"fd00:172:30::11", "fd00:1::11"}, {"fd00:1::/64", "172.30.0.0/16"}, {"fd00:1::11"}},
      {"only of the other family: the first", {"fd00:172:30::11", "fd00:1::11"}, {"172.30.0.0/16"}, {"fd00:172:30::11"}},
      {"none of the addresses", {"172.30.0.11"}, {"192.0.2.0/24"}, {}},
      {"no address", {}, {"192.0.2.0/24"}, {}},
  };
  for (const Row& row : rows) {
    server::ProxyOptions given = options();
    std::vector<Ip> addresses;
    for (const std::string& text : row.addresses) addresses.push_back(Ip::parse(text).value());
    for (const std::string& text : row.ranges) given.node_port_addresses.push_back(Cidr::parse(text).value());
    std::vector<std::string> got;
    for (const Ip& ip : choose_node_port_ips(addresses, given)) got.push_back(ip.text());
    EXPECT_EQ(got, row.want) << row.name;
  }
}

TEST(Compile, health_checks) {
  json tree = service_tree("10.96.1.1", kOnePort);
  tree["spec"]["type"] = "LoadBalancer";
  tree["spec"]["externalTrafficPolicy"] = "Local";
  tree["spec"]["healthCheckNodePort"] = 32000;
  auto on_node = [](const char* ip, const json& conditions, const char* node) {
    json out = endpoint(ip, conditions);
    out["nodeName"] = node;
    return out;
  };
  const json slice = slice_of({on_node("10.244.1.5", kReady, "node-1"), on_node("10.244.1.6", kLeaving, "node-1"), on_node("10.244.1.7", kReady, "node-1"),
                               on_node("10.244.2.5", kReady, "node-2")},
                              R"([{"port":8080},{"name":"more","port":9090}])");
  const auto projected = proxy_test::slice("default", "web-1", slice);
  const auto plan = [&] { return compile_service(proxy_test::service("default", "web", tree), {&projected}, kNode, options()); };
  EXPECT_EQ(plan().health_check, (HealthCheck{32000, 2})) << "ready ones of this node, each once";
  tree["spec"]["externalTrafficPolicy"] = "Cluster";
  EXPECT_EQ(plan().health_check, std::nullopt);
  tree["spec"]["externalTrafficPolicy"] = "Local";
  tree["spec"]["type"] = "NodePort";
  EXPECT_EQ(plan().health_check, std::nullopt);
}

}  // namespace

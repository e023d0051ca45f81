#include "server/announce/announce.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace {

using nlohmann::json;
using namespace server;

struct Row {
  const char* name;
  const char* service;    // spec and status
  const char* endpoints;  // "node state": ready, leaving, ended
  const char* want;
};

std::string render(const announce::Announcements& all) {
  std::string out;
  for (const auto& [ip, nodes] : all) {
    out += (out.empty() ? "" : "; ") + ip.text() + ":";
    for (const std::string& node : nodes) out += " " + node;
  }
  return out;
}

TEST(Announce, who_takes_an_address) {
  const char* const kCluster = R"({"spec":{"type":"LoadBalancer","clusterIP":"10.96.1.1"},"status":{"loadBalancer":{"ingress":[{"ip":"172.30.255.1"}]}}})";
  const char* const kLocal =
      R"({"spec":{"type":"LoadBalancer","clusterIP":"10.96.1.1","externalTrafficPolicy":"Local"},"status":{"loadBalancer":{"ingress":[{"ip":"172.30.255.1"}]}}})";
  const Row rows[] = {
      {"Cluster: one node", kCluster, "node-1 ready,node-2 ready", "172.30.255.1: node-2"},
      {"Cluster: the same without endpoints", kCluster, "", "172.30.255.1: node-2"},
      {"Local: where endpoints are", kLocal, "node-1 ready,node-3 ready,node-3 ready", "172.30.255.1: node-1 node-3"},
      {"Local: ready ones first", kLocal, "node-1 leaving,node-3 ready", "172.30.255.1: node-3"},
      {"Local: else those that still serve", kLocal, "node-1 leaving,node-3 ended", "172.30.255.1: node-1"},
      {"Local: no endpoint at all, a node refuses", kLocal, "node-1 ended", "172.30.255.1: node-2"},
      {"external IPs, of any type", R"({"spec":{"clusterIP":"10.96.1.1","externalIPs":["203.0.113.3","203.0.113.4"]}})", "", "203.0.113.3: node-1; 203.0.113.4: node-2"},
      {"mode Proxy is not ours", R"({"spec":{"type":"LoadBalancer","clusterIP":"10.96.1.1"},"status":{"loadBalancer":{"ingress":[{"ip":"172.30.255.1","ipMode":"Proxy"}]}}})", "", ""},
      {"another proxy's", R"({"metadata":{"labels":{"service.kubernetes.io/service-proxy-name":"x"}},"spec":{"clusterIP":"10.96.1.1","externalIPs":["203.0.113.3"]}})", "", ""},
      {"nothing outside", R"({"spec":{"clusterIP":"10.96.1.1"}})", "node-1 ready", ""},
  };
  for (const Row& row : rows) {
    json tree = json::parse(row.service);
    tree["metadata"]["name"] = "web";
    const model::Service service = model::project_service(store::Object("services", tree));
    model::EndpointSlice slice;
    slice.family = base::Family::kIpv4;
    std::stringstream list(row.endpoints);
    for (std::string text; std::getline(list, text, ',');) {
      const std::string state = text.substr(text.find(' ') + 1);
      model::Endpoint endpoint;
      endpoint.node_name = text.substr(0, text.find(' '));
      endpoint.ready = state == "ready";
      endpoint.serving = state != "ended";
      endpoint.terminating = state != "ready";
      slice.endpoints.push_back(endpoint);
    }
    EXPECT_EQ(render(announce::compile_announcements(service, {&slice}, {"node-1", "node-2", "node-3"})), row.want) << row.name;
  }
}

}  // namespace

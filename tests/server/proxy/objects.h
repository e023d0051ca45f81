// tests/server/proxy/objects.h - Services and EndpointSlices as short as a table row needs them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "server/model/endpoint_slice.h"
#include "server/model/service.h"

namespace proxy_test {

using nlohmann::json;

inline json parse(const std::string& text) { return json::parse(text, nullptr, false); }

inline store::Object object(const std::string& storage, const std::string& ns, const std::string& name, json tree) {
  tree["metadata"]["namespace"] = ns;
  tree["metadata"]["name"] = name;
  return store::Object(storage, std::move(tree));
}

// ports: [{"name":"http","port":80}, ...]
inline json service_tree(const std::string& cluster_ip, const std::string& ports) {
  json tree = {{"spec", {{"type", "ClusterIP"}, {"clusterIP", cluster_ip}, {"clusterIPs", json::array({cluster_ip})}}}};
  tree["spec"]["ports"] = parse(ports);
  return tree;
}

// A slice of `service` with ready endpoints at these addresses.
inline json slice_tree(const std::string& service, const std::vector<std::string>& addresses, const std::string& ports) {
  json tree = {{"addressType", "IPv4"}, {"endpoints", json::array()}, {"ports", parse(ports)}};
  tree["metadata"]["labels"]["kubernetes.io/service-name"] = service;
  for (const std::string& address : addresses) {
    tree["endpoints"].push_back({{"addresses", json::array({address})}, {"conditions", {{"ready", true}}}});
  }
  return tree;
}

inline server::model::Service service(const std::string& ns, const std::string& name, const json& tree) {
  return server::model::project_service(object("services", ns, name, tree));
}
inline server::model::EndpointSlice slice(const std::string& ns, const std::string& name, const json& tree) {
  return server::model::project_endpoint_slice(object("endpointslices.discovery.k8s.io", ns, name, tree));
}

}  // namespace proxy_test

// Manifests in, tables out: what the tests of the Ingress compiler share.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "server/api/yaml.h"
#include "server/gateway/ingress/compile_ingress.h"
#include "server/gateway/table/dump.h"
#include "server/gateway/table/matcher.h"

namespace server::gateway {

inline std::string storage_of(const std::string& kind) {
  if (kind == "EndpointSlice") return "endpointslices.discovery.k8s.io";
  if (kind == "Ingress") return "ingresses.networking.k8s.io";
  return kind;
}

// Services web, api and pages, each with a pod; class nginx is ours, class other is not.
inline const char* const kPrelude = R"(
{kind: IngressClass, metadata: {name: nginx}, spec: {controller: k8s.io/ingress-nginx}}
---
{kind: IngressClass, metadata: {name: own}, spec: {controller: kubelan.dev/ingress}}
---
{kind: IngressClass, metadata: {name: other}, spec: {controller: example.com/other}}
---
{kind: Service, metadata: {name: web}, spec: {clusterIP: 10.96.0.50, ports: [{name: http, port: 80, targetPort: 8080}]}}
---
{kind: EndpointSlice, metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}, addressType: IPv4, ports: [{name: http, port: 8080}],
 endpoints: [{addresses: [10.244.1.5], targetRef: {kind: Pod, name: web-0}}]}
---
{kind: Service, metadata: {name: api}, spec: {clusterIP: 10.96.0.51, ports: [{port: 80, targetPort: 8080}]}}
---
{kind: EndpointSlice, metadata: {name: api-1, labels: {kubernetes.io/service-name: api}}, addressType: IPv4, ports: [{name: "", port: 8080}],
 endpoints: [{addresses: [10.244.1.6]}]}
---
{kind: Service, metadata: {name: pages}, spec: {clusterIP: 10.96.0.52, ports: [{port: 80}]}}
---
{kind: EndpointSlice, metadata: {name: pages-1, labels: {kubernetes.io/service-name: pages}}, addressType: IPv4, ports: [{name: "", port: 80}],
 endpoints: [{addresses: [10.244.1.7]}]}
---
{kind: Service, metadata: {name: empty}, spec: {clusterIP: 10.96.0.53, ports: [{port: 80}]}}
)";

class Rig {
 public:
  IngressInput input;
  IngressOptions options;
  CompileCache cache;

  Rig() {
    input.services = &services_;
    add(kPrelude);
  }
  Rig(const Rig&) = delete;

  // Without a namespace: default. Without a creationTimestamp: each a second younger than the one before it.
  void add(const std::string& yaml) {
    auto documents = parse_yaml(yaml);
    ASSERT_TRUE(documents.ok()) << documents.error().message << "\n" << yaml;
    for (json& tree : *documents) add_tree(tree);
  }
  void secret(const std::string& name, std::map<std::string, std::string> data, const std::string& ns = "default") { input.secrets[{ns, name}] = {{ns, name}, "Opaque", std::move(data)}; }
  void config_map(const std::string& name, std::map<std::string, std::string> data, const std::string& ns = "default") { input.config_maps[{ns, name}] = {{ns, name}, std::move(data)}; }
  void config(std::map<std::string, std::string> data) { config_map("ingress-nginx-controller", std::move(data), "ingress-nginx"); }

  IngressResult compile() { return compile_ingress(input, options, &cache); }

 private:
  using json = nlohmann::json;
  void add_tree(json& tree) {
    const std::string kind = tree.value("kind", "");
    json& metadata = tree["metadata"];
    if (!metadata.contains("namespace")) metadata["namespace"] = "default";
    if (!metadata.contains("creationTimestamp")) {
      char text[32];
      std::snprintf(text, sizeof text, "2026-01-01T%02d:%02d:%02dZ", age_ / 3600, age_ / 60 % 60, age_ % 60);
      metadata["creationTimestamp"] = text;
      ++age_;
    }
    const store::Object object(storage_of(kind), tree);
    const ObjectKey key{object.ns(), object.name()};
    if (kind == "Service") services_.change_service({}, object);
    else if (kind == "EndpointSlice") services_.change_slice({}, object);
    else if (kind == "Ingress") input.ingresses[key] = project_ingress(object);
    else if (kind == "IngressClass") input.classes[object.name()] = project_ingress_class(object);
    else if (kind == "Secret") input.secrets[key] = project_secret(object);
    else if (kind == "ConfigMap") input.config_maps[key] = project_config_map(object);
    else FAIL() << "no such kind: " << kind;
  }

  model::ServiceIndex services_;
  int age_ = 0;
};

inline std::string problems_of(const IngressResult& result) {
  std::string out;
  for (const Problem& p : result.problems) out += p.origin.kind + " " + p.origin.ns + "/" + p.origin.name + " " + p.origin.field + ": " + p.reason + ": " + p.message + "\n";
  return out;
}
inline std::vector<std::string> reasons_of(const IngressResult& result) {
  std::vector<std::string> out;
  for (const Problem& p : result.problems) out.push_back(p.reason);
  return out;
}
inline const Listener& listener_of(const IngressResult& result, bool tls = false) { return *result.table.listeners.at(tls ? 1 : 0); }
inline std::string http_of(const IngressResult& result) { return dump(listener_of(result)); }

// What a request comes to: the upstream's name, a redirect, or a status.
inline std::string answer(const IngressResult& result, const std::string& host, const std::string& path, bool tls = false) {
  const ListenerMatcher matcher(result.table.listeners.at(tls ? 1 : 0));
  RequestHead head;
  head.method = "GET";
  head.target = path;
  head.authority = host;
  const Matched found = matcher.find({&head, path});
  const Action& action = found.route != nullptr ? found.route->action : found.host != nullptr ? found.host->otherwise : matcher.listener().otherwise;
  if (found.route != nullptr && found.route->redirect && !(tls && found.route->redirect->to_tls)) return std::to_string(found.route->redirect->status);
  if (const auto* reply = std::get_if<Reply>(&action)) return std::to_string(reply->status);
  if (const auto* redirect = std::get_if<Redirect>(&action)) return std::to_string(redirect->status);
  const UpstreamPtr upstream = std::get<Forward>(action).backends.at(0).upstream;
  return upstream->endpoints.empty() ? "503" : upstream->service;
}

// Lines of `after` that `before` has not, without indentation.
inline std::string added_lines(const std::string& before, const std::string& after) {
  auto trimmed = [](const std::string& line) { return line.substr(std::min(line.find_first_not_of(' '), line.size())); };
  std::multiset<std::string> known;
  std::istringstream old(before), now(after);
  std::string line, out;
  while (std::getline(old, line)) known.insert(trimmed(line));
  while (std::getline(now, line)) {
    const auto it = known.find(trimmed(line));
    if (it != known.end()) known.erase(it);
    else out += trimmed(line) + "\n";
  }
  return out;
}

}  // namespace server::gateway

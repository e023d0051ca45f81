// tests/server/proxy/scenario.h - behaviours.txt as values, and its objects as API trees.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "server/model/service.h"
#include "server/proxy/proxy.h"
#include "tests/server/proxy/real_packets.h"

namespace proxy_test {

using nlohmann::json;

struct Step {
  int line = 0;
  std::string text;
  std::vector<std::string> words;  // Up to "->".
  std::vector<std::string> want;   // After it.
};

struct Scenario {
  std::string numbers;  // "47 48 49"
  std::string name;
  std::vector<Step> steps;
  std::string test_name() const {  // gtest allows letters, digits and '_'.
    std::string out = "n" + numbers + "_" + name;
    for (char& c : out) {
      if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
    }
    return out;
  }
  friend std::ostream& operator<<(std::ostream& out, const Scenario& scenario) { return out << scenario.numbers << " " << scenario.name; }
};

inline std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> out;
  std::string part;
  std::stringstream in(text);
  while (std::getline(in, part, at)) {
    if (!part.empty() || at != ' ') out.push_back(part);
  }
  return out;
}

inline std::vector<Scenario> load_scenarios() {
  std::ifstream in(std::string(KUBELAN_SOURCE_DIR) + "/tests/server/proxy/behaviours.txt");
  std::vector<Scenario> out;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> words = split(line, ' ');
    if (words[0] == "==") {
      Scenario scenario;
      size_t i = 1;
      for (; i < words.size() && words[i].find_first_not_of("0123456789") == std::string::npos; ++i) scenario.numbers += (i > 1 ? " " : "") + words[i];
      for (; i < words.size(); ++i) scenario.name += (scenario.name.empty() ? "" : " ") + words[i];
      out.push_back(std::move(scenario));
      continue;
    }
    Step step{number, line, {}, {}};
    bool after = false;
    for (const std::string& word : words) {
      if (word == "->") {
        after = true;
      } else {
        (after ? step.want : step.words).push_back(word);
      }
    }
    out.back().steps.push_back(std::move(step));
  }
  return out;
}

// "key=value" words from `first` on; '_' in values stands for a space.
inline std::map<std::string, std::string> settings(const Step& step, size_t first) {
  std::map<std::string, std::string> out;
  for (size_t i = first; i < step.words.size(); ++i) {
    const size_t at = step.words[i].find('=');
    std::string value = at == std::string::npos ? "" : step.words[i].substr(at + 1);
    for (char& c : value) c = c == '_' ? ' ' : c;
    out[step.words[i].substr(0, at)] = value;
  }
  return out;
}

inline json render_service(const Step& step) {
  std::map<std::string, std::string> has = settings(step, 2);
  json tree = {{"metadata", json::object()}, {"spec", {{"type", has.contains("type") ? has["type"] : "ClusterIP"}}}};
  json& spec = tree["spec"];
  if (has.contains("ip")) {
    spec["clusterIPs"] = split(has["ip"], ',');
    spec["clusterIP"] = spec["clusterIPs"][0];
  }
  if (has.contains("cluster")) spec["clusterIP"] = has["cluster"], spec["clusterIPs"] = {has["cluster"]};
  spec["ports"] = json::array();
  for (const std::string& text : split(has.contains("ports") ? has["ports"] : "/TCP/80", ',')) {
    std::vector<std::string> parts = split(text, '/');
    json port = {{"name", parts[0]}, {"protocol", parts[1]}, {"port", std::stoi(parts[2])}};
    if (parts.size() > 3) port["nodePort"] = std::stoi(parts[3]);
    spec["ports"].push_back(port);
  }
  const std::pair<const char*, const char*> texts[] = {{"etp", "externalTrafficPolicy"}, {"itp", "internalTrafficPolicy"}, {"externalname", "externalName"}};
  for (const auto& [key, field] : texts) {
    if (has.contains(key)) spec[field] = has[key];
  }
  if (has.contains("external")) spec["externalIPs"] = split(has["external"], ',');
  if (has.contains("ranges")) spec["loadBalancerSourceRanges"] = split(has["ranges"], ',');
  if (has.contains("affinity")) {
    spec["sessionAffinity"] = "ClientIP";
    spec["sessionAffinityConfig"] = {{"clientIP", {{"timeoutSeconds", std::stoi(has["affinity"])}}}};
  }
  json ingress = json::array();
  for (const auto& [key, mode] : {std::pair{"lb", ""}, std::pair{"lbvip", "VIP"}, std::pair{"lbproxy", "Proxy"}}) {
    if (!has.contains(key)) continue;
    for (const std::string& ip : split(has[key], ',')) {
      ingress.push_back({{"ip", ip}});
      if (*mode != 0) ingress.back()["ipMode"] = mode;
    }
  }
  if (!ingress.empty()) tree["status"]["loadBalancer"]["ingress"] = ingress;
  if (has.contains("label")) tree["metadata"]["labels"][has["label"].substr(0, has["label"].find(':'))] = has["label"].substr(has["label"].find(':') + 1);
  return tree;
}

struct PodPlace {
  const char* name;
  int node;  // 1 or 2
  const char* ip;
};
inline constexpr PodPlace kPods[] = {{"p1", 1, "10.244.1.5"}, {"p2", 1, "10.244.1.6"}, {"p3", 2, "10.244.2.5"}, {"p4", 2, "10.244.2.6"}};
inline const PodPlace* find_pod(const std::string& name) {
  for (const PodPlace& pod : kPods) {
    if (name == pod.name) return &pod;
  }
  return nullptr;
}

// "p3:serving+zone=a+node=node-1"
inline json render_endpoint(const std::string& text) {
  std::vector<std::string> parts = split(text, '+');
  const size_t colon = parts[0].find(':');
  const std::string state = colon == std::string::npos ? "ready" : parts[0].substr(colon + 1);
  const PodPlace* pod = find_pod(parts[0].substr(0, colon));
  json out = {{"addresses", json::array({pod->ip})},
              {"nodeName", "node-" + std::to_string(pod->node)},
              {"conditions", {{"ready", state == "ready"}, {"serving", state == "ready" || state == "serving"}, {"terminating", state == "serving" || state == "ended"}}}};
  for (size_t i = 1; i < parts.size(); ++i) {
    const std::string key = parts[i].substr(0, 4) == "zone" ? "forZones" : "forNodes";
    out["hints"][key] = json::array({{{"name", parts[i].substr(5)}}});
  }
  return out;
}

inline json render_slice(const Step& step) {
  const std::string service = step.words[1].substr(0, step.words[1].find('/'));
  json tree = {{"metadata", {{"labels", {{"kubernetes.io/service-name", service}}}}}, {"addressType", "IPv4"}, {"endpoints", json::array()}};
  std::string ports = "/TCP/8080";
  for (size_t i = 2; i < step.words.size(); ++i) {
    if (step.words[i].starts_with("ports=")) {
      ports = step.words[i].substr(6);
    } else {
      tree["endpoints"].push_back(render_endpoint(step.words[i]));
    }
  }
  tree["ports"] = json::array();
  for (const std::string& text : split(ports, ',')) {
    std::vector<std::string> parts = split(text, '/');
    tree["ports"].push_back({{"name", parts[0]}, {"protocol", parts[1]}, {"port", std::stoi(parts[2])}});
  }
  return tree;
}

inline std::vector<std::string> node_addresses(const std::string& name) {
  if (name == "node-1") return {"172.30.0.11", "172.30.1.11"};
  return {"172.30.0.12"};
}

inline json render_node(const std::string& name, const std::map<std::string, std::string>& labels) {
  json tree = {{"metadata", {{"labels", {{"kubernetes.io/hostname", name}}}}}};
  tree["status"]["addresses"] = json::array();
  for (const std::string& ip : node_addresses(name)) tree["status"]["addresses"].push_back({{"type", "InternalIP"}, {"address", ip}});
  if (auto zone = labels.find("zone"); zone != labels.end()) tree["metadata"]["labels"]["topology.kubernetes.io/zone"] = zone->second;
  return tree;
}

inline Destination parse_destination(const std::string& text) {
  const size_t colon = text.rfind(':');
  return {base::Ip::parse(text.substr(0, colon)).value(), static_cast<uint16_t>(std::stoi(text.substr(colon + 1)))};
}

// Whose kernel decides: the one that a node's address belongs to; else a pod's own node, or the one that the client's
// packets arrive at.
inline std::string deciding_node(const std::string& from, const base::Ip& to) {
  for (const char* node : {"node-1", "node-2"}) {
    for (const std::string& ip : node_addresses(node)) {
      if (to.text() == ip) return node;
    }
  }
  if (from.starts_with("node-")) return from;
  if (const PodPlace* pod = find_pod(from)) return "node-" + std::to_string(pod->node);
  const bool second = base::Cidr::parse("172.30.255.128/25")->contains(to) || base::Cidr::parse("203.0.113.128/25")->contains(to);
  return second ? "node-2" : "node-1";
}
inline std::string address_of(const std::string& from) {
  if (from == "client") return "172.30.0.2";
  if (const PodPlace* pod = find_pod(from)) return pod->ip;
  return node_addresses(from).front();
}
// What the deciding node sees as source: a pod that leaves the pod network does so with its node's address.
inline std::string source_seen(const std::string& from, const base::Ip& to) {
  const PodPlace* pod = find_pod(from);
  const std::string own = pod ? "node-" + std::to_string(pod->node) : from;
  return pod && deciding_node(from, to) != own ? address_of(own) : address_of(from);
}
inline std::string slice_name(std::string text) {
  std::replace(text.begin(), text.end(), '/', '-');
  return text;
}

// "flow [udp|sctp] [big] FROM ADDRESS:PORT -> ..."
struct FlowStep {
  server::model::Protocol protocol = server::model::Protocol::kTcp;
  size_t bytes = 1;
  std::string from;
  Destination to;
  bool sticky = false;
  bool stays = false;             // Sticky, and with this one of its endpoints.
  bool pass = false;
  std::vector<std::string> want;  // Pods, or one word.
};
inline FlowStep parse_flow(const Step& step) {
  FlowStep out;
  size_t at = 1;
  if (step.words[at] == "udp") out.protocol = server::model::Protocol::kUdp, ++at;
  if (step.words[at] == "sctp") out.protocol = server::model::Protocol::kSctp, ++at;
  if (step.words[at] == "big") out.bytes = 2000, ++at;
  out.from = step.words[at];
  out.to = parse_destination(step.words[at + 1]);
  out.want = step.want;
  out.stays = out.want[0] == "stays";
  out.sticky = out.want[0] == "sticky" || out.stays;
  out.pass = out.want[0] == "PASS";
  if (out.sticky || out.pass) out.want.erase(out.want.begin());
  return out;
}

inline std::vector<base::Cidr> parse_cidrs(const std::string& text) {
  std::vector<base::Cidr> out;
  for (const std::string& part : split(text, ',')) out.push_back(base::Cidr::parse(part).value());
  return out;
}

inline server::ProxyOptions scenario_options(const Scenario& scenario) {
  server::ProxyOptions options;
  options.service_cidr = base::Cidr(base::Ip::v4(10, 96, 0, 0), 12);
  options.pod_cidr = base::Cidr(base::Ip::v4(10, 244, 0, 0), 16);
  for (const Step& step : scenario.steps) {
    if (step.words[0] != "options") continue;
    std::map<std::string, std::string> has = settings(step, 1);
    if (has.contains("service-cidrs")) {
      options.more_service_cidrs = parse_cidrs(has["service-cidrs"]);
      options.service_cidr = options.more_service_cidrs.front();
      options.more_service_cidrs.erase(options.more_service_cidrs.begin());
    }
    if (has.contains("nodeport-addresses")) options.node_port_addresses = parse_cidrs(has["nodeport-addresses"]);
    if (has.contains("detect-local")) options.detect_local = has["detect-local"] != "no";
    if (has.contains("masquerade-all")) options.masquerade_all = has["masquerade-all"] == "yes";
  }
  return options;
}

}  // namespace proxy_test

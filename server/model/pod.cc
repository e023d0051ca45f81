#include "server/model/pod.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server {
namespace {

constexpr std::pair<PodPhase, const char*> kPhases[] = {{PodPhase::kPending, "Pending"},
                                                        {PodPhase::kRunning, "Running"},
                                                        {PodPhase::kSucceeded, "Succeeded"},
                                                        {PodPhase::kFailed, "Failed"},
                                                        {PodPhase::kUnknown, "Unknown"}};

PodPhase parse_phase(const std::string& text) {
  for (const auto& [phase, name] : kPhases) {
    if (text == name) return phase;
  }
  return text.empty() ? PodPhase::kPending : PodPhase::kUnknown;
}

int64_t parse_cost(const std::map<std::string, std::string>& annotations) {
  auto it = annotations.find("controller.kubernetes.io/pod-deletion-cost");
  if (it == annotations.end()) return 0;
  int64_t cost = 0;
  const char* end = it->second.data() + it->second.size();
  auto [parsed, ec] = std::from_chars(it->second.data(), end, cost);
  return ec == std::errc() && parsed == end ? cost : 0;
}

}  // namespace

const char* phase_name(PodPhase phase) {
  for (const auto& [value, name] : kPhases) {
    if (value == phase) return name;
  }
  return "Unknown";
}

const json* find_condition(const json& tree, std::string_view type) {
  for (const json& condition : store::get_array(tree, "status.conditions")) {
    if (store::get_string(condition, "type") == type) return &condition;
  }
  return nullptr;
}

std::string pod_address(const json& tree, base::Family family) {
  auto fits = [family](const std::string& ip) { return !ip.empty() && (ip.find(':') == std::string::npos) == (family == base::Family::kIpv4); };
  for (const json& ip : store::get_array(tree, "status.podIPs")) {
    if (std::string text = store::get_string(ip, "ip"); fits(text)) return text;
  }
  std::string only = store::get_string(tree, "status.podIP");
  return fits(only) ? only : "";
}

Pod project_pod(const json& tree) {
  const json& spec = store::get_object(tree, "spec");
  const json& status = store::get_object(tree, "status");
  Pod out;
  out.meta = project_meta(tree);
  out.node = store::get_string(spec, "nodeName");
  out.hostname = store::get_string(spec, "hostname");
  out.subdomain = store::get_string(spec, "subdomain");
  out.host_network = store::get_bool(spec, "hostNetwork");
  out.phase = parse_phase(store::get_string(status, "phase"));
  out.ip = store::get_string(status, "podIP");
  for (const json& entry : store::get_array(status, "podIPs")) out.ips.push_back(store::get_string(entry, "ip"));
  if (out.ips.empty() && !out.ip.empty()) out.ips.push_back(out.ip);
  if (const json* ready = find_condition(tree, "Ready")) {
    out.ready = store::get_string(*ready, "status") == "True";
    out.ready_since = project_time(*ready, "lastTransitionTime");
  }
  for (const json& container : store::get_array(status, "containerStatuses")) {
    out.restarts = std::max(out.restarts, store::get_int(container, "restartCount"));
  }
  out.deletion_cost = parse_cost(out.meta.annotations);
  for (const json& container : store::get_array(spec, "containers")) {
    for (const json& port : store::get_array(container, "ports")) {
      out.ports.push_back({store::get_string(port, "name"), static_cast<int>(store::get_int(port, "containerPort")),
                           store::get_string(port, "protocol", "TCP")});
    }
  }
  return out;
}

}  // namespace server

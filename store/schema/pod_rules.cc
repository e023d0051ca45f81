// What a pod (or a pod template) must satisfy beyond its table of fields.
#include <algorithm>
#include <charconv>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "store/base/ip.h"
#include "store/object/label_syntax.h"
#include "store/schema/pod_parts.h"

namespace store {
namespace {

// In the node's own network a port cannot be another one outside.
void check_host_ports(const json& spec, const std::string& path, Causes& causes) {
  if (!flag_at(spec, "hostNetwork")) return;
  const json& containers = array_at(spec, "containers");
  for (size_t i = 0; i < containers.size(); ++i) {
    const json& ports = array_at(containers[i], "ports");
    for (size_t j = 0; j < ports.size(); ++j) {
      const int64_t host = integer_at(ports[j], "hostPort");
      if (host == 0 || host == integer_at(ports[j], "containerPort")) continue;
      causes.push_back(cause_invalid(item(item(path, "containers", i), "ports", j) + ".hostPort", host, "must match `containerPort` when `hostNetwork` is true"));
    }
  }
}

constexpr std::string_view kRestartPolicies[] = {"Always", "OnFailure", "Never"}, kPreemption[] = {"PreemptLowerPriority", "Never"};
constexpr std::string_view kDnsPolicies[] = {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"};
constexpr size_t kMaxSearches = 32, kMaxSearchBytes = 2048, kMaxSearchName = 253;

// As a subdomain, but a label may have underscores inside and one in front.
bool is_search_domain(std::string name) {
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '_') name[i] = i == 0 || name[i - 1] == '.' ? 'a' : '-';
  }
  return name_problem(name, NameRule::kDnsSubdomain).find("RFC 1123") == std::string::npos;
}

void check_searches(const json& config, const std::string& path, Causes& causes) {
  const json& searches = array_at(config, "searches");
  size_t bytes = 0;
  for (size_t i = 0; i < searches.size(); ++i) {
    if (!searches[i].is_string()) continue;
    std::string name = searches[i].get<std::string>();
    bytes += name.size() + (i > 0);
    if (name == ".") continue;
    if (name.ends_with('.')) name.pop_back();
    const std::string field = item(path, "searches", i);
    if (name.size() > kMaxSearchName) causes.push_back(cause_invalid(field, name, "must be no more than 253 characters"));
    if (is_search_domain(name)) continue;
    causes.push_back(cause_invalid(field, name,
                                   "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an "
                                   "alphanumeric character (e.g. 'example.com', regex used for validation is "
                                   "'_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')"));
  }
  if (searches.size() > kMaxSearches) causes.push_back(cause_invalid(path + ".searches", searches, "must not have more than 32 search paths"));
  if (bytes > kMaxSearchBytes) {
    causes.push_back(cause_invalid(path + ".searches", searches, "must not have more than 2048 characters (including spaces) in the search list"));
  }
}

void check_dns(const json& spec, const std::string& path, Causes& causes) {
  const json& config = object_at(spec, "dnsConfig");
  const json& servers = array_at(config, "nameservers");
  const std::string here = path + ".dnsConfig";
  if (string_at(spec, "dnsPolicy") == "None") {
    if (!has(spec, "dnsConfig")) return causes.push_back(cause_required(here, "must provide `dnsConfig` when `dnsPolicy` is None"));
    if (servers.empty()) return causes.push_back(cause_required(here + ".nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None"));
  }
  if (servers.size() > 3) causes.push_back(cause_invalid(here + ".nameservers", servers, "must not have more than 3 nameservers"));
  for (size_t i = 0; i < servers.size(); ++i) {
    if (servers[i].is_string() && !base::Ip::parse(servers[i].get_ref<const std::string&>()).ok()) {
      causes.push_back(cause_invalid(item(here, "nameservers", i), servers[i], std::string(kBadIp)));
    }
  }
  check_searches(config, here, causes);
  const json& options = array_at(config, "options");
  for (size_t i = 0; i < options.size(); ++i) {
    if (string_at(options[i], "name").empty()) causes.push_back(cause_required(item(here, "options", i), "must not be empty"));
  }
}

void check_host_aliases(const json& spec, const std::string& path, Causes& causes) {
  const json& aliases = array_at(spec, "hostAliases");
  for (size_t i = 0; i < aliases.size(); ++i) {
    const std::string here = item(path, "hostAliases", i), ip = string_at(aliases[i], "ip");
    if (!base::Ip::parse(ip).ok()) causes.push_back(cause_invalid(here + ".ip", ip, std::string(kBadIp)));
    const json& names = array_at(aliases[i], "hostnames");
    for (size_t j = 0; j < names.size(); ++j) {
      if (!names[j].is_string()) continue;
      add_problem(causes, item(here, "hostnames", j), names[j], name_problem(names[j].get_ref<const std::string&>(), NameRule::kDnsSubdomain));
    }
  }
}

void check_gates(const json& spec, const std::string& path, Causes& causes) {
  const json &ready = array_at(spec, "readinessGates"), &scheduling = array_at(spec, "schedulingGates");
  for (size_t i = 0; i < ready.size(); ++i) {
    const std::string type = string_at(ready[i], "conditionType");
    add_problem(causes, item(path, "readinessGates", i) + ".conditionType", type, label_key_problem(type));
  }
  std::set<std::string> seen;
  for (size_t i = 0; i < scheduling.size(); ++i) {
    const std::string here = item(path, "schedulingGates", i), name = string_at(scheduling[i], "name");
    add_problem(causes, here, name, label_key_problem(name));
    if (!seen.insert(name).second) causes.push_back(cause_duplicate(here, name));
  }
}

// A name of another thing, by the rule of those things.
void check_name(const json& spec, const char* field, NameRule rule, const std::string& path, Causes& causes) {
  const std::string name = string_at(spec, field);
  if (!name.empty()) add_problem(causes, path + "." + field, name, name_problem(name, rule));
}

void check_hostname_override(const json& spec, const std::string& path, Causes& causes) {
  constexpr size_t kLongest = 64;
  if (!has(spec, "hostnameOverride")) return;
  const std::string name = string_at(spec, "hostnameOverride"), field = path + ".hostnameOverride";
  if (flag_at(spec, "setHostnameAsFQDN")) causes.push_back(cause_forbidden(field, "may not be specified when setHostnameAsFQDN is true"));
  if (flag_at(spec, "hostNetwork")) causes.push_back(cause_forbidden(field, "may not be specified when hostNetwork is true"));
  if (name.size() > kLongest) causes.push_back({"FieldValueTooLong", "Too long: may not be more than 64 bytes", field});
  add_problem(causes, field, name, name_problem(name, NameRule::kDnsSubdomain));
}

void check_deadline(const json& spec, const std::string& path, Causes& causes) {
  if (!has(spec, "activeDeadlineSeconds")) return;
  const int64_t seconds = integer_at(spec, "activeDeadlineSeconds");
  if (seconds < 1 || seconds > INT32_MAX) causes.push_back(cause_invalid(path + ".activeDeadlineSeconds", seconds, "must be between 1 and 2147483647, inclusive"));
}

bool is_32_bit(const std::string& text) {
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const size_t digits = text.starts_with('-') ? 1 : 0;
  const bool padded = text.size() > 1 && text[0] == '0';
  return text.size() > digits && error == std::errc() && end == text.data() + text.size() && !padded;
}

// What concerns pods only, not templates.
void check_pod_only(const json& spec, Causes& causes) {
  auto padded = [](const std::string& text) {
    auto space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
    return !text.empty() && (space(text.front()) || space(text.back()));
  };
  each_container_of(spec, "spec", [&](const json& container, const std::string& path) {
    const std::string image = string_at(container, "image");
    if (padded(image)) causes.push_back(cause_invalid(path + ".image", image, "must not have leading or trailing whitespace"));
  });
  const json& volumes = array_at(spec, "volumes");
  for (size_t i = 0; i < volumes.size(); ++i) {
    if (!has(volumes[i], "image") || !string_at(volumes[i]["image"], "reference").empty()) continue;
    causes.push_back(cause_required(item("spec", "volumes", i) + ".image.reference"));
  }
}

// Whose token would it be?
void check_no_tokens(const json& spec, Causes& causes) {
  const json& volumes = array_at(spec, "volumes");
  for (size_t v = 0; v < volumes.size(); ++v) {
    const json& sources = array_at(object_at(volumes[v], "projected"), "sources");
    for (size_t i = 0; i < sources.size(); ++i) {
      if (!has(sources[i], "serviceAccountToken")) continue;
      const std::string field = item(item("spec", "volumes", v) + ".projected", "sources", i) + ".serviceAccountToken";
      causes.push_back(cause_forbidden(field, "must not be specified when serviceAccountName is not set"));
    }
  }
}

void check_create(const json& spec, Causes& causes) {
  if (!array_at(spec, "ephemeralContainers").empty()) causes.push_back(cause_forbidden("spec.ephemeralContainers", "cannot be set on create"));
  if (!string_at(spec, "nodeName").empty() && !array_at(spec, "schedulingGates").empty()) {
    causes.push_back(cause_forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
  }
}

}  // namespace

bool flag_at(const json& object, std::string_view key) { return has(object, key) && object[std::string(key)] == true; }

void check_pod_spec(const json& spec, const std::string& path, Causes& causes) {
  PodScope scope{spec, {}, {}};
  check_volumes(path, scope, causes);
  check_resource_claims(path, scope, causes);
  check_containers(path, scope, causes);
  check_pod_resources(scope, path + ".resources", causes);
  check_host_ports(spec, path, causes);
  check_supported(spec, "restartPolicy", kRestartPolicies, path, causes);
  check_supported(spec, "dnsPolicy", kDnsPolicies, path, causes);
  check_labels(object_at(spec, "nodeSelector"), path + ".nodeSelector", causes);
  check_pod_security(spec, path, causes);
  check_affinity(spec, path, causes);
  check_dns(spec, path, causes);
  check_gates(spec, path, causes);
  check_spreading(spec, path, causes);
  check_user_namespace(spec, path, causes);
  check_hostname_override(spec, path, causes);
  check_name(spec, "serviceAccountName", NameRule::kDnsSubdomain, path, causes);
  check_name(spec, "nodeName", NameRule::kDnsSubdomain, path, causes);
  check_deadline(spec, path, causes);
  check_name(spec, "hostname", NameRule::kDnsLabel, path, causes);
  check_name(spec, "subdomain", NameRule::kDnsLabel, path, causes);
  check_tolerations(spec, path, causes);
  check_host_aliases(spec, path, causes);
  check_name(spec, "priorityClassName", NameRule::kDnsSubdomain, path, causes);
  check_name(spec, "runtimeClassName", NameRule::kDnsSubdomain, path, causes);
  check_supported(spec, "preemptionPolicy", kPreemption, path, causes);
  check_overhead(scope, path + ".overhead", causes);
  check_os(spec, path, causes);
  check_file_volumes(spec, path, causes);
}

void check_pod_annotations(const json& annotations, const json& spec, const std::string& path, Causes& causes) {
  constexpr const char* kMirror = "kubernetes.io/config.mirror";
  constexpr const char* kCost = "controller.kubernetes.io/pod-deletion-cost";
  constexpr std::string_view kAppArmor = "container.apparmor.security.beta.kubernetes.io/";
  if (has(annotations, kMirror) && string_at(spec, "nodeName").empty()) {
    causes.push_back(cause_invalid(path + "[" + kMirror + "]", annotations[kMirror], "must set spec.nodeName if mirror pod annotation is set"));
  }
  if (has(annotations, kCost) && !is_32_bit(string_at(annotations, kCost))) {
    causes.push_back(cause_invalid(path + "[" + kCost + "]", annotations[kCost], "must be a 32bit integer"));
  }
  for (auto it = annotations.begin(); it != annotations.end(); ++it) {
    if (!it.key().starts_with(kAppArmor)) continue;
    const std::string name = it.key().substr(kAppArmor.size()), profile = string_at(annotations, it.key()), field = path + "[" + it.key() + "]";
    bool known = false;
    each_container_of(spec, "", [&](const json& container, const std::string&) { known |= string_at(container, "name") == name; });
    if (!known) causes.push_back(cause_invalid(field, name, "container not found"));
    const bool good = profile.empty() || profile == "runtime/default" || profile == "unconfined" || profile.starts_with("localhost/");
    if (!good) causes.push_back(cause_invalid(field, profile, "invalid AppArmor profile name: " + go_quoted(profile)));
  }
}

std::vector<base::Cause> validate_pod(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  check_pod_annotations(object_at(object_at(tree, "metadata"), "annotations"), spec, "metadata.annotations", causes);
  check_pod_spec(spec, "spec", causes);
  if (old && string_at(spec, "serviceAccountName").empty()) check_no_tokens(spec, causes);
  check_pod_only(spec, causes);
  if (old) check_pod_update(tree, *old, causes);
  else check_create(spec, causes);
  return causes;
}

}  // namespace store

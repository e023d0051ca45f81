// What a pod (or a pod template) must satisfy beyond its table of fields.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/base/ip.h"
#include "store/schema/rules.h"

namespace store {
namespace {

void check_ports(const json& container, const std::string& path, Causes& causes) {
  const json& ports = array_at(container, "ports");
  std::set<std::string> names;
  for (size_t i = 0; i < ports.size(); ++i) {
    const std::string name = string_at(ports[i], "name");
    if (name.empty()) continue;
    const std::string field = item(path, "ports", i) + ".name";
    const std::string problem = port_name_problem(name);
    add_problem(causes, field, name, problem);
    if (problem.empty() && !names.insert(name).second) causes.push_back(cause_duplicate(field, name));
  }
}

void check_env(const json& container, const std::string& path, Causes& causes) {
  const json& env = array_at(container, "env");
  for (size_t i = 0; i < env.size(); ++i) {
    const std::string here = item(path, "env", i);
    const std::string name = string_at(env[i], "name");
    const bool printable = std::all_of(name.begin(), name.end(), [](char c) { return c > 0x1f && c < 0x7f && c != '='; });
    if (!printable) {
      causes.push_back(cause_invalid(here + ".name", name,
                                     "a valid environment variable name must consist only of printable ASCII characters other than '='"));
    }
    if (!env[i].is_object() || !env[i].contains("valueFrom")) continue;
    const json& source = object_at(env[i], "valueFrom");
    const std::string field = here + ".valueFrom";
    if (source.empty()) {
      causes.push_back(
          cause_invalid(field, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"));
    } else if (!string_at(env[i], "value").empty()) {
      causes.push_back(cause_invalid(field, "", "may not be specified when `value` is not empty"));
    } else if (source.size() > 1) {
      causes.push_back(cause_invalid(field, "", "may not have more than one field specified at a time"));
    }
  }
}

void check_mounts(const json& container, const std::string& path, const std::set<std::string>& volumes, Causes& causes) {
  const json& mounts = array_at(container, "volumeMounts");
  std::set<std::string> places;
  for (size_t i = 0; i < mounts.size(); ++i) {
    const std::string here = item(path, "volumeMounts", i);
    const std::string name = string_at(mounts[i], "name"), place = string_at(mounts[i], "mountPath");
    if (!name.empty() && !volumes.count(name)) causes.push_back({"FieldValueNotFound", "Not found: " + shown(name), here + ".name"});
    if (!place.empty() && !places.insert(place).second) causes.push_back(cause_invalid(here + ".mountPath", place, "must be unique"));
  }
}

void check_resources(const json& container, const std::string& path, Causes& causes) {
  const json& resources = object_at(container, "resources");
  const json& limits = object_at(resources, "limits");
  const json& requests = object_at(resources, "requests");
  for (auto it = requests.begin(); it != requests.end(); ++it) {
    const auto limit = limits.find(it.key());
    const auto wanted = quantity_nanos(it.value());
    if (limit == limits.end() || !wanted) continue;
    const auto allowed = quantity_nanos(*limit);
    if (allowed && *wanted > *allowed) {
      const std::string bound = limit->is_string() ? limit->get<std::string>() : limit->dump();
      causes.push_back(
          cause_invalid(path + ".resources.requests", it.value(), "must be less than or equal to " + it.key() + " limit of " + bound));
    }
  }
}

// In the node's own network a port cannot be another one outside.
void check_host_ports(const json& spec, const std::string& path, Causes& causes) {
  if (spec.value("hostNetwork", json()) != true) return;
  for (const char* list : {"containers", "initContainers"}) {
    const json& containers = array_at(spec, list);
    for (size_t i = 0; i < containers.size(); ++i) {
      const json& ports = array_at(containers[i], "ports");
      for (size_t j = 0; j < ports.size(); ++j) {
        const json host = ports[j].is_object() ? ports[j].value("hostPort", json()) : json();
        if (!host.is_number() || host == 0 || host == ports[j].value("containerPort", json())) continue;
        causes.push_back(cause_invalid(item(item(path, list, i), "ports", j) + ".hostPort", host, "must match `containerPort` when `hostNetwork` is true"));
      }
    }
  }
}

struct Names {
  std::set<std::string> containers;
  std::set<std::string> volumes;
};

void check_container(const json& container, const std::string& path, Names& names, Causes& causes) {
  const std::string name = string_at(container, "name"), image = string_at(container, "image");
  if (!name.empty()) {
    const std::string problem = name_problem(name, NameRule::kDnsLabel);
    add_problem(causes, path + ".name", name, problem);
    if (problem.empty() && !names.containers.insert(name).second) causes.push_back(cause_duplicate(path + ".name", name));
  }
  if (image.empty())
    causes.push_back(cause_required(path + ".image"));
  else if (image.front() == ' ' || image.back() == ' ')
    causes.push_back(cause_invalid(path + ".image", image, "must not have leading or trailing whitespace"));
  check_ports(container, path, causes);
  check_env(container, path, causes);
  check_mounts(container, path, names.volumes, causes);
  check_resources(container, path, causes);
}

void check_volumes(const json& spec, const std::string& path, Names& names, Causes& causes) {
  const json& volumes = array_at(spec, "volumes");
  for (size_t i = 0; i < volumes.size(); ++i) {
    const std::string here = item(path, "volumes", i);
    const std::string name = string_at(volumes[i], "name");
    if (!name.empty()) {
      const std::string problem = name_problem(name, NameRule::kDnsLabel);
      add_problem(causes, here + ".name", name, problem);
      if (problem.empty() && !names.volumes.insert(name).second) causes.push_back(cause_duplicate(here + ".name", name));
    }
    if (!volumes[i].is_object()) continue;
    size_t sources = 0;
    for (auto it = volumes[i].begin(); it != volumes[i].end(); ++it) {
      if (it.key() == "name" || ++sources == 1) continue;
      causes.push_back(cause_forbidden(here + "." + it.key(), "may not specify more than 1 volume type"));
    }
    if (sources == 0) causes.push_back(cause_required(here, "must specify a volume type"));
    for (const auto& [source, member] : {std::pair{"configMap", "name"}, std::pair{"secret", "secretName"}}) {
      if (volumes[i].contains(source) && string_at(object_at(volumes[i], source), member).empty()) {
        causes.push_back(cause_required(here + "." + source + "." + member));
      }
    }
  }
}

void check_dns(const json& spec, const std::string& path, Causes& causes) {
  const json& config = object_at(spec, "dnsConfig");
  const json& servers = array_at(config, "nameservers");
  const std::string here = path + ".dnsConfig.nameservers";
  if (string_at(spec, "dnsPolicy") == "None" && servers.empty()) {
    causes.push_back(cause_required(here, "must provide at least one DNS nameserver when `dnsPolicy` is None"));
  }
  if (servers.size() > 3) causes.push_back(cause_invalid(here, servers, "must not have more than 3 nameservers"));
  for (size_t i = 0; i < servers.size(); ++i) {
    if (servers[i].is_string() && !base::Ip::parse(servers[i].get_ref<const std::string&>()).ok()) {
      causes.push_back(cause_invalid(here + "[" + std::to_string(i) + "]", servers[i], std::string(kBadIp)));
    }
  }
  const json& aliases = array_at(spec, "hostAliases");
  for (size_t i = 0; i < aliases.size(); ++i) {
    const std::string ip = string_at(aliases[i], "ip");
    if (!ip.empty() && !base::Ip::parse(ip).ok()) {
      causes.push_back(cause_invalid(item(path, "hostAliases", i) + ".ip", ip, std::string(kBadIp)));
    }
  }
}

// A copy of the spec with everything taken out that an update may change.
json without_mutable(const json& spec) {
  json out = spec.is_object() ? spec : json::object();
  for (const char* list : {"containers", "initContainers"}) {
    const auto at = out.find(list);
    if (at == out.end() || !at->is_array()) continue;
    for (json& container : *at) {
      if (container.is_object()) container.erase("image");
    }
  }
  for (const char* field :
       {"activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations", "ephemeralContainers", "schedulingGates"})
    out.erase(field);
  return out;
}

bool only_added(const json& before, const json& after) {
  return std::all_of(before.begin(), before.end(),
                     [&](const json& old) { return std::find(after.begin(), after.end(), old) != after.end(); });
}

void check_update(const json& tree, const json& old, Causes& causes) {
  const json& before = object_at(old, "spec");
  const json& after = object_at(tree, "spec");
  for (const char* list : {"containers", "initContainers"}) {
    if (array_at(before, list).size() != array_at(after, list).size()) {
      causes.push_back(cause_forbidden(std::string("spec.") + list, list == std::string("containers")
                                                                        ? "pod updates may not add or remove containers"
                                                                        : "pod updates may not add or remove init containers"));
      return;
    }
  }
  json fixed_before = without_mutable(before), fixed_after = without_mutable(after);
  // The binding subresource places a pod that has no node yet.
  if (string_at(before, "nodeName").empty()) fixed_before.erase("nodeName"), fixed_after.erase("nodeName");
  const bool grace_changed = before.value("terminationGracePeriodSeconds", json()) != after.value("terminationGracePeriodSeconds", json());
  if (fixed_before == fixed_after && only_added(array_at(before, "tolerations"), array_at(after, "tolerations")) && !grace_changed) return;
  causes.push_back(cause_forbidden(
      "spec",
      "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
      "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
      "previously negative)"));
}

}  // namespace

void check_pod_spec(const json& spec, const std::string& path, Causes& causes) {
  Names names;
  check_volumes(spec, path, names, causes);
  for (const char* list : {"containers", "initContainers"}) {
    const json& containers = array_at(spec, list);
    const ContainerRole role = list == std::string("containers") ? ContainerRole::kMain : ContainerRole::kInit;
    for (size_t i = 0; i < containers.size(); ++i) {
      check_container(containers[i], item(path, list, i), names, causes);
      check_probes(containers[i], role, spec, item(path, list, i), causes);
    }
  }
  check_host_ports(spec, path, causes);
  for (const char* field : {"hostname", "subdomain"}) {
    const std::string name = string_at(spec, field);
    if (!name.empty()) add_problem(causes, path + "." + field, name, name_problem(name, NameRule::kDnsLabel));
  }
  const std::string account = string_at(spec, "serviceAccountName");
  if (!account.empty()) add_problem(causes, path + ".serviceAccountName", account, name_problem(account, NameRule::kDnsSubdomain));
  check_dns(spec, path, causes);
  check_scheduling(spec, path, causes);
}

std::vector<base::Cause> validate_pod(const json& tree, const json* old) {
  Causes causes;
  if (!tree.is_object() || !tree.contains("spec")) return {cause_required("spec.containers")};
  check_pod_spec(object_at(tree, "spec"), "spec", causes);
  if (old)
    check_update(tree, *old, causes);
  else if (!array_at(object_at(tree, "spec"), "ephemeralContainers").empty()) {
    causes.push_back(cause_forbidden("spec.ephemeralContainers", "cannot be set on create"));
  }
  return causes;
}

}  // namespace store

// Containers of a pod: main ones, those that run before, and those added for a look into a running pod.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/schema/pod_parts.h"

namespace store {
namespace {

constexpr std::string_view kPullPolicies[] = {"Always", "IfNotPresent", "Never"};
constexpr std::string_view kMessagePolicies[] = {"File", "FallbackToLogsOnError"};
constexpr std::string_view kPropagations[] = {"Bidirectional", "HostToContainer", "None"};
constexpr std::string_view kRecursive[] = {"Disabled", "Enabled", "IfPossible"};
constexpr std::string_view kContainerRestartPolicies[] = {"Always", "Never", "OnFailure"};
constexpr std::string_view kRestartActions[] = {"Restart", "RestartAllContainers"};
constexpr std::string_view kOperators[] = {"In", "NotIn"};

void check_ports(const json& container, const std::string& path, Causes& causes) {
  const json& ports = array_at(container, "ports");
  std::set<std::string> names;
  for (size_t i = 0; i < ports.size(); ++i) {
    const std::string here = item(path, "ports", i), name = string_at(ports[i], "name");
    if (!name.empty()) {
      const std::string problem = port_name_problem(name);
      add_problem(causes, here + ".name", name, problem);
      if (problem.empty() && !names.insert(name).second) causes.push_back(cause_duplicate(here + ".name", name));
    }
    const int64_t port = integer_at(ports[i], "containerPort"), host_port = integer_at(ports[i], "hostPort");
    if (port == 0) causes.push_back(cause_required(here + ".containerPort"));
    else add_problem(causes, here + ".containerPort", port, port_number_problem(port));
    if (host_port != 0) add_problem(causes, here + ".hostPort", host_port, port_number_problem(host_port));
    check_supported(ports[i], "protocol", kProtocols, here, causes);
  }
}

// Two containers that run at the same time cannot have one port of the node. `index`: the container's in `path`.
void check_host_ports(const json& container, const std::string& path, size_t index, std::set<std::string>& taken, Causes& causes) {
  const json& ports = array_at(container, "ports");
  for (size_t i = 0; i < ports.size(); ++i) {
    const int64_t port = integer_at(ports[i], "hostPort");
    if (port == 0) continue;
    const std::string key = string_at(ports[i], "protocol") + "/" + string_at(ports[i], "hostIP") + "/" + std::to_string(port);
    const std::string container_path = path + "[" + std::to_string(index) + "]";
    if (!taken.insert(key).second) causes.push_back(cause_duplicate(item(container_path, "ports", i) + ".hostPort", key));
  }
}

void check_propagation(const json& mount, const json& container, const std::string& path, Causes& causes) {
  const std::string propagation = string_at(mount, "mountPropagation"), recursive = string_at(mount, "recursiveReadOnly");
  check_supported(mount, "mountPropagation", kPropagations, path, causes);
  check_supported(mount, "recursiveReadOnly", kRecursive, path, causes);
  if (propagation == "Bidirectional" && !flag_at(object_at(container, "securityContext"), "privileged")) {
    causes.push_back(cause_forbidden(path + ".mountPropagation", "Bidirectional mount propagation is available only to privileged containers"));
  }
  if (recursive != "Enabled" && recursive != "IfPossible") return;
  if (!flag_at(mount, "readOnly")) causes.push_back(cause_forbidden(path + ".recursiveReadOnly", "may only be specified when readOnly is true"));
  if (!propagation.empty() && propagation != "None") {
    causes.push_back(cause_forbidden(path + ".recursiveReadOnly", "may only be specified when mountPropagation is None or not specified"));
  }
}

void check_sub_path(const json& mount, const json* volume, const std::string& list, const std::string& here, Causes& causes) {
  const std::string plain = string_at(mount, "subPath"), expanded = string_at(mount, "subPathExpr");
  const bool image = volume && has(*volume, "image");
  if (image && !plain.empty()) causes.push_back(cause_invalid(here + ".subPath", plain, "not allowed in image volume sources"));
  if (image && !expanded.empty()) causes.push_back(cause_invalid(here + ".subPathExpr", expanded, "not allowed in image volume sources"));
  if (!plain.empty()) check_descending_path(plain, list + ".subPath", causes);
  if (expanded.empty()) return;
  if (!plain.empty()) causes.push_back(cause_invalid(here + ".subPathExpr", expanded, "subPathExpr and subPath are mutually exclusive"));
  check_descending_path(expanded, list + ".subPathExpr", causes);
}

// Is there an element of `list` whose `key` is `value`?
bool any_with(const json& list, const char* key, const std::string& value) {
  return std::any_of(list.begin(), list.end(), [&](const json& element) { return string_at(element, key) == value; });
}

void check_mounts(const json& container, const PodScope& scope, const std::string& path, Causes& causes) {
  const json &mounts = array_at(container, "volumeMounts"), &devices = array_at(container, "volumeDevices");
  std::set<std::string> places;
  for (size_t i = 0; i < mounts.size(); ++i) {
    const std::string here = item(path, "volumeMounts", i), list = path + ".volumeMounts";
    const std::string name = string_at(mounts[i], "name"), place = string_at(mounts[i], "mountPath");
    const auto volume = scope.volumes.find(name);
    if (name.empty()) causes.push_back(cause_required(here + ".name"));
    if (volume == scope.volumes.end()) causes.push_back({"FieldValueNotFound", "Not found: " + shown(name), here + ".name"});
    if (place.empty()) causes.push_back(cause_required(here + ".mountPath"));
    if (!places.insert(place).second) causes.push_back(cause_invalid(here + ".mountPath", place, "must be unique"));
    if (any_with(devices, "name", name)) causes.push_back(cause_invalid(here + ".name", name, "must not already exist in volumeDevices"));
    if (any_with(devices, "devicePath", place)) {
      causes.push_back(cause_invalid(here + ".mountPath", place, "must not already exist as a path in volumeDevices"));
    }
    check_sub_path(mounts[i], volume == scope.volumes.end() ? nullptr : volume->second, list, here, causes);
    check_propagation(mounts[i], container, list, causes);
  }
}

void check_devices(const json& container, const PodScope& scope, const std::string& path, Causes& causes) {
  const json &mounts = array_at(container, "volumeMounts"), &devices = array_at(container, "volumeDevices");
  std::set<std::string> places, names;
  for (size_t i = 0; i < devices.size(); ++i) {
    const std::string here = item(path, "volumeDevices", i);
    const std::string name = string_at(devices[i], "name"), place = string_at(devices[i], "devicePath");
    const auto volume = scope.volumes.find(name);
    if (name.empty()) causes.push_back(cause_required(here + ".name"));
    else if (!names.insert(name).second) causes.push_back(cause_invalid(here + ".name", name, "must be unique"));
    if (volume == scope.volumes.end()) {
      causes.push_back({"FieldValueNotFound", "Not found: " + shown(name), here + ".name"});
    } else if (!has(*volume->second, "persistentVolumeClaim") && !has(*volume->second, "ephemeral")) {
      causes.push_back(cause_invalid(here + ".name", name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"));
    }
    if (place.empty()) causes.push_back(cause_required(here + ".devicePath"));
    if (places.count(place)) causes.push_back(cause_invalid(here + ".devicePath", place, "must be unique"));
    Causes steps;
    check_no_backsteps(place, here, steps);
    if (!steps.empty()) causes.push_back(cause_invalid(here + ".devicePath", place, "can not contain backsteps ('..')"));
    else places.insert(place);
    if (any_with(mounts, "name", name)) causes.push_back(cause_invalid(here + ".name", name, "must not already exist in volumeMounts"));
    if (any_with(mounts, "mountPath", place)) {
      causes.push_back(cause_invalid(here + ".devicePath", place, "must not already exist as a path in volumeMounts"));
    }
  }
}

void check_resize_policy(const json& container, const std::string& pod_restart, const std::string& path, Causes& causes) {
  static constexpr std::string_view kResources[] = {"cpu", "memory"}, kPolicies[] = {"NotRequired", "RestartContainer"};
  const json& policies = array_at(container, "resizePolicy");
  std::set<std::string> seen;
  for (size_t i = 0; i < policies.size(); ++i) {
    const std::string resource = string_at(policies[i], "resourceName"), policy = string_at(policies[i], "restartPolicy");
    const std::string list = path + ".resizePolicy";
    if (!seen.insert(resource).second) causes.push_back(cause_duplicate(item(path, "resizePolicy", i), resource));
    if (resource.empty()) causes.push_back(cause_required(list));
    else if (resource != "cpu" && resource != "memory") causes.push_back(cause_not_supported(list, resource, kResources));
    if (policy.empty()) causes.push_back(cause_required(list));
    else if (!is_among(kPolicies, policy)) causes.push_back(cause_not_supported(list, policy, kPolicies));
    if (pod_restart == "Never" && policy != "NotRequired") {
      causes.push_back(cause_invalid(list, policy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"));
    }
  }
}

void check_restart_rules(const json& container, const std::string& path, Causes& causes) {
  const json& rules = array_at(container, "restartPolicyRules");
  auto too_many = [&](const std::string& field, size_t count, size_t limit) {
    if (count <= limit) return;
    causes.push_back({"FieldValueTooMany", "Too many: " + std::to_string(count) + ": must have at most " + std::to_string(limit) + " items", field});
  };
  if (!rules.empty() && !has(container, "restartPolicy")) {
    causes.push_back(cause_required(path + ".restartPolicy", "must specify restartPolicy when restart rules are used"));
  }
  check_supported(container, "restartPolicy", kContainerRestartPolicies, path, causes);
  too_many(path + ".restartPolicyRules", rules.size(), 20);
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string rule = item(path, "restartPolicyRules", i), here = rule + ".exitCodes", action = string_at(rules[i], "action");
    if (!is_among(kRestartActions, action)) causes.push_back(cause_not_supported(rule + ".action", action, kRestartActions));
    if (!has(rules[i], "exitCodes")) {
      causes.push_back(cause_required(here, "must be specified"));
      continue;
    }
    const std::string op = string_at(rules[i]["exitCodes"], "operator");
    if (!is_among(kOperators, op)) causes.push_back(cause_not_supported(here + ".operator", op, kOperators));
    too_many(here + ".values", array_at(rules[i]["exitCodes"], "values").size(), 255);
  }
}

void check_container(const json& container, const PodScope& scope, const std::string& path, Causes& causes) {
  const std::string name = string_at(container, "name");
  if (name.empty()) causes.push_back(cause_required(path + ".name"));
  else add_problem(causes, path + ".name", name, name_problem(name, NameRule::kDnsLabel));
  if (string_at(container, "image").empty()) causes.push_back(cause_required(path + ".image"));
  check_supported(container, "terminationMessagePolicy", kMessagePolicies, path, causes);
  check_ports(container, path, causes);
  check_environment(container, path, causes);
  check_mounts(container, scope, path, causes);
  check_devices(container, scope, path, causes);
  check_supported(container, "imagePullPolicy", kPullPolicies, path, causes);
  check_resource_requirements(object_at(container, "resources"), scope, path + ".resources", causes);
  check_resize_policy(container, string_at(scope.spec, "restartPolicy"), path, causes);
  check_container_security(object_at(container, "securityContext"), scope.spec, path + ".securityContext", causes);
}

// Containers that should be thought of as guests: the pod's services do not rest on them.
void check_ephemeral_container(const json& container, const std::set<std::string>& lasting, const std::string& path, Causes& causes) {
  const std::string kNot = "cannot be set for an Ephemeral Container";
  const std::string target = string_at(container, "targetContainerName");
  if (!target.empty() && !lasting.count(target)) causes.push_back({"FieldValueNotFound", "Not found: " + shown(target), path + ".targetContainerName"});
  for (const char* field : {"ports", "resources", "resizePolicy", "restartPolicy", "restartPolicyRules", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"}) {
    if (has(container, field) && !(container[field].is_structured() && container[field].empty())) causes.push_back(cause_forbidden(path + "." + field, kNot));
  }
  const json& mounts = array_at(container, "volumeMounts");
  for (size_t i = 0; i < mounts.size(); ++i) {
    for (const char* field : {"subPath", "subPathExpr"}) {
      if (!string_at(mounts[i], field).empty()) causes.push_back(cause_forbidden(item(path, "volumeMounts", i) + "." + field, kNot));
    }
  }
}

void check_unique(const json& container, std::set<std::string>& names, const std::string& path, Causes& causes) {
  const std::string name = string_at(container, "name");
  if (!name.empty() && !names.insert(name).second) causes.push_back(cause_duplicate(path + ".name", name));
}

}  // namespace

void check_containers(const std::string& path, const PodScope& scope, Causes& causes) {
  std::set<std::string> names, host_ports;
  const json& main = array_at(scope.spec, "containers");
  if (main.empty()) causes.push_back(cause_required(path + ".containers"));
  for (size_t i = 0; i < main.size(); ++i) {
    const std::string here = item(path, "containers", i);
    check_container(main[i], scope, here, causes);
    check_unique(main[i], names, here, causes);
    check_probes(main[i], ContainerRole::kMain, scope.spec, here, causes);
    check_restart_rules(main[i], here, causes);
  }
  for (size_t i = 0; i < main.size(); ++i) check_host_ports(main[i], path + ".containers", i, host_ports, causes);
  const json& init = array_at(scope.spec, "initContainers");
  for (size_t i = 0; i < init.size(); ++i) {
    const std::string here = item(path, "initContainers", i);
    check_container(init[i], scope, here, causes);
    check_restart_rules(init[i], here, causes);
    check_unique(init[i], names, here, causes);
    std::set<std::string> own_ports;  // They run one by one; upstream then counts each as the first.
    check_host_ports(init[i], path + ".initContainers", 0, own_ports, causes);
    check_probes(init[i], ContainerRole::kInit, scope.spec, here, causes);
  }
  const std::set<std::string> lasting = names;
  const json& guests = array_at(scope.spec, "ephemeralContainers");
  for (size_t i = 0; i < guests.size(); ++i) {
    const std::string here = item(path, "ephemeralContainers", i);
    check_container(guests[i], scope, here, causes);
    check_unique(guests[i], names, here, causes);
    check_ephemeral_container(guests[i], lasting, here, causes);
  }
}

}  // namespace store

#include "server/node_agent/pod_spec.h"

#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server {
namespace {

using store::get_array;
using store::get_bool;
using store::get_int;
using store::get_object;
using store::get_string;

std::vector<std::string> strings(const json& tree, std::string_view path) {
  std::vector<std::string> out;
  for (const json& item : get_array(tree, path)) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

EnvSource project_env(const json& e) {
  EnvSource out;
  out.name = get_string(e, "name");
  if (store::find(e, "valueFrom.configMapKeyRef") != nullptr) {
    const json& ref = get_object(e, "valueFrom.configMapKeyRef");
    out.kind = EnvSource::Kind::kConfigMap, out.object = get_string(ref, "name"), out.key = get_string(ref, "key"), out.optional = get_bool(ref, "optional");
  } else if (store::find(e, "valueFrom.secretKeyRef") != nullptr) {
    const json& ref = get_object(e, "valueFrom.secretKeyRef");
    out.kind = EnvSource::Kind::kSecret, out.object = get_string(ref, "name"), out.key = get_string(ref, "key"), out.optional = get_bool(ref, "optional");
  } else if (store::find(e, "valueFrom.fieldRef") != nullptr) {
    out.kind = EnvSource::Kind::kField, out.value = get_string(e, "valueFrom.fieldRef.fieldPath");
  } else if (store::find(e, "valueFrom.resourceFieldRef") != nullptr) {
    out.kind = EnvSource::Kind::kResource, out.value = get_string(e, "valueFrom.resourceFieldRef.resource");
  } else {
    out.value = get_string(e, "value");
  }
  return out;
}

EnvSource project_env_from(const json& e) {
  EnvSource out;
  out.name = get_string(e, "prefix");
  bool secret = store::find(e, "secretRef") != nullptr;
  const json& ref = get_object(e, secret ? "secretRef" : "configMapRef");
  out.kind = secret ? EnvSource::Kind::kSecret : EnvSource::Kind::kConfigMap;
  out.object = get_string(ref, "name");
  out.optional = get_bool(ref, "optional");
  return out;
}

RestartPolicy parse_restart(const std::string& policy) {
  if (policy == "Never") return RestartPolicy::kNever;
  return policy == "OnFailure" ? RestartPolicy::kOnFailure : RestartPolicy::kAlways;
}

ContainerPlan project_container(const json& c) {
  ContainerPlan out;
  out.name = get_string(c, "name");
  out.image = get_string(c, "image");
  out.command = strings(c, "command");
  out.args = strings(c, "args");
  out.working_dir = get_string(c, "workingDir");
  for (const json& e : get_array(c, "envFrom")) out.env_from.push_back(project_env_from(e));
  for (const json& e : get_array(c, "env")) out.env.push_back(project_env(e));
  for (const json& m : get_array(c, "volumeMounts")) out.mounts.push_back({get_string(m, "name"), get_string(m, "mountPath"), get_string(m, "subPath"), get_bool(m, "readOnly")});
  out.capabilities = strings(c, "securityContext.capabilities.add");
  out.termination_path = get_string(c, "terminationMessagePath", "/dev/termination-log");
  out.logs_as_message = get_string(c, "terminationMessagePolicy") == "FallbackToLogsOnError";
  const std::string restart = get_string(c, "restartPolicy");
  if (!restart.empty()) out.restart = parse_restart(restart);
  out.std_in = get_bool(c, "stdin");
  out.std_in_once = get_bool(c, "stdinOnce");
  out.tty = get_bool(c, "tty");
  out.probes = project_probes(c);
  out.resources = &get_object(c, "resources");
  return out;
}

// Of a volume, or of a source of a projected one.
void add_shown(const json& volume, std::set<std::pair<std::string, std::string>>& shown) {
  if (const json* map = store::find(volume, "configMap")) shown.emplace("configmaps", get_string(*map, "name"));
  if (const json* secret = store::find(volume, "secret")) shown.emplace("secrets", get_string(*secret, "secretName", get_string(*secret, "name")));
  for (const json& source : get_array(volume, "projected.sources")) add_shown(source, shown);
}

}  // namespace

PodSpecView project_pod_spec(const store::Object& pod) {
  PodSpecView out;
  out.source = pod;
  const json& tree = out.source.tree();
  const json& spec = get_object(tree, "spec");
  out.meta = project_meta(tree);
  out.node = get_string(spec, "nodeName");
  // The kernel takes 64 bytes; the kubelet cuts a pod's name to 63 and trims what a host name may not end with.
  out.hostname = get_string(spec, "hostname", out.meta.name).substr(0, 63);
  while (!out.hostname.empty() && (out.hostname.back() == '-' || out.hostname.back() == '.')) out.hostname.pop_back();
  out.subdomain = get_string(spec, "subdomain");
  out.service_account = get_string(spec, "serviceAccountName", "default");
  out.service_links = get_bool(spec, "enableServiceLinks", true);
  out.host_network = get_bool(spec, "hostNetwork");
  if (out.host_network) out.hostname = out.node;
  out.restart = parse_restart(get_string(spec, "restartPolicy", "Always"));
  out.grace_seconds = get_int(spec, "terminationGracePeriodSeconds", 30);
  if (out.grace_seconds < 0) out.grace_seconds = 1;  // As upstream reads it.
  out.dns_policy = get_string(spec, "dnsPolicy", "ClusterFirst");
  out.dns_config = &get_object(spec, "dnsConfig");
  out.host_aliases = &get_array(spec, "hostAliases");
  out.volumes = &get_array(spec, "volumes");
  for (const json& volume : *out.volumes) add_shown(volume, out.shown);
  for (const json& gate : get_array(spec, "readinessGates")) out.readiness_gates.push_back(get_string(gate, "conditionType"));
  for (const json& c : get_array(spec, "initContainers")) {
    out.init_containers.push_back(project_container(c));
    out.init_containers.back().sidecar = out.init_containers.back().restart == RestartPolicy::kAlways;
  }
  for (const json& c : get_array(spec, "containers")) out.containers.push_back(project_container(c));
  for (const json& c : get_array(spec, "ephemeralContainers")) {
    out.guests.push_back(project_container(c));
    out.guests.back().restart = RestartPolicy::kNever;
  }
  return out;
}

}  // namespace server

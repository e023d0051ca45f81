// server/node_agent/environment.h - the environment and arguments of a container. Pure over the objects that the
// lookups return; any thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "server/node_agent/pod_spec.h"
#include "store/base/result.h"

namespace server {

// What a variable or volume may refer to. nullptr: there is none.
struct Lookups {
  std::function<const store::Object*(const std::string& name)> config_map;  // In the pod's namespace.
  std::function<const store::Object*(const std::string& name)> secret;
  std::function<const store::Object*(const std::string& name)> claim;
  std::vector<store::Object> services;   // Of the pod's namespace, and default/kubernetes.
  // A token of the pod's service account; audience "": for the API server.
  std::function<base::Result<std::string>(const std::string& audience, int64_t seconds)> token;
  const json* pod = nullptr;             // The pod's tree, for fieldRef.
  std::string pod_ip, host_ip, node;
  std::string pod_ips;  // All, with commas between.
};

using Env = std::map<std::string, std::string>;

// Service variables, then envFrom, then env, as the kubelet does; later ones win and may refer to earlier ones.
// kInvalid worded as the kubelet's CreateContainerConfigError: `configmap "x" not found`.
base::Result<Env> compile_environment(const PodSpecView& pod, const ContainerPlan& container, const Lookups& lookups);

// $(VAR) with a value is replaced, $$ is a literal $, the rest stays.
std::string expand_references(const std::string& text, const Env& env);

// fieldRef paths: metadata.name, metadata.labels['x'], status.podIP, spec.nodeName ... kInvalid for others.
base::Result<std::string> resolve_field(const std::string& path, const PodSpecView& pod, const Lookups& lookups);
// "limits.cpu", "requests.memory"; divided by `divisor` and rounded up, as upstream. Without a limit: the node's whole.
std::string resolve_resource(const std::string& which, const json& resources, const std::string& divisor);

}  // namespace server

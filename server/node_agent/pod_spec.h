// server/node_agent/pod_spec.h - what the node agent needs of a Pod to run it. Pure; any thread.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/model/meta.h"
#include "server/node_agent/probe_spec.h"

namespace server {

struct EnvSource {
  enum class Kind { kValue, kConfigMap, kSecret, kField, kResource };
  std::string name;       // The variable. Of an envFrom entry: the prefix.
  Kind kind = Kind::kValue;
  std::string value;      // kValue: text with $(VAR) references; kField: path; kResource: "limits.cpu".
  std::string object;     // Name of the ConfigMap or Secret.
  std::string key;        // Its key; unused in envFrom.
  bool optional = false;
};

struct VolumeMount {
  std::string volume;
  std::string path;
  std::string sub_path;
  bool read_only = false;
};

enum class RestartPolicy { kAlways, kOnFailure, kNever };

struct ContainerPlan {
  std::string name;
  std::string image;
  std::vector<std::string> command;  // Replaces the image's entrypoint when not empty.
  std::vector<std::string> args;
  std::string working_dir;
  std::vector<EnvSource> env_from;
  std::vector<EnvSource> env;
  std::vector<VolumeMount> mounts;
  std::vector<std::string> capabilities;  // securityContext.capabilities.add
  std::string termination_path;
  bool logs_as_message = false;           // terminationMessagePolicy FallbackToLogsOnError
  std::optional<RestartPolicy> restart;   // Its own, if it has one.
  bool sidecar = false;                   // An init container that goes on running beside the others.
  bool std_in = false;
  bool std_in_once = false;
  bool tty = false;
  ProbePlans probes;                      // And hooks.
  const json* resources = nullptr;        // For resourceFieldRef. Into PodSpecView::source.
};

struct PodSpecView {
  store::Object source;             // Keeps alive what the pointers below point into.
  Meta meta;
  std::string node;
  std::string hostname;             // As the pod's processes see it.
  std::string subdomain;
  std::string service_account;
  bool service_links = true;
  bool host_network = false;
  RestartPolicy restart = RestartPolicy::kAlways;
  int64_t grace_seconds = 30;
  std::string dns_policy;
  const json* dns_config = nullptr;    // {nameservers, searches, options}
  const json* host_aliases = nullptr;  // [{ip, hostnames}]
  const json* volumes = nullptr;       // As in the spec.
  std::set<std::pair<std::string, std::string>> shown;  // What volumes show: {"configmaps", NAME}, {"secrets", NAME}.
  std::vector<std::string> readiness_gates;
  std::vector<ContainerPlan> init_containers;
  std::vector<ContainerPlan> containers;
  std::vector<ContainerPlan> guests;   // Ephemeral containers: added while the pod runs, never started twice.
};

PodSpecView project_pod_spec(const store::Object& pod);

}  // namespace server

// Nodes, configuration, events, and the age that every kind shows.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "kubectl-compat/table/cells.h"
#include "store/object/access.h"

namespace compat {
namespace {

using store::find;
using store::get_array;
using store::get_int;
using store::get_object;
using store::get_string;

json age(const CellInput& in) { return age_of(find(in.tree, "metadata.creationTimestamp"), in.now); }

json node_status(const CellInput& in) {
  std::string out = "Unknown";
  for (const json& condition : get_array(in.tree, "status.conditions")) {
    if (get_string(condition, "type") == "Ready") out = get_string(condition, "status") == "True" ? "Ready" : "NotReady";
  }
  if (store::get_bool(in.tree, "spec.unschedulable")) out += ",SchedulingDisabled";
  return out;
}

json node_roles(const CellInput& in) {
  constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
  std::set<std::string> roles;
  for (const auto& [key, value] : store::get_string_map(in.tree, "metadata.labels")) {
    if (key.starts_with(kPrefix) && key.size() > kPrefix.size()) roles.insert(key.substr(kPrefix.size()));
    if (key == "kubernetes.io/role" && !value.empty()) roles.insert(value);
  }
  return or_none(join({roles.begin(), roles.end()}, ","));
}

std::string node_address(const json& tree, std::string_view type) {
  for (const json& address : get_array(tree, "status.addresses")) {
    if (get_string(address, "type") == type) return get_string(address, "address");
  }
  return "<none>";
}

json node_internal_ip(const CellInput& in) { return node_address(in.tree, "InternalIP"); }
json node_external_ip(const CellInput& in) { return node_address(in.tree, "ExternalIP"); }

std::string node_info(const json& tree, std::string_view field) {
  std::string value = get_string(get_object(tree, "status.nodeInfo"), field);
  return value.empty() ? "<unknown>" : value;
}

json node_os_image(const CellInput& in) { return node_info(in.tree, "osImage"); }
json node_kernel_version(const CellInput& in) {
  const std::string architecture = get_string(in.tree, "status.nodeInfo.architecture");
  return node_info(in.tree, "kernelVersion") + (architecture.empty() ? "" : " (" + architecture + ")");
}
json node_container_runtime(const CellInput& in) { return node_info(in.tree, "containerRuntimeVersion"); }

json configmap_data_count(const CellInput& in) {
  return get_object(in.tree, "data").size() + get_object(in.tree, "binaryData").size();
}
json secret_data_count(const CellInput& in) { return get_object(in.tree, "data").size(); }

// core/v1 and events.k8s.io/v1 name the same things differently; the first that is there counts.
const json* first_of(const json& tree, std::initializer_list<std::string_view> paths) {
  for (std::string_view path : paths) {
    const json* value = find(tree, path);
    if (value != nullptr && !value->is_null() && !(value->is_string() && get_string(*value, "").empty())) return value;
  }
  return nullptr;
}

std::string first_string(const json& tree, std::initializer_list<std::string_view> paths) {
  const json* value = first_of(tree, paths);
  return value == nullptr ? "" : get_string(*value, "");
}

json event_first_seen(const CellInput& in) {
  return age_of(first_of(in.tree, {"firstTimestamp", "deprecatedFirstTimestamp", "eventTime"}), in.now);
}

json event_last_seen(const CellInput& in) {
  if (const json* series = first_of(in.tree, {"series"})) return age_of(find(*series, "lastObservedTime"), in.now);
  const json* last = first_of(in.tree, {"lastTimestamp", "deprecatedLastTimestamp"});
  return last == nullptr ? event_first_seen(in) : json(age_of(last, in.now));
}

json event_count(const CellInput& in) {
  if (const json* series = first_of(in.tree, {"series"})) return get_int(*series, "count");
  // The newer API sets no count on an event that happened once.
  return std::max<int64_t>(1, get_int(in.tree, "count", get_int(in.tree, "deprecatedCount")));
}

json event_object(const CellInput& in) {
  std::string kind = first_string(in.tree, {"involvedObject.kind", "regarding.kind"});
  for (char& c : kind) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  std::string name = first_string(in.tree, {"involvedObject.name", "regarding.name"});
  return name.empty() ? kind : kind + "/" + name;
}

json event_source(const CellInput& in) {
  std::string component =
      first_string(in.tree, {"source.component", "deprecatedSource.component", "reportingComponent", "reportingController"});
  std::string host = first_string(in.tree, {"source.host", "deprecatedSource.host", "reportingInstance"});
  return host.empty() ? component : component + ", " + host;
}

json event_message(const CellInput& in) {
  constexpr const char* kSpace = " \t\r\n\v\f";
  std::string text = first_string(in.tree, {"message", "note"});
  size_t start = text.find_first_not_of(kSpace);
  return start == std::string::npos ? "" : text.substr(start, text.find_last_not_of(kSpace) - start + 1);
}

constexpr CellRow kClusterCells[] = {
    {"age", age},
    {"node_status", node_status},
    {"node_roles", node_roles},
    {"node_internal_ip", node_internal_ip},
    {"node_external_ip", node_external_ip},
    {"node_os_image", node_os_image},
    {"node_kernel_version", node_kernel_version},
    {"node_container_runtime", node_container_runtime},
    {"configmap_data_count", configmap_data_count},
    {"secret_data_count", secret_data_count},
    {"event_first_seen", event_first_seen},
    {"event_last_seen", event_last_seen},
    {"event_count", event_count},
    {"event_object", event_object},
    {"event_source", event_source},
    {"event_message", event_message},
};

}  // namespace

std::span<const CellRow> cluster_cells() { return kClusterCells; }

}  // namespace compat

// The kinds of storage.k8s.io.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "store/base/text.h"
#include "store/object/label_syntax.h"
#include "store/schema/go_form.h"
#include "store/schema/pod_parts.h"

namespace store {
namespace {

constexpr int64_t kMinTokenSeconds = 600;
constexpr int64_t kMaxTokenSeconds = int64_t{1} << 32;
constexpr int64_t kMinUpdateSeconds = 10;
constexpr size_t kMaxDriverName = 63;
constexpr size_t kMaxNodeId = 256;
constexpr size_t kMaxParameters = 512;
constexpr size_t kMaxParameterBytes = 256 * 1024;
constexpr size_t kMaxErrorMessage = 1024;

base::Cause too_long(const std::string& field, size_t limit) { return {"FieldValueTooLong", "Too long: may not be more than " + std::to_string(limit) + " bytes", field}; }


void check_class_word(const json& object, const char* key, std::span<const std::string_view> known, const std::string& field, Causes& causes) {
  const json word = value_at(object, key);
  if (word.is_string() && std::find(known.begin(), known.end(), word.get_ref<const std::string&>()) == known.end()) {
    causes.push_back(cause_not_supported(field, word, known));
  }
}

void check_driver_name(const std::string& name, const std::string& field, Causes& causes) {
  if (name.empty()) return causes.push_back(cause_required(field));
  if (name.size() > kMaxDriverName) causes.push_back(too_long(field, kMaxDriverName));
  add_problem(causes, field, name, name_problem(base::lower(name), NameRule::kDnsSubdomain));
}

void check_provisioner(const json& tree, const char* key, Causes& causes) {
  const std::string name = base::lower(string_at(tree, key));
  if (name.empty()) causes.push_back(cause_required(key));
  else add_problem(causes, key, name, label_key_problem(name));
}

enum class Emptiness { kAllowed, kRefused };

void check_parameters(const json& tree, Emptiness emptiness, Causes& causes) {
  const json& parameters = object_at(tree, "parameters");
  if (parameters.size() > kMaxParameters) return causes.push_back(too_long("parameters", kMaxParameters));
  size_t bytes = 0;
  for (const auto& [key, value] : parameters.items()) {
    if (key.empty()) causes.push_back(cause_invalid("parameters", key, "field can not be empty."));
    bytes += key.size() + (value.is_string() ? value.get_ref<const std::string&>().size() : 0);
  }
  if (bytes > kMaxParameterBytes) causes.push_back(too_long("parameters", kMaxParameterBytes));
  if (emptiness == Emptiness::kRefused && parameters.empty()) causes.push_back(cause_required("parameters", "must contain at least one key/value pair"));
}

using Topology = std::map<std::string, std::set<std::string>>;

Topology check_term(const json& term, const std::string& path, Causes& causes) {
  Topology out;
  const json& expressions = array_at(term, "matchLabelExpressions");
  for (size_t i = 0; i < expressions.size(); ++i) {
    const std::string here = item(path, "matchLabelExpressions", i), key = string_at(expressions[i], "key");
    const json& values = array_at(expressions[i], "values");
    std::set<std::string> seen;
    if (values.empty()) causes.push_back(cause_required(here + ".values"));
    for (size_t v = 0; v < values.size(); ++v) {
      const std::string value = values[v].is_string() ? values[v].get<std::string>() : "";
      if (!seen.insert(value).second) causes.push_back(cause_duplicate(item(here, "values", v), value));
    }
    add_problem(causes, here + ".key", key, label_key_problem(key));
    if (out.count(key)) causes.push_back(cause_duplicate(here + ".key", key));
    out[key] = std::move(seen);
  }
  return out;
}

// Upstream compares each term with as many empty ones as there are terms, and with those before it.
void check_topologies(const json& tree, Causes& causes) {
  const json& topologies = array_at(tree, "allowedTopologies");
  std::vector<Topology> before = {Topology()};
  for (size_t i = 0; i < topologies.size(); ++i) {
    const std::string here = item("", "allowedTopologies", i);
    Topology topology = check_term(topologies[i], here, causes);
    if (std::find(before.begin(), before.end(), topology) != before.end()) causes.push_back(cause_duplicate(here + ".matchLabelExpressions", ""));
    before.push_back(std::move(topology));
  }
}

void check_tokens(const json& spec, Causes& causes) {
  const json& requests = array_at(spec, "tokenRequests");
  std::set<std::string> audiences;
  for (size_t i = 0; i < requests.size(); ++i) {
    const std::string here = item("spec", "tokenRequests", i), audience = string_at(requests[i], "audience");
    if (!audiences.insert(audience).second) {
      causes.push_back(cause_duplicate(here + ".audience", audience));
      continue;
    }
    if (!has(requests[i], "expirationSeconds")) continue;
    const int64_t seconds = integer_at(requests[i], "expirationSeconds");
    if (seconds < kMinTokenSeconds) causes.push_back(cause_invalid(here + ".expirationSeconds", seconds, "may not specify a duration less than 10 minutes"));
    if (seconds > kMaxTokenSeconds) causes.push_back(cause_invalid(here + ".expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"));
  }
}

void check_csi_spec(const json& spec, Causes& causes) {
  static constexpr std::string_view kPolicies[] = {"File", "None", "ReadWriteOnceWithFSType"};
  static constexpr std::string_view kModes[] = {"Persistent", "Ephemeral"};
  check_class_word(spec, "fsGroupPolicy", kPolicies, "spec.fsGroupPolicy", causes);
  check_tokens(spec, causes);
  for (const json& mode : array_at(spec, "volumeLifecycleModes")) {
    if (mode != "Persistent" && mode != "Ephemeral") causes.push_back(cause_not_supported("spec.volumeLifecycleModes", mode, kModes));
  }
  const int64_t period = integer_at(spec, "nodeAllocatableUpdatePeriodSeconds");
  if (has(spec, "nodeAllocatableUpdatePeriodSeconds") && period < kMinUpdateSeconds) {
    causes.push_back(cause_invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, "must be greater than or equal to 10 seconds"));
  }
  if (has(spec, "serviceAccountTokenInSecrets") && array_at(spec, "tokenRequests").empty()) {
    causes.push_back(cause_invalid("spec.serviceAccountTokenInSecrets", spec["serviceAccountTokenInSecrets"],
                                   "serviceAccountTokenInSecrets is set but no tokenRequests are specified"));
  }
}

// `shown`: what upstream calls the field, which need not be its name.
void check_same(const json& tree, const json& old, const char* key, const std::string& shown_name, Causes& causes) {
  const json now = value_at(tree, key);
  if (now != value_at(old, key)) causes.push_back(cause_invalid(shown_name, now, "field is immutable"));
}

void check_node_driver(const json& driver, const std::string& here, std::set<std::string>& names, Causes& causes) {
  const std::string name = string_at(driver, "name"), id = string_at(driver, "nodeID");
  check_driver_name(name, here + ".name", causes);
  if (id.empty()) causes.push_back(cause_required(here + ".nodeID"));
  if (id.size() > kMaxNodeId) causes.push_back(cause_invalid(here + ".nodeID", id, "must be " + std::to_string(kMaxNodeId) + " characters or less"));
  check_nonnegative(object_at(driver, "allocatable"), "count", here + ".allocatable.count", causes);
  if (!names.insert(name).second) causes.push_back(cause_duplicate(here + ".name", name));
  std::set<std::string> seen;
  for (const json& value : array_at(driver, "topologyKeys")) {
    const std::string key = value.is_string() ? value.get<std::string>() : "";
    if (key.empty()) causes.push_back(cause_required(here));
    if (!seen.insert(key).second) causes.push_back(cause_duplicate(here, key));
    add_problem(causes, here, key, label_key_problem(key));
  }
}

void check_volume_error(const json& status, const char* key, Causes& causes) {
  const json& error = object_at(status, key);
  const std::string path = std::string("status.") + key;
  if (string_at(error, "message").size() > kMaxErrorMessage) causes.push_back(too_long(path + ".message", kMaxParameterBytes));  // The wrong number: upstream's.
  if (integer_at(error, "errorCode") < 0) causes.push_back(cause_invalid(path + ".errorCode", error["errorCode"], "must be between 0 and 2147483647, inclusive"));
}

}  // namespace

std::vector<base::Cause> validate_storageclass(const json& tree, const json* old) {
  static constexpr std::string_view kPolicies[] = {"Delete", "Retain"};
  static constexpr std::string_view kModes[] = {"Immediate", "WaitForFirstConsumer"};
  Causes causes;
  check_provisioner(tree, "provisioner", causes);
  check_parameters(tree, Emptiness::kAllowed, causes);
  if (!string_at(tree, "reclaimPolicy").empty()) check_class_word(tree, "reclaimPolicy", kPolicies, "reclaimPolicy", causes);
  check_class_word(tree, "volumeBindingMode", kModes, "volumeBindingMode", causes);
  check_topologies(tree, causes);
  if (!old) return causes;
  if (object_at(tree, "parameters") != object_at(*old, "parameters")) causes.push_back(cause_invalid("parameters", value_at(tree, "parameters"), "field is immutable"));
  if (string_at(tree, "provisioner") != string_at(*old, "provisioner")) {
    causes.push_back(cause_invalid("provisioner", string_at(tree, "provisioner"), "field is immutable"));
  }
  for (const char* key : {"reclaimPolicy", "volumeBindingMode"}) check_same(tree, *old, key, key, causes);
  return causes;
}

std::vector<base::Cause> validate_volumeattributesclass(const json& tree, const json* old) {
  Causes causes;
  if (old && string_at(tree, "driverName") != string_at(*old, "driverName")) causes.push_back(cause_forbidden("driverName", "updates to driverName are forbidden."));
  if (old && object_at(tree, "parameters") != object_at(*old, "parameters")) causes.push_back(cause_forbidden("parameters", "updates to parameters are forbidden."));
  check_provisioner(tree, "driverName", causes);
  check_parameters(tree, Emptiness::kRefused, causes);
  return causes;
}

// A field whose gate is off is not kept.
void prepare_csidriver(json& tree) {
  if (tree.is_object() && tree.contains("spec") && tree["spec"].is_object()) tree["spec"].erase("preventPodSchedulingIfMissing");
}

std::vector<base::Cause> validate_csidriver(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  check_csi_spec(spec, causes);
  if (!old) return causes;
  check_same(spec, object_at(*old, "spec"), "attachRequired", "spec.attachedRequired", causes);
  check_same(spec, object_at(*old, "spec"), "volumeLifecycleModes", "spec.volumeLifecycleModes", causes);
  return causes;
}

std::vector<base::Cause> validate_csinode(const json& tree, const json* old) {
  Causes causes;
  const json& drivers = array_at(object_at(tree, "spec"), "drivers");
  std::set<std::string> names;
  for (size_t i = 0; i < drivers.size(); ++i) check_node_driver(drivers[i], item("spec", "drivers", i), names, causes);
  const Type* type = find_type("io.k8s.api.storage.v1.CSINodeDriver");
  if (!old || !type) return causes;
  for (json before : array_at(object_at(*old, "spec"), "drivers")) {
    for (json now : drivers) {
      if (string_at(now, "name") != string_at(before, "name")) continue;
      for (json* driver : {&before, &now}) {
        driver->erase("allocatable");
        if (array_at(*driver, "topologyKeys").empty()) driver->erase("topologyKeys");
      }
      if (now != before) causes.push_back(cause_invalid_struct("spec.drivers", now, *type, "field is immutable"));
    }
  }
  return causes;
}

std::vector<base::Cause> validate_csistoragecapacity(const json& tree, const json* old) {
  Causes causes;
  const std::string name = string_at(tree, "storageClassName");
  check_label_selector(object_at(tree, "nodeTopology"), "nodeTopology", causes);
  add_problem(causes, "storageClassName", name, name_problem(name, NameRule::kDnsSubdomain));
  if (has(tree, "capacity")) {
    const auto value = quantity_nanos(tree["capacity"]);
    if (value && *value < 0) causes.push_back(cause_invalid("capacity", tree["capacity"], "must be greater than or equal to 0"));
  }
  const Type* selector = find_type("io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector");
  if (!old || !selector) return causes;
  const json now = value_at(tree, "nodeTopology");
  if (now != value_at(*old, "nodeTopology")) causes.push_back(cause_invalid_struct("nodeTopology", now, *selector, "field is immutable"));
  if (name != string_at(*old, "storageClassName")) causes.push_back(cause_invalid("storageClassName", name, "field is immutable"));
  return causes;
}

std::vector<base::Cause> validate_volumeattachment(const json& tree, const json* old) {
  Causes causes;
  const json &spec = object_at(tree, "spec"), &source = object_at(spec, "source"), &status = object_at(tree, "status");
  const std::string volume = string_at(source, "persistentVolumeName"), volume_field = "spec.source.persistentVolumeName";
  constexpr const char* kOne = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
  const bool described = has(source, "inlineVolumeSpec"), named = has(source, "persistentVolumeName");
  check_driver_name(string_at(spec, "attacher"), "spec.attacher", causes);
  if (!described && !named) causes.push_back(cause_required("spec.source", kOne));
  else if (described && named) causes.push_back(cause_forbidden("spec.source", kOne));
  else if (described) check_inline_volume(source["inlineVolumeSpec"], "spec.source.inlineVolumeSpec", causes);
  else if (volume.empty()) causes.push_back(cause_required(volume_field, "must specify non empty persistentVolumeName"));
  const std::string node = string_at(spec, "nodeName");
  add_problem(causes, "spec.nodeName", node, name_problem(node, NameRule::kDnsSubdomain));
  for (const char* error : {"attachError", "detachError"}) check_volume_error(status, error, causes);
  if (named) add_problem(causes, volume_field, volume, name_problem(volume, NameRule::kDnsSubdomain));
  const Type* type = find_type("io.k8s.api.storage.v1.VolumeAttachmentSpec");
  if (old && type && spec != object_at(*old, "spec")) causes.push_back(cause_invalid_struct("spec", spec, *type, "field is immutable"));
  return causes;
}

}  // namespace store

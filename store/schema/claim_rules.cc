// PersistentVolumeClaim.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/base/line_diff.h"
#include "store/schema/go_form.h"
#include "store/schema/pod_parts.h"

namespace store {
namespace {

constexpr std::string_view kVolumeModes[] = {"Block", "Filesystem"};
constexpr const char* kClassAnnotation = "volume.beta.kubernetes.io/storage-class";


bool is_known_source(const json& source) {
  const std::string kind = string_at(source, "kind"), group = string_at(source, "apiGroup");
  return (kind == "PersistentVolumeClaim" && group.empty()) || (kind == "VolumeSnapshot" && group == "snapshot.storage.k8s.io");
}

void check_data_source(const json& source, const std::string& path, Causes& causes) {
  const std::string group = string_at(source, "apiGroup"), kind = string_at(source, "kind"), ns = string_at(source, "namespace");
  if (string_at(source, "name").empty()) causes.push_back(cause_required(path + ".name"));
  if (kind.empty()) causes.push_back(cause_required(path + ".kind"));
  if (group.empty() && kind != "PersistentVolumeClaim") {
    causes.push_back(cause_invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
  }
  if (!group.empty()) add_problem(causes, path + ".apiGroup", group, name_problem(group, NameRule::kDnsSubdomain));
  if (!ns.empty()) add_problem(causes, path + ".namespace", ns, name_problem(ns, NameRule::kDnsLabel));
}

void check_data_sources(const json& spec, const std::string& path, Causes& causes) {
  const bool one = has(spec, "dataSource"), other = has(spec, "dataSourceRef");
  if (one) check_data_source(spec["dataSource"], path + ".dataSource", causes);
  if (other) check_data_source(spec["dataSourceRef"], path + ".dataSourceRef", causes);
  if (!one || !other) return;
  // Upstream shows a path where the value belongs, and that has no fields to show.
  const json nothing = json::object();
  const json &source = spec["dataSource"], &ref = spec["dataSourceRef"];
  if (!string_at(ref, "namespace").empty()) return causes.push_back(cause_invalid(path, nothing, "may not be specified when dataSourceRef.namespace is specified"));
  for (const char* key : {"apiGroup", "kind", "name"}) {
    if (value_at(source, key) != value_at(ref, key)) return causes.push_back(cause_invalid(path, nothing, "must match dataSourceRef"));
  }
}

void check_class_name(const json& spec, const char* key, const std::string& path, Causes& causes) {
  const std::string name = string_at(spec, key);
  if (!name.empty()) add_problem(causes, path + "." + key, name, name_problem(name, NameRule::kDnsSubdomain));
}

std::string class_annotation(const json& tree) { return string_at(object_at(object_at(tree, "metadata"), "annotations"), kClassAnnotation); }

// Without what says nothing, as upstream compares.
json meaning(const json& value) {
  if (!value.is_object()) return value;
  json out = json::object();
  for (const auto& [key, member] : value.items()) {
    json kept = meaning(member);
    const bool empty = kept.is_null() || kept == "" || (kept.is_structured() && kept.empty());
    if (!empty) out[key] = std::move(kept);
  }
  return out;
}

// The spec as it would have to be for nothing to have changed that must not: the volume may be set once, the class where there was
// none, and size and attributes of a claim that has its volume.
void check_frozen_claim(const json& tree, const json& old, Causes& causes) {
  json now = object_at(tree, "spec"), before = object_at(old, "spec");
  if (string_at(before, "volumeName").empty()) before["volumeName"] = value_at(now, "volumeName");
  const std::string annotated = class_annotation(old);
  if (has(now, "storageClassName") && !has(before, "storageClassName") && (annotated.empty() || now["storageClassName"] == annotated)) now.erase("storageClassName");
  if (string_at(object_at(tree, "status"), "phase") == "Bound") {
    const json had = object_at(object_at(before, "resources"), "requests");
    if (has(object_at(now, "resources"), "requests") && had.contains("storage")) now["resources"]["requests"]["storage"] = had["storage"];
    now["volumeAttributesClassName"] = value_at(before, "volumeAttributesClassName");
  }
  const Type* type = find_type("io.k8s.api.core.v1.PersistentVolumeClaimSpec");
  if (meaning(now) == meaning(before) || !type) return;
  causes.push_back(cause_forbidden("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n" +
                                               base::line_diff(go_form(before, *type, true), go_form(now, *type, true))));
}

long double storage_of(const json& amounts) { return amounts.contains("storage") ? quantity_nanos(amounts["storage"]).value_or(0) : 0; }

void check_claim_change(const json& tree, const json& old, Causes& causes) {
  const json &spec = object_at(tree, "spec"), &before = object_at(old, "spec");
  if (class_annotation(tree) != class_annotation(old)) {
    causes.push_back(cause_invalid(std::string("metadata.annotations[") + kClassAnnotation + "]", class_annotation(tree), "field is immutable"));
  }
  check_frozen_claim(tree, old, causes);
  const long double wanted = storage_of(object_at(object_at(spec, "resources"), "requests"));
  const long double had = storage_of(object_at(object_at(before, "resources"), "requests"));
  if (wanted < had && wanted <= storage_of(object_at(object_at(old, "status"), "capacity"))) {
    causes.push_back(cause_forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"));
  }
  if (value_at(spec, "volumeMode") != value_at(before, "volumeMode")) causes.push_back(cause_invalid("volumeMode", value_at(spec, "volumeMode"), "field is immutable"));
  const json attributes = value_at(spec, "volumeAttributesClassName");
  if (attributes == value_at(before, "volumeAttributesClassName") || !has(object_at(old, "status"), "currentVolumeAttributesClassName")) return;
  const std::string when = " is forbidden when status.currentVolumeAttributesClassName is not nil";
  if (attributes.is_null()) causes.push_back(cause_forbidden("spec.volumeAttributesClassName", "update to nil" + when));
  if (attributes == "") causes.push_back(cause_forbidden("spec.volumeAttributesClassName", "update to empty string" + when));
}

}  // namespace

// dataSource and dataSourceRef say the same, whichever was written. What the older one never could name is dropped there.
void prepare_claim_spec(json& spec) {
  if (!spec.is_object()) return;
  if (!string_at(object_at(spec, "dataSourceRef"), "namespace").empty()) spec.erase("dataSourceRef");  // Names another namespace: a gate that is off.
  const bool ref = has(spec, "dataSourceRef");
  if (!ref && has(spec, "dataSource") && !is_known_source(spec["dataSource"])) spec.erase("dataSource");
  const char* from = ref ? "dataSourceRef" : "dataSource";
  const char* to = ref ? "dataSource" : "dataSourceRef";
  if (has(spec, from) && !has(spec, to)) spec[to] = spec[from];
}

void prepare_persistentvolumeclaim(json& tree) {
  if (tree.is_object() && tree.contains("spec")) prepare_claim_spec(tree["spec"]);
}

void check_claim_spec(const json& spec, const std::string& path, Causes& causes) {
  const json& modes = array_at(spec, "accessModes");
  if (modes.empty()) causes.push_back(cause_required(path + ".accessModes", "at least 1 access mode is required"));
  if (has(spec, "selector")) check_label_selector(spec["selector"], path + ".selector", causes);
  for (const json& mode : modes) {
    if (std::find(std::begin(kAccessModes), std::end(kAccessModes), mode) == std::end(kAccessModes)) causes.push_back(cause_not_supported(path + ".accessModes", mode, kAccessModes));
  }
  if (modes.size() > 1 && std::find(modes.begin(), modes.end(), "ReadWriteOncePod") != modes.end()) {
    causes.push_back(cause_forbidden(path + ".accessModes", "may not use ReadWriteOncePod with other access modes"));
  }
  const json& requests = object_at(object_at(spec, "resources"), "requests");
  if (!requests.contains("storage")) {
    causes.push_back(cause_required(path + ".resources[storage]"));
  } else if (const auto size = quantity_nanos(requests["storage"]); size && *size <= 0) {
    causes.push_back(cause_invalid(path + ".resources[storage]", requests["storage"], "must be greater than zero"));
  }
  check_class_name(spec, "storageClassName", path, causes);
  const json mode = value_at(spec, "volumeMode");
  if (mode.is_string() && mode != "Block" && mode != "Filesystem") causes.push_back(cause_not_supported(path + ".volumeMode", mode, kVolumeModes));
  check_data_sources(spec, path, causes);
  check_class_name(spec, "volumeAttributesClassName", path, causes);
}

std::vector<base::Cause> validate_persistentvolumeclaim(const json& tree, const json* old) {
  Causes causes;
  check_claim_spec(object_at(tree, "spec"), "spec", causes);
  if (old) check_claim_change(tree, *old, causes);
  return causes;
}

}  // namespace store

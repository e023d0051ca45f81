// Facts about a pod that a variable or a file of a volume may carry.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "store/base/text.h"
#include "store/object/label_syntax.h"
#include "store/schema/pod_parts.h"

namespace store {
namespace {

// What the API names at all; a variable and a file each take some of it.
constexpr std::string_view kDownwardFields[] = {
    "metadata.annotations", "metadata.labels",    "metadata.name",           "metadata.namespace", "metadata.uid",  "spec.host",      "spec.nodeName",
    "spec.restartPolicy",   "spec.schedulerName", "spec.serviceAccountName", "status.hostIP",      "status.hostIPs", "status.phase", "status.podIP",
    "status.podIPs"};
constexpr std::string_view kVariableFields[] = {"metadata.name",  "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
                                                "status.hostIP", "status.hostIPs",     "status.podIP", "status.podIPs"};
constexpr std::string_view kFileFields[] = {"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"};
constexpr std::string_view kDownwardResources[] = {"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"};
constexpr std::string_view kByteUnits[] = {"1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"};


bool of_huge_pages(const std::string& resource) { return resource.starts_with("requests.hugepages-") || resource.starts_with("limits.hugepages-"); }

// metadata.labels['key'] as its two parts; nothing without a subscript.
std::optional<std::pair<std::string, std::string>> subscripted(const std::string& field) {
  const size_t open = field.find("['");
  if (!field.ends_with("']") || open == std::string::npos || open == 0) return std::nullopt;
  return std::pair(field.substr(0, open), field.substr(open + 2, field.size() - open - 4));
}

void check_divisor(const std::string& resource, const json& divisor, const std::string& path, Causes& causes) {
  const auto value = quantity_nanos(divisor);
  if (!value || *value == 0) return;  // Not given.
  const std::string field = path + ".divisor";
  if (resource.ends_with(".cpu")) {
    if (*value != 1e6L && *value != 1e9L) causes.push_back(cause_invalid(field, resource, "only divisor's values 1m and 1 are supported with the cpu resource"));
    return;
  }
  const char* kind = resource.ends_with(".memory")              ? "memory"
                     : resource.ends_with(".ephemeral-storage") ? "local ephemeral storage"
                     : of_huge_pages(resource)                  ? "hugepages"
                                                                : nullptr;
  if (!kind || is_among(kByteUnits, divisor.is_string() ? divisor.get<std::string>() : divisor.dump())) return;
  causes.push_back(cause_invalid(field, resource,
                                 "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the " + std::string(kind) + " resource"));
}

}  // namespace

void check_field_ref(const json& ref, FactIn where, const std::string& path, Causes& causes) {
  const std::string field = string_at(ref, "fieldPath"), version = string_at(ref, "apiVersion"), here = path + ".fieldPath";
  if (field.empty()) return causes.push_back(cause_required(here));
  auto unknown = [&](const std::string& why) { causes.push_back(cause_invalid(here, field, "error converting fieldPath: " + why)); };
  if (!version.empty() && version != "v1") return unknown("unsupported pod version: " + version);
  if (const auto parts = subscripted(field)) {
    const auto& [map, key] = *parts;
    if (map != "metadata.annotations" && map != "metadata.labels") return unknown("field label does not support subscript: " + field);
    add_problem(causes, path, map == "metadata.annotations" ? base::lower(key) : key, label_key_problem(map == "metadata.annotations" ? base::lower(key) : key));
    return;
  }
  if (!is_among(kDownwardFields, field)) return unknown("field label not supported: " + field);
  const std::span<const std::string_view> supported = where == FactIn::kVariable ? std::span<const std::string_view>(kVariableFields) : kFileFields;
  const std::string name = field == "spec.host" ? "spec.nodeName" : field;  // Its oldest name.
  if (!is_among(supported, name)) causes.push_back(cause_not_supported(here, name, supported));
}

void check_resource_field_ref(const json& ref, FactIn where, const std::string& path, Causes& causes) {
  const std::string resource = string_at(ref, "resource");
  if (where == FactIn::kFile && string_at(ref, "containerName").empty()) {
    causes.push_back(cause_required(path + ".containerName"));
  } else if (resource.empty()) {
    causes.push_back(cause_required(path + ".resource"));
  } else if (!is_among(kDownwardResources, resource) && !of_huge_pages(resource)) {
    causes.push_back(cause_not_supported(path + ".resource", resource, kDownwardResources));
  }
  if (has(ref, "divisor")) check_divisor(resource, ref["divisor"], path, causes);
}

}  // namespace store

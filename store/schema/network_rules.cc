// IPAddress and ServiceCIDR.
#include <nlohmann/json.hpp>

#include "store/schema/ip_syntax.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr const char* kImmutable = "field is immutable";

void check_segment(const json& parent, const char* key, bool required, Causes& causes) {
  const std::string value = string_at(parent, key), field = std::string("spec.parentRef.") + key;
  if (!value.empty()) add_problem(causes, field, value, name_problem(value, NameRule::kPathSegment));
  else if (required) causes.push_back(cause_required(field));
}

json shown_list(const json& spec) { return spec.contains("cidrs") ? spec["cidrs"] : json(); }

void check_cidrs(const json& spec, Causes& causes) {
  const json& list = array_at(spec, "cidrs");
  if (list.empty()) return causes.push_back(cause_required("spec.cidrs", "at least one CIDR required"));
  if (list.size() > 2) return causes.push_back(cause_invalid("spec.cidrs", json{{"CIDRs", list}}, "may only hold up to 2 values"));
  std::optional<base::Cidr> parsed[2];
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string text = list[i].is_string() ? list[i].get<std::string>() : "";
    add_problem(causes, item("spec", "cidrs", i), list[i], strict_cidr_problem(text));
    parsed[i] = parse_legacy_cidr(text);
  }
  if (list.size() == 2 && parsed[0] && parsed[1] && parsed[0]->address().is_v4() == parsed[1]->address().is_v4()) {
    causes.push_back(cause_invalid("spec.cidrs", list, "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"));
  }
}

}  // namespace

std::vector<base::Cause> validate_ipaddress(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  if (old) {
    const json &now = object_at(spec, "parentRef"), &before = object_at(object_at(*old, "spec"), "parentRef");
    if (now != before) causes.push_back(cause_invalid("spec.parentRef", now, kImmutable));
    return causes;
  }
  const std::string name = string_at(object_at(tree, "metadata"), "name");
  add_problem(causes, "metadata.name", name, strict_ip_problem(name));
  if (!spec.contains("parentRef")) {
    causes.push_back(cause_required("spec.parentRef"));
    return causes;
  }
  const json& parent = object_at(spec, "parentRef");
  if (const std::string group = string_at(parent, "group"); !group.empty()) {
    add_problem(causes, "spec.parentRef.group", group, name_problem(group, NameRule::kDnsSubdomain));
  }
  check_segment(parent, "resource", true, causes);
  check_segment(parent, "name", true, causes);
  check_segment(parent, "namespace", false, causes);
  return causes;
}

std::vector<base::Cause> validate_servicecidr(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  if (!old) {
    check_cidrs(spec, causes);
    return causes;
  }
  const json &now = array_at(spec, "cidrs"), &before = array_at(object_at(*old, "spec"), "cidrs");
  if (now.size() == before.size() || (before.size() == 1 && now.size() == 2)) {
    for (size_t i = 0; i < before.size(); ++i) {
      if (now[i] != before[i]) causes.push_back(cause_invalid(item("spec", "cidrs", i), now[i], kImmutable));
    }
    if (now.size() > before.size()) check_cidrs(spec, causes);  // The second family of a cluster that became dual-stack.
  } else {
    causes.push_back(cause_invalid("spec.cidrs", shown_list(spec), kImmutable));
  }
  return causes;
}

}  // namespace store

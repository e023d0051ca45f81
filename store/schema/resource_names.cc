// Which names resources may have, by where they are named.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "store/object/label_syntax.h"
#include "store/schema/rules.h"

namespace store {
namespace {

enum Use : unsigned { kOfContainers = 1, kOfQuotas = 2, kCounted = 4 };
struct ResourceNameRow {
  std::string_view name;
  unsigned uses;
};
// Names without a domain.
constexpr ResourceNameRow kResourceNames[] = {
    {"configmaps", kOfQuotas | kCounted},
    {"cpu", kOfContainers | kOfQuotas},
    {"ephemeral-storage", kOfContainers | kOfQuotas},
    {"limits.cpu", kOfQuotas},
    {"limits.ephemeral-storage", kOfQuotas},
    {"limits.memory", kOfQuotas},
    {"memory", kOfContainers | kOfQuotas},
    {"persistentvolumeclaims", kOfQuotas | kCounted},
    {"pods", kOfQuotas | kCounted},
    {"replicationcontrollers", kOfQuotas | kCounted},
    {"requests.cpu", kOfQuotas},
    {"requests.ephemeral-storage", kOfQuotas},
    {"requests.memory", kOfQuotas},
    {"requests.storage", kOfQuotas},
    {"resourcequotas", kOfQuotas | kCounted},
    {"secrets", kOfQuotas | kCounted},
    {"services", kOfQuotas | kCounted},
    {"services.loadbalancers", kOfQuotas | kCounted},
    {"services.nodeports", kOfQuotas | kCounted},
    {"storage", 0},
};

const ResourceNameRow* find_name(const std::string& name) {
  const auto at = std::find_if(std::begin(kResourceNames), std::end(kResourceNames), [&](const ResourceNameRow& row) { return row.name == name; });
  return at == std::end(kResourceNames) ? nullptr : at;
}

}  // namespace

bool is_huge_pages(const std::string& name) { return name.starts_with("hugepages-"); }
bool is_native(const std::string& name) { return name.find('/') == std::string::npos || name.find("kubernetes.io/") != std::string::npos; }
bool is_extended(const std::string& name) {
  return !is_native(name) && !name.starts_with("requests.") && label_key_problem("requests." + name).empty();
}

bool may_overcommit(const std::string& name) { return is_native(name) && !is_huge_pages(name); }

bool is_quota_resource(const std::string& name) {
  const ResourceNameRow* row = find_name(name);
  return (row && row->uses & kOfQuotas) || is_huge_pages(name) || name.starts_with("requests.hugepages-");
}

void check_resource_name(const std::string& name, NamedIn where, const std::string& field, Causes& causes) {
  const std::string problem = label_key_problem(name);
  add_problem(causes, field, name, problem);
  const ResourceNameRow* row = find_name(name);
  const bool plain = name.find('/') == std::string::npos;
  if (problem.empty() && plain && !row && !is_quota_resource(name)) {
    causes.push_back(cause_invalid(field, name, "must be a standard resource type or fully qualified"));
  }
  if (where == NamedIn::kQuota && plain && !is_quota_resource(name)) causes.push_back(cause_invalid(field, name, "must be a standard resource for quota"));
  if (where != NamedIn::kContainer) return;
  if (plain && !(row && row->uses & kOfContainers) && !is_huge_pages(name)) {
    causes.push_back(cause_invalid(field, name, "must be a standard resource for containers"));
  } else if (!plain && !is_native(name) && !is_extended(name)) {
    causes.push_back(cause_invalid(field, name, "doesn't follow extended resource name standard"));
  }
}

void check_resource_amount(const std::string& name, const json& amount, const std::string& field, Causes& causes) {
  const auto value = quantity_nanos(amount);
  if (!value) return;
  if (*value < 0) causes.push_back(cause_invalid(field, amount, "must be greater than or equal to 0"));
  const ResourceNameRow* row = find_name(name);
  const bool whole = (row && row->uses & kCounted) || is_extended(name);
  if (whole && std::fmod(*value, 1e9L) != 0) causes.push_back(cause_invalid(field, amount, "must be an integer"));
}

}  // namespace store

// Amounts of CPU, memory and other resources that containers and pods ask for.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "store/object/label_syntax.h"
#include "store/schema/go_struct.h"
#include "store/schema/pod_parts.h"

namespace store {
namespace {

constexpr std::string_view kForContainers[] = {"cpu", "ephemeral-storage", "memory"};
// Resources without a domain in their names: those above, and what only quotas count.
constexpr std::string_view kUnqualified[] = {
    "configmaps", "cpu", "ephemeral-storage", "limits.cpu", "limits.ephemeral-storage", "limits.memory", "memory", "persistentvolumeclaims", "pods",
    "replicationcontrollers", "requests.cpu", "requests.ephemeral-storage", "requests.memory", "requests.storage", "resourcequotas", "secrets", "services",
    "services.loadbalancers", "services.nodeports", "storage",
};
constexpr std::string_view kForPods[] = {"cpu", "hugepages-", "memory"};

bool is_qualified(const std::string& name) { return name.find('/') != std::string::npos; }

void check_container_name(const std::string& name, const std::string& path, Causes& causes) {
  const std::string problem = label_key_problem(name);
  add_problem(causes, path, name, problem);
  if (!is_qualified(name)) {
    if (problem.empty() && !is_among(kUnqualified, name) && !is_huge_pages(name) && !name.starts_with("requests.hugepages-")) {
      causes.push_back(cause_invalid(path, name, "must be a standard resource type or fully qualified"));
    }
    if (!is_among(kForContainers, name) && !is_huge_pages(name)) causes.push_back(cause_invalid(path, name, "must be a standard resource for containers"));
  } else if (!is_native(name) && !is_extended(name)) {
    causes.push_back(cause_invalid(path, name, "doesn't follow extended resource name standard"));
  }
}

void check_pod_name(const std::string& name, const std::string& path, Causes& causes) {
  if (name != "cpu" && name != "memory" && !is_huge_pages(name)) causes.push_back(cause_not_supported(path, name, kForPods));
}

// Whole pages of the size that the name ends in.
bool whole_pages(const std::string& name, long double nanos) {
  const auto page = quantity_nanos(name.substr(std::string_view("hugepages-").size()));
  return page && *page > 0 && std::fmod(*page, 1e9L) == 0 && std::fmod(nanos, *page) == 0;
}

void check_amount(const std::string& name, const json& amount, const std::string& path, Causes& causes) {
  const auto value = quantity_nanos(amount);
  if (!value) return;  // Malformed: refused before.
  if (*value < 0) causes.push_back(cause_invalid(path, amount, "must be greater than or equal to 0"));
  if (is_extended(name) && std::fmod(*value, 1e9L) != 0) causes.push_back(cause_invalid(path, amount, "must be an integer"));
  if (is_huge_pages(name) && !whole_pages(name, *value)) {
    causes.push_back(cause_invalid(path, amount, quantity_text(amount) + " is not positive integer multiple of " + name));
  }
}

void check_request(const std::string& name, const json& amount, const json& limits, const std::string& path, Causes& causes) {
  const auto limit = limits.find(name);
  if (limit == limits.end()) {
    if (!may_overcommit(name)) causes.push_back(cause_required(path + ".limits", "Limit must be set for non overcommitable resources"));
    return;
  }
  const auto wanted = quantity_nanos(amount), allowed = quantity_nanos(*limit);
  if (!wanted || !allowed) return;
  const std::string bound = name + " limit of " + quantity_text(*limit);
  if (*wanted != *allowed && !may_overcommit(name)) causes.push_back(cause_invalid(path + ".requests", amount, "must be equal to " + bound));
  else if (*wanted > *allowed) causes.push_back(cause_invalid(path + ".requests", amount, "must be less than or equal to " + bound));
}

using NameCheck = void (*)(const std::string& name, const std::string& path, Causes& causes);

void check_requirements(const json& resources, NameCheck check_name, const std::string& path, Causes& causes) {
  const json &limits = object_at(resources, "limits"), &requests = object_at(resources, "requests");
  bool huge = false, ordinary = false;
  auto each = [&](const json& amounts, const char* field, bool request) {
    for (auto it = amounts.begin(); it != amounts.end(); ++it) {
      const std::string here = path + "." + field + "[" + it.key() + "]";
      check_name(it.key(), here, causes);
      check_amount(it.key(), it.value(), here, causes);
      if (request) check_request(it.key(), it.value(), limits, path, causes);
      huge |= is_huge_pages(it.key());
      ordinary |= it.key() == "cpu" || it.key() == "memory";
    }
  };
  each(limits, "limits", false);
  each(requests, "requests", true);
  if (huge && !ordinary) causes.push_back(cause_forbidden(path, "HugePages require cpu or memory"));
}

std::string not_among_claims(const std::set<std::string>& claims) {
  std::string out = "must be one of the names in pod.spec.resourceClaims";
  if (claims.empty()) return out + " which is empty";
  const char* between = ": ";
  for (const std::string& claim : claims) out.append(std::exchange(between, ", ")).append(claim);
  return out;
}

// References of a container to the pod's claims: a whole claim, or some of its requests.
void check_claims(const json& claims, const std::set<std::string>& known, const std::string& path, Causes& causes) {
  std::set<std::string> seen;
  for (size_t i = 0; i < claims.size(); ++i) {
    const std::string here = item(path, "claims", i), name = string_at(claims[i], "name"), request = string_at(claims[i], "request");
    if (name.empty()) {
      causes.push_back(cause_required(here));
      continue;
    }
    const std::string key = request.empty() ? name : name + "/" + request;
    const bool part_seen = std::any_of(seen.begin(), seen.end(), [&](const std::string& other) { return other.starts_with(name + "/"); });
    if (seen.count(name)) causes.push_back(cause_duplicate(here, name));
    else if (seen.count(key)) causes.push_back(cause_duplicate(here, key));
    else if (request.empty() && part_seen) causes.push_back(cause_duplicate(here, name));
    if (!request.empty()) add_problem(causes, here + ".request", request, name_problem(request, NameRule::kDnsLabel));
    seen.insert(key);
    if (!known.count(name)) causes.push_back({"FieldValueNotFound", "Not found: " + shown(name) + ": " + not_among_claims(known), here});
  }
}

}  // namespace

void check_resource_requirements(const json& resources, const PodScope& scope, const std::string& path, Causes& causes) {
  check_requirements(resources, check_container_name, path, causes);
  check_claims(array_at(resources, "claims"), scope.claims, path, causes);
}

void check_overhead(const PodScope& scope, const std::string& path, Causes& causes) {
  const json limits = {{"limits", object_at(scope.spec, "overhead")}};
  if (!limits["limits"].empty()) check_requirements(limits, check_container_name, path, causes);
}

// The amounts for all containers together.
void check_pod_resources(const PodScope& scope, const std::string& path, Causes& causes) {
  if (!has(scope.spec, "resources")) return;
  const json& resources = scope.spec["resources"];
  if (has(resources, "claims")) causes.push_back(cause_forbidden(path + ".claims", "claims cannot be set for Resources at pod-level"));
  check_requirements(resources, check_pod_name, path, causes);
  const json& containers = array_at(scope.spec, "containers");
  const json& most = object_at(resources, "limits");
  for (size_t i = 0; i < containers.size(); ++i) {
    const json& limits = object_at(object_at(containers[i], "resources"), "limits");
    for (auto it = limits.begin(); it != limits.end(); ++it) {
      if (!most.contains(it.key()) || quantity_nanos(it.value()).value_or(0) <= quantity_nanos(most[it.key()]).value_or(0)) continue;
      causes.push_back(cause_invalid(item(path, "containers", i) + "[" + it.key() + "].limits", it.value(),
                                     "must be less than or equal to pod limits of " + quantity_text(most[it.key()])));
    }
  }
}

constexpr GoField kClaim[] = {{"Name", "name", "\"\""}, {"ResourceClaimName", "resourceClaimName"}, {"ResourceClaimTemplateName", "resourceClaimTemplateName"}};

void check_resource_claims(const std::string& path, PodScope& scope, Causes& causes) {
  const json& claims = array_at(scope.spec, "resourceClaims");
  for (size_t i = 0; i < claims.size(); ++i) {
    const std::string here = item(path, "resourceClaims", i), name = string_at(claims[i], "name");
    if (name.empty()) {
      causes.push_back(cause_required(here + ".name"));
    } else {
      if (!scope.claims.insert(name).second) causes.push_back(cause_duplicate(here + ".name", name));
      else add_problem(causes, here + ".name", name, name_problem(name, NameRule::kDnsLabel));
    }
    const bool named = has(claims[i], "resourceClaimName"), templated = has(claims[i], "resourceClaimTemplateName");
    if (named && templated) causes.push_back(cause_invalid_go(here, go_struct(claims[i], kClaim), "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"));
    if (!named && !templated) causes.push_back(cause_invalid_go(here, go_struct(claims[i], kClaim), "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"));
    for (const char* field : {"resourceClaimName", "resourceClaimTemplateName"}) {
      if (!has(claims[i], field)) continue;
      const std::string other = string_at(claims[i], field);
      add_problem(causes, here + "." + field, other, name_problem(other, NameRule::kDnsSubdomain));
    }
  }
}

}  // namespace store

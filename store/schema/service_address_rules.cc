// Addresses of a Service: clusterIPs, their families and the policy that governs both, on create and over an update.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/schema/ip_syntax.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr std::string_view kFamilies[] = {"IPv4", "IPv6"};
constexpr std::string_view kFamilyPolicies[] = {"PreferDualStack", "RequireDualStack", "SingleStack"};

json at_or_null(const json& object, std::string_view key) {
  const auto at = object.is_object() ? object.find(key) : object.end();
  return at == object.end() ? json() : *at;
}

bool is_external_name(const json& spec) { return string_at(spec, "type") == "ExternalName"; }

void check_in_step(const json& spec, Causes& causes) {
  const std::string address = string_at(spec, "clusterIP");
  const json& list = array_at(spec, "clusterIPs");
  if (address.empty()) {
    if (!list.empty()) causes.push_back(cause_invalid("spec.clusterIPs", list, "must be empty when `clusterIP` is not specified"));
  } else if (list.empty()) {
    causes.push_back(cause_required("spec.clusterIPs"));
  } else if (list[0] != address) {
    causes.push_back(cause_invalid("spec.clusterIPs", list, "first value must match `clusterIP`"));
  }
}

void check_families(const json& spec, Causes& causes) {
  const json& families = array_at(spec, "ipFamilies");
  std::set<json> seen;
  for (size_t i = 0; i < families.size(); ++i) {
    const std::string here = item("spec", "ipFamilies", i);
    if (families[i] != kFamilies[0] && families[i] != kFamilies[1]) causes.push_back(cause_not_supported(here, families[i], kFamilies));
    if (!seen.insert(families[i]).second) causes.push_back(cause_duplicate(here, families[i]));
  }
  const json policy = at_or_null(spec, "ipFamilyPolicy");
  if (policy.is_null()) return;
  for (std::string_view known : kFamilyPolicies) {
    if (policy == known) return;
  }
  causes.push_back(cause_not_supported("spec.ipFamilyPolicy", policy, kFamilyPolicies));
}

// False: some are no addresses, so that nothing else can be said of them.
bool check_each_address(const json& list, const json& before, Causes& causes) {
  bool good = true;
  for (size_t i = 0; i < list.size(); ++i) {
    if (i == 0 && list[i] == "None") {
      if (list.size() == 1) continue;
      causes.push_back(cause_invalid("spec.clusterIPs", list, "'None' must be the first and only value"));
      good = false;
    } else if (std::find(before.begin(), before.end(), list[i]) == before.end()) {
      const std::string problem = legacy_ip_problem(list[i].is_string() ? list[i].get<std::string>() : "");
      add_problem(causes, item("spec", "clusterIPs", i), list[i], problem);
      good &= problem.empty();
    }
  }
  if (list.size() > 2) causes.push_back(cause_invalid("spec.clusterIPs", list, "may only hold up to 2 values"));
  return good;
}

void check_address_families(const json& list, const json& families, Causes& causes) {
  if (is_headless(list)) return;
  std::set<std::string> seen;
  for (const json& ip : list) seen.insert(base::family_name(parse_legacy_ip(ip.get_ref<const std::string&>())->family()));
  if (list.size() > 1 && (seen.size() < 2 || list.size() > 2)) {
    causes.push_back(cause_invalid("spec.clusterIPs", list, "may specify no more than one IP for each IP family"));
  }
  for (size_t i = 0; i < list.size() && i < families.size(); ++i) {
    const std::string is = base::family_name(parse_legacy_ip(list[i].get_ref<const std::string&>())->family());
    const bool known = families[i] == kFamilies[0] || families[i] == kFamilies[1];
    if (!known || families[i] == is) continue;
    const std::string detail = "expected an " + families[i].get<std::string>() + " value as indicated by `ipFamilies[" + std::to_string(i) + "]`";
    causes.push_back(cause_invalid(item("spec", "clusterIPs", i), list[i], detail));
  }
}

void check_single_stack(const json& spec, const char* what, Causes& causes) {
  const json policy = at_or_null(spec, "ipFamilyPolicy");
  if (policy == "SingleStack") return;
  causes.push_back(cause_invalid("spec.ipFamilyPolicy", policy, std::string("must be set to 'SingleStack' when releasing the secondary ") + what));
}

// Addresses may be added and the second one released; what is there stays.
void check_changed_addresses(const json& spec, const json& before, Causes& causes) {
  const json &now = array_at(spec, "clusterIPs"), &had = array_at(before, "clusterIPs");
  if (is_headless(now) && is_headless(had)) return;
  const json value = at_or_null(spec, "clusterIPs");
  if (now.empty() && !had.empty()) causes.push_back(cause_invalid("spec.clusterIPs[0]", value, "primary clusterIP can not be unset"));
  const size_t compared = had.size() == now.size() ? now.size() : std::min<size_t>({1, had.size(), now.size()});
  for (size_t i = 0; i < compared; ++i) {
    if (had[i] != now[i]) causes.push_back(cause_invalid(item("spec", "clusterIPs", i), value, "may not change once set"));
  }
  if (had.size() > now.size() && now.size() == 1) check_single_stack(spec, "clusterIP", causes);
}

void check_changed_families(const json& spec, const json& before, Causes& causes) {
  if (is_headless(array_at(spec, "clusterIPs")) || is_headless(array_at(before, "clusterIPs"))) return;
  const json &now = array_at(spec, "ipFamilies"), &had = array_at(before, "ipFamilies");
  if (now.size() == had.size()) {
    for (size_t i = 0; i < now.size(); ++i) {
      if (had[i] != now[i]) causes.push_back(cause_invalid("spec.ipFamilies[0]", now, "may not change once set"));
    }
    return;
  }
  const json addresses = at_or_null(spec, "clusterIPs");
  if (had.size() > now.size() && array_at(spec, "clusterIPs").empty()) {
    causes.push_back(cause_invalid("spec.ipFamilies[0]", now, "primary ipFamily can not be unset"));
  }
  if (!had.empty() && !now.empty() && had[0] != now[0]) {
    causes.push_back(cause_invalid("spec.ipFamilies[0]", addresses, "may not change once set"));
  }
  if (had.size() > now.size() && now.size() == 1) check_single_stack(spec, "ipFamily", causes);
}

struct Special {
  base::Cidr range;
  const char* problem;
};

}  // namespace

bool is_headless(const json& cluster_ips) { return cluster_ips.size() == 1 && cluster_ips[0] == "None"; }

std::vector<base::Cause> validate_service_addresses(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  if (is_external_name(spec)) return causes;
  check_in_step(spec, causes);
  check_families(spec, causes);
  const json& list = array_at(spec, "clusterIPs");
  const json& before = old ? array_at(object_at(*old, "spec"), "clusterIPs") : json::array();
  if (check_each_address(list, before, causes)) check_address_families(list, array_at(spec, "ipFamilies"), causes);
  return causes;
}

void check_service_address_change(const json& spec, const json& before, Causes& causes) {
  if (is_external_name(spec) || is_external_name(before)) return;
  check_changed_addresses(spec, before, causes);
  check_changed_families(spec, before, causes);
}

std::string special_ip_problem(const base::Ip& ip) {
  static const Special kSpecial[] = {
      {*base::Cidr::parse("127.0.0.0/8"), "may not be in the loopback range (127.0.0.0/8, ::1/128)"},
      {*base::Cidr::parse("::1/128"), "may not be in the loopback range (127.0.0.0/8, ::1/128)"},
      {*base::Cidr::parse("169.254.0.0/16"), "may not be in the link-local range (169.254.0.0/16, fe80::/10)"},
      {*base::Cidr::parse("fe80::/10"), "may not be in the link-local range (169.254.0.0/16, fe80::/10)"},
      {*base::Cidr::parse("224.0.0.0/24"), "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"},
      {*base::Cidr::parse("ff02::/16"), "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"},
  };
  const std::string text = ip.text();
  if (text == "0.0.0.0" || text == "::") return "may not be unspecified (" + text + ")";
  for (const Special& special : kSpecial) {
    if (special.range.contains(ip)) return special.problem;
  }
  return {};
}

}  // namespace store

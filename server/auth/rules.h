// server/auth/rules.h - the rules of roles: what one allows, and whether some cover others. Pure; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "server/auth/user.h"

namespace auth {

using json = nlohmann::json;

struct Rule {
  std::vector<std::string> verbs, groups, resources, names, urls;
  bool operator==(const Rule&) const = default;
};
using Rules = std::vector<Rule>;

// `rules` of a Role or ClusterRole; what is of another JSON type reads as absent.
Rules parse_rules(const json& rules);
json render_rules(const Rules& rules);

bool allows(const Rule& rule, const Attributes& what);

// What of `wanted` the `owned` rules do not allow, in the smallest pieces; empty: all is covered.
Rules uncovered(const Rules& owned, const Rules& wanted);
// Merges rules that differ in their verbs only.
Rules compact(const Rules& rules);
// `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`, as upstream shows a rule in messages.
std::string describe(const Rule& rule);

}  // namespace auth

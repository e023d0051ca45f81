#include "server/auth/rules.h"

#include <nlohmann/json.hpp>
#include <tuple>

#include "store/object/access.h"

namespace auth {
namespace {

using Strings = std::vector<std::string>;

bool has(const Strings& list, std::string_view item) {
  for (const std::string& s : list) {
    if (s == item) return true;
  }
  return false;
}
bool has_all(const Strings& list, const Strings& items) {
  return std::all_of(items.begin(), items.end(), [&](const std::string& item) { return has(list, item); });
}
bool has_or_star(const Strings& list, std::string_view item) {
  for (const std::string& s : list) {
    if (s == "*" || s == item) return true;
  }
  return false;
}
bool covers_all(const Strings& list, const Strings& items) { return has(list, "*") || has_all(list, items); }

// "*/scale" stands for the subresource of every resource.
bool resource_matches(const Strings& list, const Attributes& what) {
  for (const std::string& s : list) {
    if (s == "*") return true;
    if (what.subresource.empty()) {
      if (s == what.resource) return true;
      continue;
    }
    const std::string_view text = s;
    const size_t slash = text.find('/');
    if (slash == std::string_view::npos || text.substr(slash + 1) != what.subresource) continue;
    const std::string_view parent = text.substr(0, slash);
    if (parent == "*" || parent == what.resource) return true;
  }
  return false;
}

bool url_matches(std::string_view rule, std::string_view path) {
  if (rule == "*" || rule == path) return true;
  if (!rule.ends_with('*')) return false;
  while (rule.ends_with('*')) rule.remove_suffix(1);
  return path.starts_with(rule);
}

bool covers_resources(const Strings& owned, const Strings& wanted) {
  if (covers_all(owned, wanted)) return true;
  for (const std::string& one : wanted) {
    const size_t slash = one.find('/');
    if (!has(owned, one) && (slash == std::string::npos || !has(owned, "*" + one.substr(slash)))) return false;
  }
  return true;
}

bool covers_urls(const Strings& owned, const Strings& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& url) {
    return std::any_of(owned.begin(), owned.end(), [&](const std::string& rule) { return url_matches(rule, url); });
  });
}

bool covers(const Rule& owned, const Rule& wanted) {
  const bool names = wanted.names.empty() ? owned.names.empty() : owned.names.empty() || has_all(owned.names, wanted.names);
  return names && covers_all(owned.verbs, wanted.verbs) && covers_all(owned.groups, wanted.groups) && covers_resources(owned.resources, wanted.resources) &&
         covers_urls(owned.urls, wanted.urls);
}

// One verb on one resource (and name) or path each.
Rules break_down(const Rule& rule) {
  Rules out;
  for (const std::string& group : rule.groups) {
    for (const std::string& resource : rule.resources) {
      for (const std::string& verb : rule.verbs) {
        if (rule.names.empty()) out.push_back({{verb}, {group}, {resource}, {}, {}});
        for (const std::string& name : rule.names) out.push_back({{verb}, {group}, {resource}, {name}, {}});
      }
    }
  }
  for (const std::string& url : rule.urls) {
    for (const std::string& verb : rule.verbs) out.push_back({{verb}, {}, {}, {}, {url}});
  }
  return out;
}

Strings strings(const json& rule, std::string_view key) {
  Strings out;
  for (const json& s : store::get_array(rule, key)) {
    if (s.is_string()) out.push_back(s.get_ref<const std::string&>());
  }
  return out;
}

std::string quoted(const Strings& list) {
  std::string out;
  for (const std::string& s : list) out += (out.empty() ? "" : " ") + json(s).dump(-1, ' ', false, json::error_handler_t::replace);
  return "[" + out + "]";
}

}  // namespace

Rules parse_rules(const json& rules) {
  Rules out;
  if (!rules.is_array()) return out;
  for (const json& r : rules) {
    out.push_back({strings(r, "verbs"), strings(r, "apiGroups"), strings(r, "resources"), strings(r, "resourceNames"), strings(r, "nonResourceURLs")});
  }
  return out;
}

json render_rules(const Rules& rules) {
  json out = json::array();
  for (const Rule& rule : rules) {
    json one = {{"verbs", rule.verbs}};
    if (!rule.groups.empty()) one["apiGroups"] = rule.groups;
    if (!rule.resources.empty()) one["resources"] = rule.resources;
    if (!rule.names.empty()) one["resourceNames"] = rule.names;
    if (!rule.urls.empty()) one["nonResourceURLs"] = rule.urls;
    out.push_back(std::move(one));
  }
  return out;
}

bool allows(const Rule& rule, const Attributes& what) {
  if (!has_or_star(rule.verbs, what.verb)) return false;
  if (!what.is_resource) return std::any_of(rule.urls.begin(), rule.urls.end(), [&](const std::string& url) { return url_matches(url, what.path); });
  return has_or_star(rule.groups, what.group) && resource_matches(rule.resources, what) && (rule.names.empty() || has(rule.names, what.name));
}

Rules uncovered(const Rules& owned, const Rules& wanted) {
  Rules out;
  for (const Rule& rule : wanted) {
    for (Rule& piece : break_down(rule)) {
      if (std::none_of(owned.begin(), owned.end(), [&](const Rule& o) { return covers(o, piece); })) out.push_back(std::move(piece));
    }
  }
  return out;
}

Rules compact(const Rules& rules) {
  Rules out;
  std::map<std::tuple<std::string, std::string, std::string>, size_t> seen;
  for (const Rule& rule : rules) {
    const bool simple = rule.urls.empty() && rule.groups.size() == 1 && rule.resources.size() == 1 && rule.names.size() <= 1;
    if (!simple) {
      out.push_back(rule);
      continue;
    }
    auto [at, fresh] = seen.emplace(std::tuple(rule.groups[0], rule.resources[0], rule.names.empty() ? "" : rule.names[0]), out.size());
    if (fresh) {
      out.push_back(rule);
      continue;
    }
    for (const std::string& verb : rule.verbs) {
      if (!has(out[at->second].verbs, verb)) out[at->second].verbs.push_back(verb);
    }
  }
  return out;
}

std::string describe(const Rule& rule) {
  std::string out;
  auto add = [&](const char* label, const Strings& list) {
    if (!list.empty()) out += (out.empty() ? "" : ", ") + std::string(label) + ":" + quoted(list);
  };
  add("APIGroups", rule.groups);
  add("Resources", rule.resources);
  add("NonResourceURLs", rule.urls);
  add("ResourceNames", rule.names);
  add("Verbs", rule.verbs);
  return "{" + out + "}";
}

}  // namespace auth

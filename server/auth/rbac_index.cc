#include "server/auth/rbac_index.h"

#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace auth {
namespace {

using store::get_array;
using store::get_string;

std::string role_key(const std::string& kind, const std::string& ns, const std::string& name) { return (kind == "Role" ? ns : "") + "/" + name; }

// nullopt-like "": a subject that stands for nobody.
std::string subject_key(const json& subject, const std::string& binding_ns) {
  const std::string kind = get_string(subject, "kind"), name = get_string(subject, "name");
  if (kind == "User") return "u:" + name;
  if (kind == "Group") return "g:" + name;
  if (kind != "ServiceAccount") return "";
  const std::string ns = get_string(subject, "namespace", binding_ns);
  return "u:" + std::string(kAccountPrefix) + (ns.empty() ? binding_ns : ns) + ":" + name;
}

std::string subject_text(const json& subject) {
  const std::string kind = get_string(subject, "kind"), name = get_string(subject, "name");
  return kind == "ServiceAccount" ? "ServiceAccount \"" + name + "/" + get_string(subject, "namespace") + "\"" : kind + " \"" + name + "\"";
}

}  // namespace

std::shared_ptr<const Rules> RoleCache::rules_of(const store::Object& role) {
  Entry& entry = entries_[role.ns() + "/" + role.name()];
  entry.used = true;
  if (entry.rules && entry.revision == role.revision() && entry.uid == role.uid()) return entry.rules;
  const json* rules = store::find(role.tree(), "rules");
  entry = {role.uid(), role.revision(), std::make_shared<const Rules>(rules ? parse_rules(*rules) : Rules()), true};
  return entry.rules;
}

void RoleCache::forget_unused() {
  std::erase_if(entries_, [](const auto& e) { return !e.second.used; });
  for (auto& [key, entry] : entries_) entry.used = false;
}

std::shared_ptr<const RbacIndex> RbacIndex::compile(const Objects& objects, RoleCache& cache) {
  auto out = std::make_shared<RbacIndex>();
  for (std::span<const store::Object> roles : {objects.roles, objects.cluster_roles}) {
    for (const store::Object& role : roles) out->roles_[role.ns() + "/" + role.name()] = cache.rules_of(role);
  }
  cache.forget_unused();
  for (const store::Object& binding : objects.cluster_role_bindings) out->add_binding(binding, out->everywhere_);
  for (const store::Object& binding : objects.role_bindings) out->add_binding(binding, out->by_namespace_[binding.ns()]);
  return out;
}

void RbacIndex::add_binding(const store::Object& binding, BySubject& to) {
  const json& tree = binding.tree();
  const std::string kind = get_string(tree, "roleRef.kind"), name = get_string(tree, "roleRef.name");
  const std::string own = binding.ns().empty() ? "ClusterRoleBinding \"" + binding.name() + "\"" : "RoleBinding \"" + binding.name() + "/" + binding.ns() + "\"";
  auto role = roles_.find(role_key(kind, binding.ns(), name));
  for (const json& subject : get_array(tree, "subjects")) {
    std::string key = subject_key(subject, binding.ns());
    if (key.empty()) continue;
    if (role == roles_.end()) {
      to[key].push_back({nullptr, (kind == "Role" ? "role" : "clusterrole") + std::string(".rbac.authorization.k8s.io \"") + name + "\" not found"});
    } else {
      to[key].push_back({role->second, own + " of " + kind + " \"" + name + "\" to " + subject_text(subject)});
    }
  }
}

template <class Fn>
void RbacIndex::each_grant(const User& user, const std::string& ns, Fn fn) const {
  const BySubject* tables[] = {&everywhere_, nullptr};
  if (auto found = by_namespace_.find(ns); !ns.empty() && found != by_namespace_.end()) tables[1] = &found->second;
  std::string key;
  for (const BySubject* table : tables) {
    if (!table || table->empty()) continue;
    for (size_t i = 0; i <= user.groups.size(); ++i) {
      key.assign(i == 0 ? "u:" : "g:").append(i == 0 ? user.name : user.groups[i - 1]);
      auto found = table->find(key);
      if (found == table->end()) continue;
      for (const Grant& grant : found->second) {
        if (fn(grant)) return;
      }
    }
  }
}

Decision RbacIndex::authorize(const User& user, const Attributes& what) const {
  Decision out;
  std::vector<const std::string*> missing;
  each_grant(user, what.is_resource ? what.ns : "", [&](const Grant& grant) {
    if (!grant.rules) {
      missing.push_back(&grant.reason);
      return false;
    }
    for (const Rule& rule : *grant.rules) {
      if (!allows(rule, what)) continue;
      out.allowed = true;
      out.reason = "RBAC: allowed by " + grant.reason;
      return true;
    }
    return false;
  });
  if (out.allowed || missing.empty()) return out;
  for (const std::string* one : missing) out.reason += (out.reason.empty() ? "" : ", ") + *one;
  if (missing.size() > 1) out.reason = "[" + out.reason + "]";
  out.reason = "RBAC: " + out.reason;
  return out;
}

Rules RbacIndex::rules_for(const User& user, const std::string& ns, std::vector<std::string>* missing) const {
  Rules out;
  each_grant(user, ns, [&](const Grant& grant) {
    if (grant.rules) out.insert(out.end(), grant.rules->begin(), grant.rules->end());
    else if (missing) missing->push_back(grant.reason);
    return false;
  });
  return out;
}

const Rules* RbacIndex::find_role(const std::string& kind, const std::string& ns, const std::string& name) const {
  auto found = roles_.find(role_key(kind, ns, name));
  return found == roles_.end() ? nullptr : found->second.get();
}

}  // namespace auth

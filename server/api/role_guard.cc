#include "server/api/role_guard.h"

#include <nlohmann/json.hpp>

#include "server/api/status.h"
#include "server/auth/csr.h"
#include "store/base/text.h"
#include "store/object/access.h"
#include "store/schema/validate.h"

namespace server {
namespace {

using store::shown;

using store::get_array;
using store::get_string;

constexpr const char* kGroup = "rbac.authorization.k8s.io";


// "": the user holds all of `wanted` in `ns`.
std::string escalation(const AccessControl& access, const auth::User& user, const std::string& ns, const auth::Rules& wanted) {
  std::vector<std::string> unresolved;
  const auth::Rules missing = auth::uncovered(access.index()->rules_for(user, ns, &unresolved), wanted);
  if (missing.empty()) return "";
  std::vector<std::string> lines;
  for (const auth::Rule& rule : auth::compact(missing)) lines.push_back(auth::describe(rule));
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  std::string groups;
  for (const std::string& group : user.groups) groups += (groups.empty() ? "" : " ") + shown(group);
  std::string out = "user " + shown(user.name) + " (groups=[" + groups + "]) is attempting to grant RBAC permissions not currently held:";
  for (const std::string& line : lines) out += "\n" + line;
  if (unresolved.empty()) return out;
  std::string errors;
  for (const std::string& one : unresolved) errors += (errors.empty() ? "" : ", ") + one;
  return out + "; resolution errors: " + (unresolved.size() > 1 ? "[" + errors + "]" : errors);
}

auth::Attributes verb_on(const char* verb, const std::string& group, const std::string& resource, const std::string& ns, const std::string& name) {
  auth::Attributes out;
  out.verb = verb;
  out.group = group;
  out.version = "v1";
  out.resource = resource;
  out.ns = ns;
  out.name = name;
  return out;
}

base::Status guard_rules(const AccessControl& access, const auth::User& user, const store::Resource& r, const std::string& ns, const json* old, const json& tree) {
  const std::string name = get_string(tree, "metadata.name");
  const json& rules = get_array(tree, "rules");
  const json* sum = store::find(tree, "aggregationRule");
  const json* old_sum = old ? store::find(*old, "aggregationRule") : nullptr;
  const bool new_sum = sum && (!old_sum || *sum != *old_sum);
  if (old && !new_sum && get_array(*old, "rules") == rules) return {};
  if (access.decide(user, verb_on("escalate", kGroup, std::string(r.plural), ns, old ? name : "")).allowed) return {};
  if (std::string problem = escalation(access, user, ns, auth::parse_rules(rules)); !problem.empty()) return forbidden(r, name, problem);
  // It may take in any rule.
  const auth::Rules everything = {{{"*"}, {"*"}, {"*"}, {}, {}}, {{"*"}, {}, {}, {}, {"*"}}};
  if (!new_sum) return {};
  if (std::string problem = escalation(access, user, ns, everything); !problem.empty()) {
    return forbidden(r, name, "must have cluster-admin privileges to use an aggregationRule: " + problem);
  }
  return {};
}

base::Status guard_binding(const AccessControl& access, const auth::User& user, const store::Resource& r, const std::string& ns, const json* old, const json& tree) {
  const json& ref = store::get_object(tree, "roleRef");
  if (old && store::get_object(*old, "roleRef") == ref && get_array(*old, "subjects") == get_array(tree, "subjects")) return {};
  const std::string kind = get_string(ref, "kind"), role = get_string(ref, "name"), name = get_string(tree, "metadata.name");
  const std::string plural = kind == "Role" ? "roles" : "clusterroles";
  if (access.decide(user, verb_on("bind", kGroup, plural, ns, role)).allowed) return {};
  const auth::Rules* rules = access.index()->find_role(kind, ns, role);
  if (!rules) {
    base::Error e(base::Code::kNotFound, plural + "." + kGroup + " \"" + role + "\" not found");
    e.name = role;
    e.group = kGroup;
    e.kind = plural;
    return e;
  }
  if (std::string problem = escalation(access, user, ns, *rules); !problem.empty()) return forbidden(r, name, problem);
  return {};
}

std::string pem_of(const json& tree) { return base::decode_base64(get_string(tree, "spec.request")).value_or(""); }

json conditions_of(const json& tree, bool decisions) {
  json out = json::array();
  for (const json& c : get_array(tree, "status.conditions")) {
    const std::string type = get_string(c, "type");
    if ((type == "Approved" || type == "Denied") == decisions) out.push_back(c);
  }
  return out;
}

bool may_approve(const AccessControl& access, const auth::User& user, const std::string& signer) {
  const std::string any = signer.substr(0, signer.find('/')) + "/*";
  for (const std::string& name : {signer, any}) {
    if (access.decide(user, verb_on("approve", "certificates.k8s.io", "signers", "", name)).allowed) return true;
  }
  return false;
}

}  // namespace

base::Status guard_role_write(const AccessControl& access, const auth::User& user, const store::Resource& r, const std::string& ns, const json* old, const json& tree) {
  if (r.group != kGroup || user.in_group(auth::kMasters)) return {};
  if (r.kind == "Role" || r.kind == "ClusterRole") return guard_rules(access, user, r, ns, old, tree);
  return guard_binding(access, user, r, ns, old, tree);
}

base::Status complete_certificate_request(const store::Resource& r, const auth::User* user, json& tree) {
  json& spec = store::ensure(tree, "spec");
  if (!spec.is_object()) return {};
  const std::string name = get_string(tree, "metadata.name");
  for (const char* key : {"username", "uid", "groups", "extra"}) spec.erase(key);
  if (user) {
    spec["username"] = user->name;
    if (!user->uid.empty()) spec["uid"] = user->uid;
    if (!user->groups.empty()) spec["groups"] = user->groups;
    if (!user->extra.empty()) spec["extra"] = user->extra;
  }
  if (get_string(spec, "request").empty()) return {};  // Validation's business.
  auto request = auth::parse_request(pem_of(tree));
  if (!request.ok()) return invalid(r, name, {cause_invalid("spec.request", get_string(spec, "request"), request.error().message)});
  const bool masters = std::find(request->organizations.begin(), request->organizations.end(), auth::kMasters) != request->organizations.end();
  if (masters && get_string(spec, "signerName") == "kubernetes.io/kube-apiserver-client") {
    return forbidden(r, name, "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed");
  }
  return {};
}

base::Status limit_certificate_update(const AccessControl& access, const store::Resource& r, const auth::User* user, const std::string& subresource, const json& old,
                                      json& tree, const std::string& now) {
  tree["spec"] = store::get_object(old, "spec");
  if (subresource.empty()) return {};
  const bool approval = subresource == "approval";
  // Each of the two writes its own conditions and leaves the other's.
  json conditions = conditions_of(approval ? tree : old, true);
  for (json& c : conditions_of(approval ? old : tree, false)) conditions.push_back(std::move(c));
  for (json& c : conditions) {
    if (get_string(c, "lastUpdateTime").empty()) c["lastUpdateTime"] = now;
    if (get_string(c, "lastTransitionTime").empty()) c["lastTransitionTime"] = now;
    if (get_string(c, "status").empty()) c["status"] = "True";
  }
  if (approval) {
    tree["status"] = store::get_object(old, "status");
    const bool changed = conditions_of(old, true) != conditions_of(tree, true) || get_array(old, "status.conditions").size() != conditions.size();
    const std::string signer = get_string(old, "spec.signerName"), name = get_string(old, "metadata.name");
    if (changed && user && !may_approve(access, *user, signer)) {
      return forbidden(r, name, "user not permitted to approve requests with signerName " + shown(signer));
    }
  }
  if (conditions.empty()) store::erase(tree, "status.conditions");
  else store::set(tree, "status.conditions", std::move(conditions));
  return {};
}

}  // namespace server

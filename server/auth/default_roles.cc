#include "server/auth/default_roles.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "server/auth/role_rows.h"
#include "server/auth/rules.h"
#include "store/object/access.h"

namespace auth {
namespace {

struct UrlRow {
  const char* role;
  const char* urls;
  const char* verbs = "get";
};
struct BindingRow {
  const char* role;
  const char* kind;  // "": bound to nobody.
  const char* name = "";
  const char* ns = "";
};
struct NamespacedBindingRow {
  const char* ns;
  const char* binding;
  BindingRow to;
};
struct LabelRow {
  const char* role;
  const char* label;
};

constexpr UrlRow kUrls[] = {
    {"cluster-admin", "*", "*"},
    {"system:discovery", "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"},
    {"system:public-info-viewer", "/healthz /livez /readyz /version /version/"},
    {"system:monitoring", "/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*"},
    {"system:service-account-issuer-discovery", "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/"},
};

// The roles that take in all others of a label (rbac.authorization.k8s.io/aggregate-to-...), and who has it.
constexpr const char* kSums[] = {"admin", "edit", "view"};
constexpr LabelRow kLabels[] = {
    {"system:aggregate-to-admin", "admin"}, {"edit", "admin"}, {"system:aggregate-to-edit", "edit"}, {"view", "edit"}, {"system:aggregate-to-view", "view"},
};

constexpr BindingRow kBindings[] = {
    {"cluster-admin", "Group", "system:masters"},
    {"system:monitoring", "Group", "system:monitoring"},
    {"system:discovery", "Group", "system:authenticated"},
    {"system:basic-user", "Group", "system:authenticated"},
    {"system:public-info-viewer", "Group", "system:authenticated"},
    {"system:public-info-viewer", "Group", "system:unauthenticated"},
    {"system:node-proxier", "User", "system:kube-proxy"},
    {"system:kube-controller-manager", "User", "system:kube-controller-manager"},
    {"system:kube-dns", "ServiceAccount", "kube-dns", "kube-system"},
    {"system:kube-scheduler", "User", "system:kube-scheduler"},
    {"system:volume-scheduler", "User", "system:kube-scheduler"},
    {"system:service-account-issuer-discovery", "Group", "system:serviceaccounts"},
    {"system:node", ""},
};

constexpr NamespacedBindingRow kNamespacedBindings[] = {
    {"kube-system", "system::extension-apiserver-authentication-reader", {"extension-apiserver-authentication-reader", "User", "system:kube-controller-manager"}},
    {"kube-system", "system::extension-apiserver-authentication-reader", {"extension-apiserver-authentication-reader", "User", "system:kube-scheduler"}},
    {"kube-system", "system::leader-locking-kube-controller-manager", {"system::leader-locking-kube-controller-manager", "User", "system:kube-controller-manager"}},
    {"kube-system", "system::leader-locking-kube-controller-manager", {"system::leader-locking-kube-controller-manager", "ServiceAccount", "kube-controller-manager", "kube-system"}},
    {"kube-system", "system::leader-locking-kube-controller-manager", {"system::leader-locking-kube-controller-manager", "ServiceAccount", "leader-election-controller", "kube-system"}},
    {"kube-system", "system::leader-locking-kube-scheduler", {"system::leader-locking-kube-scheduler", "User", "system:kube-scheduler"}},
    {"kube-system", "system::leader-locking-kube-scheduler", {"system::leader-locking-kube-scheduler", "ServiceAccount", "kube-scheduler", "kube-system"}},
    {"kube-system", "system:controller:bootstrap-signer", {"system:controller:bootstrap-signer", "ServiceAccount", "bootstrap-signer", "kube-system"}},
    {"kube-system", "system:controller:cloud-provider", {"system:controller:cloud-provider", "ServiceAccount", "cloud-provider", "kube-system"}},
    {"kube-system", "system:controller:token-cleaner", {"system:controller:token-cleaner", "ServiceAccount", "token-cleaner", "kube-system"}},
    {"kube-public", "system:controller:bootstrap-signer", {"system:controller:bootstrap-signer", "ServiceAccount", "bootstrap-signer", "kube-system"}},
};

constexpr const char* kGroup = "rbac.authorization.k8s.io";
constexpr const char* kControllerPrefix = "system:controller:";
constexpr const char* kAutoUpdate = "rbac.authorization.kubernetes.io/autoupdate";

std::vector<std::string> words(const char* text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word == "core" ? "" : word);
  std::sort(out.begin(), out.end());
  return out;
}

json rule(const RuleRow& row) {
  json out = {{"verbs", words(row.verbs)}, {"apiGroups", words(row.groups)}, {"resources", words(row.resources)}};
  if (*row.names) out["resourceNames"] = words(row.names);
  return out;
}

// Objects in the order of their first row. References are valid until the next object is asked for.
class Objects {
 public:
  json& at(const std::string& kind, const std::string& ns, const std::string& name) {
    auto [place, added] = places_.try_emplace({kind, ns, name}, list_.size());
    if (!added) return list_[place->second];
    json made = {{"apiVersion", std::string(kGroup) + "/v1"},
                 {"kind", kind},
                 {"metadata", {{"name", name}, {"labels", {{"kubernetes.io/bootstrapping", "rbac-defaults"}}}, {"annotations", {{kAutoUpdate, "true"}}}}}};
    if (!ns.empty()) made["metadata"]["namespace"] = ns;
    return list_.emplace_back(std::move(made));
  }
  static void bind(json& binding, const char* role_kind, const std::string& role, const BindingRow& row) {
    binding["roleRef"] = {{"apiGroup", kGroup}, {"kind", role_kind}, {"name", role}};
    if (!*row.kind) return;
    json subject = {{"kind", row.kind}, {"name", row.name}};
    if (*row.ns) subject["namespace"] = row.ns;
    else subject["apiGroup"] = kGroup;
    binding["subjects"].push_back(std::move(subject));
  }
  std::vector<json> take() { return std::move(list_); }

 private:
  std::vector<json> list_;
  std::map<std::array<std::string, 3>, size_t> places_;
};

void add_cluster_roles(Objects& out) {
  for (const RuleRow& row : cluster_rule_rows()) out.at("ClusterRole", "", row.role)["rules"].push_back(rule(row));
  for (const UrlRow& row : kUrls) out.at("ClusterRole", "", row.role)["rules"].push_back({{"verbs", words(row.verbs)}, {"nonResourceURLs", words(row.urls)}});
  const std::string label = std::string(kGroup) + "/aggregate-to-";
  for (const char* sum : kSums) {
    out.at("ClusterRole", "", sum)["aggregationRule"] = {{"clusterRoleSelectors", json::array({{{"matchLabels", {{label + sum, "true"}}}}})}};
  }
  for (const LabelRow& row : kLabels) out.at("ClusterRole", "", row.role)["metadata"]["labels"][label + row.label] = "true";
  for (const RuleRow& row : controller_rule_rows()) out.at("ClusterRole", "", std::string(kControllerPrefix) + row.role)["rules"].push_back(rule(row));
}

void add_cluster_bindings(Objects& out) {
  for (const BindingRow& row : kBindings) out.bind(out.at("ClusterRoleBinding", "", row.role), "ClusterRole", row.role, row);
  const char* last = "";
  for (const RuleRow& row : controller_rule_rows()) {
    if (std::string_view(std::exchange(last, row.role)) == row.role) continue;
    const std::string name = std::string(kControllerPrefix) + row.role;
    out.bind(out.at("ClusterRoleBinding", "", name), "ClusterRole", name, {"", "ServiceAccount", row.role, "kube-system"});
  }
}

void append_missing(json& list, const json& wanted) {
  if (!list.is_array()) list = json::array();
  for (const json& item : wanted) {
    if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
  }
}

}  // namespace

std::vector<json> default_objects() {
  Objects out;
  add_cluster_roles(out);
  add_cluster_bindings(out);
  for (const NamespacedRow& row : namespaced_rule_rows()) out.at("Role", row.ns, row.rule.role)["rules"].push_back(rule(row.rule));
  for (const NamespacedBindingRow& row : kNamespacedBindings) out.bind(out.at("RoleBinding", row.ns, row.binding), "Role", row.to.role, row.to);
  return out.take();
}

std::optional<json> reconciled(const json& stored, const json& wanted) {
  const std::string* automatic = store::find_annotation(stored, kAutoUpdate);
  if (automatic && *automatic == "false") return std::nullopt;
  json out = stored;
  for (const auto& [key, value] : wanted["metadata"]["labels"].items()) store::ensure(out, "metadata.labels")[key] = value;
  if (wanted.contains("rules")) {
    const Rules missing = uncovered(parse_rules(store::get_array(stored, "rules")), parse_rules(wanted["rules"]));
    append_missing(out["rules"], render_rules(compact(missing)));
  }
  if (wanted.contains("subjects")) append_missing(out["subjects"], wanted["subjects"]);
  if (out == stored) return std::nullopt;
  return out;
}

}  // namespace auth

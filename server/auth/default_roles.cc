#include "server/auth/default_roles.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "server/auth/rules.h"
#include "store/object/access.h"

namespace auth {
namespace {

// Lists are words with spaces between; "core" is the group "". Rows of one role follow each other.
struct RuleRow {
  const char* role;
  const char* verbs;
  const char* groups;
  const char* resources;
  const char* names = "";
};
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
struct LabelRow {
  const char* role;
  const char* label;
};

#define READ "get list watch"
#define WRITE "create delete deletecollection patch update"
#define RW READ " " WRITE
#define EVENTS "core events.k8s.io", "events"

constexpr RuleRow kRules[] = {
    {"cluster-admin", "*", "*", "*"},
    {"system:basic-user", "create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"},
    {"system:basic-user", "create", "authentication.k8s.io", "selfsubjectreviews"},

    {"system:aggregate-to-admin", "create", "authorization.k8s.io", "localsubjectaccessreviews"},
    {"system:aggregate-to-admin", RW, "rbac.authorization.k8s.io", "roles rolebindings"},

    {"system:aggregate-to-edit", READ, "core", "pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy"},
    {"system:aggregate-to-edit", "impersonate", "core", "serviceaccounts"},
    {"system:aggregate-to-edit", WRITE, "core", "pods pods/attach pods/proxy pods/exec pods/portforward"},
    {"system:aggregate-to-edit", "create", "core", "pods/eviction"},
    {"system:aggregate-to-edit", WRITE, "core",
     "replicationcontrollers replicationcontrollers/scale serviceaccounts services services/proxy persistentvolumeclaims configmaps secrets events"},
    {"system:aggregate-to-edit", "create", "core", "serviceaccounts/token"},
    {"system:aggregate-to-edit", WRITE, "apps",
     "statefulsets statefulsets/scale daemonsets deployments deployments/scale deployments/rollback replicasets replicasets/scale"},
    {"system:aggregate-to-edit", WRITE, "autoscaling", "horizontalpodautoscalers"},
    {"system:aggregate-to-edit", WRITE, "batch", "jobs cronjobs"},
    {"system:aggregate-to-edit", WRITE, "extensions",
     "daemonsets deployments deployments/scale deployments/rollback ingresses replicasets replicasets/scale replicationcontrollers/scale networkpolicies"},
    {"system:aggregate-to-edit", WRITE, "policy", "poddisruptionbudgets"},
    {"system:aggregate-to-edit", WRITE, "networking.k8s.io", "networkpolicies ingresses"},
    {"system:aggregate-to-edit", RW, "coordination.k8s.io", "leases"},

    {"system:aggregate-to-view", READ, "core",
     "pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status endpoints persistentvolumeclaims "
     "persistentvolumeclaims/status configmaps"},
    {"system:aggregate-to-view", READ, "core",
     "limitranges resourcequotas bindings events pods/status resourcequotas/status namespaces/status replicationcontrollers/status pods/log"},
    {"system:aggregate-to-view", READ, "core", "namespaces"},
    {"system:aggregate-to-view", READ, "discovery.k8s.io", "endpointslices"},
    {"system:aggregate-to-view", READ, "apps",
     "controllerrevisions statefulsets statefulsets/status statefulsets/scale daemonsets daemonsets/status deployments deployments/status "
     "deployments/scale replicasets replicasets/status replicasets/scale"},
    {"system:aggregate-to-view", READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"},
    {"system:aggregate-to-view", READ, "batch", "jobs cronjobs jobs/status cronjobs/status"},
    {"system:aggregate-to-view", READ, "extensions",
     "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status replicasets replicasets/scale "
     "replicasets/status replicationcontrollers/scale networkpolicies"},
    {"system:aggregate-to-view", READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"},
    {"system:aggregate-to-view", READ, "networking.k8s.io", "networkpolicies ingresses ingresses/status"},

    {"system:heapster", READ, "core", "events pods nodes namespaces"},
    {"system:heapster", READ, "extensions", "deployments"},

    {"system:node", "create", "authentication.k8s.io", "tokenreviews"},
    {"system:node", "create", "authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews"},
    {"system:node", READ, "core", "services"},
    {"system:node", "create get list watch", "core", "nodes"},
    {"system:node", "update patch", "core", "nodes/status"},
    {"system:node", "update patch", "core", "nodes"},
    {"system:node", "create update patch", EVENTS},
    {"system:node", READ, "core", "pods"},
    {"system:node", "create delete", "core", "pods"},
    {"system:node", "update patch", "core", "pods/status"},
    {"system:node", "create", "core", "pods/eviction"},
    {"system:node", READ, "core", "secrets configmaps"},
    {"system:node", "get", "core", "persistentvolumeclaims persistentvolumes"},
    {"system:node", "get", "core", "endpoints"},
    {"system:node", "create get list watch", "certificates.k8s.io", "certificatesigningrequests"},
    {"system:node", "get create update patch delete", "coordination.k8s.io", "leases"},
    {"system:node", "get", "storage.k8s.io", "volumeattachments"},
    {"system:node", "create", "core", "serviceaccounts/token"},
    {"system:node", "get update patch", "core", "persistentvolumeclaims/status"},
    {"system:node", READ, "storage.k8s.io", "csidrivers"},
    {"system:node", "get create update patch delete", "storage.k8s.io", "csinodes"},
    {"system:node", READ, "node.k8s.io", "runtimeclasses"},

    {"system:node-problem-detector", "get", "core", "nodes"},
    {"system:node-problem-detector", "patch", "core", "nodes/status"},
    {"system:node-problem-detector", "create update patch", EVENTS},
    {"system:node-proxier", "list watch", "core", "services endpoints"},
    {"system:node-proxier", READ, "core", "nodes"},
    {"system:node-proxier", "create update patch", EVENTS},
    {"system:node-proxier", "list watch", "discovery.k8s.io", "endpointslices"},
    {"system:kubelet-api-admin", READ, "core", "nodes"},
    {"system:kubelet-api-admin", "proxy", "core", "nodes"},
    {"system:kubelet-api-admin", "*", "core", "nodes/proxy nodes/metrics nodes/stats nodes/log nodes/configz nodes/healthz nodes/pods"},
    {"system:node-bootstrapper", "create get list watch", "certificates.k8s.io", "certificatesigningrequests"},
    {"system:auth-delegator", "create", "authentication.k8s.io", "tokenreviews"},
    {"system:auth-delegator", "create", "authorization.k8s.io", "subjectaccessreviews"},
    {"system:kube-aggregator", READ, "core", "services endpoints"},
    {"system:kube-dns", "list watch", "core", "endpoints services"},

    {"system:kube-controller-manager", "create update patch", EVENTS},
    {"system:kube-controller-manager", "get create update", "coordination.k8s.io", "leases"},
    {"system:kube-controller-manager", "create", "core", "secrets serviceaccounts"},
    {"system:kube-controller-manager", "delete", "core", "secrets"},
    {"system:kube-controller-manager", "get", "core", "namespaces secrets serviceaccounts configmaps"},
    {"system:kube-controller-manager", "update", "core", "secrets serviceaccounts"},
    {"system:kube-controller-manager", "create", "authentication.k8s.io", "tokenreviews"},
    {"system:kube-controller-manager", "create", "authorization.k8s.io", "subjectaccessreviews"},
    {"system:kube-controller-manager", "create", "core", "serviceaccounts/token"},
    {"system:kube-controller-manager", "list watch", "*", "*"},

    {"system:kube-scheduler", "create patch update", EVENTS},
    {"system:kube-scheduler", "create get list update watch", "coordination.k8s.io", "leases"},
    {"system:kube-scheduler", READ, "core", "nodes"},
    {"system:kube-scheduler", "delete get list watch", "core", "pods"},
    {"system:kube-scheduler", "create", "core", "bindings pods/binding"},
    {"system:kube-scheduler", "patch update", "core", "pods/status"},
    {"system:kube-scheduler", READ, "core", "replicationcontrollers services"},
    {"system:kube-scheduler", READ, "apps extensions", "replicasets"},
    {"system:kube-scheduler", READ, "apps", "statefulsets"},
    {"system:kube-scheduler", READ, "policy", "poddisruptionbudgets"},
    {"system:kube-scheduler", READ, "core", "persistentvolumeclaims persistentvolumes"},
    {"system:kube-scheduler", "create", "authentication.k8s.io", "tokenreviews"},
    {"system:kube-scheduler", "create", "authorization.k8s.io", "subjectaccessreviews"},
    {"system:kube-scheduler", READ, "storage.k8s.io", "csinodes"},
    {"system:kube-scheduler", READ, "core", "namespaces"},
    {"system:kube-scheduler", READ, "storage.k8s.io", "csidrivers csistoragecapacities"},
    {"system:volume-scheduler", "get list patch update watch", "core", "persistentvolumes"},
    {"system:volume-scheduler", READ, "storage.k8s.io", "storageclasses"},
    {"system:volume-scheduler", "get list patch update watch", "core", "persistentvolumeclaims"},
    {"system:persistent-volume-provisioner", "get list watch create delete", "core", "persistentvolumes"},
    {"system:persistent-volume-provisioner", "get list watch update", "core", "persistentvolumeclaims"},
    {"system:persistent-volume-provisioner", READ, "storage.k8s.io", "storageclasses"},
    {"system:persistent-volume-provisioner", "watch create update patch", "core", "events"},

    {"system:certificates.k8s.io:certificatesigningrequests:nodeclient", "create", "certificates.k8s.io", "certificatesigningrequests/nodeclient"},
    {"system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", "create", "certificates.k8s.io", "certificatesigningrequests/selfnodeclient"},
    {"system:certificates.k8s.io:legacy-unknown-approver", "approve", "certificates.k8s.io", "signers", "kubernetes.io/legacy-unknown"},
    {"system:certificates.k8s.io:kubelet-serving-approver", "approve", "certificates.k8s.io", "signers", "kubernetes.io/kubelet-serving"},
    {"system:certificates.k8s.io:kube-apiserver-client-approver", "approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client"},
    {"system:certificates.k8s.io:kube-apiserver-client-kubelet-approver", "approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client-kubelet"},
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

constexpr const char* kGroup = "rbac.authorization.k8s.io";
constexpr const char* kAutoUpdate = "rbac.authorization.kubernetes.io/autoupdate";

std::vector<std::string> words(const char* text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word == "core" ? "" : word);
  std::sort(out.begin(), out.end());
  return out;
}

json base_object(const char* kind, const char* name) {
  return {{"apiVersion", std::string(kGroup) + "/v1"},
          {"kind", kind},
          {"metadata", {{"name", name}, {"labels", {{"kubernetes.io/bootstrapping", "rbac-defaults"}}}, {"annotations", {{kAutoUpdate, "true"}}}}}};
}

json& named(std::vector<json>& list, const char* kind, const char* name) {
  for (json& object : list) {
    if (object["kind"] == kind && object["metadata"]["name"] == name) return object;
  }
  return list.emplace_back(base_object(kind, name));
}

void append_missing(json& list, const json& wanted) {
  if (!list.is_array()) list = json::array();
  for (const json& item : wanted) {
    if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
  }
}

}  // namespace

std::vector<json> default_objects() {
  std::vector<json> out;
  for (const RuleRow& row : kRules) {
    json rule = {{"verbs", words(row.verbs)}, {"apiGroups", words(row.groups)}, {"resources", words(row.resources)}};
    if (*row.names) rule["resourceNames"] = words(row.names);
    named(out, "ClusterRole", row.role)["rules"].push_back(std::move(rule));
  }
  for (const UrlRow& row : kUrls) named(out, "ClusterRole", row.role)["rules"].push_back({{"verbs", words(row.verbs)}, {"nonResourceURLs", words(row.urls)}});
  const std::string label = std::string(kGroup) + "/aggregate-to-";
  for (const char* sum : kSums) {
    named(out, "ClusterRole", sum)["aggregationRule"] = {{"clusterRoleSelectors", json::array({{{"matchLabels", {{label + sum, "true"}}}}})}};
  }
  for (const LabelRow& row : kLabels) named(out, "ClusterRole", row.role)["metadata"]["labels"][label + row.label] = "true";
  for (const BindingRow& row : kBindings) {
    json& binding = named(out, "ClusterRoleBinding", row.role);
    binding["roleRef"] = {{"apiGroup", kGroup}, {"kind", "ClusterRole"}, {"name", row.role}};
    if (!*row.kind) continue;
    json subject = {{"kind", row.kind}, {"name", row.name}};
    if (*row.ns) subject["namespace"] = row.ns;
    else subject["apiGroup"] = kGroup;
    binding["subjects"].push_back(std::move(subject));
  }
  return out;
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

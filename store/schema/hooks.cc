#include "store/schema/hooks.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "store/schema/rules.h"

namespace store {
namespace {

struct PrepareRow {
  std::string_view name;
  PrepareHook hook;
};
// Upstream checks a kind's fields one after the other, and its causes have that order. A hook that does so itself goes first.
enum class Turn { kAfterFields, kFirst };
struct AdmitRow {
  std::string_view name;
  AdmitHook hook;
};
struct ValidateRow {
  std::string_view name;
  ValidateHook hook;
  Turn turn = Turn::kAfterFields;
};

constexpr PrepareRow kPrepare[] = {
    {"rolebinding", prepare_rolebinding},
    {"autoscaler", prepare_autoscaler},
    {"cronjob", prepare_cronjob},
    {"customresourcedefinition", prepare_customresourcedefinition},
    {"daemonset", prepare_daemonset},
    {"deployment", prepare_deployment},
    {"ingress", prepare_ingress},
    {"job", prepare_job},
    {"lease", prepare_lease},
    {"limitrange", prepare_limitrange},
    {"namespace", prepare_namespace},
    {"networkpolicy", prepare_networkpolicy},
    {"node", prepare_node},
    {"csidriver", prepare_csidriver},
    {"persistentvolumeclaim", prepare_persistentvolumeclaim},
    {"pod", prepare_pod},
    {"podtemplate", prepare_podtemplate},
    {"replicaset", prepare_pod_template},
    {"replicationcontroller", prepare_replicationcontroller},
    {"secret", prepare_secret},
    {"service", prepare_service},
    {"statefulset", prepare_statefulset},
};
constexpr AdmitRow kAdmit[] = {
    {"daemonset", admit_daemonset},
    {"job", admit_job},
    {"pod", admit_pod},
};
constexpr ValidateRow kValidate[] = {
    {"certificatesigningrequest", validate_certificatesigningrequest, Turn::kFirst},
    {"clusterrole", validate_clusterrole, Turn::kFirst},
    {"clusterrolebinding", validate_clusterrolebinding, Turn::kFirst},
    {"role", validate_role, Turn::kFirst},
    {"rolebinding", validate_rolebinding, Turn::kFirst},
    {"autoscaler", validate_autoscaler, Turn::kFirst},
    {"configmap", validate_configmap, Turn::kFirst},
    {"controllerrevision", validate_controllerrevision},
    {"apiservice", validate_apiservice, Turn::kFirst},
    {"cronjob", validate_cronjob},
    {"customresourcedefinition", validate_customresourcedefinition},
    {"csidriver", validate_csidriver, Turn::kFirst},
    {"csinode", validate_csinode, Turn::kFirst},
    {"csistoragecapacity", validate_csistoragecapacity, Turn::kFirst},
    {"daemonset", validate_daemonset},
    {"deployment", validate_deployment},
    {"endpoints", validate_endpoints, Turn::kFirst},
    {"endpointslice", validate_endpointslice, Turn::kFirst},
    {"event", validate_event},
    {"event_strict", validate_event_strict},
    {"ingress", validate_ingress, Turn::kFirst},
    {"ingressclass", validate_ingressclass, Turn::kFirst},
    {"ipaddress", validate_ipaddress, Turn::kFirst},
    {"job", validate_job},
    {"lease", validate_lease, Turn::kFirst},
    {"limitrange", validate_limitrange, Turn::kFirst},
    {"networkpolicy", validate_networkpolicy, Turn::kFirst},
    {"node", validate_node, Turn::kFirst},
    {"persistentvolume", validate_persistentvolume, Turn::kFirst},
    {"persistentvolumeclaim", validate_persistentvolumeclaim, Turn::kFirst},
    {"pod", validate_pod},
    {"poddisruptionbudget", validate_poddisruptionbudget, Turn::kFirst},
    {"podtemplate", validate_podtemplate},
    {"priorityclass", validate_priorityclass, Turn::kFirst},
    {"replicaset", validate_replicaset},
    {"replicationcontroller", validate_replicationcontroller},
    {"resourcequota", validate_resourcequota, Turn::kFirst},
    {"runtimeclass", validate_runtimeclass, Turn::kFirst},
    {"secret", validate_secret, Turn::kFirst},
    {"service", validate_service, Turn::kFirst},
    {"servicecidr", validate_servicecidr, Turn::kFirst},
    {"statefulset", validate_statefulset},
    {"storageclass", validate_storageclass, Turn::kFirst},
    {"volumeattachment", validate_volumeattachment, Turn::kFirst},
    {"volumeattributesclass", validate_volumeattributesclass, Turn::kFirst},
    {"webhooks", validate_webhooks, Turn::kFirst},
};

template <class Row, size_t N>
auto find_row(const Row (&rows)[N], std::string_view name) -> decltype(rows[0].hook) {
  for (const Row& row : rows) {
    if (row.name == name) return row.hook;
  }
  return nullptr;
}

}  // namespace

PrepareHook find_prepare_hook(std::string_view name) { return find_row(kPrepare, name); }
AdmitHook find_admit_hook(std::string_view name) { return find_row(kAdmit, name); }
ValidateHook find_validate_hook(std::string_view name) { return find_row(kValidate, name); }
bool hook_goes_first(std::string_view name) {
  return std::any_of(std::begin(kValidate), std::end(kValidate), [&](const ValidateRow& row) { return row.name == name && row.turn == Turn::kFirst; });
}

}  // namespace store

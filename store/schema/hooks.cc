#include "store/schema/hooks.h"

#include <nlohmann/json.hpp>

#include "store/schema/rules.h"

namespace store {
namespace {

struct PrepareRow {
  std::string_view name;
  PrepareHook hook;
};
struct ValidateRow {
  std::string_view name;
  ValidateHook hook;
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
    {"limitrange", prepare_limitrange},
    {"namespace", prepare_namespace},
    {"networkpolicy", prepare_networkpolicy},
    {"node", prepare_node},
    {"pod", prepare_pod},
    {"podtemplate", prepare_podtemplate},
    {"replicaset", prepare_pod_template},
    {"replicationcontroller", prepare_replicationcontroller},
    {"secret", prepare_secret},
    {"service", prepare_service},
    {"statefulset", prepare_statefulset},
};
constexpr ValidateRow kValidate[] = {
    {"certificatesigningrequest", validate_certificatesigningrequest},
    {"clusterrole", validate_clusterrole},
    {"clusterrolebinding", validate_clusterrolebinding},
    {"role", validate_role},
    {"rolebinding", validate_rolebinding},
    {"autoscaler", validate_autoscaler},
    {"configmap", validate_configmap},
    {"controllerrevision", validate_controllerrevision},
    {"apiservice", validate_apiservice},
    {"cronjob", validate_cronjob},
    {"customresourcedefinition", validate_customresourcedefinition},
    {"csidriver", validate_csidriver},
    {"csinode", validate_csinode},
    {"csistoragecapacity", validate_csistoragecapacity},
    {"daemonset", validate_daemonset},
    {"deployment", validate_deployment},
    {"endpoints", validate_endpoints},
    {"endpointslice", validate_endpointslice},
    {"event", validate_event},
    {"event_strict", validate_event_strict},
    {"ingress", validate_ingress},
    {"ingressclass", validate_ingressclass},
    {"ipaddress", validate_ipaddress},
    {"job", validate_job},
    {"limitrange", validate_limitrange},
    {"networkpolicy", validate_networkpolicy},
    {"node", validate_node},
    {"persistentvolume", validate_persistentvolume},
    {"persistentvolumeclaim", validate_persistentvolumeclaim},
    {"pod", validate_pod},
    {"poddisruptionbudget", validate_poddisruptionbudget},
    {"podtemplate", validate_podtemplate},
    {"priorityclass", validate_priorityclass},
    {"replicaset", validate_replicaset},
    {"replicationcontroller", validate_replicationcontroller},
    {"resourcequota", validate_resourcequota},
    {"runtimeclass", validate_runtimeclass},
    {"secret", validate_secret},
    {"service", validate_service},
    {"servicecidr", validate_servicecidr},
    {"statefulset", validate_statefulset},
    {"storageclass", validate_storageclass},
    {"volumeattachment", validate_volumeattachment},
    {"volumeattributesclass", validate_volumeattributesclass},
    {"webhooks", validate_webhooks},
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
ValidateHook find_validate_hook(std::string_view name) { return find_row(kValidate, name); }

}  // namespace store

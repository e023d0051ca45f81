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
    {"autoscaler", prepare_autoscaler},
    {"cronjob", prepare_cronjob},
    {"daemonset", prepare_daemonset},
    {"deployment", prepare_deployment},
    {"ingress", prepare_ingress},
    {"job", prepare_job},
    {"namespace", prepare_namespace},
    {"node", prepare_node},
    {"pod", prepare_pod},
    {"replicaset", prepare_pod_template},
    {"secret", prepare_secret},
    {"service", prepare_service},
    {"statefulset", prepare_statefulset},
};
constexpr ValidateRow kValidate[] = {
    {"autoscaler", validate_autoscaler},
    {"configmap", validate_configmap},
    {"controllerrevision", validate_controllerrevision},
    {"cronjob", validate_cronjob},
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
    {"node", validate_node},
    {"persistentvolumeclaim", validate_persistentvolumeclaim},
    {"pod", validate_pod},
    {"poddisruptionbudget", validate_poddisruptionbudget},
    {"replicaset", validate_replicaset},
    {"secret", validate_secret},
    {"service", validate_service},
    {"servicecidr", validate_servicecidr},
    {"statefulset", validate_statefulset},
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

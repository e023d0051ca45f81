// Deployments, replica sets and the other kinds that hold a pod template.
#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "kubectl-compat/table/cells.h"
#include "kubectl-compat/table/table.h"
#include "store/object/access.h"

namespace compat {
namespace {

using store::find;
using store::get_array;
using store::get_int;
using store::get_object;
using store::get_string;

// CronJobs keep their pod template one level deeper.
const json& template_containers(const json& tree) {
  const json& own = get_array(tree, "spec.template.spec.containers");
  return own.empty() ? get_array(tree, "spec.jobTemplate.spec.template.spec.containers") : own;
}

std::string container_strings(const json& tree, std::string_view field) {
  std::vector<std::string> out;
  for (const json& container : template_containers(tree)) out.push_back(get_string(container, field));
  return join(out, ",");
}

json container_names(const CellInput& in) { return container_strings(in.tree, "name"); }
json container_images(const CellInput& in) { return container_strings(in.tree, "image"); }

json label_selector(const CellInput& in) {
  const json* selector = find(in.tree, "spec.selector");
  if (selector == nullptr) selector = find(in.tree, "spec.jobTemplate.spec.selector");
  return format_label_selector(selector);
}

json ready_of_desired(const CellInput& in) {
  return std::to_string(get_int(in.tree, "status.readyReplicas")) + "/" + std::to_string(get_int(in.tree, "spec.replicas"));
}

// Upstream calls these columns text, and fills in numbers.
json deployment_updated(const CellInput& in) { return get_int(in.tree, "status.updatedReplicas"); }
json deployment_available(const CellInput& in) { return get_int(in.tree, "status.availableReplicas"); }
json controllerrevision_revision(const CellInput& in) { return get_int(in.tree, "revision"); }

// As `kubectl` writes a resource and a name: statefulset.apps/web.
json revision_controller(const CellInput& in) {
  for (const json& owner : get_array(in.tree, "metadata.ownerReferences")) {
    if (!store::get_bool(owner, "controller")) continue;
    std::string kind = get_string(owner, "kind");
    std::transform(kind.begin(), kind.end(), kind.begin(), [](unsigned char c) { return std::tolower(c); });
    const std::string version = get_string(owner, "apiVersion");
    const size_t slash = version.find('/');
    return kind + (slash == std::string::npos ? "" : "." + version.substr(0, slash)) + "/" + get_string(owner, "name");
  }
  return "<none>";
}

json daemonset_node_selector(const CellInput& in) { return format_labels(get_object(in.tree, "spec.template.spec.nodeSelector")); }

bool job_condition(const json& tree, std::string_view type) {
  for (const json& condition : get_array(tree, "status.conditions")) {
    if (get_string(condition, "type") == type) return get_string(condition, "status") == "True";
  }
  return false;
}

json job_status(const CellInput& in) {
  if (job_condition(in.tree, "Complete")) return "Complete";
  if (job_condition(in.tree, "Failed")) return "Failed";
  if (find(in.tree, "metadata.deletionTimestamp") != nullptr) return "Terminating";
  if (job_condition(in.tree, "Suspended")) return "Suspended";
  for (const char* ahead : {"FailureTarget", "SuccessCriteriaMet"}) {
    if (job_condition(in.tree, ahead)) return ahead;
  }
  return "Running";
}

json job_completions(const CellInput& in) {
  std::string done = std::to_string(get_int(in.tree, "status.succeeded"));
  if (find(in.tree, "spec.completions") != nullptr) return done + "/" + std::to_string(get_int(in.tree, "spec.completions"));
  int64_t parallelism = get_int(in.tree, "spec.parallelism");
  return parallelism > 1 ? done + "/1 of " + std::to_string(parallelism) : done + "/1";
}

json job_duration(const CellInput& in) {
  auto start = base::parse_rfc3339(get_string(in.tree, "status.startTime"));
  if (!start.ok()) return "";
  auto end = base::parse_rfc3339(get_string(in.tree, "status.completionTime"));
  return human_duration(std::chrono::duration_cast<std::chrono::seconds>((end.ok() ? *end : in.now) - *start));
}

json cronjob_timezone(const CellInput& in) { return get_string(in.tree, "spec.timeZone", "<none>"); }

json cronjob_suspend(const CellInput& in) {
  const json* suspend = find(in.tree, "spec.suspend");
  if (suspend == nullptr || !suspend->is_boolean()) return "<unset>";
  return store::get_bool(in.tree, "spec.suspend") ? "True" : "False";
}

json cronjob_active(const CellInput& in) { return get_array(in.tree, "status.active").size(); }

json cronjob_last_schedule(const CellInput& in) {
  const json* last = find(in.tree, "status.lastScheduleTime");
  return last == nullptr ? "<none>" : age_of(last, in.now);
}

constexpr CellRow kWorkloadCells[] = {
    {"container_names", container_names},
    {"container_images", container_images},
    {"label_selector", label_selector},
    {"deployment_ready", ready_of_desired},
    {"deployment_updated", deployment_updated},
    {"deployment_available", deployment_available},
    {"statefulset_ready", ready_of_desired},
    {"controllerrevision_revision", controllerrevision_revision},
    {"controllerrevision_controller", revision_controller},
    {"daemonset_node_selector", daemonset_node_selector},
    {"job_status", job_status},
    {"job_completions", job_completions},
    {"job_duration", job_duration},
    {"cronjob_timezone", cronjob_timezone},
    {"cronjob_suspend", cronjob_suspend},
    {"cronjob_active", cronjob_active},
    {"cronjob_last_schedule", cronjob_last_schedule},
};

}  // namespace

std::span<const CellRow> workload_cells() { return kWorkloadCells; }

}  // namespace compat

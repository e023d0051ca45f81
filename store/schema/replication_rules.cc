// ReplicationController and PodTemplate.
#include <nlohmann/json.hpp>

#include "store/schema/pod_parts.h"

namespace store {

void prepare_replicationcontroller(json& tree) {
  prepare_pod_template(tree);
  const json labels = object_at(object_at(object_at(object_at(tree, "spec"), "template"), "metadata"), "labels");
  if (labels.empty()) return;
  if (object_at(tree["spec"], "selector").empty()) tree["spec"]["selector"] = labels;
  if (!object_at(tree, "metadata").empty() && object_at(tree["metadata"], "labels").empty()) tree["metadata"]["labels"] = labels;
}

std::vector<base::Cause> validate_replicationcontroller(const json& tree, const json*) {
  Causes causes;
  const json &spec = object_at(tree, "spec"), &selector = object_at(spec, "selector"), &pod = object_at(spec, "template");
  check_nonnegative(spec, "minReadySeconds", "spec.minReadySeconds", causes);
  if (selector.empty()) causes.push_back(cause_required("spec.selector"));
  check_nonnegative(spec, "replicas", "spec.replicas", causes);
  if (!has(spec, "template")) {
    causes.push_back(cause_required("spec.template"));
    return causes;
  }
  const json& labels = object_at(object_at(pod, "metadata"), "labels");
  if (!selector.empty() && !selector_matches({{"matchLabels", selector}}, labels)) {
    causes.push_back(cause_invalid("spec.template.metadata.labels", labels.empty() ? json() : labels, "`selector` does not match template `labels`"));
  }
  check_pod_template(pod, "spec.template", causes);
  check_restart_always(spec, "ReplicationController", causes);
  return causes;
}

std::vector<base::Cause> validate_podtemplate(const json& tree, const json*) {
  Causes causes;
  check_pod_template(object_at(tree, "template"), "template", causes);
  return causes;
}

}  // namespace store

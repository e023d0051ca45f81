// ReplicationController and PodTemplate.
#include <nlohmann/json.hpp>

#include "store/schema/rules.h"

namespace store {

void prepare_replicationcontroller(json& tree) {
  prepare_pod_template(tree);
  const json labels = object_at(object_at(object_at(object_at(tree, "spec"), "template"), "metadata"), "labels");
  if (labels.empty()) return;
  if (object_at(tree["spec"], "selector").empty()) tree["spec"]["selector"] = labels;
  if (!object_at(tree, "metadata").empty() && object_at(tree["metadata"], "labels").empty()) tree["metadata"]["labels"] = labels;
}

std::vector<base::Cause> validate_replicationcontroller(const json& tree, const json*) {
  static constexpr std::string_view kAlways[] = {"Always"};
  Causes causes;
  const json &spec = object_at(tree, "spec"), &selector = object_at(spec, "selector"), &pod = object_at(spec, "template");
  if (selector.empty()) causes.push_back(cause_required("spec.selector"));
  if (!spec.contains("template")) {
    causes.push_back(cause_required("spec.template"));
    return causes;
  }
  const json& labels = object_at(object_at(pod, "metadata"), "labels");
  if (!selector.empty() && !selector_matches({{"matchLabels", selector}}, labels)) {
    causes.push_back(cause_invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"));
  }
  check_pod_template(pod, "spec.template", causes);
  const json& pod_spec = object_at(pod, "spec");
  const std::string restart = string_at(pod_spec, "restartPolicy");
  if (!restart.empty() && restart != "Always") causes.push_back(cause_not_supported("spec.template.spec.restartPolicy", restart, kAlways));
  if (pod_spec.contains("activeDeadlineSeconds")) {
    causes.push_back(cause_forbidden("spec.template.spec.activeDeadlineSeconds", "activeDeadlineSeconds in ReplicationController is not Supported"));
  }
  return causes;
}

std::vector<base::Cause> validate_podtemplate(const json& tree, const json*) {
  Causes causes;
  check_pod_template(object_at(tree, "template"), "template", causes);
  return causes;
}

}  // namespace store

// APIService.
#include <nlohmann/json.hpp>

#include "store/schema/rules.h"

namespace store {
namespace {

void check_range(const json& spec, const char* key, int64_t most, Causes& causes) {
  const int64_t number = integer_at(spec, key);
  if (number < 1 || number > most) causes.push_back(cause_invalid(std::string("spec.") + key, number, "must be positive and less than " + std::to_string(most)));
}

size_t bundle_bytes(const json& spec) {
  const std::string text = string_at(spec, "caBundle");
  return text.size() / 4 * 3 - (text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0);
}

void check_service(const json& spec, Causes& causes) {
  const bool trusting = spec.contains("insecureSkipTLSVerify") && spec["insecureSkipTLSVerify"] == true;
  const size_t bundle = bundle_bytes(spec);
  if (!spec.contains("service") || !spec["service"].is_object()) {
    if (bundle > 0) causes.push_back(cause_invalid("spec.caBundle", std::to_string(bundle) + " bytes", "local APIServices may not have a caBundle"));
    if (trusting) causes.push_back(cause_invalid("spec.insecureSkipTLSVerify", true, "local APIServices may not have insecureSkipTLSVerify"));
    return;
  }
  const json& service = spec["service"];
  for (const char* key : {"namespace", "name"}) {
    if (string_at(service, key).empty()) causes.push_back(cause_required(std::string("spec.service.") + key));
  }
  const int64_t port = integer_at(service, "port");
  if (const std::string problem = port_number_problem(port); !problem.empty()) causes.push_back(cause_invalid("spec.service.port", port, "port is not valid: " + problem));
  if (trusting && bundle > 0) causes.push_back(cause_invalid("spec.insecureSkipTLSVerify", true, "may not be true if caBundle is present"));
}

}  // namespace

// It is named after what it serves.
std::vector<base::Cause> validate_apiservice(const json& tree, const json* old) {
  static constexpr std::string_view kStatuses[] = {"True", "False", "Unknown"};
  Causes causes;
  const json& spec = object_at(tree, "spec");
  const std::string version = string_at(spec, "version"), group = string_at(spec, "group"), wanted = version + "." + group;
  const std::string name = string_at(object_at(tree, "metadata"), "name");
  if (name != wanted) causes.push_back(cause_invalid("metadata.name", name, "must be `spec.version+\".\"+spec.group`: " + json(wanted).dump()));
  if (group.empty() && version != "v1") causes.push_back(cause_required("spec.group", "only v1 may have an empty group and it better be legacy kube"));
  if (!group.empty()) add_problem(causes, "spec.group", group, name_problem(group, NameRule::kDnsSubdomain));
  add_problem(causes, "spec.version", version, name_problem(version, NameRule::kDns1035Label));
  check_range(spec, "groupPriorityMinimum", 20000, causes);
  check_range(spec, "versionPriority", 1000, causes);
  check_service(spec, causes);
  if (!old) return causes;
  const json& conditions = array_at(object_at(tree, "status"), "conditions");
  for (size_t i = 0; i < conditions.size(); ++i) {
    const std::string status = string_at(conditions[i], "status");
    if (status != "True" && status != "False" && status != "Unknown") {
      causes.push_back(cause_not_supported(item("status", "conditions", i) + ".status", status, kStatuses));
    }
  }
  return causes;
}

}  // namespace store

// Roles, their bindings and certificate signing requests.
#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "store/schema/go_form.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr const char* kGroup = "rbac.authorization.k8s.io";
constexpr int64_t kLeastSeconds = 600;

constexpr std::string_view kUsages[] = {"signing", "digital signature", "content commitment", "key encipherment", "key agreement", "data encipherment",
                                        "cert sign", "crl sign", "encipher only", "decipher only", "any", "server auth", "client auth", "code signing",
                                        "email protection", "s/mime", "ipsec end system", "ipsec tunnel", "ipsec user", "timestamping", "ocsp signing",
                                        "microsoft sgc", "netscape sgc"};

base::Cause unsupported(const std::string& field, const std::string& value, const std::vector<std::string>& allowed) {
  std::string list;
  for (const std::string& one : allowed) list += (list.empty() ? "" : ", ") + json(one).dump();
  return {"FieldValueNotSupported", "Unsupported value: " + json(value).dump() + ": supported values: " + list, field};
}

enum class Scope { kNamespace, kCluster };

void check_rules(const json& tree, Scope scope, Causes& causes) {
  const json& rules = array_at(tree, "rules");
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string path = "rules[" + std::to_string(i) + "]";
    const json& rule = rules[i];
    if (array_at(rule, "verbs").empty()) causes.push_back(cause_required(path + ".verbs", "verbs must contain at least one value"));
    const json& urls = array_at(rule, "nonResourceURLs");
    if (!urls.empty()) {
      const std::string field = path + ".nonResourceURLs";
      if (scope == Scope::kNamespace) causes.push_back(cause_invalid(field, urls, "namespaced rules cannot apply to non-resource URLs"));
      const bool both = !array_at(rule, "apiGroups").empty() || !array_at(rule, "resources").empty() || !array_at(rule, "resourceNames").empty();
      if (both) causes.push_back(cause_invalid(field, urls, "rules cannot apply to both regular resources and non-resource URLs"));
      continue;
    }
    if (array_at(rule, "apiGroups").empty()) causes.push_back(cause_required(path + ".apiGroups", "resource rules must supply at least one api group"));
    if (array_at(rule, "resources").empty()) causes.push_back(cause_required(path + ".resources", "resource rules must supply at least one resource"));
  }
}

void check_subject(const json& subject, Scope scope, const std::string& path, Causes& causes) {
  const std::string kind = string_at(subject, "kind"), name = string_at(subject, "name"), group = string_at(subject, "apiGroup");
  if (name.empty()) causes.push_back(cause_required(path + ".name"));
  if (kind == "ServiceAccount") {
    if (!name.empty()) add_problem(causes, path + ".name", name, name_problem(name, NameRule::kDnsSubdomain));
    if (!group.empty()) causes.push_back(unsupported(path + ".apiGroup", group, {""}));
    if (scope == Scope::kCluster && string_at(subject, "namespace").empty()) causes.push_back(cause_required(path + ".namespace"));
  } else if (kind == "User" || kind == "Group") {
    if (group != kGroup) causes.push_back(unsupported(path + ".apiGroup", group, {kGroup}));
  } else {
    causes.push_back(unsupported(path + ".kind", kind, {"ServiceAccount", "User", "Group"}));
  }
}

Causes check_binding(const json& tree, const json* old, Scope scope) {
  Causes causes;
  const std::vector<std::string> kinds = scope == Scope::kCluster ? std::vector<std::string>{"ClusterRole"} : std::vector<std::string>{"Role", "ClusterRole"};
  const json& ref = object_at(tree, "roleRef");
  if (string_at(ref, "apiGroup") != kGroup) causes.push_back(unsupported("roleRef.apiGroup", string_at(ref, "apiGroup"), {kGroup}));
  const std::string kind = string_at(ref, "kind"), name = string_at(ref, "name");
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) causes.push_back(unsupported("roleRef.kind", kind, kinds));
  if (name.empty()) causes.push_back(cause_required("roleRef.name"));
  else add_problem(causes, "roleRef.name", name, name_problem(name, NameRule::kPathSegment));
  const json& subjects = array_at(tree, "subjects");
  for (size_t i = 0; i < subjects.size(); ++i) check_subject(subjects[i], scope, "subjects[" + std::to_string(i) + "]", causes);
  const Type* type = find_type("io.k8s.api.rbac.v1.RoleRef");
  if (old && type && go_form(object_at(*old, "roleRef"), *type) != go_form(ref, *type)) causes.push_back(cause_invalid_struct("roleRef", ref, *type, "cannot change roleRef"));
  return causes;
}

bool has_condition(const json& tree, std::string_view type) {
  const json& conditions = array_at(object_at(tree, "status"), "conditions");
  return std::any_of(conditions.begin(), conditions.end(), [&](const json& c) { return string_at(c, "type") == type; });
}

}  // namespace

void prepare_rolebinding(json& tree) {
  const bool other = tree.contains("roleRef") && !tree["roleRef"].is_object() && !tree["roleRef"].is_null();  // Not Go's type: refused.
  if (!other && string_at(object_at(tree, "roleRef"), "apiGroup").empty()) tree["roleRef"]["apiGroup"] = kGroup;
  if (!tree.contains("subjects") || !tree["subjects"].is_array()) return;
  for (json& subject : tree["subjects"]) {
    const std::string kind = string_at(subject, "kind");
    if ((kind == "User" || kind == "Group") && string_at(subject, "apiGroup").empty()) subject["apiGroup"] = kGroup;
  }
}

std::vector<base::Cause> validate_role(const json& tree, const json*) {
  Causes causes;
  check_rules(tree, Scope::kNamespace, causes);
  return causes;
}

std::vector<base::Cause> validate_clusterrole(const json& tree, const json*) {
  Causes causes;
  check_rules(tree, Scope::kCluster, causes);
  if (!tree.contains("aggregationRule")) return causes;
  const json& selectors = array_at(object_at(tree, "aggregationRule"), "clusterRoleSelectors");
  const std::string path = "aggregationRule.clusterRoleSelectors";
  if (selectors.empty()) causes.push_back(cause_required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"));
  for (size_t i = 0; i < selectors.size(); ++i) {
    const std::string here = path + "[" + std::to_string(i) + "]";
    const size_t before = causes.size();
    check_label_selector(selectors[i], here, causes);
    if (causes.size() > before) causes.push_back(cause_invalid(here, json(), "invalid label selector."));
  }
  return causes;
}

std::vector<base::Cause> validate_rolebinding(const json& tree, const json* old) { return check_binding(tree, old, Scope::kNamespace); }
std::vector<base::Cause> validate_clusterrolebinding(const json& tree, const json* old) { return check_binding(tree, old, Scope::kCluster); }

std::vector<base::Cause> validate_certificatesigningrequest(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  if (!old) {
    if (string_at(spec, "request").empty()) {
      causes.push_back(cause_invalid("spec.request", spec.contains("request") ? spec["request"] : json(), "PEM block type must be CERTIFICATE REQUEST"));
    }
    const json& usages = array_at(spec, "usages");
    if (usages.empty()) causes.push_back(cause_required("spec.usages"));
    for (size_t i = 0; i < usages.size(); ++i) {
      const std::string usage = usages[i].is_string() ? usages[i].get<std::string>() : "", field = "spec.usages[" + std::to_string(i) + "]";
      if (std::find(std::begin(kUsages), std::end(kUsages), usage) == std::end(kUsages)) {
        std::vector<std::string> known(std::begin(kUsages), std::end(kUsages));
        std::sort(known.begin(), known.end());
        causes.push_back(unsupported(field, usage, known));
      }
      if (std::find(usages.begin(), usages.begin() + static_cast<std::ptrdiff_t>(i), usages[i]) != usages.begin() + static_cast<std::ptrdiff_t>(i)) {
        causes.push_back({"FieldValueDuplicate", "Duplicate value: " + usages[i].dump(), field});
      }
    }
    const std::string signer = string_at(spec, "signerName");
    if (signer.empty()) causes.push_back(cause_required("spec.signerName"));
    else if (signer.find('/') == std::string::npos) causes.push_back(cause_invalid("spec.signerName", signer, "must be a fully qualified domain and path of the form 'example.com/signer-name'"));
    if (spec.contains("expirationSeconds") && integer_at(spec, "expirationSeconds") < kLeastSeconds) {
      causes.push_back(cause_invalid("spec.expirationSeconds", spec["expirationSeconds"], "may not specify a duration less than 600 seconds (10 minutes)"));
    }
    return causes;
  }
  if (has_condition(tree, "Approved") && has_condition(tree, "Denied")) {
    causes.push_back(cause_invalid("status.conditions", "Denied", "Approved and Denied conditions are mutually exclusive"));
  }
  for (const char* decided : {"Approved", "Denied", "Failed"}) {
    if (has_condition(*old, decided) && !has_condition(tree, decided)) {
      causes.push_back(cause_forbidden("status.conditions", "updates may not remove a condition of type \"" + std::string(decided) + "\""));
    }
  }
  return causes;
}

}  // namespace store

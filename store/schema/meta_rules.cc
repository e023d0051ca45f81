// metadata that every object has: names by rule, labels, annotations, finalizers, owners.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/object/label_syntax.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr char kSubdomain[] =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
constexpr char kLabel[] =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric "
    "character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
constexpr char kLabel1035[] =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an "
    "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
bool is_alnum(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

bool is_label(std::string_view name) {
  return !name.empty() && is_alnum(name.front()) && is_alnum(name.back()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_alnum(c) || c == '-'; });
}

bool is_subdomain(std::string_view name) {
  while (true) {
    const size_t dot = name.find('.');
    if (!is_label(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

// All that is wrong: the length and the letters are judged apart.
std::string name_problems(std::string_view name, size_t limit, const std::string& rule_problem) {
  const std::string too_long = name.size() > limit ? "must be no more than " + std::to_string(limit) + " characters" : "";
  return too_long + (too_long.empty() || rule_problem.empty() ? "" : "; ") + rule_problem;
}

std::string path_segment_problem(std::string_view name) {
  if (name == ".") return "may not be '.'";
  if (name == "..") return "may not be '..'";
  if (name.find('/') != std::string_view::npos) return "may not contain '/'";
  if (name.find('%') != std::string_view::npos) return "may not contain '%'";
  return {};
}

void check_names(const json& meta, const Resource& resource, Causes& causes) {
  const std::string name = string_at(meta, "name");
  std::string base = string_at(meta, "generateName");
  if (!base.empty()) {
    const json written = base;
    // What is appended goes on from a dash as from a letter. (Upstream masks no other end, and no dash alone.)
    if (base.size() > 1 && base.back() == '-') base.back() = 'a';
    add_problem(causes, "metadata.generateName", written, name_problem(base, resource.name_rule));
  }
  if (name.empty())
    causes.push_back(cause_required("metadata.name", "name or generateName is required"));
  else
    add_problem(causes, "metadata.name", name, name_problem(name, resource.name_rule));
}

void check_finalizers(const json& finalizers, Causes& causes) {
  bool orphan = false, foreground = false;
  for (const json& finalizer : finalizers) {
    if (!finalizer.is_string()) continue;
    orphan |= finalizer == "orphan";
    foreground |= finalizer == "foregroundDeletion";
    add_problem(causes, "metadata.finalizers", finalizer, label_key_problem(finalizer.get_ref<const std::string&>()));
  }
  if (orphan && foreground) {
    causes.push_back(cause_invalid("metadata.finalizers", finalizers, "finalizer orphan and foregroundDeletion cannot be both set"));
  }
}

// Kinds that upstream compiles in know three finalizers without a domain.
void check_known_finalizers(const json& finalizers, const Resource& resource, Causes& causes) {
  static constexpr std::string_view kStandard[] = {"kubernetes", "orphan", "foregroundDeletion"};
  static constexpr std::string_view kOtherServers[] = {"apiextensions.k8s.io", "apiregistration.k8s.io", "coordination.k8s.io"};
  if (resource.custom || std::find(std::begin(kOtherServers), std::end(kOtherServers), resource.group) != std::end(kOtherServers)) return;
  for (size_t i = 0; i < finalizers.size(); ++i) {
    if (!finalizers[i].is_string()) continue;
    const std::string& name = finalizers[i].get_ref<const std::string&>();
    if (name.find('/') != std::string::npos || std::find(std::begin(kStandard), std::end(kStandard), name) != std::end(kStandard)) continue;
    causes.push_back(cause_invalid("metadata.finalizers[" + std::to_string(i) + "]", name, "name is neither a standard finalizer name nor is it fully qualified"));
  }
}

void check_owners(const json& owners, Causes& causes) {
  const std::string field = "metadata.ownerReferences";
  std::string controller;
  for (const json& owner : owners) {
    const std::string api_version = string_at(owner, "apiVersion");
    if (api_version.empty() || api_version.back() == '/' || std::count(api_version.begin(), api_version.end(), '/') > 1)
      causes.push_back(cause_invalid(field + ".apiVersion", api_version, "version must not be empty"));
    for (const char* part : {"kind", "name", "uid"}) {
      if (string_at(owner, part).empty()) causes.push_back(cause_invalid(field + "." + part, "", "must not be empty"));
    }
    const std::string kind = string_at(owner, "kind");
    if (kind == "Event" && (api_version == "v1" || api_version == "events.k8s.io/v1")) {
      causes.push_back(cause_invalid(field, owner, (api_version == "v1" ? "/" : "") + api_version + ", Kind=Event is disallowed from being an owner"));
    }
    const auto flag = owner.is_object() ? owner.find("controller") : owner.end();
    if (!owner.is_object() || flag == owner.end() || *flag != true) continue;
    const std::string name = string_at(owner, "name");
    if (!controller.empty()) {
      causes.push_back(cause_invalid(
          field, owners,
          "Only one reference can have Controller set to true. Found \"true\" in references for " + controller + " and " + name));
    }
    controller = name;
  }
}

}  // namespace

std::string name_problem(std::string_view name, NameRule rule) {
  switch (rule) {
    case NameRule::kDnsSubdomain:
      return name_problems(name, 253, is_subdomain(name) ? "" : kSubdomain);
    case NameRule::kDnsLabel:
      // Of a name that may have dots elsewhere, they are the one thing that is wrong.
      return name_problems(name, 63, is_label(name) ? "" : is_subdomain(name) ? "must not contain dots" : kLabel);
    case NameRule::kDns1035Label:
      return name_problems(name, 63, is_label(name) && is_letter(name.front()) ? "" : kLabel1035);
    case NameRule::kPathSegment:
      return path_segment_problem(name);
  }
  return {};
}

std::vector<base::Cause> validate_object_meta(const json& tree, const Resource& resource) {
  Causes causes;
  const json& meta = object_at(tree, "metadata");
  check_names(meta, resource, causes);
  check_labels(object_at(meta, "labels"), "metadata.labels", causes);
  check_annotations(object_at(meta, "annotations"), "metadata.annotations", causes);
  check_owners(array_at(meta, "ownerReferences"), causes);
  check_finalizers(array_at(meta, "finalizers"), causes);
  check_known_finalizers(array_at(meta, "finalizers"), resource, causes);
  return causes;
}

}  // namespace store

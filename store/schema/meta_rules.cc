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

std::string too_long(size_t limit) { return "must be no more than " + std::to_string(limit) + " bytes"; }

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
    if (base.back() == '-' || base.back() == '.') base.back() = 'a';  // What is appended starts with a letter or digit.
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

void check_owners(const json& owners, Causes& causes) {
  const std::string field = "metadata.ownerReferences";
  std::string controller;
  for (const json& owner : owners) {
    const std::string api_version = string_at(owner, "apiVersion");
    if (api_version.empty() || api_version.back() == '/')
      causes.push_back(cause_invalid(field + ".apiVersion", api_version, "version must not be empty"));
    for (const char* part : {"kind", "name", "uid"}) {
      if (string_at(owner, part).empty()) causes.push_back(cause_invalid(field + "." + part, "", std::string(part) + " must not be empty"));
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
      if (name.size() > 253) return too_long(253);
      return is_subdomain(name) ? "" : kSubdomain;
    case NameRule::kDnsLabel:
      if (name.size() > 63) return too_long(63);
      if (is_label(name)) return "";
      return is_subdomain(name) ? "must not contain dots" : kLabel;  // The one thing that is wrong, when it is one.
    case NameRule::kDns1035Label:
      if (name.size() > 63) return too_long(63);
      return is_label(name) && is_letter(name.front()) ? "" : kLabel1035;
    case NameRule::kPathSegment:
      return path_segment_problem(name);
  }
  return {};
}

std::vector<base::Cause> validate_object_meta(const json& tree, const Resource& resource) {
  Causes causes;
  const json& meta = object_at(tree, "metadata");
  check_names(meta, resource, causes);
  check_annotations(object_at(meta, "annotations"), "metadata.annotations", causes);
  check_labels(object_at(meta, "labels"), "metadata.labels", causes);
  check_owners(array_at(meta, "ownerReferences"), causes);
  check_finalizers(array_at(meta, "finalizers"), causes);
  return causes;
}

}  // namespace store

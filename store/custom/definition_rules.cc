// What a CustomResourceDefinition must satisfy beyond its table of fields, and what is filled in.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/base/text.h"
#include "store/custom/definition.h"
#include "store/custom/schema_node.h"
#include "store/object/access.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr size_t kMaxSelectable = 8;

bool is_protected(const std::string& group) {
  for (std::string_view suffix : {"k8s.io", "kubernetes.io"}) {
    if (group == suffix || group.ends_with("." + std::string(suffix))) return true;
  }
  return false;
}

void check_group(const json& tree, const json& spec, Causes& causes) {
  const std::string group = get_string(spec, "group");
  if (group.empty()) return;  // The table of fields asks for it.
  add_problem(causes, "spec.group", group, name_problem(group, NameRule::kDnsSubdomain));
  if (group.find('.') == std::string::npos) causes.push_back(cause_invalid("spec.group", group, "should be a domain with at least one dot"));
  const json* approved = find_key(get_object(tree, "metadata.annotations"), "api-approved.kubernetes.io");
  if (is_protected(group) && !approved) {
    causes.push_back(cause_required("metadata.annotations[api-approved.kubernetes.io]",
                                    "protected groups must have approval annotation \"api-approved.kubernetes.io\", see https://github.com/kubernetes/enhancements/pull/1111"));
  }
  const std::string wanted = get_string(spec, "names.plural") + "." + group, name = get_string(tree, "metadata.name");
  if (!get_string(spec, "names.plural").empty() && !name.empty() && name != wanted) {
    causes.push_back(cause_invalid("metadata.name", name, "must be spec.names.plural+\".\"+spec.group"));
  }
}

void check_names(const json& names, Causes& causes) {
  for (const char* field : {"plural", "singular"}) {
    const std::string name = get_string(names, field);
    if (!name.empty()) add_problem(causes, std::string("spec.names.") + field, name, name_problem(name, NameRule::kDns1035Label));
  }
  for (const char* field : {"kind", "listKind"}) {
    const std::string name = get_string(names, field);
    const std::string problem = name.empty() ? "" : name_problem(base::lower(name), NameRule::kDns1035Label);
    if (!problem.empty()) causes.push_back(cause_invalid(std::string("spec.names.") + field, name, "may have mixed case, but should otherwise match: " + problem));
  }
  const std::string kind = get_string(names, "kind"), list_kind = get_string(names, "listKind");
  if (!kind.empty() && kind == list_kind) causes.push_back(cause_invalid("spec.names.listKind", list_kind, "kind and listKind may not be the same"));
  for (const char* list : {"shortNames", "categories"}) {
    const json& items = get_array(names, list);
    for (size_t i = 0; i < items.size(); ++i) {
      if (items[i].is_string()) add_problem(causes, item("spec.names", list, i), items[i], name_problem(items[i].get<std::string>(), NameRule::kDns1035Label));
    }
  }
}

bool is_path_under(const std::string& path, std::initializer_list<std::string_view> roots) {
  if (path.find('[') != std::string::npos || path.ends_with(".")) return false;
  return std::any_of(roots.begin(), roots.end(), [&](std::string_view root) { return path.starts_with(std::string(root) + ".") && path.size() > root.size() + 1; });
}

void check_scale(const json& parts, const std::string& path, Causes& causes) {
  if (!parts.contains("scale")) return;
  const json& scale = get_object(parts, "scale");
  const std::string spec = get_string(scale, "specReplicasPath"), status = get_string(scale, "statusReplicasPath"), selector = get_string(scale, "labelSelectorPath");
  const std::string here = path + ".scale.";
  if (!spec.empty() && !is_path_under(spec, {".spec"})) causes.push_back(cause_invalid(here + "specReplicasPath", spec, "should be a json path under .spec"));
  if (!status.empty() && !is_path_under(status, {".status"})) causes.push_back(cause_invalid(here + "statusReplicasPath", status, "should be a json path under .status"));
  if (!selector.empty() && !is_path_under(selector, {".spec", ".status"})) {
    causes.push_back(cause_invalid(here + "labelSelectorPath", selector, "should be a json path under either .spec or .status"));
  }
}

// The schema that a simple path (".spec.color") leads to; nullptr: none.
const SchemaNode* at_path(const SchemaNode& root, const std::string& path) {
  const SchemaNode* at = &root;
  for (size_t begin = path.starts_with(".") ? 1 : 0; at && begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    at = at->property(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return at;
}

void check_selectable(const json& version, const SchemaNode& schema, const std::string& path, Causes& causes) {
  const json& fields = get_array(version, "selectableFields");
  if (fields.size() > kMaxSelectable) causes.push_back({"FieldValueTooMany", "Too many: " + std::to_string(fields.size()) + ": must have at most 8 items", path + ".selectableFields"});
  std::set<std::string> seen;
  for (size_t i = 0; i < fields.size(); ++i) {
    const std::string here = item(path, "selectableFields", i) + ".jsonPath", field = get_string(fields[i], "jsonPath");
    if (field.empty()) continue;  // The table of fields asks for it.
    if (!seen.insert(field).second) causes.push_back(cause_duplicate(here, field));
    if (field.starts_with(".metadata") || field.find('[') != std::string::npos) {
      causes.push_back(cause_invalid(here, field, field.starts_with(".metadata") ? "must not point to fields in metadata" : "is an invalid path: must be a simple path"));
      continue;
    }
    const SchemaNode* found = at_path(schema, field);
    const bool scalar = found && (found->type == "string" || found->type == "integer" || found->type == "boolean");
    if (!scalar) causes.push_back(cause_invalid(here, field, "is an invalid path: does not refer to a valid field: must be a string, integer or boolean of the schema"));
  }
}

void check_columns(const json& version, const std::string& path, Causes& causes) {
  const json& columns = get_array(version, "additionalPrinterColumns");
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string here = item(path, "additionalPrinterColumns", i), json_path = get_string(columns[i], "jsonPath");
    if (!json_path.empty() && json_path.front() != '.') causes.push_back(cause_invalid(here + ".jsonPath", json_path, "must be a simple json path starting with ."));
  }
}

void check_version(const json& version, const std::string& path, Causes& causes) {
  const std::string name = get_string(version, "name");
  if (!name.empty()) add_problem(causes, path + ".name", name, name_problem(name, NameRule::kDns1035Label));
  const std::string schema_path = path + ".schema.openAPIV3Schema";
  const json* schema = find(version, "schema.openAPIV3Schema");
  if (!schema || !schema->is_object()) {
    causes.push_back(cause_required(schema_path, "schemas are required"));
    return;
  }
  const SchemaPtr compiled = compile_schema(*schema, schema_path, causes);
  check_scale(get_object(version, "subresources"), path + ".subresources", causes);
  check_columns(version, path, causes);
  check_selectable(version, *compiled, path, causes);
  if (!get_string(version, "deprecationWarning").empty() && !get_bool(version, "deprecated")) {
    causes.push_back(cause_invalid(path + ".deprecationWarning", get_string(version, "deprecationWarning"), "can only be set for deprecated versions"));
  }
}

void check_versions(const json& spec, Causes& causes) {
  const json& versions = get_array(spec, "versions");
  size_t stored = 0;
  std::set<std::string> names;
  bool unique = true;
  for (size_t i = 0; i < versions.size(); ++i) {
    stored += get_bool(versions[i], "storage");
    unique &= names.insert(get_string(versions[i], "name")).second;
    check_version(versions[i], item("spec", "versions", i), causes);
  }
  if (versions.empty()) return;
  // The value is left out: a definition is long, and the list of versions is nearly all of it.
  if (!unique) causes.push_back(cause_invalid("spec.versions", json(names.size()), "must contain unique version names"));
  if (stored != 1) causes.push_back(cause_invalid("spec.versions", json(stored), "must have exactly one version marked as storage version"));
}

void check_stored_versions(const json& tree, Causes& causes) {
  const json& stored = get_array(tree, "status.storedVersions");
  for (size_t i = 0; i < stored.size(); ++i) {
    const json& versions = get_array(tree, "spec.versions");
    if (!stored[i].is_string()) continue;
    const std::string name = stored[i].get<std::string>();
    if (std::any_of(versions.begin(), versions.end(), [&](const json& v) { return get_string(v, "name") == name; })) continue;
    causes.push_back(cause_invalid(item("status", "storedVersions", i), name,
                                   "missing from spec.versions; " + name + " was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in " +
                                       name + " and removes " + name + " from status.storedVersions"));
  }
}

void check_change(const json& tree, const json& old, Causes& causes) {
  for (const char* field : {"spec.group", "spec.names.plural", "spec.names.kind", "spec.scope"}) {
    const bool when_served = std::string_view(field) == "spec.names.kind" || std::string_view(field) == "spec.scope";
    if (when_served && !is_established(old)) continue;
    if (get_string(tree, field) != get_string(old, field)) causes.push_back(cause_invalid(field, get_string(tree, field), "field is immutable"));
  }
}

}  // namespace

void prepare_customresourcedefinition(json& tree) {
  if (!tree.is_object() || !find(tree, "spec.names") || !get_object(tree, "spec").size()) return;
  json& names = tree["spec"]["names"];
  if (!names.is_object()) return;
  const std::string kind = get_string(names, "kind");
  if (get_string(names, "singular").empty() && !kind.empty()) names["singular"] = base::lower(kind);
  if (get_string(names, "listKind").empty() && !kind.empty()) names["listKind"] = kind + "List";
}

Causes validate_customresourcedefinition(const json& tree, const json* old) {
  Causes causes;
  const json& spec = get_object(tree, "spec");
  check_group(tree, spec, causes);
  check_names(get_object(spec, "names"), causes);
  check_versions(spec, causes);
  if (get_bool(spec, "preserveUnknownFields")) causes.push_back(cause_invalid("spec.preserveUnknownFields", true, "must be false"));
  check_stored_versions(tree, causes);
  if (old) check_change(tree, *old, causes);
  return causes;
}

// An APIService is named after what it serves.
Causes validate_apiservice(const json& tree, const json*) {
  Causes causes;
  const std::string version = get_string(tree, "spec.version"), group = get_string(tree, "spec.group"), wanted = version + "." + group, name = get_string(tree, "metadata.name");
  if (name != wanted) causes.push_back(cause_invalid("metadata.name", name, "must be `spec.version+\".\"+spec.group`: " + json(wanted).dump()));
  for (const char* field : {"groupPriorityMinimum", "versionPriority"}) {
    const int64_t number = get_int(tree, std::string("spec.") + field), most = std::string_view(field) == "versionPriority" ? 1000 : 20000;
    if (number < 1 || number > most) causes.push_back(cause_invalid(std::string("spec.") + field, number, "must be positive and less than " + std::to_string(most)));
  }
  return causes;
}

}  // namespace store

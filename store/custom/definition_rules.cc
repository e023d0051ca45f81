// What a CustomResourceDefinition must satisfy. Its fields are judged here and not by the table of fields, since upstream does it
// in an order of its own, on a form of its own: what all versions share it moves to spec.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "store/base/text.h"
#include "store/custom/definition.h"
#include "store/custom/schema_node.h"
#include "store/custom/schema_rules.h"
#include "store/object/access.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr size_t kMaxSelectable = 8;
constexpr size_t kMaxDeprecation = 256;
constexpr const char* kApproval = "api-approved.kubernetes.io";

void check_definition_name(const json& tree, const json& spec, Causes& causes) {
  const std::string name = get_string(tree, "metadata.name");
  if (!name.empty() && name != get_string(spec, "names.plural") + "." + get_string(spec, "group")) causes.push_back(cause_invalid("metadata.name", name, "must be spec.names.plural+\".\"+spec.group"));
}

void check_group(const std::string& group, Causes& causes) {
  const std::string problem = group.empty() ? "" : text_problem(group, NameRule::kDnsSubdomain);
  if (group.empty()) causes.push_back(cause_required("spec.group"));
  else if (!problem.empty()) causes.push_back(cause_invalid("spec.group", group, problem));
  else if (group.find('.') == std::string::npos) causes.push_back(cause_invalid("spec.group", group, "should be a domain with at least one dot"));
}

void check_one_of(const std::string& field, const std::string& value, std::span<const std::string_view> accepted, Causes& causes) {
  if (value.empty()) causes.push_back(cause_required(field));
  else if (std::find(accepted.begin(), accepted.end(), value) == accepted.end()) causes.push_back(cause_not_supported(field, value, accepted));
}

void check_definition_names(const json& names, Causes& causes) {
  for (const char* field : {"plural", "singular", "kind", "listKind"}) {
    if (get_string(names, field).empty()) causes.push_back(cause_required(std::string("spec.names.") + field));
  }
  for (const char* field : {"plural", "singular"}) {
    const std::string name = get_string(names, field);
    if (!name.empty()) add_problem(causes, std::string("spec.names.") + field, name, text_problem(name, NameRule::kDns1035Label));
  }
  for (const char* field : {"kind", "listKind"}) {
    const std::string name = get_string(names, field);
    const std::string problem = name.empty() ? "" : text_problem(base::lower(name), NameRule::kDns1035Label);
    if (!problem.empty()) causes.push_back(cause_invalid(std::string("spec.names.") + field, name, "may have mixed case, but should otherwise match: " + problem));
  }
  auto check_labels_of = [&](const char* list) {
    const json& items = get_array(names, list);
    for (size_t i = 0; i < items.size(); ++i) {
      if (items[i].is_string()) add_problem(causes, item("spec.names", list, i), items[i], text_problem(items[i].get<std::string>(), NameRule::kDns1035Label));
    }
  };
  check_labels_of("shortNames");
  const std::string kind = get_string(names, "kind"), list_kind = get_string(names, "listKind");
  if (!kind.empty() && kind == list_kind) causes.push_back(cause_invalid("spec.names.listKind", list_kind, "kind and listKind may not be the same"));
  check_labels_of("categories");
}

// --- Parts of a version, which may also stand at spec ---

void check_definition_path(const json& scale, const char* name, bool needed, std::initializer_list<std::string_view> roots, const std::string& path, Causes& causes) {
  const std::string text = get_string(scale, name), field = path + ".scale." + name;
  if (text.empty()) {
    if (needed) causes.push_back(cause_required(field));
  } else if (text.front() != '.') {
    causes.push_back(cause_invalid(field, text, "must be a simple json path starting with ."));
  } else if (std::none_of(roots.begin(), roots.end(), [&](std::string_view root) { return text.starts_with(root); })) {
    const char* where = roots.size() > 1 ? "either .spec or .status" : *roots.begin() == ".spec." ? ".spec" : ".status";
    causes.push_back(cause_invalid(field, text, std::string("should be a json path under ") + where));
  }
}

void check_subresources(const json& parts, const std::string& path, Causes& causes) {
  const json* scale = find_key(parts, "scale");
  if (!scale) return;
  check_definition_path(*scale, "specReplicasPath", true, {".spec."}, path, causes);
  check_definition_path(*scale, "statusReplicasPath", true, {".status."}, path, causes);
  check_definition_path(*scale, "labelSelectorPath", false, {".spec.", ".status."}, path, causes);
}

void check_columns(const json& columns, const std::string& path, Causes& causes) {
  static constexpr std::string_view kTypes[] = {"boolean", "date", "integer", "number", "string"},
                                    kFormats[] = {"byte", "date", "date-time", "double", "float", "int32", "int64", "password"};
  static constexpr const char* kTypesText = "must be one of boolean,date,integer,number,string";
  auto in = [](std::span<const std::string_view> list, const std::string& text) { return std::find(list.begin(), list.end(), text) != list.end(); };
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string here = path + "[" + std::to_string(i) + "]";
    const std::string type = get_string(columns[i], "type"), format = get_string(columns[i], "format"), json_path = get_string(columns[i], "jsonPath");
    if (get_string(columns[i], "name").empty()) causes.push_back(cause_required(here + ".name"));
    if (type.empty()) causes.push_back(cause_required(here + ".type", kTypesText));
    else if (!in(kTypes, type)) causes.push_back(cause_invalid(here + ".type", type, kTypesText));
    if (!format.empty() && !in(kFormats, format)) causes.push_back(cause_invalid(here + ".format", format, "must be one of byte,date,date-time,double,float,int32,int64,password"));
    if (json_path.empty()) causes.push_back(cause_required(here + ".JSONPath"));
    else if (json_path.front() != '.') causes.push_back(cause_invalid(here + ".JSONPath", json_path, "must be a simple json path starting with ."));
  }
}

// The schema that a simple path (".spec.color") leads to; or why it leads nowhere.
const SchemaNode* at_path(const SchemaNode& root, std::string_view path, std::string* problem) {
  const SchemaNode* at = &root;
  while (at && !path.empty()) {
    const size_t end = std::min(path.find_first_of(".[]", 1), path.size());
    if (path.front() == '[') return *problem = "array notation is not allowed", nullptr;
    if (path.front() != '.') return *problem = "expected [ or . but got: " + std::string(path.substr(0, std::min(path.find_first_of(".[]", 1), path.size()))), nullptr;
    if (path.size() == 1) return *problem = "unexpected end of JSON path", nullptr;
    const std::string_view name = path.substr(1, end - 1);
    if (at->properties.empty() && at->additional) at = at->additional.get();
    else at = at->property(name);
    path.remove_prefix(end);
  }
  if (!at) *problem = "does not refer to a valid field";
  return at;
}

// `schema`: nullptr if there is none that can be read.
void check_selectable(const json& fields, const SchemaNode* schema, const std::string& path, Causes& causes) {
  if (!schema) return;
  std::set<std::string> seen;
  for (size_t i = 0; i < fields.size(); ++i) {
    const std::string here = path + "[" + std::to_string(i) + "].jsonPath", field = get_string(fields[i], "jsonPath");
    if (field.empty()) {
      causes.push_back(cause_required(here));
      continue;
    }
    std::string problem;
    const SchemaNode* found = at_path(*schema, field, &problem);
    if (!found) {
      causes.push_back(cause_invalid(here, field, "is an invalid path: " + problem));
      continue;
    }
    if (field == ".metadata" || field.starts_with(".metadata.")) causes.push_back(cause_invalid(here, field, "must not point to fields in metadata"));
    if (found->type != "string" && found->type != "boolean" && found->type != "integer") {
      causes.push_back(cause_invalid(here, field, "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."));
    }
    if (!seen.insert(field).second) causes.push_back(cause_duplicate(here, field));
  }
  if (seen.size() > kMaxSelectable) causes.push_back({"FieldValueTooMany", "Too many: " + std::to_string(seen.size()) + ": must have at most 8 items", path});
}

void check_selectable_of(const json& fields, const json* schema, const std::string& path, const std::string& schema_path, const char* without, Causes& causes) {
  if (fields.empty()) return;
  if (!schema) return causes.push_back(cause_invalid(path, "", without));
  const std::string why = unstructural(*schema);
  if (!why.empty()) causes.push_back(cause_invalid(schema_path, "", why));
  check_selectable(fields, why.empty() ? compile_schema(*schema).get() : nullptr, path, causes);
}

void check_deprecation(const json& version, const std::string& path, Causes& causes) {
  const json* warning = find_key(version, "deprecationWarning");
  if (!warning || !warning->is_string()) return;
  const std::string& text = warning->get_ref<const std::string&>();
  const auto control = std::find_if(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  auto invalid = [&](const std::string& detail) { causes.push_back(cause_invalid(path + ".deprecationWarning", *warning, detail)); };
  if (!get_bool(version, "deprecated")) return invalid("can only be set for deprecated versions");
  if (text.size() > kMaxDeprecation) invalid("must be <= 256 characters long");
  if (text.empty()) invalid("must not be an empty string");
  if (control != text.end()) invalid("must only contain printable UTF-8 characters; non-printable character found at index " + std::to_string(control - text.begin()));
}

// --- The versions ---

// The parts of versions that upstream moves to spec when all versions agree on them; `schema` becomes `validation`.
struct Shared {
  explicit Shared(const json& versions) {
    auto same = [&](const char* part) {
      return std::all_of(versions.begin(), versions.end(), [&](const json& v) {
        const json *own = find_key(v, part), *first = find_key(versions[0], part);
        return own && first ? *own == *first : own == first;
      });
    };
    schema = same("schema");
    subresources = same("subresources");
    columns = same("additionalPrinterColumns");
    selectable = same("selectableFields");
  }
  bool schema, subresources, columns, selectable;
};

const json* schema_of(const json& version) {
  const json* schema = find(version, "schema.openAPIV3Schema");
  return schema && schema->is_object() ? schema : nullptr;
}
bool has_status(const json& version) { return find(version, "subresources.status") != nullptr; }

void check_version(const json& version, const Shared& shared, const std::string& path, Causes& causes) {
  const std::string name = get_string(version, "name");
  add_problem(causes, path + ".name", name, text_problem(name, NameRule::kDns1035Label));
  check_deprecation(version, path, causes);
  const json* schema = schema_of(version);
  const std::string schema_path = path + ".schema.openAPIV3Schema";
  if (schema && !shared.schema) append(causes, check_schema(*schema, schema_path, has_status(version)));
  if (!shared.subresources) check_subresources(get_object(version, "subresources"), path + ".subresources", causes);
  if (!shared.columns) check_columns(get_array(version, "additionalPrinterColumns"), path + ".additionalPrinterColumns", causes);
  if (shared.selectable) return;
  check_selectable_of(get_array(version, "selectableFields"), shared.schema ? nullptr : schema, path + ".selectableFields", schema_path,
                      "may only be set when `version.schema.openAPIV3Schema` is not included", causes);
}

void check_shared(const json& versions, const Shared& shared, Causes& causes) {
  if (versions.empty()) return;
  const json& first = versions[0];
  const json* schema = shared.schema ? schema_of(first) : nullptr;
  if (schema) append(causes, check_schema(*schema, "spec.validation.openAPIV3Schema", std::any_of(versions.begin(), versions.end(), has_status)));
  if (shared.subresources) check_subresources(get_object(first, "subresources"), "spec.subresources", causes);
  if (shared.columns) check_columns(get_array(first, "additionalPrinterColumns"), "spec.additionalPrinterColumns", causes);
  if (shared.selectable) {
    check_selectable_of(get_array(first, "selectableFields"), schema, "spec.selectableFields", "spec.schema.openAPIV3Schema", "may only be set when validations.schema is included", causes);
  }
}

// The list as upstream shows it.
json shown_versions(const json& spec, const Shared& shared) {
  const json* versions = find_key(spec, "versions");
  if (!versions || !versions->is_array()) return nullptr;
  json out = json::array();
  auto part = [](const json& version, const char* name, bool moved) {
    const json* own = moved ? nullptr : find_key(version, name);
    return own ? *own : json();
  };
  for (const json& version : *versions) {
    out.push_back({{"Name", get_string(version, "name")}, {"Served", get_bool(version, "served")}, {"Storage", get_bool(version, "storage")}, {"Deprecated", get_bool(version, "deprecated")},
                   {"DeprecationWarning", part(version, "deprecationWarning", false)}, {"Schema", part(version, "schema", shared.schema)},
                   {"Subresources", part(version, "subresources", shared.subresources)}, {"AdditionalPrinterColumns", part(version, "additionalPrinterColumns", shared.columns)},
                   {"SelectableFields", part(version, "selectableFields", shared.selectable)}});
  }
  return out;
}
// Go writes a struct's fields in their order, and JSON objects here are sorted.
std::string versions_text(const json& versions) {
  if (!versions.is_array()) return shown(versions);
  std::string out;
  for (const json& version : versions) {
    std::string fields;
    for (const char* name : {"Name", "Served", "Storage", "Deprecated", "DeprecationWarning", "Schema", "Subresources", "AdditionalPrinterColumns", "SelectableFields"}) {
      fields += (fields.empty() ? "\"" : ",\"") + std::string(name) + "\":" + shown(version[name]);
    }
    out += (out.empty() ? "{" : ",{") + fields + "}";
  }
  return "[" + out + "]";
}

void check_versions(const json& spec, Causes& causes) {
  const json& versions = get_array(spec, "versions");
  const Shared shared(versions);
  for (size_t i = 0; i < versions.size(); ++i) {
    if (!schema_of(versions[i])) causes.push_back(cause_required(item("spec", "versions", i) + ".schema.openAPIV3Schema"));
  }
  size_t stored = 0;
  std::set<std::string> names;
  for (size_t i = 0; i < versions.size(); ++i) {
    stored += get_bool(versions[i], "storage");
    names.insert(get_string(versions[i], "name"));
    check_version(versions[i], shared, item("spec", "versions", i), causes);
  }
  auto invalid = [&](const char* detail) { causes.push_back({"FieldValueInvalid", "Invalid value: " + versions_text(shown_versions(spec, shared)) + ": " + detail, "spec.versions"}); };
  if (names.size() != versions.size()) invalid("must contain unique version names");
  if (stored != 1) invalid("must have exactly one version marked as storage version");
  // What upstream derives from the first version, and judges, too.
  const std::string first = versions.empty() ? "" : get_string(versions[0], "name");
  if (!first.empty()) add_problem(causes, "spec.version", first, text_problem(first, NameRule::kDns1035Label));
  check_definition_names(get_object(spec, "names"), causes);
  check_shared(versions, shared, causes);
}

// --- Conversion ---

void check_conversion_url(const std::string& url, const std::string& field, Causes& causes) {
  static constexpr const char* kForm = "; desired format: https://host[/path]";
  const size_t colon = url.find("://");
  const std::string scheme = colon == std::string::npos ? "" : url.substr(0, colon), rest = colon == std::string::npos ? "" : url.substr(colon + 3);
  if (scheme != "https") causes.push_back(cause_invalid(field, scheme, std::string("'https' is the only allowed URL scheme") + kForm));
  if (rest.empty() || rest.front() == '/') causes.push_back(cause_invalid(field, "", std::string("host must be specified") + kForm));
}

void check_conversion_client(const json& client, const std::string& path, Causes& causes) {
  const json *url = find_key(client, "url"), *service = find_key(client, "service");
  if (!url == !service) return causes.push_back(cause_required(path, "exactly one of url or service is required"));
  if (url) return check_conversion_url(get_string(client, "url"), path + ".url", causes);
  // Upstream hands the two over in the wrong order.
  if (get_string(*service, "namespace").empty()) causes.push_back(cause_required(path + ".service.name"));
  if (get_string(*service, "name").empty()) causes.push_back(cause_required(path + ".service.namespace"));
  const int64_t port = get_int(*service, "port", 443);
  if (const std::string problem = port_number_problem(port); !problem.empty()) causes.push_back(cause_invalid(path + ".service.port", port, "port is not valid: " + problem));
}

void check_review_versions(const json& versions, const std::string& path, Causes& causes) {
  if (versions.empty()) return causes.push_back(cause_required(path));
  std::set<json> seen;
  bool accepted = false;
  for (size_t i = 0; i < versions.size(); ++i) {
    const std::string here = path + "[" + std::to_string(i) + "]";
    if (!seen.insert(versions[i]).second) {
      causes.push_back(cause_invalid(here, versions[i], "duplicate version"));
      continue;
    }
    if (versions[i].is_string()) add_problem(causes, here, versions[i], text_problem(versions[i].get<std::string>(), NameRule::kDns1035Label));
    accepted |= versions[i] == "v1" || versions[i] == "v1beta1";
  }
  if (!accepted) causes.push_back(cause_invalid(path, versions, "must include at least one of v1, v1beta1"));
}

void check_conversion(const json& spec, Causes& causes) {
  static constexpr std::string_view kStrategies[] = {"None", "Webhook"};
  const json* conversion = find_key(spec, "conversion");
  if (!conversion) return;
  const std::string strategy = get_string(*conversion, "strategy"), path = "spec.conversion";
  if (strategy != "None" && get_bool(spec, "preserveUnknownFields")) causes.push_back(cause_invalid(path + ".strategy", strategy, "must be None if spec.preserveUnknownFields is true"));
  check_one_of(path + ".strategy", strategy, kStrategies, causes);
  const json *client = find(*conversion, "webhook.clientConfig"), &versions = get_array(*conversion, "webhook.conversionReviewVersions");
  if (strategy == "Webhook") {
    if (client) check_conversion_client(*client, path + ".webhookClientConfig", causes);
    else causes.push_back(cause_required(path + ".webhookClientConfig", "required when strategy is set to Webhook"));
    return check_review_versions(versions, path + ".conversionReviewVersions", causes);
  }
  static constexpr const char* kIdle = "should not be set when strategy is not set to Webhook";
  if (client) causes.push_back(cause_forbidden(path + ".webhookClientConfig", kIdle));
  if (!versions.empty()) causes.push_back(cause_forbidden(path + ".conversionReviewVersions", kIdle));
}

// --- What the definition as a whole must be ---

void check_definition_change(const json& tree, const json& old, Causes& causes) {
  for (const char* field : {"spec.scope", "spec.names.kind", "spec.group", "spec.names.plural"}) {
    const bool when_served = std::string_view(field) == "spec.scope" || std::string_view(field) == "spec.names.kind";
    if (when_served && !is_established(old)) continue;
    if (get_string(tree, field) != get_string(old, field)) causes.push_back(cause_invalid(field, get_string(tree, field), "field is immutable"));
  }
}

// Status is made after this: the version that is stored will be in it.
void check_stored_versions(const json& tree, Causes& causes) {
  const json& versions = get_array(tree, "spec.versions");
  const json* listed = find(tree, "status.storedVersions");
  json stored = listed && listed->is_array() ? *listed : json::array();
  for (const json& version : versions) {
    if (!get_bool(version, "storage")) continue;
    const json name = get_string(version, "name");
    if (std::find(stored.begin(), stored.end(), name) == stored.end()) stored.push_back(name);
    break;
  }
  if (stored.empty()) return causes.push_back(cause_invalid("status.storedVersions", nullptr, "must have at least one stored version"));
  for (const json& version : versions) {
    const json name = get_string(version, "name");
    if (get_bool(version, "storage") && std::find(stored.begin(), stored.end(), name) == stored.end()) {
      causes.push_back(cause_invalid("status.storedVersions", stored, "must have the storage version " + name.get<std::string>()));
    }
  }
  for (size_t i = 0; i < stored.size(); ++i) {
    if (!stored[i].is_string()) continue;
    const std::string name = stored[i].get<std::string>();
    if (std::any_of(versions.begin(), versions.end(), [&](const json& v) { return get_string(v, "name") == name; })) continue;
    causes.push_back(cause_invalid(item("status", "storedVersions", i), name,
                                   "missing from spec.versions; " + name + " was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in " +
                                       name + " and removes " + name + " from status.storedVersions"));
  }
}

enum class Approval { kNone, kGiven, kBypassed, kInvalid };
Approval approval_of(const json& tree) {
  const std::string* text = find_annotation(tree, kApproval);
  if (!text || text->empty()) return Approval::kNone;
  if (text->starts_with("unapproved")) return Approval::kBypassed;
  const size_t colon = text->find("://");
  return colon != std::string::npos && colon > 0 && text->size() > colon + 3 && (*text)[colon + 3] != '/' ? Approval::kGiven : Approval::kInvalid;
}

void check_approval(const json& tree, const json* old, Causes& causes) {
  const std::string group = "." + get_string(tree, "spec.group"), field = std::string("metadata.annotations[") + kApproval + "]";
  if (!group.ends_with(".k8s.io") && !group.ends_with(".kubernetes.io")) return;
  const Approval approval = approval_of(tree);
  if (old && approval_of(*old) == approval) return;
  static constexpr const char* kWanted = "protected groups must have approval annotation \"api-approved.kubernetes.io\"";
  static constexpr const char* kSee = ", see https://github.com/kubernetes/enhancements/pull/1111";
  if (approval == Approval::kNone) causes.push_back(cause_required(field, std::string(kWanted) + kSee));
  if (approval == Approval::kInvalid) causes.push_back(cause_invalid(field, *find_annotation(tree, kApproval), std::string(kWanted) + " with either a URL or a reason starting with \"unapproved\"" + kSee));
}

}  // namespace

Causes validate_customresourcedefinition(const json& tree, const json* old) {
  static constexpr std::string_view kScopes[] = {"Cluster", "Namespaced"};
  Causes causes;
  const json& spec = get_object(tree, "spec");
  if (!old) check_definition_name(tree, spec, causes);
  check_group(get_string(spec, "group"), causes);
  check_one_of("spec.scope", get_string(spec, "scope"), kScopes, causes);
  check_versions(spec, causes);
  check_conversion(spec, causes);
  if (old) check_definition_change(tree, *old, causes);
  check_stored_versions(tree, causes);
  check_approval(tree, old, causes);
  if (get_bool(spec, "preserveUnknownFields") && !(old && get_bool(*old, "spec.preserveUnknownFields"))) {
    causes.push_back(cause_invalid("spec.preserveUnknownFields", true, "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"));
  }
  return causes;
}

}  // namespace store

#include "store/custom/definition.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/custom/schema_node.h"
#include "store/custom/schema_rules.h"
#include "store/object/access.h"

namespace store {
namespace {

// Keeps the time of a condition that says what it said before.
void set_condition(json& tree, const char* type, const char* value, const std::string& reason, const std::string& message, const std::string& now) {
  json& conditions = ensure(tree, "status.conditions");
  if (!conditions.is_array()) conditions = json::array();
  json wanted = {{"type", type}, {"status", value}, {"reason", reason}, {"message", message}, {"lastTransitionTime", now}};
  for (json& condition : conditions) {
    if (get_string(condition, "type") != type) continue;
    if (get_string(condition, "status") == value) wanted["lastTransitionTime"] = condition.value("lastTransitionTime", now);
    condition = std::move(wanted);
    return;
  }
  conditions.push_back(std::move(wanted));
}

bool condition_is(const json& tree, std::string_view type, std::string_view value) {
  for (const json& condition : get_array(tree, "status.conditions")) {
    if (get_string(condition, "type") == type) return get_string(condition, "status") == value;
  }
  return false;
}

struct Conflict {
  std::string reason, message;
};

// The first of the wanted names that another kind of the group has.
Conflict find_conflict(const json& spec, const std::vector<const Resource*>& others) {
  const std::string group = get_string(spec, "group");
  auto taken = [&](const std::string& name, bool kind) {
    return std::any_of(others.begin(), others.end(), [&](const Resource* r) {
      if (r->group != group) return false;
      if (kind) return r->kind == name || r->list_kind == name;
      return r->plural == name || r->singular == name || std::find(r->short_names.begin(), r->short_names.end(), name) != r->short_names.end();
    });
  };
  struct Row {
    const char* field;
    const char* reason;
    bool kind;
  };
  static constexpr Row kRows[] = {{"plural", "PluralConflict", false}, {"singular", "SingularConflict", false}, {"kind", "KindConflict", true}, {"listKind", "ListKindConflict", true}};
  for (const Row& row : kRows) {
    const std::string name = get_string(get_object(spec, "names"), row.field);
    if (!name.empty() && taken(name, row.kind)) return {row.reason, json(name).dump() + " is already in use"};
  }
  for (const json& name : get_array(spec, "names.shortNames")) {
    if (name.is_string() && taken(name.get<std::string>(), false)) return {"ShortNamesConflict", name.dump() + " is already in use"};
  }
  return {};
}

void note_stored_version(json& tree) {
  json& versions = ensure(tree, "status.storedVersions");
  if (!versions.is_array()) versions = json::array();
  for (const json& version : get_array(tree, "spec.versions")) {
    if (!get_bool(version, "storage")) continue;
    const json name = get_string(version, "name");
    if (std::find(versions.begin(), versions.end(), name) == versions.end()) versions.push_back(name);
  }
}

std::vector<std::string> formats_of(const json& tree) {
  std::vector<std::string> out;
  for (const json& version : get_array(tree, "spec.versions")) {
    for (std::string& format : unknown_formats(get_object(version, "schema.openAPIV3Schema"))) out.push_back(std::move(format));
  }
  return out;
}

}  // namespace

void complete_definition_status(json& tree, const std::vector<const Resource*>& others, const std::string& now) {
  note_stored_version(tree);
  const Conflict conflict = find_conflict(get_object(tree, "spec"), others);
  if (!conflict.reason.empty()) {
    set_condition(tree, "NamesAccepted", "False", conflict.reason, conflict.message, now);
    // What is served already stays so.
    if (!is_established(tree)) {
      ensure(tree, "status")["acceptedNames"] = {{"plural", ""}, {"kind", ""}};
      set_condition(tree, "Established", "False", "NotAccepted", "not all names are accepted", now);
    }
    return;
  }
  ensure(tree, "status")["acceptedNames"] = get_object(tree, "spec.names");
  set_condition(tree, "NamesAccepted", "True", "NoConflicts", "no conflicts found", now);
  set_condition(tree, "Established", "True", "InitialNamesAccepted", "the initial names have been accepted", now);
}

bool is_dropped_silently(std::string_view issue) {
  constexpr std::string_view kRoot = ".schema.openAPIV3Schema.";
  const size_t root = issue.find(kRoot);
  if (root == std::string_view::npos) return false;
  bool name = false;  // The next step is the name of a property and not a field of a schema.
  for (size_t at = root + kRoot.size(), end; at < issue.size(); at = end + 1) {
    end = std::min(issue.find('.', at), issue.size());
    const std::string_view step = issue.substr(at, end - at);
    if (!name && step == "items" && end < issue.size()) return true;
    name = !name && (step == "properties" || step == "patternProperties" || step == "definitions");
  }
  return false;
}

bool is_established(const json& definition) { return condition_is(definition, "Established", "True"); }

std::vector<std::string> definition_warnings(const json& tree, const json* old) {
  std::vector<std::string> out;
  const std::vector<std::string> before = old ? formats_of(*old) : std::vector<std::string>();
  for (const std::string& format : formats_of(tree)) {
    std::string text = "unrecognized format " + json(format).dump(-1, ' ', false, json::error_handler_t::replace);
    const bool known = std::find(before.begin(), before.end(), format) != before.end() || std::find(out.begin(), out.end(), text) != out.end();
    if (!known) out.push_back(std::move(text));
  }
  const json& versions = get_array(tree, "spec.versions");
  for (size_t i = 0; i < versions.size(); ++i) {
    if (!has_validation_rules(get_object(versions[i], "schema"))) continue;
    out.push_back("spec.versions[" + std::to_string(i) + "].schema: kubelan does not evaluate CEL: x-kubernetes-validations are stored, and every object passes them");
  }
  return out;
}

void mark_definition_terminating(json& tree, const std::string& now) {
  json& finalizers = ensure(tree, "metadata.finalizers");
  if (!finalizers.is_array()) finalizers = json::array();
  if (std::find(finalizers.begin(), finalizers.end(), std::string(kCleanupFinalizer)) == finalizers.end()) finalizers.push_back(kCleanupFinalizer);
  set_condition(tree, "Terminating", "True", "InstanceDeletionPending", "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon", now);
}

}  // namespace store

// Event, as core/v1 and events.k8s.io let it be written; both run on the form of core/v1.
#include <nlohmann/json.hpp>

#include "store/object/label_syntax.h"
#include "store/schema/go_form.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr size_t kMaxWord = 128;  // action, reason, reportingInstance
constexpr size_t kMaxMessage = 1024;

bool is_set(const json& tree, std::string_view key) {
  const auto at = tree.find(key);
  return at != tree.end() && !at->is_null() && *at != "" && *at != 0;
}

void check_length(const json& tree, std::string_view key, size_t limit, Causes& causes) {
  if (string_at(tree, key).size() <= limit) return;
  causes.push_back(cause_invalid(std::string(key), "", "can have at most " + std::to_string(limit) + " characters"));
}

void check_word(const json& tree, std::string_view key, Causes& causes) {
  if (string_at(tree, key).empty()) causes.push_back(cause_required(std::string(key)));
  check_length(tree, key, kMaxWord, causes);
}

// Events with an eventTime are of the newer kind and must say who reports them.
void check_new_event(const json& tree, const std::string& component_field, Causes& causes) {
  const std::string own = string_at(object_at(tree, "metadata"), "namespace");
  const std::string involved = string_at(object_at(tree, "involvedObject"), "namespace");
  if (involved.empty() && own != "default" && own != "kube-system") {
    causes.push_back(cause_invalid("involvedObject.namespace", involved, "does not match event.namespace"));
  }
  const std::string component = string_at(tree, "reportingComponent");
  if (component.empty()) causes.push_back(cause_required(component_field));
  add_problem(causes, component_field, component, label_key_problem(component));
  check_word(tree, "reportingInstance", causes);
  check_word(tree, "action", causes);
  check_word(tree, "reason", causes);
  check_length(tree, "message", kMaxMessage, causes);
}

Causes check_event(const json& tree, const std::string& component_field) {
  Causes causes;
  if (!tree.is_object()) return causes;
  if (is_set(tree, "eventTime")) {
    check_new_event(tree, component_field, causes);
    return causes;
  }
  const std::string own = string_at(object_at(tree, "metadata"), "namespace");
  const std::string involved = string_at(object_at(tree, "involvedObject"), "namespace");
  // Events of cluster-scoped objects live in "default".
  if (involved.empty() ? own.empty() || own == "default" : own == involved) return causes;
  causes.push_back(cause_invalid("involvedObject.namespace", involved, "does not match event.namespace"));
  return causes;
}

void check_series(const json& tree, Causes& causes) {
  if (!is_set(tree, "series")) return;
  const json& series = object_at(tree, "series");
  const auto count = series.find("count");
  if (count == series.end() || !count->is_number_integer() || count->get<int64_t>() < 2) {
    causes.push_back(cause_invalid("series.count", "", "should be at least 2"));
  }
  if (!is_set(series, "lastObservedTime")) causes.push_back(cause_required("series.lastObservedTime"));
}

void check_created(const json& tree, Causes& causes) {
  check_series(tree, causes);
  if (!is_set(tree, "eventTime")) causes.push_back(cause_required("eventTime"));
  const std::string type = string_at(tree, "type");
  if (type != "Normal" && type != "Warning") causes.push_back(cause_invalid("type", "", "has invalid value: " + type));
  for (const char* old_field : {"firstTimestamp", "lastTimestamp", "count"}) {
    if (is_set(tree, old_field)) causes.push_back(cause_invalid(old_field, "", "needs to be unset"));
  }
  const json& source = object_at(tree, "source");
  if (is_set(source, "component") || is_set(source, "host")) causes.push_back(cause_invalid("source", "", "needs to be unset"));
}

void check_changed(const json& tree, const json& old, Causes& causes) {
  const Type* type = find_type("io.k8s.api.core.v1.Event");
  if (!type || !old.is_object()) return;
  if (go_field(tree, *type, "series") != go_field(old, *type, "series")) check_series(tree, causes);
  for (const char* field : {"involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type", "eventTime", "action",
                            "related", "reportingComponent", "reportingInstance"}) {
    const std::string shown_name = std::string_view(field) == "reportingComponent" ? "reportingController" : field;
    const std::string now = go_field(tree, *type, field);
    if (now != go_field(old, *type, field)) causes.push_back({"FieldValueInvalid", "Invalid value: " + now + ": field is immutable", shown_name});
  }
}

}  // namespace

std::vector<base::Cause> validate_event(const json& tree, const json*) { return check_event(tree, "reportingComponent"); }

std::vector<base::Cause> validate_event_strict(const json& tree, const json* old) {
  Causes causes = check_event(tree, "reportingController");
  if (!tree.is_object()) return causes;
  if (old) check_changed(tree, *old, causes);
  else check_created(tree, causes);
  return causes;
}

}  // namespace store

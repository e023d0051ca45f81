#include "store/schema/conversions.h"

#include <nlohmann/json.hpp>

namespace store {
namespace {

struct Row {
  std::string_view name;
  Conversion conversion;
};
constexpr Row kConversions[] = {
    {"autoscaler", {conversions::autoscaler_to_stored, conversions::autoscaler_from_stored}},
    {"event", {conversions::event_to_stored, conversions::event_from_stored}},
};

struct Names {
  const char* served;
  const char* stored;
};
// events.k8s.io renamed what core/v1 has.
constexpr Names kEventNames[] = {
    {"deprecatedCount", "count"},
    {"deprecatedFirstTimestamp", "firstTimestamp"},
    {"deprecatedLastTimestamp", "lastTimestamp"},
    {"deprecatedSource", "source"},
    {"note", "message"},
    {"regarding", "involvedObject"},
    {"reportingController", "reportingComponent"},
};

void rename(json& tree, const char* from, const char* to) {
  auto at = tree.find(from);
  if (at == tree.end()) return;
  json value = std::move(*at);
  tree.erase(at);
  tree[to] = std::move(value);
}

// `as`: the type of the other version, which leaves out and adds other zero values.
json converted(const Resource& r, json tree, void (*Conversion::*way)(json&), std::string version, const Type& as) {
  if (const Conversion* conversion = find_conversion(r.convert)) (conversion->*way)(tree);
  tree["apiVersion"] = std::move(version);
  if (!r.custom) apply_defaults(tree, as);
  return tree;
}

// A definition may say that objects are kept in another version from now on; those that are there stay as they were written.
bool is_of_other_version(const Resource& r, const json& tree) {
  const auto at = tree.find("apiVersion");
  return at == tree.end() || !at->is_string() || at->get_ref<const std::string&>() != r.api_version();
}

}  // namespace

const Conversion* find_conversion(std::string_view name) {
  for (const Row& row : kConversions) {
    if (row.name == name) return &row.conversion;
  }
  return nullptr;
}

json to_stored(const Resource& r, json tree) {
  if (r.is_stored() || !tree.is_object()) return tree;
  const Resource* stored = builtin_registry().find_storage(r.storage_name);
  return converted(r, std::move(tree), &Conversion::to_stored, std::string(r.stored_version), stored ? *stored->type : *r.type);
}
json from_stored(const Resource& r, json tree) {
  if (r.is_stored() || !tree.is_object()) return tree;
  return converted(r, std::move(tree), &Conversion::from_stored, r.api_version(), *r.type);
}

Object view(const Resource& r, const Object& stored) {
  if (!stored) return stored;
  if (r.custom && is_of_other_version(r, stored.tree())) {
    json tree = stored.tree();
    tree["apiVersion"] = r.api_version();
    return Object(r.storage(), std::move(tree));
  }
  if (r.is_stored() || r.custom) return stored;
  return Object(r.storage(), from_stored(r, stored.tree()));
}

namespace conversions {

void event_to_stored(json& tree) {
  for (const Names& names : kEventNames) rename(tree, names.served, names.stored);
}
void event_from_stored(json& tree) {
  for (const Names& names : kEventNames) rename(tree, names.stored, names.served);
}

}  // namespace conversions
}  // namespace store

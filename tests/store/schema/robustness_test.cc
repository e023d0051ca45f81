// Any value at any place of an object of any kind: nothing on the way of a write throws. The samples come from the tables, each
// field filled with a value that fits it, so that a new kind is covered by itself.
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <vector>

#include "store/custom/custom_kind.h"
#include "store/custom/definition.h"
#include "store/schema/conversions.h"
#include "store/schema/hooks.h"
#include "store/schema/schema.h"

namespace store {
namespace {

constexpr int kMaxDepth = 10;
constexpr size_t kNear = 2;  // Fields so near to the root are tried in each kind, and with all values; others once for their type, with the next one.

json sample_of(const Type& type, std::set<const Type*>& within, int depth);

json sample_object(const Type& type, std::set<const Type*>& within, int depth) {
  // Pods themselves have all fields; what is below a template is judged by the same code.
  if (type.name == "io.k8s.api.core.v1.PodTemplateSpec") {
    return {{"metadata", {{"labels", {{"a", "x"}}}}}, {"spec", {{"containers", {{{"name", "x"}, {"image", "x"}}}}, {"restartPolicy", "Never"}}}};
  }
  json out = json::object();
  if (depth > kMaxDepth || !within.insert(&type).second) return out;
  for (const Field& field : type.fields) {
    json value = field.default_json.empty() ? sample_of(*field.type, within, depth + 1) : json::parse(field.default_json);
    if (value.is_object() && value.empty()) value = sample_of(*field.type, within, depth + 1);
    out[std::string(field.name)] = std::move(value);
  }
  within.erase(&type);
  return out;
}

json sample_of(const Type& type, std::set<const Type*>& within, int depth) {
  switch (type.kind) {
    case TypeKind::kObject: return sample_object(type, within, depth);
    case TypeKind::kMap: return {{"a", sample_of(*type.element, within, depth + 1)}};
    case TypeKind::kList: return json::array({sample_of(*type.element, within, depth + 1)});
    case TypeKind::kString: return type.one_of.empty() ? "x" : std::string(type.one_of.front());
    case TypeKind::kInteger: return type.has_min ? std::max<int64_t>(type.min, 1) : 1;
    case TypeKind::kNumber: return 1.5;
    case TypeKind::kBoolean: return true;
    case TypeKind::kIntOrString: return "25%";
    case TypeKind::kQuantity: return "1";
    case TypeKind::kTime: return "2026-01-01T00:00:00Z";
    case TypeKind::kMicroTime: return "2026-01-01T00:00:00.000000Z";
    case TypeKind::kBytes: return "eA==";
    case TypeKind::kAny: return {{"type", "object"}, {"properties", {{"a", {{"type", "string"}}}}}};
  }
  return nullptr;
}

json sample_of(const Resource& resource) {
  std::set<const Type*> within;
  json out = sample_of(*resource.type, within, 0);
  out["apiVersion"] = resource.api_version();
  out["kind"] = resource.kind;
  return out;
}

// As the write pipeline does it; what does not have Go's types is refused before the rest.
bool decode(const Resource& resource, json& tree) {
  drop_nulls(tree, *resource.type);
  if (!check_types(tree, resource).ok()) return false;
  prune_unknown(tree, *resource.type);
  stored_only_fields(tree, *resource.type);
  return true;
}
json complete(const Resource& resource, json tree) {
  apply_defaults(tree, *resource.type);
  const Resource& kept = *builtin_registry().stored(resource);
  if (!resource.is_stored()) tree = to_stored(resource, std::move(tree));
  if (!resource.is_stored()) apply_defaults(tree, *kept.type);
  if (const PrepareHook prepare = find_prepare_hook(kept.prepare_hook)) prepare(tree);
  if (const AdmitHook admit = find_admit_hook(kept.prepare_hook)) admit(tree, nullptr);
  return tree;
}
void judge(const Resource& resource, const json& tree, const json* old) {
  const Resource& kept = *builtin_registry().stored(resource);
  size_t found = validate_object_meta(tree, kept).size() + validate_fields(tree, *kept.type).size();
  if (const ValidateHook validate = find_validate_hook(resource.validate_hook.empty() ? kept.validate_hook : resource.validate_hook)) found += validate(tree, old).size();
  if (old) validate_immutable(*old, tree, *kept.type);
  if (!resource.is_stored()) from_stored(resource, tree);
  if (kept.storage_name == "services") service_warnings(tree);
  if (kept.storage_name != kDefinitions) return;
  definition_warnings(tree, old);
  if (found == 0) CustomKind::compile(tree);
}

// `updates`: also as what replaces the old object, and as what is replaced.
void write(const Resource& resource, const json& sent, const json& before, bool updates) {
  json tree = sent;
  // Also what the check of types refuses: nothing shall rest on it.
  const bool refused = !decode(resource, tree);
  tree = complete(resource, std::move(tree));
  judge(resource, tree, nullptr);
  if (!updates) return;
  judge(resource, tree, &before);
  if (refused) return;
  judge(resource, before, &tree);
}

// Each place of `node`, with the type and the field that it is of.
struct Walk {
  const std::function<void(const std::string& what)>& check;
  std::set<std::pair<const Type*, std::string_view>>& tried;
  size_t checks = 0, next = 0;

  void every_value(json& node, bool near, const std::string& path) {
    static const std::vector<json> kValues = {nullptr, -1, 1e300, "../x", json::array({nullptr}), json::array({json::object()}), {{"a", json::object()}}};
    const json kept = node;
    const std::span<const json> all(kValues);
    for (const json& value : near ? all : all.subspan(next++ % all.size(), 1)) {
      if (value == kept) continue;
      node = value;
      ++checks;
      check(path + " = " + value.dump());
    }
    node = kept;
  }
  void without(json& object, const std::string& key, const std::string& path) {
    json kept = object[key];
    object.erase(key);
    ++checks;
    check(path + " is gone");
    object[key] = std::move(kept);
  }
  void places(json& node, const Type& type, size_t depth, const std::string& path) {
    if (type.kind == TypeKind::kObject && node.is_object()) {
      for (const Field& field : type.fields) {
        const std::string key(field.name), here = path + "." + key;
        if (!node.contains(key)) continue;
        // Metadata is the same for all kinds.
        const bool near = depth < kNear && type.name != "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
        if (!near && !tried.emplace(&type, field.name).second) continue;
        every_value(node[key], near, here);
        if (near || next % 2 == 0) without(node, key, here);
        places(node[key], *field.type, depth + 1, here);
      }
    } else if (node.is_structured() && type.element) {
      for (json& child : node) {
        every_value(child, depth < kNear, path + "[]");
        places(child, *type.element, depth + 1, path + "[]");
      }
    }
  }
};

TEST(Robustness, AnyValueAtAnyPlaceOfAnyKind) {
  std::set<std::pair<const Type*, std::string_view>> tried;
  size_t checks = 0;
  for (const Resource* resource : builtin_registry().resources()) {
    json sample = sample_of(*resource);
    json before = sample;
    EXPECT_TRUE(decode(*resource, before)) << resource->kind << ": " << check_types(sample, *resource).error().message;
    before = complete(*resource, std::move(before));
    size_t turn = 0;
    const std::function<void(const std::string&)> check = [&](const std::string& what) {
      // An update of a pod says what differs, which takes as long as all the rest.
      const bool updates = resource->kind != "Pod" || ++turn % 8 == 0;
      EXPECT_NO_THROW(write(*resource, sample, before, updates)) << resource->api_version() << " " << resource->kind << what;
    };
    Walk walk{check, tried};
    walk.places(sample, *resource->type, 0, "");
    checks += walk.checks;
  }
  EXPECT_GT(checks, 5'000u);
}

}  // namespace
}  // namespace store

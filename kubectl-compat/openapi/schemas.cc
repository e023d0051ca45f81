// From schema types to JSON schemas, in the shape that kubectl's explain, validation and patching read.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "kubectl-compat/openapi/model.h"
#include "store/custom/custom_kind.h"

namespace compat {
namespace {

using store::Field;
using store::ListType;
using store::Type;
using store::TypeKind;

// Scalars that upstream gives a name of their own; explain prints the last part of it as the type.
struct ScalarRow {
  TypeKind kind;
  std::string_view name;
  std::string_view type;       // v2, and v3 unless `alternative` is there
  std::string_view format;
  std::string_view alternative;  // v3: oneOf type and this one
  std::string_view doc;
};

constexpr ScalarRow kScalars[] = {
    {TypeKind::kIntOrString, "io.k8s.apimachinery.pkg.util.intstr.IntOrString", "string", "int-or-string", "integer",
     "A number, or a string such as a port's name or a percentage."},
    {TypeKind::kQuantity, "io.k8s.apimachinery.pkg.api.resource.Quantity", "string", "", "number",
     "A number with an optional suffix: 100m, 1.5, 2k, 512Mi, 1Gi."},
    {TypeKind::kTime, "io.k8s.apimachinery.pkg.apis.meta.v1.Time", "string", "date-time", "", "A time in RFC 3339 form, to the second."},
    {TypeKind::kMicroTime, "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", "string", "date-time", "",
     "A time in RFC 3339 form, to the microsecond."},
};

const char* list_type_name(ListType type) {
  switch (type) {
    case ListType::kAtomic: return "atomic";
    case ListType::kSet: return "set";
    case ListType::kMap: return "map";
  }
  return "atomic";
}

void put_bounds(json& schema, const Type& type, const char* low, const char* high) {
  if (type.has_min) schema[low] = type.min;
  if (type.has_max) schema[high] = type.max;
}

std::string field_doc(const Field& field) {
  constexpr std::string_view kStoredOnly = "kubelan stores this field and does not act on it.";
  std::string doc(field.doc);
  if (field.stored_only) doc += (doc.empty() ? "" : " ") + std::string(kStoredOnly);
  return doc;
}

void put_patch_rules(json& schema, const Field& field) {
  std::string strategy = field.patch_replace ? "replace" : field.patch_merge ? "merge" : "";
  if (field.patch_retain_keys) strategy += strategy.empty() ? "retainKeys" : ",retainKeys";
  if (!strategy.empty()) schema["x-kubernetes-patch-strategy"] = strategy;
  if (!field.patch_merge_key.empty()) schema["x-kubernetes-patch-merge-key"] = field.patch_merge_key;
}

constexpr std::string_view kMetaPackage = "io.k8s.apimachinery.pkg.apis.meta.v1.";

}  // namespace

SchemaSet::~SchemaSet() = default;

SchemaSet::SchemaSet(const store::Registry& registry, Dialect dialect)
    : dialect_(dialect), done_(std::make_unique<json>(json::object())) {
  auto add = [this](const Type* type, Gvk gvk) {
    if (type == nullptr) return;
    std::vector<Gvk>& gvks = gvks_[type];
    if (std::find(gvks.begin(), gvks.end(), gvk) == gvks.end()) gvks.push_back(gvk);
  };
  for (const store::Resource* r : registry.resources()) {
    add(r->type, {r->group, r->version, r->kind});
    if (r->custom) custom_[r->type] = r->custom;
    for (const store::Subresource& sub : r->subresources) {
      Gvk gvk = subresource_gvk(*r, sub);
      if (gvk.kind != r->kind) add(find_type(registry, gvk), gvk);
    }
  }
  for (std::string_view kind : {"Status", "DeleteOptions"}) add(find_meta_type(kind), {"", "v1", kind});
}

json SchemaSet::reference(std::string_view name) const {
  const char* root = dialect_ == Dialect::kV2 ? "#/definitions/" : "#/components/schemas/";
  return {{"$ref", root + std::string(name)}};
}

void SchemaSet::put_gvks(json& schema, std::span<const Gvk> gvks) const {
  for (const Gvk& gvk : gvks) {
    schema["x-kubernetes-group-version-kind"].push_back({{"group", gvk.group}, {"version", gvk.version}, {"kind", gvk.kind}});
  }
}

json SchemaSet::use_scalar(TypeKind kind) {
  for (const ScalarRow& row : kScalars) {
    if (row.kind != kind) continue;
    json& schema = (*done_)[std::string(row.name)];
    if (schema.is_null()) {
      schema["description"] = row.doc;
      if (dialect_ == Dialect::kV3 && !row.alternative.empty()) {
        schema["oneOf"] = json::array({{{"type", row.alternative}}, {{"type", row.type}}});
      } else {
        schema["type"] = row.type;
      }
      if (!row.format.empty()) schema["format"] = row.format;
    }
    return reference(row.name);
  }
  return json::object();
}

json SchemaSet::use(const Type* type) {
  if (type == nullptr) return {{"type", "object"}};
  if (!type->name.empty()) {
    if (queued_.insert(type->name).second) queue_.push_back(type);
    return reference(type->name);
  }
  json out = json::object();
  switch (type->kind) {
    case TypeKind::kObject: return render_object(*type);
    case TypeKind::kMap:
      out = {{"type", "object"}, {"additionalProperties", use(type->element)}};
      if (type->atomic) out["x-kubernetes-map-type"] = "atomic";
      return out;
    case TypeKind::kList:
      out = {{"type", "array"}, {"items", use(type->element)}, {"x-kubernetes-list-type", list_type_name(type->list_type)}};
      for (std::string_view key : type->list_keys) out["x-kubernetes-list-map-keys"].push_back(key);
      if (dialect_ == Dialect::kV3) put_bounds(out, *type, "minItems", "maxItems");
      return out;
    case TypeKind::kString:
      out["type"] = "string";
      if (!type->format.empty()) out["format"] = type->format;
      for (std::string_view value : type->one_of) out["enum"].push_back(value);
      if (!type->one_of.empty()) std::sort(out["enum"].begin(), out["enum"].end());  // The table's order is that of messages.
      if (dialect_ == Dialect::kV3) put_bounds(out, *type, "minLength", "maxLength");
      return out;
    case TypeKind::kInteger:
      out = {{"type", "integer"}, {"format", type->format.empty() ? "int64" : type->format}};
      if (dialect_ == Dialect::kV3) put_bounds(out, *type, "minimum", "maximum");
      return out;
    case TypeKind::kNumber: return {{"type", "number"}, {"format", type->format.empty() ? "double" : type->format}};
    case TypeKind::kBoolean: return {{"type", "boolean"}};
    case TypeKind::kBytes: return {{"type", "string"}, {"format", "byte"}};
    case TypeKind::kAny: return {{"x-kubernetes-preserve-unknown-fields", true}};
    case TypeKind::kIntOrString:
    case TypeKind::kQuantity:
    case TypeKind::kTime:
    case TypeKind::kMicroTime: return use_scalar(type->kind);
  }
  return out;
}

json SchemaSet::render_field(const Field& field) {
  json base = use(field.type);
  std::string doc = field_doc(field);
  json value = field.default_json.empty() ? json() : json::parse(field.default_json, nullptr, false);
  if (dialect_ == Dialect::kV3 && base.contains("$ref")) {
    base = {{"allOf", json::array({std::move(base)})}};  // In 3.0 nothing may stand beside a $ref.
  }
  if (!doc.empty()) base["description"] = std::move(doc);
  if (!value.is_null() && !value.is_discarded()) base["default"] = std::move(value);
  put_patch_rules(base, field);
  return base;
}

json SchemaSet::render_object(const Type& type) {
  json out = {{"type", "object"}};
  if (!type.doc.empty()) out["description"] = type.doc;
  json properties = json::object();
  for (const Field& field : type.fields) {
    properties[std::string(field.name)] = render_field(field);
    if (field.required) out["required"].push_back(field.name);
  }
  if (!properties.empty()) out["properties"] = std::move(properties);
  if (type.atomic) out["x-kubernetes-map-type"] = "atomic";
  if (type.open) out["x-kubernetes-preserve-unknown-fields"] = true;
  return out;
}

// A definition's own schema says more than its types do: patterns, alternatives, limits. What every object has is added.
json SchemaSet::render_custom(const store::CustomVersion& version, const Type& type) {
  json out = version.schema_json->is_object() ? *version.schema_json : json::object();
  if (dialect_ == Dialect::kV2) {
    out = definition_for_v2(std::move(out));
    if (!out.contains("properties")) return out;
  }
  json& properties = out["properties"];
  if (!properties.is_object()) properties = json::object();
  for (const char* name : {"apiVersion", "kind", "metadata"}) {
    if (const Field* field = type.find_field(name)) properties[name] = render_field(*field);
  }
  return out;
}

json SchemaSet::render_list_kind(const store::Resource& resource) {
  auto field = [](const char* doc, json schema) {
    schema["description"] = doc;
    return schema;
  };
  json metadata = use_meta("ListMeta");
  if (dialect_ == Dialect::kV3) metadata = {{"allOf", json::array({std::move(metadata)})}};
  json out = {{"type", "object"},
              {"description", "A list of objects of kind " + std::string(resource.kind) + "."},
              {"required", json::array({"items"})},
              {"properties",
               {{"apiVersion", field("The group and version of the list.", {{"type", "string"}})},
                {"kind", field("The kind of the list.", {{"type", "string"}})},
                {"metadata", field("The revision that the list shows, and how to get its next page.", std::move(metadata))},
                {"items", field("The objects.", {{"type", "array"}, {"items", use(resource.type)}})}}}};
  Gvk gvk{resource.group, resource.version, resource.list_kind};
  put_gvks(out, {&gvk, 1});
  return out;
}

json SchemaSet::use_list(const store::Resource& resource) {
  if (resource.type == nullptr || resource.type->name.empty()) return render_list_kind(resource);
  std::string name = std::string(resource.type->name) + "List";
  if (!done_->contains(name)) (*done_)[name] = render_list_kind(resource);
  return reference(name);
}

json SchemaSet::use_meta(std::string_view name) {
  const Type* type = find_meta_type(name);
  return use(type);
}

json SchemaSet::use_patch() {
  std::string name = std::string(kMetaPackage) + "Patch";
  (*done_)[name] = {{"type", "object"}, {"description", "A patch, in the form that the request's Content-Type names."}};
  return reference(name);
}

json SchemaSet::take() {
  // Rendering a type may add more to the queue.
  while (!queue_.empty()) {
    const Type* type = queue_.back();
    queue_.pop_back();
    json schema;
    const auto custom = custom_.find(type);
    if (custom != custom_.end() && dialect_ == Dialect::kV3) {
      schema = render_custom(*custom->second, *type);
    } else if (type->kind == TypeKind::kObject) {
      schema = render_object(*type);
    } else {
      Type bare = *type;
      bare.name = {};
      schema = use(&bare);
      if (!type->doc.empty()) schema["description"] = type->doc;
    }
    if (auto gvks = gvks_.find(type); gvks != gvks_.end()) put_gvks(schema, gvks->second);
    (*done_)[std::string(type->name)] = std::move(schema);
  }
  return std::exchange(*done_, json::object());
}

}  // namespace compat

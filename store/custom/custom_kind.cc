#include "store/custom/custom_kind.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "store/object/access.h"
#include "store/schema/validate.h"

namespace store {
namespace {

constexpr std::string_view kVerbs[] = {"delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"};  // In upstream's order.
constexpr std::string_view kPartVerbs[] = {"get", "patch", "update"};
constexpr Type kText{.kind = TypeKind::kString};
constexpr Type kAnything{.kind = TypeKind::kAny};

std::string without_dot(std::string path) {
  if (!path.empty() && path.front() == '.') path.erase(0, 1);
  return path;
}

// "stable.example.com" -> "com.example.stable"
std::string reversed(const std::string& group) {
  std::string out, part;
  for (char c : group + ".") {
    if (c != '.') {
      part += c;
      continue;
    }
    out = out.empty() ? part : part + "." + out;
    part.clear();
  }
  return out;
}

struct ParsedVersion {
  int stability = -1;  // 2: v1, 1: v1beta1, 0: v1alpha1, -1: of another form.
  int major = 0, minor = 0;
};
ParsedVersion parse_version(std::string_view text) {
  ParsedVersion out;
  if (text.size() < 2 || text[0] != 'v') return out;
  auto [rest, error] = std::from_chars(text.data() + 1, text.data() + text.size(), out.major);
  if (error != std::errc()) return out;
  std::string_view tail(rest, static_cast<size_t>(text.data() + text.size() - rest));
  if (tail.empty()) return {2, out.major, 0};
  const bool beta = tail.starts_with("beta"), alpha = tail.starts_with("alpha");
  if (!beta && !alpha) return out;
  tail.remove_prefix(beta ? 4 : 5);
  auto [end, bad] = std::from_chars(tail.data(), tail.data() + tail.size(), out.minor);
  if (bad != std::errc() || end != tail.data() + tail.size()) return out;
  out.stability = beta ? 1 : 0;
  return out;
}

}  // namespace

bool version_goes_first(std::string_view a, std::string_view b) {
  const ParsedVersion x = parse_version(a), y = parse_version(b);
  if (x.stability != y.stability) return x.stability > y.stability;
  if (x.stability < 0) return a < b;
  if (x.major != y.major) return x.major > y.major;
  return x.minor > y.minor;
}

CustomKind::CustomKind() = default;
CustomKind::~CustomKind() = default;

std::string_view CustomKind::keep(std::string text) { return texts_.emplace_back(std::move(text)); }

std::span<const std::string_view> CustomKind::keep_list(const json& strings) {
  std::vector<std::string_view>& out = lists_.emplace_back();
  for (const json& text : strings) {
    if (text.is_string()) out.push_back(keep(text.get<std::string>()));
  }
  return out;
}

std::shared_ptr<const CustomKind> CustomKind::compile(const json& definition) {
  std::shared_ptr<CustomKind> out(new CustomKind);
  const json& spec = get_object(definition, "spec");
  out->storage_ = get_string(spec, "names.plural") + "." + get_string(spec, "group");
  std::vector<const json*> served;
  std::string stored;
  for (const json& version : get_array(spec, "versions")) {
    if (!get_bool(version, "served")) continue;
    served.push_back(&version);
    if (get_bool(version, "storage")) stored = get_string(version, "name");
  }
  std::sort(served.begin(), served.end(), [](const json* a, const json* b) { return version_goes_first(get_string(*a, "name"), get_string(*b, "name")); });
  // What is kept must be readable: while the storage version is not served, objects are kept in the preferred one.
  if (stored.empty() && !served.empty()) stored = get_string(*served.front(), "name");
  for (const json* version : served) out->add_version(spec, *version, stored);
  return out;
}

std::vector<const Resource*> CustomKind::rows() const {
  std::vector<const Resource*> out;
  for (const Resource& row : rows_) out.push_back(&row);
  return out;
}

void CustomKind::add_version(const json& spec, const json& version, const std::string& stored_version) {
  const json& schema = get_object(version, "schema.openAPIV3Schema");
  CustomVersion& custom = versions_.emplace_back();
  custom.name = get_string(version, "name");
  custom.schema = compile_schema(schema);
  custom.schema_json = std::make_unique<const json>(schema);
  const std::string group = get_string(spec, "group"), kind = get_string(spec, "names.kind");
  if (get_bool(version, "deprecated")) {
    custom.deprecation = get_string(version, "deprecationWarning");
    if (custom.deprecation.empty()) custom.deprecation = group + "/" + custom.name + " " + kind + " is deprecated";
  }
  Resource& row = rows_.emplace_back();
  row.group = keep(group);
  row.version = custom.name;
  row.kind = keep(kind);
  row.plural = keep(get_string(spec, "names.plural"));
  row.singular = keep(get_string(spec, "names.singular"));
  row.list_kind = keep(get_string(spec, "names.listKind", kind + "List"));
  row.short_names = keep_list(get_array(spec, "names.shortNames"));
  row.categories = keep_list(get_array(spec, "names.categories"));
  row.namespaced = get_string(spec, "scope") == "Namespaced";
  row.verbs = kVerbs;
  row.doc = keep(custom.schema->doc);
  row.type = root_type(*custom.schema, keep(reversed(group) + "." + custom.name + "." + kind), row.doc);
  row.has_generation = true;
  row.storage_name = storage_;
  if (custom.name != stored_version) row.stored_version = keep(group + "/" + stored_version);
  row.custom = &custom;
  add_subresources(row, custom, version);
  add_columns(row, version);
  json labels = json::array();
  for (const json& field : get_array(version, "selectableFields")) labels.push_back(without_dot(get_string(field, "jsonPath")));
  row.field_labels = keep_list(labels);
}

void CustomKind::add_subresources(Resource& row, CustomVersion& custom, const json& version) {
  std::vector<Subresource>& out = subresources_.emplace_back();
  const json& parts = get_object(version, "subresources");
  row.has_status = parts.contains("status");
  if (row.has_status) out.push_back({"status", "", "", row.kind, kPartVerbs});
  if (parts.contains("scale")) {
    out.push_back({"scale", "autoscaling", "v1", "Scale", kPartVerbs});
    custom.replicas_path = without_dot(get_string(parts, "scale.specReplicasPath"));
    custom.status_replicas_path = without_dot(get_string(parts, "scale.statusReplicasPath"));
    custom.selector_path = without_dot(get_string(parts, "scale.labelSelectorPath"));
  }
  row.subresources = out;
}

void CustomKind::add_columns(Resource& row, const json& version) {
  const json& wanted = get_array(version, "additionalPrinterColumns");
  if (wanted.empty()) return;  // Name and Age.
  std::vector<Column>& out = columns_.emplace_back();
  out.push_back({.name = "Name", .type = "string", .format = "name", .doc = "The name of the object, unique among its kind in its namespace.", .path = "metadata.name"});
  for (const json& column : wanted) {
    out.push_back({.name = keep(get_string(column, "name")),
                   .type = keep(get_string(column, "type")),
                   .format = keep(get_string(column, "format")),
                   .doc = keep(get_string(column, "description", "Custom resource definition column (in JSONPath format): " + get_string(column, "jsonPath"))),
                   .priority = static_cast<int>(get_int(column, "priority")),
                   .path = keep(get_string(column, "jsonPath"))});
  }
  row.columns = out;
}

const Type* CustomKind::root_type(const SchemaNode& schema, std::string_view name, std::string_view doc) {
  std::vector<Field>& fields = fields_.emplace_back();
  for (const auto& [field, child] : schema.properties) {
    if (field == "apiVersion" || field == "kind" || field == "metadata") continue;
    fields.push_back({.name = keep(field), .type = type_of(*child), .doc = keep(child->doc)});
  }
  fields.push_back({.name = "apiVersion", .type = &kText, .doc = "Group and version of the object."});
  fields.push_back({.name = "kind", .type = &kText, .doc = "Kind of the object."});
  fields.push_back({.name = "metadata", .type = find_type("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"), .doc = "Name, labels and what else every object has.", .always = true});
  for (Field& field : fields) field.required = std::find(schema.required.begin(), schema.required.end(), field.name) != schema.required.end();
  std::sort(fields.begin(), fields.end(), [](const Field& a, const Field& b) { return a.name < b.name; });
  return &types_.emplace_back(Type{.name = name, .kind = TypeKind::kObject, .doc = doc, .fields = fields, .open = schema.keeps_unknown()});
}

const Type* CustomKind::type_of(const SchemaNode& schema) {
  Type out{.doc = keep(schema.doc), .format = keep(schema.format)};
  if (schema.int_or_string) {
    out.kind = TypeKind::kIntOrString;
  } else if (schema.type == "array") {
    out.kind = TypeKind::kList;
    out.element = schema.items ? type_of(*schema.items) : &kAnything;
    out.list_type = schema.list_type == "set" ? ListType::kSet : schema.list_type == "map" ? ListType::kMap : ListType::kAtomic;
    out.list_keys = keep_list(schema.list_keys);
  } else if (schema.type == "object" && schema.properties.empty() && !schema.embedded) {
    out.kind = schema.additional || schema.any_additional ? TypeKind::kMap : schema.preserve ? TypeKind::kAny : TypeKind::kObject;
    out.element = schema.additional ? type_of(*schema.additional) : &kAnything;
  } else if (schema.type == "object") {
    out.kind = TypeKind::kObject;
    std::vector<Field>& fields = fields_.emplace_back();
    for (const auto& [name, child] : schema.properties) {
      Field field{.name = keep(name), .type = type_of(*child), .doc = keep(child->doc)};
      if (child->default_value) field.default_json = keep(child->default_value->dump());
      field.required = std::find(schema.required.begin(), schema.required.end(), name) != schema.required.end();
      fields.push_back(field);
    }
    out.fields = fields;
    out.open = schema.preserve || schema.embedded;
  } else if (schema.type == "string") {
    out.kind = TypeKind::kString;
    json values = json::array();
    for (const json& value : schema.one_of_values) values.push_back(value);
    out.one_of = keep_list(values);
  } else {
    out.kind = schema.type == "integer" ? TypeKind::kInteger : schema.type == "number" ? TypeKind::kNumber : schema.type == "boolean" ? TypeKind::kBoolean : TypeKind::kAny;
  }
  out.atomic = schema.atomic_map;
  return &types_.emplace_back(out);
}

}  // namespace store

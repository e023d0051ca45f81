#include "kubectl-compat/openapi/openapi.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace compat {
namespace {

using store::Field;
using store::Type;
using store::TypeKind;

// A made-up kind that has a field of every sort.
const Type kString = {.kind = TypeKind::kString};
const std::string_view kColors[] = {"Blue", "Red"};
const Type kColor = {.kind = TypeKind::kString, .one_of = kColors};
const Type kInt = {.kind = TypeKind::kInteger, .format = "int32", .has_min = true, .min = 1};
const Type kBool = {.kind = TypeKind::kBoolean};
const Type kAny = {.kind = TypeKind::kAny};
const Type kBytes = {.kind = TypeKind::kBytes};
const Type kTime = {.kind = TypeKind::kTime};
const Type kIntOrString = {.kind = TypeKind::kIntOrString};
const Type kQuantity = {.kind = TypeKind::kQuantity};
const Type kLabels = {.kind = TypeKind::kMap, .element = &kString, .atomic = true};
const Type kStrings = {.kind = TypeKind::kList, .element = &kString, .list_type = store::ListType::kSet};
const Field kPartFields[] = {{.name = "name", .type = &kString, .doc = "Name of the part.", .required = true}};
const Type kPart = {.name = "io.x.v1.Part", .kind = TypeKind::kObject, .doc = "A part.", .fields = kPartFields, .atomic = true};
const std::string_view kPartKeys[] = {"name"};
const Type kParts = {.kind = TypeKind::kList, .element = &kPart, .list_type = store::ListType::kMap, .list_keys = kPartKeys};
const Field kSpecFields[] = {
    {.name = "any", .type = &kAny},
    {.name = "bytes", .type = &kBytes},
    {.name = "color", .type = &kColor, .doc = "Its colour.", .default_json = "\"Red\"", .stored_only = true},
    {.name = "count", .type = &kInt, .doc = "How many.", .default_json = "1", .required = true},
    {.name = "labels", .type = &kLabels},
    {.name = "on", .type = &kBool, .stored_only = true},
    {.name = "parts", .type = &kParts, .doc = "Its parts.", .patch_merge_key = "name", .patch_merge = true, .patch_retain_keys = true},
    {.name = "port", .type = &kIntOrString, .doc = "A port."},
    {.name = "size", .type = &kQuantity},
    {.name = "tags", .type = &kStrings, .patch_merge = true},
    {.name = "when", .type = &kTime},
};
const Type kSpec = {.name = "io.x.v1.WidgetSpec", .kind = TypeKind::kObject, .doc = "What is wanted.", .fields = kSpecFields};
const Field kWidgetFields[] = {{.name = "kind", .type = &kString},
                               {.name = "spec", .type = &kSpec, .doc = "The widget.", .default_json = "{}"}};
const Type kWidget = {.name = "io.x.v1.Widget", .kind = TypeKind::kObject, .doc = "A widget.", .fields = kWidgetFields};

const std::string_view kVerbs[] = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
const std::string_view kStatusVerbs[] = {"get", "patch", "update"};
const std::string_view kGet[] = {"get"};
const store::Subresource kSubs[] = {{.name = "status", .verbs = kStatusVerbs}, {.name = "log", .verbs = kGet}};
const store::Resource kWidgets = {.group = "x.io", .version = "v1", .kind = "Widget", .plural = "widgets", .list_kind = "WidgetList",
                                  .verbs = kVerbs, .subresources = kSubs, .type = &kWidget};
const store::Resource kCrates = {.group = "x.io", .version = "v1", .kind = "Crate", .plural = "crates", .list_kind = "CrateList",
                                 .namespaced = false, .verbs = kGet, .type = nullptr};

const store::Registry& small_registry() {
  static const store::Registry kRegistry({&kWidgets, &kCrates});
  return kRegistry;
}

// Compares with tests/golden/NAME; KUBELAN_UPDATE_GOLDENS=1 writes it instead.
void expect_golden(const std::string& name, const json& document) {
  std::string path = std::string(KUBELAN_SOURCE_DIR) + "/tests/golden/" + name;
  std::string got = document.dump(1) + "\n";
  if (std::getenv("KUBELAN_UPDATE_GOLDENS") != nullptr) {
    std::ofstream(path) << got;
    return;
  }
  std::ifstream file(path);
  ASSERT_TRUE(file.good()) << path;
  std::stringstream want;
  want << file.rdbuf();
  EXPECT_EQ(got, want.str()) << path << ": run with KUBELAN_UPDATE_GOLDENS=1 to accept";
}

// The document without the meta/v1 types, which change with the schema tables.
json without_meta(json document, const char* path) {
  json& schemas = document[json::json_pointer(path)];
  for (auto it = schemas.begin(); it != schemas.end();) {
    it = it.key().starts_with("io.k8s.apimachinery.pkg.apis.meta.") ? schemas.erase(it) : std::next(it);
  }
  return document;
}

TEST(OpenApi, Goldens) {
  expect_golden("openapi_v3_widgets.json", without_meta(*openapi_v3(small_registry(), "apis/x.io/v1"), "/components/schemas"));
  json v2 = without_meta(openapi_v2(small_registry()), "/definitions");
  v2.erase("paths");  // The same as in version 3 but for the shape of parameters and bodies.
  expect_golden("openapi_v2_widgets.json", v2);
}

TEST(OpenApi, Index) {
  json index = openapi_v3_index(small_registry());
  ASSERT_EQ(index["paths"].size(), 1u);
  std::string hash = openapi_hash(*openapi_v3(small_registry(), "apis/x.io/v1"));
  EXPECT_EQ(index["paths"]["apis/x.io/v1"]["serverRelativeURL"], "/openapi/v3/apis/x.io/v1?hash=" + hash);
  EXPECT_EQ(hash.size(), 64u);
  EXPECT_EQ(hash.find_first_not_of("0123456789ABCDEF"), std::string::npos);
}

TEST(OpenApi, UnknownGroupVersion) {
  for (const char* path : {"", "api/v1", "apis/x.io/v2", "apis/x.io", "/apis/x.io/v1"}) {
    EXPECT_FALSE(openapi_v3(small_registry(), path).has_value()) << path;
  }
}

// Every reference of a document, followed.
void expect_references_resolve(const json& at, const json& document, std::set<std::string>& seen) {
  if (at.is_object() && at.contains("$ref") && at["$ref"].is_string()) {
    std::string ref = at["$ref"];
    if (seen.insert(ref).second) {
      EXPECT_TRUE(document.contains(json::json_pointer(ref.substr(1)))) << ref;
    }
  }
  if (at.is_structured()) {
    for (const json& child : at) expect_references_resolve(child, document, seen);
  }
}

bool has_query(const json& operation, const std::string& name) {
  for (const json& parameter : operation.value("parameters", json::array())) {
    if (parameter["name"] == name && parameter["in"] == "query") return true;
  }
  return false;
}

// What kubectl relies on, for everything compiled in.
TEST(OpenApi, BuiltinDocuments) {
  const store::Registry& registry = store::builtin_registry();
  std::set<std::string> ids;
  const json index = openapi_v3_index(registry);
  EXPECT_GT(index["paths"].size(), 3u);
  for (const auto& [path, entry] : index["paths"].items()) {
    SCOPED_TRACE(path);
    json document = *openapi_v3(registry, path);
    std::set<std::string> seen;
    expect_references_resolve(document, document, seen);
    for (const auto& [url, item] : document["paths"].items()) {
      for (const char* method : {"get", "put", "post", "patch", "delete"}) {
        if (!item.contains(method)) continue;
        const json& op = item[method];
        EXPECT_TRUE(ids.insert(op["operationId"]).second) << op["operationId"];
        EXPECT_TRUE(op["x-kubernetes-group-version-kind"].is_object()) << url;
        if (std::string(method) != "patch") continue;
        for (const char* name : {"dryRun", "fieldManager", "fieldValidation"}) EXPECT_TRUE(has_query(op, name)) << url << " " << name;
      }
    }
  }
  json v2 = openapi_v2(registry);
  std::set<std::string> seen;
  expect_references_resolve(v2, v2, seen);
  for (const store::Resource* r : registry.resources()) {
    ASSERT_NE(r->type, nullptr) << r->plural;
    const json& definition = v2["definitions"][std::string(r->type->name)];
    bool found = false;
    for (const json& gvk : definition.value("x-kubernetes-group-version-kind", json::array())) {
      found |= gvk == json({{"group", r->group}, {"version", r->version}, {"kind", r->kind}});
    }
    EXPECT_TRUE(found) << r->plural;
  }
}

// Just enough of a protobuf reader to check what was written: the values of one field, in order.
std::vector<std::string> fields(std::string_view bytes, int wanted) {
  std::vector<std::string> out;
  size_t at = 0;
  auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0; at < bytes.size() && shift < 64; shift += 7) {
      auto byte = static_cast<uint8_t>(bytes[at++]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < bytes.size()) {
    uint64_t tag = varint();
    uint64_t value = varint();
    bool is_wanted = tag >> 3 == static_cast<uint64_t>(wanted);
    if ((tag & 7) == 0) {
      if (is_wanted) out.push_back(std::to_string(value));
      continue;
    }
    EXPECT_EQ(tag & 7, 2u);
    EXPECT_LE(value, bytes.size() - at);
    if ((tag & 7) != 2 || value > bytes.size() - at) return out;
    if (is_wanted) out.emplace_back(bytes.substr(at, value));
    at += value;
  }
  return out;
}

// The one message at the end of a path of field numbers.
std::string only(std::string bytes, std::initializer_list<int> path) {
  for (int field : path) {
    std::vector<std::string> found = fields(bytes, field);
    EXPECT_EQ(found.size(), 1u) << "field " << field;
    if (found.size() != 1) return "";
    bytes = found[0];
  }
  return bytes;
}

// The value of a {1: key, 2: value} row.
std::string entry(const std::string& message, int field, std::string_view key) {
  for (const std::string& row : fields(message, field)) {
    if (only(row, {1}) == key) return only(row, {2});
  }
  ADD_FAILURE() << "no " << key;
  return "";
}

TEST(OpenApi, Protobuf) {
  std::string document = openapi_v2_protobuf(small_registry());
  EXPECT_EQ(document, openapi_v2_protobuf(small_registry()));  // deterministic
  EXPECT_EQ(only(document, {1}), "2.0");
  EXPECT_EQ(only(document, {2, 1}), "Kubernetes");
  std::string definitions = only(document, {9});
  std::string widget = entry(definitions, 1, "io.x.v1.Widget");
  EXPECT_EQ(only(widget, {4}), "A widget.");
  EXPECT_EQ(only(widget, {22, 1}), "object");
  EXPECT_EQ(only(entry(widget, 31, "x-kubernetes-group-version-kind"), {2}),
            "[{\"group\":\"x.io\",\"kind\":\"Widget\",\"version\":\"v1\"}]\n");
  std::string spec_field = entry(only(widget, {25}), 1, "spec");
  EXPECT_EQ(only(spec_field, {1}), "#/definitions/io.x.v1.WidgetSpec");
  EXPECT_EQ(only(spec_field, {4}), "The widget.");
  EXPECT_EQ(only(spec_field, {5, 2}), "{}\n");
  std::string spec = entry(definitions, 1, "io.x.v1.WidgetSpec");
  EXPECT_EQ(fields(spec, 19), std::vector<std::string>{"count"});
  std::string properties = only(spec, {25});
  std::string parts = entry(properties, 1, "parts");
  EXPECT_EQ(only(parts, {22, 1}), "array");
  EXPECT_EQ(only(parts, {23, 1, 1}), "#/definitions/io.x.v1.Part");
  EXPECT_EQ(only(entry(parts, 31, "x-kubernetes-patch-strategy"), {2}), "\"merge,retainKeys\"\n");
  EXPECT_EQ(only(entry(properties, 1, "labels"), {21, 1, 22, 1}), "string");
  EXPECT_EQ(fields(entry(properties, 1, "color"), 20).size(), 2u);
}

TEST(OpenApi, ProtobufPaths) {
  std::string paths = only(openapi_v2_protobuf(small_registry()), {8});
  std::string item = entry(paths, 2, "/apis/x.io/v1/namespaces/{namespace}/widgets/{name}");
  std::string patch = only(item, {8});
  EXPECT_EQ(only(patch, {5}), "patchXIoV1NamespacedWidget");
  EXPECT_EQ(only(entry(patch, 13, "x-kubernetes-group-version-kind"), {2}),
            "{\"group\":\"x.io\",\"kind\":\"Widget\",\"version\":\"v1\"}\n");
  std::set<std::string> query;
  for (const std::string& parameter : fields(patch, 8)) {
    if (fields(only(parameter, {1}), 2).empty()) continue;  // the body
    query.insert(only(parameter, {1, 2, 3, 4}));
  }
  EXPECT_EQ(query, (std::set<std::string>{"dryRun", "fieldManager", "fieldValidation", "force"}));
  EXPECT_EQ(only(fields(item, 9)[0], {1, 2, 4, 4}), "name");
  std::string ok = entry(only(patch, {9}), 1, "200");
  EXPECT_EQ(only(ok, {1, 2, 1, 1}), "#/definitions/io.x.v1.Widget");
}

}  // namespace
}  // namespace compat

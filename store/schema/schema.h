// store/schema/schema.h - what kinds exist and what their fields are: the one table that discovery, OpenAPI,
// explain, pruning, strict validation, defaults, strategic merge, server-side apply and printing all read.
//
// Rows are immutable and live as long as the Registry they came from (built-in rows: for ever, they are
// static tables generated from store/schema/data/*.yaml by schemac at build time). `const Resource*` and
// `const Type*` are compared by identity. Everything here is safe from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/result.h"

namespace store {

using json = nlohmann::json;

enum class TypeKind : uint8_t {
  kObject,       // named fields
  kMap,          // string -> element
  kList,         // element*
  kString,
  kInteger,      // int32 or int64 by `format`
  kNumber,
  kBoolean,
  kIntOrString,
  kQuantity,     // resource.Quantity, string on the wire (numbers accepted)
  kTime,         // metav1.Time: RFC 3339 string
  kMicroTime,
  kBytes,        // base64 string
  kAny,          // arbitrary JSON, kept as it is (RawExtension, FieldsV1, ...)
};

// How lists merge (server-side apply); strategic merge uses merge_key/patch flags below.
enum class ListType : uint8_t { kAtomic, kSet, kMap };

struct Type;

struct Field {
  std::string_view name;
  const Type* type = nullptr;
  std::string_view doc;            // Our own sentence, for `kubectl explain`.
  std::string_view default_json;   // Empty: none. JSON text, filled in when the field is absent and its parent present.
  std::string_view patch_merge_key;  // Strategic merge list key; "" with patch_merge = primitive merge.
  bool patch_merge = false;        // patchStrategy merge
  bool patch_retain_keys = false;  // patchStrategy retainKeys
  bool patch_replace = false;      // patchStrategy replace: an object that strategic merge replaces whole.
  bool required = false;
  bool immutable = false;          // After create.
  bool stored_only = false;        // kubelan keeps it and does not act on it: Warning on write, said in explain.
  bool nonempty = false;           // `required` and enforced: absent, "", 0 and [] are errors. `required` alone is only said in OpenAPI.
  bool hooked = false;             // The kind's validate hook judges the value, where upstream does: validate_fields passes it over.
  uint16_t wire = 0;               // Field number in upstream's protobuf; 0: it has none.
  uint16_t wire_in = 0;            // Protobuf has the field in a message of this number, which JSON does not show (256 * A + B: in B of A); 0: not so.
  bool pointer = false;            // Upstream's field is a pointer: a zero value was meant and stays; otherwise it says nothing.
  bool always = false;             // There with its zero value, or null, when nobody wrote it.
};

struct Type {
  std::string_view name;      // OpenAPI name "io.k8s.api.core.v1.PodSpec"; empty for anonymous and scalar types.
  TypeKind kind = TypeKind::kAny;
  std::string_view doc;
  std::string_view format;    // "int32", "int64", "date-time", "byte", "int-or-string", ...
  std::span<const Field> fields;             // kObject, sorted by name
  const Type* element = nullptr;             // kMap, kList
  ListType list_type = ListType::kAtomic;    // kList
  std::span<const std::string_view> list_keys;  // kList with ListType::kMap
  bool atomic = false;                       // kObject/kMap with map-type atomic
  bool open = false;                         // kObject that keeps fields it does not name (x-kubernetes-preserve-unknown-fields).
  std::span<const std::string_view> one_of;  // kString: allowed values, empty = any
  bool has_min = false;
  bool has_max = false;
  int64_t min = 0;                           // kInteger: value; kString: length; kList: items
  int64_t max = 0;

  const Field* find_field(std::string_view field) const;  // nullptr if none.
};

struct Column {
  std::string_view name;      // "Ready"
  std::string_view type;      // "string", "integer", "date"
  std::string_view format;    // "name" for Name
  std::string_view doc;
  int priority = 0;           // 1: wide only
  std::string_view path;      // Dotted path into the object, or
  std::string_view cell;      // the name of a function in kubectl-compat/table. Exactly one is set.
};

struct Subresource {
  std::string_view name;           // "status", "scale", "log", "exec"
  std::string_view group, version, kind;  // Of the body it speaks; empty group+version: the parent's.
  std::span<const std::string_view> verbs;
};

enum class NameRule : uint8_t { kDnsSubdomain, kDnsLabel, kDns1035Label, kPathSegment };

struct CustomVersion;  // store/custom/custom_kind.h

// One served resource (group, version, plural). `storage()` names where its objects are kept, shared by
// versions of one kind.
struct Resource {
  std::string_view group;     // "" = core
  std::string_view version;   // "v1"
  std::string_view kind;
  std::string_view plural;
  std::string_view singular;
  std::string_view list_kind;
  std::span<const std::string_view> short_names;
  std::span<const std::string_view> categories;
  bool namespaced = true;
  std::span<const std::string_view> verbs;
  std::span<const Subresource> subresources;
  std::span<const Column> columns;              // Without: Name, Age.
  std::span<const std::string_view> field_labels;  // Selectable besides metadata.name/namespace.
  const Type* type = nullptr;                   // The whole object.
  NameRule name_rule = NameRule::kDnsSubdomain;
  bool has_generation = false;                  // spec changes bump metadata.generation
  bool has_status = false;                      // .status only through /status
  bool needs_revision = false;                  // A PUT must say which resourceVersion it replaces.
  std::string_view prepare_hook;                // Names looked up in server/api's hook table; "" = none.
  std::string_view validate_hook;
  std::string_view doc;
  std::string_view deprecation;                 // A warning of every answer; "" = none.
  std::string_view storage_name;                // "deployments.apps", "pods"; versions of one kind share it.
  std::string_view stored_version;              // "v1", "autoscaling/v2": the version that objects are kept in; "" = this one.
  std::string_view convert;                     // Between this version and that one (hooks.h); "" = only apiVersion differs.

  const CustomVersion* custom = nullptr;        // Made by a CustomResourceDefinition: its values follow that schema, not `type` alone.

  std::string storage() const { return std::string(storage_name); }
  bool is_stored() const { return stored_version.empty(); }
  std::string api_version() const;              // "apps/v1", "v1"
  const Subresource* find_subresource(std::string_view name) const;
};

// The set of served resources. Any thread may read while one publishes: a list that was handed out stays as it was, and
// lives as long as the Registry (a pointer a row; a new list comes only with a changed CustomResourceDefinition).
class Registry {
 public:
  explicit Registry(std::vector<const Resource*> resources);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  const std::vector<const Resource*>& resources() const { return *current_.load(std::memory_order_acquire); }  // In preference order.
  const Resource* find(std::string_view group, std::string_view version, std::string_view plural) const;
  const Resource* find_kind(std::string_view api_version, std::string_view kind) const;  // "apps/v1", "Deployment"
  const Resource* find_storage(std::string_view storage_name) const;                     // The version that objects are kept in.
  const Resource* stored(const Resource& r) const;                                       // Likewise of `r`; `r` itself when it is that one.

  // From now on these are served. The rows must live as long as the Registry. One caller at a time.
  void publish(std::vector<const Resource*> resources);

 private:
  using List = std::vector<const Resource*>;
  std::atomic<const List*> current_{nullptr};
  std::vector<std::unique_ptr<const List>> lists_;  // All that there ever were: somebody may still read one.
};

// Everything compiled in. One instance, immutable.
const Registry& builtin_registry();
// A named type compiled in, also those that are no resource ("io.k8s.api.autoscaling.v1.Scale"); nullptr if none.
const Type* find_type(std::string_view openapi_name);

// --- Pure operations over (tree, type). They never throw; `tree` may be any JSON. ---

// Removes fields the type does not have; returns what was removed as paths worded like upstream
// (`unknown field "spec.foo"`, list indices as `spec.containers[0].foo`).
std::vector<std::string> prune_unknown(json& tree, const Type& type);
// What upstream has once it decoded an object, filled its defaults and encoded it again (recursively; array elements
// too): defaults where a field is absent and its parent is there; zero values that say nothing are gone, those that are
// always there have come; quantities, times and base64 are written in their one form.
void apply_defaults(json& tree, const Type& type);
// JSON types only: the first wrong one comes back as kBadRequest worded as upstream's decoder. Unknown fields
// and nulls are not its business (see prune_unknown, drop_nulls).
base::Status check_types(const json& tree, const Resource& resource);
// The same for a body that is no resource: check_types(body, *scale_type, "v1", "Scale").
base::Status check_types(const json& tree, const Type& type, std::string_view version, std::string_view kind);
// Required, one_of, min/max: every cause, in field order; Cause.message has no field in front
// ("Required value"), Cause.field is "spec.containers[0].name". Expects check_types to have passed; runs after
// defaults. "" in an optional field reads as absent, as it does upstream.
std::vector<base::Cause> validate_fields(const json& tree, const Type& type);
// Fields marked immutable whose value differs: causes "field is immutable".
std::vector<base::Cause> validate_immutable(const json& old_tree, const json& new_tree, const Type& type);
// Paths present in `tree` that are stored_only ("spec.containers[0].livenessProbe"). A value that says nothing
// (null, false, 0, "", {}, []) or equals the field's default is not reported. Meant for the body as written, before defaults.
std::vector<std::string> stored_only_fields(const json& tree, const Type& type);
// Drops nulls where upstream's decoder would (null = absent). A null element of a list or map becomes the zero
// value of its type, as in Go. Arbitrary JSON (kAny) and unknown fields keep theirs.
void drop_nulls(json& tree, const Type& type);

}  // namespace store

// kubectl-compat/openapi/model.h - what both OpenAPI versions are rendered from. Internal to this folder. Pure.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/schema/schema.h"

namespace compat {

using json = nlohmann::json;

enum class Dialect { kV2, kV3 };

struct Gvk {
  std::string_view group, version, kind;
  auto operator<=>(const Gvk&) const = default;
};

struct Param {
  std::string_view name;
  std::string_view type;  // "string", "boolean", "integer"
  std::string_view doc;
};

enum class Body { kNone, kObject, kPatch, kDeleteOptions };
enum class Answer { kObject, kList, kStatus, kText };

struct Operation {
  std::string_view method;  // "get"
  std::string_view action;  // x-kubernetes-action
  std::string id;
  std::string doc;
  std::span<const Param> query;
  Body body = Body::kNone;
  Answer answer = Answer::kObject;
  int code = 200;
};

struct PathItem {
  std::string path;
  const store::Resource* resource = nullptr;
  Gvk gvk;                            // Of the body: the resource's own, or the subresource's.
  const store::Type* type = nullptr;  // Of the body; nullptr: unknown, any JSON.
  bool has_name = false;              // {name} and {namespace} in the path
  bool has_namespace = false;
  std::vector<Operation> operations;
};

// "api/v1", "apis/apps/v1".
std::string group_version_path(std::string_view group, std::string_view version);
// Type of a served kind, or of one that only subresources speak (Scale, Eviction); nullptr if not in the tables.
const store::Type* find_type(const store::Registry& registry, const Gvk& gvk);
// What a subresource's bodies are: the parent's own kind unless its row says otherwise.
Gvk subresource_gvk(const store::Resource& parent, const store::Subresource& sub);
const store::Type* find_meta_type(std::string_view name);  // "ListMeta" of meta/v1

// The paths of one resource, subresources included.
void compile_paths(const store::Registry& registry, const store::Resource& resource, std::vector<PathItem>& out);
json render_paths(const std::vector<PathItem>& paths, class SchemaSet& schemas);

// A definition's own schema (a JSON tree) as version 2 of OpenAPI, and kubectl's validation by it, can take it: no alternatives, and
// nothing said of fields where any may be (upstream: ToStructuralOpenAPIV2).
json definition_for_v2(json schema);

// Collects the named types that a document uses. Asking for a reference is what puts a type in.
class SchemaSet {
 public:
  SchemaSet(const store::Registry& registry, Dialect dialect);
  ~SchemaSet();

  Dialect dialect() const { return dialect_; }
  json use(const store::Type* type);                     // At a use site: a reference, or the type itself if it has no name.
  json use_list(const store::Resource& resource);        // The kind's list.
  json use_meta(std::string_view name);                  // A meta/v1 type: "Status", "DeleteOptions"; any object if unknown.
  json use_patch();
  json take();                                           // All definitions, and what they use in turn.

 private:
  json reference(std::string_view name) const;
  json use_scalar(store::TypeKind kind);
  json render_object(const store::Type& type);
  json render_custom(const store::CustomVersion& version, const store::Type& type);
  json render_field(const store::Field& field);
  json render_list_kind(const store::Resource& resource);
  void put_gvks(json& schema, std::span<const Gvk> gvks) const;

  Dialect dialect_;
  std::map<const store::Type*, std::vector<Gvk>> gvks_;  // Kinds of the types that are whole objects.
  std::map<const store::Type*, const store::CustomVersion*> custom_;
  std::unique_ptr<json> done_;  // Object: name -> schema.
  std::vector<const store::Type*> queue_;
  std::set<std::string_view> queued_;
};

}  // namespace compat

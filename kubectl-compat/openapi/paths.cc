// From resources to paths and operations, after the layout that every Kubernetes API group has.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "kubectl-compat/openapi/model.h"
#include "store/schema/tables.h"

namespace compat {
namespace {

using store::Resource;
using store::Subresource;

template <size_t A, size_t B>
constexpr std::array<Param, A + B> operator+(const std::array<Param, A>& a, const std::array<Param, B>& b) {
  std::array<Param, A + B> out{};
  std::copy(a.begin(), a.end(), out.begin());
  std::copy(b.begin(), b.end(), out.begin() + A);
  return out;
}

constexpr auto kWriteQuery = std::to_array<Param>(
    {{"dryRun", "string", "\"All\" runs every stage of the request but stores nothing."},
     {"fieldManager", "string", "Who makes the change, for the managed fields of the object."},
     {"fieldValidation", "string", "What to do about unknown and duplicate fields: Ignore, Warn or Strict."}});
constexpr auto kPatchQuery =
    kWriteQuery + std::to_array<Param>({{"force", "boolean", "Takes over fields that other managers own; apply patches only."}});
constexpr auto kDeleteQuery = std::to_array<Param>(
    {{"dryRun", "string", "\"All\" runs every stage of the request but deletes nothing."},
     {"gracePeriodSeconds", "integer", "How long the object may take to end; 0 deletes it at once."},
     {"orphanDependents", "boolean", "Older form of propagationPolicy: true leaves the dependents."},
     {"propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."}});
constexpr auto kSelectQuery = std::to_array<Param>(
    {{"continue", "string", "Token of the previous page, to go on after it."},
     {"fieldSelector", "string", "Restricts the objects by their fields."},
     {"labelSelector", "string", "Restricts the objects by their labels."},
     {"limit", "integer", "The most objects in one answer; the rest come in further pages."},
     {"resourceVersion", "string", "The state that is asked for."},
     {"resourceVersionMatch", "string", "How resourceVersion applies: Exact or NotOlderThan."},
     {"sendInitialEvents", "boolean", "Starts a watch with the objects that exist, then a bookmark."},
     {"timeoutSeconds", "integer", "Ends the call after this long."}});
constexpr auto kDeleteAllQuery = kDeleteQuery + kSelectQuery;
constexpr auto kListQuery = kSelectQuery + std::to_array<Param>({{"allowWatchBookmarks", "boolean", "Lets a watch send bookmarks."},
                                                                 {"watch", "boolean", "Streams changes instead of one list."}});
constexpr Param kLogQuery[] = {{"container", "string", "Which container; may be left out when there is one."},
                               {"follow", "boolean", "Goes on as the container writes."},
                               {"limitBytes", "integer", "Ends after this many bytes."},
                               {"previous", "boolean", "The container before its last restart."},
                               {"sinceSeconds", "integer", "Only what was written in the last seconds."},
                               {"tailLines", "integer", "Only this many lines from the end."},
                               {"timestamps", "boolean", "Puts the time before each line."}};
constexpr Param kExecQuery[] = {{"command", "string", "Program and arguments, one parameter each."},
                                {"container", "string", "Which container; may be left out when there is one."},
                                {"stderr", "boolean", "Opens the error output."},
                                {"stdin", "boolean", "Opens the input."},
                                {"stdout", "boolean", "Opens the output."},
                                {"tty", "boolean", "Gives the process a terminal."}};
constexpr Param kPortForwardQuery[] = {{"ports", "integer", "Ports to forward; WebSocket clients only."}};

enum class Place { kCollection, kItem };

struct VerbRow {
  std::string_view verb, method, action, id_verb;
  Place place;
  std::string_view doc;  // Followed by the kind.
  std::span<const Param> query;
  Body body;
  Answer answer;
  int code;
};

constexpr std::span<const Param> kNone;

const VerbRow kVerbs[] = {
    {"list", "get", "list", "list", Place::kCollection, "List or watch objects of kind ", kListQuery, Body::kNone, Answer::kList,
     200},
    {"create", "post", "post", "create", Place::kCollection, "Create an object of kind ", kWriteQuery, Body::kObject,
     Answer::kObject, 201},
    {"deletecollection", "delete", "deletecollection", "delete", Place::kCollection, "Delete all chosen objects of kind ",
     kDeleteAllQuery, Body::kDeleteOptions, Answer::kStatus, 200},
    {"get", "get", "get", "read", Place::kItem, "Read one object of kind ", kNone, Body::kNone, Answer::kObject, 200},
    {"update", "put", "put", "replace", Place::kItem, "Replace one object of kind ", kWriteQuery, Body::kObject, Answer::kObject, 200},
    {"patch", "patch", "patch", "patch", Place::kItem, "Change parts of one object of kind ", kPatchQuery, Body::kPatch,
     Answer::kObject, 200},
    {"delete", "delete", "delete", "delete", Place::kItem, "Delete one object of kind ", kDeleteQuery, Body::kDeleteOptions,
     Answer::kStatus, 200},
};

// Subresources that are not objects: their calls are streams or text.
struct StreamRow {
  std::string_view name;
  std::span<const Param> query;
};
const StreamRow kStreams[] = {
    {"log", kLogQuery}, {"exec", kExecQuery}, {"attach", kExecQuery}, {"portforward", kPortForwardQuery}, {"proxy", kNone}};

std::string capitalized(std::string_view text) {
  std::string out(text);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out;
}

// "rbac.authorization.k8s.io" -> "RbacAuthorization", "" -> "Core".
std::string camel_group(std::string_view group) {
  constexpr std::string_view kSuffix = ".k8s.io";
  if (group.empty()) return "Core";
  if (group.ends_with(kSuffix)) group.remove_suffix(kSuffix.size());
  std::string out;
  while (!group.empty()) {
    size_t dot = group.find('.');
    out += capitalized(group.substr(0, dot));
    group = dot == std::string_view::npos ? std::string_view() : group.substr(dot + 1);
  }
  return out;
}

std::string tag_of(const Resource& resource) {
  std::string tag = camel_group(resource.group);
  tag[0] = static_cast<char>(tag[0] >= 'A' && tag[0] <= 'Z' ? tag[0] - 'A' + 'a' : tag[0]);
  return tag + "_" + std::string(resource.version);
}

bool has_verb(std::span<const std::string_view> verbs, std::string_view verb) {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

// "createCoreV1NamespacedPod": `between` is "Collection", "Get" (connect) or empty; `tail` a subresource or empty.
std::string operation_id(std::string_view verb, const Resource& resource, std::string_view between, std::string_view tail) {
  std::string out(verb);
  out += camel_group(resource.group) + capitalized(resource.version) + std::string(between);
  if (resource.namespaced) out += "Namespaced";
  return out + std::string(resource.kind) + capitalized(tail);
}

Operation make_operation(const VerbRow& row, const Resource& resource, std::string_view subresource) {
  std::string doc = std::string(row.doc) + std::string(resource.kind);
  if (!subresource.empty()) doc += ": its " + std::string(subresource);
  return {row.method,
          row.action,
          operation_id(row.id_verb, resource, row.verb == "deletecollection" ? "Collection" : "", subresource),
          doc + ".",
          row.query,
          row.body,
          row.answer,
          row.code};
}

void add_operations(PathItem& item, std::span<const std::string_view> verbs, Place place, std::string_view subresource) {
  for (const VerbRow& row : kVerbs) {
    if (row.place == place && has_verb(verbs, row.verb)) item.operations.push_back(make_operation(row, *item.resource, subresource));
  }
}

void add_stream_operations(PathItem& item, const Subresource& sub, std::span<const Param> query) {
  bool log = sub.name == "log";
  for (std::string_view method : {"get", "post"}) {
    if (!has_verb(sub.verbs, method == "get" ? "get" : "create")) continue;
    std::string id = operation_id(log ? "read" : "connect", *item.resource, log ? "" : capitalized(method), sub.name);
    item.operations.push_back({method, log ? "get" : "connect", std::move(id),
                               capitalized(sub.name) + " of one object of kind " + std::string(item.resource->kind) + ".", query,
                               Body::kNone, Answer::kText, 200});
  }
}

PathItem make_item(const Resource& resource, std::string path, bool has_name) {
  PathItem item;
  item.path = std::move(path);
  item.resource = &resource;
  item.gvk = {resource.group, resource.version, resource.kind};
  item.type = resource.type;
  item.has_name = has_name;
  item.has_namespace = resource.namespaced;
  return item;
}

void add_if_used(std::vector<PathItem>& out, PathItem item) {
  if (!item.operations.empty()) out.push_back(std::move(item));
}

PathItem subresource_item(const store::Registry& registry, const Resource& resource, const Subresource& sub, const std::string& base) {
  PathItem item = make_item(resource, base + "/{name}/" + std::string(sub.name), true);
  item.gvk = subresource_gvk(resource, sub);
  bool own = item.gvk == Gvk{resource.group, resource.version, resource.kind};
  item.type = own ? resource.type : find_type(registry, item.gvk);
  for (const StreamRow& row : kStreams) {
    if (row.name != sub.name) continue;
    add_stream_operations(item, sub, row.query);
    return item;
  }
  add_operations(item, sub.verbs, Place::kItem, sub.name);
  add_operations(item, sub.verbs, Place::kCollection, sub.name);  // POST .../eviction, .../token
  return item;
}

json parameter(const Param& param, std::string_view in, Dialect dialect) {
  json out = {{"name", param.name}, {"in", in}, {"description", param.doc}};
  if (in == "path") out["required"] = true;
  if (dialect == Dialect::kV2) {
    out["type"] = param.type;
    out["uniqueItems"] = true;
  } else {
    out["schema"] = {{"type", param.type}, {"uniqueItems", true}};
  }
  return out;
}

json body_schema(const PathItem& item, Body body, SchemaSet& schemas) {
  if (body == Body::kPatch) return schemas.use_patch();
  if (body == Body::kDeleteOptions) return schemas.use_meta("DeleteOptions");
  return schemas.use(item.type);
}

json answer_schema(const PathItem& item, Answer answer, SchemaSet& schemas) {
  if (answer == Answer::kList) return schemas.use_list(*item.resource);
  if (answer == Answer::kStatus) return schemas.use_meta("Status");
  if (answer == Answer::kText) return {{"type", "string"}};
  return schemas.use(item.type);
}

constexpr std::string_view kPatchTypes[] = {"application/apply-patch+yaml", "application/json-patch+json",
                                            "application/merge-patch+json", "application/strategic-merge-patch+json"};
constexpr std::string_view kAnyType[] = {"*/*"};

// kubectl apply sends a strategic patch to whoever lists it; custom kinds have no merge keys for one.
std::span<const std::string_view> consumes(const PathItem& item, Body body) {
  if (body != Body::kPatch) return kAnyType;
  const std::span<const std::string_view> all(kPatchTypes);
  return item.resource->custom ? all.first(all.size() - 1) : all;
}

const char* code_text(int code) { return code == 201 ? "Created" : "OK"; }

void put_v2_bodies(json& out, const PathItem& item, const Operation& op, SchemaSet& schemas) {
  bool text = op.answer == Answer::kText;
  out["consumes"] = consumes(item, op.body);
  out["produces"] = json::array({text ? "text/plain" : "application/json"});
  out["schemes"] = json::array({"https"});
  if (op.body != Body::kNone) {
    json body = {{"name", "body"}, {"in", "body"}, {"schema", body_schema(item, op.body, schemas)}};
    if (op.body != Body::kDeleteOptions) body["required"] = true;
    out["parameters"].push_back(std::move(body));
  }
  json answer = {{"description", code_text(op.code)}, {"schema", answer_schema(item, op.answer, schemas)}};
  if (op.method == "patch") out["responses"]["201"] = {{"description", "Created"}, {"schema", answer["schema"]}};
  out["responses"][std::to_string(op.code)] = std::move(answer);
}

void put_v3_bodies(json& out, const PathItem& item, const Operation& op, SchemaSet& schemas) {
  if (op.body != Body::kNone) {
    json schema = body_schema(item, op.body, schemas);
    json& body = out["requestBody"];
    for (std::string_view media : consumes(item, op.body)) body["content"][std::string(media)] = {{"schema", schema}};
    if (op.body != Body::kDeleteOptions) body["required"] = true;
  }
  const char* media = op.answer == Answer::kText ? "text/plain" : "application/json";
  json content = {{media, {{"schema", answer_schema(item, op.answer, schemas)}}}};
  if (op.method == "patch") out["responses"]["201"] = {{"description", "Created"}, {"content", content}};
  out["responses"][std::to_string(op.code)] = {{"description", code_text(op.code)}, {"content", std::move(content)}};
}

json render_operation(const PathItem& item, const Operation& op, SchemaSet& schemas) {
  json out = {{"tags", json::array({tag_of(*item.resource)})},
              {"description", op.doc},
              {"operationId", op.id},
              {"x-kubernetes-action", op.action},
              {"x-kubernetes-group-version-kind",
               {{"group", item.gvk.group}, {"version", item.gvk.version}, {"kind", item.gvk.kind}}}};
  // kubectl decides by these whether the server knows dryRun and fieldValidation; it does not follow references.
  for (const Param& param : op.query) out["parameters"].push_back(parameter(param, "query", schemas.dialect()));
  if (schemas.dialect() == Dialect::kV2) {
    put_v2_bodies(out, item, op, schemas);
  } else {
    put_v3_bodies(out, item, op, schemas);
  }
  return out;
}

}  // namespace

std::string group_version_path(std::string_view group, std::string_view version) {
  return group.empty() ? "api/" + std::string(version) : "apis/" + std::string(group) + "/" + std::string(version);
}

Gvk subresource_gvk(const Resource& parent, const Subresource& sub) {
  bool own = sub.group.empty() && sub.version.empty();
  return {own ? parent.group : sub.group, own ? parent.version : sub.version, sub.kind.empty() ? parent.kind : sub.kind};
}

const store::Type* find_meta_type(std::string_view name) {
  constexpr std::string_view kPackage = "io.k8s.apimachinery.pkg.apis.meta.v1.";
  for (const store::Type& type : store::builtin_types()) {
    if (type.name.starts_with(kPackage) && type.name.substr(kPackage.size()) == name) return &type;
  }
  return nullptr;
}

const store::Type* find_type(const store::Registry& registry, const Gvk& gvk) {
  std::string api_version(gvk.group);
  api_version += (gvk.group.empty() ? "" : "/") + std::string(gvk.version);
  if (const Resource* resource = registry.find_kind(api_version, gvk.kind)) return resource->type;
  // Upstream's packages are named by the group's first word.
  std::string name = "io.k8s.api." + std::string(gvk.group.empty() ? "core" : gvk.group.substr(0, gvk.group.find('.')));
  name += "." + std::string(gvk.version) + "." + std::string(gvk.kind);
  for (const store::Type& type : store::builtin_types()) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

void compile_paths(const store::Registry& registry, const Resource& resource, std::vector<PathItem>& out) {
  std::string root = "/" + group_version_path(resource.group, resource.version);
  std::string plural(resource.plural);
  std::string base = root + (resource.namespaced ? "/namespaces/{namespace}/" : "/") + plural;
  PathItem collection = make_item(resource, base, false);
  add_operations(collection, resource.verbs, Place::kCollection, "");
  add_if_used(out, std::move(collection));
  PathItem one = make_item(resource, base + "/{name}", true);
  add_operations(one, resource.verbs, Place::kItem, "");
  add_if_used(out, std::move(one));
  for (const Subresource& sub : resource.subresources) add_if_used(out, subresource_item(registry, resource, sub, base));
  if (!resource.namespaced || !has_verb(resource.verbs, "list")) return;
  PathItem all = make_item(resource, root + "/" + plural, false);
  all.has_namespace = false;
  Operation list = make_operation(kVerbs[0], resource, "");
  list.id = "list" + camel_group(resource.group) + capitalized(resource.version) + std::string(resource.kind) + "ForAllNamespaces";
  all.operations.push_back(std::move(list));
  out.push_back(std::move(all));
}

json render_paths(const std::vector<PathItem>& paths, SchemaSet& schemas) {
  constexpr Param kName = {"name", "string", "The object's name."};
  constexpr Param kNamespace = {"namespace", "string", "The object's namespace."};
  constexpr Param kPretty = {"pretty", "string", "\"true\" indents the answer."};
  json out = json::object();
  for (const PathItem& item : paths) {
    json& rendered = out[item.path];
    for (const Operation& op : item.operations) rendered[std::string(op.method)] = render_operation(item, op, schemas);
    json& parameters = rendered["parameters"];
    if (item.has_name) parameters.push_back(parameter(kName, "path", schemas.dialect()));
    if (item.has_namespace) parameters.push_back(parameter(kNamespace, "path", schemas.dialect()));
    parameters.push_back(parameter(kPretty, "query", schemas.dialect()));
  }
  return out;
}

}  // namespace compat

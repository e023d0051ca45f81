// store/schema/schemac/model.h - what the YAML files say, before and after names are resolved.
//
// schemac is a build tool: one thread, and every mistake in the data ends it with "file:line: message".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace schemac {

struct Where {
  std::string file;
  int line = 0;
};

// The only exception of the tool; main() prints what() and exits 1.
class Mistake : public std::runtime_error {
 public:
  Mistake(const Where& where, const std::string& message)
      : std::runtime_error(where.file + ":" + std::to_string(where.line) + ": " + message) {}
};

// A package prefix and the aliases of other packages, as one file declares them.
struct Scope {
  std::string package;                      // "io.k8s.api.core.v1"
  std::map<std::string, std::string> uses;  // "meta" -> "io.k8s.apimachinery.pkg.apis.meta.v1"
};

struct FieldDef {
  Where where;
  std::string name;
  std::string type_text;  // "list of Container"
  std::string doc;
  std::string default_json;  // Already JSON; "" = none.
  std::vector<std::string> enum_values;  // Sorted.
  std::optional<int64_t> min, max;
  bool required = false;  // Said in OpenAPI.
  bool nonempty = false;  // Also enforced.
  bool hooked = false;    // Judged by the validate hook.
  bool immutable = false;
  bool stored_only = false;
  bool atomic = false;    // A map that server-side apply replaces whole.
  int wire = 0;           // Number in protobuf; 0: none.
  int wire_in = 0;        // Number of the message there that it is a field of; 0: the type's own.
  bool pointer = false;   // Of upstream's field: a zero that was written means zero.
  std::string zero;       // "", "shown", "hidden"
  bool always = false;    // Once resolved: there with its zero when nobody wrote it.
  std::string list_type;  // "", "map", "set", "atomic"
  std::vector<std::string> keys;
  bool patch_merge = false, patch_retain_keys = false, patch_replace = false;
  std::string merge_key;
  int type = -1;  // Index into Model::types, once resolved.
};

struct TypeDef {
  Where where;
  Scope scope;
  std::string name;  // Full: "io.k8s.api.core.v1.PodSpec"
  std::string doc;
  bool atomic = false;
  std::vector<FieldDef> fields;  // Sorted by name.
  int type = -1;
};

struct ColumnDef {
  std::string name, type = "string", format, doc, path, cell;
  int priority = 0;
};

struct SubresourceDef {
  std::string name, group, version, kind;
  std::vector<std::string> verbs;
};

struct KindDef {
  Where where;
  std::string group, version, kind, plural, singular, list_kind, storage, doc, type_name;
  std::string deprecation;             // What every answer warns of.
  std::string stored_version, convert;  // Of a version that is served, but not kept: which one is, and the conversion's name.
  int priority = 0;  // Of the group: higher comes first.
  std::vector<std::string> short_names, categories, verbs, field_labels;
  bool namespaced = true, has_generation = false, has_status = false;
  bool unconditional_update = true;
  bool metadata_required = false;  // Said in OpenAPI; Event has it so.
  std::vector<SubresourceDef> subresources;
  std::vector<ColumnDef> columns;
  std::string name_rule = "subdomain", prepare_hook, validate_hook;
};

// One row of the generated Type table.
struct TypeRow {
  std::string kind;  // Enumerator: "kObject"
  std::string name, doc, format;
  int element = -1;
  std::string list_type;  // Enumerator or ""
  std::vector<std::string> list_keys;
  bool atomic = false;
  std::vector<std::string> one_of;
  std::optional<int64_t> min, max;
  const TypeDef* object = nullptr;  // Its fields, for kObject with names.
};

struct Model {
  std::map<std::string, TypeDef> objects;  // By full name; std::map keeps the addresses.
  std::vector<KindDef> kinds;              // In preference order once resolved.
  std::vector<TypeRow> types;
};

void read_file(const std::string& path, Model& model);  // Adds the file's types and kinds. Throws Mistake.
void resolve(Model& model);                             // Fills types, checks every reference. Throws Mistake.
std::string emit(const Model& model);                   // C++ source.

}  // namespace schemac

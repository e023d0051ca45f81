// Writes the resolved model as C++: constant-initialised arrays, nothing to run at start-up.
//
// One Type array and one Field array that point at each other; the forward declaration of kTypes makes
// recursive types possible, and std::span over both is a constant expression.
#include <sstream>

#include "store/schema/schemac/model.h"

namespace schemac {
namespace {

std::string literal(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + "\"";
}

class Emitter {
 public:
  explicit Emitter(const Model& model) : model_(model) {}

  std::string run() {
    for (const TypeRow& row : model_.types) emit_fields(row);
    for (const TypeRow& row : model_.types) emit_type(row);
    for (const KindDef& kind : model_.kinds) emit_kind(kind);
    std::ostringstream out;
    out << "// Made by schemac from store/schema/data. Do not edit.\n"
        << "#include \"store/schema/tables.h\"\n\nnamespace store {\nnamespace {\n\n"
        << words_.str() << "\nextern const Type kTypes[" << model_.types.size() << "];\n\n"
        << "constinit const Field kFields[] = {\n"
        << fields_.str() << "};\n\n"
        << "constinit const Type kTypes[" << model_.types.size() << "] = {\n"
        << types_.str() << "};\n\n"
        << kind_parts_.str() << "\nconstinit const Resource kResources[] = {\n"
        << kinds_.str() << "};\n\n"
        << "}  // namespace\n\n"
        << "std::span<const Type> builtin_types() { return kTypes; }\n"
        << "std::span<const Resource> builtin_resources() { return kResources; }\n\n"
        << "}  // namespace store\n";
    return out.str();
  }

 private:
  const Model& model_;
  std::map<std::vector<std::string>, int> word_lists_;
  std::ostringstream words_, fields_, types_, kind_parts_, kinds_;
  std::map<const TypeDef*, size_t> first_field_;
  size_t field_count_ = 0;
  int kind_count_ = 0;

  std::string words(const std::vector<std::string>& list) {
    const auto [at, fresh] = word_lists_.emplace(list, static_cast<int>(word_lists_.size()));
    const std::string name = "kWords" + std::to_string(at->second);
    if (fresh) {
      words_ << "constexpr std::string_view " << name << "[] = {";
      for (size_t i = 0; i < list.size(); ++i) words_ << (i ? ", " : "") << literal(list[i]);
      words_ << "};\n";
    }
    return name;
  }

  static void text(std::ostream& out, const char* member, const std::string& value) {
    if (!value.empty()) out << ", ." << member << " = " << literal(value);
  }
  static void yes(std::ostream& out, const char* member, bool value) {
    if (value) out << ", ." << member << " = true";
  }
  void list(std::ostream& out, const char* member, const std::vector<std::string>& value) {
    if (!value.empty()) out << ", ." << member << " = " << words(value);
  }

  void emit_fields(const TypeRow& row) {
    if (!row.object) return;
    first_field_[row.object] = field_count_;
    for (const FieldDef& field : row.object->fields) {
      fields_ << "    {.name = " << literal(field.name) << ", .type = &kTypes[" << field.type << "]";
      text(fields_, "doc", field.doc);
      text(fields_, "default_json", field.default_json);
      text(fields_, "patch_merge_key", field.merge_key);
      yes(fields_, "patch_merge", field.patch_merge);
      yes(fields_, "patch_retain_keys", field.patch_retain_keys);
      yes(fields_, "patch_replace", field.patch_replace);
      yes(fields_, "required", field.required);
      yes(fields_, "immutable", field.immutable);
      yes(fields_, "stored_only", field.stored_only);
      yes(fields_, "nonempty", field.nonempty);
      yes(fields_, "hooked", field.hooked);
      if (field.wire) fields_ << ", .wire = " << field.wire;
      if (field.wire_in) fields_ << ", .wire_in = " << field.wire_in;
      yes(fields_, "pointer", field.pointer);
      yes(fields_, "always", field.always);
      fields_ << "},\n";
      ++field_count_;
    }
  }

  void emit_type(const TypeRow& row) {
    types_ << "    {.name = " << literal(row.name) << ", .kind = TypeKind::" << row.kind;
    text(types_, "doc", row.doc);
    text(types_, "format", row.format);
    if (row.object && !row.object->fields.empty()) {
      types_ << ", .fields = {kFields + " << first_field_.at(row.object) << ", " << row.object->fields.size() << "}";
    }
    if (row.element >= 0) types_ << ", .element = &kTypes[" << row.element << "]";
    if (!row.list_type.empty()) types_ << ", .list_type = ListType::" << row.list_type;
    list(types_, "list_keys", row.list_keys);
    yes(types_, "atomic", row.atomic);
    list(types_, "one_of", row.one_of);
    yes(types_, "has_min", row.min.has_value());
    yes(types_, "has_max", row.max.has_value());
    if (row.min) types_ << ", .min = " << *row.min;
    if (row.max) types_ << ", .max = " << *row.max;
    types_ << "},\n";
  }

  void emit_subresources(const KindDef& kind) {
    if (kind.subresources.empty()) return;
    std::ostringstream rows;
    for (const SubresourceDef& sub : kind.subresources) {
      rows << "    {.name = " << literal(sub.name);
      text(rows, "group", sub.group);
      text(rows, "version", sub.version);
      text(rows, "kind", sub.kind);
      rows << ", .verbs = " << words(sub.verbs) << "},\n";
    }
    kind_parts_ << "constexpr Subresource kSubresources" << kind_count_ << "[] = {\n" << rows.str() << "};\n";
  }

  void emit_columns(const KindDef& kind) {
    if (kind.columns.empty()) return;
    kind_parts_ << "constexpr Column kColumns" << kind_count_ << "[] = {\n";
    for (const ColumnDef& column : kind.columns) {
      kind_parts_ << "    {.name = " << literal(column.name) << ", .type = " << literal(column.type);
      text(kind_parts_, "format", column.format);
      text(kind_parts_, "doc", column.doc);
      if (column.priority) kind_parts_ << ", .priority = " << column.priority;
      text(kind_parts_, "path", column.path);
      text(kind_parts_, "cell", column.cell);
      kind_parts_ << "},\n";
    }
    kind_parts_ << "};\n";
  }

  void emit_kind(const KindDef& kind) {
    static const std::map<std::string, std::string> kRules = {
        {"subdomain", "kDnsSubdomain"}, {"label", "kDnsLabel"}, {"label1035", "kDns1035Label"}, {"path", "kPathSegment"}};
    emit_subresources(kind);
    emit_columns(kind);
    kinds_ << "    {.group = " << literal(kind.group) << ", .version = " << literal(kind.version) << ", .kind = " << literal(kind.kind)
           << ", .plural = " << literal(kind.plural) << ", .singular = " << literal(kind.singular)
           << ", .list_kind = " << literal(kind.list_kind);
    list(kinds_, "short_names", kind.short_names);
    list(kinds_, "categories", kind.categories);
    kinds_ << ", .namespaced = " << (kind.namespaced ? "true" : "false") << ", .verbs = " << words(kind.verbs);
    if (!kind.subresources.empty()) kinds_ << ", .subresources = kSubresources" << kind_count_;
    if (!kind.columns.empty()) kinds_ << ", .columns = kColumns" << kind_count_;
    list(kinds_, "field_labels", kind.field_labels);
    kinds_ << ", .type = &kTypes[" << model_.objects.at(kind.type_name).type << "], .name_rule = NameRule::" << kRules.at(kind.name_rule);
    yes(kinds_, "has_generation", kind.has_generation);
    yes(kinds_, "has_status", kind.has_status);
    yes(kinds_, "needs_revision", !kind.unconditional_update);
    text(kinds_, "prepare_hook", kind.prepare_hook);
    text(kinds_, "validate_hook", kind.validate_hook);
    text(kinds_, "doc", kind.doc);
    text(kinds_, "deprecation", kind.deprecation);
    text(kinds_, "storage_name", kind.storage);
    text(kinds_, "stored_version", kind.stored_version);
    text(kinds_, "convert", kind.convert);
    kinds_ << "},\n";
    ++kind_count_;
  }
};

}  // namespace

std::string emit(const Model& model) { return Emitter(model).run(); }

}  // namespace schemac

// Turns type expressions into rows of the type table and checks that everything named exists.
#include <algorithm>
#include <set>

#include "store/schema/schemac/model.h"

namespace schemac {
namespace {

struct Scalar {
  const char* text;
  const char* kind;
  const char* format;
};
constexpr Scalar kScalars[] = {
    {"string", "kString", ""},
    {"int32", "kInteger", "int32"},
    {"int64", "kInteger", "int64"},
    {"number", "kNumber", "double"},
    {"boolean", "kBoolean", ""},
    {"int-or-string", "kIntOrString", "int-or-string"},
    {"quantity", "kQuantity", ""},
    {"time", "kTime", "date-time"},
    {"micro-time", "kMicroTime", "date-time"},
    {"bytes", "kBytes", "byte"},
    {"any", "kAny", ""},
};

bool strip_prefix(std::string& text, const std::string& prefix) {
  if (text.rfind(prefix, 0) != 0) return false;
  text.erase(0, prefix.size());
  return true;
}

const FieldDef* find_field(const TypeDef& object, const std::string& name) {
  const auto at = std::find_if(object.fields.begin(), object.fields.end(), [&](const FieldDef& field) { return field.name == name; });
  return at == object.fields.end() ? nullptr : &*at;
}

class Resolver {
 public:
  explicit Resolver(Model& model) : model_(model) {}

  void run() {
    for (auto& [name, object] : model_.objects) {
      TypeRow row;
      row.kind = "kObject";
      row.name = name;
      row.doc = object.doc;
      row.atomic = object.atomic;
      row.object = &object;
      object.type = add(row);
    }
    for (auto& [name, object] : model_.objects) {
      for (FieldDef& field : object.fields) resolve_field(object, field);
    }
    for (auto& [name, object] : model_.objects) {
      for (FieldDef& field : object.fields) check_lists(field);
    }
    resolve_kinds();
  }

 private:
  Model& model_;
  std::map<std::string, int> anonymous_;  // Signature -> row, so that equal anonymous types share one.

  int add(TypeRow row) {
    model_.types.push_back(std::move(row));
    return static_cast<int>(model_.types.size()) - 1;
  }

  int intern(TypeRow row) {
    std::string signature =
        row.kind + "|" + row.format + "|" + std::to_string(row.element) + "|" + row.list_type + "|" + (row.atomic ? "a" : "");
    for (const std::string& key : row.list_keys) signature += "|k" + key;
    for (const std::string& value : row.one_of) signature += "|v" + value;
    if (row.min) signature += "|>" + std::to_string(*row.min);
    if (row.max) signature += "|<" + std::to_string(*row.max);
    const auto found = anonymous_.find(signature);
    if (found != anonymous_.end()) return found->second;
    return anonymous_[signature] = add(std::move(row));
  }

  // A scalar, "Name" of this package, "alias.Name", or a full name. Limits go onto scalars only.
  int named(const TypeDef& owner, const FieldDef& field, const std::string& text, bool limits) {
    for (const Scalar& scalar : kScalars) {
      if (text != scalar.text) continue;
      TypeRow row;
      row.kind = scalar.kind;
      row.format = scalar.format;
      if (limits) row.one_of = field.enum_values;
      if (limits) row.min = field.min, row.max = field.max;
      return intern(std::move(row));
    }
    if (limits && (!field.enum_values.empty() || field.min || field.max))
      throw Mistake(field.where, "enum, min and max do not fit an object");
    std::string full = owner.scope.package + "." + text;
    const size_t dot = text.find('.');
    if (dot != std::string::npos) {
      const auto alias = owner.scope.uses.find(text.substr(0, dot));
      full = alias == owner.scope.uses.end() ? text : alias->second + text.substr(dot);
    }
    const auto found = model_.objects.find(full);
    if (found == model_.objects.end()) throw Mistake(field.where, "field " + field.name + ": unknown type \"" + text + "\"");
    return found->second.type;
  }

  int list(const TypeDef& owner, const FieldDef& field, const std::string& element, bool outermost) {
    TypeRow row;
    row.kind = "kList";
    // An enum speaks of the elements, min and max of the number of them.
    FieldDef inner = field;
    inner.min = inner.max = std::nullopt;
    row.element = expression(owner, inner, element, false);
    if (!outermost) return intern(std::move(row));
    row.min = field.min;
    row.max = field.max;
    row.list_keys = field.keys;
    if (field.list_type == "map")
      row.list_type = "kMap";
    else if (field.list_type == "set")
      row.list_type = "kSet";
    else if (!field.list_type.empty() && field.list_type != "atomic")
      throw Mistake(field.where, "list: map, set or atomic");
    if ((field.list_type == "map") != !field.keys.empty()) throw Mistake(field.where, "list: map and keys go together");
    return intern(std::move(row));
  }

  int expression(const TypeDef& owner, const FieldDef& field, std::string text, bool outermost) {
    if (strip_prefix(text, "list of ")) return list(owner, field, text, outermost);
    if (outermost && !field.list_type.empty()) throw Mistake(field.where, "list: is for lists");
    if (strip_prefix(text, "map of ")) {
      TypeRow row;
      row.kind = "kMap";
      row.atomic = outermost && field.atomic;
      row.element = expression(owner, field, text, false);
      return intern(std::move(row));
    }
    return named(owner, field, text, true);
  }

  void resolve_field(const TypeDef& owner, FieldDef& field) {
    field.type = expression(owner, field, field.type_text, true);
    const TypeRow& row = model_.types[field.type];
    if (!row.one_of.empty() && row.kind != "kString") throw Mistake(field.where, "enum is for strings");
    if ((row.min || row.max) && row.kind != "kInteger" && row.kind != "kString" && row.kind != "kList") {
      throw Mistake(field.where, "min and max are for integers, strings and lists");
    }
    if (row.min && row.max && *row.min > *row.max) throw Mistake(field.where, "min is above max");
    if (field.atomic && row.kind != "kMap" && row.kind != "kList")
      throw Mistake(field.where, "atomic on a field is for maps; put it on the type of an object");
    if (!field.default_json.empty()) check_default(field, row);
    field.always = is_always_there(field, row.kind);
    if (field.patch_merge && row.kind != "kList" && row.kind != "kObject") throw Mistake(field.where, "patch: [merge] is for lists");
  }

  // Go's omitempty drops what has a length or is a scalar. A struct that is no pointer stays, and so does every field without it.
  static bool is_always_there(const FieldDef& field, const std::string& kind) {
    static const std::set<std::string> kStructs = {"kObject", "kTime", "kMicroTime", "kQuantity", "kIntOrString", "kAny"};
    const bool by_type = !field.pointer && field.wire != 0 && kStructs.count(kind) > 0;
    if (field.zero == (by_type ? "shown" : "hidden")) throw Mistake(field.where, "zero: says what the type says already");
    return field.zero.empty() ? by_type : field.zero == "shown";
  }

  static void check_default(const FieldDef& field, const TypeRow& row) {
    const char c = field.default_json[0];
    const bool number = c == '-' || (c >= '0' && c <= '9');
    const bool fits = (row.kind == "kObject" || row.kind == "kMap")     ? c == '{'
                      : row.kind == "kList"                             ? c == '['
                      : row.kind == "kInteger" || row.kind == "kNumber" ? number
                      : row.kind == "kBoolean"                          ? c == 't' || c == 'f'
                      : row.kind == "kIntOrString"                      ? number || c == '"'
                      : row.kind == "kAny"                              ? true
                                                                        : c == '"';
    if (!fits) throw Mistake(field.where, "default " + field.default_json + " does not fit type " + field.type_text);
    if (!row.one_of.empty()) {
      const std::string value = field.default_json.substr(1, field.default_json.size() - 2);
      if (!std::count(row.one_of.begin(), row.one_of.end(), value)) throw Mistake(field.where, "default " + value + " is not in enum");
    }
  }

  void check_lists(const FieldDef& field) {
    const TypeRow& row = model_.types[field.type];
    if (row.kind != "kList") {
      if (!field.merge_key.empty()) throw Mistake(field.where, "mergeKey is for lists");
      return;
    }
    std::vector<std::string> keys = field.keys;
    if (!field.merge_key.empty()) {
      if (!field.patch_merge) throw Mistake(field.where, "mergeKey needs patch: [merge]");
      keys.push_back(field.merge_key);
    }
    const TypeDef* element = model_.types[row.element].object;
    for (const std::string& key : keys) {
      const bool known = element && find_field(*element, key);
      if (!known) throw Mistake(field.where, "field " + field.name + ": its elements have no field \"" + key + "\"");
    }
  }

  // Follows a dotted path through the fields; maps end it, for their keys may hold dots.
  void check_path(const KindDef& kind, const std::string& path, const std::string& what) const {
    int type = model_.objects.at(kind.type_name).type;
    size_t begin = 0;
    while (begin <= path.size()) {
      const size_t end = std::min(path.find('.', begin), path.size());
      const std::string step = path.substr(begin, end - begin);
      const TypeRow& row = model_.types[type];
      if (row.kind == "kMap") return;
      const FieldDef* next = row.object ? find_field(*row.object, step) : nullptr;
      if (!next) throw Mistake(kind.where, what + " " + path + ": no field \"" + step + "\"");
      type = next->type;
      begin = end + 1;
    }
  }

  void check_kind(const KindDef& kind) {
    static const std::set<std::string> kVerbs = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
    static const std::set<std::string> kRules = {"subdomain", "label", "label1035", "path"};
    for (const std::string& verb : kind.verbs) {
      if (!kVerbs.count(verb)) throw Mistake(kind.where, "unknown verb \"" + verb + "\"");
    }
    for (const SubresourceDef& sub : kind.subresources) {
      for (const std::string& verb : sub.verbs) {
        if (!kVerbs.count(verb)) throw Mistake(kind.where, "subresource " + sub.name + ": unknown verb \"" + verb + "\"");
      }
    }
    if (!kRules.count(kind.name_rule)) throw Mistake(kind.where, "nameRule: subdomain, label, label1035 or path");
    for (const std::string& label : kind.field_labels) {
      if (label != "status.successful") check_path(kind, label, "fieldLabel");  // Upstream's name of a job's status.succeeded.
    }
    for (const ColumnDef& column : kind.columns) {
      if (!column.path.empty()) check_path(kind, column.path, "column");
    }
  }

  // The version that objects are kept in must be there, and be kept as it is.
  void check_stored_as(const KindDef& kind) const {
    if (kind.stored_version.empty()) return;
    const bool known = std::any_of(model_.kinds.begin(), model_.kinds.end(), [&](const KindDef& other) {
      const std::string version = other.group.empty() ? other.version : other.group + "/" + other.version;
      return other.stored_version.empty() && version == kind.stored_version && other.storage == kind.storage && other.kind == kind.kind;
    });
    if (!known) throw Mistake(kind.where, "storedAs: no kind " + kind.kind + " in " + kind.stored_version + " is kept as " + kind.storage);
  }

  // "v2" before "v1", and both before "v1beta1", as clients prefer them.
  static std::pair<bool, std::string> version_order(const std::string& version) {
    const bool stable = version.find_first_not_of("v0123456789") == std::string::npos;
    return {stable, version};
  }

  void resolve_kinds() {
    std::set<std::string> seen, short_names;
    for (KindDef& kind : model_.kinds) {
      if (kind.verbs.empty()) kind.verbs = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
      if (!seen.insert(kind.group + "/" + kind.version + "/" + kind.plural).second)
        throw Mistake(kind.where, "duplicate resource " + kind.plural);
      check_kind(kind);
      check_stored_as(kind);
    }
    std::stable_sort(model_.kinds.begin(), model_.kinds.end(), [](const KindDef& a, const KindDef& b) {
      if (a.group.empty() != b.group.empty()) return a.group.empty();
      if (a.priority != b.priority) return a.priority > b.priority;
      if (a.group != b.group) return a.group < b.group;
      if (a.version != b.version) return version_order(a.version) > version_order(b.version);
      return a.plural < b.plural;
    });
  }
};

}  // namespace

void resolve(Model& model) { Resolver(model).run(); }

}  // namespace schemac

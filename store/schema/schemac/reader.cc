// Reads one YAML file into the model. Knows the spelling of the files, nothing of how names hang together.
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "store/schema/schemac/model.h"

namespace schemac {
namespace {

struct Reader {
  std::string file;
  Scope scope;

  Where at(const YAML::Node& node) const { return {file, node.Mark().line + 1}; }

  // Visits each entry once; yaml-cpp keeps duplicate keys, so look for them here.
  void each(const YAML::Node& map, const std::string& what,
            const std::function<void(const std::string&, const YAML::Node& key, const YAML::Node& value)>& visit) const {
    if (!map.IsMap()) throw Mistake(at(map), what + " must be a mapping");
    std::set<std::string> seen;
    for (const auto& entry : map) {
      const std::string key = entry.first.as<std::string>();
      if (!seen.insert(key).second) throw Mistake(at(entry.first), "duplicate " + what + " \"" + key + "\"");
      visit(key, entry.first, entry.second);
    }
  }

  std::string text(const YAML::Node& node) const {
    if (!node.IsScalar()) throw Mistake(at(node), "expected a scalar");
    return node.Scalar();
  }

  bool flag(const YAML::Node& node) const {
    const std::string value = text(node);
    if (value == "true") return true;
    if (value == "false") return false;
    throw Mistake(at(node), "expected true or false, not \"" + value + "\"");
  }

  int64_t number(const YAML::Node& node) const {
    int64_t value = 0;
    if (!YAML::convert<int64_t>::decode(node, value)) throw Mistake(at(node), "expected an integer");
    return value;
  }

  std::vector<std::string> words(const YAML::Node& node) const {
    if (!node.IsSequence()) throw Mistake(at(node), "expected a sequence");
    std::vector<std::string> out;
    for (const auto& item : node) {
      out.push_back(text(item));
      if (std::count(out.begin(), out.end(), out.back()) > 1) throw Mistake(at(item), "duplicate \"" + out.back() + "\"");
    }
    return out;
  }

  [[noreturn]] void unknown(const YAML::Node& key, const std::string& what) const {
    throw Mistake(at(key), "unknown key \"" + key.Scalar() + "\" in " + what);
  }

  static std::string quote(const std::string& text) {
    std::string out = "\"";
    for (char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    return out + "\"";
  }

  // A default as JSON text. Quoted YAML scalars are strings ("!" tag), plain ones are what JSON would read them as.
  std::string to_json(const YAML::Node& node) const {
    if (node.IsMap()) {
      std::string out = "{";
      each(node, "default", [&](const std::string& key, const YAML::Node&, const YAML::Node& value) {
        out += (out.size() > 1 ? "," : "") + quote(key) + ":" + to_json(value);
      });
      return out + "}";
    }
    if (node.IsSequence()) {
      std::string out = "[";
      for (const auto& item : node) out += (out.size() > 1 ? "," : "") + to_json(item);
      return out + "]";
    }
    const std::string value = text(node);
    if (node.Tag() == "!") return quote(value);
    int64_t integer = 0;
    if (value == "true" || value == "false" || YAML::convert<int64_t>::decode(node, integer)) return value;
    return quote(value);
  }

  void required(FieldDef& field, const YAML::Node& node) const {
    const std::string value = text(node);
    if (value != "true" && value != "doc") throw Mistake(at(node), "required: true (enforced) or doc (said in OpenAPI only)");
    field.required = true;
    field.nonempty = value == "true";
  }

  void patch(FieldDef& field, const YAML::Node& node) const {
    for (const std::string& word : words(node)) {
      if (word == "merge")
        field.patch_merge = true;
      else if (word == "retainKeys")
        field.patch_retain_keys = true;
      else if (word == "replace")
        field.patch_replace = true;
      else
        throw Mistake(at(node), "patch: [merge] or [retainKeys] or both, or [replace], not \"" + word + "\"");
    }
    if (field.patch_replace && (field.patch_merge || field.patch_retain_keys)) throw Mistake(at(node), "patch: [replace] stands alone");
  }

  // "3", "2.1" (field 1 of a message that is field 2 and that JSON does not show), "2.3.1" (one such within another), each with
  // "*" where upstream has a pointer.
  void wire(FieldDef& field, const YAML::Node& node) const {
    std::string numbers = text(node);
    field.pointer = !numbers.empty() && numbers.back() == '*';
    if (field.pointer) numbers.pop_back();
    const size_t dot = numbers.find('.');
    auto parse = [&](const std::string& part) {
      if (part.empty() || part.size() > 4 || part.find_first_not_of("0123456789") != std::string::npos || part[0] == '0') {
        throw Mistake(at(node), "pb: a field number such as 3, 2.1 or 3*, not \"" + text(node) + "\"");
      }
      return std::stoi(part);
    };
    if (dot != std::string::npos) {
      field.wire_in = parse(numbers.substr(0, dot));
      numbers.erase(0, dot + 1);
      if (const size_t second = numbers.find('.'); second != std::string::npos) {
        field.wire_in = field.wire_in * 256 + parse(numbers.substr(0, second));
        numbers.erase(0, second + 1);
      }
    }
    field.wire = parse(numbers);
  }

  void zero(FieldDef& field, const YAML::Node& node) const {
    field.zero = text(node);
    if (field.zero != "shown" && field.zero != "hidden") throw Mistake(at(node), "zero: shown or hidden");
  }

  FieldDef field(const std::string& name, const YAML::Node& key, const YAML::Node& node) const {
    FieldDef out;
    out.where = at(key);
    out.name = name;
    each(node, "field attribute", [&](const std::string& attribute, const YAML::Node& word, const YAML::Node& value) {
      if (attribute == "type")
        out.type_text = text(value);
      else if (attribute == "doc")
        out.doc = text(value);
      else if (attribute == "default")
        out.default_json = to_json(value);
      else if (attribute == "enum")
        out.enum_values = words(value);
      else if (attribute == "min")
        out.min = number(value);
      else if (attribute == "max")
        out.max = number(value);
      else if (attribute == "required")
        required(out, value);
      else if (attribute == "immutable")
        out.immutable = flag(value);
      else if (attribute == "atomic")
        out.atomic = flag(value);
      else if (attribute == "list")
        out.list_type = text(value);
      else if (attribute == "keys")
        out.keys = words(value);
      else if (attribute == "pb")
        wire(out, value);
      else if (attribute == "zero")
        zero(out, value);
      else if (attribute == "patch")
        patch(out, value);
      else if (attribute == "mergeKey")
        out.merge_key = text(value);
      else if (attribute == "check" && text(value) == "hook")
        out.hooked = true;
      else if (attribute == "check")
        throw Mistake(at(value), "check: hook, or leave it out");
      else if (attribute == "support" && text(value) == "stored")
        out.stored_only = true;
      else if (attribute == "support")
        throw Mistake(at(value), "support: stored, or leave it out");
      else
        unknown(word, "field " + name);
    });
    if (out.type_text.empty()) throw Mistake(out.where, "field " + name + " has no type");
    if (out.doc.empty()) throw Mistake(out.where, "field " + name + " has no doc");
    return out;
  }

  void fields(TypeDef& type, const YAML::Node& node) const {
    each(node, "field",
         [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) { type.fields.push_back(field(name, key, value)); });
  }

  // apiVersion and kind of a whole object, and metadata of a resource: the same text for all of them.
  void header(TypeDef& type, bool metadata, bool metadata_required = false) const {
    auto add = [&](const char* name, const char* type_text, const char* doc, bool required, int wire = 0) {
      for (const FieldDef& field : type.fields) {
        if (field.name == name) throw Mistake(field.where, std::string("duplicate field \"") + name + "\": every object has it");
      }
      FieldDef field;
      field.where = type.where;
      field.name = name;
      field.type_text = type_text;
      field.doc = doc;
      field.required = required;
      field.wire = wire;
      type.fields.push_back(field);
    };
    add("apiVersion", "string", "Group and version of the schema that this object is written in, such as apps/v1.", false);
    add("kind", "string", "Which kind of object this is.", false);
    if (metadata)
      add("metadata", "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "Name, labels and the rest of what every object carries.",
          metadata_required, 1);
  }

  void add_type(Model& model, TypeDef type) const {
    std::sort(type.fields.begin(), type.fields.end(), [](const FieldDef& a, const FieldDef& b) { return a.name < b.name; });
    if (type.doc.empty()) throw Mistake(type.where, "type " + type.name + " has no doc");
    std::map<std::pair<int, int>, std::string> numbers;
    for (const FieldDef& field : type.fields) {
      if (field.wire == 0) continue;
      const auto [at, fresh] = numbers.emplace(std::pair(field.wire_in, field.wire), field.name);
      if (!fresh) throw Mistake(field.where, "field " + field.name + ": " + at->second + " has its pb number");
    }
    const auto [at, fresh] = model.objects.emplace(type.name, type);
    if (!fresh) {
      throw Mistake(type.where, "duplicate type \"" + type.name + "\", first seen at " + at->second.where.file + ":" +
                                    std::to_string(at->second.where.line));
    }
  }

  void type(Model& model, const std::string& name, const YAML::Node& key, const YAML::Node& node) const {
    TypeDef out;
    out.where = at(key);
    out.scope = scope;
    out.name = scope.package + "." + name;
    bool whole = false;
    each(node, "type attribute", [&](const std::string& attribute, const YAML::Node& word, const YAML::Node& value) {
      if (attribute == "doc")
        out.doc = text(value);
      else if (attribute == "atomic")
        out.atomic = flag(value);
      else if (attribute == "object")
        whole = flag(value);
      else if (attribute == "fields")
        fields(out, value);
      else
        unknown(word, "type " + name);
    });
    if (whole) header(out, false);
    add_type(model, std::move(out));
  }

  SubresourceDef subresource(const std::string& name, const YAML::Node& node) const {
    SubresourceDef out;
    out.name = name;
    each(node, "subresource attribute", [&](const std::string& attribute, const YAML::Node& word, const YAML::Node& value) {
      if (attribute == "group")
        out.group = text(value);
      else if (attribute == "version")
        out.version = text(value);
      else if (attribute == "kind")
        out.kind = text(value);
      else if (attribute == "verbs")
        out.verbs = words(value);
      else
        unknown(word, "subresource " + name);
    });
    if (out.kind.empty() || out.verbs.empty()) throw Mistake(at(node), "subresource " + name + " needs kind and verbs");
    return out;
  }

  ColumnDef column(const std::string& name, const YAML::Node& node) const {
    ColumnDef out;
    out.name = name;
    each(node, "column attribute", [&](const std::string& attribute, const YAML::Node& word, const YAML::Node& value) {
      if (attribute == "type")
        out.type = text(value);
      else if (attribute == "format")
        out.format = text(value);
      else if (attribute == "doc")
        out.doc = text(value);
      else if (attribute == "path")
        out.path = text(value);
      else if (attribute == "cell")
        out.cell = text(value);
      else if (attribute == "wide")
        out.priority = flag(value) ? 1 : 0;
      else
        unknown(word, "column " + name);
    });
    if (out.path.empty() == out.cell.empty()) throw Mistake(at(node), "column " + name + " needs either path or cell");
    if (out.doc.empty()) throw Mistake(at(node), "column " + name + " has no doc");
    if (out.type != "string" && out.type != "integer" && out.type != "boolean" && out.type != "date")
      throw Mistake(at(node), "column type: string, integer, boolean or date");
    return out;
  }

  // {resource: events, version: v1, convert: event}; the group comes with the version, as in apiVersion.
  void stored_as(KindDef& out, const YAML::Node& node) const {
    each(node, "storedAs attribute", [&](const std::string& attribute, const YAML::Node& word, const YAML::Node& value) {
      if (attribute == "resource")
        out.storage = text(value);
      else if (attribute == "version")
        out.stored_version = text(value);
      else if (attribute == "convert")
        out.convert = text(value);
      else
        unknown(word, "storedAs");
    });
    if (out.storage.empty() || out.stored_version.empty()) throw Mistake(at(node), "storedAs needs resource and version");
    const size_t slash = out.stored_version.find('/');
    if (slash != std::string::npos) out.storage += "." + out.stored_version.substr(0, slash);
  }

  void kind_attribute(KindDef& out, TypeDef& body, const std::string& attribute, const YAML::Node& word, const YAML::Node& value) const {
    if (attribute == "doc")
      out.doc = body.doc = text(value);
    else if (attribute == "plural")
      out.plural = text(value);
    else if (attribute == "singular")
      out.singular = text(value);
    else if (attribute == "short")
      out.short_names = words(value);
    else if (attribute == "categories")
      out.categories = words(value);
    else if (attribute == "verbs")
      out.verbs = words(value);
    else if (attribute == "fieldLabels")
      out.field_labels = words(value);
    else if (attribute == "generation")
      out.has_generation = flag(value);
    else if (attribute == "deprecated")
      out.deprecation = text(value);
    else if (attribute == "unconditionalUpdate")
      out.unconditional_update = flag(value);
    else if (attribute == "nameRule")
      out.name_rule = text(value);
    else if (attribute == "metadataRequired")
      out.metadata_required = flag(value);
    else if (attribute == "prepare")
      out.prepare_hook = text(value);
    else if (attribute == "validate")
      out.validate_hook = text(value);
    else if (attribute == "fields")
      fields(body, value);
    else if (attribute == "storedAs")
      stored_as(out, value);
    else if (attribute == "scope") {
      const std::string where = text(value);
      if (where != "Namespaced" && where != "Cluster") throw Mistake(at(value), "scope: Namespaced or Cluster");
      out.namespaced = where == "Namespaced";
    } else if (attribute == "subresources") {
      each(value, "subresource", [&](const std::string& name, const YAML::Node&, const YAML::Node& node) {
        out.subresources.push_back(subresource(name, node));
      });
    } else if (attribute == "columns") {
      each(value, "column",
           [&](const std::string& name, const YAML::Node&, const YAML::Node& node) { out.columns.push_back(column(name, node)); });
    } else {
      unknown(word, "kind " + out.kind);
    }
  }

  void kind(Model& model, const KindDef& group, const std::string& name, const YAML::Node& key, const YAML::Node& node) const {
    KindDef out = group;
    TypeDef body;
    out.where = body.where = at(key);
    out.kind = name;
    body.scope = scope;
    body.name = out.type_name = scope.package + "." + name;
    each(node, "kind attribute", [&](const std::string& attribute, const YAML::Node& word, const YAML::Node& value) {
      kind_attribute(out, body, attribute, word, value);
    });
    if (out.plural.empty()) throw Mistake(out.where, "kind " + name + " has no plural");
    if (out.singular.empty())
      std::transform(name.begin(), name.end(), std::back_inserter(out.singular),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    out.list_kind = name + "List";
    if (out.storage.empty()) out.storage = out.group.empty() ? out.plural : out.plural + "." + out.group;
    for (const SubresourceDef& sub : out.subresources) out.has_status |= sub.name == "status";
    header(body, true, out.metadata_required);
    add_type(model, std::move(body));
    model.kinds.push_back(std::move(out));
  }

  void document(Model& model, const YAML::Node& root) {
    KindDef group;
    each(root, "top-level key", [&](const std::string& key, const YAML::Node& word, const YAML::Node& value) {
      if (key == "package")
        scope.package = text(value);
      else if (key == "group")
        group.group = text(value);
      else if (key == "version")
        group.version = text(value);
      else if (key == "priority")
        group.priority = static_cast<int>(number(value));
      else if (key == "use")
        each(value, "alias",
             [&](const std::string& alias, const YAML::Node&, const YAML::Node& package) { scope.uses[alias] = text(package); });
      else if (key != "types" && key != "kinds")
        unknown(word, "the file");
    });
    if (scope.package.empty()) throw Mistake(at(root), "no package");
    if (const YAML::Node types = root["types"]) {
      each(types, "type", [&](const std::string& name, const YAML::Node& key, const YAML::Node& node) { type(model, name, key, node); });
    }
    if (const YAML::Node kinds = root["kinds"]) {
      if (group.version.empty()) throw Mistake(at(kinds), "kinds need the file's group and version");
      each(kinds, "kind",
           [&](const std::string& name, const YAML::Node& key, const YAML::Node& node) { kind(model, group, name, key, node); });
    }
  }
};

}  // namespace

void read_file(const std::string& path, Model& model) {
  Reader reader;
  reader.file = path;
  try {
    reader.document(model, YAML::LoadFile(path));
  } catch (const YAML::Exception& error) {
    throw Mistake({path, error.mark.line + 1}, error.msg);
  }
}

}  // namespace schemac

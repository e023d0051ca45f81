// The decoder's view: does the JSON fit the types? Messages follow Go's encoding/json and the UnmarshalJSON
// methods of upstream's scalar types, for people search for them.
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "store/schema/path.h"
#include "store/base/text.h"
#include "store/schema/schema.h"

namespace store {
namespace {

using base::is_digit;

// Last package component and type: "io.k8s.api.core.v1.PodSpec" -> "v1.PodSpec", "PodSpec".
std::string_view after_dot(std::string_view name, int dots) {
  size_t at = name.size();
  for (int i = 0; i < dots; ++i) {
    at = name.rfind('.', at == 0 ? 0 : at - 1);
    if (at == std::string_view::npos) return name;
  }
  return name.substr(at + 1);
}

std::string go_type(const Type& type) {
  switch (type.kind) {
    case TypeKind::kObject:
      return std::string(after_dot(type.name, 2));
    case TypeKind::kMap:
      return "map[string]" + go_type(*type.element);
    case TypeKind::kList:
      return "[]" + go_type(*type.element);
    case TypeKind::kString:
      return "string";
    case TypeKind::kInteger:
      return std::string(type.format);
    case TypeKind::kNumber:
      return "float64";
    case TypeKind::kBoolean:
      return "bool";
    case TypeKind::kIntOrString:
      return "int32";
    case TypeKind::kBytes:
      return "[]uint8";
    case TypeKind::kQuantity:
      return "resource.Quantity";
    case TypeKind::kTime:
    case TypeKind::kMicroTime:
      return "string";
    case TypeKind::kAny:
      return "interface {}";
  }
  return {};
}

const char* json_kind(const json& value) {
  if (value.is_object()) return "object";
  if (value.is_array()) return "array";
  if (value.is_string()) return "string";
  if (value.is_boolean()) return "bool";
  return "number";
}


// resource.ParseQuantity: sign, decimal number, then an SI or binary suffix or an exponent.
std::optional<std::string> quantity_problem(std::string_view text) {
  static constexpr std::string_view kSuffixes[] = {"", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
  const std::string wrong = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  size_t i = !text.empty() && (text[0] == '+' || text[0] == '-') ? 1 : 0;
  size_t digits = 0, dots = 0;
  for (; i < text.size() && (is_digit(text[i]) || text[i] == '.'); ++i) ++(text[i] == '.' ? dots : digits);
  if (digits == 0 || dots > 1) return wrong;
  const std::string_view suffix = text.substr(i);
  for (std::string_view known : kSuffixes) {
    if (suffix == known) return std::nullopt;
  }
  if (suffix.find_first_not_of("eEinumkKMGTP+-0123456789") != std::string_view::npos) return wrong;
  size_t exponent = 1;
  if (exponent < suffix.size() && (suffix[exponent] == '+' || suffix[exponent] == '-')) ++exponent;
  const bool scientific = (suffix[0] == 'e' || suffix[0] == 'E') && exponent < suffix.size() &&
                          suffix.find_first_not_of("0123456789", exponent) == std::string_view::npos;
  if (scientific) return std::nullopt;
  return "unable to parse quantity's suffix";
}

// time.Parse with RFC 3339, naming the part that does not fit as Go does.
std::optional<std::string> time_problem(std::string_view text) {
  static constexpr std::string_view kParts[] = {"2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05"};
  auto problem = [&](size_t from, std::string_view part) {
    return "parsing time " + json(text).dump() + " as \"2006-01-02T15:04:05Z07:00\": cannot parse " +
           json(text.substr(std::min(from, text.size()))).dump() + " as \"" + std::string(part) + "\"";
  };
  size_t at = 0;
  for (std::string_view part : kParts) {
    const std::string_view given = text.substr(at, part.size());
    bool fits = given.size() == part.size();
    for (size_t i = 0; fits && i < part.size(); ++i) fits = is_digit(part[i]) ? is_digit(given[i]) : given[i] == part[i];
    if (!fits) return problem(at, part);
    at += part.size();
  }
  auto two = [&](size_t from) { return (text[from] - '0') * 10 + (text[from + 1] - '0'); };
  if (two(5) < 1 || two(5) > 12) return "parsing time " + json(text).dump() + ": month out of range";
  if (two(8) < 1 || two(8) > 31) return "parsing time " + json(text).dump() + ": day out of range";
  if (two(11) > 23 || two(14) > 59 || two(17) > 59) return "parsing time " + json(text).dump() + ": hour, minute or second out of range";
  if (at < text.size() && text[at] == '.') {
    for (++at; at < text.size() && is_digit(text[at]);) ++at;
  }
  const std::string_view zone = text.substr(at);
  if (zone == "Z") return std::nullopt;
  const bool offset = zone.size() == 6 && (zone[0] == '+' || zone[0] == '-') && is_digit(zone[1]) && is_digit(zone[2]) && zone[3] == ':' &&
                      is_digit(zone[4]) && is_digit(zone[5]);
  if (offset) return std::nullopt;
  return problem(at, "Z07:00");
}

// encoding/base64.StdEncoding, which skips CR and LF.
std::optional<std::string> base64_problem(std::string_view text) {
  auto bad = [](size_t at) { return "illegal base64 data at input byte " + std::to_string(at); };
  size_t count = 0, padding = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\r' || c == '\n') continue;
    const bool letter = is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/';
    if (c == '=' && count % 4 >= 2 && padding < 2)
      ++padding;
    else if (!letter || padding > 0)
      return bad(i);
    ++count;
  }
  if (count % 4 != 0) return bad(text.size());
  return std::nullopt;
}

class Checker {
 public:
  // The first problem as the text after "cannot be handled as a X: ".
  std::optional<std::string> check(const json& value, const Type& type, const Path& path, const Type* owner) const {
    if (value.is_null()) return std::nullopt;
    switch (type.kind) {
      case TypeKind::kObject:
        return object(value, type, path, owner);
      case TypeKind::kMap:
        if (!value.is_object()) return mismatch(value, type, path, owner);
        for (auto it = value.begin(); it != value.end(); ++it) {
          if (auto problem = check(it.value(), *type.element, path, owner)) return problem;
        }
        return std::nullopt;
      case TypeKind::kList:
        if (!value.is_array()) return mismatch(value, type, path, owner);
        for (const json& element : value) {
          if (auto problem = check(element, *type.element, path, owner)) return problem;
        }
        return std::nullopt;
      default:
        return scalar(value, type, path, owner);
    }
  }

 private:
  std::optional<std::string> object(const json& value, const Type& type, const Path& path, const Type* owner) const {
    if (!value.is_object()) return mismatch(value, type, path, owner);
    for (auto it = value.begin(); it != value.end(); ++it) {
      const Field* field = type.find_field(it.key());
      if (!field) continue;
      if (auto problem = check(it.value(), *field->type, path.field(field->name), &type)) return problem;
    }
    return std::nullopt;
  }

  std::optional<std::string> scalar(const json& value, const Type& type, const Path& path, const Type* owner) const {
    switch (type.kind) {
      case TypeKind::kString:
        if (!value.is_string()) return mismatch(value, type, path, owner);
        return std::nullopt;
      case TypeKind::kBoolean:
        if (!value.is_boolean()) return mismatch(value, type, path, owner);
        return std::nullopt;
      case TypeKind::kNumber:
        if (!value.is_number()) return mismatch(value, type, path, owner);
        return std::nullopt;
      case TypeKind::kInteger:
        return integer(value, type, path, owner);
      case TypeKind::kIntOrString:
        if (value.is_string() || (value.is_number_integer() && fits(value, "int32"))) return std::nullopt;
        return "json: cannot unmarshal " + kind_of(value) + " into Go value of type int32";
      case TypeKind::kQuantity:
        return quantity_problem(value.is_string() ? value.get<std::string>() : value.dump());
      case TypeKind::kTime:
      case TypeKind::kMicroTime:
        if (!value.is_string()) return "json: cannot unmarshal " + std::string(json_kind(value)) + " into Go value of type string";
        return time_problem(value.get_ref<const std::string&>());
      case TypeKind::kBytes:
        if (!value.is_string()) return mismatch(value, type, path, owner);
        return base64_problem(value.get_ref<const std::string&>());
      default:
        return std::nullopt;
    }
  }

  std::optional<std::string> integer(const json& value, const Type& type, const Path& path, const Type* owner) const {
    if (value.is_number_integer() && fits(value, type.format)) return std::nullopt;
    return mismatch(value, type, path, owner);
  }

  static bool fits(const json& value, std::string_view format) {
    if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) return false;
    const int64_t number = value.get<int64_t>();
    return format != "int32" || (number >= std::numeric_limits<int32_t>::min() && number <= std::numeric_limits<int32_t>::max());
  }

  // Go names the number only where a number was wanted but this one does not fit.
  static std::string kind_of(const json& value) { return value.is_number() ? "number " + value.dump() : json_kind(value); }

  static std::string mismatch(const json& value, const Type& type, const Path& path, const Type* owner) {
    const std::string kind = type.kind == TypeKind::kInteger ? kind_of(value) : json_kind(value);
    const std::string target = " of type " + go_type(type);
    if (!owner) return "json: cannot unmarshal " + kind + " into Go value" + target;
    return "json: cannot unmarshal " + kind + " into Go struct field " + std::string(after_dot(owner->name, 1)) + "." + path.go_text() +
           target;
  }
};

}  // namespace

base::Status check_types(const json& tree, const Type& type, std::string_view version, std::string_view kind) {
  const auto problem = Checker().check(tree.is_null() ? json("null") : tree, type, Path{}, nullptr);
  if (!problem) return {};
  const std::string name(kind);
  return base::Error(base::Code::kBadRequest,
                     name + " in version \"" + std::string(version) + "\" cannot be handled as a " + name + ": " + *problem);
}

base::Status check_types(const json& tree, const Resource& resource) {
  return check_types(tree, *resource.type, resource.version, resource.kind);
}

}  // namespace store

#include "kubectl-compat/negotiate/protobuf.h"

#include <bit>
#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "store/base/clock.h"

namespace compat {
namespace {

using base::Result;
using base::Status;
using store::Field;
using store::Type;
using store::TypeKind;

constexpr std::string_view kMagic("k8s\0", 4);
constexpr int kMaxDepth = 100;  // Of messages in messages (a type may hold itself), and of JSON within a body.

base::Error malformed(const std::string& why) { return base::Error(base::Code::kBadRequest, "the body of the request is not valid protobuf: " + why); }

// Wire types of protobuf.
enum Wire : unsigned { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// One field of a message: its number, and its value by wire type.
struct Part {
  unsigned number = 0;
  unsigned wire = 0;
  uint64_t bits = 0;       // kVarint, kFixed64, kFixed32
  std::string_view bytes;  // kBytes
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  bool done() const { return in_.empty(); }

  Result<uint64_t> varint() {
    uint64_t out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) return malformed("unexpected end");
      const auto byte = static_cast<unsigned char>(in_.front());
      in_.remove_prefix(1);
      out |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return out;
    }
    return malformed("integer overflow");
  }

  Result<Part> next() {
    const uint64_t key = TRY(varint());
    Part part;
    part.number = static_cast<unsigned>(key >> 3);
    part.wire = key & 7;
    if (part.number == 0 || key >> 32 != 0) return malformed("illegal tag");
    if (part.wire == kVarint) {
      part.bits = TRY(varint());
    } else if (part.wire == kBytes) {
      const uint64_t size = TRY(varint());
      if (size > in_.size()) return malformed("unexpected end");
      part.bytes = take(size);
    } else if (part.wire == kFixed64 || part.wire == kFixed32) {
      const size_t size = part.wire == kFixed64 ? 8 : 4;
      if (size > in_.size()) return malformed("unexpected end");
      const std::string_view raw = take(size);
      for (size_t i = 0; i < size; ++i) part.bits |= static_cast<uint64_t>(static_cast<unsigned char>(raw[i])) << (8 * i);
    } else {
      return malformed("wire type " + std::to_string(part.wire));
    }
    return part;
  }

 private:
  std::string_view take(size_t size) {
    const std::string_view out = in_.substr(0, size);
    in_.remove_prefix(size);
    return out;
  }
  std::string_view in_;
};

// Length of the UTF-8 sequence at the start of `text`, which is not empty; 0 when it is none.
size_t sequence_length(std::string_view text) {
  const auto at = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto follows = [&](size_t i) { return (at(i) & 0xc0) == 0x80; };
  const unsigned c = at(0);
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c < 0xe0) return follows(1) ? 2 : 0;
  if (c >= 0xe0 && c < 0xf0) {
    const bool overlong = c == 0xe0 && at(1) < 0xa0, surrogate = c == 0xed && at(1) >= 0xa0;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (c >= 0xf0 && c < 0xf5) {
    const bool overlong = c == 0xf0 && at(1) < 0x90, beyond = c == 0xf4 && at(1) >= 0x90;
    return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

Result<std::string> utf8(std::string_view text) {
  for (std::string_view rest = text; !rest.empty();) {
    const size_t size = sequence_length(rest);
    if (size == 0) return malformed("a string is not UTF-8");
    rest.remove_prefix(size);
  }
  return std::string(text);
}

std::string base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

// --- Messages that are one value in JSON ---

// {seconds = 1, nanos = 2}; the zero time is an empty message, and no value.
Result<json> decode_time(std::string_view bytes, TypeKind kind) {
  if (bytes.empty()) return json();
  constexpr int64_t kFirst = -9223372036, kLast = 9223372035;  // What the clock's nanoseconds can count: years 1677 to 2262.
  int64_t seconds = 0, nanos = 0;
  for (Reader reader(bytes); !reader.done();) {
    const Part part = TRY(reader.next());
    if (part.number == 1) seconds = static_cast<int64_t>(part.bits);
    if (part.number == 2) nanos = static_cast<int32_t>(part.bits);
  }
  if (seconds < kFirst || seconds > kLast || nanos < 0 || nanos > 999999999) return malformed("a time out of range");
  const base::WallTime at{std::chrono::duration_cast<base::WallTime::duration>(std::chrono::seconds(seconds)) +
                          std::chrono::duration_cast<base::WallTime::duration>(std::chrono::nanoseconds(nanos))};
  return json(kind == TypeKind::kTime ? base::render_rfc3339(at) : base::render_rfc3339_micro(at));
}

// {type = 1 (1: text), intVal = 2, strVal = 3}
Result<json> decode_int_or_string(std::string_view bytes) {
  bool is_text = false;
  int64_t number = 0;
  std::string_view text;
  for (Reader reader(bytes); !reader.done();) {
    const Part part = TRY(reader.next());
    if (part.number == 1) is_text = part.bits == 1;
    if (part.number == 2) number = static_cast<int32_t>(part.bits);
    if (part.number == 3) text = part.bytes;
  }
  if (!is_text) return json(number);
  return json(TRY(utf8(text)));
}

// The bytes of field 1: of a quantity its text, of arbitrary JSON that JSON.
Result<std::string_view> only_field(std::string_view bytes) {
  std::string_view out;
  for (Reader reader(bytes); !reader.done();) {
    const Part part = TRY(reader.next());
    if (part.number == 1) out = part.bytes;
  }
  return out;
}

Result<json> decode_quantity(std::string_view bytes) {
  const std::string_view text = TRY(only_field(bytes));
  return json(text.empty() ? "0" : TRY(utf8(text)));
}

// Before it is parsed: everything after recurses.
int json_depth(std::string_view text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_string = !in_string;
    else if (in_string) i += c == '\\';
    else if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    else if (c == '}' || c == ']') --depth;
  }
  return deepest;
}

Result<json> decode_any(std::string_view bytes) {
  const std::string_view text = TRY(only_field(bytes));
  if (text.empty()) return json();
  json out = json_depth(text) > kMaxDepth ? json(json::value_t::discarded) : json::parse(text, nullptr, false);
  if (out.is_discarded()) return malformed("a field that holds JSON does not");
  return out;
}

// --- Messages by the schema ---

unsigned wire_of(TypeKind kind) {
  switch (kind) {
    case TypeKind::kInteger:
    case TypeKind::kBoolean: return kVarint;
    case TypeKind::kNumber: return kFixed64;
    default: return kBytes;
  }
}

json decode_integer(uint64_t bits, const Type& type) {
  return type.format == "int32" ? json(static_cast<int32_t>(bits)) : json(static_cast<int64_t>(bits));
}

// Go writes a field that is no pointer even when it says nothing; its JSON has none then. Text that is a value of its own (a
// quantity, a number or text) is always there.
bool says_nothing(const json& value, const Field& field) {
  if (value.is_null()) return true;
  if (field.pointer) return false;
  switch (field.type->kind) {
    case TypeKind::kInteger:
    case TypeKind::kNumber: return value == 0;
    case TypeKind::kBoolean: return value == false;
    case TypeKind::kString:
    case TypeKind::kBytes: return value == "";
    case TypeKind::kObject: return value.empty();
    default: return false;
  }
}

const Field* find_number(const Type& type, unsigned within, unsigned number) {
  for (const Field& field : type.fields) {
    if (field.wire == number && field.wire_in == within) return &field;
  }
  return nullptr;
}

// `within`: as Field::wire_in has it.
bool is_hidden_message(const Type& type, unsigned within) {
  for (const Field& field : type.fields) {
    if (field.wire_in == within || (within > 0 && field.wire_in / 256u == within)) return true;
  }
  return false;
}

class Decoder {
 public:
  Result<json> message(std::string_view bytes, const Type& type) {
    if (depth_ == kMaxDepth) return malformed("too deep");
    ++depth_;
    json out = json::object();
    TRY_STATUS(add_fields(out, bytes, type, 0));
    --depth_;
    return out;
  }

 private:
  // The fields of `bytes` into `out`; `within`: which message that JSON does not show this is (Field::wire_in), or 0.
  Status add_fields(json& out, std::string_view bytes, const Type& type, unsigned within) {
    for (Reader reader(bytes); !reader.done();) {
      const Part part = TRY(reader.next());
      const Field* field = find_number(type, within, part.number);
      if (field != nullptr) TRY_STATUS(add_field(out, part, *field));
      const unsigned inner = within * 256 + part.number;
      const bool hidden = field == nullptr && within < 256 && part.number < 256 && part.wire == kBytes && is_hidden_message(type, inner);
      if (hidden) TRY_STATUS(add_fields(out, part.bytes, type, inner));
    }
    return {};
  }

  Status add_field(json& out, const Part& part, const Field& field) {
    const std::string name(field.name);
    if (field.type->kind == TypeKind::kMap) return add_entry(out[name], part, *field.type->element);
    if (field.type->kind == TypeKind::kList) return add_element(out[name], part, *field.type->element);
    // Of JSON schemas: in JSON a schema or a truth value, here a message {allows = 1, schema = 2}.
    const bool schema_or_bool = field.type->kind == TypeKind::kAny && (name == "additionalProperties" || name == "additionalItems");
    json decoded = TRY(schema_or_bool ? this->schema_or_bool(part) : value(part, *field.type));
    if (!says_nothing(decoded, field)) out[name] = std::move(decoded);
    return {};
  }

  Result<json> schema_or_bool(const Part& part) {
    static const Type* schema = store::find_type("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps");
    if (part.wire != kBytes || !schema) return malformed("a schema is no message");
    json out = false;
    for (Reader reader(part.bytes); !reader.done();) {
      const Part piece = TRY(reader.next());
      if (piece.number == 1 && !out.is_object()) out = piece.bits != 0;
      if (piece.number == 2 && piece.wire == kBytes) out = TRY(message(piece.bytes, *schema));
    }
    return out;
  }

  // {key = 1, value = 2}; what is absent is empty.
  Status add_entry(json& map, const Part& part, const Type& element) {
    if (part.wire != kBytes) return malformed("a map's entry is no message");
    std::string key;
    Part held;
    held.wire = wire_of(element.kind);
    for (Reader reader(part.bytes); !reader.done();) {
      const Part piece = TRY(reader.next());
      if (piece.number == 1) key = TRY(utf8(piece.bytes));
      if (piece.number == 2) held = piece;
    }
    if (!map.is_object()) map = json::object();
    map[key] = TRY(value(held, element));
    return {};
  }

  Status add_element(json& list, const Part& part, const Type& element) {
    if (!list.is_array()) list = json::array();
    if (part.wire == kBytes && element.kind == TypeKind::kInteger) {  // Packed.
      for (Reader reader(part.bytes); !reader.done();) list.push_back(decode_integer(TRY(reader.varint()), element));
      return {};
    }
    list.push_back(TRY(value(part, element)));
    return {};
  }

  // A map's value that is a list (authentication's "extra") is a message {items = 1}.
  Result<json> wrapped_list(std::string_view bytes, const Type& type) {
    json out = json::array();
    for (Reader reader(bytes); !reader.done();) {
      const Part piece = TRY(reader.next());
      if (piece.number == 1) TRY_STATUS(add_element(out, piece, *type.element));
    }
    return out;
  }

  Result<json> value(const Part& part, const Type& type) {
    const unsigned wanted = wire_of(type.kind);
    if (part.wire != wanted) return malformed("wire type " + std::to_string(part.wire) + " where " + std::to_string(wanted) + " belongs");
    switch (type.kind) {
      case TypeKind::kObject: return message(part.bytes, type);
      case TypeKind::kString: return json(TRY(utf8(part.bytes)));
      case TypeKind::kBytes: return json(base64(part.bytes));
      case TypeKind::kInteger: return decode_integer(part.bits, type);
      case TypeKind::kBoolean: return json(part.bits != 0);
      case TypeKind::kNumber: return json(std::bit_cast<double>(part.bits));
      case TypeKind::kIntOrString: return decode_int_or_string(part.bytes);
      case TypeKind::kQuantity: return decode_quantity(part.bytes);
      case TypeKind::kTime:
      case TypeKind::kMicroTime: return decode_time(part.bytes, type.kind);
      case TypeKind::kAny: return decode_any(part.bytes);
      case TypeKind::kList: return wrapped_list(part.bytes, type);
      case TypeKind::kMap: break;
    }
    return malformed("a map in a map");
  }

  int depth_ = 0;
};

// runtime.Unknown {typeMeta = 1 {apiVersion = 1, kind = 2}, raw = 2, ...}
struct Envelope {
  std::string api_version, kind;
  std::string_view raw;
};

Result<Envelope> open_envelope(std::string_view body) {
  if (!body.starts_with(kMagic)) return malformed("expected prefix [107 56 115 0]");
  Envelope out;
  for (Reader reader(body.substr(kMagic.size())); !reader.done();) {
    const Part part = TRY(reader.next());
    if (part.number == 2) out.raw = part.bytes;
    if (part.number != 1) continue;
    for (Reader meta(part.bytes); !meta.done();) {
      const Part piece = TRY(meta.next());
      if (piece.number == 1) out.api_version = TRY(utf8(piece.bytes));
      if (piece.number == 2) out.kind = TRY(utf8(piece.bytes));
    }
  }
  return out;
}

}  // namespace

Result<json> decode_protobuf(std::string_view body, const FindType& find) {
  const Envelope envelope = TRY(open_envelope(body));
  const Type* type = find(envelope.api_version, envelope.kind);
  if (type == nullptr) {
    return base::Error(base::Code::kBadRequest, "no kind \"" + envelope.kind + "\" is registered for version \"" + envelope.api_version + "\"");
  }
  json out = TRY(Decoder().message(envelope.raw, *type));
  if (!envelope.api_version.empty()) out["apiVersion"] = envelope.api_version;
  if (!envelope.kind.empty()) out["kind"] = envelope.kind;
  return out;
}

}  // namespace compat

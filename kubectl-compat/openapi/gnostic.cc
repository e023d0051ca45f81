// OpenAPI v2 in the protobuf form of gnostic's openapi.v2 package (field numbers: openapiv2/OpenAPIv2.proto). Only what
// our documents hold is encoded. Maps are repeated {1: key, 2: value} in key order, so the bytes are deterministic.
#include <nlohmann/json.hpp>

#include "kubectl-compat/openapi/openapi.h"

namespace compat {
namespace {

// Appends protobuf fields; nested messages are strings made first.
class Message {
 public:
  void text(int field, std::string_view value) {
    tag(field, 2);
    varint(value.size());
    bytes_.append(value);
  }
  void message(int field, const Message& value) { text(field, value.bytes_); }
  void boolean(int field, bool value) {
    if (!value) return;  // proto3: false is absent
    tag(field, 0);
    varint(1);
  }
  std::string take() { return std::move(bytes_); }

 private:
  void tag(int field, int wire) { varint(static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire)); }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

std::string dump_gnostic(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

void put_text(Message& out, int field, const json& object, const char* key) {
  auto it = object.find(key);
  if (it != object.end() && it->is_string()) out.text(field, it->get_ref<const std::string&>());
}

void put_texts(Message& out, int field, const json& object, const char* key) {
  auto it = object.find(key);
  if (it == object.end()) return;
  for (const json& item : *it) out.text(field, item.get_ref<const std::string&>());
}

void put_bool(Message& out, int field, const json& object, const char* key) { out.boolean(field, object.value(key, false)); }

// Any value goes as YAML text, of which JSON is a part.
Message any(const json& value) {
  Message out;
  out.text(2, dump_gnostic(value) + "\n");
  return out;
}

Message named(std::string_view name, const Message& value) {
  Message out;
  out.text(1, name);
  out.message(2, value);
  return out;
}

void put_extensions(Message& out, int field, const json& object) {
  for (const auto& [key, value] : object.items()) {
    if (key.starts_with("x-")) out.message(field, named(key, any(value)));
  }
}

Message wrap(int field, const Message& inner) {
  Message out;
  out.message(field, inner);
  return out;
}

Message schema(const json& in) {
  Message out;
  put_text(out, 1, in, "$ref");
  put_text(out, 2, in, "format");
  put_text(out, 4, in, "description");
  if (in.contains("default")) out.message(5, any(in["default"]));
  put_texts(out, 19, in, "required");
  if (in.contains("enum")) {
    for (const json& value : in["enum"]) out.message(20, any(value));
  }
  if (in.contains("additionalProperties")) out.message(21, wrap(1, schema(in["additionalProperties"])));
  if (in.contains("type")) {
    Message type;
    put_text(type, 1, in, "type");
    out.message(22, type);
  }
  if (in.contains("items")) out.message(23, wrap(1, schema(in["items"])));
  if (in.contains("properties")) {
    Message properties;
    for (const auto& [name, value] : in["properties"].items()) properties.message(1, named(name, schema(value)));
    out.message(25, properties);
  }
  put_extensions(out, 31, in);
  return out;
}

// ParametersItem{parameter} around Parameter{body | non-body{query | path}}: three messages deep for one row.
Message parameter(const json& in) {
  Message out;
  std::string place = in.value("in", "");
  if (place == "body") {
    put_text(out, 1, in, "description");
    put_text(out, 2, in, "name");
    put_text(out, 3, in, "in");
    put_bool(out, 4, in, "required");
    out.message(5, schema(in["schema"]));
    return wrap(1, wrap(1, out));
  }
  bool query = place == "query";
  put_bool(out, 1, in, "required");
  put_text(out, 2, in, "in");
  put_text(out, 3, in, "description");
  put_text(out, 4, in, "name");
  put_text(out, query ? 6 : 5, in, "type");
  put_bool(out, query ? 20 : 19, in, "uniqueItems");
  return wrap(1, wrap(2, wrap(query ? 3 : 4, out)));
}

void put_parameters(Message& out, int field, const json& object) {
  auto it = object.find("parameters");
  if (it == object.end()) return;
  for (const json& item : *it) out.message(field, parameter(item));
}

Message responses(const json& in) {
  Message out;
  for (const auto& [code, value] : in.items()) {
    Message response;
    put_text(response, 1, value, "description");
    if (value.contains("schema")) response.message(2, wrap(1, schema(value["schema"])));
    out.message(1, named(code, wrap(1, response)));
  }
  return out;
}

Message operation(const json& in) {
  Message out;
  put_texts(out, 1, in, "tags");
  put_text(out, 3, in, "description");
  put_text(out, 5, in, "operationId");
  put_texts(out, 6, in, "produces");
  put_texts(out, 7, in, "consumes");
  put_parameters(out, 8, in);
  if (in.contains("responses")) out.message(9, responses(in["responses"]));
  put_texts(out, 10, in, "schemes");
  put_extensions(out, 13, in);
  return out;
}

Message path_item(const json& in) {
  constexpr std::pair<const char*, int> kMethods[] = {
      {"get", 2}, {"put", 3}, {"post", 4}, {"delete", 5}, {"options", 6}, {"head", 7}, {"patch", 8}};
  Message out;
  for (auto [method, field] : kMethods) {
    if (in.contains(method)) out.message(field, operation(in[method]));
  }
  put_parameters(out, 9, in);
  return out;
}

}  // namespace

std::string openapi_v2_protobuf(const store::Registry& registry) {
  const json document = openapi_v2(registry);
  Message info, paths, definitions, out;
  put_text(info, 1, document["info"], "title");
  put_text(info, 2, document["info"], "version");
  for (const auto& [path, item] : document["paths"].items()) paths.message(2, named(path, path_item(item)));
  for (const auto& [name, value] : document["definitions"].items()) definitions.message(1, named(name, schema(value)));
  put_text(out, 1, document, "swagger");
  out.message(2, info);
  out.message(8, paths);
  out.message(9, definitions);
  return out.take();
}

}  // namespace compat

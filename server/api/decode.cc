#include "server/api/decode.h"

#include <nlohmann/json.hpp>

#include "kubectl-compat/negotiate/protobuf.h"
#include "server/api/json_syntax.h"
#include "server/api/yaml.h"
#include "store/schema/schema.h"

namespace server {
namespace {

constexpr size_t kMaxDuplicates = 100;
constexpr size_t kMaxDuplicateText = 64 * 1024;

// Depth is looked at before parsing: everything after it recurses.
bool too_deep(const std::string& text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      else if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

// Makes the tree, and finds keys that are given twice in one object. (The library's callback would do, but looks at every
// earlier item of an array after each one: a body of 3 MiB would take hours.)
class TreeBuilder final : public nlohmann::json_sax<json> {
 public:
  explicit TreeBuilder(std::vector<std::string>* duplicates) : duplicates_(duplicates) {}
  json take() { return std::move(root_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(json::number_integer_t value) override { return put(value); }
  bool number_unsigned(json::number_unsigned_t value) override { return put(value); }
  bool number_float(json::number_float_t value, const std::string&) override { return put(value); }
  bool string(std::string& value) override { return put(std::move(value)); }
  bool binary(json::binary_t&) override { return false; }
  bool start_object(size_t) override { return open(json::object()); }
  bool start_array(size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    Level& level = levels_.back();
    level.key = std::move(name);
    if (level.node->contains(level.key)) note_duplicate();
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  struct Level {
    json* node;
    std::string key;  // Of an object: the one being read.
  };
  // Where the value went. Items move when an array grows, but never while one of them is open.
  json* add(json value) {
    if (levels_.empty()) return &(root_ = std::move(value));
    Level& level = levels_.back();
    if (level.node->is_array()) return &level.node->emplace_back(std::move(value));
    return &((*level.node)[level.key] = std::move(value));
  }
  bool put(json value) {
    add(std::move(value));
    return true;
  }
  bool open(json empty) {
    levels_.push_back({add(std::move(empty)), ""});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }
  // As many as upstream's decoder, and no more text than makes sense: keys may be long, and repeated often.
  void note_duplicate() {
    if (duplicates_->size() >= kMaxDuplicates || noted_ > kMaxDuplicateText) return;
    duplicates_->push_back("duplicate field \"" + path() + "\"");
    noted_ += duplicates_->back().size();
  }
  std::string path() const {
    std::string out;
    for (size_t i = 0; i < levels_.size(); ++i) {
      const Level& level = levels_[i];
      // The item that is open is the last one.
      if (level.node->is_array()) out += "[" + std::to_string(level.node->size() - 1) + "]";
      else out += (out.empty() ? "" : ".") + level.key;
    }
    return out;
  }
  std::vector<std::string>* duplicates_;
  size_t noted_ = 0;
  json root_;
  std::vector<Level> levels_;
};

// Types with a protobuf form are those that are compiled in. What is no resource of its own is found by its OpenAPI name.
const store::Type* find_wire_type(std::string_view api_version, std::string_view kind) {
  if (kind == "DeleteOptions") return store::find_type("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions");  // Every group has it.
  if (const store::Resource* r = store::builtin_registry().find_kind(api_version, kind)) return r->type;
  const size_t slash = api_version.find('/');
  const std::string_view group = slash == std::string_view::npos ? "core" : api_version.substr(0, slash);
  const std::string_view version = slash == std::string_view::npos ? api_version : api_version.substr(slash + 1);
  return store::find_type(std::string("io.k8s.api.").append(group.substr(0, group.find('.'))).append(".").append(version).append(".").append(kind));
}

}  // namespace

bool is_known_kind(std::string_view api_version, std::string_view kind) { return find_wire_type(api_version, kind) != nullptr; }

base::Result<json> decode_json(const std::string& text, std::vector<std::string>* duplicates) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return base::Error(base::Code::kBadRequest, "unexpected end of JSON input");
  if (too_deep(text)) return base::Error(base::Code::kBadRequest, "json: exceeded max depth");
  json value(json::value_t::discarded);
  if (duplicates) {
    TreeBuilder builder(duplicates);
    if (json::sax_parse(text, &builder)) value = builder.take();
  } else {
    value = json::parse(text, nullptr, false);
  }
  if (value.is_discarded()) {
    const std::string problem = json_problem(text);
    return base::Error(base::Code::kBadRequest, problem.empty() ? "the body of the request is not valid JSON" : problem);
  }
  return value;
}

base::Result<json> decode_body(const std::string& body, compat::BodyType type, std::vector<std::string>* duplicates) {
  if (type == compat::BodyType::kProtobuf) return body.empty() ? base::Result<json>(json()) : compat::decode_protobuf(body, find_wire_type);
  size_t first = body.find_first_not_of(" \t\r\n");
  bool looks_json = first != std::string::npos && (body[first] == '{' || body[first] == '[');
  if (type == compat::BodyType::kYaml || (type == compat::BodyType::kApplyPatch && !looks_json)) {
    auto documents = TRY(parse_yaml(body));
    if (documents.empty()) return json(nullptr);
    return std::move(documents.front());
  }
  return decode_json(body, duplicates);
}

}  // namespace server

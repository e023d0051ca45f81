#include "server/api/decode.h"

#include <nlohmann/json.hpp>
#include <set>

#include "kubectl-compat/negotiate/protobuf.h"
#include "server/api/yaml.h"
#include "store/schema/schema.h"

namespace server {
namespace {

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

// Follows the parser to find keys given twice in one object.
class DuplicateFinder {
 public:
  explicit DuplicateFinder(std::vector<std::string>* out) : out_(out) {}
  bool operator()(json::parse_event_t event, const json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start: levels_.push_back({false, {}, "", 0}); break;
      case json::parse_event_t::array_start: levels_.push_back({true, {}, "", 0}); break;
      case json::parse_event_t::object_end:
      case json::parse_event_t::array_end:
        levels_.pop_back();
        next_item();
        break;
      case json::parse_event_t::value: next_item(); break;
      case json::parse_event_t::key: {
        Level& level = levels_.back();
        level.key = parsed.get_ref<const std::string&>();
        if (!level.seen.insert(level.key).second) out_->push_back("duplicate field \"" + path() + "\"");
        break;
      }
    }
    return true;
  }

 private:
  struct Level {
    bool array;
    std::set<std::string> seen;
    std::string key;
    size_t index;
  };
  void next_item() {
    if (!levels_.empty() && levels_.back().array) ++levels_.back().index;
  }
  std::string path() const {
    std::string out;
    for (const Level& level : levels_) {
      if (level.array) out += "[" + std::to_string(level.index) + "]";
      else out += (out.empty() ? "" : ".") + level.key;
    }
    return out;
  }
  std::vector<std::string>* out_;
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

base::Result<json> decode_json(const std::string& text, std::vector<std::string>* duplicates) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return json(nullptr);
  if (too_deep(text)) return base::Error(base::Code::kBadRequest, "json: exceeded max depth");
  json value;
  if (duplicates) {
    DuplicateFinder finder(duplicates);
    value = json::parse(text, [&](int, json::parse_event_t event, json& parsed) { return finder(event, parsed); }, false);
  } else {
    value = json::parse(text, nullptr, false);
  }
  if (value.is_discarded()) return base::Error(base::Code::kBadRequest, "the body of the request is not valid JSON");
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

#include "server/api/decode.h"

#include <nlohmann/json.hpp>
#include <set>

#include "server/api/yaml.h"

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

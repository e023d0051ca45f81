#include "server/api/yaml.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace server {
namespace {

constexpr size_t kMaxNodes = 250'000;


bool lists_word(std::string_view words, std::string_view word) {
  for (size_t at = 0; at < words.size();) {
    size_t end = words.find(' ', at);
    if (end == std::string_view::npos) end = words.size();
    if (words.substr(at, end - at) == word) return true;
    at = end + 1;
  }
  return false;
}

std::optional<json> parse_integer(std::string text) {
  std::erase(text, '_');
  if (text.empty()) return std::nullopt;
  bool negative = text[0] == '-';
  std::string_view digits(text);
  if (text[0] == '-' || text[0] == '+') digits.remove_prefix(1);
  int radix = 10;
  auto prefix = [&](std::string_view p, int r) {
    if (radix != 10 || digits.size() <= p.size() || !digits.starts_with(p)) return;
    digits.remove_prefix(p.size());
    radix = r;
  };
  prefix("0x", 16);
  prefix("0b", 2);
  prefix("0o", 8);
  if (radix == 10 && digits.size() > 1 && digits[0] == '0') radix = 8;  // YAML 1.1: defaultMode: 0644
  uint64_t value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, radix);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (!negative) return value <= INT64_MAX ? json(static_cast<int64_t>(value)) : json(value);
  if (value > static_cast<uint64_t>(INT64_MAX) + 1) return std::nullopt;
  return json(static_cast<int64_t>(0 - value));
}

std::optional<json> parse_float(std::string text) {
  std::erase(text, '_');
  // Only what looks like a number: from_chars would take "inf" and "nan", which are words in YAML.
  if (text.find_first_not_of("0123456789+-.eE") != std::string::npos || text.find_first_of("0123456789") == std::string::npos) return std::nullopt;
  const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
  double value = 0;
  auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  // JSON has one number type: 1e3 and 2.0 are integers to whoever decodes an int32.
  if (std::floor(value) == value && std::fabs(value) < 1e15) return json(static_cast<int64_t>(value));
  return json(value);
}

json plain_scalar(const std::string& text) {
  if (text.empty() || lists_word("~ null Null NULL", text)) return nullptr;
  if (lists_word("y Y yes Yes YES true True TRUE on On ON", text)) return true;
  if (lists_word("n N no No NO false False FALSE off Off OFF", text)) return false;
  char c = text[0];
  if ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.') {
    if (auto value = parse_integer(text)) return *value;
    if (auto value = parse_float(text)) return *value;
  }
  return text;
}

json scalar(const YAML::Node& node) {
  const std::string& tag = node.Tag();
  if (tag.empty() || tag == "?") return plain_scalar(node.Scalar());
  return node.Scalar();  // Quoted ("!") or tagged as a string.
}

std::string key_text(const YAML::Node& node) {
  json key = node.IsScalar() ? scalar(node) : json(nullptr);
  if (key.is_string()) return key.get<std::string>();
  return key.dump();  // true, 8080, null: what Go's converter writes
}

class Converter {
 public:
  base::Status convert(const YAML::Node& node, int depth, json* out) {
    if (depth > kMaxDepth) return base::Error(base::Code::kBadRequest, "yaml: nested too deeply");
    if (++nodes_ > kMaxNodes) return base::Error(base::Code::kBadRequest, "yaml: document contains excessive aliasing");
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null: *out = nullptr; return {};
      case YAML::NodeType::Scalar: *out = scalar(node); return {};
      case YAML::NodeType::Sequence: {
        *out = json::array();
        for (const auto& item : node) {
          json value;
          TRY_STATUS(convert(item, depth + 1, &value));
          out->push_back(std::move(value));
        }
        return {};
      }
      case YAML::NodeType::Map: return convert_map(node, depth, out);
    }
    return {};
  }

 private:
  base::Status convert_map(const YAML::Node& node, int depth, json* out) {
    *out = json::object();
    json merged = json::object();
    for (const auto& pair : node) {
      json value;
      TRY_STATUS(convert(pair.second, depth + 1, &value));
      if (pair.first.IsScalar() && pair.first.Tag() == "?" && pair.first.Scalar() == "<<") {
        if (value.is_array()) {
          for (auto& v : value) {
            if (v.is_object()) merged.insert(v.begin(), v.end());  // The first of several wins.
          }
        } else if (value.is_object()) {
          merged.insert(value.begin(), value.end());
        }
        continue;
      }
      (*out)[key_text(pair.first)] = std::move(value);
    }
    out->insert(merged.begin(), merged.end());  // Own keys win.
    return {};
  }

  size_t nodes_ = 0;
};

}  // namespace

base::Result<std::vector<json>> parse_yaml(const std::string& text) {
  std::vector<json> out;
  try {
    Converter converter;
    for (const YAML::Node& node : YAML::LoadAll(text)) {
      json value;
      TRY_STATUS(converter.convert(node, 0, &value));
      if (!value.is_null()) out.push_back(std::move(value));
    }
  } catch (const YAML::Exception& e) {
    return base::Error(base::Code::kBadRequest, "yaml: line " + std::to_string(e.mark.line + 1) + ": " + e.msg);
  } catch (const std::exception& e) {
    return base::Error(base::Code::kBadRequest, std::string("yaml: ") + e.what());
  }
  return out;
}

}  // namespace server

#include "server/api/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace server {
namespace {

constexpr size_t kMaxNodes = 250'000;
constexpr size_t kMaxBytes = 16 * 1024 * 1024;  // Of texts; a body has 3 MiB.

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

json typed_scalar(const std::string& tag, const std::string& text) {
  // Quoted ("!") or tagged as a string.
  return tag.empty() || tag == "?" ? plain_scalar(text) : json(text);
}

// What a document may become: counted as often as aliases repeat it, before it is made.
class Budget {
 public:
  struct Cost {
    size_t nodes = 0, bytes = 0;
  };
  const Cost& spent() const { return spent_; }
  void spend(const Cost& cost) {
    spent_.nodes += cost.nodes;
    spent_.bytes += cost.bytes;
    if (spent_.nodes > kMaxNodes || spent_.bytes > kMaxBytes) throw std::runtime_error("document contains excessive aliasing");
  }

 private:
  Cost spent_;
};

// Makes JSON of the parser's events, so that nothing is built that is not wanted.
class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(Budget& budget) : budget_(budget) {}
  json take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t anchor) override { leaf(nullptr, false, anchor); }
  void OnScalar(const YAML::Mark&, const std::string& tag, YAML::anchor_t anchor, const std::string& text) override {
    budget_.spend({0, text.size()});
    const bool merge = at_key() && tag == "?" && text == "<<";
    leaf(typed_scalar(tag, text), merge, anchor);
  }
  void OnAlias(const YAML::Mark&, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw std::runtime_error("anchor value contains itself");
    budget_.spend(found->second.cost);
    put(found->second.value, false);
  }
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override { open(json::array(), anchor); }
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override { open(json::object(), anchor); }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override {
    Level& level = levels_.back();
    level.value.insert(level.merged.begin(), level.merged.end());  // Own keys win.
    close();
  }

 private:
  struct Level {
    json value;
    YAML::anchor_t anchor;
    Budget::Cost before;
    std::optional<std::string> key = {};  // Of a map: read, its value is next.
    bool merge = false;                   // That key was "<<".
    json merged = json::object();
  };
  struct Anchored {
    json value;
    Budget::Cost cost;
  };

  bool at_key() const { return !levels_.empty() && levels_.back().value.is_object() && !levels_.back().key; }

  void leaf(json value, bool merge, YAML::anchor_t anchor) {
    const Budget::Cost before = budget_.spent();
    budget_.spend({1, 0});
    keep(anchor, value, before);
    put(std::move(value), merge);
  }
  void open(json empty, YAML::anchor_t anchor) {
    if (levels_.size() >= static_cast<size_t>(kMaxDepth)) throw std::runtime_error("nested too deeply");
    if (at_key()) throw std::runtime_error("invalid map key");
    levels_.push_back({std::move(empty), anchor, budget_.spent()});
    budget_.spend({1, 0});
  }
  void close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    keep(level.anchor, level.value, level.before);
    put(std::move(level.value), false);
  }
  // An anchor is a copy of its own, and costs as much.
  void keep(YAML::anchor_t anchor, const json& value, const Budget::Cost& before) {
    if (anchor == YAML::NullAnchor) return;
    const Budget::Cost cost{budget_.spent().nodes - before.nodes, budget_.spent().bytes - before.bytes + (value.is_string() ? value.get_ref<const std::string&>().size() : 0)};
    budget_.spend(cost);
    anchors_.insert_or_assign(anchor, Anchored{value, cost});
  }
  void put(json value, bool merge) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return;
    }
    Level& level = levels_.back();
    if (level.value.is_array()) {
      level.value.push_back(std::move(value));
    } else if (!level.key) {
      if (value.is_structured()) throw std::runtime_error("invalid map key");
      // true, 8080, null: what Go's converter writes
      level.key = value.is_string() ? value.get<std::string>() : value.dump();
      level.merge = merge;
    } else {
      if (level.merge) merge_into(level.merged, std::move(value));
      else level.value[*level.key] = std::move(value);
      level.key.reset();
    }
  }
  static void merge_into(json& merged, json value) {
    if (value.is_object()) value = json::array({std::move(value)});
    if (!value.is_array()) throw std::runtime_error("map merge requires map or sequence of maps as the value");
    for (const json& v : value) {
      if (!v.is_object()) throw std::runtime_error("map merge requires map or sequence of maps as the value");
      merged.insert(v.begin(), v.end());  // The first of several wins.
    }
  }

  Budget& budget_;
  json root_;
  std::vector<Level> levels_;
  std::map<YAML::anchor_t, Anchored> anchors_;
};

}  // namespace

base::Result<std::vector<json>> parse_yaml(const std::string& text) {
  std::vector<json> out;
  try {
    std::istringstream in(text);
    YAML::Parser parser(in);
    Budget budget;
    for (;;) {
      Builder builder(budget);
      if (!parser.HandleNextDocument(builder)) return out;
      json value = builder.take();
      if (!value.is_null()) out.push_back(std::move(value));
    }
  } catch (const YAML::Exception& e) {
    return base::Error(base::Code::kBadRequest, "yaml: line " + std::to_string(e.mark.line + 1) + ": " + e.msg);
  } catch (const std::exception& e) {
    return base::Error(base::Code::kBadRequest, std::string("yaml: ") + e.what());
  }
}

}  // namespace server

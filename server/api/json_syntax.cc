#include "server/api/json_syntax.h"

#include <nlohmann/json.hpp>

#include "store/base/text.h"

namespace server {
namespace {

using base::is_digit;
using json = nlohmann::json;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

std::string quoted_character(char c) {
  if (c == '\'') return "'\\''";
  if (c == '"') return "'\"'";
  if (c == '\\') return "'\\\\'";
  static constexpr std::string_view kNamed = "abtnvfr";
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 7 && byte <= 13) return std::string("'\\") + kNamed[byte - 7] + "'";
  if (byte >= 0x20 && byte < 0x7F) return std::string("'") + c + "'";
  if (byte > 0xA0 && byte != 0xAD) {  // Go reads a byte as a rune of the same number.
    return std::string("'") + static_cast<char>(0xC0 | byte >> 6) + static_cast<char>(0x80 | (byte & 0x3F)) + "'";
  }
  char text[12];
  snprintf(text, sizeof text, byte < 0x80 ? "'\\x%02x'" : "'\\u%04x'", byte);
  return text;
}

// Reads one document and stops at the first character that does not belong there.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::string run() {
    value();
    skip();
    if (problem_.empty() && at_ < text_.size()) unexpected("after top-level value");
    return problem_;
  }

 private:
  bool failed() const { return !problem_.empty(); }
  void unexpected(const std::string& where) {
    if (failed()) return;
    problem_ = at_ >= text_.size() ? "unexpected end of JSON input" : "invalid character " + quoted_character(text_[at_]) + " " + where;
  }
  void skip() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  // Containers that are open are kept in a list: bodies may be deep.
  void value() {
    std::string open;
    bool wanted = true;
    while (wanted && !failed()) {
      if (!begin(open)) continue;
      wanted = false;
      while (!failed() && !wanted && !open.empty()) wanted = !end(open);
    }
  }

  // One value; of a container that has something in it only the start. True: nothing of it is left to read.
  bool begin(std::string& open) {
    skip();
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    if (c == '{' || c == '[') {
      ++at_;
      skip();
      if (take(c == '{' ? '}' : ']')) return true;
      open += c;
      if (c == '{') key("looking for beginning of object key string");
      return false;
    }
    if (c == '"') return string(), true;
    if (c == '-' || is_digit(c)) return number(), true;
    for (const char* word : {"true", "false", "null"}) {
      if (c == word[0]) return literal(word), true;
    }
    unexpected("looking for beginning of value");
    return true;
  }

  // What follows a value within its container. True: the container ended, too; else another value is to come.
  bool end(std::string& open) {
    skip();
    const bool object = open.back() == '{';
    if (take(object ? '}' : ']')) {
      open.pop_back();
      return true;
    }
    if (!take(',')) {
      unexpected(object ? "after object key:value pair" : "after array element");
      return false;
    }
    if (object) key("looking for beginning of object key string");
    return false;
  }

  void key(const char* where) {
    skip();
    if (at_ >= text_.size() || text_[at_] != '"') return unexpected(where);
    string();
    skip();
    if (!failed() && !take(':')) unexpected("after object key");
  }

  void string() {
    ++at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) return unexpected("in string literal");
      if (text_[at_++] != '\\') continue;
      if (take('u')) {
        for (int i = 0; i < 4; ++i, ++at_) {
          if (at_ >= text_.size() || !is_hex(text_[at_])) return unexpected("in \\u hexadecimal character escape");
        }
      } else if (at_ >= text_.size() || std::string_view("\"\\/bfnrt").find(text_[at_]) == std::string_view::npos) {
        return unexpected("in string escape code");
      } else {
        ++at_;
      }
    }
    if (!take('"')) unexpected("");
  }

  void digits(const char* where) {
    if (at_ >= text_.size() || !is_digit(text_[at_])) return unexpected(where);
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
  }

  void number() {
    take('-');
    if (!take('0')) digits("in numeric literal");
    if (!failed() && take('.')) digits("after decimal point in numeric literal");
    if (failed() || (!take('e') && !take('E'))) return;
    if (!take('+')) take('-');
    digits("in exponent of numeric literal");
  }

  void literal(const std::string& word) {
    for (char c : word) {
      if (!take(c)) return unexpected("in literal " + word + " (expecting '" + c + "')");
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string problem_;
};

class PathLister final : public nlohmann::json_sax<json> {
 public:
  PathLister(size_t limit, std::vector<std::string>* out) : limit_(limit), out_(out) {}

  bool null() override { return item(); }
  bool boolean(bool) override { return item(); }
  bool number_integer(json::number_integer_t) override { return item(); }
  bool number_unsigned(json::number_unsigned_t) override { return item(); }
  bool number_float(json::number_float_t, const std::string&) override { return item(); }
  bool string(std::string&) override { return item(); }
  bool binary(json::binary_t&) override { return item(); }
  bool start_object(size_t) override { return open(false); }
  bool start_array(size_t) override { return open(true); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    levels_.back().prefix = levels_.back().base + (levels_.back().base.empty() ? "" : ".") + name;
    out_->push_back(levels_.back().prefix);
    return out_->size() < limit_;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  struct Level {
    std::string base;    // Of the container.
    std::string prefix;  // Of the value that comes next.
    bool array = false;
    size_t count = 0;
  };
  bool item() {
    if (!levels_.empty() && levels_.back().array) ++levels_.back().count;
    return true;
  }
  bool open(bool array) {
    std::string base;
    if (!levels_.empty()) {
      Level& level = levels_.back();
      base = level.array ? level.base + "[" + std::to_string(level.count) + "]" : level.prefix;
    }
    item();
    levels_.push_back({std::move(base), "", array, 0});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }
  size_t limit_;
  std::vector<std::string>* out_;
  std::vector<Level> levels_;
};

}  // namespace

std::string json_problem(std::string_view text) { return Scanner(text).run(); }

std::string summarize_body(std::string_view body) {
  constexpr size_t kMost = 30;
  if (body.empty()) return "<empty>";
  const std::string_view start = body.substr(0, kMost);
  const char* more = body.size() > kMost ? " ..." : "";
  if (body[0] == '{') return std::string(start) + more;
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (unsigned char c : start) {
    out += kDigits[c >> 4];
    out += kDigits[c & 15];
  }
  return out + more;
}

std::vector<std::string> key_paths(const std::string& text, size_t limit) {
  std::vector<std::string> out;
  PathLister lister(limit, &out);
  json::sax_parse(text, &lister);
  return out;
}

}  // namespace server

#include "server/api/yaml_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "store/base/text.h"

namespace server {
namespace {

using base::is_digit;
using json = nlohmann::json;

constexpr size_t kWidth = 80;          // A space beyond it becomes a line break.
constexpr size_t kMaxSimpleKey = 128;  // Longer ones are written after a question mark.

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80; }

// Order of keys as people count: item2 before item10, punctuation before letters.
bool key_before(const std::string& a, const std::string& b) {
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i] == b[i]) continue;
    const bool left = is_letter(a[i]), right = is_letter(b[i]);
    if (left && right) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
    if (left || right) return right;
    if (!is_digit(a[i]) || !is_digit(b[i])) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
    size_t x = i, y = i;
    while (x < a.size() && is_digit(a[x])) ++x;
    while (y < b.size() && is_digit(b[y])) ++y;
    if (x - i != y - i) return x - i < y - i;
    return a.compare(i, x - i, b, i, y - i) < 0;
  }
  return a.size() < b.size();
}

// A word that a reader would take for something else than text.
bool means_something(const std::string& text) {
  static constexpr std::string_view kWords[] = {
      "", "~", "null", "Null", "NULL", "<<", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE", "n", "N", "no", "No", "NO", "off", "Off", "OFF",
      "false", "False", "FALSE", ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"};
  if (std::find(std::begin(kWords), std::end(kWords), text) != std::end(kWords)) return true;
  // Numbers in any base, sexagesimals, dates: everything that begins like one and has nothing else in it.
  if (!is_digit(text[0]) && text[0] != '+' && text[0] != '-' && text[0] != '.') return false;
  const size_t begin = text[0] == '+' || text[0] == '-' ? 1 : 0;
  if (text.compare(begin, 2, "0x") == 0) return text.size() > begin + 2 && text.find_first_not_of("0123456789abcdefABCDEF_", begin + 2) == std::string::npos;
  if (text.compare(begin, 2, "0b") == 0) return text.size() > begin + 2 && text.find_first_not_of("01_", begin + 2) == std::string::npos;
  if (text.compare(begin, 2, "0o") == 0) return text.size() > begin + 2 && text.find_first_not_of("01234567_", begin + 2) == std::string::npos;
  bool digit = false;
  size_t dots = 0, exponents = 0, colons = 0;
  for (size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (is_digit(c)) digit = true;
    else if (c == '.') ++dots;
    else if (c == ':') ++colons;
    else if ((c == 'e' || c == 'E') && digit && exponents++ == 0) {
      if (i + 1 < text.size() && (text[i + 1] == '+' || text[i + 1] == '-')) ++i;
      if (i + 1 == text.size()) return false;
    } else if (c != '_') {
      // A date, or a time stamp.
      return text.size() >= 8 && is_digit(text[0]) && text.find_first_not_of("0123456789") == 4 && text[4] == '-' && text.find_first_not_of("0123456789-+:.TtZz ") == std::string::npos;
    }
  }
  return digit && dots <= 1 && (colons == 0 || exponents == 0);
}

size_t rune_length(const std::string& text, size_t at) {
  const auto c = static_cast<unsigned char>(text[at]);
  return std::min(text.size() - at, c < 0x80 ? size_t{1} : c < 0xE0 ? size_t{2} : c < 0xF0 ? size_t{3} : size_t{4});
}

// Line breaks to YAML besides \n, and what does not show.
bool is_special(const std::string& text, size_t at, size_t length) {
  const std::string_view rune(text.data() + at, length);
  const auto c = static_cast<unsigned char>(text[at]);
  if (length == 1) return c != '\n' && (c < 0x20 || c >= 0x7F);
  return rune == "\xC2\x85" || rune == "\xE2\x80\xA8" || rune == "\xE2\x80\xA9" || rune == "\xEF\xBB\xBF" || (c == 0xC2 && static_cast<unsigned char>(text[at + 1]) < 0xA0);
}

// Which forms a text may take.
struct Allowed {
  bool plain = true, single = true, literal = true;
};

Allowed analyze(const std::string& text) {
  Allowed out;
  bool leading = false, trailing = false, space_break = false, break_space = false, special = false, breaks = false, indicator = false;
  bool after_space = false, after_break = false, spaced = true;
  if (text.starts_with("---") || text.starts_with("...")) indicator = true;
  for (size_t i = 0; i < text.size();) {
    const size_t length = rune_length(text, i);
    const char c = text[i];
    const bool first = i == 0, last = i + length >= text.size();
    const bool blank_next = last || text[i + length] == ' ' || text[i + length] == '\n' || text[i + length] == '\t' || text[i + length] == '\r';
    if (first && std::string_view("#,[]{}&*!|>'\"%@`").find(c) != std::string_view::npos) indicator = true;
    if (first && (c == '?' || c == '-') && blank_next) indicator = true;
    if (c == ':' && blank_next) indicator = true;
    if (!first && c == '#' && spaced) indicator = true;
    if (is_special(text, i, length)) special = true;
    if (c == ' ') {
      leading |= first;
      trailing |= last;
      break_space |= after_break;
      after_space = true, after_break = false;
    } else if (c == '\n') {
      breaks = true;
      leading |= first;
      trailing |= last;
      space_break |= after_space;
      after_break = true, after_space = false;
    } else {
      after_space = after_break = false;
    }
    spaced = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    i += length;
  }
  if (leading || trailing || indicator || breaks || break_space || space_break || special) out.plain = false;
  if (break_space || space_break || special) out.single = false;
  if ((trailing && text.back() == ' ') || space_break || special) out.literal = false;
  return out;
}

class Writer {
 public:
  std::string take() && { return std::move(out_); }

  void root(const json& value) {
    if (value.is_object() && !value.empty()) map(value, 0, true);
    else if (value.is_array() && !value.empty()) list(value, 0, true);
    else scalar(value, 2, false);
    out_ += '\n';
  }

 private:
  void put(std::string_view text) {
    out_ += text;
    column_ += text.size();
  }
  void new_line(size_t indent) {
    out_ += '\n';
    out_.append(indent, ' ');
    column_ = indent;
  }

  void map(const json& value, size_t indent, bool begun) {
    std::vector<const std::string*> keys;
    for (const auto& [key, unused] : value.items()) keys.push_back(&key);
    std::sort(keys.begin(), keys.end(), [](const auto* a, const auto* b) { return key_before(*a, *b); });
    for (const std::string* key : keys) {
      if (!begun) new_line(indent);
      begun = false;
      const bool simple = key->size() <= kMaxSimpleKey && key->find('\n') == std::string::npos;
      if (!simple) put("? ");
      text(*key, indent + 2, simple);
      if (!simple) new_line(indent);
      put(":");
      node(value[*key], indent, true);
    }
  }

  void list(const json& value, size_t indent, bool begun) {
    for (const json& item : value) {
      if (!begun) new_line(indent);
      begun = false;
      put("-");
      node(item, indent, false);
    }
  }

  void node(const json& value, size_t indent, bool of_map) {
    if (value.is_object() && !value.empty()) {
      if (!of_map) put(" ");
      map(value, indent + 2, !of_map);
    } else if (value.is_array() && !value.empty()) {
      if (!of_map) put(" ");
      list(value, of_map ? indent : indent + 2, !of_map);
    } else {
      put(" ");
      scalar(value, indent + 2, false);
    }
  }

  void scalar(const json& value, size_t indent, bool key) {
    if (value.is_string()) text(value.get_ref<const std::string&>(), indent, key);
    else put(value.dump());
  }

  void text(const std::string& value, size_t indent, bool key) {
    const Allowed allowed = analyze(value);
    if (value.find('\n') != std::string::npos) {
      if (allowed.literal && !key) literal(value, indent);
      else double_quoted(value, indent, key);
    } else if (means_something(value)) {
      double_quoted(value, indent, key);
    } else if (allowed.plain) {
      folded(value, indent, key, false);
    } else if (allowed.single) {
      put("'");
      folded(value, indent, key, true);
      put("'");
    } else {
      double_quoted(value, indent, key);
    }
  }

  void folded(const std::string& value, size_t indent, bool key, bool quoted) {
    bool after_space = false;
    for (size_t i = 0; i < value.size();) {
      const size_t length = rune_length(value, i);
      const bool inside = !quoted || (i > 0 && i + 1 < value.size());
      if (value[i] == ' ' && !key && !after_space && column_ > kWidth && inside && (i + 1 >= value.size() || value[i + 1] != ' ')) {
        new_line(indent);
      } else {
        if (quoted && value[i] == '\'') put("'");
        out_.append(value, i, length);
        ++column_;
      }
      after_space = value[i] == ' ';
      i += length;
    }
  }

  void double_quoted(const std::string& value, size_t indent, bool key) {
    put("\"");
    bool after_space = false;
    for (size_t i = 0; i < value.size();) {
      const size_t length = rune_length(value, i);
      if (value[i] == '"' || value[i] == '\\' || is_special(value, i, length) || value[i] == '\n') {
        escape(value, i, length);
        after_space = false;
      } else if (value[i] == ' ') {
        if (!key && !after_space && column_ > kWidth && i > 0 && i + 1 < value.size()) {
          new_line(indent);
          if (value[i + 1] == ' ') put("\\");
        } else {
          put(" ");
        }
        after_space = true;
      } else {
        out_.append(value, i, length);
        ++column_;
        after_space = false;
      }
      i += length;
    }
    put("\"");
  }

  void escape(const std::string& value, size_t at, size_t length) {
    static constexpr std::string_view kNamed = "0......abtnvfr";
    const auto c = static_cast<unsigned char>(value[at]);
    if (c == '"' || c == '\\') return put(std::string("\\") + value[at]);
    if (length == 1 && c < kNamed.size() && kNamed[c] != '.') return put(std::string("\\") + kNamed[c]);
    if (c == 0x1B) return put("\\e");
    unsigned rune = c;
    if (length == 2) rune = (c & 0x1Fu) << 6 | (static_cast<unsigned char>(value[at + 1]) & 0x3Fu);
    if (length == 3) rune = (c & 0x0Fu) << 12 | (static_cast<unsigned char>(value[at + 1]) & 0x3Fu) << 6 | (static_cast<unsigned char>(value[at + 2]) & 0x3Fu);
    if (rune == 0x85) return put("\\N");
    if (rune == 0x2028) return put("\\L");
    if (rune == 0x2029) return put("\\P");
    char text[12];
    snprintf(text, sizeof text, rune <= 0xFF ? "\\x%02X" : "\\u%04X", rune);
    put(text);
  }

  void literal(const std::string& value, size_t indent) {
    put("|");
    if (value[0] == ' ' || value[0] == '\n') put("2");
    if (value.back() != '\n') put("-");
    else if (value.size() == 1 || value[value.size() - 2] == '\n') put("+");
    size_t from = 0;
    while (from < value.size()) {
      size_t end = std::min(value.find('\n', from), value.size());
      out_ += '\n';
      if (end > from) out_.append(indent, ' ').append(value, from, end - from);
      from = end + 1;
    }
  }

  std::string out_;
  size_t column_ = 0;
};

}  // namespace

std::string render_yaml(const json& value) {
  Writer writer;
  writer.root(value);
  return std::move(writer).take();
}

}  // namespace server

#include "store/schema/canonical.h"

#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "store/base/clock.h"
#include "store/base/text.h"

namespace store {
namespace {

using base::is_digit;

constexpr int kNano = -9;         // Nothing is finer: rounded away from zero.
constexpr size_t kMaxDigits = 18; // Of numbers with a binary suffix, and of those that upstream's short cut takes.

enum class Format { kDecimal, kExponent, kBinary };

struct Number {
  bool negative = false;
  std::string_view whole;     // Digits before the point, without leading zeros; "0" if there is none.
  std::string_view fraction;  // Digits after it
  Format format = Format::kDecimal;
  int exponent = 0;  // Of ten, or of two for kBinary.
};


std::string_view take_digits(std::string_view& text) {
  size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  const std::string_view digits = text.substr(0, n);
  text.remove_prefix(n);
  return digits;
}

bool read_suffix(std::string_view suffix, Number& out) {
  static constexpr std::string_view kDecimal[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
  for (int i = 0; i < 10; ++i) {
    if (suffix == kDecimal[i]) {
      out.exponent = kNano + 3 * i;
      return true;
    }
  }
  static constexpr std::string_view kUnits = "KMGTPE";
  if (suffix.size() == 2 && suffix[1] == 'i' && kUnits.find(suffix[0]) != std::string_view::npos) {
    out.format = Format::kBinary;
    out.exponent = 10 * (1 + static_cast<int>(kUnits.find(suffix[0])));
    return true;
  }
  if (suffix.size() < 2 || suffix.size() > 5 || (suffix[0] != 'e' && suffix[0] != 'E')) return false;
  suffix.remove_prefix(suffix[1] == '+' ? 2 : 1);
  out.format = Format::kExponent;
  const auto [end, error] = std::from_chars(suffix.data(), suffix.data() + suffix.size(), out.exponent);
  return error == std::errc() && end == suffix.data() + suffix.size();
}

bool read_number(std::string_view text, Number& out) {
  if (text.empty()) return false;
  out.negative = text[0] == '-';
  if (out.negative || text[0] == '+') text.remove_prefix(1);
  while (!text.empty() && text[0] == '0') text.remove_prefix(1);
  out.whole = take_digits(text);
  if (out.whole.empty()) out.whole = "0";
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    out.fraction = take_digits(text);
  }
  return read_suffix(text, out);
}

// Upstream keeps the text of numbers that its short cut takes and that look canonical to it.
bool keeps_its_text(const Number& n) {
  const size_t digits = n.whole.size() + n.fraction.size();
  if (n.format == Format::kBinary) {
    if (!n.fraction.empty() || digits + static_cast<size_t>(n.exponent * 3 / 10) + 1 > 15) return false;
    return (std::strtoll(std::string(n.whole).c_str(), nullptr, 10) & 7) != 0;
  }
  const int scale = n.exponent - static_cast<int>(n.fraction.size());
  if (digits > kMaxDigits || scale < kNano || scale % 3 != 0 || n.whole[0] == '0') return false;
  return !(std::string(n.whole) + std::string(n.fraction)).ends_with("000");
}

std::string suffix_of(Format format, int exponent) {
  static constexpr const char* kSuffixes[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
  if (format == Format::kExponent) return exponent == 0 ? "" : "e" + std::to_string(exponent);
  return exponent >= kNano && exponent <= 18 ? kSuffixes[(exponent - kNano) / 3] : "";
}

// Adds one to a number in digits.
void increment(std::string& digits) {
  for (size_t i = digits.size(); i-- > 0;) {
    if (digits[i] != '9') {
      ++digits[i];
      return;
    }
    digits[i] = '0';
  }
  digits.insert(0, 1, '1');
}

// digits * 10^exponent with the largest exponent that is a multiple of three.
std::string render_decimal(std::string digits, int exponent, const Number& n) {
  if (exponent < kNano) {
    const size_t cut = std::min(digits.size(), static_cast<size_t>(kNano - exponent));
    const bool inexact = digits.find_first_not_of('0', digits.size() - cut) != std::string::npos;
    digits.resize(digits.size() - cut);
    if (inexact) increment(digits);
    exponent = kNano;
  }
  digits.erase(0, digits.find_first_not_of('0'));
  if (digits.empty()) return "0";
  for (; digits.back() == '0'; digits.pop_back()) ++exponent;
  for (; exponent % 3 != 0; --exponent) digits += '0';
  return (n.negative ? "-" : "") + digits + suffix_of(n.format == Format::kExponent ? n.format : Format::kDecimal, exponent);
}

std::string to_digits(unsigned __int128 value) {
  std::string out;
  for (; value > 0; value /= 10) out.insert(out.begin(), static_cast<char>('0' + static_cast<int>(value % 10)));
  return out;
}

// Whole numbers from 1024 on have a binary suffix, everything else a decimal one.
std::string render_binary(const Number& n, std::string_view text) {
  const std::string digits = std::string(n.whole) + std::string(n.fraction);
  if (digits.size() > kMaxDigits) return std::string(text);
  auto value = static_cast<unsigned __int128>(std::strtoull(digits.c_str(), nullptr, 10)) << n.exponent;
  unsigned __int128 divisor = 1;
  for (size_t i = 0; i < n.fraction.size(); ++i) divisor *= 10;
  if (value / divisor >= static_cast<unsigned __int128>(INT64_MAX)) value = INT64_MAX, divisor = 1;
  if (value % divisor != 0 || value / divisor < 1024) return render_decimal(to_digits(value), divisor == 1 ? 0 : -static_cast<int>(n.fraction.size()), n);
  value /= divisor;
  static constexpr const char* kSuffixes[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
  size_t suffix = 0;
  for (; value % 1024 == 0; value /= 1024) ++suffix;
  return (n.negative ? "-" : "") + to_digits(value) + kSuffixes[suffix];
}

}  // namespace

std::string canonical_quantity(std::string_view text) {
  Number n;
  if (!read_number(text, n) || keeps_its_text(n)) return std::string(text);
  if (n.format == Format::kBinary) return render_binary(n, text);
  return render_decimal(std::string(n.whole) + std::string(n.fraction), n.exponent - static_cast<int>(n.fraction.size()), n);
}

std::string canonical_time(std::string_view text, TypeKind kind) {
  constexpr size_t kSeconds = std::string_view("2006-01-02T15:04:05Z").size(), kMicros = kSeconds + std::string_view(".000000").size();
  if (text.size() == (kind == TypeKind::kMicroTime ? kMicros : kSeconds) && text.back() == 'Z') return std::string(text);
  const auto time = base::parse_rfc3339(text);
  if (!time.ok()) return std::string(text);
  return kind == TypeKind::kMicroTime ? base::render_rfc3339_micro(*time) : base::render_rfc3339(*time);
}

std::string canonical_base64(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (c != '\n' && c != '\r') out += c;
  }
  return out;
}

void canonicalise(json& value, TypeKind kind) {
  if (kind == TypeKind::kQuantity && value.is_number()) value = value.dump();
  if (!value.is_string()) return;
  std::string& text = value.get_ref<std::string&>();
  if (kind == TypeKind::kQuantity) text = canonical_quantity(text);
  else if (kind == TypeKind::kTime || kind == TypeKind::kMicroTime) text = canonical_time(text, kind);
  else if (kind == TypeKind::kBytes && text.find_first_of("\r\n") != std::string::npos) text = canonical_base64(text);
}

}  // namespace store

// Annotations: who may, by origin, by address, and how often.
#include <algorithm>

#include "server/gateway/ingress/setters.h"
#include "store/base/regex.h"

namespace server::gateway {
namespace {

using L = LimitSettings;
constexpr auto kCors = &Settings::cors;
constexpr auto kLimits = &Settings::limits;

// "https://*.example.com:8443": the star is one label. A scheme of one's own ("app://x") is fine.
base::Result<RegexPtr> compile_origin(const std::string& origin) {
  const size_t scheme = origin.find("://");
  if (scheme == std::string::npos || scheme == 0 || scheme + 3 == origin.size()) return base::Error(base::Code::kInvalid, "\"" + origin + "\" is no origin");
  std::string pattern;
  bool starred = false;
  for (char c : origin) {
    if (c == '*') {
      if (starred) return base::Error(base::Code::kInvalid, "\"" + origin + "\" has more than one *");
      starred = true;
      pattern += "[A-Za-z0-9-]+";
      continue;
    }
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && std::string_view("-._:/+").find(c) == std::string_view::npos) return base::Error(base::Code::kInvalid, "\"" + origin + "\" is no origin");
    if (!plain) pattern += '\\';
    pattern += c;
  }
  return Regex::compile(pattern + "$", true, true);
}

base::Status set_origins(const std::string& value, Settings& s) {
  s.cors.any_origin = false;
  s.cors.origins.clear();
  base::Status bad;
  for (const std::string& origin : split_list(value)) {
    if (origin == "*") {
      s.cors.any_origin = true;
      s.cors.origins.clear();
      return {};
    }
    base::Result<RegexPtr> regex = compile_origin(origin);
    if (regex.ok()) s.cors.origins.push_back(*regex);
    else bad = base::Error(base::Code::kInvalid, regex.error().message + ", the others are allowed");
  }
  if (bad.ok() && s.cors.origins.empty()) return malformed();
  return bad;
}

bool is_name_list(const std::string& value) {
  const std::vector<std::string> names = split_list(value);
  return !names.empty() && std::all_of(names.begin(), names.end(), [](const std::string& n) { return n == "*" || is_header_name(n); });
}
template <auto kMember>
base::Status set_names(const std::string& value, Settings& s) {
  if (!is_name_list(value)) return malformed();
  s.cors.*kMember = value;
  return {};
}
base::Status set_cors(const std::string& value, Settings& s) {
  const auto flag = parse_flag(value);
  if (!flag) return malformed();
  s.cors_enabled = *flag;
  return {};
}

template <auto kMember>
base::Status set_ranges(const std::string& value, Settings& s) {
  auto ranges = parse_ranges(value);
  if (!ranges) return malformed();
  s.*kMember = std::move(*ranges);
  return {};
}
base::Status set_exempt(const std::string& value, Settings& s) {
  auto ranges = parse_ranges(value);
  if (!ranges) return malformed();
  s.limits.exempt = std::move(*ranges);
  return {};
}

constexpr char kCount[] = "a whole number, 0 or more";
constexpr int64_t kMany = 1'000'000'000;

const AnnotationRow kAccessRows[] = {
    {"enable-cors", kFlagForm, &set_cors},
    {"cors-allow-origin", "origins by commas, such as https://example.com, https://*.example.org, or *", &set_origins, Support::kDiffers,
     "Origins that cannot be read are left out; ingress-nginx allows all when none is left."},
    {"cors-allow-methods", "methods by commas", &set_names<&Cors::methods>},
    {"cors-allow-headers", "names of headers by commas", &set_names<&Cors::headers>},
    {"cors-expose-headers", "names of headers by commas", &set_names<&Cors::expose>},
    {"cors-allow-credentials", kFlagForm, &set_flag<kCors, &Cors::credentials>},
    {"cors-max-age", kSecondsForm, &set_number<kCors, &Cors::max_age_s, 0, kMany>},
    {"limit-rps", kCount, &set_number<kLimits, &L::per_second, 0, kMany>},
    {"limit-rpm", kCount, &set_number<kLimits, &L::per_minute, 0, kMany>},
    {"limit-connections", kCount, &set_number<kLimits, &L::connections, 0, kMany>},
    {"limit-burst-multiplier", "a whole number, 1 or more", &set_number<kLimits, &L::burst, 1, 1'000'000>},
    {"limit-whitelist", kRangesForm, &set_exempt},
    {"limit-allowlist", kRangesForm, &set_exempt},
    {"limit-rate", "kilobytes a second", &set_number<kLimits, &L::rate_kb, 0, kMany>, Support::kDiffers, "Counts without proxy-buffering, too.", false, "limit-rate"},
    {"limit-rate-after", "kilobytes", &set_number<kLimits, &L::rate_after_kb, 0, kMany>, Support::kFull, "", false, "limit-rate-after"},
    {"whitelist-source-range", kRangesForm, &set_ranges<&Settings::allow>, Support::kFull, "", true, "whitelist-source-range"},
    {"allowlist-source-range", kRangesForm, &set_ranges<&Settings::allow>, Support::kFull, "Another name of whitelist-source-range.", true, "allowlist-source-range"},
    {"denylist-source-range", kRangesForm, &set_ranges<&Settings::deny>, Support::kFull, "", true, "denylist-source-range"},
};

}  // namespace

std::span<const AnnotationRow> access_annotations() { return kAccessRows; }

}  // namespace server::gateway

// Annotations: which of several - canaries, cookies that lead back, hashes - and copies.
#include "server/gateway/ingress/setters.h"
#include "store/base/regex.h"
#include "store/base/text.h"

namespace server::gateway {
namespace {

using C = CanarySettings;
using P = ProxySettings;
using M = MirrorSettings;
constexpr auto kCanary = &Settings::canary;
constexpr auto kProxyOfBalance = &Settings::proxy;
constexpr auto kMirror = &Settings::mirror;

base::Status set_canary_header(const std::string& value, Settings& s) {
  if (!is_header_name(value)) return malformed();
  s.canary.header = value;
  return {};
}
base::Status set_canary_pattern(const std::string& value, Settings& s) {
  base::Result<RegexPtr> regex = Regex::compile(value);
  if (!regex.ok()) return std::move(regex).error();
  s.canary.header_pattern = value;
  s.canary.pattern = *regex;
  return {};
}
base::Status set_canary_cookie(const std::string& value, Settings& s) {
  if (!is_header_name(value)) return malformed();
  s.canary.cookie = value;
  return {};
}

base::Status set_affinity(const std::string& value, Settings& s) {
  if (value != "cookie") return malformed();
  s.affinity.cookie = true;
  return {};
}
base::Status set_affinity_mode(const std::string& value, Settings& s) {
  if (value != "balanced" && value != "persistent") return malformed();
  s.affinity.values.persistent = value == "persistent";
  return {};
}
base::Status set_canary_behavior(const std::string& value, Settings& s) {
  if (value != "sticky" && value != "legacy") return malformed();
  s.affinity.sticky_canary = value == "sticky";
  return {};
}
base::Status set_cookie_name(const std::string& value, Settings& s) {
  if (!is_header_name(value)) return malformed();
  s.affinity.values.cookie = value;
  return {};
}
bool is_attribute(const std::string& value) { return !value.empty() && is_header_value(value) && value.find_first_of("; ,") == std::string::npos; }
template <auto kMember>
base::Status set_cookie_text(const std::string& value, Settings& s) {
  if (!is_attribute(value)) return malformed();
  s.affinity.values.*kMember = value;
  return {};
}
base::Status set_same_site(const std::string& value, Settings& s) {
  const std::string word = base::lower(value);
  const char* usual = word == "none" ? "None" : word == "lax" ? "Lax" : word == "strict" ? "Strict" : nullptr;
  if (usual == nullptr) return malformed();
  s.affinity.values.same_site = usual;
  return {};
}
template <auto kMember>
base::Status set_cookie_seconds(const std::string& value, Settings& s) {
  const auto number = parse_number(value);
  if (!number) return malformed();
  s.affinity.values.*kMember = *number;
  return {};
}
template <auto kMember>
base::Status set_cookie_flag(const std::string& value, Settings& s) {
  const auto flag = parse_flag(value);
  if (!flag) return malformed();
  s.affinity.values.*kMember = *flag;
  return {};
}

base::Status set_load_balance(const std::string& value, Settings& s) {
  if (value != "round_robin" && value != "ewma") return malformed();
  s.proxy.balance = value == "ewma" ? Balance::kLeastTime : Balance::kRoundRobin;
  return {};
}

base::Status set_mirror(const std::string& value, Settings& s) {
  const auto url = parse_url(value);
  if (!url || url->host.find('$') != std::string::npos) return malformed();
  const base::Result<TemplatePtr> rest = Template::parse(url->rest);
  if (!rest.ok()) return rest.error();
  s.mirror.target = value;
  return {};
}
base::Status set_mirror_host(const std::string& value, Settings& s) {
  const base::Result<TemplatePtr> parsed = Template::parse(value);
  if (!parsed.ok()) return parsed.error();
  s.mirror.host = value;
  return {};
}

const AnnotationRow kBalanceRows[] = {
    {"canary", kFlagForm, &set_flag<kCanary, &C::enabled>, Support::kDiffers, "Takes from the same host and path only; in ingress-nginx from all rules that lead to the same Service port."},
    {"canary-by-header", "the name of a header", &set_canary_header},
    {"canary-by-header-value", "the header's value", &set_text<kCanary, &C::header_value>},
    {"canary-by-header-pattern", "a regular expression of Perl's kind", &set_canary_pattern},
    {"canary-by-cookie", "the name of a cookie", &set_canary_cookie},
    {"canary-weight", "a whole number, 0 or more", &set_number<kCanary, &C::weight, 0, 1'000'000>, Support::kDiffers, "Shares are exact, not random."},
    {"canary-weight-total", "a whole number, 1 or more", &set_number<kCanary, &C::weight_total, 1, 1'000'000>},
    {"affinity", "cookie", &set_affinity},
    {"affinity-mode", "balanced or persistent", &set_affinity_mode},
    {"affinity-canary-behavior", "sticky or legacy", &set_canary_behavior},
    {"session-cookie-name", "the name of a cookie", &set_cookie_name},
    {"session-cookie-path", "a path", &set_cookie_text<&Affinity::path>},
    {"session-cookie-domain", "a domain", &set_cookie_text<&Affinity::domain>},
    {"session-cookie-samesite", "None, Lax or Strict", &set_same_site},
    {"session-cookie-conditional-samesite-none", kFlagForm, &set_cookie_flag<&Affinity::conditional_same_site_none>},
    {"session-cookie-expires", kSecondsForm, &set_cookie_seconds<&Affinity::expires_s>},
    {"session-cookie-max-age", kSecondsForm, &set_cookie_seconds<&Affinity::max_age_s>},
    {"session-cookie-secure", kFlagForm, &set_cookie_flag<&Affinity::secure>},
    {"session-cookie-change-on-failure", kFlagForm, &set_cookie_flag<&Affinity::change_on_failure>},
    {"load-balance", "round_robin or ewma", &set_load_balance, Support::kDiffers, "Turns are counted for all workers together: round robin is exact.", false, "load-balance"},
    {"upstream-hash-by", kTemplateForm, &set_template<kProxyOfBalance, &P::hash_by>, Support::kFull, "", false, "upstream-hash-by"},
    {"upstream-hash-by-subset", kFlagForm, &set_flag<kProxyOfBalance, &P::hash_subset>},
    {"upstream-hash-by-subset-size", "a whole number, 1 or more", &set_number<kProxyOfBalance, &P::subset_size, 1, 100'000>},
    {"mirror-target", "an http or https URL whose host is written out", &set_mirror, Support::kDiffers, "A slow mirror delays nobody."},
    {"mirror-request-body", kSwitchForm, &set_switch<kMirror, &M::body>},
    {"mirror-host", kTemplateForm, &set_mirror_host},
};

}  // namespace

std::span<const AnnotationRow> balance_annotations() { return kBalanceRows; }

}  // namespace server::gateway

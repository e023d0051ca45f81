// Annotations: who may, by a password or by the word of another service.
#include <algorithm>

#include "server/gateway/ingress/setters.h"

namespace server::gateway {
namespace {

using A = AuthSettings;
using X = ExternalSettings;
constexpr auto kAuth = &Settings::auth;
constexpr auto kExternal = &Settings::external;

base::Status set_type(const std::string& value, Settings& s) {
  if (value != "basic" && value != "digest") return malformed();
  s.auth.type = value == "basic" ? A::Type::kBasic : A::Type::kDigest;
  return {};
}
base::Status set_secret_type(const std::string& value, Settings& s) {
  if (value != "auth-file" && value != "auth-map") return malformed();
  s.auth.secret_is_map = value == "auth-map";
  return {};
}
base::Status set_realm(const std::string& value, Settings& s) {
  if (!is_header_value(value) || value.find('"') != std::string::npos) return malformed();
  s.auth.realm = value;
  return {};
}
base::Status set_satisfy(const std::string& value, Settings& s) {
  if (value != "any" && value != "all") return malformed();
  s.auth.satisfy_any = value == "any";
  return {};
}

base::Status set_url(const std::string& value, Settings& s) {
  if (!parse_url(value)) return malformed();
  return set_template<kExternal, &X::url>(value, s);
}
base::Status set_signin(const std::string& value, Settings& s) {
  const size_t end = value.find_first_of("/$", value.find("://") == std::string::npos ? 0 : value.find("://") + 3);
  if (value.empty() || value.substr(0, end).find_first_of(" \t\"") != std::string::npos) return malformed();
  return set_template<kExternal, &X::signin>(value, s);
}
base::Status set_method(const std::string& value, Settings& s) {
  static constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"};
  if (std::find(std::begin(kMethods), std::end(kMethods), value) == std::end(kMethods)) return malformed();
  s.external.method = value;
  return {};
}
base::Status set_response_headers(const std::string& value, Settings& s) {
  std::vector<std::string> names = split_list(value);
  if (!std::all_of(names.begin(), names.end(), is_header_name)) return malformed();
  s.external.response_headers = std::move(names);
  return {};
}
base::Status set_signin_param(const std::string& value, Settings& s) {
  if (value.empty() || !is_header_name(value)) return malformed();
  s.external.signin_param = value;
  return {};
}

// "200 202 401 5m, 404 30s": statuses and how long, several by commas; "any 1m" is all of them.
base::Status set_cache(const std::string& value, Settings& s) {
  std::vector<std::pair<int, milliseconds>> out;
  for (const std::string& part : split_list(value)) {
    const std::vector<std::string> words = split_list(part, " \t");
    const auto time = parse_time(words.back());
    if (!time) return malformed("there is no time at the end of \"" + part + "\"");
    if (words.size() == 1) {
      for (int usual : {200, 301, 302}) out.emplace_back(usual, *time);
    }
    for (size_t i = 0; i + 1 < words.size(); ++i) {
      const auto status = parse_number(words[i]);
      if (words[i] != "any" && (!status || *status < 100 || *status > 599)) return malformed("\"" + words[i] + "\" is no status");
      out.emplace_back(status ? static_cast<int>(*status) : 0, *time);
    }
  }
  if (out.empty()) return malformed();
  s.external.cache = std::move(out);
  return {};
}

constexpr char kKeepalive[] = "Connections to the auth service are kept anyway, as many as are used.";

const AnnotationRow kAuthRows[] = {
    {"auth-type", "basic or digest", &set_type, Support::kFull, "", true},
    {"auth-secret", kObjectForm, &set_object<kAuth, &A::secret>, Support::kFull, "", true},
    {"auth-secret-type", "auth-file or auth-map", &set_secret_type, Support::kFull, "", true},
    {"auth-realm", "text without quotation marks", &set_realm},
    {"satisfy", "any or all", &set_satisfy, Support::kDiffers, "Combines addresses and passwords; the auth service is asked in any case.", true},
    {"auth-url", "an http or https URL whose host is written out", &set_url, Support::kFull, "The host is a Service (NAME.NAMESPACE.svc.cluster.local), an address, or a name that DNS knows.", true},
    {"auth-signin", "a URL", &set_signin},
    {"auth-signin-redirect-param", "the name of a query parameter", &set_signin_param, Support::kFull, "", false, nullptr},
    {"auth-method", "an HTTP method", &set_method, Support::kFull, "", true},
    {"auth-response-headers", "names of headers by commas", &set_response_headers},
    {"auth-proxy-set-headers", "NAME or NAMESPACE/NAME of a ConfigMap", &set_object<kExternal, &X::headers_config_map>, Support::kFull, "", true},
    {"auth-request-redirect", kTemplateForm, &set_template<kExternal, &X::request_redirect>},
    {"auth-cache-key", kTemplateForm, &set_template<kExternal, &X::cache_key>},
    {"auth-cache-duration", "statuses and times, such as 200 202 401 5m", &set_cache},
    {"auth-always-set-cookie", kFlagForm, &set_flag<kExternal, &X::always_set_cookie>},
    {"enable-global-auth", kFlagForm, &set_flag<kAuth, &A::global>},
    {"auth-keepalive", "a number", nullptr, Support::kNoEffect, kKeepalive},
    {"auth-keepalive-share-vars", kFlagForm, nullptr, Support::kNoEffect, kKeepalive},
    {"auth-keepalive-requests", "a number", nullptr, Support::kNoEffect, kKeepalive},
    {"auth-keepalive-timeout", kSecondsForm, nullptr, Support::kNoEffect, kKeepalive},
};

}  // namespace

std::span<const AnnotationRow> auth_annotations() { return kAuthRows; }

}  // namespace server::gateway

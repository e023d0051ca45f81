// Annotations: how endpoints are talked to.
#include <algorithm>

#include "server/gateway/ingress/setters.h"
#include "store/base/regex.h"
#include "store/base/text.h"

namespace server::gateway {
namespace {

using P = ProxySettings;
constexpr auto kProxy = &Settings::proxy;

template <auto kMember>
base::Status set_timeout(const std::string& value, Settings& s) {
  const auto number = parse_number(value);
  if (!number || *number < 0 || *number > 1'000'000'000) return malformed();
  s.proxy.timeouts.*kMember = std::chrono::seconds(*number);
  return {};
}

base::Status set_protocol(const std::string& value, Settings& s) {
  static const std::pair<std::string_view, BackendProtocol> kNames[] = {
      {"http", BackendProtocol::kHttp}, {"https", BackendProtocol::kHttps}, {"auto_http", BackendProtocol::kAuto}, {"grpc", BackendProtocol::kGrpc}, {"grpcs", BackendProtocol::kGrpcs}};
  const std::string name = base::lower(value);
  for (const auto& [text, protocol] : kNames) {
    if (name != text) continue;
    s.proxy.protocol = protocol;
    return {};
  }
  return malformed(name == "fcgi" ? "FastCGI is not spoken here; put a web server in front of the application" : "");
}

// "error timeout http_502 non_idempotent", or "off".
base::Status set_next_upstream(const std::string& value, Settings& s) {
  Retry next = s.proxy.retry;
  next.on_error = next.on_timeout = next.on_invalid_header = next.non_idempotent = false;
  next.on_status.clear();
  for (const std::string& word : split_list(value, " \t,")) {
    if (word == "error") next.on_error = true;
    else if (word == "timeout") next.on_timeout = true;
    else if (word == "invalid_header") next.on_invalid_header = true;
    else if (word == "non_idempotent") next.non_idempotent = true;
    else if (word == "off") next.tries = 1;
    else if (word.starts_with("http_") && parse_number(std::string_view(word).substr(5))) next.on_status.push_back(static_cast<int>(*parse_number(std::string_view(word).substr(5))));
    else return malformed("\"" + word + "\" is none of them");
  }
  s.proxy.retry = std::move(next);
  return {};
}
base::Status set_next_timeout(const std::string& value, Settings& s) {
  const auto number = parse_number(value);
  if (!number || *number < 0) return malformed();
  s.proxy.retry.within = std::chrono::seconds(*number);
  return {};
}
base::Status set_next_tries(const std::string& value, Settings& s) {
  const auto number = parse_number(value);
  if (!number || *number < 0 || *number > 1000) return malformed();
  s.proxy.retry.tries = static_cast<int>(*number);
  return {};
}

base::Status set_http_version(const std::string& value, Settings& s) {
  if (value != "1.0" && value != "1.1") return malformed();
  s.proxy.http10 = value == "1.0";
  return {};
}
base::Status set_connection_header(const std::string& value, Settings& s) {
  if (!is_header_value(value)) return malformed();
  s.proxy.connection_header = value;
  return {};
}

// "/two/ /;/one/ /": pairs of what it is and what it becomes; "off" is none.
base::Status set_substitutions(const std::string& value, std::vector<Substitution>& member) {
  std::vector<Substitution> out;
  for (const std::string& pair : split_list(value, ";")) {
    const std::vector<std::string> words = split_list(pair, " \t");
    if (words.size() == 1 && words[0] == "off") continue;
    if (words.size() != 2) return malformed();
    Substitution one{words[0], words[1], nullptr};
    if (one.from.starts_with('~')) {
      const bool any_case = one.from.starts_with("~*");
      base::Result<RegexPtr> regex = Regex::compile(std::string_view(one.from).substr(any_case ? 2 : 1), any_case);
      if (!regex.ok()) return std::move(regex).error();
      one.regex = *regex;
    }
    out.push_back(std::move(one));
  }
  member = std::move(out);
  return {};
}
base::Status set_cookie_domain(const std::string& value, Settings& s) { return set_substitutions(value, s.proxy.cookie_domains); }
base::Status set_cookie_path(const std::string& value, Settings& s) { return set_substitutions(value, s.proxy.cookie_paths); }

base::Status set_error_codes(const std::string& value, Settings& s) {
  std::vector<int> out;
  for (const std::string& word : split_list(value)) {
    const auto number = parse_number(word);
    if (!number || *number < 300 || *number > 599) return malformed("\"" + word + "\" is none");
    out.push_back(static_cast<int>(*number));
  }
  s.proxy.error_codes = std::move(out);
  return {};
}
base::Status set_no_intercept(const std::string& value, Settings& s) {
  const auto flag = parse_flag(value);
  if (!flag) return malformed();
  s.proxy.intercept_errors = !*flag;
  return {};
}
base::Status set_access_log(const std::string& value, Settings& s) {
  const auto flag = parse_flag(value);
  if (!flag) return malformed();
  s.access_log = *flag;
  return {};
}

constexpr char kTemporary[] = "Nothing is written to files: what does not fit into memory holds the endpoint up.";
constexpr char kPairs[] = "pairs of FROM and TO by semicolons, or off";

const AnnotationRow kProxyRows[] = {
    {"backend-protocol", "HTTP, HTTPS, AUTO_HTTP, GRPC or GRPCS", &set_protocol, Support::kDiffers, "FCGI is refused.", true},
    {"proxy-body-size", "a size such as 8m (0: no limit)", &set_size<kProxy, &P::max_body>, Support::kFull, "", false, "proxy-body-size"},
    {"proxy-connect-timeout", kSecondsForm, &set_timeout<&Timeouts::connect>, Support::kFull, "", false, "proxy-connect-timeout"},
    {"proxy-read-timeout", kSecondsForm, &set_timeout<&Timeouts::read>, Support::kFull, "", false, "proxy-read-timeout"},
    {"proxy-send-timeout", kSecondsForm, &set_timeout<&Timeouts::send>, Support::kFull, "", false, "proxy-send-timeout"},
    {"proxy-next-upstream", "words such as error, timeout, invalid_header, http_502, non_idempotent, off", &set_next_upstream, Support::kFull, "", false, "proxy-next-upstream"},
    {"proxy-next-upstream-timeout", kSecondsForm, &set_next_timeout, Support::kFull, "", false, "proxy-next-upstream-timeout"},
    {"proxy-next-upstream-tries", "a whole number (0: as many as there are endpoints)", &set_next_tries, Support::kFull, "", false, "proxy-next-upstream-tries"},
    {"proxy-buffering", kSwitchForm, &set_switch<kProxy, &P::buffering>, Support::kDiffers, "So much of an answer as the buffers hold is taken off the endpoint at once; the client gets all that is there at once, too.", false, "proxy-buffering"},
    {"proxy-buffer-size", kSizeForm, &set_size<kProxy, &P::buffer_size>, Support::kFull, "", false, "proxy-buffer-size"},
    {"proxy-buffers-number", "a whole number, 1 or more", &set_number<kProxy, &P::buffers, 1, 100'000>, Support::kFull, "", false, "proxy-buffers-number"},
    {"proxy-request-buffering", kSwitchForm, &set_switch<kProxy, &P::request_buffering>, Support::kFull, "", false, "proxy-request-buffering"},
    {"client-body-buffer-size", kSizeForm, &set_size<kProxy, &P::client_buffer>, Support::kFull, "", false, "client-body-buffer-size"},
    {"proxy-busy-buffers-size", kSizeForm, nullptr, Support::kNoEffect, kTemporary, false, "proxy-busy-buffers-size"},
    {"proxy-max-temp-file-size", kSizeForm, nullptr, Support::kNoEffect, kTemporary, false, "proxy-max-temp-file-size"},
    {"proxy-http-version", "1.0 or 1.1", &set_http_version, Support::kFull, "", false, "proxy-http-version"},
    {"connection-proxy-header", "a header's value", &set_connection_header},
    {"upstream-vhost", kTemplateForm, &set_template<kProxy, &P::vhost>},
    {"proxy-redirect-from", "off, default, or what Location begins with", &set_text<kProxy, &P::redirect_from>, Support::kDiffers, "default is off.", false, "proxy-redirect-from"},
    {"proxy-redirect-to", "what it becomes", &set_text<kProxy, &P::redirect_to>, Support::kFull, "", false, "proxy-redirect-to"},
    {"proxy-cookie-domain", kPairs, &set_cookie_domain, Support::kFull, "", false, "proxy-cookie-domain"},
    {"proxy-cookie-path", kPairs, &set_cookie_path, Support::kFull, "", false, "proxy-cookie-path"},
    {"service-upstream", kFlagForm, &set_flag<kProxy, &P::service_upstream>, Support::kFull, "", false, "service-upstream"},
    {"default-backend", "the NAME of a Service of the same namespace", &set_object<kProxy, &P::default_backend>},
    {"custom-http-errors", "statuses of 300 to 599 by commas", &set_error_codes, Support::kDiffers, "Without a default backend the endpoint's status is kept; ingress-nginx answers 404.", false, "custom-http-errors"},
    {"disable-proxy-intercept-errors", kFlagForm, &set_no_intercept, Support::kFull, "", false, "disable-proxy-intercept-errors"},
    {"custom-headers", "NAME or NAMESPACE/NAME of a ConfigMap", &set_object<kProxy, &P::custom_headers>, Support::kFull, "Headers that global-allowed-response-headers does not list close the Ingress (503).", true},
    {"enable-access-log", kFlagForm, &set_access_log},
};

}  // namespace

std::span<const AnnotationRow> proxy_annotations() { return kProxyRows; }

}  // namespace server::gateway

// Annotations: TLS on either side.
#include <algorithm>

#include "server/gateway/ingress/setters.h"
#include "store/base/regex.h"
#include "store/base/text.h"

namespace server::gateway {
namespace {

using CT = ClientTlsSettings;
using PT = ProxyTlsSettings;
constexpr auto kClient = &Settings::client_tls;
constexpr auto kProxyTls = &Settings::proxy_tls;

base::Status set_verify_client(const std::string& value, Settings& s) {
  static const std::pair<std::string_view, ClientAuth::Mode> kModes[] = {
      {"on", ClientAuth::Mode::kRequire}, {"off", ClientAuth::Mode::kOff}, {"optional", ClientAuth::Mode::kOptional}, {"optional_no_ca", ClientAuth::Mode::kOptionalNoCa}};
  for (const auto& [name, mode] : kModes) {
    if (value != name) continue;
    s.client_tls.mode = mode;
    return {};
  }
  return malformed();
}
// "CN=name", the name a regular expression.
base::Status set_match_cn(const std::string& value, Settings& s) {
  if (!value.starts_with("CN=") || value.size() == 3) return malformed();
  const base::Result<RegexPtr> regex = Regex::compile(std::string_view(value).substr(3));
  if (!regex.ok()) return regex.error();
  s.client_tls.match_cn = value.substr(3);
  return {};
}
base::Status set_error_page(const std::string& value, Settings& s) {
  if (value.empty() || !is_header_value(value) || value.find(' ') != std::string::npos) return malformed();
  s.client_tls.error_page = value;
  return {};
}
base::Status set_protocols(const std::string& value, Settings& s) {
  static constexpr std::string_view kKnown[] = {"SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
  const std::vector<std::string> words = split_list(value, " \t");
  for (const std::string& word : words) {
    if (std::find(std::begin(kKnown), std::end(kKnown), word) == std::end(kKnown)) return malformed("\"" + word + "\" is none");
  }
  if (words.empty()) return malformed();
  s.proxy_tls.protocols = value;
  return {};
}
base::Status set_aliases(const std::string& value, Settings& s) {
  std::vector<std::string> out;
  for (const std::string& name : split_list(value)) {
    if (!is_host_name(name)) return malformed("\"" + name + "\" is no host name; regular expressions are not known here");
    out.push_back(base::lower(name));
  }
  s.aliases = std::move(out);
  return {};
}
bool is_cipher_list(const std::string& value) {
  return !value.empty() && value.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+:!@=") == std::string::npos;
}
base::Status set_ciphers(const std::string& value, Settings& s) {
  if (!is_cipher_list(value)) return malformed();
  s.ciphers = value;
  return {};
}
base::Status set_proxy_ciphers(const std::string& value, Settings& s) {
  if (!is_cipher_list(value)) return malformed();
  s.proxy_tls.ciphers = value;
  return {};
}
base::Status set_passthrough(const std::string& value, Settings& s) {
  const auto flag = parse_flag(value);
  if (!flag) return malformed();
  s.passthrough = *flag;
  return {};
}

constexpr char kCiphersForm[] = "ciphers by colons, in OpenSSL's names";

const AnnotationRow kTlsRows[] = {
    {"auth-tls-secret", kObjectForm, &set_object<kClient, &CT::secret>, Support::kFull, "", true},
    {"auth-tls-verify-client", "on, off, optional or optional_no_ca", &set_verify_client, Support::kFull, "", true},
    {"auth-tls-verify-depth", "a whole number, 0 or more", &set_number<kClient, &CT::depth, 0, 100>, Support::kFull, "", true},
    {"auth-tls-error-page", "a URL", &set_error_page},
    {"auth-tls-pass-certificate-to-upstream", kFlagForm, &set_flag<kClient, &CT::pass>},
    {"auth-tls-match-cn", "CN= and a regular expression", &set_match_cn, Support::kFull, "", true},
    {"proxy-ssl-secret", kObjectForm, &set_object<kProxyTls, &PT::secret>, Support::kFull, "", true},
    {"proxy-ssl-verify", kSwitchForm, &set_switch<kProxyTls, &PT::verify>, Support::kFull, "", true},
    {"proxy-ssl-verify-depth", "a whole number, 0 or more", &set_number<kProxyTls, &PT::depth, 0, 100>},
    {"proxy-ssl-name", "a host name", &set_text<kProxyTls, &PT::name>},
    {"proxy-ssl-server-name", kSwitchForm, &set_switch<kProxyTls, &PT::send_name>},
    {"proxy-ssl-protocols", "versions by spaces, such as TLSv1.2 TLSv1.3", &set_protocols, Support::kDiffers, "Below TLSv1.2 nothing is spoken."},
    {"proxy-ssl-ciphers", kCiphersForm, &set_proxy_ciphers},
    {"ssl-ciphers", kCiphersForm, &set_ciphers, Support::kFull, "", false, "ssl-ciphers"},
    {"ssl-prefer-server-ciphers", kFlagForm, nullptr, Support::kNoEffect, "All ciphers that are offered are good ones; the client's preference counts.", false, "ssl-prefer-server-ciphers"},
    {"ssl-passthrough", kFlagForm, &set_passthrough},
    {"server-alias", "host names by commas", &set_aliases, Support::kDiffers, "Regular expressions (~) are refused."},
};

}  // namespace

std::span<const AnnotationRow> tls_annotations() { return kTlsRows; }

}  // namespace server::gateway

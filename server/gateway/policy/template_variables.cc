#include "server/gateway/policy/template_variables.h"

namespace server::gateway {
namespace {

struct Name {
  std::string_view name;
  Variable variable;
};

constexpr Name kNames[] = {
    {"scheme", kScheme},
    {"pass_access_scheme", kPassScheme},
    {"https", kHttps},
    {"host", kHost},
    {"http_host", kHttpHost},
    {"best_http_host", kBestHttpHost},
    {"uri", kUriPath},
    {"document_uri", kUriPath},
    {"request_uri", kRequestUri},
    {"request_uri_without_slash", kRequestUriWithoutSlash},
    {"escaped_request_uri", kEscapedRequestUri},
    {"request", kRequestLine},
    {"args", kArguments},
    {"query_string", kArguments},
    {"is_args", kIsArguments},
    {"hostname", kHostname},
    {"remote_addr", kRemoteAddress},
    {"the_real_ip", kRemoteAddress},
    {"realip_remote_addr", kPeerAddress},
    {"binary_remote_addr", kBinaryRemoteAddress},
    {"remote_port", kRemotePort},
    {"remote_user", kRemoteUser},
    {"server_name", kServerName},
    {"server_port", kServerPort},
    {"pass_server_port", kPassPort},
    {"pass_port", kPassPort},
    {"server_protocol", kServerProtocol},
    {"request_method", kMethod},
    {"request_id", kRequestId},
    {"req_id", kRequestId},
    {"content_length", kContentLength},
    {"msec", kMsec},
    {"time_iso8601", kTimeIso},
    {"ssl_protocol", kTlsVersion},
    {"ssl_cipher", kTlsCipher},
    {"ssl_server_name", kTlsServerName},
    {"ssl_client_verify", kClientVerify},
    {"ssl_client_s_dn", kClientSubject},
    {"ssl_client_i_dn", kClientIssuer},
    {"ssl_client_cert", kClientCertificate},
    {"ssl_client_raw_cert", kClientRawCertificate},
    {"ssl_client_escaped_cert", kClientEscapedCertificate},
    {"namespace", kNamespace},
    {"ingress_name", kIngressName},
    {"service_name", kServiceName},
    {"service_port", kServicePort},
    {"location_path", kLocationPath},
    {"proxy_upstream_name", kUpstreamName},
    {"proxy_add_x_forwarded_for", kForwardedFor},
    {"full_x_forwarded_for", kFullForwardedFor},
    {"redirect_host", kRedirectHost},
};

struct Prefix {
  std::string_view prefix;
  Variable variable;
};
constexpr Prefix kPrefixes[] = {{"arg_", kArgument}, {"http_", kHeader}, {"cookie_", kCookie}};

}  // namespace

std::optional<NamedVariable> find_variable(std::string_view name) {
  if (name == "content_type") name = "http_content_type";
  for (const Name& known : kNames) {
    if (known.name == name) return NamedVariable{known.variable, {}};
  }
  for (const Prefix& known : kPrefixes) {
    if (name.size() <= known.prefix.size() || name.substr(0, known.prefix.size()) != known.prefix) continue;
    std::string rest(name.substr(known.prefix.size()));
    if (known.variable == kHeader) {
      for (char& c : rest) c = c == '_' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    return NamedVariable{known.variable, std::move(rest)};
  }
  return std::nullopt;
}

}  // namespace server::gateway

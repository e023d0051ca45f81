// server/gateway/policy/template_variables.h - the names of template.h's variables. For this folder. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace server::gateway {

enum Variable : uint8_t {
  kLiteral,
  kGroup,
  kArgument,
  kHeader,
  kCookie,
  kScheme,
  kHttps,
  kHost,
  kHttpHost,
  kUriPath,
  kRequestUri,
  kRequestUriWithoutSlash,
  kEscapedRequestUri,
  kRequestLine,
  kArguments,
  kIsArguments,
  kHostname,
  kRemoteAddress,
  kBinaryRemoteAddress,
  kRemotePort,
  kRemoteUser,
  kServerName,
  kServerPort,
  kServerProtocol,
  kMethod,
  kRequestId,
  kContentLength,
  kMsec,
  kTimeIso,
  kTlsVersion,
  kTlsCipher,
  kTlsServerName,
  kClientVerify,
  kClientSubject,
  kClientIssuer,
  kClientCertificate,
  kClientRawCertificate,
  kClientEscapedCertificate,
  kNamespace,
  kIngressName,
  kServiceName,
  kServicePort,
  kLocationPath,
  kUpstreamName,
  kForwardedFor,
  kFullForwardedFor,
  kPeerAddress,
  kPassScheme,
  kPassPort,
  kBestHttpHost,
  kRedirectHost,
};

struct NamedVariable {
  Variable variable;
  std::string rest;  // The NAME of $http_NAME (in lower case, with '-'), $arg_NAME, $cookie_NAME.
};
// Without the '$'. Nothing: there is none of that name.
std::optional<NamedVariable> find_variable(std::string_view name);

}  // namespace server::gateway

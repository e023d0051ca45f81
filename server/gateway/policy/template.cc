#include "server/gateway/policy/template.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "server/gateway/policy/encoding.h"
#include "server/gateway/policy/request_origin.h"
#include "server/gateway/policy/rewrite.h"
#include "server/gateway/policy/template_variables.h"
#include "store/base/clock.h"
#include "store/base/text.h"

namespace server::gateway {
namespace {

bool is_name_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

const std::string& own_hostname() {
  static const std::string name = [] {
    char text[256] = {};
    return gethostname(text, sizeof text - 1) == 0 ? std::string(text) : std::string();
  }();
  return name;
}

std::string_view find_argument(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    size_t end = std::min(query.find('&'), query.size());
    std::string_view part = query.substr(0, end);
    if (part.size() > name.size() && part[name.size()] == '=' && equal_names(part.substr(0, name.size()), name)) return part.substr(name.size() + 1);
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

// `name` with '-'. What the connection keeps apart from the headers is one to whoever asks.
void append_header(const RequestHead& request, std::string_view name, std::string* out) {
  if (name == "upgrade") out->append(request.upgrade);
  if (name == "content-length" && request.body == BodyKind::kLength) out->append(std::to_string(request.length));
  bool first = true;
  for (size_t i = 0; i < request.headers.size(); ++i) {
    Headers::Field field = request.headers[i];
    if (field.name.size() != name.size() || !equal_names(field.name, name)) continue;
    if (!first) out->append(name == "cookie" ? "; " : ", ");
    first = false;
    out->append(field.value);
  }
}

void append_remote_user(const RequestHead& request, std::string* out) {
  std::optional<std::string_view> value = request.headers.find("authorization");
  if (!value || value->size() < 6 || !equal_names(value->substr(0, 6), "basic ")) return;
  std::optional<std::string> decoded = base::decode_base64(value->substr(6));
  if (decoded) out->append(*decoded, 0, decoded->find(':'));
}

void append_host(const TemplateContext& context, std::string_view called, std::string* out) {
  std::string_view host = !called.empty() ? called : context.request != nullptr ? std::string_view(context.request->authority) : std::string_view();
  size_t bracket = host.rfind(']');
  size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  host = host.substr(0, colon);
  if (host.empty() && context.host != nullptr) host = context.host->name;
  out->append(host);
}

void append_path(const TemplateContext& context, std::string* out) {
  if (!context.path.empty()) {
    out->append(context.path);
    return;
  }
  if (context.request == nullptr) return;
  base::Result<std::string> path = normalize_path(context.request->path());
  if (path.ok()) out->append(*path);
}

// Before an endpoint is chosen: the upstream that the route names first.
const Upstream* upstream_of(const TemplateContext& context) {
  if (context.upstream != nullptr) return context.upstream;
  const Forward* forward = context.route != nullptr ? std::get_if<Forward>(&context.route->action) : nullptr;
  return forward != nullptr && !forward->backends.empty() ? forward->backends[0].upstream.get() : nullptr;
}

void append_request(Variable variable, const TemplateContext& context, std::string* out) {
  if (context.request == nullptr) return;
  const RequestHead& request = *context.request;
  std::string_view target = request.target;
  switch (variable) {
    case kHttpHost:
      out->append(request.authority);
      break;
    case kRequestUri:
      out->append(target);
      break;
    case kRequestUriWithoutSlash:
      out->append(!target.empty() && target.back() == '/' ? target.substr(0, target.size() - 1) : target);
      break;
    case kEscapedRequestUri:
      append_escaped(target, Escape::kComponent, out);
      break;
    case kRequestLine:
      out->append(request.method).append(" ").append(target).append(" ").append(version_text(request.version));
      break;
    case kArguments:
      out->append(request.query());
      break;
    case kIsArguments:
      out->append(request.query().empty() ? "" : "?");
      break;
    case kServerProtocol:
      out->append(version_text(request.version));
      break;
    case kMethod:
      out->append(request.method);
      break;
    case kRemoteUser:
      append_remote_user(request, out);
      break;
    case kContentLength:
      append_header(request, "content-length", out);
      break;
    default:
      break;
  }
}

// nginx: lines after the first begin with a tab, so that the PEM can be a header's value of several lines.
void append_certificate(std::string_view pem, std::string* out) {
  while (!pem.empty() && pem.back() == '\n') pem.remove_suffix(1);
  for (char c : pem) {
    out->push_back(c);
    if (c == '\n') out->push_back('\t');
  }
}

void append_client(Variable variable, const TemplateContext& context, std::string* out) {
  if (context.client == nullptr) return;
  const ClientInfo& client = *context.client;
  switch (variable) {
    case kScheme:
      out->append(client.tls ? "https" : "http");
      break;
    case kPassScheme:
      out->append(context.origin != nullptr ? context.origin->scheme : client.tls ? "https" : "http");
      break;
    case kPassPort:
      out->append(context.origin != nullptr ? context.origin->port : std::to_string(client.local_port));
      break;
    case kPeerAddress:
      out->append((context.origin != nullptr ? context.origin->peer : client.address).text());
      break;
    case kHttps:
      out->append(client.tls ? "on" : "");
      break;
    case kRemoteAddress:
      out->append(client.address.text());
      break;
    case kBinaryRemoteAddress:
      out->append(reinterpret_cast<const char*>(client.address.bytes()), client.address.size());
      break;
    case kRemotePort:
      if (client.port != 0) out->append(std::to_string(client.port));
      break;
    case kServerPort:
      out->append(std::to_string(client.local_port));
      break;
    case kTlsVersion:
      out->append(client.tls_version);
      break;
    case kTlsCipher:
      out->append(client.tls_cipher);
      break;
    case kTlsServerName:
      out->append(client.server_name);
      break;
    case kClientVerify:
      out->append(client.tls ? client.verified : "");
      break;
    case kClientSubject:
      out->append(client.subject_dn);
      break;
    case kClientIssuer:
      out->append(client.issuer_dn);
      break;
    case kClientCertificate:
      append_certificate(client.certificate_pem, out);
      break;
    case kClientRawCertificate:
      out->append(client.certificate_pem);
      break;
    case kClientEscapedCertificate:
      append_escaped(client.certificate_pem, Escape::kComponent, out);
      break;
    default:
      break;
  }
}

void append_upstream(Variable variable, const TemplateContext& context, std::string* out) {
  const Upstream* upstream = upstream_of(context);
  if (upstream == nullptr) return;
  if (variable == kServiceName) out->append(upstream->service);
  if (variable == kServicePort) out->append(upstream->service_port);
  if (variable == kUpstreamName) out->append(upstream->service_ns).append("-").append(upstream->service).append("-").append(upstream->service_port);
}

void append_route(Variable variable, const TemplateContext& context, std::string* out) {
  if (context.route == nullptr) return;
  if (variable == kNamespace) out->append(context.route->origin.ns);
  if (variable == kIngressName) out->append(context.route->origin.name);
  if (variable == kLocationPath) out->append(context.route->location_path);
}

void append_time(Variable variable, std::string* out) {
  base::WallTime now = base::SystemClock().wall();
  if (variable == kTimeIso) {
    std::string text = base::render_rfc3339(now);  // Ends in "Z", where nginx has an offset.
    text.pop_back();
    out->append(text).append("+00:00");
    return;
  }
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  std::string fraction = std::to_string(1000 + ms % 1000);
  out->append(std::to_string(ms / 1000)).append(".").append(fraction, 1);
}

}  // namespace

// ---- Parsing -----------------------------------------------------------------------------------------------------

struct TemplateParser {
  std::vector<Template::Piece>& pieces;
  std::string literal;

  void end_literal() {
    if (!literal.empty()) pieces.push_back({kLiteral, 0, std::move(literal)});
    literal.clear();
  }

  // `text` follows a '$'; what was taken of it.
  base::Result<size_t> add_variable(std::string_view text) {
    if (!text.empty() && text[0] >= '1' && text[0] <= '9') {
      end_literal();
      pieces.push_back({kGroup, static_cast<uint8_t>(text[0] - '0'), {}});
      return size_t{1};
    }
    bool braces = !text.empty() && text[0] == '{';
    size_t from = braces ? 1 : 0, to = from;
    while (to < text.size() && is_name_char(text[to])) ++to;
    std::string_view name = text.substr(from, to - from);
    if (braces && (to >= text.size() || text[to] != '}')) return base::Error(base::Code::kInvalid, "\"${" + std::string(name) + "\" has no closing brace");
    if (name.empty()) return base::Error(base::Code::kInvalid, "a \"$\" is not followed by the name of a variable");
    if (braces && name.size() == 1 && name[0] >= '1' && name[0] <= '9') {
      end_literal();
      pieces.push_back({kGroup, static_cast<uint8_t>(name[0] - '0'), {}});
      return to + 1;
    }
    if (!add_named(name)) return base::Error(base::Code::kInvalid, "unknown variable \"$" + std::string(name) + "\"");
    return to + (braces ? 1 : 0);
  }

  bool add_named(std::string_view name) {
    const std::optional<NamedVariable> known = find_variable(name);
    if (!known) return false;
    end_literal();
    pieces.push_back({known->variable, 0, known->rest});
    return true;
  }
};

base::Result<TemplatePtr> Template::parse(std::string_view nginx_text) {
  std::shared_ptr<Template> made(new Template);
  made->text_ = nginx_text;
  TemplateParser parser{made->pieces_, {}};
  for (size_t i = 0; i < nginx_text.size(); ++i) {
    if (nginx_text[i] != '$') {
      parser.literal.push_back(nginx_text[i]);
      continue;
    }
    i += TRY(parser.add_variable(nginx_text.substr(i + 1)));
    made->constant_ = false;
  }
  parser.end_literal();
  return TemplatePtr(std::move(made));
}

TemplatePtr Template::literal(std::string_view text) {
  std::shared_ptr<Template> made(new Template);
  made->text_ = text;
  if (!text.empty()) made->pieces_.push_back({kLiteral, 0, std::string(text)});
  return made;
}

// ---- Rendering ---------------------------------------------------------------------------------------------------

void Template::append_value(const Piece& piece, const TemplateContext& context, std::string* out) {
  auto variable = static_cast<Variable>(piece.variable);
  switch (variable) {
    case kLiteral:
      out->append(piece.text);
      return;
    case kGroup:
      if (context.captures != nullptr && piece.group < context.captures->size()) out->append((*context.captures)[piece.group]);
      return;
    case kArgument:
      if (context.request != nullptr) out->append(find_argument(context.request->query(), piece.text));
      return;
    case kHeader:
      if (context.request != nullptr) append_header(*context.request, piece.text, out);
      return;
    case kCookie:
      if (context.request != nullptr) out->append(find_cookie_view(context.request->headers, piece.text).value_or(std::string_view()));
      return;
    case kHost:
      return append_host(context, {}, out);
    case kBestHttpHost:
      if (context.origin == nullptr) return append_request(kHttpHost, context, out);
      out->append(context.origin->host);
      return;
    case kRedirectHost:
      return append_host(context, context.origin != nullptr ? context.origin->host : std::string_view(), out);
    case kUriPath:
      return append_path(context, out);
    case kHostname:
      out->append(own_hostname());
      return;
    case kServerName:
      out->append(context.host != nullptr && !context.host->name.empty() ? std::string_view(context.host->name) : "_");
      return;
    case kRequestId:
      out->append(context.request_id);
      return;
    case kMsec:
    case kTimeIso:
      return append_time(variable, out);
    case kNamespace:
    case kIngressName:
    case kLocationPath:
      return append_route(variable, context, out);
    case kServiceName:
    case kServicePort:
    case kUpstreamName:
      return append_upstream(variable, context, out);
    case kForwardedFor:
    case kFullForwardedFor: {
      size_t before = out->size();
      if (context.request != nullptr) append_header(*context.request, "x-forwarded-for", out);
      if (out->size() > before && context.client != nullptr) out->append(", ");
      return append_client(variable == kForwardedFor ? kRemoteAddress : kPeerAddress, context, out);
    }
    default:
      append_request(variable, context, out);
      append_client(variable, context, out);
      return;
  }
}

void Template::render_to(const TemplateContext& context, std::string* out) const {
  for (const Piece& piece : pieces_) append_value(piece, context, out);
}

std::string Template::render(const TemplateContext& context) const {
  if (constant_) return text_;
  std::string out;
  render_to(context, &out);
  return out;
}

bool Template::render_rewrite(const TemplateContext& context, bool quote_captures, std::string* path, std::string* query) const {
  bool in_query = false;
  std::string value;
  for (const Piece& piece : pieces_) {
    if (piece.variable == kLiteral && !in_query) {
      size_t at = piece.text.find('?');
      path->append(piece.text, 0, at);
      if (at == std::string::npos) continue;
      in_query = true;
      query->append(piece.text, at + 1);
    } else if (piece.variable == kGroup && in_query && quote_captures) {
      value.clear();
      append_value(piece, context, &value);
      append_escaped(value, Escape::kArgs, query);
    } else {
      append_value(piece, context, in_query ? query : path);
    }
  }
  return in_query;
}

}  // namespace server::gateway

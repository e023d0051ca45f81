#include "server/gateway/policy/forwarded.h"

#include <openssl/rand.h>

#include <array>

#include "server/gateway/policy/encoding.h"
#include "server/gateway/policy/request_origin.h"

namespace server::gateway {
namespace {

// Random bytes by the handful: one call to the generator serves some requests of a thread.
void take_random(unsigned char* out, size_t size) {
  constexpr size_t kPool = 4096;
  thread_local std::array<unsigned char, kPool> pool;
  thread_local size_t used = kPool;
  if (used + size > kPool) {
    // Without a working generator there would be no TLS either; ids then repeat, which harms nobody.
    RAND_bytes(pool.data(), kPool);
    used = 0;
  }
  for (size_t i = 0; i < size; ++i) out[i] = pool[used + i];
  used += size;
}

// What is added to a request of a client with IPv6 and a long name, with some room for what a route adds.
constexpr std::string_view kForwardedForName = "x-forwarded-for";
constexpr size_t kUsualBytes = 512, kUsualFields = 12;

enum class Known : uint8_t { kNone, kOurs, kForwardedFor, kForwardedHost, kCertificate };

struct KnownName {
  std::string_view name;
  Known known;
};

// What a client sends under these names does not reach an endpoint as it is.
constexpr KnownName kKnownNames[] = {
    {"proxy", Known::kOurs},
    {"x-scheme", Known::kOurs},
    {"x-real-ip", Known::kOurs},
    {"x-request-id", Known::kOurs},
    {"x-forwarded-for", Known::kForwardedFor},
    {"x-forwarded-host", Known::kForwardedHost},
    {"x-forwarded-port", Known::kOurs},
    {"x-forwarded-proto", Known::kOurs},
    {"x-forwarded-scheme", Known::kOurs},
    {"x-original-forwarded-for", Known::kOurs},
    {"x-original-forwarded-host", Known::kOurs},
    {"ssl-client-cert", Known::kCertificate},
    {"ssl-client-verify", Known::kCertificate},
    {"ssl-client-subject-dn", Known::kCertificate},
    {"ssl-client-issuer-dn", Known::kCertificate},
};

// By first letter and length before by letters: this runs over all headers of all requests.
Known find_known(std::string_view name) {
  char first = name.empty() ? '\0' : static_cast<char>(name[0] | 0x20);
  if (first != 'x' && first != 's' && first != 'p') return Known::kNone;
  for (const KnownName& each : kKnownNames) {
    if (each.name.size() == name.size() && equal_names(each.name, name)) return each.known;
  }
  return Known::kNone;
}

// Other names are dropped, as nginx does: backends that make variables of them cannot tell X_Real_IP from X-Real-IP.
bool is_plain(std::string_view name) {
  for (char c : name) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || (c >= '0' && c <= '9');
    if (!plain) return false;
  }
  return true;
}

void add_certificate_headers(Headers& headers, const ClientInfo& client, const ClientAuth& rules) {
  auto add = [&headers](const char* name, std::string value) {
    make_header_safe(&value);
    if (!value.empty()) headers.add(name, value);
  };
  if (rules.pass_to_upstream) {
    std::string escaped;
    append_escaped(client.certificate_pem, Escape::kComponent, &escaped);
    add("ssl-client-cert", std::move(escaped));
  }
  add("ssl-client-verify", client.tls ? client.verified : std::string());
  add("ssl-client-subject-dn", client.subject_dn);
  add("ssl-client-issuer-dn", client.issuer_dn);
}

void set_or_remove(Headers& headers, const char* name, std::string value) {
  make_header_safe(&value);
  if (value.empty()) headers.remove(name);
  else headers.set(name, value);
}

void say_what_failed(Headers& headers, int status, const RequestHead& request, const TemplateContext& context) {
  static const TemplatePtr kNamespace = *Template::parse("$namespace"), kIngress = *Template::parse("$ingress_name"), kService = *Template::parse("$service_name"),
                           kPort = *Template::parse("$service_port");
  // Of the service that failed, not of the one that explains it.
  TemplateContext names = context;
  names.upstream = nullptr;
  set_or_remove(headers, "X-Code", std::to_string(status));
  set_or_remove(headers, "X-Format", std::string(request.headers.find("accept").value_or("")));
  set_or_remove(headers, "X-Namespace", kNamespace->render(names));
  set_or_remove(headers, "X-Ingress-Name", kIngress->render(names));
  set_or_remove(headers, "X-Service-Name", kService->render(names));
  set_or_remove(headers, "X-Service-Port", kPort->render(names));
  set_or_remove(headers, "X-Request-ID", std::string(context.request_id));
}

}  // namespace

std::string request_id_of(const RequestHead& request) {
  if (std::optional<std::string_view> sent = request.headers.find("x-request-id"); sent && !sent->empty()) return std::string(*sent);
  unsigned char bytes[16];
  take_random(bytes, sizeof bytes);
  return to_hex({reinterpret_cast<const char*>(bytes), sizeof bytes});
}

void set_forwarded_headers(RequestHead& out, const TemplateContext& context, const Listener& listener) {
  const ClientAuth* certificates = context.host != nullptr && context.host->client_auth && context.host->client_auth->mode != ClientAuth::Mode::kOff ? context.host->client_auth.get() : nullptr;
  std::string original_for, original_host;
  const std::string_view chain = listener.forwarded_for_header;
  const bool usual_chain = equal_names(chain, kForwardedForName);
  out.headers.remove_if([&](Headers::Field field) {
    if (!usual_chain && equal_names(field.name, chain)) original_for.append(original_for.empty() ? "" : ", ").append(field.value);
    switch (find_known(field.name)) {
      case Known::kNone:
        return !is_plain(field.name);
      case Known::kForwardedFor:
        if (usual_chain) original_for.append(original_for.empty() ? "" : ", ").append(field.value);
        return true;
      case Known::kForwardedHost:
        original_host.append(original_host.empty() ? "" : ", ").append(field.value);
        return true;
      case Known::kCertificate:
        return certificates != nullptr;
      case Known::kOurs:
        return true;
    }
    return false;
  });
  Headers& headers = out.headers;
  headers.reserve(kUsualBytes, kUsualFields);
  if (!context.request_id.empty()) headers.add("X-Request-ID", context.request_id);
  std::string_view host = context.request != nullptr ? std::string_view(context.request->authority) : std::string_view(out.authority);
  if (context.client != nullptr) {
    const ClientInfo& client = *context.client;
    const RequestOrigin* origin = context.origin;
    const std::string_view scheme = origin != nullptr ? std::string_view(origin->scheme) : client.tls ? "https" : "http";
    std::string address = client.address.text();
    headers.add("X-Real-IP", address);
    headers.add("X-Forwarded-For", origin != nullptr ? origin->forwarded_for : address);
    headers.add("X-Forwarded-Host", origin != nullptr ? origin->host : host);
    uint16_t port = listener.port != 0 ? listener.port : client.local_port;
    headers.add("X-Forwarded-Port", origin != nullptr ? origin->port : port == 443 ? "443" : port == 80 ? "80" : std::to_string(port));
    headers.add("X-Forwarded-Proto", scheme);
    headers.add("X-Forwarded-Scheme", scheme);
    headers.add("X-Scheme", scheme);
    if (certificates != nullptr) add_certificate_headers(headers, client, *certificates);
  }
  if (!original_for.empty()) headers.add("X-Original-Forwarded-For", original_for);
  if (!original_host.empty()) headers.add("X-Original-Forwarded-Host", original_host);
}

void apply_changes(const std::vector<HeaderChange>& changes, const TemplateContext& context, Headers& headers) {
  for (const HeaderChange& change : changes) {
    if (change.kind == HeaderChange::Kind::kRemove || !change.value) {
      headers.remove(change.name);
      continue;
    }
    std::string value = change.value->render(context);
    make_header_safe(&value);
    if (change.kind == HeaderChange::Kind::kAdd) headers.add(change.name, value);
    else if (value.empty()) headers.remove(change.name);
    else headers.set(change.name, value);
  }
}

void set_error_page_headers(RequestHead& out, int status, const RequestHead& request, const TemplateContext& context) {
  out.target.assign(1, '/');  // Not = "/": g++ 12 warns of a copy that is not there.
  out.body = BodyKind::kNone;
  out.length = 0;
  out.upgrade.clear();
  out.expects_continue = false;
  out.headers.remove("Content-Type");
  set_or_remove(out.headers, "X-Original-URI", request.target);
  say_what_failed(out.headers, status, request, context);
}

void set_fallback_headers(RequestHead& out, const RequestHead& request, const TemplateContext& context) { say_what_failed(out.headers, 503, request, context); }

}  // namespace server::gateway

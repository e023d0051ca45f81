#include "server/gateway/policy/forwarded.h"

#include <openssl/rand.h>

#include <array>

#include "server/gateway/policy/encoding.h"

namespace server::gateway {
namespace {

// Random bytes by the handful: one call to the generator serves some requests of a thread.
void take_random(unsigned char* out, size_t size) {
  constexpr size_t kPool = 1024;
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

// Which of the fields below a header is, by its length first: this runs over all headers of all requests.
enum class Known : uint8_t { kNone, kOurs, kForwardedFor, kForwardedHost, kCertificate };

Known find_known(std::string_view name) {
  switch (name.size()) {
    case 5:
      return equal_names(name, "proxy") ? Known::kOurs : Known::kNone;
    case 8:
      return equal_names(name, "x-scheme") ? Known::kOurs : Known::kNone;
    case 9:
      return equal_names(name, "x-real-ip") ? Known::kOurs : Known::kNone;
    case 12:
      return equal_names(name, "x-request-id") ? Known::kOurs : Known::kNone;
    case 15:
      if (equal_names(name, "x-forwarded-for")) return Known::kForwardedFor;
      return equal_names(name, "ssl-client-cert") ? Known::kCertificate : Known::kNone;
    case 16:
      return equal_names(name, "x-forwarded-host") ? Known::kForwardedHost : Known::kNone;
    case 17:
      if (equal_names(name, "x-forwarded-port") || equal_names(name, "x-forwarded-proto")) return Known::kOurs;
      return equal_names(name, "ssl-client-verify") ? Known::kCertificate : Known::kNone;
    case 18:
      return equal_names(name, "x-forwarded-scheme") ? Known::kOurs : Known::kNone;
    case 21:
      return equal_names(name, "ssl-client-subject-dn") || equal_names(name, "ssl-client-issuer-dn") ? Known::kCertificate : Known::kNone;
    case 24:
      return equal_names(name, "x-original-forwarded-for") ? Known::kOurs : Known::kNone;
    case 25:
      return equal_names(name, "x-original-forwarded-host") ? Known::kOurs : Known::kNone;
    default:
      return Known::kNone;
  }
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
  out.headers.remove_if([&](Headers::Field field) {
    switch (find_known(field.name)) {
      case Known::kNone:
        return false;
      case Known::kForwardedFor:
        original_for.append(original_for.empty() ? "" : ", ").append(field.value);
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
  if (!context.request_id.empty()) headers.add("X-Request-ID", context.request_id);
  std::string_view host = context.request != nullptr ? std::string_view(context.request->authority) : std::string_view(out.authority);
  if (context.client != nullptr) {
    const ClientInfo& client = *context.client;
    const char* scheme = client.tls ? "https" : "http";
    std::string address = client.address.text();
    headers.add("X-Real-IP", address);
    headers.add("X-Forwarded-For", address);
    headers.add("X-Forwarded-Host", host);
    uint16_t port = listener.port != 0 ? listener.port : client.local_port;
    headers.add("X-Forwarded-Port", port == 443 ? "443" : port == 80 ? "80" : std::to_string(port));
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
  static const TemplatePtr kNamespace = *Template::parse("$namespace"), kIngress = *Template::parse("$ingress_name"), kService = *Template::parse("$service_name"),
                           kPort = *Template::parse("$service_port");
  out.method = "GET";
  out.target = "/";
  out.body = BodyKind::kNone;
  out.length = 0;
  out.upgrade.clear();
  out.expects_continue = false;
  // Of the service that failed, not of the one that explains it.
  TemplateContext names = context;
  names.upstream = nullptr;
  Headers& headers = out.headers;
  headers.remove("Content-Type");
  auto set = [&headers](const char* name, std::string value) {
    make_header_safe(&value);
    if (value.empty()) headers.remove(name);
    else headers.set(name, value);
  };
  set("X-Code", std::to_string(status));
  set("X-Format", std::string(request.headers.find("accept").value_or("")));
  set("X-Original-URI", request.target);
  set("X-Namespace", kNamespace->render(names));
  set("X-Ingress-Name", kIngress->render(names));
  set("X-Service-Name", kService->render(names));
  set("X-Service-Port", kPort->render(names));
  set("X-Request-ID", std::string(context.request_id));
}

}  // namespace server::gateway

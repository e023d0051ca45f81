// server/gateway/policy/forwarded.h - headers that a request gets on its way to an endpoint, as ingress-nginx sets them. Pure.
#pragma once

#include <string>
#include <vector>

#include "server/gateway/message/message.h"
#include "server/gateway/policy/template.h"
#include "server/gateway/table/table.h"

namespace server::gateway {

// The client's X-Request-ID, else 32 random hex digits.
std::string request_id_of(const RequestHead& request);

// Sets X-Request-ID, X-Real-IP, X-Forwarded-For/-Host/-Port/-Proto/-Scheme, X-Scheme and, of what the client had sent,
// X-Original-Forwarded-For and -Host; the client's own values of all these go, but for
// what `context.origin` believes, and Proxy (httpoxy). On hosts that ask for client certificates also ssl-client-verify, -subject-dn, -issuer-dn and, if wanted, ssl-client-cert. `out` begins as a copy of
// `context.request`; of `context` the request, client, host and request_id are used.
void set_forwarded_headers(RequestHead& out, const TemplateContext& context, const Listener& listener);

// Sets, adds and removes in order. A rendered value never carries CR, LF or NUL into a header. Setting to an empty value
// removes, as nginx's proxy_set_header does.
void apply_changes(const std::vector<HeaderChange>& changes, const TemplateContext& context, Headers& headers);

// Makes `out` a request for the page that stands for `status` (custom-http-errors): "/" without a body, with X-Code, X-Format,
// X-Original-URI, X-Namespace, X-Ingress-Name, X-Service-Name, X-Service-Port and X-Request-ID. The method stays.
void set_error_page_headers(RequestHead& out, int status, const RequestHead& request, const TemplateContext& context);
// For a request that a default backend takes since its service has no endpoint: the same headers but X-Original-URI, X-Code 503;
// target and body stay.
void set_fallback_headers(RequestHead& out, const RequestHead& request, const TemplateContext& context);

}  // namespace server::gateway

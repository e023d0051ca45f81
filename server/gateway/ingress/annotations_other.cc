// Annotations that are not honoured, and those that would change nothing.
#include "server/gateway/ingress/annotations.h"

namespace server::gateway {
namespace {

constexpr char kSnippet[] =
    "raw nginx configuration cannot be run here, and ingress-nginx refuses it by default, too. Use an annotation for what it does (custom-headers, rewrite-target, permanent-redirect, "
    "upstream-vhost, ...), or leave it to the application.";
constexpr char kWaf[] = "there is no web application firewall here. Requests pass unchecked; test its rules with a ModSecurity in front of the application.";
constexpr char kFastCgi[] = "FastCGI is not spoken here. Put a web server in front of the application.";
constexpr char kTracing[] = "the gateway sends no traces. Headers that carry a trace pass through unchanged.";
constexpr char kGone[] = "ingress-nginx has removed it; nothing replaces it.";
constexpr char kRateLimit[] = "ingress-nginx has removed it. Use limit-rps or limit-rpm.";

#define REFUSED(name, why) {name, "", nullptr, Support::kRefused, why}
const AnnotationRow kOtherRows[] = {
    REFUSED("configuration-snippet", kSnippet),
    REFUSED("server-snippet", kSnippet),
    REFUSED("stream-snippet", kSnippet),
    REFUSED("auth-snippet", kSnippet),
    REFUSED("modsecurity-snippet", kWaf),
    REFUSED("enable-modsecurity", kWaf),
    REFUSED("enable-owasp-core-rules", kWaf),
    REFUSED("modsecurity-transaction-id", kWaf),
    REFUSED("fastcgi-index", kFastCgi),
    REFUSED("fastcgi-params-configmap", kFastCgi),
    REFUSED("enable-opentelemetry", kTracing),
    REFUSED("opentelemetry-trust-incoming-span", kTracing),
    REFUSED("opentelemetry-operation-name", kTracing),
    REFUSED("enable-opentracing", kTracing),
    REFUSED("opentracing-trust-incoming-span", kTracing),
    REFUSED("global-rate-limit", kRateLimit),
    REFUSED("global-rate-limit-window", kRateLimit),
    REFUSED("global-rate-limit-key", kRateLimit),
    REFUSED("global-rate-limit-ignored-cidrs", kRateLimit),
    REFUSED("enable-influxdb", kGone),
    REFUSED("influxdb-measurement", kGone),
    REFUSED("influxdb-port", kGone),
    REFUSED("influxdb-host", kGone),
    REFUSED("influxdb-server-name", kGone),
    REFUSED("secure-verify-ca-secret", "ingress-nginx has removed it. Use proxy-ssl-secret and proxy-ssl-verify."),
    REFUSED("secure-backends", "ingress-nginx has removed it. Use backend-protocol: HTTPS."),
    REFUSED("grpc-backend", "ingress-nginx has removed it. Use backend-protocol: GRPC."),
    REFUSED("add-base-url", "ingress-nginx has removed it. Let the application write its own links, or rewrite them there."),
    REFUSED("session-cookie-hash", "ingress-nginx has removed it. Remove it."),
    {"enable-rewrite-log", "true or false", nullptr, Support::kNoEffect, "kubelan explain ingress tells what is rewritten to what."},
    {"http2-push-preload", "true or false", nullptr, Support::kNoEffect, "Browsers have given up HTTP/2 push, and so has nginx.", false, "http2-push-preload"},
};
#undef REFUSED

}  // namespace

std::span<const AnnotationRow> other_annotations() { return kOtherRows; }

}  // namespace server::gateway

#include "server/api/request_metrics.h"

#include "store/base/exposition.h"

namespace server {
namespace {

constexpr const char* kTotal = "apiserver_request_total";
constexpr const char* kDuration = "apiserver_request_duration_seconds";

// Subresources that carry a stream or another server's answer: upstream counts them as CONNECT, whatever the method.
bool connects(const std::string& subresource) {
  return subresource == "exec" || subresource == "attach" || subresource == "portforward" || subresource == "proxy";
}

std::string verb_of(const HttpRequest& request, const RequestInfo& info) {
  if (connects(info.subresource)) return "CONNECT";
  switch (info.verb) {
    case Verb::kList: return "LIST";
    case Verb::kWatch: return "WATCH";
    case Verb::kDeleteCollection: return "DELETECOLLECTION";
    case Verb::kPatch: return request.header("content-type").starts_with("application/apply-patch") ? "APPLY" : "PATCH";
    default: break;
  }
  for (const char* method : {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"}) {
    if (request.method == method) return method;
  }
  return "other";
}

std::string labels_of(const RequestKind& k) {
  return base::metric_label("component", "apiserver") + "," + base::metric_label("dry_run", k.dry_run ? "All" : "") + "," + base::metric_label("group", k.group) + "," +
         base::metric_label("resource", k.resource) + "," + base::metric_label("scope", k.scope) + "," + base::metric_label("subresource", k.subresource) + "," +
         base::metric_label("verb", k.verb) + "," + base::metric_label("version", k.version);
}

}  // namespace

RequestKind request_kind(const HttpRequest& request, const RequestInfo& info, bool known) {
  RequestKind kind;
  kind.verb = verb_of(request, info);
  if (!known) return kind;
  kind.group = info.group;
  kind.version = info.version;
  kind.resource = info.plural;
  kind.subresource = info.subresource;
  // A create has no name in its path, and is of one object all the same (upstream: CleanScope).
  kind.scope = !info.name.empty() || info.verb == Verb::kCreate ? "resource" : !info.ns.empty() ? "namespace" : "cluster";
  kind.dry_run = request.param("dryRun") == "All";
  return kind;
}

void RequestMetrics::count(const RequestKind& kind, int code, double seconds) {
  std::lock_guard lock(mutex_);
  Figures& f = kinds_[kind];
  ++f.codes[code];
  ++f.count;
  f.seconds += seconds;
  for (size_t i = 0; i < kBounds.size(); ++i) f.at_most[i] += seconds <= kBounds[i] ? 1 : 0;
}

void RequestMetrics::add_to(base::Exposition& out) const {
  std::lock_guard lock(mutex_);
  out.head(kDuration, "histogram", "Time to an answer's first byte, in seconds; of a watch until it begins.");
  for (const auto& [kind, f] : kinds_) {
    out.histogram(kDuration, labels_of(kind), kBounds, [&f = f](size_t i) { return f.at_most[i]; }, f.count, f.seconds);
  }
  out.head(kTotal, "counter", "Requests that were answered.");
  for (const auto& [kind, f] : kinds_) {
    for (const auto& [code, count] : f.codes) out.value(kTotal, base::metric_label("code", std::to_string(code)) + "," + labels_of(kind), count);
  }
}

}  // namespace server

#include "server/gateway/ingress/compile_ingress.h"

#include <algorithm>

#include "server/gateway/ingress/annotations.h"
#include "server/gateway/ingress/backends.h"
#include "server/gateway/ingress/certificates.h"
#include "server/gateway/ingress/compiler.h"
#include "server/gateway/ingress/hosts.h"
#include "server/gateway/ingress/routes.h"
#include "server/gateway/ingress/streams.h"
#include "server/gateway/ingress/values.h"

namespace server::gateway {
namespace {

constexpr char kClassAnnotation[] = "kubernetes.io/ingress.class";

bool is_our_class(const IngressClass& of, const IngressOptions& options) {
  return of.controller == options.controller_class || of.controller == kOwnController || (options.class_by_name && of.name == options.ingress_class);
}

// The field first, then the annotation of old; without either it is nobody's, unless the controller takes those.
bool is_ours(Compilation& compilation, const Ingress& ingress) {
  const IngressOptions& options = compilation.options;
  if (!options.watch_namespace.empty() && options.watch_namespace != ingress.key.ns) return false;
  if (ingress.class_name) {
    const auto found = compilation.input.classes.find(*ingress.class_name);
    if (found != compilation.input.classes.end()) return is_our_class(found->second, options);
    compilation.tell(ingress, "spec.ingressClassName", "IngressClassNotFound", "IngressClass " + *ingress.class_name + " does not exist, so nobody serves this Ingress. kubectl get ingressclass shows those that there are.");
    return false;
  }
  const auto annotated = ingress.annotations.find(kClassAnnotation);
  if (annotated != ingress.annotations.end()) return annotated->second.empty() || annotated->second == options.ingress_class;
  return options.without_class;
}

// Oldest first; of the same second the later name first, as in ingress-nginx.
std::vector<const Ingress*> ours_by_age(Compilation& compilation) {
  std::vector<const Ingress*> out;
  for (const auto& [key, ingress] : compilation.input.ingresses) {
    if (is_ours(compilation, ingress)) out.push_back(&ingress);
  }
  std::stable_sort(out.begin(), out.end(), [](const Ingress* a, const Ingress* b) {
    if (a->created != b->created) return a->created < b->created;
    return a->key.text() > b->key.text();
  });
  return out;
}

ControllerConfig read_config(Compilation& compilation) {
  const std::optional<NamePair> name = parse_object_name(compilation.options.config_map, "");
  const ConfigMap* map = name ? compilation.find_config_map({name->ns, name->name}) : nullptr;
  return read_controller_config(map, [&](const std::string& key, const char* reason, const std::string& message) {
    compilation.tell(Origin{"ConfigMap", name->ns, name->name, "data[" + key + "]"}, reason, message);
  });
}

void check_canary(Compilation& compilation, const Chosen& chosen) {
  const CanarySettings& canary = chosen.settings.canary;
  if (!canary.enabled && (canary.weight > 0 || !canary.header.empty() || !canary.cookie.empty())) {
    compilation.tell_annotation(*chosen.ingress, "canary", "AnnotationIncomplete", "Annotations of a canary mean nothing without " + compilation.key_of("canary") + " = \"true\"; this Ingress has its rules for itself.");
  }
  if (canary.enabled && canary.header.empty() && (!canary.header_value.empty() || canary.pattern != nullptr)) {
    compilation.tell_annotation(*chosen.ingress, "canary-by-header", "AnnotationIncomplete", "A value or a pattern for a header means nothing without " + compilation.key_of("canary-by-header") + ", the header's name.");
  }
}

std::vector<Chosen> choose(Compilation& compilation) {
  std::vector<Chosen> out;
  const std::vector<const Ingress*> ours = ours_by_age(compilation);
  out.reserve(ours.size());
  for (const Ingress* ingress : ours) {
    Chosen& chosen = out.emplace_back();
    chosen.ingress = ingress;
    chosen.settings = compilation.config.base;
    apply_annotations(ingress->annotations, compilation.options.annotation_prefix, chosen.settings, [&](const std::string& key, const char* reason, const std::string& message) {
      compilation.tell(*ingress, "metadata.annotations[" + key + "]", reason, message);
    });
    if (chosen.settings.annotated) check_canary(compilation, chosen);
    compilation.result.served.push_back(ingress->key);
  }
  return out;
}

std::shared_ptr<Listener> make_listener(const Compilation& compilation, const Hosts& hosts, bool tls) {
  const ControllerConfig& config = compilation.config;
  auto out = std::make_shared<Listener>();
  out->protocol = tls ? Listener::Protocol::kHttps : Listener::Protocol::kHttp;
  out->name = tls ? "https" : "http";
  out->port = tls ? compilation.options.https_port : compilation.options.http_port;
  out->accept_proxy_protocol = config.proxy_protocol;
  out->otherwise = hosts.otherwise();
  out->trust_forwarded = config.trust_forwarded;
  out->find_client = config.trust_forwarded || config.real_ip;
  out->append_forwarded_for = config.full_forwarded_for;
  out->forwarded_for_header = config.forwarded_for_header;
  if (out->find_client || out->accept_proxy_protocol) out->trusted_proxies = config.trusted_proxies;
  return out;
}

}  // namespace

CompileCache::CompileCache() : rep_(std::make_unique<Rep>()) {}
CompileCache::~CompileCache() = default;

IngressResult compile_ingress(const IngressInput& input, const IngressOptions& options, CompileCache* cache) {
  CompileCache own;
  Compilation compilation(input, options, (cache != nullptr ? *cache : own).rep());
  compilation.config = read_config(compilation);
  std::vector<Chosen> chosen = choose(compilation);
  Backends backends(compilation);
  Routes routes(compilation, backends);
  for (Chosen& one : chosen) routes.prepare(one);
  Certificates certificates(compilation);
  Hosts hosts(compilation, backends, routes, certificates);
  hosts.add(chosen);
  std::shared_ptr<Listener> http = make_listener(compilation, hosts, false), https = make_listener(compilation, hosts, true);
  http->hosts = hosts.emit();
  https->hosts = hosts.emit_tls(http->hosts);
  https->identity = certificates.for_everybody();
  IngressResult& result = compilation.result;
  result.table.listeners = {http, https};
  for (auto& stream : compile_streams(compilation, backends, options.tcp_services, Listener::Protocol::kTcp)) result.table.listeners.push_back(std::move(stream));
  for (auto& stream : compile_streams(compilation, backends, options.udp_services, Listener::Protocol::kUdp)) result.table.listeners.push_back(std::move(stream));
  return std::move(result);
}

}  // namespace server::gateway

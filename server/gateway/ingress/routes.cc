#include "server/gateway/ingress/routes.h"

#include <algorithm>

#include "server/gateway/ingress/values.h"
#include "server/gateway/policy/balance.h"
#include "server/gateway/policy/template.h"
#include "store/base/text.h"

namespace server::gateway {
namespace {

// Of headers that a ConfigMap sets; what is no header is told by `bad`.
template <class Bad>
std::vector<HeaderChange> changes_of(const ConfigMap& map, const Bad& bad) {
  std::vector<HeaderChange> out;
  for (const auto& [name, value] : map.data) {
    const base::Result<TemplatePtr> parsed = Template::parse(value);
    if (is_header_name(name) && is_header_value(value) && parsed.ok()) out.push_back({HeaderChange::Kind::kSet, name, *parsed});
    else bad(name, parsed.ok() ? "it is no header" : parsed.error().message);
  }
  return out;
}

std::string digest(const UpstreamTls& tls) {
  static constexpr char kHex[] = "0123456789abcdef";
  const std::string all = tls.trusted_pem + "\n" + tls.server_name + "\n" + tls.certificate_pem + "\n" + tls.key_pem + "\n" + tls.protocols + "\n" + tls.ciphers + "\n" +
                          std::to_string(tls.verify_depth) + (tls.verify ? "v" : "-") + (tls.send_server_name ? "s" : "-");
  uint64_t hash = hash_of(all);
  std::string out;
  for (int i = 0; i < 8; ++i, hash >>= 4) out += kHex[hash & 15];
  return out;
}

}  // namespace

Routes::Routes(Compilation& compilation, Backends& backends) : compilation_(compilation), backends_(backends) {
  const ControllerConfig& config = compilation.config;
  set_headers_ = headers_of(config.set_headers, "proxy-set-headers");
  add_headers_ = headers_of(config.add_headers, "add-headers");
  if (config.original_uri) set_headers_.push_back({HeaderChange::Kind::kSet, "X-Original-URI", *Template::parse("$request_uri")});
  if (const auto name = parse_object_name(compilation.options.default_backend, ""); name) default_backend_ = backends_.first_port({name->ns, name->name}).upstream;
}

std::vector<HeaderChange> Routes::headers_of(const std::string& text, const char* key) const {
  if (text.empty()) return {};
  const auto controller = parse_object_name(compilation_.options.config_map, "");
  const Origin origin{"ConfigMap", controller ? controller->ns : "", controller ? controller->name : "", "data[" + std::string(key) + "]"};
  const auto name = parse_object_name(text, origin.ns);
  const ConfigMap* map = name ? compilation_.find_config_map({name->ns, name->name}) : nullptr;
  if (map == nullptr) {
    compilation_.tell(origin, "ConfigMapNotFound", "ConfigMap " + text + ", which key " + key + " names, does not exist; no header is set.");
    return {};
  }
  return changes_of(*map, [&](const std::string& header, const std::string& why) {
    compilation_.tell(origin, "HeaderInvalid", "Header " + header + " of ConfigMap " + text + " is not set: " + why + ".");
  });
}

void Routes::prepare(Chosen& chosen) {
  if (chosen.settings.annotated || chosen.settings.closed) {
    chosen.prepared = make(chosen);
    return;
  }
  if (usual_ == nullptr) usual_ = make(chosen);
  chosen.prepared = usual_;
}

std::shared_ptr<const Prepared> Routes::make(const Chosen& chosen) {
  auto out = std::make_shared<Prepared>();
  out->closed = chosen.settings.closed;
  out->policy = make_policy(chosen, &out->closed);
  out->open_policy = out->policy;
  if (out->policy->external != nullptr) {
    auto open = std::make_shared<Policy>(*out->policy);
    open->external = nullptr;
    open->password = nullptr;
    out->open_policy = std::move(open);
  }
  fill_forward(chosen, out->forward);
  fill_headers(chosen, *out);
  fill_error_pages(chosen, out->forward);
  fill_mirror(chosen, out->forward);
  fill_variant(chosen, *out);
  fill_redirects(chosen, *out);
  if (!chosen.settings.rewrite.target.empty()) out->target = *Template::parse(chosen.settings.rewrite.target);
  return out;
}

void Routes::fill_forward(const Chosen& chosen, Forward& out) {
  const ProxySettings& proxy = chosen.settings.proxy;
  out.timeouts = proxy.timeouts;
  out.retry = proxy.retry;
  out.upstream_host = proxy.vhost;
  out.cookie_domains = proxy.cookie_domains;
  out.cookie_paths = proxy.cookie_paths;
  out.connection_header = proxy.connection_header;
  out.http10 = proxy.http10;
  out.buffer_request = proxy.request_buffering;
  out.buffer_response = proxy.buffering;
  out.request_buffer = proxy.client_buffer;
  out.header_buffer = proxy.buffer_size;
  out.response_buffers = proxy.buffers * proxy.buffer_size;
  if (chosen.settings.affinity.cookie) out.affinity = chosen.settings.affinity.values;
  if (proxy.redirect_from.empty() || proxy.redirect_from == "off" || proxy.redirect_from == "default") return;
  Substitution one{proxy.redirect_from, proxy.redirect_to, nullptr};
  if (one.from.starts_with('~')) {
    const bool any_case = one.from.starts_with("~*");
    const base::Result<RegexPtr> regex = compilation_.regex(std::string(trim(std::string_view(one.from).substr(any_case ? 2 : 1))), any_case, false);
    if (!regex.ok()) return compilation_.tell_annotation(*chosen.ingress, "proxy-redirect-from", "AnnotationInvalid", "Annotation " + compilation_.key_of("proxy-redirect-from") + " is not used: " + regex.error().message + ".");
    one.regex = *regex;
  }
  out.redirects.push_back(std::move(one));
}

void Routes::fill_headers(const Chosen& chosen, Prepared& out) {
  for (const HeaderChange& change : set_headers_) {
    if (base::lower(change.name) != "host") out.forward.request_headers.push_back(change);
    else if (out.forward.upstream_host == nullptr) out.forward.upstream_host = change.value;  // It is no header like the others.
  }
  out.forward.response_headers = add_headers_;
  const std::string& name = chosen.settings.proxy.custom_headers;
  if (name.empty()) return;
  auto refuse = [&](const char* reason, const std::string& why) {
    out.closed = true;
    compilation_.tell_annotation(*chosen.ingress, "custom-headers", reason, "Annotation " + compilation_.key_of("custom-headers") + " = \"" + name + "\" cannot be followed: " + why + " Requests are answered 503 until it is put right.");
  };
  const base::Result<ObjectKey> key = compilation_.resolve(*chosen.ingress, name);
  if (!key.ok()) return refuse("AnnotationInvalid", key.error().message + ".");
  const ConfigMap* map = compilation_.find_config_map(*key);
  if (map == nullptr) return refuse("ConfigMapNotFound", "ConfigMap " + key->text() + " does not exist.");
  const std::vector<std::string>& allowed = compilation_.config.allowed_response_headers;
  for (const auto& [header, value] : map->data) {
    if (std::find(allowed.begin(), allowed.end(), base::lower(header)) == allowed.end()) {
      return refuse("HeaderNotAllowed", "header " + header + " is not among global-allowed-response-headers in the controller's ConfigMap; add it there.");
    }
  }
  for (HeaderChange& change : changes_of(*map, [&](const std::string& header, const std::string& why) { refuse("HeaderInvalid", "header " + header + ": " + why + "."); })) {
    out.forward.response_headers.push_back(std::move(change));
  }
}

void Routes::fill_error_pages(const Chosen& chosen, Forward& out) {
  const ProxySettings& proxy = chosen.settings.proxy;
  UpstreamPtr own;
  if (!proxy.default_backend.empty()) {
    const Backends::Found& found = backends_.first_port({chosen.ingress->key.ns, proxy.default_backend});
    if (!found.reason.empty()) compilation_.tell_annotation(*chosen.ingress, "default-backend", found.reason, "Annotation " + compilation_.key_of("default-backend") + ": " + found.message);
    else own = found.upstream;
  }
  out.fallback = own;
  if (proxy.error_codes.empty() || !proxy.intercept_errors) return;
  const UpstreamPtr pages = own != nullptr ? own : default_backend_;
  if (pages != nullptr) {
    out.error_pages = ErrorPages{proxy.error_codes, pages};
  } else if (chosen.ingress->annotations.contains(compilation_.key_of("custom-http-errors"))) {
    compilation_.tell_annotation(*chosen.ingress, "custom-http-errors", "DefaultBackendMissing",
                                 "Annotation " + compilation_.key_of("custom-http-errors") + " has nothing to ask for pages; add " + compilation_.key_of("default-backend") + " with the name of a Service.");
  }
}

void Routes::fill_mirror(const Chosen& chosen, Forward& out) {
  const MirrorSettings& mirror = chosen.settings.mirror;
  const std::optional<UrlParts> url = parse_url(mirror.target);
  if (!url) return;
  Mirror one;
  one.body = mirror.body;
  one.upstream = backends_.by_name(url->host, url->port, url->tls);
  if (one.upstream == nullptr) {
    return compilation_.tell_annotation(*chosen.ingress, "mirror-target", "NameNotResolved",
                                        "Annotation " + compilation_.key_of("mirror-target") + ": the name " + url->host + " cannot be resolved (yet); no copies are sent. A Service is NAME.NAMESPACE.svc." + compilation_.options.cluster_domain + ".");
  }
  if (!url->rest.empty()) one.uri = *Template::parse(url->rest);
  one.host = mirror.host.empty() ? Template::literal(url->host) : *Template::parse(mirror.host);
  out.mirrors.push_back(std::move(one));
}

void Routes::fill_variant(const Chosen& chosen, Prepared& out) {
  const ProxySettings& proxy = chosen.settings.proxy;
  Variant variant;
  if (proxy.hash_by != nullptr) {
    variant.balance = Balance::kHash;
    variant.hash_by = proxy.hash_by;
    variant.hash_subset = proxy.hash_subset ? proxy.subset_size : 0;
    variant.suffix += " by " + proxy.hash_by->text() + (proxy.hash_subset ? " in " + std::to_string(proxy.subset_size) + "s" : "");
  } else if (proxy.balance == Balance::kLeastTime) {
    variant.balance = Balance::kLeastTime;
    variant.suffix += " ewma";
  }
  variant.cluster_ip = proxy.service_upstream;
  if (variant.cluster_ip) variant.suffix += " cluster-ip";
  const bool grpc = proxy.protocol == BackendProtocol::kGrpc || proxy.protocol == BackendProtocol::kGrpcs;
  if (grpc) {
    variant.protocol = UpstreamProtocol::kHttp2;
    variant.suffix += " grpc";
  }
  out.variant = variant;
  if (proxy.protocol == BackendProtocol::kHttp || proxy.protocol == BackendProtocol::kGrpc) return;
  variant.tls = make_tls(chosen, &out.closed);
  const bool usual = *variant.tls == UpstreamTls();
  variant.suffix += usual ? " tls" : " tls-" + digest(*variant.tls);
  if (proxy.protocol == BackendProtocol::kAuto) out.variant_tls = variant;
  else out.variant = variant;
}

void Routes::fill_redirects(const Chosen& chosen, Prepared& out) const {
  const RewriteSettings& rewrite = chosen.settings.rewrite;
  if (rewrite.temporal != nullptr) out.elsewhere = Redirect{rewrite.temporal_code, rewrite.temporal, false, false};
  else if (rewrite.permanent != nullptr) out.elsewhere = Redirect{rewrite.permanent_code, rewrite.permanent, false, false};
  std::string to = compilation_.config.trust_forwarded ? "https://$redirect_host" : "https://$host";
  if (rewrite.port_in_redirects) to += ":" + std::to_string(compilation_.options.https_port);
  to += rewrite.keep_slash ? "$request_uri" : "$request_uri_without_slash";
  out.to_tls = {compilation_.config.redirect_code, *Template::parse(to), false, true};
}

std::shared_ptr<const Policy> Routes::with_common_name(const std::shared_ptr<const Policy>& policy, const std::string& pattern, const RegexPtr& regex) {
  std::shared_ptr<const Policy>& made = named_policies_[std::to_string(reinterpret_cast<uintptr_t>(policy.get())) + pattern];
  if (made == nullptr) {
    auto copy = std::make_shared<Policy>(*policy);
    copy->required_cn = pattern;
    copy->required_cn_regex = regex;
    made = std::move(copy);
  }
  return made;
}

}  // namespace server::gateway

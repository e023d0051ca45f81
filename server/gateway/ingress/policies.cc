// Routes, the part that decides who may.
#include "server/gateway/ingress/routes.h"
#include "server/gateway/ingress/values.h"
#include "server/gateway/policy/template.h"
#include "server/gateway/tls/check_identity.h"

namespace server::gateway {
namespace {

constexpr char kClosed[] = " Requests are answered 503 until it is put right.";

const std::string* find(const Secret& secret, const std::string& name) {
  const auto it = secret.data.find(name);
  return it == secret.data.end() ? nullptr : &it->second;
}

// "name:hash" a line; digest: "name:realm:hash".
void read_users(const std::string& text, bool digest, const std::string& realm, std::map<std::string, std::string>& out) {
  for (const std::string& line : split_list(text, "\n")) {
    const size_t colon = line.find(':');
    if (line[0] == '#' || colon == std::string::npos || colon == 0) continue;
    std::string rest = line.substr(colon + 1);
    if (digest) {
      const size_t second = rest.find(':');
      if (second == std::string::npos || (!realm.empty() && rest.substr(0, second) != realm)) continue;
      rest = rest.substr(second + 1);
    } else {
      rest = rest.substr(0, rest.find(':'));
    }
    out.emplace(line.substr(0, colon), std::move(rest));
  }
}

}  // namespace

const Secret* Routes::secret_of(const Chosen& chosen, const char* annotation, const std::string& name, bool* closed) {
  auto refuse = [&](const char* reason, const std::string& why) {
    *closed = true;
    compilation_.tell_annotation(*chosen.ingress, annotation, reason, "Annotation " + compilation_.key_of(annotation) + " = \"" + name + "\" cannot be followed: " + why + "." + kClosed);
    return nullptr;
  };
  const base::Result<ObjectKey> key = compilation_.resolve(*chosen.ingress, name);
  if (!key.ok()) return refuse("AnnotationInvalid", key.error().message);
  const Secret* secret = compilation_.find_secret(*key);
  if (secret == nullptr) return refuse("SecretNotFound", "Secret " + key->text() + " does not exist");
  return secret;
}

std::shared_ptr<const Policy> Routes::make_policy(const Chosen& chosen, bool* closed) {
  const Settings& s = chosen.settings;
  const ControllerConfig& config = compilation_.config;
  auto out = std::make_shared<Policy>();
  out->max_body = s.proxy.max_body;
  if (s.cors_enabled) out->cors = s.cors;
  const LimitSettings& limits = s.limits;
  if (limits.per_second > 0 || limits.per_minute > 0 || limits.connections > 0) {
    out->limits.key = chosen.ingress->key.text();
    out->limits.requests_per_second = limits.per_second;
    out->limits.requests_per_minute = limits.per_minute;
    out->limits.connections = limits.connections;
    out->limits.burst_multiplier = limits.burst;
    out->limits.exempt = limits.exempt;
    out->limits.status = limits.status;
  }
  out->deny = s.deny;
  out->deny.insert(out->deny.end(), config.blocked.begin(), config.blocked.end());
  out->allow = s.allow;
  out->password = make_password(chosen, closed);
  out->external = make_external(chosen, closed);
  out->satisfy_any = s.auth.satisfy_any;
  out->bytes_per_second = limits.rate_kb * 1024;
  out->free_bytes = limits.rate_after_kb * 1024;
  out->hsts = config.hsts;
  out->hsts_value = config.hsts_value();
  out->access_log = s.access_log;
  return out;
}

std::shared_ptr<const PasswordAuth> Routes::make_password(const Chosen& chosen, bool* closed) {
  const AuthSettings& auth = chosen.settings.auth;
  if (auth.type == AuthSettings::Type::kNone) {
    if (!auth.secret.empty()) {
      compilation_.tell_annotation(*chosen.ingress, "auth-secret", "AnnotationIncomplete", "Annotation " + compilation_.key_of("auth-secret") + " protects nothing without " + compilation_.key_of("auth-type") + ": basic or digest.");
    }
    return nullptr;
  }
  auto refuse = [&](const char* reason, const std::string& why) {
    *closed = true;
    compilation_.tell_annotation(*chosen.ingress, "auth-secret", reason, "Annotation " + compilation_.key_of("auth-secret") + " = \"" + auth.secret + "\" cannot be followed: " + why + "." + kClosed);
    return nullptr;
  };
  if (auth.secret.empty()) return refuse("AnnotationIncomplete", compilation_.key_of("auth-type") + " needs the name of a Secret");
  const Secret* secret = secret_of(chosen, "auth-secret", auth.secret, closed);
  if (secret == nullptr) return nullptr;
  auto out = std::make_shared<PasswordAuth>();
  out->digest = auth.type == AuthSettings::Type::kDigest;
  out->realm = auth.realm;
  if (auth.secret_is_map) {
    for (const auto& [user, hash] : secret->data) out->users.emplace(user, std::string(trim(hash)));
  } else {
    const std::string* file = find(*secret, "auth");
    if (file == nullptr) return refuse("SecretInvalid", "Secret " + secret->key.text() + " has no key \"auth\" with lines as htpasswd writes them (kubectl create secret generic NAME --from-file=auth)");
    read_users(*file, out->digest, out->realm, out->users);
  }
  if (out->users.empty()) {
    compilation_.tell_annotation(*chosen.ingress, "auth-secret", "SecretInvalid", "Secret " + secret->key.text() + " names no user" + (out->digest && !out->realm.empty() ? " of the realm " + out->realm : "") + "; nobody gets in.");
  }
  return out;
}

std::shared_ptr<const ExternalAuth> Routes::make_external(const Chosen& chosen, bool* closed) {
  const bool own = chosen.settings.external.url != nullptr;
  if (!own && (!chosen.settings.auth.global || compilation_.config.global_auth.url == nullptr)) return nullptr;
  const ExternalSettings& from = own ? chosen.settings.external : compilation_.config.global_auth;
  auto out = std::make_shared<ExternalAuth>();
  out->url = from.url;
  out->method = from.method;
  out->signin = from.signin;
  out->signin_redirect_param = from.signin_param;
  out->response_headers = from.response_headers;
  out->request_redirect = from.request_redirect;
  out->cache_key = from.cache_key;
  if (from.cache_key != nullptr) out->cache = from.cache;
  out->always_set_cookie = from.always_set_cookie;
  const char* annotation = own ? "auth-url" : "global-auth-url";
  auto tell = [&](const char* name, const char* reason, const std::string& message) {
    if (own) return compilation_.tell_annotation(*chosen.ingress, name, reason, "Annotation " + compilation_.key_of(name) + ": " + message);
    const auto map = parse_object_name(compilation_.options.config_map, "");
    compilation_.tell(Origin{"ConfigMap", map ? map->ns : "", map ? map->name : "", "data[" + std::string(annotation) + "]"}, reason, "Key " + std::string(annotation) + ": " + message);
  };
  const std::optional<UrlParts> url = parse_url(from.url->text());
  if (url && url->host.find('$') == std::string::npos) out->upstream = backends_.by_name(url->host, url->port, url->tls);
  if (out->upstream == nullptr) {
    tell(annotation, "NameNotResolved",
         "the name " + (url ? url->host : from.url->text()) + " cannot be resolved (yet); requests are answered 500. A Service is NAME.NAMESPACE.svc." + compilation_.options.cluster_domain + "; variables cannot be part of the host.");
  }
  if (from.headers_config_map.empty()) return out;
  const base::Result<ObjectKey> key = compilation_.resolve(*chosen.ingress, from.headers_config_map);
  const ConfigMap* map = key.ok() ? compilation_.find_config_map(*key) : nullptr;
  if (map == nullptr) {
    *closed = true;
    tell("auth-proxy-set-headers", key.ok() ? "ConfigMapNotFound" : "AnnotationInvalid", (key.ok() ? "ConfigMap " + key->text() + " does not exist" : key.error().message) + "." + kClosed);
    return out;
  }
  for (const auto& [name, value] : map->data) {
    const base::Result<TemplatePtr> parsed = Template::parse(value);
    if (is_header_name(name) && is_header_value(value) && parsed.ok()) out->request_headers.push_back({HeaderChange::Kind::kSet, name, *parsed});
    else tell("auth-proxy-set-headers", "HeaderInvalid", "header " + name + " is not set: " + (parsed.ok() ? "it is no header" : parsed.error().message) + ".");
  }
  return out;
}

std::shared_ptr<const UpstreamTls> Routes::make_tls(const Chosen& chosen, bool* closed) {
  const ProxyTlsSettings& from = chosen.settings.proxy_tls;
  auto out = std::make_shared<UpstreamTls>();
  out->verify = from.verify;
  out->server_name = from.name;
  out->send_server_name = from.send_name;
  out->verify_depth = from.depth;
  out->protocols = from.protocols;
  out->ciphers = from.ciphers;
  if (from.secret.empty()) {
    if (!from.verify) return out;
    *closed = true;
    compilation_.tell_annotation(*chosen.ingress, "proxy-ssl-verify", "AnnotationIncomplete", "Annotation " + compilation_.key_of("proxy-ssl-verify") + " needs certificates to trust: name a Secret with ca.crt by " + compilation_.key_of("proxy-ssl-secret") + "." + kClosed);
    return out;
  }
  const Secret* secret = secret_of(chosen, "proxy-ssl-secret", from.secret, closed);
  if (secret == nullptr) return out;
  if (const std::string* ca = find(*secret, "ca.crt")) out->trusted_pem = *ca;
  const std::string *certificate = find(*secret, "tls.crt"), *key = find(*secret, "tls.key");
  if (certificate != nullptr && key != nullptr) {
    out->certificate_pem = *certificate;
    out->key_pem = *key;
  }
  if (from.verify && out->trusted_pem.empty()) {
    *closed = true;
    compilation_.tell_annotation(*chosen.ingress, "proxy-ssl-secret", "SecretInvalid", "Secret " + secret->key.text() + " has no ca.crt, which " + compilation_.key_of("proxy-ssl-verify") + " needs." + kClosed);
  } else if (!out->trusted_pem.empty()) {
    const base::Status good = check_trusted(out->trusted_pem);
    if (!good.ok()) {
      *closed = true;
      compilation_.tell_annotation(*chosen.ingress, "proxy-ssl-secret", "SecretInvalid", "ca.crt of Secret " + secret->key.text() + " cannot be used: " + good.error().message + "." + kClosed);
    }
  }
  return out;
}

}  // namespace server::gateway

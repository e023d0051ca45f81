#include "server/gateway/ingress/certificates.h"

#include <algorithm>

#include "server/gateway/ingress/values.h"
#include "server/gateway/policy/balance.h"
#include "server/gateway/tls/check_identity.h"
#include "server/gateway/tls/fake_certificate.h"

namespace server::gateway {
namespace {

constexpr size_t kMostJudged = 20'000;
constexpr char kInstead[] = " The default certificate is shown instead.";

}  // namespace

IdentityPtr Certificates::find(const ObjectKey& key) {
  const auto known = found_.find(key.text());
  if (known != found_.end()) return known->second;
  std::shared_ptr<Identity> out;
  if (const Secret* secret = compilation_.find_secret(key)) {
    const auto certificate = secret->data.find("tls.crt"), private_key = secret->data.find("tls.key");
    if (certificate != secret->data.end() && private_key != secret->data.end()) {
      out = std::make_shared<Identity>();
      out->certificate_pem = certificate->second;
      out->key_pem = private_key->second;
      out->origin = {"Secret", key.ns, key.name, ""};
    }
  }
  IdentityPtr made = out;
  if (made != nullptr) {
    // The same object in the next table, so that its TLS context is kept.
    IdentityPtr& before = compilation_.cache.certificates[key.text()];
    if (before != nullptr && *before == *made) made = before;
    before = made;
  }
  found_.emplace(key.text(), made);
  return made;
}

// Parsing keys is slow, so a verdict is kept for the rest of the cache's life; dates are looked at when it is made.
base::Status Certificates::judge(const Identity& identity, const std::string& host) {
  auto& kept = compilation_.cache.identities;
  if (kept.size() > kMostJudged) kept.clear();
  std::string key = host + "|" + std::to_string(hash_of(identity.certificate_pem)) + "|" + std::to_string(hash_of(identity.key_pem));
  const auto found = kept.find(key);
  if (found != kept.end()) return found->second;
  base::Status status = check_identity(identity, host);
  kept.emplace(std::move(key), status);
  return status;
}

bool Certificates::covers(const IdentityPtr& identity, const std::string& host) {
  if (identity == nullptr) return false;
  const base::Status status = judge(*identity, host);
  return status.ok() || status.error().code == base::Code::kExpired;
}

IdentityPtr Certificates::for_host(const Ingress& ingress, const std::string& host) {
  for (size_t i = 0; i < ingress.tls.size(); ++i) {
    const IngressTls& section = ingress.tls[i];
    if (std::find(section.hosts.begin(), section.hosts.end(), host) == section.hosts.end()) continue;
    if (section.secret.empty()) return nullptr;
    const std::string field = "spec.tls[" + std::to_string(i) + "]";
    const ObjectKey key{ingress.key.ns, section.secret};
    const IdentityPtr identity = find(key);
    if (identity == nullptr) {
      const bool there = compilation_.find_secret(key) != nullptr;
      compilation_.tell(ingress, field, there ? "TlsSecretInvalid" : "TlsSecretNotFound",
                        "Secret " + key.text() + (there ? " has no tls.crt or no tls.key" : " does not exist") + ", so host " + host + " has no certificate of its own." + kInstead + " (kubectl create secret tls, or kubelan cert)");
      return nullptr;
    }
    const base::Status status = judge(*identity, host);
    if (status.ok()) return identity;
    const std::string why = "The certificate of Secret " + key.text() + ": " + status.error().message + ".";
    if (status.error().code == base::Code::kExpired) {
      compilation_.tell(ingress, field, "TlsCertificateExpired", why + " It is shown for host " + host + " all the same; clients will complain.");
      return identity;
    }
    const bool other = status.error().code == base::Code::kForbidden;
    compilation_.tell(ingress, field, other ? "TlsHostMismatch" : "TlsSecretInvalid", why + (other ? " It cannot be shown for host " + host + "." : "") + kInstead);
    return nullptr;
  }
  for (const IngressTls& section : ingress.tls) {
    if (section.secret.empty()) continue;
    const IdentityPtr identity = find({ingress.key.ns, section.secret});
    if (covers(identity, host)) return identity;
  }
  return nullptr;
}

IdentityPtr Certificates::for_everybody() {
  const std::string& text = compilation_.options.default_certificate;
  if (const auto name = parse_object_name(text, ""); name) {
    const IdentityPtr identity = find({name->ns, name->name});
    const base::Status status = identity == nullptr ? base::Status(base::Error(base::Code::kNotFound, "there is no such Secret with tls.crt and tls.key")) : judge(*identity, "");
    if (status.ok() || status.error().code == base::Code::kExpired) return identity;
    compilation_.tell(Origin{"Secret", name->ns, name->name, ""}, "TlsSecretInvalid", "The default certificate, Secret " + text + ", cannot be used: " + status.error().message + ". The fake certificate is shown instead.");
  }
  return fake_identity();
}

std::shared_ptr<const ClientAuth> Certificates::client_auth(const Chosen& chosen) {
  const ClientTlsSettings& from = chosen.settings.client_tls;
  if (from.secret.empty()) {
    for (const char* name : {"auth-tls-verify-client", "auth-tls-match-cn"}) {
      if (!chosen.ingress->annotations.contains(compilation_.key_of(name))) continue;
      compilation_.tell_annotation(*chosen.ingress, name, "AnnotationIncomplete", "Annotation " + compilation_.key_of(name) + " protects nothing without " + compilation_.key_of("auth-tls-secret") + ", the name of a Secret with ca.crt.");
    }
    return nullptr;
  }
  if (from.mode == ClientAuth::Mode::kOff) return nullptr;
  auto out = std::make_shared<ClientAuth>();
  out->mode = from.mode;
  out->depth = from.depth;
  out->error_page = from.error_page;
  out->pass_to_upstream = from.pass;
  auto refuse = [&](const char* reason, const std::string& why) {
    out->broken = true;
    compilation_.tell_annotation(*chosen.ingress, "auth-tls-secret", reason, "Annotation " + compilation_.key_of("auth-tls-secret") + " = \"" + from.secret + "\" cannot be followed: " + why + ". Requests of its hosts are answered 403 until it is put right.");
  };
  const base::Result<ObjectKey> key = compilation_.resolve(*chosen.ingress, from.secret);
  const Secret* secret = key.ok() ? compilation_.find_secret(*key) : nullptr;
  if (!key.ok()) refuse("AnnotationInvalid", key.error().message);
  else if (secret == nullptr) refuse("SecretNotFound", "Secret " + key->text() + " does not exist");
  if (secret == nullptr) return out;
  const auto ca = secret->data.find("ca.crt"), revoked = secret->data.find("ca.crl");
  if (ca == secret->data.end()) {
    refuse("SecretInvalid", "Secret " + key->text() + " has no ca.crt");
    return out;
  }
  out->trusted_pem = ca->second;
  if (revoked != secret->data.end()) out->trusted_pem += "\n" + revoked->second;
  const base::Status good = check_trusted(out->trusted_pem);
  if (!good.ok()) refuse("SecretInvalid", "ca.crt of Secret " + key->text() + ": " + good.error().message);
  return out;
}

}  // namespace server::gateway

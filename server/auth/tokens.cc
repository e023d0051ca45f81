#include "server/auth/tokens.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/auth/jwt.h"
#include "server/auth/user.h"
#include "store/object/access.h"

namespace auth {
namespace {

using store::get_string;

constexpr const char* kLegacyIssuer = "kubernetes/serviceaccount";
constexpr const char* kLegacy = "kubernetes.io/serviceaccount/";
constexpr int64_t kLeeway = 60;  // Between clocks.

int64_t seconds(base::WallTime t) { return std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count(); }
json render(const ObjectId& id) { return {{"name", id.name}, {"uid", id.uid}}; }
ObjectId parse(const json& tree, std::string_view key) {
  const json& id = store::get_object(tree, key);
  return {get_string(id, "name"), get_string(id, "uid")};
}
std::string claim(const json& claims, const char* name) {
  const json* value = store::find_key(claims, std::string(kLegacy) + name);
  return value && value->is_string() ? value->get<std::string>() : "";
}

std::vector<std::string> audiences_of(const json& claims) {
  std::vector<std::string> out;
  const json* aud = store::find_key(claims, "aud");
  if (aud && aud->is_string()) out.push_back(*aud);
  if (aud && aud->is_array()) {
    for (const json& a : *aud) {
      if (a.is_string()) out.push_back(a);
    }
  }
  return out;
}

}  // namespace

json render_claims(const TokenSubject& subject, const TokenTerms& terms) {
  json own = {{"namespace", subject.ns}, {"serviceaccount", render(subject.account)}};
  if (subject.pod) own["pod"] = render(subject.pod);
  if (subject.secret) own["secret"] = render(subject.secret);
  if (subject.node) own["node"] = render(subject.node);
  if (terms.warn_after != base::WallTime{}) own["warnafter"] = seconds(terms.warn_after);
  return {{"aud", terms.audiences},
          {"exp", seconds(terms.until)},
          {"iat", seconds(terms.from)},
          {"iss", terms.issuer},
          {"jti", terms.id},
          {"kubernetes.io", std::move(own)},
          {"nbf", seconds(terms.from)},
          {"sub", kAccountPrefix + subject.ns + ":" + subject.account.name}};
}

json render_legacy_claims(const TokenSubject& subject) {
  const std::string prefix = kLegacy;
  return {{"iss", kLegacyIssuer},
          {prefix + "namespace", subject.ns},
          {prefix + "secret.name", subject.secret.name},
          {prefix + "service-account.name", subject.account.name},
          {prefix + "service-account.uid", subject.account.uid},
          {"sub", kAccountPrefix + subject.ns + ":" + subject.account.name}};
}

base::Result<CheckedToken> check_claims(const json& claims, const std::string& issuer, const std::vector<std::string>& wanted, base::WallTime now) {
  CheckedToken out;
  const std::string from = get_string(claims, "iss");
  if (from == kLegacyIssuer) {
    out.legacy = true;
    out.subject.ns = claim(claims, "namespace");
    out.subject.account = {claim(claims, "service-account.name"), claim(claims, "service-account.uid")};
    out.subject.secret = {claim(claims, "secret.name"), ""};
    if (!out.subject.secret) return refused("a token of no Secret");
    if (std::find(wanted.begin(), wanted.end(), issuer) == wanted.end()) return refused("another audience");
    out.audiences = {issuer};
  } else if (from == issuer) {
    for (const std::string& audience : audiences_of(claims)) {
      if (std::find(wanted.begin(), wanted.end(), audience) != wanted.end()) out.audiences.push_back(audience);
    }
    if (out.audiences.empty()) return refused("another audience");
    const json* own = store::find_key(claims, "kubernetes.io");
    if (!own || !own->is_object()) return refused("not a service account's token");
    out.subject.ns = get_string(*own, "namespace");
    out.subject.account = parse(*own, "serviceaccount");
    out.subject.pod = parse(*own, "pod");
    out.subject.secret = parse(*own, "secret");
    out.subject.node = parse(*own, "node");
    out.id = get_string(claims, "jti");
    out.until = store::get_int(claims, "exp");
    const int64_t at = seconds(now);
    if (out.until + kLeeway <= at) return refused("the token has expired");
    if (store::get_int(claims, "nbf") > at + kLeeway) return refused("the token is not valid yet");
  } else {
    return refused("another issuer");
  }
  if (get_string(claims, "sub") != kAccountPrefix + out.subject.ns + ":" + out.subject.account.name || !out.subject.account) return refused("not a service account's token");
  return out;
}

}  // namespace auth

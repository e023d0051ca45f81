#include "server/api/token_authority.h"

#include <nlohmann/json.hpp>

#include "server/api/status.h"
#include "store/base/text.h"
#include "store/object/access.h"

namespace server {
namespace {

using store::get_string;

constexpr size_t kMaxVerified = 2048;
constexpr int64_t kInjectedSeconds = 3607;  // What pods are given by admission; such tokens live on for clients that never read them again.
constexpr auto kExtended = std::chrono::hours(24 * 365);
constexpr auto kAfterDeletion = std::chrono::seconds(60);

base::Result<auth::TokenKey> load_key(const std::string& pem) {
  if (!pem.empty()) return auth::TokenKey::from_pem(pem);
  return auth::TokenKey::from_pem(TRY(auth::make_token_key()));
}

base::Error refused() { return base::Error(base::Code::kUnauthorized, "Unauthorized"); }

base::Error missing(const std::string& plural, const std::string& name) {
  base::Error e(base::Code::kNotFound, plural + " \"" + name + "\" not found");
  e.name = name;
  e.kind = plural;
  return e;
}

bool gone(const store::Object& object, base::WallTime now) {
  auto at = base::parse_rfc3339(get_string(object.tree(), "metadata.deletionTimestamp"));
  return at.ok() && *at + kAfterDeletion < now;
}

auth::User make_user(const auth::CheckedToken& token) {
  auth::User out;
  const auth::TokenSubject& subject = token.subject;
  out.name = auth::kAccountPrefix + subject.ns + ":" + subject.account.name;
  out.uid = subject.account.uid;
  out.groups = {auth::kAccountsGroup, auth::kAccountsGroup + (":" + subject.ns), auth::kAuthenticated};
  const std::string prefix = "authentication.kubernetes.io/";
  if (!token.id.empty()) out.extra[prefix + "credential-id"] = {"JTI=" + token.id};
  if (subject.pod) {
    out.extra[prefix + "pod-name"] = {subject.pod.name};
    out.extra[prefix + "pod-uid"] = {subject.pod.uid};
  }
  if (subject.node) {
    out.extra[prefix + "node-name"] = {subject.node.name};
    out.extra[prefix + "node-uid"] = {subject.node.uid};
  }
  return out;
}

}  // namespace

TokenAuthority::TokenAuthority(const store::Store& store, const base::Clock& clock, const std::string& key_pem, std::string issuer)
    : store_(store), clock_(clock), issuer_(std::move(issuer)), key_(load_key(key_pem)) {}

base::Status TokenAuthority::bind(const TokenWish& wish, auth::TokenSubject& subject) const {
  if (wish.bound_kind.empty()) return {};
  struct Row {
    const char* kind;
    const char* plural;
    auth::ObjectId auth::TokenSubject::*to;
  };
  static constexpr Row kRows[] = {{"Pod", "pods", &auth::TokenSubject::pod}, {"Secret", "secrets", &auth::TokenSubject::secret}, {"Node", "nodes", &auth::TokenSubject::node}};
  for (const Row& row : kRows) {
    if (wish.bound_kind != row.kind || wish.bound_version != "v1") continue;
    auto found = store_.get({row.plural, row.to == &auth::TokenSubject::node ? "" : wish.ns, wish.bound_name});
    if (!found.ok()) return missing(row.plural, wish.bound_name);
    if (!wish.bound_uid.empty() && wish.bound_uid != found->uid()) {
      base::Error e(base::Code::kConflict, "Operation cannot be fulfilled on " + wish.bound_kind + " \"" + wish.bound_name + "\": the UID in the bound object reference (" + wish.bound_uid +
                                               ") does not match the UID in record. The object might have been deleted and then recreated");
      e.name = wish.bound_name;
      e.kind = wish.bound_kind;
      return e;
    }
    subject.*row.to = {found->name(), found->uid()};
    if (row.to != &auth::TokenSubject::pod) return {};
    if (get_string(found->tree(), "spec.serviceAccountName") != wish.account) {
      return bad_request("cannot bind token for serviceaccount \"" + wish.account + "\" to pod running with different serviceaccount name.");
    }
    const std::string node = get_string(found->tree(), "spec.nodeName");
    if (auto on = store_.get({"nodes", "", node}); !node.empty() && on.ok()) subject.node = {node, on->uid()};
    return {};
  }
  return bad_request("cannot bind token to object of type " + wish.bound_version + ", Kind=" + wish.bound_kind);
}

base::Result<IssuedToken> TokenAuthority::issue(const TokenWish& wish) const {
  const auth::TokenKey key = TRY(base::Result(key_));
  auto account = store_.get({"serviceaccounts", wish.ns, wish.account});
  if (!account.ok()) return missing("serviceaccounts", wish.account);
  auth::TokenSubject subject;
  subject.ns = wish.ns;
  subject.account = {wish.account, account->uid()};
  TRY_STATUS(bind(wish, subject));
  auth::TokenTerms terms;
  terms.issuer = issuer_;
  terms.audiences = wish.audiences.empty() ? std::vector<std::string>{issuer_} : wish.audiences;
  terms.from = clock_.wall();
  terms.until = terms.from + std::chrono::seconds(wish.seconds);
  terms.id = base::make_uid();
  IssuedToken out;
  out.audiences = terms.audiences;
  out.until = terms.until;
  if (wish.seconds == kInjectedSeconds && subject.pod && terms.audiences == std::vector<std::string>{issuer_}) {
    terms.warn_after = terms.until;
    terms.until = terms.from + kExtended;
  }
  out.token = TRY(key.sign(auth::render_claims(subject, terms)));
  return out;
}

base::Result<std::string> TokenAuthority::issue_legacy(const std::string& ns, const std::string& account, const std::string& secret) const {
  const auth::TokenKey key = TRY(base::Result(key_));
  auto found = store_.get({"serviceaccounts", ns, account});
  if (!found.ok()) return missing("serviceaccounts", account);
  auth::TokenSubject subject;
  subject.ns = ns;
  subject.account = {account, found->uid()};
  subject.secret = {secret, ""};
  return key.sign(auth::render_legacy_claims(subject));
}

base::Result<json> TokenAuthority::verified(const std::string& token) const {
  {
    std::lock_guard lock(mutex_);
    if (auto known = verified_.find(token); known != verified_.end()) return known->second;
  }
  if (!key_.ok()) return key_.error();
  json claims = TRY(key_->verify(token));
  std::lock_guard lock(mutex_);
  if (verified_.size() >= kMaxVerified) verified_.clear();
  return verified_.emplace(token, std::move(claims)).first->second;
}

base::Status TokenAuthority::check_bound(const auth::CheckedToken& token, const std::string& raw) const {
  const auth::TokenSubject& subject = token.subject;
  const base::WallTime now = clock_.wall();
  auto account = store_.get({"serviceaccounts", subject.ns, subject.account.name});
  if (!account.ok() || account->uid() != subject.account.uid || gone(*account, now)) return refused();
  if (subject.pod) {
    auto pod = store_.get({"pods", subject.ns, subject.pod.name});
    if (!pod.ok() || pod->uid() != subject.pod.uid || gone(*pod, now)) return refused();
  } else if (subject.node) {  // Of a pod's token the node is only told.
    auto node = store_.get({"nodes", "", subject.node.name});
    if (!node.ok() || node->uid() != subject.node.uid || gone(*node, now)) return refused();
  }
  if (!subject.secret) return {};
  auto secret = store_.get({"secrets", subject.ns, subject.secret.name});
  if (!secret.ok() || gone(*secret, now)) return refused();
  if (!token.legacy) return secret->uid() == subject.secret.uid ? base::Status() : base::Status(refused());
  if (base::decode_base64(get_string(secret->tree(), "data.token")).value_or("") != raw) return refused();
  return {};
}

base::Result<TokenAuthority::Owner> TokenAuthority::check(const std::string& token, const std::vector<std::string>& audiences) const {
  const json claims = TRY(verified(token));
  auth::CheckedToken checked = TRY(auth::check_claims(claims, issuer_, audiences.empty() ? std::vector<std::string>{issuer_} : audiences, clock_.wall()));
  TRY_STATUS(check_bound(checked, token));
  return Owner{make_user(checked), checked.audiences};
}

base::Result<json> TokenAuthority::jwks() const {
  if (!key_.ok()) return key_.error();
  return key_->jwks();
}

json TokenAuthority::discovery(const std::string& server_address) const {
  return {{"issuer", issuer_},
          {"jwks_uri", "https://" + server_address + "/openid/v1/jwks"},
          {"response_types_supported", {"id_token"}},
          {"subject_types_supported", {"public"}},
          {"id_token_signing_alg_values_supported", {key_.ok() ? key_->algorithm() : "ES256"}}};
}

}  // namespace server

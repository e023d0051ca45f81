// Who may: redirects, CORS, limits, addresses, passwords, and other people's opinions.
#include <utility>

#include "server/gateway/engine/auth_request.h"
#include "server/gateway/engine/exchange.h"
#include "server/gateway/policy/addresses.h"
#include "server/gateway/policy/cors.h"
#include "server/gateway/policy/external.h"
#include "server/gateway/policy/pages.h"
#include "server/gateway/policy/password.h"
#include "store/base/regex.h"
#include "server/gateway/tls/server_tls.h"
#include "store/base/clock.h"

namespace server::gateway {
namespace {

constexpr std::string_view kAcmeChallenge = "/.well-known/acme-challenge";

}  // namespace

bool Exchange::refuse(int status) {
  reply(status);
  return false;
}

bool Exchange::check_client_certificate() {
  if (matched_.host == nullptr || !matched_.host->client_auth || !stream_->client().tls) return true;
  const ClientAuth& rules = *matched_.host->client_auth;
  // A certificate was asked for and verified for the name that the client called by SNI, and for that one only.
  const HostMatcher* by_name = listener_->matcher->find_host(stream_->client().server_name);
  if (rules.mode != ClientAuth::Mode::kOff && (by_name == nullptr || &by_name->host() != matched_.host)) return refuse(421);
  ClientVerdict verdict = judge_client(rules, stream_->client());
  if (verdict == ClientVerdict::kAccepted) return true;
  if (verdict == ClientVerdict::kForbidden) return refuse(403);
  if (rules.error_page.empty()) return refuse(verdict == ClientVerdict::kMissing ? 496 : 495);
  redirect(302, rules.error_page);
  return false;
}

bool Exchange::check_redirect() {
  const Route& route = *matched_.route;
  const bool plain = origin_ ? origin_->scheme == "http" : !stream_->client().tls;
  if (route.redirect && !(route.redirect->to_tls && (!plain || std::string_view(path_).substr(0, kAcmeChallenge.size()) == kAcmeChallenge))) {
    redirect(route.redirect->status, route.redirect->location->render(context()));
    return false;
  }
  if (!policy_->cors) return true;
  std::optional<ResponseHead> preflight = answer_preflight(*policy_->cors, request_);
  if (!preflight) return true;
  reply(std::move(*preflight), {});
  return false;
}

bool Exchange::check_limits() {
  const Limits& limits = policy_->limits;
  if (limits.key.empty()) return true;
  const base::Ip& address = client().address;
  if (limits.connections > 0) {
    slot_ = lane_.shared.limits.take_connection(limits, address);
    if (!slot_) return refuse(limits.status);
  }
  return lane_.shared.limits.take_request(limits, address, lane_.deadlines.now()) || refuse(limits.status);
}

bool Exchange::check_access() {
  bool address = address_allowed(*policy_, client().address);
  if (!policy_->required_cn.empty() || policy_->required_cn_regex) {
    const std::string& cn = stream_->client().subject_cn;
    bool fits = policy_->required_cn_regex ? policy_->required_cn_regex->search(cn) : cn == policy_->required_cn;
    if (!fits) return refuse(403);
  }
  if (!policy_->password) return address || refuse(403);
  if (address && policy_->satisfy_any && !(policy_->allow.empty() && policy_->deny.empty())) return true;
  if (!address && !policy_->satisfy_any) return refuse(403);
  std::optional<ResponseHead> refused = check_password(*policy_->password, request_, base::SystemClock().wall());
  if (!refused) return true;
  if (!refused->headers.has("Content-Type")) refused->headers.add("Content-Type", "text/html");
  reply(std::move(*refused), error_page(401));
  return false;
}

bool Exchange::check_external() {
  if (!policy_->external) return true;
  const ExternalAuth& rules = *policy_->external;
  if (!rules.upstream) return refuse(500);
  auth_ = std::make_unique<AuthRequest>(*this, lane_, rules, table_->state_of(*rules.upstream));
  return auth_->begin(context());
}

// The other service has spoken (0: it could not be asked).
void Exchange::external_answered(int status, const Headers& headers) {
  const ExternalAuth& rules = *policy_->external;
  AuthDecision decision = decide_external(rules, status, headers, context());
  auth_cookies_ = std::move(decision.cookies);
  bury(std::unique_ptr<Mortal>(auth_.release()));
  switch (decision.kind) {
    case AuthDecision::Kind::kAllow:
      auth_headers_ = std::move(decision.request_headers);
      return act();
    case AuthDecision::Kind::kSignIn:
      return redirect(302, decision.location);
    case AuthDecision::Kind::kDeny: {
      ResponseHead head;
      head.status = decision.status;
      head.headers = std::move(decision.response_headers);
      if (!head.headers.has("Content-Type")) head.headers.add("Content-Type", "text/html");
      return reply(std::move(head), error_page(decision.status));
    }
  }
}

// What goes on every answer of this route, our own too.
void Exchange::add_policy_headers(ResponseHead& head) const {
  Headers& headers = head.headers;
  headers.set("Server", "kubelan");  // The Ingress conformance suite wants one.
  if (stream_->client().tls && policy_->hsts && matched_.route != nullptr) headers.set("Strict-Transport-Security", policy_->hsts_value);
  if (policy_->cors) add_cors_headers(*policy_->cors, request_, headers);
  if (auth_cookies_.empty() || !cookie_goes_with(*policy_->external, head.status)) return;
  for (const std::string& cookie : auth_cookies_) headers.add("Set-Cookie", cookie);
}

}  // namespace server::gateway

#include "server/gateway/engine/auth_request.h"

#include <utility>

#include "server/gateway/engine/exchange.h"

namespace server::gateway {
namespace {

constexpr std::chrono::milliseconds kAuthPatience{60'000};

}  // namespace

AuthRequest::AuthRequest(Exchange& exchange, LaneContext& lane, const ExternalAuth& rules, UpstreamState& state)
    : exchange_(exchange), lane_(lane), rules_(rules), state_(state), deadline_([this] { answer(0, Headers()); }) {}

AuthRequest::~AuthRequest() {
  if (upstream_ != nullptr) upstream_->close();
}

bool AuthRequest::begin(const TemplateContext& context) {
  if (rules_.cache_key) {
    cache_key_ = rules_.upstream->name + "|" + rules_.cache_key->render(context);
    std::optional<AuthCache::Answer> known = lane_.shared.auth_cache.find(cache_key_, lane_.deadlines.now());
    if (known) {
      exchange_.external_answered(known->status, known->headers);
      return false;
    }
  }
  if (rules_.upstream->endpoints.empty()) {
    exchange_.external_answered(0, Headers());
    return false;
  }
  RequestHead head = auth_request(rules_, *context.request, context);
  OpenRequest open;
  open.upstream = rules_.upstream.get();
  open.endpoint = rules_.upstream->endpoints[state_.pick(*rules_.upstream, std::nullopt, {})];
  open.host = head.authority;
  open.max_head = 16 * 1024;
  lane_.deadlines.arm(deadline_, kAuthPatience);
  upstream_ = lane_.pool.open(open, this).stream;
  upstream_->send_head(head, true);
  return false;
}

void AuthRequest::on_head(ResponseHead head, bool end) {
  // The body is of no interest; with it still to come the connection is not kept.
  if (end) std::exchange(upstream_, nullptr)->close();
  if (!cache_key_.empty()) lane_.shared.auth_cache.keep(rules_, cache_key_, head.status, head.headers, lane_.deadlines.now());
  answer(head.status, head.headers);
}

void AuthRequest::on_failure(Failure, std::string_view) {
  upstream_ = nullptr;
  answer(0, Headers());
}

void AuthRequest::answer(int status, const Headers& headers) {
  if (upstream_ != nullptr) std::exchange(upstream_, nullptr)->close();
  deadline_.disarm();
  exchange_.external_answered(status, headers);
}

}  // namespace server::gateway

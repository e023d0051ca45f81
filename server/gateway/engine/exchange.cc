#include "server/gateway/engine/exchange.h"

#include <algorithm>
#include <utility>

#include "server/gateway/engine/access_log.h"
#include "server/gateway/engine/auth_request.h"
#include "server/gateway/engine/mirror_request.h"
#include "server/gateway/policy/encoding.h"
#include "server/gateway/policy/pages.h"
#include "server/gateway/policy/rewrite.h"
#include "server/gateway/tls/server_tls.h"

namespace server::gateway {
namespace {

const Policy kNoPolicy;

}  // namespace

void Exchange::begin(LaneContext& lane, std::shared_ptr<const LiveListener> listener, std::shared_ptr<const LiveTable> table, Downstream& stream, RequestHead head) {
  auto* exchange = new Exchange(lane, std::move(listener), std::move(table), stream, std::move(head));
  stream.set_events(&exchange->client_side_);
  exchange->decide();
}

Exchange::Exchange(LaneContext& lane, std::shared_ptr<const LiveListener> listener, std::shared_ptr<const LiveTable> table, Downstream& stream, RequestHead head)
    : lane_(lane),
      listener_(std::move(listener)),
      table_(std::move(table)),
      stream_(&stream),
      request_(std::move(head)),
      began_(lane.deadlines.now()),
      attempt_deadline_([this] { attempt_deadline(); }),
      overall_deadline_([this] { overall_deadline(); }),
      throttle_deadline_([this] { send_throttled(); }),
      try_deadline_([this] { attempt_failed(connecting() ? Failure::kConnectTimeout : Failure::kTimeout); }) {
  after = lane_.exchanges;
  if (after != nullptr) after->before = this;
  lane_.exchanges = this;
}

Exchange::~Exchange() {
  if (before != nullptr) before->after = after;
  else lane_.exchanges = after;
  if (after != nullptr) after->before = before;
}

TemplateContext Exchange::context() const {
  TemplateContext out;
  out.request = &request_;
  out.client = &client();
  out.origin = origin_.get();
  out.host = matched_.host;
  out.route = matched_.route;
  out.path = path_;
  out.upstream = upstream_of_.get();
  out.request_id = request_id_;
  out.captures = &matched_.captures;
  return out;
}

// ---- The decision ------------------------------------------------------------------------------------------------

// In the order of nginx's phases: the server and the location, the body's size, rewrites (redirects, CORS), limits, access.
void Exchange::decide() {
  base::Result<std::string> path = normalize_path(request_.path());
  policy_ = &kNoPolicy;
  if (!path.ok()) return reply(400);
  if (request_.method == "TRACE") return reply(405);  // As nginx: it would show a page's script the headers of its own requests.
  path_ = std::move(*path);
  origin_ = find_origin(listener_->listener(), request_, stream_->client());
  const Listener& listener = listener_->listener();
  matched_ = listener_->matcher->find({&request_, path_});
  if (listener.check_misdirected && stream_->client().tls) {
    const HostMatcher* by_name = listener_->matcher->find_host(stream_->client().server_name);
    if (by_name != nullptr && matched_.host != nullptr && &by_name->host() != matched_.host) return reply(421);
  }
  if (!check_client_certificate()) return;
  if (matched_.route == nullptr) return act();
  policy_ = matched_.route->policy.get();
  if (policy_->max_body > 0 && request_.body == BodyKind::kLength && request_.length > policy_->max_body) return reply(413);
  if (!check_redirect() || !check_limits() || !check_access() || !check_external()) return;
  act();
}

void Exchange::act() {
  const Action& action = matched_.route != nullptr ? matched_.route->action : matched_.host != nullptr ? matched_.host->otherwise : listener_->listener().otherwise;
  if (const auto* forward_action = std::get_if<Forward>(&action)) {
    forward_ = forward_action;
    return forward();
  }
  if (const auto* to = std::get_if<Redirect>(&action)) return redirect(to->status, to->location->render(context()));
  const auto& fixed = std::get<Reply>(action);
  if (fixed.body.empty()) return reply(fixed.status);
  ResponseHead head;
  head.status = fixed.status;
  head.headers.add("Content-Type", fixed.content_type);
  reply(std::move(head), fixed.body);
}

void Exchange::redirect(int status, std::string location) {
  make_header_safe(&location);  // $uri is decoded, and may hold what would end the header.
  ResponseHead head;
  head.status = status;
  head.headers.add("Content-Type", "text/html");
  head.headers.add("Location", location);
  reply(std::move(head), error_page(status));
}

// ---- Answers of our own ------------------------------------------------------------------------------------------

void Exchange::reply(int status) {
  if (forward_ != nullptr && forward_->error_pages && error_status_ == 0 && intercept(status)) return;
  ResponseHead head;
  head.status = sent_status(status);
  std::string body = error_page(status);
  if (!body.empty()) head.headers.add("Content-Type", "text/html");
  reply(std::move(head), body);
}

void Exchange::reply(ResponseHead head, std::string_view body) {
  if (over_ || started_) return;
  status_ = head.status;
  bool bodyless = head.status < 200 || head.status == 204 || head.status == 304;
  head.body = bodyless ? BodyKind::kNone : BodyKind::kLength;
  head.length = body.size();
  add_policy_headers(head);
  started_ = true;
  bool end = bodyless || body.empty() || request_.method == "HEAD";
  stream_->send_head(head, end);
  if (!end) {
    sent_ = body.size();
    stream_->send_body(body, true);
  }
  finish();
}

// ---- Ends --------------------------------------------------------------------------------------------------------

void Exchange::finish() {
  if (over_) return;
  close_upstream();
  write_log();
  std::exchange(stream_, nullptr)->close();
  end();
}

// The client's stream is no more.
void Exchange::client_gone() {
  if (over_) return;
  if (status_ == 0) status_ = 499;
  close_upstream();
  write_log();
  stream_ = nullptr;
  end();
}

void Exchange::end() {
  if (std::exchange(over_, true)) return;
  auth_.reset();
  for (MirrorRequest* mirror : std::exchange(mirrors_, {})) mirror->forget_source(body_ended_);
  attempt_deadline_.disarm();
  overall_deadline_.disarm();
  throttle_deadline_.disarm();
  try_deadline_.disarm();
  slot_.reset();
  bury(std::unique_ptr<Mortal>(this));
}

void Exchange::close_upstream() {
  if (upstream_ != nullptr) std::exchange(upstream_, nullptr)->close();
  connected_ = nullptr;  // It asks the stream's connection.
  attempt_deadline_.disarm();
  try_deadline_.disarm();
}

void Exchange::write_log() {
  if (lane_.log == nullptr || !policy_->access_log) return;
  AccessRecord record;
  record.request = &request_;
  record.client = &client();
  record.status = status_;
  record.sent = sent_;
  record.request_id = request_id_;
  record.took = lane_.deadlines.now() - began_;
  record.upstream = upstream_of_.get();
  record.earlier = earlier_;
  if (trying_) {
    record.endpoint = &endpoint_;
    record.endpoint_took = lane_.deadlines.now() - attempt_began_;
  }
  lane_.log->add(record);
}

}  // namespace server::gateway

// To the endpoint: choosing it, the request as it gets it, the body, and another try where that is allowed.
#include <algorithm>
#include <utility>

#include "server/gateway/engine/exchange.h"
#include "server/gateway/engine/mirror_request.h"
#include "server/gateway/policy/affinity.h"
#include "server/gateway/policy/canary.h"
#include "server/gateway/policy/forwarded.h"
#include "server/gateway/policy/rewrite.h"

namespace server::gateway {

using std::chrono::milliseconds;

namespace {

// The same endpoint, on another connection.
bool wants_new_connection(Failure failure) { return failure == Failure::kStale || failure == Failure::kUnprocessed; }
bool timed_out(Failure failure) { return failure == Failure::kConnectTimeout || failure == Failure::kTimeout; }

}  // namespace

bool is_idempotent(std::string_view method) { return method != "POST" && method != "LOCK" && method != "PATCH"; }

void Exchange::forward() {
  if (forward_->timeouts.request.count() > 0) lane_.deadlines.arm(overall_deadline_, forward_->timeouts.request);
  choose_backend();
  if (!upstream_of_) return reply(backend_ != nullptr ? backend_->status : 503);
  body_ended_ = !request_.has_body();
  if (body_ended_) return start_attempt();
  start_collecting();
}

// A body that ends soon is read first: an endpoint's connection is not held for a slow client, and the request can be sent
// again. A longer one streams.
void Exchange::start_collecting() {
  collecting_ = forward_->buffer_request && request_.upgrade.empty();
  if (request_.expects_continue && !std::exchange(continued_, true)) stream_->send_informational(100, Headers());
  if (!collecting_) start_attempt();
  if (!over_) stream_->read_body(true);
}

void Exchange::client_body(std::string_view data, bool end, const Headers* trailers) {
  if (over_) return;
  body_size_ += data.size();
  if (policy_->max_body > 0 && body_size_ > policy_->max_body && !tunnel_) {
    if (started_) return stream_->abort(), client_gone();
    return reply(413);
  }
  if (end) body_ended_ = true;
  if (trailers != nullptr) trailers_ = *trailers;
  if (!collecting_) return pass_body(data, end, trailers);
  collected_.append(data);
  if (!end && collected_.size() <= forward_->request_buffer) return;
  collecting_ = false;
  start_attempt();
}

// Straight on to the endpoint; and kept as long as it is little, for another try.
void Exchange::pass_body(std::string_view data, bool end, const Headers* trailers) {
  for (MirrorRequest* mirror : mirrors_) mirror->send_body(data, end);
  if (collected_all_ && !tunnel_) {
    if (collected_.size() + data.size() <= forward_->request_buffer) {
      collected_.append(data);
    } else {
      collected_all_ = false;
      collected_.clear();
      collected_.shrink_to_fit();
    }
  }
  if (upstream_ == nullptr) return;
  if (trailers != nullptr) return upstream_->send_trailers(*trailers);
  if (upstream_->send_body(data, end) == Flow::kFull) stream_->read_body(false);
}

void Exchange::endpoint_drained() {
  last_progress_ = lane_.deadlines.now();
  if (!over_ && !body_ended_) stream_->read_body(true);
}

// ---- Where to ----------------------------------------------------------------------------------------------------

void Exchange::choose_backend() {
  std::optional<std::string> cookie;
  if (forward_->affinity) cookie = find_cookie(request_.headers, forward_->affinity->cookie);
  static const RouteState kNone;
  const RouteState& turns = matched_.route != nullptr ? table_->state_of(*matched_.route) : kNone;
  if (!forward_->canaries.empty()) canary_ = choose_canary(*forward_, request_, cookie, turns.canaries.get());
  if (canary_ != nullptr) backend_ = &canary_->backend;
  else if (forward_->backends.size() == 1) backend_ = &forward_->backends[0];
  else if (size_t chosen = pick_backend(forward_->backends, turns.backends.get()); chosen < forward_->backends.size()) backend_ = &forward_->backends[chosen];
  upstream_of_ = backend_ != nullptr ? backend_->upstream : nullptr;
  if (upstream_of_ && upstream_of_->endpoints.empty() && forward_->fallback && !forward_->fallback->endpoints.empty()) {
    upstream_of_ = forward_->fallback;
    fell_back_ = true;
  }
}

bool Exchange::pick_endpoint() {
  const Upstream& upstream = *upstream_of_;
  if (upstream.endpoints.empty()) return false;
  if (tried_.size() != upstream.endpoints.size() || std::find(tried_.begin(), tried_.end(), false) == tried_.end()) tried_.assign(upstream.endpoints.size(), false);
  bool sticky = forward_ != nullptr && forward_->affinity && error_status_ == 0 && !fell_back_;
  std::optional<size_t> index;
  if (sticky) {
    std::optional<std::string> cookie = find_cookie(request_.headers, forward_->affinity->cookie);
    if (cookie && (attempts_ == 0 || !forward_->affinity->change_on_failure)) index = endpoint_of_cookie(*forward_->affinity, upstream, *cookie);
    if (index && attempts_ > 0 && tried_[*index]) index.reset();
  }
  if (!index) {
    std::optional<uint64_t> hash;
    if (upstream.balance == Balance::kHash && upstream.hash_by) hash = hash_of(upstream.hash_by->render(context()));
    index = state_of_upstream().pick(upstream, hash, tried_);
    if (sticky) affinity_cookie_ = affinity_set_cookie(*forward_->affinity, upstream, *index, request_, stream_->client(), matched_.route->location_path);
  }
  endpoint_index_ = *index;
  tried_[endpoint_index_] = true;
  endpoint_ = upstream.endpoints[endpoint_index_];
  return true;
}

void Exchange::start_attempt() {
  if (!pick_endpoint()) return reply(503);
  ++attempts_;
  if (attempts_ == 1 || error_status_ != 0) {
    build_request();
    if (over_) return;
    if (error_status_ == 0) start_mirrors();
  }
  send_request();
}

void Exchange::build_request() {
  out_ = request_;
  TemplateContext names = context();
  if (error_status_ != 0) {
    set_error_page_headers(out_, error_status_, request_, names);
  } else if (forward_->rewrite) {
    base::Result<std::string> target = rewritten_target(*forward_->rewrite, request_, names, path_);
    if (!target.ok()) return reply(500);
    out_.target = std::move(*target);
  }
  if (fell_back_ && error_status_ == 0) set_fallback_headers(out_, request_, names);
  if (request_id_.empty()) request_id_ = request_id_of(request_);
  names.request_id = request_id_;
  set_forwarded_headers(out_, names, listener_->listener());
  if (origin_) out_.authority = origin_->host;
  if (forward_->upstream_host) out_.authority = forward_->upstream_host->render(names);
  apply_changes(forward_->request_headers, names, out_.headers);
  if (backend_ != nullptr) apply_changes(backend_->request_headers, names, out_.headers);
  apply_changes(auth_headers_, names, out_.headers);
  if (policy_->password) out_.headers.remove("Authorization");
  // What is here whole needs no chunks.
  if (out_.body == BodyKind::kStream && body_ended_ && collected_all_ && trailers_.empty()) {
    out_.body = BodyKind::kLength;
    out_.length = collected_.size();
  }
}

void Exchange::send_request() {
  OpenRequest open;
  open.upstream = upstream_of_.get();
  open.endpoint = endpoint_;
  open.host = upstream_of_->tls && !upstream_of_->tls->server_name.empty() ? upstream_of_->tls->server_name : out_.authority;
  open.connection_header = forward_->connection_header;
  open.http10 = forward_->http10;
  open.careful = !is_idempotent(request_.method);
  open.max_head = forward_->header_buffer;
  open.fresh = reused_ && upstream_ == nullptr && attempts_ > 1 && retry_fresh_;
  Pool::Opened opened = lane_.pool.open(open, &endpoint_side_);
  upstream_ = opened.stream;
  reused_ = opened.reused;
  connected_ = std::move(opened.connected);
  attempt_began_ = last_progress_ = lane_.deadlines.now();
  trying_ = true;
  lane_.deadlines.arm(attempt_deadline_, connected_ ? std::min(forward_->timeouts.connect, forward_->timeouts.read) : forward_->timeouts.read);
  if (forward_->timeouts.try_each.count() > 0) lane_.deadlines.arm(try_deadline_, forward_->timeouts.try_each);
  if (error_status_ != 0) return upstream_->send_head(out_, true);
  bool whole = body_ended_ && collected_.empty() && trailers_.empty();
  upstream_->send_head(out_, whole);
  if (whole || upstream_ == nullptr) return;
  if (!collected_.empty() && collected_all_) {
    bool end = body_ended_ && trailers_.empty();
    if (upstream_->send_body(collected_, end) == Flow::kFull) stream_->read_body(false);
  }
  if (body_ended_ && !trailers_.empty()) upstream_->send_trailers(trailers_);
}

void Exchange::start_mirrors() {
  for (const Mirror& mirror : forward_->mirrors) {
    MirrorRequest* copy = MirrorRequest::start(lane_, *table_, mirror, out_, context());
    if (copy == nullptr) continue;
    if (body_ended_ || !collected_.empty()) copy->send_body(collected_, body_ended_);
    if (body_ended_) copy->forget_source(true);
    else mirrors_.push_back(copy);
  }
}

// ---- When it fails -----------------------------------------------------------------------------------------------

// Nothing of the answer is with the client, and all that the endpoint got is still here.
bool Exchange::can_be_sent_again() const { return !started_ && !tunnel_ && error_status_ == 0 && (collected_all_ || body_size_ == 0); }

bool Exchange::tries_left() const {
  const Retry& rules = forward_->retry;
  int tries = rules.tries > 0 ? rules.tries : static_cast<int>(upstream_of_->endpoints.size());
  return attempts_ - stale_ < tries && (rules.within.count() == 0 || lane_.deadlines.now() - began_ < rules.within);
}

bool Exchange::may_retry(Failure failure) const {
  const Retry& rules = forward_->retry;
  if (!can_be_sent_again()) return false;
  bool never_sent = failure == Failure::kRefused || failure == Failure::kConnectTimeout || failure == Failure::kUnprocessed;
  if (!never_sent && !is_idempotent(request_.method) && !rules.non_idempotent) return false;
  if (wants_new_connection(failure)) return attempts_ < 8;
  if (failure == Failure::kTooLarge) return false;
  if (failure == Failure::kInvalid && !rules.on_invalid_header) return false;
  if (timed_out(failure) ? !rules.on_timeout : !rules.on_error) return false;
  return tries_left();
}

void Exchange::attempt_failed(Failure failure) {
  if (over_) return;
  close_upstream();  // Where it was not the stream itself that failed.
  state_of_upstream().failed(*upstream_of_, endpoint_index_);
  if (!started_ && !wants_new_connection(failure)) note_try(timed_out(failure) ? 504 : 502);
  if (may_retry(failure)) return retry(wants_new_connection(failure));
  if (started_) {
    // Half an answer must not look like a whole one.
    status_ = status_ == 0 ? 502 : status_;
    write_log();
    std::exchange(stream_, nullptr)->abort();
    return end();
  }
  give_up(timed_out(failure) ? 504 : 502);
}

void Exchange::note_try(int status) {
  earlier_.push_back({endpoint_, status, lane_.deadlines.now() - attempt_began_});
  trying_ = false;
}

void Exchange::give_up(int status) {
  if (error_status_ != 0) {
    error_status_ = 0;
    forward_ = nullptr;  // The page itself cannot be had.
  }
  reply(status);
}

void Exchange::retry(bool same_endpoint) {
  lane_.shared.stats.retries.fetch_add(1, std::memory_order_relaxed);
  take_present_endpoints();
  const std::vector<Endpoint>& present = upstream_of_->endpoints;
  if (same_endpoint && endpoint_index_ < present.size() && present[endpoint_index_] == endpoint_) {
    ++stale_;
    retry_fresh_ = true;
    tried_[endpoint_index_] = false;
    ++attempts_;
    return send_request();
  }
  retry_fresh_ = false;
  start_attempt();
}

// A try may fail late, most of all at a pod that is gone, and those beside it can be gone by then: the next one goes to an
// endpoint of now, as ingress-nginx asks its balancer afresh for each try. Everything else stays as when the request came.
void Exchange::take_present_endpoints() {
  const std::shared_ptr<const LiveTable>& present = *lane_.table;
  if (present == (newer_ ? newer_ : table_)) return;
  UpstreamPtr upstream = present->find_upstream(upstream_of_->name);
  if (!upstream || upstream->endpoints.empty()) return;  // Gone altogether: those of before are as good as none.
  const std::vector<Endpoint>& earlier = upstream_of_->endpoints;
  std::vector<bool> tried(upstream->endpoints.size(), false);
  size_t index = tried.size();
  for (size_t i = 0; i < tried.size(); ++i) {
    auto at = static_cast<size_t>(std::find(earlier.begin(), earlier.end(), upstream->endpoints[i]) - earlier.begin());
    tried[i] = at < earlier.size() && tried_[at];
    if (at == endpoint_index_) index = i;
  }
  tried_ = std::move(tried);
  endpoint_index_ = index;
  upstream_of_ = std::move(upstream);
  newer_ = present;
}

// Connecting, then waiting for bytes: one deadline, moved on when it is reached and something has happened meanwhile.
void Exchange::attempt_deadline() {
  if (over_) return;
  auto now = lane_.deadlines.now();
  if (connecting()) {
    auto waited = std::chrono::duration_cast<milliseconds>(now - attempt_began_);
    if (waited < forward_->timeouts.connect) return lane_.deadlines.arm(attempt_deadline_, forward_->timeouts.connect - waited);
    return attempt_failed(Failure::kConnectTimeout);
  }
  milliseconds limit = body_ended_ ? forward_->timeouts.read : std::max(forward_->timeouts.read, forward_->timeouts.send);
  auto idle = std::chrono::duration_cast<milliseconds>(now - last_progress_);
  connected_ = nullptr;
  if (idle < limit) return lane_.deadlines.arm(attempt_deadline_, limit - idle);
  attempt_failed(Failure::kTimeout);
}

void Exchange::overall_deadline() {
  if (over_) return;
  if (!started_) {
    close_upstream();
    return reply(504);
  }
  attempt_failed(Failure::kTimeout);
}

}  // namespace server::gateway

// And back: the endpoint's answer, edited, to the client.
#include <algorithm>
#include <utility>

#include "server/gateway/engine/exchange.h"
#include "server/gateway/policy/forwarded.h"
#include "server/gateway/policy/pages.h"
#include "server/gateway/policy/substitute.h"

namespace server::gateway {

void Exchange::endpoint_informational(int status, const Headers& headers) {
  last_progress_ = lane_.deadlines.now();
  if (status == 100) {
    if (!std::exchange(continued_, true)) stream_->send_informational(100, Headers());
  } else if (status == 103) {
    stream_->send_informational(103, headers);
  }
}

bool Exchange::may_retry_status(int status) const {
  const Retry& rules = forward_->retry;
  if (std::find(rules.on_status.begin(), rules.on_status.end(), status) == rules.on_status.end()) return false;
  return can_be_sent_again() && (is_idempotent(request_.method) || rules.non_idempotent) && tries_left();
}

void Exchange::endpoint_head(ResponseHead head, bool end) {
  auto now = lane_.deadlines.now();
  last_progress_ = now;
  try_deadline_.disarm();
  if (upstream_of_->balance == Balance::kLeastTime) state_of_upstream().report(*upstream_of_, endpoint_index_, now - attempt_began_);
  if (may_retry_status(head.status)) {
    note_try(head.status);
    close_upstream();
    return retry(false);
  }
  if (intercept(head.status)) return;
  edit_response(head);
  started_ = true;
  status_ = head.status;
  answer_began_ = now;
  tunnel_ = head.upgrade;
  if (forward_->buffer_response && !tunnel_) stream_->hold(forward_->response_buffers);
  stream_->send_head(head, end);
  if (over_) return;
  if (tunnel_) {
    stream_->read_body(true);
    return;
  }
  if (end) finish();
}

// custom-http-errors: the endpoint's answer is dropped, and a page asked for in its place.
bool Exchange::intercept(int status) {
  if (!forward_->error_pages || error_status_ != 0 || started_) return false;
  const ErrorPages& pages = *forward_->error_pages;
  if (std::find(pages.codes.begin(), pages.codes.end(), status) == pages.codes.end()) return false;
  note_try(status);
  close_upstream();
  ask_error_page(status);
  return true;
}

void Exchange::ask_error_page(int status) {
  error_status_ = status;
  upstream_of_ = forward_->error_pages->backend;
  newer_ = nullptr;
  tried_.clear();
  if (!upstream_of_ || upstream_of_->endpoints.empty()) {
    forward_ = nullptr;
    error_status_ = 0;
    return reply(status);
  }
  start_attempt();
}

void Exchange::edit_response(ResponseHead& head) {
  head.headers.remove_if([](Headers::Field field) {
    switch (field.name.size()) {
      case 4:
        return equal_names(field.name, "Date");
      case 6:
        return equal_names(field.name, "Server");
      default:
        return field.name.size() > 8 && equal_names(field.name.substr(0, 8), "X-Accel-");
    }
  });
  if (!forward_->redirects.empty()) substitute_redirects(forward_->redirects, head.headers);
  if (!forward_->cookie_domains.empty() || !forward_->cookie_paths.empty()) substitute_cookies(forward_->cookie_domains, forward_->cookie_paths, head.headers);
  if (!affinity_cookie_.empty()) head.headers.add("Set-Cookie", affinity_cookie_);
  if (!forward_->response_headers.empty() || (backend_ != nullptr && !backend_->response_headers.empty())) {
    TemplateContext names = context();
    apply_changes(forward_->response_headers, names, head.headers);
    if (backend_ != nullptr) apply_changes(backend_->response_headers, names, head.headers);
  }
  add_policy_headers(head);
}

void Exchange::endpoint_body(std::string_view data, bool end) {
  if (over_) return;
  last_progress_ = lane_.deadlines.now();
  if (policy_->bytes_per_second > 0) {
    throttled_.append(data);
    throttled_end_ = throttled_end_ || end;
    return send_throttled();
  }
  sent_ += data.size();
  Flow flow = stream_->send_body(data, end);
  if (over_) return;
  if (end) return finish();
  if (flow == Flow::kFull && upstream_ != nullptr) upstream_->read_body(false);
}

void Exchange::endpoint_trailers(const Headers& trailers) {
  if (over_) return;
  stream_->send_trailers(trailers);
  finish();
}

void Exchange::client_drained() {
  if (over_) return;
  last_progress_ = lane_.deadlines.now();
  if (!throttled_.empty() || throttled_end_) return send_throttled();
  if (upstream_ != nullptr) upstream_->read_body(true);
}

// Bandwidth limits: what may go now goes, the rest waits and holds the endpoint up.
void Exchange::send_throttled() {
  if (over_) return;
  auto now = lane_.deadlines.now();
  auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - answer_began_);
  uint64_t may = allowed_bytes(policy_->bytes_per_second, policy_->free_bytes, sent_, elapsed);
  auto piece = static_cast<size_t>(std::min<uint64_t>(may, throttled_.size()));
  last_progress_ = now;
  bool last = throttled_end_ && piece == throttled_.size();
  Flow flow = Flow::kOpen;
  if (piece > 0 || last) {
    sent_ += piece;
    flow = stream_->send_body(std::string_view(throttled_).substr(0, piece), last);
    if (over_) return;
    throttled_.erase(0, piece);
  }
  if (last) return finish();
  if (upstream_ != nullptr) upstream_->read_body(throttled_.empty() && flow == Flow::kOpen);
  if (!throttled_.empty()) lane_.deadlines.arm(throttle_deadline_, time_to_allowance(policy_->bytes_per_second, policy_->free_bytes, sent_, elapsed));
}

}  // namespace server::gateway

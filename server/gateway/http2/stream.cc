// The bodies of a stream, in and out.
#include <algorithm>
#include <utility>

#include "server/gateway/http2/session.h"

namespace server::gateway::http2 {

using std::chrono::steady_clock;

Stream::Stream(Session& session) : session_(session), out_limit_(session.options_.buffered) {}

// ---- In ----------------------------------------------------------------------------------------------------------

void Stream::data_received(std::string_view data) {
  progress = steady_clock::now();
  if (released_ || !body_expected_) {
    nghttp2_session_consume(session_.session_, id_, data.size());
    return discarded(data.size());
  }
  if (!wants_body_ || !held_.empty() || handing_over_) {
    held_.append(data);
    return;
  }
  nghttp2_session_consume(session_.session_, id_, data.size());
  if (BodyEvents* events = receiver()) events->on_body(data, false);
}

void Stream::input_ended() {
  in_ended_ = true;
  if (wants_body_ && held_.empty() && !handing_over_) hand_over();
}

void Stream::trailers_received(FieldBlock& block) {
  in_ended_ = true;
  if (block.size <= session_.options_.header_list && !block.headers.empty()) in_trailers_ = std::move(block.headers);
  if (wants_body_ && held_.empty() && !handing_over_) hand_over();
}

void Stream::hand_over() {
  handing_over_ = true;
  while (wants_body_ && !released_ && body_expected_ && !in_told_ && (!held_.empty() || in_ended_)) {
    std::string piece;
    piece.swap(held_);
    bool end = in_ended_ && !in_trailers_;
    if (!piece.empty()) nghttp2_session_consume(session_.session_, id_, piece.size());
    if (in_ended_ && (end || piece.empty())) in_told_ = true;
    BodyEvents* events = receiver();
    if (events == nullptr) continue;
    if (in_told_ && in_trailers_) events->on_trailers(*in_trailers_);
    else events->on_body(piece, end);
  }
  handing_over_ = false;
}

void Stream::deliver_later() {
  later_ = false;
  do_later();
  if (!released_ && !buried_) hand_over();
}

void Stream::want_body(bool on) {
  if (wants_body_ == on) return;
  wants_body_ = on;
  if (on) progress = steady_clock::now();
  // Not from within the caller's call: what is held may end the exchange that asks for it.
  if (on && !in_told_ && body_expected_ && (!held_.empty() || in_ended_)) session_.later(this);
}

void Stream::drop_held() {
  if (held_.empty()) return;
  nghttp2_session_consume(session_.session_, id_, held_.size());
  held_.clear();
  session_.carrier_.want_output();
}

// ---- Out ---------------------------------------------------------------------------------------------------------

Flow Stream::queue(std::string_view data, bool end) {
  if (out_end_ || wire_closed_) return Flow::kOpen;
  if (out_.size() == out_sent_) progress = steady_clock::now();
  out_.append(data);
  out_end_ = end;
  if (out_deferred_ && (end || !data.empty())) {
    out_deferred_ = false;
    nghttp2_session_resume_data(session_.session_, id_);
  }
  session_.carrier_.want_output();
  if (out_.size() - out_sent_ < out_limit_) return Flow::kOpen;
  out_full_ = true;
  return Flow::kFull;
}

void Stream::queue_trailers(const Headers& trailers) {
  if (out_end_ || wire_closed_) return;
  if (!trailers.empty()) out_trailers_ = trailers;
  queue({}, true);
}

ssize_t Stream::fill(size_t room, uint32_t* flags) {
  size_t ready = out_.size() - out_sent_;
  if (ready == 0 && !out_end_) {
    out_deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  size_t size = std::min(ready, room);
  if (size > 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (size < ready || !out_end_) return static_cast<ssize_t>(size);
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (out_trailers_) {
    FieldList fields(*out_trailers_);
    fields.add_all(*out_trailers_);
    if (fields.size() > 0 && nghttp2_submit_trailer(session_.session_, id_, fields.data(), fields.size()) == 0) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  }
  return static_cast<ssize_t>(size);
}

void Stream::take_out(size_t size, std::string* into) {
  progress = steady_clock::now();
  into->append(out_, out_sent_, size);
  out_sent_ += size;
  if (out_sent_ == out_.size()) {
    out_.clear();
    out_sent_ = 0;
  } else if (out_sent_ >= out_.size() / 2) {  // No byte is moved more than once on the average.
    out_.erase(0, out_sent_);
    out_sent_ = 0;
  }
  // Early enough for the next piece to come before the last one is out.
  if (!out_full_ || drained_ || out_.size() - out_sent_ > out_limit_ / 4) return;
  drained_ = true;
  session_.drained_.push_back(this);
}

void Stream::tell_drained() {
  drained_ = false;
  if (!out_full_ || released_) return;
  out_full_ = false;
  if (BodyEvents* events = receiver()) events->on_drained();
}

// ---- Ends --------------------------------------------------------------------------------------------------------

void Stream::reset(uint32_t code) {
  if (wire_closed_ || session_.dead_) return;
  nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, code);
  session_.carrier_.want_output();
}

void Stream::release() {
  released_ = true;
  drop_held();
  if (wire_closed_) bury_self();
}

void Stream::bury_self() {
  if (buried_) return;
  buried_ = true;
  session_.unlink(this);
  bury(std::unique_ptr<Mortal>(this));
}

}  // namespace server::gateway::http2

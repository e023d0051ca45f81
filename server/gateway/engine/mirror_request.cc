#include "server/gateway/engine/mirror_request.h"

#include <utility>

namespace server::gateway {
namespace {

constexpr size_t kMaxBehind = 1024 * 1024;
constexpr std::chrono::milliseconds kMirrorPatience{60'000};

}  // namespace

MirrorRequest::MirrorRequest(LaneContext& lane, bool wants_body) : lane_(lane), wants_body_(wants_body), deadline_([this] { end(); }) {}

MirrorRequest* MirrorRequest::start(LaneContext& lane, const LiveTable& table, const Mirror& mirror, const RequestHead& head, const TemplateContext& context) {
  if (!mirror.upstream || mirror.upstream->endpoints.empty()) return nullptr;
  UpstreamState& state = table.state_of(*mirror.upstream);
  if (mirror.numerator < mirror.denominator && !state.share_of_mirror(mirror)) return nullptr;
  auto* request = new MirrorRequest(lane, mirror.body && head.has_body());
  request->upstream_of_ = mirror.upstream;
  RequestHead copy = head;
  if (mirror.uri) copy.target = mirror.uri->render(context);
  if (mirror.host) copy.authority = mirror.host->render(context);
  copy.upgrade.clear();
  copy.expects_continue = false;
  if (!request->wants_body_) {
    copy.body = BodyKind::kNone;
    copy.length = 0;
  }
  OpenRequest open;
  open.upstream = mirror.upstream.get();
  open.endpoint = mirror.upstream->endpoints[state.pick(*mirror.upstream, std::nullopt, {})];
  open.host = copy.authority;
  open.max_head = 64 * 1024;
  request->upstream_ = lane.pool.open(open, request).stream;
  lane.deadlines.arm(request->deadline_, kMirrorPatience);
  request->upstream_->send_head(copy, !request->wants_body_);
  return request;
}

void MirrorRequest::send_body(std::string_view data, bool last) {
  if (over_ || upstream_ == nullptr || !wants_body_ || body_ended_) return;
  body_ended_ = last;
  if (full_ > 0) full_ += data.size();
  if (full_ > kMaxBehind) return end();
  if (upstream_->send_body(data, last) == Flow::kFull && full_ == 0) full_ = 1;
}

void MirrorRequest::forget_source(bool whole) {
  source_gone_ = true;
  if (over_ || (wants_body_ && !body_ended_ && !whole) || upstream_ == nullptr) end();
}

void MirrorRequest::on_head(ResponseHead, bool last) {
  if (last) end();
}
void MirrorRequest::on_body(std::string_view, bool last) {
  if (last) end();
}
void MirrorRequest::on_trailers(const Headers&) { end(); }
void MirrorRequest::on_failure(Failure, std::string_view) {
  upstream_ = nullptr;
  end();
}

// While the original still knows of it, it waits for forget_source().
void MirrorRequest::end() {
  if (upstream_ != nullptr) std::exchange(upstream_, nullptr)->close();
  deadline_.disarm();
  if (!source_gone_ || std::exchange(over_, true)) return;
  bury(std::unique_ptr<Mortal>(this));
}

}  // namespace server::gateway

#include "server/gateway/http2/server_session.h"

#include <utility>

#include "server/gateway/message/now.h"

namespace server::gateway::http2 {
namespace {

// Of a request that has its answer: what is still read of its body, and how long for more. A reset at once would make some
// clients throw away an answer that they have not read to its end.
constexpr uint64_t kMaxLinger = 1024 * 1024;
constexpr std::chrono::milliseconds kLingerTime{200};

}  // namespace

class ServerStream final : public Stream, public Downstream {
 public:
  explicit ServerStream(ServerSession& session) : Stream(session), server_(session) {}

  const ClientInfo& client() const override { return server_.client_; }
  void set_events(DownstreamEvents* events) override { events_ = events; }
  void hold(size_t bytes) override { out_limit_ = std::max(bytes, out_limit_); }
  void send_informational(int status, const Headers& headers) override;
  void send_head(const ResponseHead& head, bool end) override;
  Flow send_body(std::string_view data, bool end) override;
  void send_trailers(const Headers& trailers) override;
  void read_body(bool on) override { want_body(on); }
  void abort() override;
  void close() override;

  void stalled();
  bool lingers() const { return released_ && output_done_ && !in_ended_; }
  void end_linger() { reset(NGHTTP2_NO_ERROR); }

 private:
  enum class Answer : uint8_t { kNone, kHead, kDone };

  BodyEvents* receiver() override { return events_; }
  void head_received(FieldBlock& block, bool end) override;
  void closed(uint32_t code) override;
  void lost(Failure, std::string_view) override { gone(); }
  void output_sent() override;
  void discarded(size_t size) override;
  void refuse(int status);
  void gone();

  ServerSession& server_;
  DownstreamEvents* events_ = nullptr;
  Answer answer_ = Answer::kNone;
  bool requested_ = false, head_method_ = false, tunnel_asked_ = false, aborted_ = false;
  int status_ = 0;
  uint64_t discarded_ = 0;
};

// ---- The request -------------------------------------------------------------------------------------------------

void ServerStream::head_received(FieldBlock& block, bool end) {
  if (requested_) return trailers_received(block);
  requested_ = true;
  in_ended_ = end;
  if (block.size > session_.options().header_list) return refuse(431);
  RequestHead head;
  int status = read_request(block, end, &head);
  block_ = FieldBlock();
  if (status != 0) return refuse(status);
  head_method_ = head.method == "HEAD";
  tunnel_asked_ = !head.upgrade.empty();
  body_expected_ = head.has_body() || tunnel_asked_;
  server_.handler_.on_request(*this, std::move(head));
}

void ServerStream::refuse(int status) {
  std::string page;
  ResponseHead head = server_.refusals_.refusal(status, &page);
  head.body = BodyKind::kLength;
  head.length = page.size();
  send_head(head, page.empty());
  send_body(page, true);
  release();
}

void ServerStream::closed(uint32_t code) {
  wire_closed_ = true;
  bool whole = output_done_ && in_ended_ && code == NGHTTP2_NO_ERROR;
  // Work that was asked for and then waved off, or a broken stream: what floods are made of.
  if (whole) session_.resets_.give(1);
  else if (!aborted_ && !output_done_) session_.spend_reset();
  if (released_) return bury_self();
  if (!whole) gone();
}

void ServerStream::gone() {
  DownstreamEvents* events = std::exchange(events_, nullptr);
  released_ = true;
  wire_closed_ = true;
  drop_held();
  bury_self();
  if (events != nullptr) events->on_client_gone();
}

void ServerStream::stalled() {
  aborted_ = true;
  reset(NGHTTP2_CANCEL);
  if (released_) return;
  DownstreamEvents* events = std::exchange(events_, nullptr);
  release();
  if (events != nullptr) events->on_client_gone();
}

// ---- The answer --------------------------------------------------------------------------------------------------

void ServerStream::send_informational(int status, const Headers& headers) {
  if (wire_closed_ || answer_ != Answer::kNone || status < 100 || status == 101 || status > 199) return;
  FieldList fields(headers);
  fields.add_number(":status", static_cast<uint64_t>(status));
  fields.add_all(headers);
  nghttp2_submit_headers(session_.session_, NGHTTP2_FLAG_NONE, id_, nullptr, fields.data(), fields.size(), nullptr);
  session_.carrier_.want_output();
}

void ServerStream::send_head(const ResponseHead& head, bool end) {
  if (answer_ != Answer::kNone) return;
  bool tunnel = head.upgrade && tunnel_asked_;
  int status = tunnel && head.status == 101 ? 200 : head.status;
  bool bodyless = head_method_ || status == 204 || status == 304;
  status_ = status;
  answer_ = end || bodyless ? Answer::kDone : Answer::kHead;
  may_wait_ = true;
  if (tunnel_asked_ && !tunnel) body_expected_ = false;
  if (wire_closed_) return;
  FieldList fields(head.headers);
  fields.add_number(":status", static_cast<uint64_t>(status));
  fields.add("date", http_date_now());
  if (tunnel) {
    for (size_t i = 0; i < head.headers.size(); ++i) {
      if (equal_names(head.headers[i].name, "sec-websocket-protocol")) fields.add("sec-websocket-protocol", head.headers[i].value);
      if (equal_names(head.headers[i].name, "sec-websocket-extensions")) fields.add("sec-websocket-extensions", head.headers[i].value);
    }
  } else {
    fields.add_all(head.headers);
    if (head.body == BodyKind::kLength && status != 204) fields.add_number("content-length", head.length);
    else if (end && !bodyless) fields.add_number("content-length", 0);
  }
  nghttp2_data_provider body = body_of(this);
  bool whole = answer_ == Answer::kDone;
  if (nghttp2_submit_response(session_.session_, id_, fields.data(), fields.size(), whole ? nullptr : &body) != 0) reset(NGHTTP2_INTERNAL_ERROR);
  session_.carrier_.want_output();
}

Flow ServerStream::send_body(std::string_view data, bool end) {
  if (answer_ != Answer::kHead) return Flow::kOpen;
  if (end) answer_ = Answer::kDone;
  return queue(data, end);
}

void ServerStream::send_trailers(const Headers& trailers) {
  if (answer_ != Answer::kHead) return;
  answer_ = Answer::kDone;
  queue_trailers(trailers);
}

void ServerStream::output_sent() {
  output_done_ = true;
  discarded(0);
}

// The rest of a request that has its answer is not wanted (RFC 9113, 8.1).
void ServerStream::discarded(size_t size) {
  discarded_ += size;
  if (!buried_ && lingers() && discarded_ > kMaxLinger) reset(NGHTTP2_NO_ERROR);
}

void ServerStream::abort() {
  if (released_) return;
  events_ = nullptr;
  aborted_ = true;
  reset(NGHTTP2_INTERNAL_ERROR);
  release();
}

void ServerStream::close() {
  if (released_) return;
  if (answer_ != Answer::kDone) return abort();
  events_ = nullptr;
  progress = std::chrono::steady_clock::now();
  // curl 7.88 stops sending by itself only after 3xx to 5xx; after 2xx it hears nothing any more, and would wait for ever for
  // room to send. A reset that comes with the answer's end it does hear.
  if (status_ < 300 && !tunnel_asked_ && !in_ended_) discarded(kMaxLinger + 1);
  release();
  discarded(0);
}

// ---- The session -------------------------------------------------------------------------------------------------

ServerSession::ServerSession(const SessionOptions& options, Carrier& carrier, const ClientInfo& client, RequestHandler& handler, Refusals& refusals)
    : Session(true, options, carrier), client_(client), handler_(handler), refusals_(refusals) {}

ResponseHead Refusals::refusal(int status, std::string*) {
  ResponseHead head;
  head.status = status;
  return head;
}

ServerSession::~ServerSession() = default;

Stream* ServerSession::make_stream() { return new ServerStream(*this); }

// A client may have sent requests before it hears of the end: the first GOAWAY only warns, and the PING's answer shows that
// it was heard.
void ServerSession::shut_down() {
  if (noticed_) return;
  noticed_ = true;
  nghttp2_submit_shutdown_notice(session_);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  carrier_.want_output();
}

void ServerSession::force_shut_down() {
  noticed_ = true;
  if (std::exchange(forced_, true)) return;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR, nullptr, 0);
  carrier_.want_output();
}

void ServerSession::frame_received(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_PING && (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 && noticed_) force_shut_down();
}

void ServerSession::reset_stalled(std::chrono::milliseconds body, std::chrono::milliseconds send) {
  auto now = std::chrono::steady_clock::now();
  std::vector<Stream*> stalled;
  each_stream([&](Stream& s) {
    auto& stream = static_cast<ServerStream&>(s);
    if (stream.lingers()) {
      if (now - s.progress >= kLingerTime) stream.end_linger();
    } else if ((s.waits_for_input() && now - s.progress >= body) || (s.waits_for_window() && now - s.progress >= send)) stalled.push_back(&s);
  });
  for (Stream* s : stalled) {
    if (!s->buried()) static_cast<ServerStream*>(s)->stalled();
  }
}

}  // namespace server::gateway::http2

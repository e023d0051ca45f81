#include "server/gateway/http2/client_session.h"

#include <algorithm>
#include <utility>

namespace server::gateway::http2 {
namespace {

// However many the endpoint would take.
constexpr uint32_t kMaxStreams = 1000;
// Before its SETTINGS have come.
constexpr uint32_t kUnsettledStreams = 100;
// Ids do not begin again; a new connection does.
constexpr uint32_t kMaxOpened = 1u << 29;

}  // namespace

class ClientStream final : public Stream, public UpstreamStream {
 public:
  ClientStream(ClientSession& session, UpstreamEvents* events, bool first) : Stream(session), client_(session), events_(events), first_(first) { wants_body_ = true; }

  void send_head(const RequestHead& head, bool end) override;
  Flow send_body(std::string_view data, bool end) override { return tunnel_refused_ ? Flow::kOpen : queue(data, end); }
  void send_trailers(const Headers& trailers) override { queue_trailers(trailers); }
  void read_body(bool on) override { want_body(on); }
  void close() override;

 private:
  BodyEvents* receiver() override { return events_; }
  void head_received(FieldBlock& block, bool end) override;
  void closed(uint32_t code) override;
  void lost(Failure failure, std::string_view why) override;
  void output_sent() override { output_done_ = true; }
  bool outlives_connection() const override { return headed_ && in_ended_ && !released_; }
  void do_later() override;
  void refuse(Failure failure, std::string_view why);
  void fail(Failure failure, std::string_view why);

  ClientSession& client_;
  UpstreamEvents* events_;
  const bool first_;                       // Of its connection.
  bool answered_ = false, headed_ = false, tunnel_ = false, tunnel_refused_ = false;
  std::string websocket_key_;
  std::optional<Failure> refused_;         // To be told later.
  std::string refused_why_;
};

// ---- The request -------------------------------------------------------------------------------------------------

void ClientStream::send_head(const RequestHead& head, bool end) {
  if (released_ || id_ >= 0) return;
  tunnel_ = !head.upgrade.empty();
  if (tunnel_ && nghttp2_session_get_remote_settings(session_.session_, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) != 1) {
    tunnel_refused_ = true;
    return refuse(Failure::kInvalid, "the endpoint takes no websockets over HTTP/2");
  }
  FieldList fields(head.headers);
  fields.add(":method", tunnel_ ? "CONNECT" : std::string_view(head.method));
  if (tunnel_) fields.add(":protocol", head.upgrade);
  fields.add(":scheme", client_.scheme_);
  fields.add(":path", head.target);
  fields.add(":authority", head.authority);
  if (tunnel_) {
    websocket_key_ = head.headers.find("sec-websocket-key").value_or("");
    end = false;
  }
  fields.add_all(head.headers);
  if (head.body == BodyKind::kLength && !tunnel_) fields.add_number("content-length", head.length);
  if (head.accepts_trailers) fields.add("te", "trailers");
  nghttp2_data_provider body = body_of(this);
  int32_t id = nghttp2_submit_request(session_.session_, nullptr, fields.data(), fields.size(), end ? nullptr : &body, this);
  if (id < 0) return refuse(Failure::kUnprocessed, nghttp2_strerror(id));
  id_ = id;
  out_end_ = end;
  session_.carrier_.want_output();
}

// Not from within the caller's call.
void ClientStream::refuse(Failure failure, std::string_view why) {
  refused_ = failure;
  refused_why_ = why;
  wire_closed_ = true;
  session_.later(this);
}

void ClientStream::do_later() {
  if (refused_ && !released_) fail(*refused_, refused_why_);
}

// ---- The answer --------------------------------------------------------------------------------------------------

void ClientStream::head_received(FieldBlock& block, bool end) {
  if (released_) return;
  answered_ = true;
  if (headed_) return trailers_received(block);
  if (block.size > session_.options().header_list) {
    reset(NGHTTP2_CANCEL);
    return fail(Failure::kTooLarge, failure_text(Failure::kTooLarge));
  }
  // HTTP/2 has no 101.
  if (block.status < 100 || block.status == 101 || block.status > 999 || (block.status < 200 && end)) {
    reset(NGHTTP2_PROTOCOL_ERROR);
    return fail(Failure::kInvalid, "an answer with a status that is none");
  }
  if (block.status < 200) {
    int status = block.status;
    Headers headers = std::move(block.headers);
    block_ = FieldBlock();
    return events_->on_informational(status, headers);
  }
  headed_ = true;
  ResponseHead head;
  read_response(block, end, &head);
  block_ = FieldBlock();
  if (tunnel_ && head.status < 300) {
    head.status = 101;  // As HTTP/1.1 has it.
    head.upgrade = true;
    head.upgrade_protocol = "websocket";
    if (!websocket_key_.empty()) head.headers.set("sec-websocket-accept", websocket_accept(websocket_key_));
    head.body = BodyKind::kNone;
    events_->on_head(std::move(head), false);
    if (end) input_ended();
    return;
  }
  in_ended_ = in_told_ = end;
  events_->on_head(std::move(head), end);
}

void ClientStream::closed(uint32_t code) {
  wire_closed_ = true;
  if (released_) return bury_self();
  if (in_ended_ && headed_) return;  // Whole, whatever became of the request; the handler closes it.
  std::string why = "the endpoint reset the stream: ";
  why += nghttp2_http2_strerror(code);
  if (code == NGHTTP2_REFUSED_STREAM && !answered_) return fail(Failure::kUnprocessed, why);
  fail(code == NGHTTP2_PROTOCOL_ERROR ? Failure::kInvalid : Failure::kReset, why);
}

void ClientStream::lost(Failure failure, std::string_view why) {
  wire_closed_ = true;
  if (released_) return bury_self();
  // A kept connection that ends before any answer may have been given up before it saw the request.
  fail(failure == Failure::kReset && !answered_ && !first_ ? Failure::kStale : failure, why);
}

void ClientStream::fail(Failure failure, std::string_view why) {
  UpstreamEvents* events = std::exchange(events_, nullptr);
  std::string text(why);
  release();
  if (events != nullptr) events->on_failure(failure, text);
}

void ClientStream::close() {
  if (released_) return;
  events_ = nullptr;
  if (id_ < 0) wire_closed_ = true;
  else if (!in_ended_ || !headed_ || !output_done_) reset(NGHTTP2_CANCEL);
  release();
}

// ---- The session -------------------------------------------------------------------------------------------------

ClientSession::ClientSession(const SessionOptions& options, Carrier& carrier, bool tls) : Session(false, options, carrier), scheme_(tls ? "https" : "http") {}

ClientSession::~ClientSession() = default;

bool ClientSession::has_room() const {
  if (goaway_ || dead_ || doomed_ || opened_ >= kMaxOpened) return false;
  uint32_t most = std::min(nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS), settled_ ? kMaxStreams : kUnsettledStreams);
  return count_ < most;
}

UpstreamStream* ClientSession::open_stream(UpstreamEvents* events) {
  auto* stream = new ClientStream(*this, events, opened_++ == 0);
  link(stream);
  return stream;
}

void ClientSession::frame_received(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_GOAWAY) goaway_ = true;
  if (frame.hd.type == NGHTTP2_SETTINGS && (frame.hd.flags & NGHTTP2_FLAG_ACK) == 0) settled_ = true;
}

}  // namespace server::gateway::http2

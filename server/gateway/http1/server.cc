#include "server/gateway/http1/server.h"

#include <algorithm>

#include "server/gateway/http1/input.h"
#include "server/gateway/http1/writer.h"
#include "server/gateway/message/thread_buffer.h"

namespace server::gateway {
namespace {

using http1::ChunkedReader;
using http1::Parsed;
using std::chrono::milliseconds;

// Of a body that nobody wants: what is read to keep the connection, and the time for it (as nginx' lingering_time).
constexpr uint64_t kMaxLinger = 1024 * 1024;
constexpr milliseconds kLingerTime{5'000};

constexpr ThreadBuffer<struct Http1ServerReads> http1_server_buffer;

}  // namespace

Http1Server::Http1Server(std::unique_ptr<Socket> socket, ClientInfo client, RequestHandler& handler, Host& host, Deadlines& deadlines, const Http1Options& options)
    : socket_(std::move(socket)), client_(std::move(client)), handler_(handler), host_(host), deadlines_(deadlines), options_(options), deadline_([this] { on_deadline(); }) {
  socket_->set_owner(this);
}

Http1Server::~Http1Server() {
  if (later_ != 0 && socket_) socket_->loop().cancel(later_);
}

void Http1Server::begin(std::string_view first) {
  deadlines_.arm(deadline_, first.empty() ? options_.keep_alive : options_.head);
  if (!first.empty()) take(first);
}

void Http1Server::drain() {
  draining_ = true;
  if (state_ == State::kIdle) over();
}

// ---- Reading -----------------------------------------------------------------------------------------------------

void Http1Server::on_readable() {
  for (;;) {
    ssize_t n = socket_->read(http1_server_buffer.data(), http1_server_buffer.size());
    if (n == Socket::kAgain) return;
    if (n == Socket::kFailed) return gone();
    if (n == 0) return end_of_input();
    take({http1_server_buffer.data(), static_cast<size_t>(n)});
    if (state_ == State::kOver || input_ended_) return;
    bool all = static_cast<size_t>(n) < http1_server_buffer.size() && socket_->ssl() == nullptr;
    if (all || in_.size() >= options_.buffered) return;
  }
}

// In a tunnel each direction ends for itself. Else a client that sends no more is taken to have gone, as nginx does: the
// request to the endpoint is broken off, which is how applications learn that nobody waits any longer.
void Http1Server::end_of_input() {
  input_ended_ = true;
  if (body_ != BodyState::kTunnel || state_ != State::kRequest) return gone();
  body_ = BodyState::kNone;
  socket_->want_read(false);
  if (events_ != nullptr) events_->on_body({}, true);
}

void Http1Server::take(std::string_view data) {
  if (processing_) {
    in_.append(data);
    return;
  }
  http1::feed(&in_, data, [this](std::string_view bytes) { return process(bytes); });
  if (state_ != State::kOver) update_reading();
}

// As much of `data` as can be used now.
size_t Http1Server::process(std::string_view data) {
  processing_ = true;
  size_t used = 0;
  bool stop = false;
  while (!stop && used < data.size() && state_ != State::kOver) {
    std::string_view rest = data.substr(used);
    switch (state_) {
      case State::kIdle:
      case State::kHead:
        used += process_head(rest, &stop);
        break;
      case State::kRequest:
      case State::kLinger:
        if (body_ == BodyState::kNone) stop = true;  // The next request waits.
        else used += process_body(rest, &stop);
        break;
      case State::kOver:
        break;
    }
  }
  processing_ = false;
  return used;
}

size_t Http1Server::process_head(std::string_view data, bool* stop) {
  if (state_ == State::kIdle) {
    state_ = State::kHead;
    deadlines_.arm(deadline_, options_.head);
  }
  RequestHead head;
  Parsed parsed = http1::parse_request_head(data, options_.limits, &head);
  if (parsed.kind == Parsed::Kind::kNeedMore) {
    *stop = true;
    return 0;
  }
  if (parsed.kind == Parsed::Kind::kRefused) {
    refuse(parsed.status, parsed.why);
    *stop = true;
    return data.size();
  }
  state_ = State::kRequest;
  ++served_;
  old_ = head.version == Version::kHttp10;
  head_method_ = head.method == "HEAD";
  keep_alive_ = parsed.keep_alive && served_ < options_.requests && !draining_;
  wants_body_ = false;
  response_ = Response::kNone;
  chunked_out_ = tunnel_out_ = close_after_ = false;
  awaits_continue_ = head.expects_continue;
  left_ = 0;
  held_ = options_.buffered;
  body_ = BodyState::kNone;
  if (head.body == BodyKind::kStream) {
    body_ = BodyState::kChunked;
    chunks_ = std::make_unique<ChunkedReader>();
  } else if (head.has_body()) {
    body_ = BodyState::kLength;
    left_ = head.length;
  }
  deadline_.disarm();
  handler_.on_request(*this, std::move(head));
  return parsed.used;
}

size_t Http1Server::process_body(std::string_view data, bool* stop) {
  if (state_ == State::kRequest && !wants_body_) {
    *stop = true;
    return 0;
  }
  if (state_ == State::kLinger) {
    lingered_ += data.size();
    if (lingered_ > kMaxLinger) {
      over();
      return data.size();
    }
  } else if (deadline_.armed()) {
    deadlines_.arm(deadline_, options_.body);
  }
  if (body_ == BodyState::kChunked) return process_chunks(data, stop);
  if (body_ == BodyState::kTunnel) {
    if (state_ == State::kRequest && events_ != nullptr) events_->on_body(data, false);
    return data.size();
  }
  auto taken = static_cast<size_t>(std::min<uint64_t>(left_, data.size()));
  left_ -= taken;
  bool end = left_ == 0;
  DownstreamEvents* events = state_ == State::kRequest ? events_ : nullptr;
  if (end) body_done();
  if (events != nullptr) events->on_body(data.substr(0, taken), end);
  return taken;
}

size_t Http1Server::process_chunks(std::string_view data, bool* stop) {
  ChunkedReader::Step step = chunks_->next(data);
  DownstreamEvents* events = state_ == State::kRequest ? events_ : nullptr;
  switch (step.kind) {
    case ChunkedReader::Step::Kind::kNeedMore:
      *stop = true;
      break;
    case ChunkedReader::Step::Kind::kData:
      if (events != nullptr) events->on_body(step.data, false);
      break;
    case ChunkedReader::Step::Kind::kEnd: {
      std::unique_ptr<ChunkedReader> chunks = std::move(chunks_);
      body_done();
      if (events == nullptr) break;
      if (chunks->trailers().empty()) events->on_body({}, true);
      else events->on_trailers(chunks->trailers());
      break;
    }
    case ChunkedReader::Step::Kind::kBroken:
      *stop = true;
      host_.on_refused(*this, response_ == Response::kNone ? 400 : 0, step.why);
      if (response_ == Response::kNone && state_ == State::kRequest) {
        DownstreamEvents* told = std::exchange(events_, nullptr);
        body_ = BodyState::kNone;
        if (told != nullptr) told->on_client_gone();
        refuse(400, step.why);
      } else {
        gone();
      }
      return data.size();
  }
  return step.used;
}

void Http1Server::body_done() {
  body_ = BodyState::kNone;
  chunks_.reset();
  deadline_.disarm();
  if (state_ == State::kLinger) next_request();
}

void Http1Server::read_body(bool on) {
  if (state_ != State::kRequest || wants_body_ == on) return;
  wants_body_ = on;
  if (body_ == BodyState::kNone) return;
  if (on && body_ != BodyState::kTunnel) deadlines_.arm(deadline_, options_.body);
  else if (!on) deadline_.disarm();
  if (on && !in_.empty() && !processing_) process_later();
  if (!processing_) update_reading();
}

// Not from within the caller's call: what is read may end the exchange that asks for it.
void Http1Server::process_later() {
  if (later_ != 0) return;
  later_ = socket_->loop().timer(milliseconds(0), milliseconds(0), [this] {
    later_ = 0;
    Socket::Turn turn;
    if (state_ != State::kOver) take({});
  });
}

// A little is read ahead, be it body that is not wanted yet or the next request: turning the watch off and on again for each
// request would cost more than the request.
void Http1Server::update_reading() { socket_->want_read(!input_ended_ && in_.size() < options_.buffered); }

// ---- Writing -----------------------------------------------------------------------------------------------------

void Http1Server::send_informational(int status, const Headers& headers) {
  if (status == 100) awaits_continue_ = false;
  if (old_ || response_ != Response::kNone) return;
  http1::append_status_line(status, {}, &socket_->gathered());
  http1::append_fields(headers, &socket_->gathered());
  socket_->gathered().append("\r\n");
  socket_->touch();
}

void Http1Server::send_head(const ResponseHead& head, bool end) {
  if (state_ != State::kRequest || response_ != Response::kNone) return;
  std::string& out = socket_->gathered();
  http1::append_status_line(head.status, head.reason, &out);
  http1::append_date(&out);
  http1::append_fields(head.headers, &out);
  response_ = end || head_method_ ? Response::kDone : Response::kHead;
  bool bodyless = head.status < 200 || head.status == 204 || head.status == 304;
  if (head.upgrade) {
    tunnel_out_ = true;
    keep_alive_ = false;
    body_ = BodyState::kTunnel;
    out.append("Connection: upgrade\r\nUpgrade: ").append(head.upgrade_protocol).append("\r\n");
  } else if (head.body == BodyKind::kLength) {
    http1::append_length(head.length, &out);
  } else if (!bodyless && head.body == BodyKind::kNone) {
    if (!head_method_) http1::append_length(0, &out);
  } else if (!bodyless && !old_) {
    out.append("Transfer-Encoding: chunked\r\n");
    chunked_out_ = response_ == Response::kHead;
  } else if (!bodyless) {
    keep_alive_ = false;  // HTTP/1.0: the end of the connection is the end of the body.
  }
  // Told no instead of "continue", a client may send the body or leave it out: what comes next could be either.
  if (awaits_continue_) keep_alive_ = false;
  if (!head.upgrade && (!keep_alive_ || draining_)) {
    keep_alive_ = false;
    out.append("Connection: close\r\n");
  } else if (old_ && !head.upgrade) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
  socket_->touch();
  if (tunnel_out_) {
    // What the client sent behind its request is for the other side.
    if (!in_.empty()) process_later();
    update_reading();
  }
}

Flow Http1Server::send_body(std::string_view data, bool end) {
  if (state_ != State::kRequest || response_ != Response::kHead) return Flow::kOpen;
  http1::write_body(*socket_, chunked_out_, data, end);
  if (end) {
    response_ = Response::kDone;
    if (tunnel_out_) socket_->shut_down();
  }
  if (socket_->pending() < held_) return Flow::kOpen;
  deadlines_.arm(deadline_, options_.send);
  return Flow::kFull;
}

void Http1Server::send_trailers(const Headers& trailers) {
  if (state_ != State::kRequest || response_ != Response::kHead) return;
  if (chunked_out_) http1::append_last_chunk(&trailers, &socket_->gathered());
  socket_->touch();
  response_ = Response::kDone;
}

void Http1Server::on_drained() {
  if (state_ == State::kRequest) {
    deadline_.disarm();
    if (wants_body_ && body_ != BodyState::kNone && body_ != BodyState::kTunnel) deadlines_.arm(deadline_, options_.body);
    if (events_ != nullptr) events_->on_drained();
    return;
  }
  if (close_after_ && !lingers_) over();
}

// ---- Ends --------------------------------------------------------------------------------------------------------

void Http1Server::close() {
  events_ = nullptr;
  if (state_ != State::kRequest) return;
  if (response_ != Response::kDone) return abort();
  if (tunnel_out_) return finish(false);  // Both directions are through.
  if (body_ == BodyState::kNone) return next_request();
  // The rest of the request is read and dropped, up to a limit.
  if (!keep_alive_) return finish(true);
  state_ = State::kLinger;
  lingered_ = 0;
  deadlines_.arm(deadline_, kLingerTime);
  if (!in_.empty()) process_later();
  if (!processing_) update_reading();
}

void Http1Server::next_request() {
  if (!keep_alive_ || draining_) return finish(!in_.empty());
  state_ = State::kIdle;
  if (in_.empty() || processing_) {
    deadlines_.arm(deadline_, options_.keep_alive);
  } else {
    state_ = State::kHead;
    deadlines_.arm(deadline_, options_.head);
    process_later();
  }
  if (!processing_) update_reading();
}

// Nothing more is answered. `linger`: the client may still be sending, so read to its end: a reset would overtake the answer.
void Http1Server::finish(bool linger) {
  state_ = State::kLinger;
  close_after_ = true;
  lingers_ = linger && !input_ended_;
  body_ = BodyState::kTunnel;  // Whatever still comes is dropped.
  lingered_ = 0;
  in_.clear();
  if (!lingers_ && (!socket_->flush() || socket_->pending() == 0)) return over();
  deadlines_.arm(deadline_, lingers_ ? kLingerTime : options_.send);
  if (lingers_) socket_->shut_down();
  if (!processing_) update_reading();
}

void Http1Server::refuse(int status, const char* why) {
  host_.on_refused(*this, status, why);
  if (status == 0) return over();
  std::string body;
  ResponseHead head = host_.refusal(status, &body);
  state_ = State::kRequest;
  response_ = Response::kNone;
  keep_alive_ = false;
  old_ = head_method_ = tunnel_out_ = false;
  head.body = BodyKind::kLength;
  head.length = body.size();
  send_head(head, body.empty());
  if (!body.empty()) send_body(body, true);
  finish(true);
}

void Http1Server::abort() {
  events_ = nullptr;
  if (state_ == State::kOver) return;
  // A client must be able to tell a cut from an end, where the length alone does not say.
  if (!chunked_out_) socket_->reset_on_close();
  over();
}

void Http1Server::gone() {
  if (state_ == State::kOver) return;
  DownstreamEvents* events = std::exchange(events_, nullptr);
  bool told = state_ == State::kRequest && events != nullptr;
  over();
  if (told) events->on_client_gone();
}

void Http1Server::on_broken() { gone(); }

void Http1Server::on_deadline() {
  if (state_ == State::kHead && !in_.empty()) return refuse(408, "the head took too long");
  if (state_ == State::kRequest && response_ == Response::kNone && events_ != nullptr && wants_body_) {
    std::exchange(events_, nullptr)->on_client_gone();
    body_ = BodyState::kNone;
    return refuse(408, "the body took too long");
  }
  gone();
}

void Http1Server::over() {
  if (state_ == State::kOver) return;
  state_ = State::kOver;
  deadline_.disarm();
  if (later_ != 0) socket_->loop().cancel(std::exchange(later_, 0));
  host_.on_connection_over(*this);
}

}  // namespace server::gateway

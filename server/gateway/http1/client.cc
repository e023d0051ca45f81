#include "server/gateway/http1/client.h"

#include <algorithm>

#include "server/gateway/http1/input.h"
#include "server/gateway/http1/writer.h"
#include "server/gateway/message/thread_buffer.h"

namespace server::gateway {
namespace {

using http1::ChunkedReader;
using http1::Parsed;

constexpr size_t kBuffered = 64 * 1024;
constexpr ThreadBuffer<struct Http1ClientReads> http1_client_buffer;

}  // namespace

const char* failure_text(Failure failure) {
  switch (failure) {
    case Failure::kRefused:
      return "no connection";
    case Failure::kConnectTimeout:
      return "no connection in time";
    case Failure::kTimeout:
      return "no answer in time";
    case Failure::kStale:
      return "the kept connection was closed";
    case Failure::kUnprocessed:
      return "the endpoint did not take the request";
    case Failure::kReset:
      return "the connection was closed in the middle of the answer";
    case Failure::kInvalid:
      return "the answer is not HTTP";
    case Failure::kTooLarge:
      return "the answer's head is too large";
  }
  return "";
}

Http1Client::Http1Client(std::unique_ptr<Socket> socket, Host& host, size_t max_head) : socket_(std::move(socket)), host_(host), max_head_(max_head) {}

Http1Client::~Http1Client() {
  if (later_ != 0) socket_->loop().cancel(later_);
}

void Http1Client::begin(UpstreamEvents* events, const std::string& connection_header, bool http10) {
  events_ = events;
  connection_header_ = connection_header;
  http10_ = http10;
  state_ = State::kHead;
  body_ = BodyState::kNone;
  ++uses_;
  keep_alive_ = true;
  wants_body_ = true;
  request_done_ = chunked_out_ = tunnel_ = answered_ = closed_ = false;
  in_.clear();
  socket_->want_read(true);
}

void Http1Client::connect() {
  socket_->start(this);
}

void Http1Client::on_open() { connected_ = true; }

void Http1Client::on_open_failed(const std::string& why) { fail(Failure::kRefused, why); }

// ---- The request -------------------------------------------------------------------------------------------------

void Http1Client::send_head(const RequestHead& head, bool end) {
  if (state_ == State::kOver) return;
  method_ = head.method;
  std::string& out = socket_->gathered();
  http1::append_request_head(head, http10_, connection_header_, &out);
  chunked_out_ = head.body == BodyKind::kStream && !http10_;
  if (!head.upgrade.empty()) {
    tunnel_ = true;  // Asked for; on_head() tells whether it was agreed.
    end = false;
  } else if (connection_header_.empty() ? http10_ : equal_names(connection_header_, "close")) {
    keep_alive_ = false;
  }
  socket_->touch();
  if (end) {
    if (chunked_out_) http1::append_last_chunk(nullptr, &out);
    request_done_ = true;
  }
}

Flow Http1Client::send_body(std::string_view data, bool end) {
  if (state_ == State::kOver || request_done_) return Flow::kOpen;
  http1::write_body(*socket_, chunked_out_, data, end);
  if (end) {
    request_done_ = true;
    if (tunnel_) socket_->shut_down();
  }
  return socket_->pending() < kBuffered ? Flow::kOpen : Flow::kFull;
}

void Http1Client::send_trailers(const Headers& trailers) {
  if (state_ == State::kOver || request_done_) return;
  if (chunked_out_) http1::append_last_chunk(&trailers, &socket_->gathered());
  socket_->touch();
  request_done_ = true;
}

void Http1Client::on_drained() {
  if (events_ != nullptr) events_->on_drained();
}

// ---- The answer --------------------------------------------------------------------------------------------------

void Http1Client::on_readable() {
  for (;;) {
    ssize_t n = socket_->read(http1_client_buffer.data(), http1_client_buffer.size());
    if (n == Socket::kAgain) return;
    if (n <= 0) return end_of_input(n == 0);
    take({http1_client_buffer.data(), static_cast<size_t>(n)});
    if (state_ == State::kOver) return;
    if ((static_cast<size_t>(n) < http1_client_buffer.size() && socket_->ssl() == nullptr) || !wants_body_) return;
  }
}

void Http1Client::take(std::string_view data) {
  if (processing_) {
    in_.append(data);
    return;
  }
  processing_ = true;
  http1::feed(&in_, data, [this](std::string_view bytes) { return process(bytes); });
  processing_ = false;
}

size_t Http1Client::process(std::string_view data) {
  size_t used = 0;
  bool stop = false;
  while (!stop && used < data.size()) {
    std::string_view rest = data.substr(used);
    if (state_ == State::kHead) {
      used += process_head(rest, &stop);
    } else if (state_ == State::kBody && body_ != BodyState::kNone) {
      if (!wants_body_) break;
      used += process_body(rest, &stop);
    } else {
      // Bytes that nobody asked for: the connection cannot be trusted with another request.
      keep_alive_ = false;
      if (state_ == State::kIdle) over();
      return data.size();
    }
  }
  return used;
}

size_t Http1Client::process_head(std::string_view data, bool* stop) {
  answered_ = true;
  ResponseHead head;
  http1::HeadLimits limits;
  limits.head = limits.line = max_head_;
  limits.fields = 1000;
  Parsed parsed = http1::parse_response_head(data, method_, limits, &head);
  if (parsed.kind == Parsed::Kind::kNeedMore) {
    *stop = true;
    return 0;
  }
  if (parsed.kind == Parsed::Kind::kRefused) {
    bool large = std::string_view(parsed.why).find("too large") != std::string_view::npos;
    fail(large ? Failure::kTooLarge : Failure::kInvalid, parsed.why);
    *stop = true;
    return data.size();
  }
  if (head.status < 200 && head.status != 101) {
    events_->on_informational(head.status, head.headers);
    return parsed.used;
  }
  if (head.status == 101 && !tunnel_) {
    fail(Failure::kInvalid, "an upgrade that nobody asked for");
    *stop = true;
    return data.size();
  }
  keep_alive_ = keep_alive_ && parsed.keep_alive && !head.upgrade;
  tunnel_ = head.upgrade;
  state_ = State::kBody;
  bool end = false;
  if (head.upgrade) {
    body_ = BodyState::kUntilEnd;
  } else if (method_ == "HEAD" || head.body == BodyKind::kNone || (head.body == BodyKind::kLength && head.length == 0)) {
    end = true;
  } else if (head.body == BodyKind::kLength) {
    body_ = BodyState::kLength;
    left_ = head.length;
  } else if (head.body == BodyKind::kStream) {
    body_ = BodyState::kChunked;
    chunks_ = std::make_unique<ChunkedReader>(64 * 1024);
  } else {
    body_ = BodyState::kUntilEnd;
  }
  if (end) body_done();
  events_->on_head(std::move(head), end);
  *stop = state_ == State::kOver;
  return parsed.used;
}

size_t Http1Client::process_body(std::string_view data, bool* stop) {
  if (body_ == BodyState::kUntilEnd) {
    events_->on_body(data, false);
    return data.size();
  }
  if (body_ == BodyState::kLength) {
    auto taken = static_cast<size_t>(std::min<uint64_t>(left_, data.size()));
    left_ -= taken;
    bool end = left_ == 0;
    UpstreamEvents* events = events_;
    if (end) body_done();
    events->on_body(data.substr(0, taken), end);
    return taken;
  }
  ChunkedReader::Step step = chunks_->next(data);
  switch (step.kind) {
    case ChunkedReader::Step::Kind::kNeedMore:
      *stop = true;
      break;
    case ChunkedReader::Step::Kind::kData:
      events_->on_body(step.data, false);
      break;
    case ChunkedReader::Step::Kind::kEnd: {
      std::unique_ptr<ChunkedReader> chunks = std::move(chunks_);
      UpstreamEvents* events = events_;
      body_done();
      if (chunks->trailers().empty()) events->on_body({}, true);
      else events->on_trailers(chunks->trailers());
      break;
    }
    case ChunkedReader::Step::Kind::kBroken:
      fail(Failure::kInvalid, step.why);
      *stop = true;
      return data.size();
  }
  return step.used;
}

void Http1Client::body_done() {
  body_ = BodyState::kNone;
  state_ = State::kDone;
}

void Http1Client::read_body(bool on) {
  if (wants_body_ == on || state_ == State::kOver) return;
  wants_body_ = on;
  socket_->want_read(on);
  if (!on || in_.empty() || later_ != 0) return;
  later_ = socket_->loop().timer(std::chrono::milliseconds(0), std::chrono::milliseconds(0), [this] {
    later_ = 0;
    Socket::Turn turn;
    if (state_ != State::kOver && state_ != State::kIdle) take({});
  });
}

// ---- Ends --------------------------------------------------------------------------------------------------------

void Http1Client::end_of_input(bool clean) {
  if (state_ == State::kBody && body_ == BodyState::kUntilEnd && clean && in_.empty()) {
    UpstreamEvents* events = events_;
    body_done();
    keep_alive_ = false;
    socket_->want_read(false);
    events->on_body({}, true);
    return;
  }
  if (state_ == State::kDone) {
    keep_alive_ = false;
    socket_->want_read(false);
    return;
  }
  if (state_ == State::kIdle) return over();
  // A kept connection that ends before any answer had been given up by the endpoint before it saw the request.
  Failure failure = !answered_ && reused() ? Failure::kStale : Failure::kReset;
  fail(failure, failure_text(failure));
}

void Http1Client::on_broken() { end_of_input(false); }

void Http1Client::fail(Failure failure, std::string_view text) {
  UpstreamEvents* events = std::exchange(events_, nullptr);
  std::string kept(text);
  over();
  if (events != nullptr) events->on_failure(failure, kept);
}

void Http1Client::close() {
  if (closed_) return;
  closed_ = true;
  events_ = nullptr;
  if (state_ == State::kOver) return;
  if (state_ != State::kDone || !request_done_ || !keep_alive_ || !in_.empty()) return over();
  state_ = State::kIdle;
  host_.on_idle(*this);
}

void Http1Client::drop() {
  events_ = nullptr;
  over();
}

void Http1Client::over() {
  if (state_ == State::kOver) return;
  state_ = State::kOver;
  if (later_ != 0) socket_->loop().cancel(std::exchange(later_, 0));
  host_.on_connection_over(*this);
}

}  // namespace server::gateway

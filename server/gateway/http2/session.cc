#include "server/gateway/http2/session.h"

#include <string.h>

#include <algorithm>
#include <utility>

namespace server::gateway::http2 {

using std::chrono::steady_clock;

namespace {

// Header blocks: what is decoded beyond the limit before the connection is ended, and in how many frames one may come.
constexpr size_t kBlockExcess = 8;
constexpr uint32_t kMaxContinuations = 16;
// Refills a second, and how many control frames a request is good for.
constexpr uint32_t kResetsRate = 30;
constexpr uint32_t kControlRate = 500;
constexpr uint32_t kControlPerRequest = 4;
constexpr uint32_t kControlPerData = 2;
constexpr size_t kFrameHead = 9;
constexpr size_t kLargeFrame = 8 * 1024;

}  // namespace

bool Allowance::spend() {
  if (left_ == 0) {
    auto now = steady_clock::now();
    auto earned = std::chrono::duration_cast<std::chrono::milliseconds>(now - since_).count() * rate_ / 1000;
    if (earned > 0) {
      since_ = now;
      left_ = static_cast<uint32_t>(std::min<int64_t>(earned, burst_));
    }
  }
  if (left_ == 0) return false;
  --left_;
  return true;
}

// ---- nghttp2's callbacks -----------------------------------------------------------------------------------------

struct Callbacks {
  static Session& of(void* user) { return *static_cast<Session*>(user); }
  static Stream* stream(nghttp2_session* session, int32_t id) { return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id)); }

  static int begin_frame(nghttp2_session*, const nghttp2_frame_hd* frame, void* user) {
    Session& session = of(user);
    if (frame->type != NGHTTP2_CONTINUATION) session.in_block_ = false;
    switch (frame->type) {
      case NGHTTP2_HEADERS:
        session.continuations_ = 0;
        break;
      case NGHTTP2_CONTINUATION:
        if (++session.continuations_ > kMaxContinuations) session.doom(NGHTTP2_ENHANCE_YOUR_CALM, "a header block in too many pieces");
        break;
      case NGHTTP2_DATA:
        if ((frame->flags & NGHTTP2_FLAG_END_STREAM) == 0 && (frame->length == 0 || (frame->flags & NGHTTP2_FLAG_PADDED) != 0)) session.spend_control();
        break;
      case NGHTTP2_RST_STREAM:
      case NGHTTP2_GOAWAY:
        break;
      default:
        session.spend_control();
    }
    return 0;
  }

  static int begin_headers(nghttp2_session* nghttp2, const nghttp2_frame* frame, void* user) {
    Session& session = of(user);
    session.in_block_ = true;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST && !session.doomed_) {
      Stream* made = session.make_stream();
      if (made == nullptr) return 0;
      made->id_ = frame->hd.stream_id;
      session.link(made);
      nghttp2_session_set_stream_user_data(nghttp2, made->id_, made);
      session.control_.give(kControlPerRequest);
      return 0;
    }
    if (Stream* known = stream(nghttp2, frame->hd.stream_id)) known->block_ = FieldBlock();
    return 0;
  }

  static int header(nghttp2_session* nghttp2, const nghttp2_frame* frame, const uint8_t* name, size_t name_size, const uint8_t* value, size_t value_size,
                    uint8_t, void* user) {
    Session& session = of(user);
    Stream* to = stream(nghttp2, frame->hd.stream_id);
    if (to == nullptr || session.doomed_) return 0;
    auto text = [](const uint8_t* bytes, size_t size) { return std::string_view(reinterpret_cast<const char*>(bytes), size); };
    to->block_.add(text(name, name_size), text(value, value_size), session.options_.header_list);
    if (to->block_.size > kBlockExcess * session.options_.header_list) session.doom(NGHTTP2_ENHANCE_YOUR_CALM, "a header block far above the limit");
    return 0;
  }

  static int data_chunk(nghttp2_session* nghttp2, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
    Session& session = of(user);
    session.control_.give(1);
    Stream* to = stream(nghttp2, id);
    if (to == nullptr || session.doomed_) nghttp2_session_consume(nghttp2, id, size);
    else to->data_received({reinterpret_cast<const char*>(data), size});
    return 0;
  }

  static int frame_received(nghttp2_session* nghttp2, const nghttp2_frame* frame, void* user) {
    Session& session = of(user);
    if (frame->hd.type == NGHTTP2_HEADERS) session.in_block_ = false;
    if (session.doomed_) return 0;
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_HEADERS) {
      Stream* to = stream(nghttp2, frame->hd.stream_id);
      if (to != nullptr) to->head_received(to->block_, end);
    } else if (frame->hd.type == NGHTTP2_DATA) {
      Stream* to = end ? stream(nghttp2, frame->hd.stream_id) : nullptr;
      if (to != nullptr) to->input_ended();
    } else {
      session.frame_received(*frame);
    }
    return 0;
  }

  static int frame_sent(nghttp2_session* nghttp2, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR && of(user).why_.empty()) {
      of(user).why_ = nghttp2_http2_strerror(frame->goaway.error_code);
    }
    if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    if (Stream* of_it = stream(nghttp2, frame->hd.stream_id)) of_it->output_sent();
    return 0;
  }

  // A request that waited for its turn and now never gets it.
  static int frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
    Session& session = of(user);
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    if (Stream* lost = session.find(frame->hd.stream_id)) lost->closed(NGHTTP2_REFUSED_STREAM);
    return 0;
  }

  static int stream_closed(nghttp2_session* nghttp2, int32_t id, uint32_t code, void*) {
    Stream* closed = stream(nghttp2, id);
    if (closed == nullptr) return 0;
    nghttp2_session_set_stream_user_data(nghttp2, id, nullptr);
    closed->closed(code);
    return 0;
  }

  static ssize_t read_data(nghttp2_session*, int32_t, uint8_t*, size_t room, uint32_t* flags, nghttp2_data_source* source, void*) {
    return static_cast<Stream*>(source->ptr)->fill(room, flags);
  }

  static int send_data(nghttp2_session*, nghttp2_frame*, const uint8_t* head, size_t size, nghttp2_data_source* source, void* user) {
    Session& session = of(user);
    std::string& out = *session.output_;
    if (out.size() >= session.output_limit_) return NGHTTP2_ERR_WOULDBLOCK;
    // More is coming, most likely: growing step by step would copy all of it again.
    if (size >= kLargeFrame && out.capacity() - out.size() < size + kFrameHead) out.reserve(session.output_limit_ + size + kFrameHead);
    session.control_.give(kControlPerData);
    out.append(reinterpret_cast<const char*>(head), kFrameHead);
    static_cast<Stream*>(source->ptr)->take_out(size, &out);
    return 0;
  }

  static nghttp2_session_callbacks* table() {
    static nghttp2_session_callbacks* made = [] {
      nghttp2_session_callbacks* c = nullptr;
      nghttp2_session_callbacks_new(&c);
      nghttp2_session_callbacks_set_on_begin_frame_callback(c, begin_frame);
      nghttp2_session_callbacks_set_on_begin_headers_callback(c, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(c, header);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, data_chunk);
      nghttp2_session_callbacks_set_on_frame_recv_callback(c, frame_received);
      nghttp2_session_callbacks_set_on_frame_send_callback(c, frame_sent);
      nghttp2_session_callbacks_set_on_frame_not_send_callback(c, frame_not_sent);
      nghttp2_session_callbacks_set_on_stream_close_callback(c, stream_closed);
      nghttp2_session_callbacks_set_send_data_callback(c, send_data);
      return c;
    }();
    return made;
  }
};

nghttp2_data_provider body_of(Stream* stream) {
  nghttp2_data_provider provider{};
  provider.source.ptr = stream;
  provider.read_callback = Callbacks::read_data;
  return provider;
}

// ---- The session -------------------------------------------------------------------------------------------------

Session::Session(bool server, const SessionOptions& options, Carrier& carrier)
    : options_(options), carrier_(carrier), resets_(options.resets, kResetsRate), control_(options.control_frames, kControlRate) {
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_settings(option, 32);
  if (server) nghttp2_session_server_new2(&session_, Callbacks::table(), this, option);
  else nghttp2_session_client_new2(&session_, Callbacks::table(), this, option);
  nghttp2_option_del(option);
  std::vector<nghttp2_settings_entry> settings = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.stream_window},
                                                  {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(options.header_list)}};
  if (server) {
    settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options.streams});
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
  } else {
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  }
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, static_cast<int32_t>(options.connection_window));
}

Session::~Session() {
  nghttp2_session_del(session_);
  while (first_ != nullptr) {
    Stream* stream = first_;
    unlink(stream);
    delete stream;
  }
}

void Session::feed(std::string_view bytes) {
  if (dead_ || bytes.empty()) return;
  ssize_t used = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (used < 0) {
    dead_ = true;
    if (why_.empty()) why_ = nghttp2_strerror(static_cast<int>(used));
  }
  carrier_.want_output();
}

bool Session::take_output(std::string* out, size_t limit) {
  output_ = out;
  output_limit_ = out->size() + limit;
  bool more = false;
  for (;;) {
    const uint8_t* bytes = nullptr;
    ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size < 0) {
      dead_ = true;
      if (why_.empty()) why_ = nghttp2_strerror(static_cast<int>(size));
      break;
    }
    out->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
    more = out->size() >= output_limit_;
    if (size == 0 || more) break;
  }
  output_ = nullptr;
  // An event may end any stream; what is buried is there until the turn's end.
  std::vector<Stream*> drained;
  drained.swap(drained_);
  for (Stream* stream : drained) {
    if (!stream->buried_) stream->tell_drained();
  }
  return more;
}

void Session::later(Stream* stream) {
  if (stream->later_) return;
  stream->later_ = true;
  if (later_.empty()) carrier_.want_later();
  later_.push_back(stream);
}

void Session::run_later() {
  std::vector<Stream*> due;
  due.swap(later_);
  for (Stream* stream : due) {
    if (!stream->buried_) stream->deliver_later();
  }
  carrier_.want_output();
}

bool Session::finished() const { return dead_ || (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0); }

void Session::fail_all(Failure failure, std::string_view why) {
  dead_ = true;
  // An event may end other streams too; what is buried is there until the turn's end.
  std::vector<Stream*> all;
  each_stream([&all](Stream& s) { all.push_back(&s); });
  for (Stream* stream : all) {
    if (stream->buried_) continue;
    stream->wire_closed_ = true;
    if (stream->outlives_connection()) continue;
    stream->lost(failure, why);
    if (!stream->buried_) stream->release();
  }
}

void Session::doom(uint32_t code, const char* why) {
  if (doomed_) return;
  doomed_ = true;
  why_ = why;
  nghttp2_session_terminate_session(session_, code);
}

void Session::spend_control() {
  if (!control_.spend()) doom(NGHTTP2_ENHANCE_YOUR_CALM, "too many frames that do nothing");
}

void Session::spend_reset() {
  if (!resets_.spend()) doom(NGHTTP2_ENHANCE_YOUR_CALM, "too many streams were reset");
}

void Session::link(Stream* stream) {
  stream->after_ = first_;
  stream->before_ = nullptr;
  if (first_ != nullptr) first_->before_ = stream;
  first_ = stream;
  ++count_;
}

void Session::unlink(Stream* stream) {
  if (stream->before_ != nullptr) stream->before_->after_ = stream->after_;
  else first_ = stream->after_;
  if (stream->after_ != nullptr) stream->after_->before_ = stream->before_;
  --count_;
  if (stream->later_) later_.erase(std::remove(later_.begin(), later_.end(), stream), later_.end());
  if (dead_ && count_ == 0) carrier_.want_later();
}

Stream* Session::find(int32_t id) {
  for (Stream* s = first_; s != nullptr; s = s->after_) {
    if (s->id_ == id) return s;
  }
  return nullptr;
}

}  // namespace server::gateway::http2

#include "server/node_agent/grpc_health.h"

#include <nghttp2/nghttp2.h>

#include <charconv>
#include <cstring>
#include <vector>

namespace server {
namespace {

constexpr size_t kMaxMessage = 4096;  // A health answer has two bytes.
constexpr int kUnimplemented = 12, kDeadlineExceeded = 4, kUnavailable = 14, kUnknown = 2, kInternal = 13;

const char* status_name(int code) {
  static const char* const kNames[] = {"OK",           "Canceled",          "Unknown",            "InvalidArgument", "DeadlineExceeded", "NotFound",      "AlreadyExists", "PermissionDenied", "ResourceExhausted",
                                       "FailedPrecondition", "Aborted",     "OutOfRange",         "Unimplemented",   "Internal",         "Unavailable",   "DataLoss",      "Unauthenticated"};
  return code >= 0 && code <= 16 ? kNames[code] : "Code";
}

// What a proxy or another HTTP server's status means to a gRPC client.
int code_of_http(int status) {
  switch (status) {
    case 400:
      return kInternal;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return kUnavailable;
    default:
      return kUnknown;
  }
}

std::string decode_percent(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() && std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr == text.data() + i + 3) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

void put_varint(std::string& out, size_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  out += static_cast<char>(value);
}

// HealthCheckRequest{1: service} behind gRPC's five bytes: not compressed, length.
std::string compile_message(const std::string& service) {
  std::string body;
  if (!service.empty()) {
    body = "\x0a";
    put_varint(body, service.size());
    body += service;
  }
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((body.size() >> shift) & 0xff);
  return out + body;
}

bool take_varint(std::string_view& in, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

// HealthCheckResponse{1: status}; other fields are passed over. -1: not a message.
int parse_serving_status(std::string_view in) {
  uint64_t status = 0;
  while (!in.empty()) {
    uint64_t key = 0, value = 0;
    if (!take_varint(in, key)) return -1;
    if ((key & 7) == 0) {
      if (!take_varint(in, value)) return -1;
      if (key >> 3 == 1) status = value;
    } else if ((key & 7) == 2) {
      if (!take_varint(in, value) || value > in.size()) return -1;
      in.remove_prefix(value);
    } else if ((key & 7) == 1 || (key & 7) == 5) {
      size_t size = (key & 7) == 1 ? 8 : 4;
      if (in.size() < size) return -1;
      in.remove_prefix(size);
    } else {
      return -1;
    }
  }
  return static_cast<int>(status & 0x7fffffff);
}

std::string serving_name(int status) {
  static const char* const kNames[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
  return status >= 0 && status < 4 ? kNames[status] : std::to_string(status);
}

// As Go prints a duration of whole seconds.
std::string render_timeout(std::chrono::milliseconds timeout) {
  int64_t seconds = timeout.count() / 1000;
  if (seconds >= 3600) return std::to_string(seconds / 3600) + "h" + std::to_string(seconds / 60 % 60) + "m" + std::to_string(seconds % 60) + "s";
  return (seconds >= 60 ? std::to_string(seconds / 60) + "m" : "") + std::to_string(seconds % 60) + "s";
}

nghttp2_nv header(const char* name, const std::string& value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name)), reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), std::strlen(name), value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct GrpcHealthCheck::State {
  nghttp2_session* session = nullptr;
  int32_t stream = -1;
  std::chrono::milliseconds timeout{0};
  std::string message;         // To be sent.
  bool connected = false;
  int http_status = 0;
  int grpc_status = -1;
  bool grpc_content = false;
  std::string grpc_message;
  std::string answer;
  std::optional<Outcome> outcome;

  ~State() { nghttp2_session_del(session); }
  void fail(int code, const std::string& text);
  void judge();
  void on_header(std::string_view name, std::string_view value);
};

void GrpcHealthCheck::State::fail(int code, const std::string& text) {
  if (outcome.has_value()) return;
  std::string out = "error: health rpc probe failed: rpc error: code = " + std::string(status_name(code)) + " desc = " + text;
  if (code == kUnimplemented) out = "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): " + text;
  if (code == kDeadlineExceeded) out = "timeout: health rpc did not complete within " + render_timeout(timeout);
  outcome = Outcome{Outcome::Result::kFailure, out};
}

// The stream has ended: what did it say?
void GrpcHealthCheck::State::judge() {
  if (outcome.has_value()) return;
  if (grpc_status > 0) return fail(grpc_status, decode_percent(grpc_message));
  if (http_status != 0 && http_status != 200) return fail(code_of_http(http_status), "unexpected HTTP status code received from server: " + std::to_string(http_status));
  if (http_status == 200 && !grpc_content) return fail(kUnknown, "malformed header: missing HTTP content-type");
  if (grpc_status != 0) return fail(kInternal, "stream terminated by RST_STREAM with error code: PROTOCOL_ERROR");
  if (answer.size() < 5) return fail(kInternal, "cardinality violation: received no response message from non-server-streaming RPC");
  int status = answer[0] == 0 ? parse_serving_status(std::string_view(answer).substr(5)) : -1;
  if (status < 0) return fail(kInternal, "grpc: failed to unmarshal the received message");
  if (status == 1) outcome = Outcome{Outcome::Result::kSuccess, "service healthy"};
  else outcome = Outcome{Outcome::Result::kFailure, "service unhealthy (responded with \"" + serving_name(status) + "\")"};
}

void GrpcHealthCheck::State::on_header(std::string_view name, std::string_view value) {
  if (name == ":status") std::from_chars(value.data(), value.data() + value.size(), http_status);
  if (name == "content-type") grpc_content = value.rfind("application/grpc", 0) == 0;
  if (name == "grpc-message") grpc_message = value;
  if (name == "grpc-status") {
    grpc_status = kUnknown;
    std::from_chars(value.data(), value.data() + value.size(), grpc_status);
  }
}

namespace {

ssize_t read_message(nghttp2_session*, int32_t, uint8_t* buffer, size_t size, uint32_t* flags, nghttp2_data_source* source, void*) {
  auto& rest = *static_cast<std::string*>(source->ptr);
  size_t n = std::min(size, rest.size());
  std::memcpy(buffer, rest.data(), n);
  rest.erase(0, n);
  if (rest.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(n);
}

}  // namespace

GrpcHealthCheck::GrpcHealthCheck(const std::string& authority, const std::string& service, std::chrono::milliseconds timeout) : state_(std::make_unique<State>()) {
  state_->timeout = timeout;
  state_->message = compile_message(service);
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size, const uint8_t* value, size_t value_size, uint8_t, void* user) {
    auto* state = static_cast<State*>(user);
    if (frame->hd.stream_id == state->stream) state->on_header({reinterpret_cast<const char*>(name), name_size}, {reinterpret_cast<const char*>(value), value_size});
    return 0;
  });
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, [](nghttp2_session*, uint8_t, int32_t stream, const uint8_t* data, size_t size, void* user) {
    auto* state = static_cast<State*>(user);
    if (stream == state->stream && state->answer.size() < kMaxMessage) state->answer.append(reinterpret_cast<const char*>(data), std::min(size, kMaxMessage));
    return 0;
  });
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_SETTINGS) static_cast<State*>(user)->connected = true;
    return 0;
  });
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, [](nghttp2_session*, int32_t stream, uint32_t, void* user) {
    auto* state = static_cast<State*>(user);
    if (stream == state->stream) state->judge();
    return 0;
  });
  nghttp2_session_client_new(&state_->session, callbacks, state_.get());
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_submit_settings(state_->session, NGHTTP2_FLAG_NONE, nullptr, 0);
  const std::string post = "POST", scheme = "http", path = "/grpc.health.v1.Health/Check", type = "application/grpc", agent = "kube-probe/1.36", trailers = "trailers";
  const std::string limit = std::to_string(timeout.count()) + "m";
  const nghttp2_nv headers[] = {header(":method", post),     header(":scheme", scheme),    header(":path", path),     header(":authority", authority),
                                header("content-type", type), header("user-agent", agent), header("te", trailers), header("grpc-timeout", limit)};
  nghttp2_data_provider body{};
  body.source.ptr = &state_->message;
  body.read_callback = read_message;
  state_->stream = nghttp2_submit_request(state_->session, nullptr, headers, std::size(headers), &body, nullptr);
}

GrpcHealthCheck::~GrpcHealthCheck() = default;

std::string GrpcHealthCheck::take_output() {
  std::string out;
  for (;;) {
    const uint8_t* data = nullptr;
    ssize_t n = nghttp2_session_mem_send(state_->session, &data);
    if (n <= 0) return out;
    out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(n));
  }
}

void GrpcHealthCheck::feed(std::string_view bytes) {
  ssize_t n = nghttp2_session_mem_recv(state_->session, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (n < 0) state_->fail(kUnavailable, std::string("connection error: ") + nghttp2_strerror(static_cast<int>(n)));
}

void GrpcHealthCheck::end() { state_->fail(kUnavailable, "error reading from server: EOF"); }
bool GrpcHealthCheck::connected() const { return state_->connected; }
const std::optional<Outcome>& GrpcHealthCheck::outcome() const { return state_->outcome; }

}  // namespace server

#include "kubectl-compat/stream/spdy_forward.h"

#include <charconv>
#include <optional>

namespace compat {
namespace {

constexpr uint32_t kForwardProtocolError = 1, kForwardRefused = 3;  // RST_STREAM
constexpr size_t kMaxHalves = 256;
constexpr size_t kMaxConns = 4096;
constexpr size_t kMaxEarly = 1 << 20;

std::string header(const SpdyEvent& event, const char* name) {
  auto it = event.headers.find(name);
  return it == event.headers.end() ? std::string() : it->second;
}

std::optional<uint16_t> parse_port(const std::string& text) {
  uint16_t port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

base::Result<PortForwardFeed> SpdyForward::feed(std::string_view bytes) {
  PortForwardFeed out;
  if (closed_) return out;
  if (failure_.empty()) {
    auto events = session_.feed(bytes);
    if (!events.ok()) failure_ = events.error().message;
    for (size_t i = 0; events.ok() && i < events->size() && failure_.empty() && !closed_; ++i) {
      auto status = handle((*events)[i], out);
      if (!status.ok()) failure_ = status.error().message;
    }
  }
  if (!failure_.empty()) return base::Error{base::Code::kBadRequest, failure_};
  return out;
}

base::Status SpdyForward::handle(const SpdyEvent& event, PortForwardFeed& out) {
  switch (event.kind) {
    case SpdyEvent::Kind::kSynStream: open_stream(event, out); break;
    case SpdyEvent::Kind::kData: return input(event, out);
    case SpdyEvent::Kind::kReset: reset(event.stream, out); break;
    case SpdyEvent::Kind::kPing:
      if ((event.stream & 1) != 0) out.bytes += session_.ping(event.stream);  // Even ids would be our own.
      break;
    case SpdyEvent::Kind::kGoAway:
      closed_ = true;
      out.events.push_back({PortForwardEvent::Kind::kClosed});
      break;
    default: break;  // No windows, no settings: as spdystream.
  }
  return {};
}

void SpdyForward::open_stream(const SpdyEvent& event, PortForwardFeed& out) {
  if (event.stream % 2 == 0 || event.stream <= last_stream_) {
    out.bytes += session_.reset(event.stream, kForwardProtocolError);
    return;
  }
  last_stream_ = event.stream;
  std::string type = header(event, "streamtype");
  auto port = parse_port(header(event, "port"));
  std::string id = header(event, "requestid");
  // Clients of old sent no request id; their data stream directly follows its error stream.
  if (id.empty()) id = "stream " + std::to_string(type == "data" ? event.stream - 2 : event.stream);
  auto known = halves_.find(id);
  bool taken = known != halves_.end() && (type == "data" ? known->second.data : known->second.error) != 0;
  bool full = conns_.size() >= kMaxConns || (known == halves_.end() && halves_.size() >= kMaxHalves);
  if ((type != "data" && type != "error") || !port || taken || full) {
    out.bytes += session_.reset(event.stream, kForwardRefused);
    return;
  }
  out.bytes += session_.syn_reply(event.stream, false);
  Half& half = halves_[id];
  if (type == "data") {
    half.data = event.stream;
    half.fin = event.fin;
    half_streams_[event.stream] = id;
  } else {
    half.error = event.stream;
  }
  if (half.data != 0 && half.error != 0) join(id, *port, out);
}

void SpdyForward::join(const std::string& id, uint16_t port, PortForwardFeed& out) {
  Half half = std::move(halves_[id]);
  halves_.erase(id);
  half_streams_.erase(half.data);
  uint32_t conn = next_conn_++;
  conns_[conn] = {half.error, half.data, half.fin, false};
  conn_of_[half.data] = conn;
  out.events.push_back({PortForwardEvent::Kind::kOpen, conn, port});
  if (!half.early.empty()) out.events.push_back({PortForwardEvent::Kind::kData, conn, 0, std::move(half.early)});
  if (half.fin) out.events.push_back({PortForwardEvent::Kind::kHalfClose, conn});
}

base::Status SpdyForward::input(const SpdyEvent& event, PortForwardFeed& out) {
  auto waiting = half_streams_.find(event.stream);
  if (waiting != half_streams_.end()) {
    Half& half = halves_[waiting->second];
    if (!half.fin) half.early += event.data;
    half.fin = half.fin || event.fin;
    if (half.early.size() > kMaxEarly) return base::Error{base::Code::kBadRequest, "spdy: too much data before the error stream is open"};
    return {};
  }
  auto it = conn_of_.find(event.stream);
  if (it == conn_of_.end()) return {};  // An error stream, or a connection that has ended meanwhile.
  Conn& conn = conns_[it->second];
  if (conn.client_done) return {};
  if (!event.data.empty()) out.events.push_back({PortForwardEvent::Kind::kData, it->second, 0, event.data});
  conn.client_done = event.fin;
  if (event.fin) out.events.push_back({PortForwardEvent::Kind::kHalfClose, it->second});
  return {};
}

void SpdyForward::reset(uint32_t stream, PortForwardFeed& out) {
  auto waiting = half_streams_.find(stream);
  if (waiting != half_streams_.end()) {
    Half& half = halves_[waiting->second];
    if (half.error != 0) out.bytes += session_.data(half.error, "", true);
    halves_.erase(waiting->second);
    half_streams_.erase(waiting);
    return;
  }
  std::erase_if(halves_, [&](const auto& half) { return half.second.error == stream && half.second.data == 0; });
  auto it = conn_of_.find(stream);
  if (it == conn_of_.end()) return;
  uint32_t conn = it->second;
  // kubectl has only given up the data stream and waits for the end of the error stream.
  out.bytes += session_.data(conns_[conn].error, "", true);
  conn_of_.erase(it);
  conns_.erase(conn);
  out.events.push_back({PortForwardEvent::Kind::kReset, conn});
}

std::string SpdyForward::data(uint32_t conn, std::string_view data) {
  auto it = conns_.find(conn);
  if (it == conns_.end() || it->second.server_done || data.empty() || closed_) return {};
  return session_.data(it->second.data, data, false);
}

std::string SpdyForward::half_close(uint32_t conn) {
  auto it = conns_.find(conn);
  if (it == conns_.end() || it->second.server_done || closed_) return {};
  it->second.server_done = true;
  return session_.data(it->second.data, "", true);
}

std::string SpdyForward::end(uint32_t conn, std::string_view message) {
  auto it = conns_.find(conn);
  if (it == conns_.end() || closed_) return {};
  // The text first: the client looks at it as soon as its data has ended.
  std::string out = session_.data(it->second.error, message, true);
  if (!it->second.server_done) out += session_.data(it->second.data, "", true);
  conn_of_.erase(it->second.data);
  conns_.erase(it);
  return out;
}

std::string SpdyForward::finish(uint32_t conn) { return end(conn, ""); }
std::string SpdyForward::fail(uint32_t conn, std::string_view message) { return end(conn, message); }
std::string SpdyForward::failure_bytes() const { return session_.go_away(last_stream_); }

}  // namespace compat

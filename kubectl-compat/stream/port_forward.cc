#include "kubectl-compat/stream/port_forward.h"

#include "kubectl-compat/stream/negotiate_stream.h"
#include "kubectl-compat/stream/spdy_forward.h"
#include "kubectl-compat/stream/websocket.h"

namespace compat {
namespace {

constexpr std::string_view kTunnel = "SPDY/3.1+portforward.k8s.io";
constexpr std::string_view kChannels = "v4.channel.k8s.io";
constexpr std::string_view kForwardWebSocketSpoken[] = {kTunnel, kChannels};
constexpr std::string_view kForwardSpdySpoken[] = {"portforward.k8s.io"};
constexpr size_t kMaxPorts = 127;  // Two channels each, and 255 is taken.
constexpr size_t kMaxForwardChunk = 32 * 1024;

// What both WebSocket framings share: messages, pings, the closing handshake.
class WebSocketForward : public PortForward {
 public:
  base::Result<PortForwardFeed> feed(std::string_view bytes) final {
    PortForwardFeed out;
    if (closed_) return out;
    if (failure_.empty()) {
      auto status = decode(bytes, out);
      if (status.ok()) return out;
      failure_ = status.error().message;
    }
    return base::Error{base::Code::kBadRequest, failure_};
  }

  std::string failure_bytes() const final { return ws_close(failure_.ends_with("too big") ? 1009 : 1002, failure_); }

 protected:
  virtual base::Status payload(std::string_view data, PortForwardFeed& out) = 0;

  void close(PortForwardFeed& out) {
    closed_ = true;
    out.events.push_back({PortForwardEvent::Kind::kClosed});
  }
  bool closed() const { return closed_; }
  std::string say_close() {
    if (close_sent_) return {};
    close_sent_ = true;
    return ws_close(1000);
  }

 private:
  base::Status decode(std::string_view bytes, PortForwardFeed& out) {
    auto messages = TRY(decoder_.feed(bytes));
    for (const WsMessage& message : messages) {
      if (closed_) break;
      if (message.opcode == WsOpcode::kPing) {
        out.bytes += ws_frame(WsOpcode::kPong, message.payload);
      } else if (message.opcode == WsOpcode::kClose) {
        out.bytes += say_close();
        close(out);
      } else if (message.opcode != WsOpcode::kPong) {
        TRY_STATUS(payload(message.payload, out));
      }
    }
    return {};
  }

  WsDecoder decoder_;
  std::string failure_;
  bool closed_ = false;
  bool close_sent_ = false;
};

// A SPDY byte stream inside binary messages, cut without regard to its frames.
class TunnelForward final : public WebSocketForward {
 public:
  PortForwardFeed start() override { return {}; }
  std::string data(uint32_t conn, std::string_view data) override { return wrap(inner_.data(conn, data)); }
  std::string half_close(uint32_t conn) override { return wrap(inner_.half_close(conn)); }
  std::string finish(uint32_t conn) override { return wrap(inner_.finish(conn)); }
  std::string fail(uint32_t conn, std::string_view message) override { return wrap(inner_.fail(conn, message)); }

 private:
  static std::string wrap(std::string_view bytes) {
    std::string out;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kMaxForwardChunk))) out += ws_frame(WsOpcode::kBinary, bytes.substr(0, kMaxForwardChunk));
    return out;
  }

  base::Status payload(std::string_view data, PortForwardFeed& out) override {
    PortForwardFeed inner = TRY(inner_.feed(data));
    out.bytes += wrap(inner.bytes);
    for (PortForwardEvent& event : inner.events) {
      if (event.kind == PortForwardEvent::Kind::kClosed) {
        close(out);
      } else {
        out.events.push_back(std::move(event));
      }
    }
    return {};
  }

  SpdyForward inner_;
};

// The older form: channel 2i carries port i's data, 2i+1 its error text; each starts with the port, little-endian.
class ChannelForward final : public WebSocketForward {
 public:
  explicit ChannelForward(std::vector<uint16_t> ports) : ports_(std::move(ports)) {
    if (ports_.size() > kMaxPorts) ports_.resize(kMaxPorts);
    open_.assign(ports_.size(), true);
  }

  PortForwardFeed start() override {
    PortForwardFeed out;
    for (uint32_t conn = 0; conn < ports_.size(); ++conn) {
      std::string port{static_cast<char>(ports_[conn] & 0xff), static_cast<char>(ports_[conn] >> 8)};
      out.bytes += channel(2 * conn, port) + channel(2 * conn + 1, port);
      out.events.push_back({PortForwardEvent::Kind::kOpen, conn, ports_[conn]});
    }
    return out;
  }

  std::string data(uint32_t conn, std::string_view data) override {
    std::string out;
    if (!is_open(conn)) return out;
    for (; !data.empty(); data.remove_prefix(std::min(data.size(), kMaxForwardChunk))) out += channel(2 * conn, data.substr(0, kMaxForwardChunk));
    return out;
  }
  std::string half_close(uint32_t) override { return {}; }
  std::string finish(uint32_t conn) override {
    if (!is_open(conn)) return {};
    open_[conn] = false;
    return std::find(open_.begin(), open_.end(), true) == open_.end() ? say_close() : "";
  }
  std::string fail(uint32_t conn, std::string_view message) override {
    if (!is_open(conn)) return {};
    return channel(2 * conn + 1, message) + finish(conn);
  }

 private:
  static std::string channel(uint32_t number, std::string_view data) {
    return ws_frame(WsOpcode::kBinary, static_cast<char>(number) + std::string(data));
  }
  bool is_open(uint32_t conn) const { return conn < open_.size() && open_[conn] && !closed(); }

  base::Status payload(std::string_view data, PortForwardFeed& out) override {
    if (data.size() < 2) return {};
    auto number = static_cast<unsigned char>(data[0]);
    uint32_t conn = number / 2;
    if (number % 2 != 0 || !is_open(conn)) return {};  // Nothing is said on an error channel.
    out.events.push_back({PortForwardEvent::Kind::kData, conn, 0, std::string(data.substr(1))});
    return {};
  }

  std::vector<uint16_t> ports_;
  std::vector<bool> open_;
};

}  // namespace

base::Result<PortForwardChoice> choose_port_forward_websocket(const std::vector<std::string>& offered) {
  auto offers = split_offers(offered);
  auto name = first_spoken(offers, kForwardWebSocketSpoken);
  if (!name) return base::Error{base::Code::kBadRequest, cannot_negotiate(offers, kForwardWebSocketSpoken)};
  return PortForwardChoice{*name == kTunnel ? PortForwardProtocol::kSpdyTunnel : PortForwardProtocol::kWebSocket, *name};
}

base::Result<PortForwardChoice> choose_port_forward_spdy(const std::vector<std::string>& offered) {
  auto offers = split_offers(offered);
  if (offers.empty()) offers.emplace_back(kForwardSpdySpoken[0]);
  auto name = first_spoken(offers, kForwardSpdySpoken);
  if (!name) return base::Error{base::Code::kForbidden, cannot_negotiate(offers, kForwardSpdySpoken)};
  return PortForwardChoice{PortForwardProtocol::kSpdy, *name};
}

std::unique_ptr<PortForward> PortForward::make(PortForwardProtocol protocol, const std::vector<uint16_t>& ports) {
  if (protocol == PortForwardProtocol::kSpdy) return std::make_unique<SpdyForward>();
  if (protocol == PortForwardProtocol::kSpdyTunnel) return std::make_unique<TunnelForward>();
  return std::make_unique<ChannelForward>(ports);
}

}  // namespace compat

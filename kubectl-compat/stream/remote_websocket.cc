// exec and attach over WebSocket: binary messages whose first byte is the channel.
#include "kubectl-compat/stream/remote_framing.h"
#include "kubectl-compat/stream/websocket.h"

namespace compat {
namespace {

constexpr char kStdinChannel = 0, kStdoutChannel = 1, kStderrChannel = 2, kErrorChannel = 3, kResizeChannel = 4;
constexpr char kCloseChannel = static_cast<char>(255);  // v5: the next byte names the channel that ends.
constexpr size_t kMaxMessage = 32 * 1024;

std::string channel_frame(char channel, std::string_view data) { return ws_frame(WsOpcode::kBinary, channel + std::string(data)); }

class WebSocketRemoteCommand final : public RemoteCommand {
 public:
  WebSocketRemoteCommand(RemoteStreams streams, bool v5) : streams_(streams), v5_(v5) {}

  RemoteFeed start() override {
    started_ = true;
    RemoteFeed out;
    out.events.push_back({RemoteEvent::Kind::kReady});
    return out;
  }

  base::Result<RemoteFeed> feed(std::string_view bytes) override {
    RemoteFeed out;
    if (closed_) return out;
    if (failure_.empty()) {
      auto messages = decoder_.feed(bytes);
      if (messages.ok()) {
        for (const WsMessage& message : *messages) handle(message, out);
        return out;
      }
      failure_ = messages.error().message;
    }
    return base::Error{base::Code::kBadRequest, failure_};
  }

  std::string stdout_data(std::string_view data) override { return streams_.out ? output(kStdoutChannel, data) : ""; }
  std::string stderr_data(std::string_view data) override { return streams_.err ? output(kStderrChannel, data) : ""; }

  std::string finish(std::string_view status_json) override {
    if (finished_ || closed_) return {};
    finished_ = true;
    return channel_frame(kErrorChannel, status_json) + ws_close(1000);
  }

  std::string failure_bytes() const override { return ws_close(failure_.ends_with("too big") ? 1009 : 1002, failure_); }

 private:
  void handle(const WsMessage& message, RemoteFeed& out) {
    if (closed_) return;
    switch (message.opcode) {
      case WsOpcode::kPing: out.bytes += ws_frame(WsOpcode::kPong, message.payload); return;
      case WsOpcode::kPong: return;
      case WsOpcode::kClose:
        if (!finished_) out.bytes += ws_frame(WsOpcode::kClose, message.payload);
        closed_ = true;
        out.events.push_back({RemoteEvent::Kind::kClosed});
        return;
      default: channel(message.payload, out);
    }
  }

  void channel(std::string_view payload, RemoteFeed& out) {
    if (payload.size() < 2) return;  // An empty message on a channel is a courtesy.
    std::string_view data = payload.substr(1);
    if (payload[0] == kStdinChannel && streams_.in && !input_closed_) {
      out.events.push_back({RemoteEvent::Kind::kStdin, std::string(data)});
    } else if (payload[0] == kResizeChannel && streams_.tty) {
      resize_.feed(data, out.events);
    } else if (payload[0] == kCloseChannel && v5_ && data[0] == kStdinChannel && streams_.in && !input_closed_) {
      input_closed_ = true;
      out.events.push_back({RemoteEvent::Kind::kStdinClosed});
    }
  }

  std::string output(char channel, std::string_view data) const {
    std::string out;
    if (!started_ || finished_ || closed_) return out;
    for (; !data.empty(); data.remove_prefix(std::min(data.size(), kMaxMessage))) out += channel_frame(channel, data.substr(0, kMaxMessage));
    return out;
  }

  const RemoteStreams streams_;
  const bool v5_;
  WsDecoder decoder_;
  ResizeParser resize_;
  std::string failure_;
  bool started_ = false;
  bool input_closed_ = false;
  bool finished_ = false;
  bool closed_ = false;
};

}  // namespace

std::unique_ptr<RemoteCommand> make_websocket_remote_command(RemoteStreams streams, bool v5) {
  return std::make_unique<WebSocketRemoteCommand>(streams, v5);
}

}  // namespace compat

// exec and attach over SPDY: one stream a channel, named by the header `streamtype`.
#include <array>
#include <optional>

#include "kubectl-compat/stream/remote_framing.h"
#include "kubectl-compat/stream/spdy.h"

namespace compat {
namespace {

enum Role : size_t { kError, kStdin, kStdout, kStderr, kResize, kRoles };
constexpr std::array<std::string_view, kRoles> kRoleNames = {"error", "stdin", "stdout", "stderr", "resize"};
constexpr uint32_t kProtocolError = 1, kRefused = 3;  // RST_STREAM
constexpr size_t kMaxEarlyInput = 1 << 20;

class SpdyRemoteCommand final : public RemoteCommand {
 public:
  explicit SpdyRemoteCommand(RemoteStreams streams) : wanted_{true, streams.in, streams.out, streams.err, streams.tty} {}

  RemoteFeed start() override { return {}; }

  base::Result<RemoteFeed> feed(std::string_view bytes) override {
    if (!failure_.empty()) return base::Error{base::Code::kBadRequest, failure_};
    RemoteFeed out;
    if (closed_) return out;
    auto events = session_.feed(bytes);
    if (!events.ok()) return fail(events.error().message);
    for (const SpdyEvent& event : *events) {
      if (!closed_) handle(event, out);
    }
    if (early_bytes_ > kMaxEarlyInput) return fail("spdy: too much input before all streams are open");
    return out;
  }

  std::string stdout_data(std::string_view data) override { return output(kStdout, data); }
  std::string stderr_data(std::string_view data) override { return output(kStderr, data); }

  std::string finish(std::string_view status_json) override {
    if (!ready_ || finished_ || closed_) return {};
    finished_ = true;
    std::string out;
    for (Role role : {kStdout, kStderr}) {
      if (open(role)) out += session_.data(ids_[role], "", true);
    }
    if (open(kError)) out += session_.data(ids_[kError], status_json, true);
    return out;
  }

  std::string failure_bytes() const override { return session_.go_away(last_stream_); }

 private:
  base::Error fail(std::string message) {
    failure_ = std::move(message);
    return {base::Code::kBadRequest, failure_};
  }

  bool open(Role role) const { return ids_[role] != 0 && !gone_[role]; }

  std::optional<Role> role_of(uint32_t stream) const {
    for (size_t role = 0; role < kRoles; ++role) {
      if (ids_[role] == stream && stream != 0) return static_cast<Role>(role);
    }
    return std::nullopt;
  }

  void handle(const SpdyEvent& event, RemoteFeed& out) {
    switch (event.kind) {
      case SpdyEvent::Kind::kSynStream: open_stream(event, out); return;
      case SpdyEvent::Kind::kData: input(event, out); return;
      case SpdyEvent::Kind::kReset: reset(event, out); return;
      case SpdyEvent::Kind::kPing:
        if ((event.stream & 1) != 0) out.bytes += session_.ping(event.stream);  // Even ids would be our own.
        return;
      case SpdyEvent::Kind::kGoAway: close(out); return;
      default: return;  // No windows, no settings: as spdystream.
    }
  }

  void open_stream(const SpdyEvent& event, RemoteFeed& out) {
    auto type = event.headers.find("streamtype");
    size_t role = 0;
    while (role < kRoles && (type == event.headers.end() || kRoleNames[role] != type->second)) ++role;
    if (event.stream % 2 == 0 || event.stream <= last_stream_) {
      out.bytes += session_.reset(event.stream, kProtocolError);
      return;
    }
    last_stream_ = event.stream;
    if (role == kRoles || !wanted_[role] || ids_[role] != 0) {
      out.bytes += session_.reset(event.stream, kRefused);
      return;
    }
    ids_[role] = event.stream;
    out.bytes += session_.syn_reply(event.stream, false);
    if (event.fin) input(event, out);
    for (role = 0; role < kRoles; ++role) {
      if (wanted_[role] && ids_[role] == 0) return;
    }
    ready_ = true;
    out.events.push_back({RemoteEvent::Kind::kReady});
    for (RemoteEvent& early : early_) out.events.push_back(std::move(early));
    early_.clear();
  }

  void input(const SpdyEvent& event, RemoteFeed& out) {
    auto role = role_of(event.stream);
    if (!role || gone_[*role]) return;
    std::vector<RemoteEvent>& events = ready_ ? out.events : early_;
    if (!ready_) early_bytes_ += event.data.size() + sizeof event;
    if (*role == kResize) resize_.feed(event.data, events);
    if (*role != kStdin || input_closed_) return;
    if (!event.data.empty()) events.push_back({RemoteEvent::Kind::kStdin, event.data});
    if (event.fin) end_input(events);
  }

  void end_input(std::vector<RemoteEvent>& events) {
    input_closed_ = true;
    events.push_back({RemoteEvent::Kind::kStdinClosed});
  }

  void reset(const SpdyEvent& event, RemoteFeed& out) {
    auto role = role_of(event.stream);
    if (!role || gone_[*role]) return;
    gone_[*role] = true;
    if (*role == kStdin && !input_closed_) end_input(ready_ ? out.events : early_);
    for (size_t other = 0; other < kRoles; ++other) {
      if (open(static_cast<Role>(other))) return;
    }
    if (ready_) close(out);
  }

  void close(RemoteFeed& out) {
    closed_ = true;
    out.events.push_back({RemoteEvent::Kind::kClosed});
  }

  std::string output(Role role, std::string_view data) const {
    if (!ready_ || finished_ || closed_ || data.empty() || !open(role)) return {};
    return session_.data(ids_[role], data, false);
  }

  SpdySession session_;
  const std::array<bool, kRoles> wanted_;
  std::array<uint32_t, kRoles> ids_{};
  std::array<bool, kRoles> gone_{};  // Reset by the client.
  ResizeParser resize_;
  std::vector<RemoteEvent> early_;
  size_t early_bytes_ = 0;
  uint32_t last_stream_ = 0;
  std::string failure_;
  bool ready_ = false;
  bool input_closed_ = false;
  bool finished_ = false;
  bool closed_ = false;
};

}  // namespace

std::unique_ptr<RemoteCommand> make_spdy_remote_command(RemoteStreams streams) { return std::make_unique<SpdyRemoteCommand>(streams); }

}  // namespace compat

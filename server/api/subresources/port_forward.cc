// pods/portforward: TCP connections into a pod over WebSocket or SPDY.
#include "kubectl-compat/stream/port_forward.h"

#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <condition_variable>
#include <map>
#include <thread>

#include "server/api/status.h"
#include "server/api/subresources/handlers.h"
#include "server/api/subresources/stream_common.h"

namespace server {
namespace {

constexpr size_t kMaxConnections = 256;

class ForwardSession {
 public:
  ForwardSession(Connection& connection, std::unique_ptr<compat::PortForward> protocol, PodRuntime* runtime, std::string ns, std::string pod)
      : connection_(connection), protocol_(std::move(protocol)), runtime_(runtime), ns_(std::move(ns)), pod_(std::move(pod)) {}
  // However run() ended: a thread that still runs may not be dropped.
  ~ForwardSession() {
    connection_.close();
    for (auto& [id, link] : links_) link->close();
    for (auto& [id, link] : links_) link->thread.join();
  }

  void run() {
    compat::PortForwardFeed first;
    {
      std::lock_guard lock(mutex_);
      first = protocol_->start();
      base::ignore(connection_.write(first.bytes), "a client that left is noticed by the first read");
    }
    if (handle(first.events)) read_client();
  }

 private:
  // One TCP connection into the pod.
  struct Link {
    std::mutex mutex;
    std::condition_variable changed;
    base::Fd socket;
    bool dialed = false;  // socket is valid, or never will be.
    bool closed = false;
    bool client_done = false;
    bool ended = false;   // The thread is about to return.
    std::thread thread;

    void close() {
      std::lock_guard lock(mutex);
      closed = true;
      if (socket) ::shutdown(socket.get(), SHUT_RDWR);
    }
    // Blocks until the dial is over; -1 when there is no socket.
    int wait_socket() {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return dialed; });
      return socket.get();
    }
  };

  void read_client() {
    std::string buffer(32 * 1024, '\0');
    for (;;) {
      auto n = connection_.read(buffer.data(), buffer.size());
      if (!n.ok() || *n == 0) return;
      std::vector<compat::PortForwardEvent> events;
      {
        std::lock_guard lock(mutex_);
        auto feed = protocol_->feed(std::string_view(buffer.data(), *n));
        if (!feed.ok()) {
          base::ignore(connection_.write(protocol_->failure_bytes()), "the connection is given up");
          return;
        }
        if (!feed->bytes.empty() && !connection_.write(feed->bytes).ok()) return;
        events = std::move(feed->events);
      }
      if (!handle(events)) return;
    }
  }

  bool handle(const std::vector<compat::PortForwardEvent>& events) {
    for (const compat::PortForwardEvent& event : events) {
      using Kind = compat::PortForwardEvent::Kind;
      if (event.kind == Kind::kClosed) return false;
      if (event.kind == Kind::kOpen) {
        open(event.conn, event.port);
        continue;
      }
      auto it = links_.find(event.conn);
      if (it == links_.end()) continue;
      Link& link = *it->second;
      if (event.kind == Kind::kData) {
        int fd = link.wait_socket();
        if (fd >= 0 && !send_all(fd, event.data)) link.close();
      } else if (event.kind == Kind::kHalfClose) {
        int fd = link.wait_socket();
        std::lock_guard lock(link.mutex);
        link.client_done = true;
        if (fd >= 0) ::shutdown(fd, SHUT_WR);
      } else {
        link.close();
      }
    }
    reap();
    return true;
  }

  static bool send_all(int fd, std::string_view data) {
    while (!data.empty()) {
      ssize_t n = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      data.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  void open(uint32_t id, uint16_t port) {
    reap();
    if (links_.size() >= kMaxConnections) {
      send([&] { return protocol_->fail(id, "too many connections"); });
      return;
    }
    auto link = std::make_unique<Link>();
    Link* raw = link.get();
    links_[id] = std::move(link);
    raw->thread = std::thread([this, raw, id, port] { link_loop(*raw, id, port); });
  }

  void link_loop(Link& link, uint32_t id, uint16_t port) {
    auto dialed = runtime_->dial(ns_, pod_, port);
    {
      std::lock_guard lock(link.mutex);
      if (dialed.ok()) link.socket = std::move(*dialed);
      link.dialed = true;
      if (link.closed && link.socket) ::shutdown(link.socket.get(), SHUT_RDWR);
    }
    link.changed.notify_all();
    if (!dialed.ok()) {
      send([&] { return protocol_->fail(id, dialed.error().message); });
    } else {
      pump(link, id);
    }
    std::lock_guard lock(link.mutex);
    link.ended = true;
  }

  void pump(Link& link, uint32_t id) {
    std::string buffer(32 * 1024, '\0');
    for (;;) {
      ssize_t n = ::recv(link.socket.get(), buffer.data(), buffer.size(), 0);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      if (!send([&] { return protocol_->data(id, std::string_view(buffer.data(), static_cast<size_t>(n))); })) return;
    }
    // The pod has said all; kubectl closes its side when it reads the end, but not every framing can say it.
    send([&] {
      std::string bytes = protocol_->half_close(id);
      return bytes + protocol_->finish(id);
    });
  }

  // Makes bytes and writes them, in that order on the wire.
  template <class Make>
  bool send(Make make) {
    std::lock_guard lock(mutex_);
    std::string bytes = make();
    return bytes.empty() || connection_.write(bytes).ok();
  }

  void reap() {
    for (auto it = links_.begin(); it != links_.end();) {
      bool ended;
      {
        std::lock_guard lock(it->second->mutex);
        ended = it->second->ended;
      }
      if (!ended) {
        ++it;
        continue;
      }
      it->second->thread.join();
      it = links_.erase(it);
    }
  }

  Connection& connection_;
  std::unique_ptr<compat::PortForward> protocol_;
  PodRuntime* runtime_;
  std::string ns_, pod_;
  std::mutex mutex_;  // Guards protocol_ together with writes to the connection.
  std::map<uint32_t, std::unique_ptr<Link>> links_;  // The connection's thread only.
};

base::Result<std::vector<uint16_t>> parse_ports(const HttpRequest& request) {
  std::vector<uint16_t> out;
  for (const auto& [name, value] : request.query) {
    if (name != "ports") continue;
    // "80" or, from some clients, "80,443".
    for (size_t at = 0; at < value.size();) {
      size_t comma = std::min(value.find(',', at), value.size());
      uint16_t port = 0;
      auto [end, error] = std::from_chars(value.data() + at, value.data() + comma, port);
      if (error != std::errc() || end != value.data() + comma || port == 0) return bad_request("unable to parse \"" + value + "\" as a port");
      out.push_back(port);
      at = comma + 1;
    }
  }
  return out;
}

}  // namespace

HttpResponse serve_port_forward(const Call& call) {
  if (call.info.verb != Verb::kGet && call.info.verb != Verb::kCreate) {
    return error_response(base::Error(base::Code::kMethodNotAllowed, "the server does not allow this method on the requested resource"));
  }
  auto runtime = find_runtime(call);
  if (!runtime.ok()) return error_response(runtime.error());
  auto ports = parse_ports(call.request);
  if (!ports.ok()) return error_response(ports.error());
  const UpgradeKind kind = upgrade_kind(call.request);
  if (kind == UpgradeKind::kNone) return error_response(bad_request("Upgrade request required"));
  auto choice = kind == UpgradeKind::kWebSocket ? compat::choose_port_forward_websocket(header_values(call.request, "sec-websocket-protocol"))
                                                : compat::choose_port_forward_spdy(header_values(call.request, "x-stream-protocol-version"));
  if (!choice.ok()) return error_response(choice.error());
  if (choice->protocol == compat::PortForwardProtocol::kWebSocket && (ports->empty() || ports->size() > 127)) {
    return error_response(bad_request("query parameter \"ports\" is required"));
  }
  HttpResponse response;
  response.headers = kind == UpgradeKind::kWebSocket ? websocket_headers(call.request, choice->name) : spdy_headers(choice->name);
  response.upgrade = [runtime = *runtime, ports = *ports, protocol = choice->protocol, ns = call.info.ns, pod = call.info.name](Connection& connection) {
    ForwardSession(connection, compat::PortForward::make(protocol, ports), runtime, ns, pod).run();
  };
  return response;
}

}  // namespace server

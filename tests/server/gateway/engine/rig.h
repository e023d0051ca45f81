// tests/server/gateway/engine/rig.h - an engine on 127.0.0.1 with endpoints that a test scripts, and clients that speak bytes.
// Endpoints and clients block, each on a thread of its own or the test's: plain code. Every read has a deadline.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/gateway/engine/engine.h"
#include "server/gateway/table/table.h"
#include "store/base/fd.h"

namespace gateway_test {

using namespace server::gateway;
constexpr int kDeadlineMs = 10'000;

// A blocking connection.
class Wire {
 public:
  explicit Wire(base::Fd fd) : fd_(std::move(fd)) {}
  static Wire connect(uint16_t port) {
    base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) fd.reset();
    return Wire(std::move(fd));
  }
  bool connected() const { return fd_.valid(); }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // False: end, reset or deadline.
  bool fill() {
    pollfd p{fd_.get(), POLLIN, 0};
    if (::poll(&p, 1, kDeadlineMs) <= 0) return false;
    char buffer[65536];
    ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n < 0) reset_ = true;  // For good: the next recv of a socket that was reset says "end".
    if (n <= 0) return false;
    in_.append(buffer, static_cast<size_t>(n));
    return true;
  }
  std::string read_until(std::string_view mark) {
    size_t at;
    while ((at = in_.find(mark)) == std::string::npos) {
      if (!fill()) return "";
    }
    return take(at + mark.size());
  }
  std::string read_exactly(size_t n) {
    while (in_.size() < n && fill()) {
    }
    return take(std::min(n, in_.size()));
  }
  std::string read_to_end() {
    while (fill()) {
    }
    return take(in_.size());
  }
  // A whole message by its framing: head and body (chunks undone). Empty: none came.
  struct Message {
    std::string head, body;
    int status() const { return head.size() > 12 ? std::atoi(head.c_str() + 9) : 0; }
    std::string line() const { return head.substr(0, head.find("\r\n")); }
    std::string header(const std::string& name) const {
      size_t at = head.find("\r\n" + name + ": ");
      if (at == std::string::npos) return "-";
      at += name.size() + 4;
      return head.substr(at, head.find("\r\n", at) - at);
    }
  };
  Message read_message(bool head_only = false) {
    Message m;
    m.head = read_until("\r\n\r\n");
    if (m.head.empty() || head_only) return m;
    if (m.header("Transfer-Encoding") == "chunked") {
      for (;;) {
        std::string size = read_until("\r\n");
        size_t n = std::strtoul(size.c_str(), nullptr, 16);
        if (n == 0) break;
        m.body += read_exactly(n);
        read_exactly(2);
      }
      for (std::string line; (line = read_until("\r\n")) != "\r\n" && !line.empty();) m.head.insert(m.head.size() - 2, "Trailer " + line);
    } else if (m.header("Content-Length") != "-") {
      m.body = read_exactly(std::strtoul(m.header("Content-Length").c_str(), nullptr, 10));
    }
    return m;
  }
  Message ask(std::string_view bytes, bool head_only = false) {
    send(bytes);
    return read_message(head_only);
  }
  void end_sending() { ::shutdown(fd_.get(), SHUT_WR); }
  void reset() {
    linger now{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd_.reset();
  }
  void close() { fd_.reset(); }
  bool was_reset() const { return reset_; }
  int fd() const { return fd_.get(); }

 private:
  std::string take(size_t n) {
    std::string out = in_.substr(0, n);
    in_.erase(0, n);
    return out;
  }
  base::Fd fd_;
  std::string in_;
  bool reset_ = false;
};

// An endpoint: each connection is served by `serve` on a thread of its own.
class FakeEndpoint {
 public:
  using Serve = std::function<void(Wire&)>;
  explicit FakeEndpoint(Serve serve) : serve_(std::move(serve)) {
    listener_ = base::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to);
    ::listen(listener_.get(), 128);
    socklen_t size = sizeof to;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&to), &size);
    port_ = ntohs(to.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~FakeEndpoint() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    {
      std::lock_guard lock(mutex_);
      for (int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& t : connections_) t.join();
  }
  uint16_t port() const { return port_; }
  int accepted() const { return accepted_; }

 private:
  void run() {
    for (;;) {
      base::Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) return;
      ++accepted_;
      int raw = fd.get();
      {
        std::lock_guard lock(mutex_);
        open_.push_back(raw);
      }
      connections_.emplace_back([this, raw, fd = std::move(fd)]() mutable {
        Wire wire(std::move(fd));
        serve_(wire);
        std::lock_guard lock(mutex_);
        open_.erase(std::find(open_.begin(), open_.end(), raw));
      });
    }
  }
  Serve serve_;
  base::Fd listener_;
  uint16_t port_ = 0;
  std::atomic<int> accepted_{0};
  std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::thread> connections_;
  std::thread thread_;
};

inline std::string ok(const std::string& body, const std::string& more = "") {
  return "HTTP/1.1 200 OK\r\n" + more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Answers each request with its own head (and body behind it): what the endpoint saw.
inline void echo(Wire& wire) {
  for (;;) {
    Wire::Message m = wire.read_message();
    if (m.head.empty()) return;
    wire.send(ok(m.head + m.body, "Content-Type: text/plain\r\n"));
  }
}

inline UpstreamPtr upstream(const std::string& name, std::vector<uint16_t> ports) {
  auto out = std::make_shared<Upstream>();
  out->name = name;
  for (uint16_t port : ports) out->endpoints.push_back({base::Ip::v4(127, 0, 0, 1), port, name + "-" + std::to_string(port)});
  return out;
}

inline Forward forward_to(UpstreamPtr to) {
  Forward out;
  Backend backend;
  backend.upstream = std::move(to);
  out.backends.push_back(std::move(backend));
  return out;
}

inline Route route(PathKind kind, const std::string& path, Action action, Policy policy = {}) {
  Route out;
  out.match.path = {kind, path, nullptr};
  out.policy = std::make_shared<Policy>(std::move(policy));
  out.action = std::move(action);
  out.location_path = path;
  return out;
}

inline VirtualHost host(const std::string& name, std::vector<Route> routes) {
  VirtualHost out;
  out.name = name;
  out.routes = std::move(routes);
  return out;
}

inline TablePtr table(std::vector<VirtualHost> hosts, const std::function<void(Listener&)>& adjust = {}) {
  auto listener = std::make_shared<Listener>();
  listener->name = "http";
  listener->hosts = std::move(hosts);
  if (adjust) adjust(*listener);
  auto out = std::make_shared<Table>();
  out->listeners.push_back(listener);
  return out;
}

// The engine, with that table in force.
class Rig {
 public:
  explicit Rig(TablePtr first, EngineOptions options = {}) {
    options.addresses = {base::Ip::v4(127, 0, 0, 1)};
    options.ephemeral_ports = true;
    auto started = Engine::start(std::move(options));
    EXPECT_TRUE(started.ok());
    engine = std::move(*started);
    publish(std::move(first));
  }
  std::vector<std::string> publish(TablePtr next) {
    auto done = std::make_shared<std::promise<std::vector<std::string>>>();
    engine->publish(std::move(next), [done](std::vector<std::string> problems) { done->set_value(std::move(problems)); });
    return done->get_future().get();
  }
  uint16_t port(const std::string& listener = "http") const { return engine->ports().at(listener); }
  Wire connect(const std::string& listener = "http") const { return Wire::connect(port(listener)); }
  // One request on a connection of its own.
  Wire::Message ask(const std::string& bytes, bool head_only = false) const { return connect().ask(bytes, head_only); }
  std::unique_ptr<Engine> engine;
};

inline std::string get(const std::string& path, const std::string& more = "", const std::string& authority = "a.example") {
  return "GET " + path + " HTTP/1.1\r\nHost: " + authority + "\r\n" + more + "\r\n";
}

}  // namespace gateway_test

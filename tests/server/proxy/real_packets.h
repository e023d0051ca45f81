// tests/server/proxy/real_packets.h - pods that answer, sockets that ask, and a proxy that is waited for: in namespaces, under a
// loop that the test turns.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <future>
#include <map>
#include <string>
#include <thread>

#include "netns/fabric.h"
#include "server/proxy/proxy.h"
#include "tests/netns/support.h"
#include "tests/server/proxy/fake_loop.h"

namespace proxy_test {

struct Destination {
  base::Ip ip;
  uint16_t port = 0;
};

inline sockaddr_in to_sockaddr(const base::Ip& ip, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  std::memcpy(&address.sin_addr, ip.bytes(), 4);
  return address;
}
inline std::string peer_text(const sockaddr_in& peer) { return base::Ip::v4(ntohl(peer.sin_addr.s_addr)).text(); }

// Answers each connection, each further message on it and each datagram with "<pod>[:<port>] <peer>"; 8080 is not named.
class AnsweringPod {
 public:
  AnsweringPod(netns::Node& node, const std::string& name, const base::Ip& ip) : ip_(ip) {
    auto made = std::make_shared<std::promise<base::Result<netns::Sandbox>>>();
    node.attach({name, name, ip}, [made](base::Result<netns::Sandbox> sandbox) { made->set_value(std::move(sandbox)); });
    sandbox_ = std::move(made->get_future().get()).value();
    worker_ = netns::Worker::start(name, sandbox_.net).value();
    for (uint16_t port : {8080, 8081}) {
      const std::string as = port == 8080 ? name : name + ":" + std::to_string(port);
      add({worker_->call([port] { return netns::make_tcp_listener(base::Ip(), port, 512); }).value(), Kind::kListener, as, {}});
      add({worker_->call([port] { return netns::make_udp_socket(base::Ip(), port); }).value(), Kind::kUdp, as, {}});
    }
    thread_ = std::thread([this] { serve(); });
  }
  ~AnsweringPod() {
    stop_ = true;
    thread_.join();
  }
  netns::Worker& worker() { return *worker_; }
  const base::Ip& ip() const { return ip_; }

 private:
  enum class Kind { kListener, kUdp, kConnection };
  struct Socket {
    base::Fd fd;
    Kind kind;
    std::string as;
    std::string peer;
  };
  void add(Socket socket) {
    const int fd = socket.fd.get();
    sockets_.emplace(fd, std::move(socket));
  }
  void serve() {
    while (!stop_) {
      std::vector<pollfd> fds;
      for (const auto& [fd, socket] : sockets_) fds.push_back({fd, POLLIN, 0});
      if (::poll(fds.data(), fds.size(), 20) <= 0) continue;
      for (const pollfd& ready : fds) {
        if (ready.revents != 0) answer(sockets_.at(ready.fd));
      }
    }
  }
  void answer(Socket& socket) {
    char buffer[4096];
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    auto* from = reinterpret_cast<sockaddr*>(&peer);
    if (socket.kind == Kind::kListener) {
      base::Fd accepted(::accept4(socket.fd.get(), from, &size, SOCK_CLOEXEC));
      if (!accepted.valid()) return;
      say(accepted.get(), socket.as + " " + peer_text(peer), nullptr);
      add({std::move(accepted), Kind::kConnection, socket.as, peer_text(peer)});
      return;
    }
    const ssize_t got = ::recvfrom(socket.fd.get(), buffer, sizeof buffer, 0, from, &size);
    if (socket.kind == Kind::kUdp && got >= 0) say(socket.fd.get(), socket.as + " " + peer_text(peer), &peer);
    if (socket.kind != Kind::kConnection) return;
    if (got > 0) {
      say(socket.fd.get(), socket.as + " " + socket.peer, nullptr);
    } else {
      sockets_.erase(socket.fd.get());
    }
  }
  static void say(int fd, const std::string& text, const sockaddr_in* to) {
    base::ignore(::sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(to), to ? sizeof *to : 0), "the asker notices");
  }

  const base::Ip ip_;
  netns::Sandbox sandbox_;
  std::unique_ptr<netns::Worker> worker_;
  std::map<int, Socket> sockets_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// A socket that stays open; say() is one message and its answer.
class Asker {
 public:
  Asker(netns::Worker& from, int type, const Destination& to, int patience_ms, size_t bytes = 1) : type_(type), bytes_(bytes) {
    greeting_ = from.call([&]() -> std::string {
      fd_ = base::Fd(::socket(AF_INET, type | SOCK_CLOEXEC, type == SOCK_SEQPACKET ? IPPROTO_SCTP : 0));
      timeval limit{patience_ms / 1000, patience_ms % 1000 * 1000};
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      sockaddr_in address = to_sockaddr(to.ip, to.port);
      if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return failure();
      return type_ == SOCK_STREAM ? receive() : say();
    });
  }
  const std::string& greeting() const { return greeting_; }
  std::string say() {
    const std::string message(bytes_, '?');
    if (::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) return failure();
    return receive();
  }

 private:
  std::string receive() {
    char buffer[128];
    const ssize_t size = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (size == 0) return "closed";
    return size < 0 ? failure() : std::string(buffer, static_cast<size_t>(size));
  }
  std::string failure() const {
    if (errno == ECONNREFUSED) return "refused";
    if (errno == EAGAIN || errno == EINPROGRESS) return "silence";
    return std::strerror(errno);
  }

  const int type_;
  const size_t bytes_;
  base::Fd fd_;
  std::string greeting_;
};

// Until every change is in every node's kernel.
inline void sync(FakeLoop& loop, server::Proxy& proxy) {
  bool done = false;
  proxy.when_synced([&] { done = true; });
  while (!done && loop.run_one(std::chrono::seconds(20))) {
  }
  ASSERT_TRUE(done);
}

// Every set, map and chain of the kernels is as the plans say, element by element.
inline void expect_kernel_as_planned(FakeLoop& loop, server::Proxy& proxy) {
  bool done = false;
  proxy.verify([&](const std::vector<std::string>& differences) {
    done = true;
    for (const std::string& line : differences) ADD_FAILURE() << line;
  });
  while (!done && loop.run_one(std::chrono::seconds(20))) {
  }
  ASSERT_TRUE(done);
}

}  // namespace proxy_test

// What the keeper opens for the daemon, and what it does not.
#include "server/app/host_sockets.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "store/base/socket_address.h"

namespace server {
namespace {

using publish::HostPort;
using publish::parse_host_port;

struct Keeper {
  Keeper() {
    base::SocketPair pair = base::make_socket_pair(SOCK_SEQPACKET).value();
    raw = ::dup(pair.first.get());
    daemon = make_host_ports(std::move(pair.first));
    thread = std::thread([this, channel = std::make_shared<base::Fd>(std::move(pair.second))] {
      HostSocketServer keeper(std::move(*channel));
      while (keeper.fd() >= 0) {
        pollfd fd{keeper.fd(), POLLIN, 0};
        if (::poll(&fd, 1, -1) > 0) keeper.serve();
      }
    });
  }
  ~Keeper() {
    ::close(raw);
    daemon.reset();  // The keeper's loop ends with the last descriptor.
    thread.join();
  }
  std::string ask(const std::string& request) {
    EXPECT_TRUE(base::send_with_fds(raw, request, {}).ok());
    base::Result<base::Received> answer = base::receive_with_fds(raw);
    return answer.ok() ? answer->data + " +" + std::to_string(answer->fds.size()) : answer.error().message;
  }
  std::unique_ptr<HostPorts> daemon;
  int raw = -1;
  std::thread thread;
};

HostPort at(const char* text) { return parse_host_port(text).value(); }

TEST(HostSockets, Opens) {
  Keeper keeper;
  for (const char* text : {"127.0.0.1:0", "127.0.0.1:0/udp", "127.0.0.9:0"}) {
    base::Result<HostPorts::Opened> opened = keeper.daemon->open(at(text));
    ASSERT_TRUE(opened.ok()) << text << ": " << opened.error().message;
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ASSERT_EQ(::getsockname(opened->fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_EQ(ntohs(address.sin_port), opened->port);
    EXPECT_GT(opened->port, 0);
    // The very port again, while it is open: taken. Afterwards: free.
    HostPort same = at(text);
    same.port = opened->port;
    const bool tcp = same.protocol == model::Protocol::kTcp;
    if (tcp) ASSERT_EQ(::listen(opened->fd.get(), 1), 0);
    base::Result<HostPorts::Opened> twice = keeper.daemon->open(same);
    ASSERT_FALSE(twice.ok());
    EXPECT_EQ(twice.error().code, base::Code::kConflict);
    EXPECT_EQ(twice.error().message, same.text() + " is in use on this machine: choose another port, or 0 for any that is free");
    opened->fd.reset();
    keeper.daemon->closed(same);
    EXPECT_TRUE(keeper.daemon->open(same).ok());
  }
}

// The socket is bound and not listening, and it can go back and forth without losing its port.
TEST(HostSockets, TcpPortIsKeptWhileItDoesNotListen) {
  Keeper keeper;
  base::Result<HostPorts::Opened> opened = keeper.daemon->open(at("127.0.0.1:0"));
  ASSERT_TRUE(opened.ok());
  const auto address = base::socket_address(base::Ip::v4(127, 0, 0, 1), opened->port);
  for (int round = 0; round < 3; ++round) {
    base::Fd refused(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_NE(::connect(refused.get(), address.get(), address.size), 0);
    EXPECT_EQ(errno, ECONNREFUSED);
    ASSERT_EQ(::listen(opened->fd.get(), 4), 0);
    base::Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), address.get(), address.size), 0);
    ::shutdown(opened->fd.get(), SHUT_RDWR);
  }
}

TEST(HostSockets, Refuses) {
  Keeper keeper;
  const struct {
    const char* in;
    const char* want;
  } rows[] = {
      {"open tcp 0.0.0.0 8080", "error Forbidden only loopback addresses are opened on the host +0"},
      {"open tcp 10.0.0.1 8080", "error Forbidden only loopback addresses are opened on the host +0"},
      {"open tcp :: 8080", "error Forbidden only loopback addresses are opened on the host +0"},
      {"open tcp ::ffff:127.0.0.1 8080", "error Forbidden only loopback addresses are opened on the host +0"},
      {"steal tcp 127.0.0.1 8080", "error Forbidden only loopback addresses are opened on the host +0"},
      {"open sctp 127.0.0.1 8080", "error BadRequest malformed request for a host socket +0"},
      {"open tcp 127.0.0.1 70000", "error BadRequest malformed request for a host socket +0"},
      {"open tcp 127.0.0.1 80 80", "error BadRequest malformed request for a host socket +0"},
      {"open tcp localhost 80", "error BadRequest malformed request for a host socket +0"},
      {"open", "error BadRequest malformed request for a host socket +0"},
  };
  for (const auto& row : rows) EXPECT_EQ(keeper.ask(row.in), row.want) << row.in;
  EXPECT_EQ(keeper.ask(std::string(5000, 'x')).find("error BadRequest"), 0u);
  EXPECT_TRUE(keeper.daemon->open(at("0")).ok());  // Still there.
}

TEST(HostSockets, ANumberOfThem) {
  Keeper keeper;
  std::vector<HostPorts::Opened> opened;
  base::Result<HostPorts::Opened> last = keeper.daemon->open(at("0/udp"));
  while (last.ok() && opened.size() < 600) {
    opened.push_back(std::move(last).value());
    last = keeper.daemon->open(at("0/udp"));
  }
  ASSERT_FALSE(last.ok());
  EXPECT_EQ(last.error().code, base::Code::kTooManyRequests);
  EXPECT_EQ(opened.size(), 512u);
  HostPort first = at("0/udp");
  first.port = opened[0].port;
  keeper.daemon->closed(first);
  EXPECT_TRUE(keeper.daemon->open(at("0/udp")).ok());
}

}  // namespace
}  // namespace server

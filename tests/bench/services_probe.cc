// The side inside the cluster: sends packets and sees where they arrive, counts what nftables does.
#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>

#include "netns/fabric.h"
#include "netns/link/messages.h"
#include "netns/link/rtnl.h"
#include "netns/nft/batch.h"
#include "tests/bench/services_bench.h"

namespace bench {
namespace {

using base::Fd;
using base::Ip;

sockaddr_in to_sockaddr(const std::string& ip, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  ::inet_pton(AF_INET, ip.c_str(), &address.sin_addr);
  return address;
}

// Closing resets: nothing stays in TIME_WAIT, and no port is used up.
void reset_on_close(int fd) {
  const linger now{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

bool wait_for(int fd, short events, int milliseconds) {
  pollfd one{fd, events, 0};
  return ::poll(&one, 1, milliseconds) == 1;
}

// One connection: '0' or '1', 'r' refused, 't' no answer in time, 'e' anything else.
char try_once(const sockaddr_in& to, int timeout_ms) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  reset_on_close(fd.get());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS) return errno == ECONNREFUSED ? 'r' : 'e';
  if (!wait_for(fd.get(), POLLOUT, timeout_ms)) return 't';
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return error == ECONNREFUSED ? 'r' : 'e';
  if (!wait_for(fd.get(), POLLIN, 1000)) return 't';
  char text = 'e';
  return ::recv(fd.get(), &text, 1, 0) == 1 ? text : 'e';
}

// watch IP PORT WANT TIMEOUT_MS: connects until the answer is WANT ('*': any). "start", then
// "seen NANOSECONDS ATTEMPTS FAILURES", the moment at which the connection that got it began. An address that drops packets
// gets a millisecond each. Failures: whatever was neither the old nor the new state.
void watch(std::istringstream& in) {
  std::string ip, want;
  int port = 0, timeout_ms = 0;
  in >> ip >> port >> want >> timeout_ms;
  const sockaddr_in to = to_sockaddr(ip, port);
  const int64_t deadline = now_ns() + int64_t{timeout_ms} * 1000000;
  long attempts = 0, failures = 0;
  for (;;) {
    const int64_t begin = now_ns();
    const char got = try_once(to, want == "*" ? 1 : 1000);
    ++attempts;
    const bool answered = got == '0' || got == '1';
    if (answered && (want == "*" || want[0] == got)) {
      std::cout << "seen " << begin << " " << attempts << " " << failures << std::endl;
      return;
    }
    if (!answered && want != "*") ++failures;
    if (attempts == 1) std::cout << "start" << std::endl;
    if (now_ns() > deadline) break;
  }
  std::cout << "timeout 0 " << attempts << " " << failures << std::endl;
}

// steady IP PORT SECONDS: a connection a millisecond; "steady OK FAILED".
void steady(std::istringstream& in) {
  std::string ip;
  int port = 0;
  double seconds = 0;
  in >> ip >> port >> seconds;
  const sockaddr_in to = to_sockaddr(ip, port);
  const int64_t deadline = now_ns() + static_cast<int64_t>(seconds * 1e9);
  std::map<char, long> got;
  std::cout << "start" << std::endl;
  while (now_ns() < deadline) {
    ++got[try_once(to, 2000)];
    ::usleep(1000);
  }
  std::cout << "steady " << got['0'] + got['1'] << " " << got['r'] + got['t'] + got['e'] << " refused " << got['r'] << " silent " << got['t'] << " else "
            << got['e'] << std::endl;
}

bool add_endpoint_addresses() {
  auto rtnl = netns::Rtnl::open();
  netns::Batch batch;
  for (const char* ip : kEndpoints) netns::add_address(batch, 2, *Ip::parse(ip), 32, 0);
  return rtnl.ok() && rtnl->apply(batch).ok();
}

}  // namespace

int run_probe(const Arguments&) {
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::string command;
    in >> command;
    if (command == "watch") watch(in);
    if (command == "steady") steady(in);
  }
  return 0;
}

// Answers each connection with the number of the port it came to: '0' or '1'.
int run_answer(const Arguments&) {
  std::vector<pollfd> polled = {{STDIN_FILENO, POLLIN, 0}};
  std::vector<Fd> listeners;
  for (uint16_t port : kPorts) {
    auto made = netns::make_tcp_listener(Ip(), port, 1024);
    if (!made.ok() || !base::set_nonblocking(made->get()).ok()) return 1;
    polled.push_back({made->get(), POLLIN, 0});
    listeners.push_back(std::move(made).value());
  }
  if (!add_endpoint_addresses()) return 1;
  std::cout << "ready" << std::endl;
  while (::poll(polled.data(), polled.size(), -1) >= 0 && polled[0].revents == 0) {
    for (size_t i = 0; i < listeners.size(); ++i) {
      for (;;) {
        Fd accepted(::accept4(listeners[i].get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!accepted) break;
        const char text = static_cast<char>('0' + i);
        (void)::send(accepted.get(), &text, 1, MSG_NOSIGNAL);
      }
    }
  }
  return 0;
}

int run_serve(const Arguments& arguments) {
  auto listener = netns::make_tcp_listener(Ip(), static_cast<uint16_t>(std::stoi(arguments.at(0))), 4096);
  if (!listener.ok()) return 1;
  std::atomic<bool> stop{false};
  std::thread acceptor([&] {
    std::vector<char> data(256 * 1024, 'x');
    while (!stop) {
      if (!wait_for(listener->get(), POLLIN, 100)) continue;
      Fd accepted(::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!accepted) continue;
      char ask = 0;
      if (::recv(accepted.get(), &ask, 1, MSG_DONTWAIT) != 1 && (errno != EAGAIN || !wait_for(accepted.get(), POLLIN, 5) || ::recv(accepted.get(), &ask, 1, MSG_DONTWAIT) != 1)) continue;
      const timeval limit{2, 0};
      ::setsockopt(accepted.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
      while (!stop && ::send(accepted.get(), data.data(), data.size(), MSG_NOSIGNAL) > 0) {
      }
    }
  });
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  stop = true;
  acceptor.join();
  return 0;
}

namespace {

// Connections a second; each is reset as soon as it stands.
double connect_rate(const sockaddr_in& to, int count) {
  const int64_t begin = now_ns();
  int done = 0;
  for (int i = 0; i < count; ++i) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    reset_on_close(fd.get());
    const timeval limit{1, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) ++done;
  }
  return done == count ? count / (static_cast<double>(now_ns() - begin) / 1e9) : 0;
}

// Bytes a second that one connection brings.
double throughput(const sockaddr_in& to, double seconds) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{2, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 || ::send(fd.get(), "t", 1, MSG_NOSIGNAL) != 1) return 0;
  std::vector<char> data(256 * 1024);
  int64_t begin = 0;
  double bytes = 0;
  while (begin == 0 || static_cast<double>(now_ns() - begin) < seconds * 1e9) {
    const ssize_t n = ::recv(fd.get(), data.data(), data.size(), 0);
    if (n <= 0) return 0;
    if (begin == 0) begin = now_ns();
    bytes += static_cast<double>(n);
  }
  reset_on_close(fd.get());
  return bytes / (static_cast<double>(now_ns() - begin) / 1e9);
}

double median(const std::vector<double>& values) { return percentile(values, 0.5); }

}  // namespace

int run_flows(const Arguments& arguments) {
  const sockaddr_in direct = to_sockaddr(arguments.at(0), std::stoi(arguments.at(1)));
  const sockaddr_in service = to_sockaddr(arguments.at(2), std::stoi(arguments.at(3)));
  constexpr int kRounds = 41, kConnections = 400;
  std::vector<double> rates, direct_rates, service_rates, flow_ratios, direct_flows, service_flows;
  connect_rate(direct, 200);
  connect_rate(service, 200);
  for (int i = 0; i < kRounds; ++i) {
    // Who goes first alternates: the machine's speed drifts.
    double d = 0, s = 0;
    for (int turn = 0; turn < 2; ++turn) {
      if ((turn + i) % 2 == 0) d = connect_rate(direct, kConnections);
      if ((turn + i) % 2 == 1) s = connect_rate(service, kConnections);
    }
    if (d == 0 || s == 0) continue;
    direct_rates.push_back(d);
    service_rates.push_back(s);
    rates.push_back(s / d);
  }
  for (int i = 0; i < kRounds; ++i) {
    double d = 0, s = 0;
    for (int turn = 0; turn < 2; ++turn) {
      if ((turn + i) % 2 == 0) d = throughput(direct, 0.1);
      if ((turn + i) % 2 == 1) s = throughput(service, 0.1);
    }
    if (d == 0 || s == 0) continue;
    direct_flows.push_back(d);
    service_flows.push_back(s);
    flow_ratios.push_back(s / d);
  }
  std::printf("new connections/s: pod %.0f, service %.0f, ratio %.3f (%zu rounds); one stream: pod %.2f, service %.2f Gbit/s, ratio %.3f (%zu rounds)\n",
              median(direct_rates), median(service_rates), median(rates), rates.size(), median(direct_flows) * 8e-9, median(service_flows) * 8e-9,
              median(flow_ratios), flow_ratios.size());
  return rates.empty() || flow_ratios.empty() ? 1 : 0;
}

// Each line of input asks for what happened since the last: "transactions N element+ N element- N ...".
int run_count(const Arguments&) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  const int group = NFNLGRP_NFTABLES, room = 4 * 1024 * 1024;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  sockaddr_nl here{};
  here.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&here), sizeof here) != 0 ||
      ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
    std::cout << "cannot listen" << std::endl;
    return 1;
  }
  const std::map<int, const char*> names = {{NFT_MSG_NEWGEN, "transactions"}, {NFT_MSG_NEWSETELEM, "element+"}, {NFT_MSG_DELSETELEM, "element-"},
                                            {NFT_MSG_NEWCHAIN, "chain+"},     {NFT_MSG_DELCHAIN, "chain-"},     {NFT_MSG_NEWRULE, "rule+"},
                                            {NFT_MSG_DELRULE, "rule-"}};
  std::cout << "ready" << std::endl;
  std::vector<char> buffer(256 * 1024);
  for (std::string line; std::getline(std::cin, line);) {
    std::map<int, long> seen;
    for (;;) {
      const ssize_t n = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n <= 0) break;
      size_t left = static_cast<size_t>(n);
      for (auto* head = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) ++seen[head->nlmsg_type & 0xff];
    }
    std::ostringstream out;
    for (const auto& [type, name] : names) out << (out.str().empty() ? "" : "  ") << name << " " << seen[type];
    std::cout << out.str() << std::endl;
  }
  return 0;
}

int run_objects(const Arguments& sets) {
  auto socket = netns::NftSocket::open();
  if (!socket.ok()) return 1;
  auto chains = socket->list_chains(base::Family::kIpv4, "kubelan");
  if (!chains.ok()) return 1;
  // Wheels are lent and kept for the next target: as many as were ever needed at once.
  const auto wheels = std::count_if(chains->begin(), chains->end(), [](const netns::NftChain& chain) { return chain.name.starts_with("wheel-"); });
  size_t elements = 0;
  for (const std::string& set : sets) {
    if (set == "wheels") continue;
    auto list = socket->list_elements(base::Family::kIpv4, "kubelan", set);
    if (!list.ok()) return 1;
    elements += list->size();
  }
  std::printf("chains %zu elements %zu wheels %zu\n", chains->size() - static_cast<size_t>(wheels), elements, static_cast<size_t>(wheels));
  return 0;
}

}  // namespace bench

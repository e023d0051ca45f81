#include "server/gateway/engine/lane.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>

#include "netns/ns/namespace.h"
#include "server/gateway/engine/access_log.h"
#include "server/gateway/engine/exchange.h"
#include "server/gateway/engine/front.h"
#include "server/gateway/l4/udp_front.h"
#include "store/base/socket_address.h"

namespace server::gateway {
namespace {

// A quarter of the descriptors that the process may have is for these sessions, which have two each.
size_t most_tcp_sessions(const EngineOptions& options) {
  if (options.tcp_sessions != 0) return options.tcp_sessions;
  constexpr size_t kShare = 8, kFewest = 64;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  return std::max(kFewest, static_cast<size_t>(limit.rlim_cur) / kShare / static_cast<size_t>(std::max(1, options.threads)));
}

}  // namespace

struct Lane::Parts {
  Parts(base::Loop& loop, const EngineOptions& options, SharedState& shared)
      : deadlines(loop), pool(loop, deadlines, shared.client_tls, PoolLimits()), context{loop, deadlines, pool, shared, nullptr, &table} {
    if (options.access_log) log = std::make_unique<AccessLog>(deadlines, options.access_log);
    context.log = log.get();
    context.most_tcp_sessions = most_tcp_sessions(options);
  }
  ~Parts() {
    Socket::Turn turn;
    fronts.clear();
    udp.clear();
    leaving_udp.clear();
    while (context.exchanges != nullptr) delete context.exchanges;
  }

  std::shared_ptr<const LiveTable> table;
  Deadlines deadlines;
  Pool pool;
  LaneContext context;
  std::unique_ptr<AccessLog> log;
  std::map<std::string, std::unique_ptr<Front>> fronts;  // By the listener's name.
  std::vector<std::unique_ptr<Front>> leaving;           // Of listeners that are no more, while connections stand.
  std::map<std::string, std::unique_ptr<UdpFront>> udp;
  std::vector<std::unique_ptr<UdpFront>> leaving_udp;
};

namespace {

base::Result<base::Fd> open_listener(const base::Ip& address, uint16_t port, bool udp) {
  base::Fd fd(::socket(address.is_v4() ? AF_INET : AF_INET6, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::os_error("create a socket");
  int one = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  if (!udp) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // Accepted ones inherit it.
  if (!address.is_v4()) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  const base::SocketAddress to = base::socket_address(address, port);
  if (::bind(fd.get(), to.get(), to.size) != 0 || (!udp && ::listen(fd.get(), 4096) != 0)) return base::os_error("listen on " + address.text() + " port " + std::to_string(port));
  return fd;
}

std::vector<base::Ip> addresses_of(const EngineOptions& options) {
  if (!options.addresses.empty()) return options.addresses;
  return {base::Ip(), base::Ip::v6({})};
}

}  // namespace

Lane::Lane(const EngineOptions& options, SharedState& shared, int index) : options_(options), shared_(shared), loop_(std::make_unique<base::Loop>(options.name + "-" + std::to_string(index))) {
  loop_->call([this] { parts_ = std::make_unique<Parts>(*loop_, options_, shared_); });
}

Lane::~Lane() {
  loop_->call([this] { parts_.reset(); });
}

base::Status Lane::enter(const base::Fd& net) {
  base::Status status;
  loop_->call([&] { status = netns::enter_network(net); });
  return status;
}

void Lane::publish(std::shared_ptr<const LiveTable> table, std::map<std::string, uint16_t>* ports, std::vector<std::string>* problems) {
  loop_->call([&] {
    Socket::Turn turn;
    Parts& p = *parts_;
    p.table = table;
    std::map<std::string, std::unique_ptr<Front>> before = std::move(p.fronts);
    p.fronts.clear();
    auto udp_before = std::move(p.udp);
    p.udp.clear();
    for (const std::shared_ptr<const LiveListener>& live : table->listeners()) {
      const Listener& listener = live->listener();
      if (listener.protocol == Listener::Protocol::kUdp) {
        serve_udp(live, udp_before, ports, problems);
        continue;
      }
      auto it = before.find(listener.name);
      if (it != before.end() && it->second->listener().listener().port == listener.port && it->second->listener().listener().protocol == listener.protocol) {
        it->second->set_listener(live);
        p.fronts.emplace(listener.name, std::move(it->second));
        before.erase(it);
        continue;
      }
      auto front = std::make_unique<Front>(p.context, live);
      open_all(listener, *front, ports, problems);
      p.fronts.emplace(listener.name, std::move(front));
    }
    for (auto& [name, front] : before) {
      ports->erase(name);
      front->drain();
      p.leaving.push_back(std::move(front));
    }
    for (auto& [name, front] : udp_before) {
      ports->erase(name);
      front->drain();
      p.leaving_udp.push_back(std::move(front));
    }
    std::erase_if(p.leaving_udp, [](const std::unique_ptr<UdpFront>& front) { return front->sessions() == 0; });
    p.leaving.erase(std::remove_if(p.leaving.begin(), p.leaving.end(), [](const std::unique_ptr<Front>& front) { return front->connections() == 0; }), p.leaving.end());
  });
}

template <class AnyFront>
void Lane::open_all(const Listener& listener, AnyFront& front, std::map<std::string, uint16_t>* ports, std::vector<std::string>* problems) const {
  bool any = false;
  std::string why;
  for (const base::Ip& address : addresses_of(options_)) {
    uint16_t port = options_.ephemeral_ports ? 0 : listener.port;
    if (auto known = ports->find(listener.name); options_.ephemeral_ports && known != ports->end()) port = known->second;
    base::Result<base::Fd> fd = open_listener(address, port, listener.protocol == Listener::Protocol::kUdp);
    if (!fd.ok()) {
      why = fd.error().message;
      continue;
    }
    front.listen(std::move(*fd));
    (*ports)[listener.name] = front.port();
    any = true;
  }
  if (!any) problems->push_back(why);
}

void Lane::serve_udp(const std::shared_ptr<const LiveListener>& live, std::map<std::string, std::unique_ptr<UdpFront>>& before, std::map<std::string, uint16_t>* ports, std::vector<std::string>* problems) {
  const Listener& listener = live->listener();
  auto it = before.find(listener.name);
  if (it != before.end() && it->second->listener().listener().port == listener.port) {
    it->second->set_listener(live);
    parts_->udp.emplace(listener.name, std::move(it->second));
    before.erase(it);
    return;
  }
  auto front = std::make_unique<UdpFront>(parts_->context, live, options_.udp_sessions);
  open_all(listener, *front, ports, problems);
  parts_->udp.emplace(listener.name, std::move(front));
}

void Lane::drain() {
  loop_->call([this] {
    Socket::Turn turn;
    for (auto& [name, front] : parts_->fronts) front->drain();
    for (auto& [name, front] : parts_->udp) front->drain();
  });
}

size_t Lane::connections() const {
  size_t n = 0;
  for (auto& [name, front] : parts_->fronts) n += front->connections();
  for (auto& front : parts_->leaving) n += front->connections();
  for (auto& [name, front] : parts_->udp) n += front->sessions();
  for (auto& front : parts_->leaving_udp) n += front->sessions();
  return n;
}

}  // namespace server::gateway

#include "server/gateway/engine/lane.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>

#include "netns/ns/namespace.h"
#include "server/gateway/engine/access_log.h"
#include "server/gateway/engine/exchange.h"
#include "server/gateway/engine/front.h"
#include "store/base/socket_address.h"

namespace server::gateway {

struct Lane::Parts {
  Parts(base::Loop& loop, const EngineOptions& options, SharedState& shared)
      : deadlines(loop), pool(loop, deadlines, shared.client_tls, PoolLimits()), context{loop, deadlines, pool, shared, nullptr, &table} {
    if (options.access_log) log = std::make_unique<AccessLog>(deadlines, options.access_log);
    context.log = log.get();
  }
  ~Parts() {
    Socket::Turn turn;
    fronts.clear();
    while (context.exchanges != nullptr) delete context.exchanges;
  }

  std::shared_ptr<const LiveTable> table;
  Deadlines deadlines;
  Pool pool;
  LaneContext context;
  std::unique_ptr<AccessLog> log;
  std::map<std::string, std::unique_ptr<Front>> fronts;  // By the listener's name.
  std::vector<std::unique_ptr<Front>> leaving;           // Of listeners that are no more, while connections stand.
};

namespace {

base::Result<base::Fd> open_listener(const base::Ip& address, uint16_t port) {
  base::Fd fd(::socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::os_error("create a socket");
  int one = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // Accepted ones inherit it.
  if (!address.is_v4()) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  const base::SocketAddress to = base::socket_address(address, port);
  if (::bind(fd.get(), to.get(), to.size) != 0 || ::listen(fd.get(), 4096) != 0) return base::os_error("listen on " + address.text() + " port " + std::to_string(port));
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
    for (const std::shared_ptr<const LiveListener>& live : table->listeners()) {
      const Listener& listener = live->listener();
      if (listener.protocol == Listener::Protocol::kUdp) {
        problems->push_back("listener " + listener.name + ": UDP is not served yet");
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
      bool any = false;
      std::string why;
      for (const base::Ip& address : addresses_of(options_)) {
        uint16_t port = options_.ephemeral_ports ? 0 : listener.port;
        if (auto known = ports->find(listener.name); options_.ephemeral_ports && known != ports->end()) port = known->second;
        base::Result<base::Fd> fd = open_listener(address, port);
        if (!fd.ok()) {
          why = fd.error().message;
          continue;
        }
        front->listen(std::move(*fd));
        (*ports)[listener.name] = front->port();
        any = true;
      }
      if (!any) problems->push_back(why);
      p.fronts.emplace(listener.name, std::move(front));
    }
    for (auto& [name, front] : before) {
      ports->erase(name);
      front->drain();
      p.leaving.push_back(std::move(front));
    }
    p.leaving.erase(std::remove_if(p.leaving.begin(), p.leaving.end(), [](const std::unique_ptr<Front>& front) { return front->connections() == 0; }), p.leaving.end());
  });
}

void Lane::drain() {
  loop_->call([this] {
    Socket::Turn turn;
    for (auto& [name, front] : parts_->fronts) front->drain();
  });
}

size_t Lane::connections() const {
  size_t n = 0;
  for (auto& [name, front] : parts_->fronts) n += front->connections();
  for (auto& front : parts_->leaving) n += front->connections();
  return n;
}

}  // namespace server::gateway

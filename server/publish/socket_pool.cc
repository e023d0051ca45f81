#include "server/publish/socket_pool.h"

#include <sys/socket.h>

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

namespace server::publish {
namespace {

constexpr size_t kFirstStock = 16;
constexpr size_t kMaxStock = 256;

struct Made {
  std::vector<base::Fd> sockets;
  base::Status status;
};

Made make_sockets(size_t count, int family, int type) {
  Made out;
  for (size_t i = 0; i < count; ++i) {
    base::Fd fd(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) {
      out.status = base::os_error("open a socket inside the cluster");
      break;
    }
    out.sockets.push_back(std::move(fd));
  }
  return out;
}

}  // namespace

// Outlives the pool while a batch is on its way; then only `closed` is looked at.
struct SocketPool::State : std::enable_shared_from_this<State> {
  State(base::Loop& loop, netns::Worker& maker, int address_family, int socket_type) : io(loop), worker(maker), family(address_family), type(socket_type) {}

  base::Loop& io;
  netns::Worker& worker;
  const int family;
  const int type;
  bool closed = false;
  size_t wished = kFirstStock;
  size_t requested = 0;
  std::deque<base::Fd> stock;
  std::deque<Taker> takers;

  void refill() {
    const size_t want = takers.size() + wished;
    const size_t have = stock.size() + requested;
    if (have + wished / 2 >= want) return;  // Half is still there.
    const size_t count = std::min(want - have, kMaxStock);
    requested += count;
    worker.post([self = shared_from_this(), count] {
      auto made = std::make_shared<Made>(make_sockets(count, self->family, self->type));
      self->io.post([self, made, count] { self->arrive(count, *made); });
    });
  }

  void arrive(size_t count, Made& made) {
    requested -= count;
    if (closed) return;
    for (base::Fd& fd : made.sockets) stock.push_back(std::move(fd));
    while (!takers.empty() && !stock.empty()) {
      base::Fd fd = std::move(stock.front());
      stock.pop_front();
      give(std::move(fd));
    }
    // Out of descriptors, most likely: whoever waits is told, and the next one tries again.
    while (!made.status.ok() && !takers.empty()) give(made.status.error());
    if (!takers.empty()) refill();
  }

  void give(base::Result<base::Fd> socket) {
    Taker taker = std::move(takers.front());
    takers.pop_front();
    taker(std::move(socket));
  }
};

SocketPool::SocketPool(base::Loop& io, netns::Worker& worker, base::Family family, int type)
    : state_(std::make_shared<State>(io, worker, family == base::Family::kIpv4 ? AF_INET : AF_INET6, type)) {}

SocketPool::~SocketPool() {
  state_->closed = true;
  state_->takers.clear();
  state_->stock.clear();
}

void SocketPool::take(Taker taker) {
  State& s = *state_;
  if (s.stock.empty()) {
    if (s.requested > 0) s.wished = std::min(s.wished * 2, kMaxStock);  // Demand outran the stock.
    s.takers.push_back(std::move(taker));
    s.refill();
    return;
  }
  base::Fd fd = std::move(s.stock.front());
  s.stock.pop_front();
  s.refill();
  taker(std::move(fd));
}

}  // namespace server::publish

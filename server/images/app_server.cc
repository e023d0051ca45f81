#include "server/images/app_server.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <list>
#include <mutex>

#include "server/images/app_connection.h"
#include "server/images/go_text.h"

namespace server::images {
namespace {

constexpr size_t kMaxConnections = 512;
constexpr size_t kStackSize = 256 * 1024;
constexpr int kSendTimeoutSeconds = 60;
constexpr size_t kMaxMessage = 2048;
constexpr int kMaxDatagramsAtOnce = 64;  // Then the other sockets have their turn.

const char* network_name(Transport transport) {
  return transport == Transport::kUdp ? "udp" : transport == Transport::kSctp ? "sctp" : "tcp";
}

// As the language writes errno texts.
std::string errno_text(int err) {
  std::string text = std::strerror(err);
  text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

base::Result<base::Fd> open_socket(Transport transport, const ListenAddress& address, int family) {
  const std::string shown = (address.host.find(':') == std::string::npos ? address.host : "[" + address.host + "]") + ":" + std::to_string(address.port);
  auto failed = [&](const char* call) {
    return base::Error(base::Code::kUnavailable, std::string("listen ") + network_name(transport) + " " + shown + ": " + call + ": " + errno_text(errno));
  };
  int type = transport == Transport::kUdp ? SOCK_DGRAM : SOCK_STREAM;
  base::Fd fd(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, transport == Transport::kSctp ? IPPROTO_SCTP : 0));
  if (!fd) return failed("socket");
  int on = 1, off = 0;
  if (transport != Transport::kUdp) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, address.host.empty() ? &off : &on, sizeof on);
  sockaddr_storage where{};
  where.ss_family = static_cast<sa_family_t>(family);
  auto& v4 = reinterpret_cast<sockaddr_in&>(where);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(where);
  v4.sin_port = htons(address.port);  // Both families have it at the same place.
  void* bytes = family == AF_INET ? static_cast<void*>(&v4.sin_addr) : &v6.sin6_addr;
  if (!address.host.empty() && ::inet_pton(family, address.host.c_str(), bytes) != 1) {
    return base::Error(base::Code::kInvalid, std::string("listen ") + network_name(transport) + ": lookup " + address.host + ": no such host");
  }
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&where), family == AF_INET ? sizeof v4 : sizeof v6) != 0) return failed("bind");
  if (type == SOCK_STREAM && ::listen(fd.get(), SOMAXCONN) != 0) return failed("listen");
  return fd;
}

uint16_t port_of(const base::Fd& fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port);
}

}  // namespace

base::Result<base::Fd> open_listener(Transport transport, const ListenAddress& address) {
  if (!address.host.empty()) return open_socket(transport, address, address.host.find(':') == std::string::npos ? AF_INET : AF_INET6);
  base::Result<base::Fd> both = open_socket(transport, address, AF_INET6);
  // Without IPv6 (none in the kernel, or switched off) the IPv4 socket says what is wrong, if anything is.
  return both.ok() ? std::move(both) : open_socket(transport, address, AF_INET);
}

struct AppServer::Listener {
  Transport transport = Transport::kTcp;
  base::Fd fd;
  AppHandler http;             // Or:
  MessageHandler message;
  Turn turn = Turn::kWaits;
  std::shared_ptr<AppTls> tls;
};

// Outlives the server while a thread uses it.
struct AppServer::Shared {
  struct Connection {
    base::Fd fd;
    bool busy = true;
    std::chrono::steady_clock::time_point idle_since;
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::list<Connection> connections;
  bool ending = false;
};

namespace {

// What a connection's thread needs; a copy of everything, as the server may be gone before it.
struct ThreadTask {
  std::function<void()> body;
};

void* thread_main(void* argument) {
  std::unique_ptr<ThreadTask> task(static_cast<ThreadTask*>(argument));
  task->body();
  return nullptr;
}

bool start_thread(std::function<void()> body) {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  ::pthread_attr_setstacksize(&attributes, kStackSize);
  auto task = std::make_unique<ThreadTask>(ThreadTask{std::move(body)});
  pthread_t thread;
  bool started = ::pthread_create(&thread, &attributes, thread_main, task.get()) == 0;
  if (started) task.release();
  ::pthread_attr_destroy(&attributes);
  return started;
}

void serve_stream(int fd, const std::string& peer, const MessageHandler& handler, AppServer::Turn turn) {
  char buffer[kMaxMessage];
  ssize_t n = 0;
  if (turn == AppServer::Turn::kWaits) {
    n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return;
  }
  std::optional<std::string> answer = handler(std::string_view(buffer, static_cast<size_t>(n)), peer);
  if (answer) ::send(fd, answer->data(), answer->size(), MSG_NOSIGNAL);
  ::shutdown(fd, SHUT_WR);
}

}  // namespace

AppServer::AppServer() : shared_(std::make_shared<Shared>()) { go_now(); }

AppServer::~AppServer() {
  listeners_.clear();
  std::unique_lock lock(shared_->mutex);
  shared_->ending = true;
  for (Shared::Connection& each : shared_->connections) ::shutdown(each.fd.get(), SHUT_RDWR);
  shared_->changed.wait(lock, [&] { return shared_->connections.empty(); });
}

base::Result<uint16_t> AppServer::add(Transport transport, const ListenAddress& address, std::unique_ptr<Listener> listener) {
  listener->transport = transport;
  listener->fd = TRY(open_listener(transport, address));
  uint16_t port = port_of(listener->fd);
  listeners_.push_back(std::move(listener));
  return port;
}

base::Result<uint16_t> AppServer::listen_http(const ListenAddress& address, AppHandler handler, std::shared_ptr<AppTls> tls) {
  auto listener = std::make_unique<Listener>();
  listener->http = std::move(handler);
  listener->tls = std::move(tls);
  return add(Transport::kTcp, address, std::move(listener));
}

base::Result<uint16_t> AppServer::listen_stream(Transport transport, const ListenAddress& address, Turn turn, MessageHandler handler) {
  auto listener = std::make_unique<Listener>();
  listener->message = std::move(handler);
  listener->turn = turn;
  return add(transport, address, std::move(listener));
}

base::Result<uint16_t> AppServer::listen_datagrams(const ListenAddress& address, MessageHandler handler) {
  auto listener = std::make_unique<Listener>();
  listener->message = std::move(handler);
  return add(Transport::kUdp, address, std::move(listener));
}

void AppServer::accept_from(const Listener& listener) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  base::Fd fd(::accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
  std::unique_lock lock(shared_->mutex);
  bool no_descriptors = !fd && (errno == EMFILE || errno == ENFILE);
  if (!fd && !no_descriptors) return;
  if (no_descriptors || shared_->connections.size() >= kMaxConnections) {
    Shared::Connection* oldest = nullptr;
    for (Shared::Connection& each : shared_->connections) {
      if (!each.busy && (oldest == nullptr || each.idle_since < oldest->idle_since)) oldest = &each;
    }
    if (oldest != nullptr) ::shutdown(oldest->fd.get(), SHUT_RDWR);
    // Room for one, or a bounded wait for it while all are at work: the next connections wait in the backlog.
    shared_->changed.wait_for(lock, std::chrono::milliseconds(100));
    if (!fd || shared_->connections.size() >= 2 * kMaxConnections) return;
  }
  int on = 1;
  timeval send_limit{kSendTimeoutSeconds, 0};
  if (listener.transport == Transport::kTcp) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &send_limit, sizeof send_limit);
  int number = fd.get();
  auto it = shared_->connections.insert(shared_->connections.end(), Shared::Connection{std::move(fd), true, {}});
  ConnectionHooks hooks;
  hooks.set_busy = [shared = shared_.get(), it](bool busy) {
    std::lock_guard guard(shared->mutex);
    it->busy = busy;
    it->idle_since = std::chrono::steady_clock::now();
    return !shared->ending;
  };
  auto body = [shared = shared_, it, number, hooks, http = listener.http, message = listener.message, turn = listener.turn, tls = listener.tls,
               from = endpoint_text(peer)] {
    if (http) serve_http_connection(number, from, http, tls.get(), hooks);
    else serve_stream(number, from, message, turn);
    std::lock_guard guard(shared->mutex);
    shared->connections.erase(it);
    shared->changed.notify_all();
  };
  if (!start_thread(std::move(body))) shared_->connections.erase(it);
}

void AppServer::receive_from(const Listener& listener) {
  char buffer[kMaxMessage];
  for (int i = 0; i < kMaxDatagramsAtOnce; ++i) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    ssize_t n = ::recvfrom(listener.fd.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&peer), &size);
    if (n < 0 && errno != EAGAIN && errno != EINTR) continue;  // What an earlier answer met: nobody there.
    if (n < 0) return;
    std::optional<std::string> answer = listener.message(std::string_view(buffer, static_cast<size_t>(n)), endpoint_text(peer));
    if (answer) ::sendto(listener.fd.get(), answer->data(), answer->size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&peer), size);
  }
}

int AppServer::run(const base::Fd& stop, std::optional<std::chrono::milliseconds> limit) {
  auto end = std::chrono::steady_clock::now() + limit.value_or(std::chrono::milliseconds(0));
  std::vector<pollfd> fds;
  for (const auto& listener : listeners_) fds.push_back({listener->fd.get(), POLLIN, 0});
  fds.push_back({stop.get(), POLLIN, 0});  // A negative one is passed over.
  for (;;) {
    int wait = -1;
    if (limit) {
      wait = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count());
      if (wait <= 0) return 0;
    }
    if (::poll(fds.data(), fds.size(), wait) < 0) continue;  // EINTR
    if (fds.back().revents != 0) {
      signalfd_siginfo info{};
      if (::read(stop.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) return static_cast<int>(info.ssi_signo);
    }
    for (size_t i = 0; i < listeners_.size(); ++i) {
      if (fds[i].revents == 0) continue;
      if (listeners_[i]->transport == Transport::kUdp) receive_from(*listeners_[i]);
      else accept_from(*listeners_[i]);
    }
  }
}

bool AppServer::finish(std::chrono::milliseconds limit) {
  listeners_.clear();
  std::unique_lock lock(shared_->mutex);
  shared_->ending = true;
  for (Shared::Connection& each : shared_->connections) {
    if (!each.busy) ::shutdown(each.fd.get(), SHUT_RD);
  }
  return shared_->changed.wait_for(lock, limit, [&] { return shared_->connections.empty(); });
}

std::string endpoint_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  const std::string port = std::to_string(ntohs(v6.sin6_port));
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    ::inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof text);
    return std::string(text) + ":" + port;
  }
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  char name[IF_NAMESIZE] = "";
  bool zone = v6.sin6_scope_id != 0 && ::if_indextoname(v6.sin6_scope_id, name) != nullptr;
  return std::string("[") + text + (zone ? std::string("%") + name : "") + "]:" + port;
}

base::Fd stop_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT}) sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return base::Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace server::images

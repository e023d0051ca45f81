// ingress_load - what the test of rolling applications puts behind the gateway, and in front of it.
//
//   ingress_load serve PORT                  an application: answers GET with its host's name and POST with the request's body, streams
//                                            /ticks, echoes on WebSockets. On SIGTERM it takes no more connections, closes idle ones,
//                                            ends what is under way and exits: as a well-behaved server does. With "rude" behind PORT it
//                                            exits at once, and something is under way: answers take 5 ms.
//   ingress_load ask HOST ADDRESS PORT GETS POSTS   so many connections that ask as fast as they are answered
//   ingress_load hold HOST ADDRESS PORT N    N WebSockets and N streams of /ticks that must never break
//
// The last two run until standard input ends, then print their counts; exit code 1: something failed.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "kubectl-compat/stream/websocket.h"
#include "store/base/fd.h"

namespace {

constexpr int kPatience = 15'000;  // ms without a byte that is due: a failure, not a wait for ever.

// Set when all is to end; readable then, too.
std::atomic<bool> ending = false;
int end_event = -1;

void end_all() {
  ending = true;
  uint64_t one = 1;
  [[maybe_unused]] ssize_t n = ::write(end_event, &one, sizeof one);
}

// A connection with a buffer of what was read.
class Peer {
 public:
  explicit Peer(base::Fd fd) : fd_(std::move(fd)) {
    int one = 1;
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  static Peer to(const char* address, int port) {
    base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, address, &at.sin_addr);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) fd.reset();
    return Peer(std::move(fd));
  }

  bool good() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }
  bool has_more() const { return !in_.empty(); }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // Up to and with `mark`, at most 64 KiB; empty: it did not come.
  std::string until(std::string_view mark) {
    size_t at;
    while ((at = in_.find(mark)) == std::string::npos) {
      if (in_.size() > 65536 || !fill()) return "";
    }
    return take(at + mark.size());
  }
  bool exactly(size_t size, std::string* out) {
    while (in_.size() < size) {
      if (!fill()) return false;
    }
    *out = take(size);
    return true;
  }
  std::string take_all() { return take(in_.size()); }
  bool fill() {
    pollfd p{fd_.get(), POLLIN, 0};
    char buffer[16384];
    if (::poll(&p, 1, kPatience) <= 0) return false;
    ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n > 0) in_.append(buffer, static_cast<size_t>(n));
    return n > 0;
  }

 private:
  std::string take(size_t n) {
    std::string out = in_.substr(0, n);
    in_.erase(0, n);
    return out;
  }
  base::Fd fd_;
  std::string in_;
};

// The value of a header in a head, "" when it is not there.
std::string header_of(const std::string& head, std::string_view name) {
  std::string key = "\r\n" + std::string(name) + ": ";
  size_t at = 0;
  for (; at + key.size() <= head.size(); ++at) {
    if (strncasecmp(head.data() + at, key.data(), key.size()) == 0) break;
  }
  if (at + key.size() > head.size()) return "";
  at += key.size();
  return head.substr(at, head.find("\r\n", at) - at);
}

size_t length_of(const std::string& head) { return std::strtoul(header_of(head, "Content-Length").c_str(), nullptr, 10); }

// ---- The application -----------------------------------------------------------------------------------------------

std::atomic<int> connections = 0;
bool rude = false;

void serve_ticks(Peer& peer) {
  peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 1; !ending; ++i) {
    std::string line = "tick " + std::to_string(i) + "\n";
    char size[16];
    snprintf(size, sizeof size, "%zx\r\n", line.size());
    if (!peer.send(size + line + "\r\n")) return;
    pollfd p{end_event, POLLIN, 0};
    ::poll(&p, 1, 20);
  }
}

void serve_websocket(Peer& peer, const std::string& head) {
  peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + compat::websocket_accept(header_of(head, "Sec-WebSocket-Key")) +
            "\r\n\r\n");
  compat::WsDecoder decoder;
  for (;;) {
    auto messages = decoder.feed(peer.take_all());
    if (!messages.ok()) return;
    for (const compat::WsMessage& message : *messages) {
      if (message.opcode == compat::WsOpcode::kClose || !peer.send(compat::ws_frame(message.opcode, message.payload))) return;
    }
    if (!peer.fill()) return;
  }
}

// False: the connection is over.
bool serve_request(Peer& peer, const std::string& name) {
  std::string head = peer.until("\r\n\r\n"), body;
  if (head.empty()) return false;
  if (head.starts_with("GET /ticks ")) return serve_ticks(peer), false;
  if (!header_of(head, "Sec-WebSocket-Key").empty()) return serve_websocket(peer, head), false;
  if (!peer.exactly(length_of(head), &body)) return false;
  if (!head.starts_with("POST ")) body = name;
  if (rude) usleep(5'000);
  bool last = ending;
  std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + (last ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n") + body;
  return peer.send(answer) && !last;
}

void serve_connection(base::Fd fd, const std::string& name) {
  Peer peer(std::move(fd));
  for (;;) {
    if (!peer.has_more()) {
      pollfd waits[] = {{peer.fd(), POLLIN, 0}, {end_event, POLLIN, 0}};
      ::poll(waits, 2, -1);
      if (waits[0].revents == 0) break;  // Idle, and all is to end.
    }
    if (!serve_request(peer, name)) break;
  }
  --connections;
}

bool accept_one(const base::Fd& listener, const char* name) {
  base::Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) return false;
  ++connections;
  std::thread([fd = std::move(fd), name = std::string(name)]() mutable { serve_connection(std::move(fd), name); }).detach();
  return true;
}

int serve(int port) {
  base::Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int one = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<uint16_t>(port));
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || ::listen(listener.get(), 4096) != 0) return perror("ingress_load: listen"), 1;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  base::Fd told(signalfd(-1, &signals, SFD_CLOEXEC));
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  for (;;) {
    pollfd waits[] = {{listener.get(), POLLIN, 0}, {told.get(), POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0) continue;
    if (waits[1].revents != 0 && rude) _exit(0);
    if (waits[1].revents != 0) break;
    accept_one(listener, name);
  }
  // What has connected already is served, too: the kernel has told the other side that it was accepted.
  for (pollfd p{listener.get(), POLLIN, 0}; ::poll(&p, 1, 0) > 0;) {
    if (!accept_one(listener, name)) break;
  }
  listener.reset();
  end_all();
  for (int i = 0; connections > 0 && i < 2000; ++i) usleep(10'000);
  _exit(0);
}

// ---- Its users -----------------------------------------------------------------------------------------------------

std::mutex report_mutex;
std::atomic<long> done = 0, failed = 0;

void fail(const std::string& what) {
  if (++failed > 5) return;
  std::lock_guard lock(report_mutex);
  fprintf(stderr, "ingress_load: %s\n", what.c_str());
}

// One request and its answer. False: the connection is of no more use.
bool ask_once(Peer& peer, const std::string& host, bool post, unsigned number) {
  std::string body = post ? std::string(number * 7919 % 20'000, static_cast<char>('a' + number % 26)) : "";
  std::string what = (post ? "POST" : "GET") + std::string(" number ") + std::to_string(number);
  std::string request = (post ? "POST" : "GET") + std::string(" / HTTP/1.1\r\nHost: ") + host + (post ? "\r\nContent-Length: " + std::to_string(body.size()) : "") + "\r\n\r\n" + body;
  ++done;
  if (!peer.send(request)) return fail(what + ": cannot be sent"), false;
  std::string head = peer.until("\r\n\r\n"), answer;
  if (head.empty()) return fail(what + ": no answer"), false;
  if (!peer.exactly(length_of(head), &answer)) return fail(what + ": half an answer"), false;
  if (!head.starts_with("HTTP/1.1 200 ")) fail(what + ": " + head.substr(0, head.find('\r')));
  else if (post && answer != body) fail(what + ": another body of " + std::to_string(answer.size()) + " bytes");
  return header_of(head, "Connection") != "close";
}

void ask(const char* host, const char* address, int port, bool post) {
  for (unsigned number = 0; !ending;) {
    Peer peer = Peer::to(address, port);
    if (!peer.good()) {
      fail("cannot connect");
      usleep(10'000);
      continue;
    }
    while (!ending && ask_once(peer, host, post, number++)) {}
  }
}

void hold_stream(const char* host, const char* address, int port) {
  Peer peer = Peer::to(address, port);
  peer.send("GET /ticks HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
  if (!peer.until("\r\n\r\n").starts_with("HTTP/1.1 200 ")) return fail("a stream does not begin");
  for (int i = 1; !ending; ++i) {
    if (peer.until("tick " + std::to_string(i) + "\n").empty()) return fail("a stream broke before tick " + std::to_string(i));
    ++done;
  }
}

void hold_websocket(const char* host, const char* address, int port) {
  Peer peer = Peer::to(address, port);
  peer.send("GET /socket HTTP/1.1\r\nHost: " + std::string(host) +
            "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  std::string head = peer.until("\r\n\r\n"), echo;
  if (!head.starts_with("HTTP/1.1 101 ") || header_of(head, "Sec-WebSocket-Accept") != compat::websocket_accept("dGhlIHNhbXBsZSBub25jZQ==")) return fail("a WebSocket does not open");
  for (int i = 1; !ending; ++i) {
    std::string word = "ping " + std::to_string(i), size(1, static_cast<char>(word.size()));
    std::string masked = "\x81" + std::string(1, static_cast<char>(0x80 | word.size())) + std::string(4, '\0') + word;
    if (!peer.send(masked) || !peer.exactly(2 + word.size(), &echo) || echo != "\x81" + size + word) return fail("a WebSocket broke at message " + std::to_string(i));
    ++done;
    usleep(20'000);
  }
}

int run(std::vector<std::thread> threads) {
  char buffer[64];
  while (::read(STDIN_FILENO, buffer, sizeof buffer) > 0) {}
  end_all();
  for (std::thread& thread : threads) thread.join();
  printf("done %ld failed %ld\n", done.load(), failed.load());
  return failed == 0 && done > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  end_event = eventfd(0, EFD_CLOEXEC);
  std::string verb = argc > 1 ? argv[1] : "";
  std::vector<std::thread> threads;
  if (verb == "serve" && argc >= 3) {
    rude = argc > 3 && strcmp(argv[3], "rude") == 0;
    return serve(atoi(argv[2]));
  }
  if (verb == "ask" && argc == 7) {
    for (int i = 0; i < atoi(argv[5]) + atoi(argv[6]); ++i) threads.emplace_back(ask, argv[2], argv[3], atoi(argv[4]), i >= atoi(argv[5]));
    return run(std::move(threads));
  }
  if (verb == "hold" && argc == 6) {
    for (int i = 0; i < atoi(argv[5]); ++i) {
      threads.emplace_back(hold_stream, argv[2], argv[3], atoi(argv[4]));
      threads.emplace_back(hold_websocket, argv[2], argv[3], atoi(argv[4]));
    }
    return run(std::move(threads));
  }
  fprintf(stderr, "usage: ingress_load serve PORT [rude] | ask HOST ADDRESS PORT GETS POSTS | hold HOST ADDRESS PORT N\n");
  return 2;
}

// server/proxy_health/http.h - a small HTTP/1.1 server on the io loop: GET and HEAD, answers of one piece, keep-alive.
// For health and metrics pages that programs poll. Heads, connections and patience are bounded; whoever is slow is
// dropped.
//
// Thread rule: everything on the io loop's thread, construction and destruction included.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/http/http_head.h"
#include "store/base/clock.h"
#include "store/base/fd.h"
#include "store/base/loop.h"

namespace server::proxy_health {

struct Answer {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};
// "HTTP/1.1 200 OK" to the end of the body; pure. `head_only` for HEAD requests.
enum class Keep : uint8_t { kAlive, kClose };
std::string render_answer(const Answer& answer, bool head_only, Keep keep, base::WallTime now);

struct HttpLimits {
  size_t head = 8 * 1024;
  size_t connections = 512;                  // Of all listeners; above it the one that was quiet longest goes.
  std::chrono::milliseconds idle{30'000};    // Also for a head that comes in drips, and an answer that is not read.
};

class HttpServer {
 public:
  using Reply = std::function<void(Answer)>;
  // Calls `reply` once, now or later, on the io loop's thread; also after the connection or the server is gone.
  using Handler = std::function<void(const RequestHead& request, Reply reply)>;
  using ListenerId = uint64_t;

  explicit HttpServer(base::Loop& io, const HttpLimits& limits = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  ListenerId listen(base::Fd listener, Handler handler);
  // With its connections. Unknown ids are ignored.
  void close(ListenerId id);

 private:
  struct Listener {
    base::Fd fd;
    base::Loop::Id watch = 0;
    Handler handler;
  };
  struct Connection {
    base::Fd fd;
    ListenerId listener = 0;
    base::Loop::Id watch = 0;
    base::Loop::Interest interest = base::Loop::Interest::kReadable;
    std::string in, out;
    size_t sent = 0;
    bool answering = false;   // A handler was asked.
    bool head_only = false;
    bool closing = false;     // After what is in `out`.
    bool ended = false;       // The client sends no more.
    std::chrono::steady_clock::time_point since;  // The last step forward.
  };
  using Connections = std::list<Connection>;  // Longest without a step first.

  void accept_some(ListenerId id);
  void serve(Connections::iterator it);
  bool read_some(Connection& connection);
  void take_request(Connections::iterator it);
  void refuse(Connection& connection, int status, const std::string& why);
  void answer(Connections::iterator it, const Answer& answer);
  bool write_some(Connection& connection);
  void step(Connections::iterator it);
  void advance(Connections::iterator it);
  void drop(Connections::iterator it);
  void sweep();
  void schedule_sweep();

  base::Loop& io_;
  const HttpLimits limits_;
  std::map<ListenerId, Listener> listeners_;
  Connections connections_;
  base::Loop::Id sweep_ = 0;
  ListenerId last_id_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace server::proxy_health

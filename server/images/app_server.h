// server/images/app_server.h - connections of the built-in programs other than nginx: HTTP, HTTPS, raw streams and
// datagrams, on any number of ports.
//
// run() waits in the caller's thread for connections and datagrams. Every connection has a thread with a small
// stack, as handlers may block (call others, run a shell); an idle program has one thread. Their number is
// bounded; at the bound the connection that has been idle longest makes room.
//
// Thread rule: all methods from one thread. HTTP and stream handlers run in many threads at once, datagram handlers
// in run()'s.
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/images/app_http.h"
#include "server/images/app_tls.h"
#include "store/base/fd.h"
#include "store/base/result.h"

namespace server::images {

using AppHandler = std::function<AppResponse(const AppRequest&)>;
// What to answer; nothing: no answer.
using MessageHandler = std::function<std::optional<std::string>(std::string_view message, const std::string& peer)>;

enum class Transport { kTcp, kUdp, kSctp };
struct ListenAddress {
  std::string host;  // "": every address, IPv6 included where there is IPv6.
  uint16_t port = 0;  // 0: one that is free.
};

// A socket that listens (streams) or is bound (datagrams), not blocking. The error as Go's net.Listen gives it.
base::Result<base::Fd> open_listener(Transport transport, const ListenAddress& address);

class AppServer {
 public:
  AppServer();
  ~AppServer();  // Closes every connection and waits for the handlers that run.

  // Each returns the port, or what a Go program would print: "listen tcp :80: bind: address already in use".
  base::Result<uint16_t> listen_http(const ListenAddress& address, AppHandler handler, std::shared_ptr<AppTls> tls = nullptr);
  // A connection is one message and one answer. kWaits: after something was received; kSpeaksFirst: at once.
  enum class Turn { kWaits, kSpeaksFirst };
  base::Result<uint16_t> listen_stream(Transport transport, const ListenAddress& address, Turn turn, MessageHandler handler);
  base::Result<uint16_t> listen_datagrams(const ListenAddress& address, MessageHandler handler);

  // Serves until `stop` (a signalfd) has a signal, or `limit` has passed. The signal, or 0.
  int run(const base::Fd& stop, std::optional<std::chrono::milliseconds> limit = std::nullopt);
  // No new connections; idle ones are closed; waits for the requests under way. False: some did not end in time.
  bool finish(std::chrono::milliseconds limit);

 private:
  struct Listener;
  struct Shared;
  base::Result<uint16_t> add(Transport transport, const ListenAddress& address, std::unique_ptr<Listener> listener);
  void accept_from(const Listener& listener);
  void receive_from(const Listener& listener);

  std::vector<std::unique_ptr<Listener>> listeners_;
  std::shared_ptr<Shared> shared_;
};

// "10.244.1.5:80", "[fd00::1]:80"; an IPv4 client of an IPv6 socket as IPv4.
std::string endpoint_text(const sockaddr_storage& address);
// SIGTERM and SIGINT, blocked and readable. SIGPIPE is ignored from now on.
base::Fd stop_signals();
std::string host_name();

}  // namespace server::images

// server/images/nginx_server.h - the built-in nginx' connections: one epoll loop in one thread.
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/images/http_request.h"
#include "server/images/nginx_response.h"
#include "store/base/fd.h"
#include "store/base/result.h"

namespace server::images {

class NginxServer {
 public:
  explicit NginxServer(NginxSite site) : site_(std::move(site)) {}
  // 0.0.0.0 and, where there is IPv6, [::]. Port 0: one that is free; site().port says which.
  base::Status listen();
  // Serves until stopped. `stop` is readable when a signal asked for it: a signalfd of SIGTERM, SIGINT (now) and
  // SIGQUIT (after the requests under way).
  int run(const base::Fd& stop);
  const NginxSite& site() const { return site_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Connection {
    base::Fd fd;
    uint64_t number = 0;
    std::string client;            // Address.
    std::string input;             // Not yet taken.
    std::string output;            // Not yet sent; then the file.
    size_t sent = 0;
    base::Fd file;
    uint64_t file_at = 0, file_end = 0;
    uint64_t body_left = 0;        // Of a request body that is being skipped.
    std::optional<ChunkSkipper> chunks;
    int requests = 0;
    bool close_after = false;
    bool peer_closed = false;
    bool lingering = false;        // Answered and shut down; waits for the peer to stop sending.
    bool wants_write = false;
    Time deadline;
  };

  base::Status listen_on(int family);
  void accept_all(const base::Fd& listener);
  void add_connection(int fd, const sockaddr_storage& peer);
  bool handle(Connection& connection, uint32_t events);  // False: close it.
  bool advance(Connection& connection);
  bool read_input(Connection& connection);
  bool skip_body(Connection& connection);
  void respond(Connection& connection, const HttpRequest& request, NginxResponse response);
  enum class Sent { kAll, kBlocked, kFailed };
  Sent send_output(Connection& connection);
  bool finish_response(Connection& connection);
  void watch(Connection& connection, bool write);
  void log(const Connection& connection, const HttpRequest& request, const NginxResponse& response);
  void expire(Time now);
  void drop_idle();
  int wait_time() const;

  NginxSite site_;
  base::Fd epoll_;
  std::vector<base::Fd> listeners_;
  std::map<int, std::unique_ptr<Connection>> connections_;
  uint64_t next_number_ = 1;
  bool draining_ = false;
};

}  // namespace server::images

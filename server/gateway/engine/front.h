// server/gateway/engine/front.h - one listener on one lane: accepts, finds out what the client speaks (PROXY protocol, TLS and
// for which name, HTTP/1 or HTTP/2) and owns the connections that come of it.
//
// Loop thread only.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/gateway/engine/exchange.h"
#include "server/gateway/engine/lane.h"
#include "server/gateway/l4/passthrough.h"

namespace server::gateway {

class Greeter;

class Front final : public Http1Server::Host, public Http2Server::Host, public TcpSession::Host, public RequestHandler {
 public:
  // `listeners`: bound and listening, non-blocking; none yet is fine.
  Front(LaneContext& lane, std::shared_ptr<const LiveListener> listener);
  ~Front() override;

  void listen(base::Fd socket);
  // New connections and requests follow it from now on.
  void set_listener(std::shared_ptr<const LiveListener> listener) {
    listener_ = std::move(listener);
    table_ = *lane_.table;
  }
  const LiveListener& listener() const { return *listener_; }
  std::shared_ptr<const LiveListener> shared_listener() const { return listener_; }
  uint16_t port() const { return port_; }
  void drain();   // Accepts nothing more, closes what is idle.
  size_t connections() const { return greeters_.size() + http1_.size() + http2_.size() + raw_.size(); }
  LaneContext& lane() { return lane_; }

  // Of a greeter that is through.
  void begin_http1(Greeter& greeter, std::unique_ptr<Socket> socket, ClientInfo client, std::string_view first);
  void begin_http2(Greeter& greeter, std::unique_ptr<Socket> socket, ClientInfo client, std::string_view first);
  void begin_passthrough(Greeter& greeter, base::Fd fd, ClientInfo client, UpstreamPtr upstream);
  void begin_stream(Greeter& greeter, base::Fd fd, ClientInfo client);
  void give_up(Greeter& greeter);

  void on_request(Downstream& stream, RequestHead head) override;
  void on_connection_over(Http1Server& connection) override;
  void on_connection_over(Http2Server& connection) override;
  void on_session_over(TcpSession& session) override;
  void on_refused(const Http1Server& connection, int status, const char* why) override;
  ResponseHead refusal(int status, std::string* body) override;

 private:
  struct Ear {
    base::Fd fd;
    base::Loop::Id watch = 0, pause = 0;
  };
  void close_ears();
  void accept_some(Ear& ear);
  void pause(Ear& ear);
  void begin_raw(base::Fd fd, ClientInfo client, const UpstreamPtr& upstream);
  void greet(base::Fd fd, const base::Ip& address, uint16_t port);
  void forget(Greeter& greeter);

  LaneContext& lane_;
  std::shared_ptr<const LiveListener> listener_;
  std::shared_ptr<const LiveTable> table_;   // The one that listener_ is of.
  uint16_t port_ = 0;
  std::vector<std::unique_ptr<Ear>> ears_;
  std::unordered_map<Greeter*, std::unique_ptr<Greeter>> greeters_;
  std::unordered_map<Http1Server*, std::unique_ptr<Http1Server>> http1_;
  std::unordered_map<Http2Server*, std::unique_ptr<Http2Server>> http2_;
  std::unordered_map<TcpSession*, std::unique_ptr<TcpSession>> raw_;
  Http1Options http1_options_;
  Http2Options http2_options_;
};

}  // namespace server::gateway

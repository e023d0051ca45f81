// server/gateway/http2/server_session.h - the server's side of an HTTP/2 session, without its socket.
#pragma once

#include <chrono>

#include "server/gateway/http2/session.h"

namespace server::gateway::http2 {

class ServerStream;

class ServerSession final : public Session {
 public:
  // Both outlive it.
  ServerSession(const SessionOptions& options, Carrier& carrier, const ClientInfo& client, RequestHandler& handler);
  ~ServerSession() override;

  // Tells the client that no more will be taken; after a round trip, or force_shut_down(), it is so.
  void shut_down();
  void force_shut_down();
  // Resets streams where nothing has moved for that long.
  void reset_stalled(std::chrono::milliseconds body, std::chrono::milliseconds send);

 private:
  friend class ServerStream;
  Stream* make_stream() override;
  void frame_received(const nghttp2_frame& frame) override;

  const ClientInfo& client_;
  RequestHandler& handler_;
  bool noticed_ = false, forced_ = false;
};

}  // namespace server::gateway::http2

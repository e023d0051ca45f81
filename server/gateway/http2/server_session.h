// server/gateway/http2/server_session.h - the server's side of an HTTP/2 session, without its socket.
#pragma once

#include <chrono>
#include <string>

#include "server/gateway/http2/session.h"

namespace server::gateway::http2 {

class ServerStream;

// What a request that is none is answered with.
class Refusals {
 public:
  virtual ~Refusals() = default;
  // The connection adds framing. Without `*body` there is none.
  virtual ResponseHead refusal(int status, std::string* body);
};

class ServerSession final : public Session {
 public:
  // All of them outlive it.
  ServerSession(const SessionOptions& options, Carrier& carrier, const ClientInfo& client, RequestHandler& handler, Refusals& refusals);
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
  Refusals& refusals_;
  bool noticed_ = false, forced_ = false;
};

}  // namespace server::gateway::http2

// server/gateway/http2/client_session.h - the client's side of an HTTP/2 session, without its socket.
#pragma once

#include "server/gateway/http2/session.h"

namespace server::gateway::http2 {

class ClientStream;

class ClientSession final : public Session {
 public:
  ClientSession(const SessionOptions& options, Carrier& carrier, bool tls);
  ~ClientSession() override;

  // Another request may be sent: the peer has not said goodbye, and its limit is not reached.
  bool has_room() const;
  // Never nullptr. `events` hears of everything, errors too, and never from within this call.
  UpstreamStream* open_stream(UpstreamEvents* events);

 private:
  friend class ClientStream;
  Stream* make_stream() override { return nullptr; }
  void frame_received(const nghttp2_frame& frame) override;

  const char* scheme_;
  uint32_t opened_ = 0;
  bool goaway_ = false, settled_ = false;
};

}  // namespace server::gateway::http2

// server/gateway/http2/client.h - one HTTP/2 connection to an endpoint, shared by many requests.
//
// Ownership: the connection belongs to its Host, which is told when it is over: no stream is left by then. Loop thread only.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/gateway/engine/socket.h"
#include "server/gateway/engine/stream.h"
#include "server/gateway/http2/client_session.h"

namespace server::gateway {

class Http2Client final : public Mortal, public Socket::Owner, private http2::Session::Carrier {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    virtual void on_http2_over(Http2Client& connection) = 0;  // To be buried.
    virtual void on_http2_slots(Http2Client& connection) { (void)connection; }  // has_room() again.
  };

  // `socket` is not started yet.
  Http2Client(std::unique_ptr<Socket> socket, Host& host);
  ~Http2Client() override;

  void connect();  // Once.
  bool connected() const { return connected_; }
  // Open, or still connecting; no GOAWAY seen; below the peer's limit of streams.
  bool has_room() const { return !over_ && session_.has_room(); }
  // May be called before it is connected. Errors come to `events`, never from within this call.
  UpstreamStream* open_stream(UpstreamEvents* events);
  bool idle() const { return session_.streams() == 0; }
  // Gives it up; streams that are left fail.
  void drop();

 private:
  void on_open() override;
  void on_open_failed(const std::string& why) override;
  void on_readable() override;
  void on_flush() override;
  void on_drained() override;
  void on_broken() override;
  void want_output() override { socket_->touch(); }
  void want_later() override;
  void end_if_finished();
  void over(Failure failure, std::string_view why);
  void bury_if_empty();

  std::unique_ptr<Socket> socket_;
  Host& host_;
  http2::ClientSession session_;
  base::Loop::Id later_ = 0;
  bool connected_ = false, over_ = false, told_ = false, full_ = false;
};

}  // namespace server::gateway

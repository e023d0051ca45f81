// server/gateway/http2/server.h - one client's HTTP/2 connection: each request is a stream of its own and goes to the handler
// as a Downstream. Extended CONNECT (RFC 8441) comes as a GET that asks for an upgrade, as it does in HTTP/1.1.
//
// Ownership: the connection belongs to its Host, which is told when it is over. Loop thread only.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "server/gateway/engine/deadlines.h"
#include "server/gateway/engine/socket.h"
#include "server/gateway/engine/stream.h"
#include "server/gateway/http2/server_session.h"

namespace server::gateway {

struct Http2Options {
  std::chrono::milliseconds head{60'000};        // For a whole header block.
  std::chrono::milliseconds keep_alive{75'000};  // Without a stream.
  std::chrono::milliseconds body{60'000};        // Between two pieces of a body that is wanted.
  std::chrono::milliseconds send{60'000};        // Between two writes that get anywhere, of a stream too.
  std::chrono::milliseconds drain{1'000};        // For the client to see that it is to go.
  http2::SessionOptions session;
};

class Http2Server final : public Mortal, public Socket::Owner, private http2::Session::Carrier {
 public:
  class Host : public http2::Refusals {
   public:
    virtual void on_connection_over(Http2Server& connection) = 0;  // To be buried.
  };

  // `socket` is open: TLS with "h2" agreed, or plain. `options` outlive the connection.
  Http2Server(std::unique_ptr<Socket> socket, ClientInfo client, RequestHandler& handler, Host& host, Deadlines& deadlines, const Http2Options& options);
  ~Http2Server() override;

  // What has been read of the connection already, the preface too; may be empty.
  void begin(std::string_view first);
  // GOAWAY: what is under way is finished, nothing more is taken, then it is over.
  void drain();
  bool idle() const { return session_.streams() == 0; }
  const ClientInfo& client() const { return client_; }
  // Not empty: it is over because the client broke this rule.
  const std::string& why() const { return session_.why(); }

 private:
  void on_readable() override;
  void on_flush() override;
  void on_drained() override;
  void on_broken() override;
  void want_output() override { socket_->touch(); }
  void want_later() override;
  void on_deadline();
  void arm();
  void end_if_finished();
  void over(std::string_view why);

  std::unique_ptr<Socket> socket_;
  const ClientInfo client_;
  Host& host_;
  Deadlines& deadlines_;
  const Http2Options& options_;
  http2::ServerSession session_;
  Deadline deadline_;
  base::Loop::Id later_ = 0;
  std::chrono::steady_clock::time_point activity_, block_since_, stuck_since_, drain_since_;
  bool over_ = false, draining_ = false, ticking_ = false, in_block_ = false, stuck_ = false;
};

}  // namespace server::gateway

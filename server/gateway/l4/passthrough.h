// server/gateway/l4/passthrough.h - a client's connection whose bytes go to an endpoint as they are: TCP listeners, and TLS that
// is not ended here. Both directions end for themselves; a side that is slow slows the other down.
//
// Ownership: the session belongs to its Host. Loop thread only.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "server/gateway/engine/deadlines.h"
#include "server/gateway/engine/socket.h"
#include "server/gateway/message/message.h"
#include "server/gateway/policy/balance.h"
#include "server/gateway/table/table.h"

namespace server::gateway {

class TcpSession final : public Mortal {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    virtual void on_session_over(TcpSession& session) = 0;  // To be buried.
  };
  TcpSession(base::Loop& loop, Deadlines& deadlines, Host& host, base::Fd client, ClientInfo info, UpstreamPtr upstream, std::shared_ptr<UpstreamState> state, std::chrono::milliseconds idle);
  // Connects: to the next endpoint where one refuses, or does not answer in 5 s. Without any left the client is reset.
  void begin();
  // It may go on to its end, but no longer than that; then both sides are reset.
  void drain(std::chrono::milliseconds patience) { deadlines_.arm(drain_deadline_, patience); }

 private:
  struct Side final : Socket::Owner {
    explicit Side(TcpSession& s) : session(s) {}
    void on_open() override { session.connected(); }
    void on_open_failed(const std::string&) override { session.connect_next(); }
    void on_readable() override { session.pump(*this); }
    void on_drained() override { session.drained(*this); }
    void on_broken() override { session.over(true); }
    TcpSession& session;
    std::unique_ptr<Socket> socket;
    bool ended = false;  // It sends no more.
  };
  void connect_next();
  void connected();
  void pump(Side& from);
  void drained(Side& to);
  void over(bool cut);

  base::Loop& loop_;
  Deadlines& deadlines_;
  Host& host_;
  const ClientInfo info_;
  const UpstreamPtr upstream_;
  const std::shared_ptr<UpstreamState> state_;
  const std::chrono::milliseconds idle_;
  Side client_{*this}, endpoint_{*this};
  std::unique_ptr<Socket> failed_;
  std::vector<bool> tried_;
  size_t attempts_ = 0;
  bool over_ = false;
  Deadline connect_deadline_, idle_deadline_, drain_deadline_;
};

}  // namespace server::gateway

// kubectl-compat/stream/spdy_forward.h - inner part of port_forward: pairs of SPDY streams (error, data), matched
// by the header `requestid`, are connections.
#pragma once

#include <map>
#include <string>

#include "kubectl-compat/stream/port_forward.h"
#include "kubectl-compat/stream/spdy.h"

namespace compat {

class SpdyForward final : public PortForward {
 public:
  PortForwardFeed start() override { return {}; }
  base::Result<PortForwardFeed> feed(std::string_view bytes) override;
  std::string data(uint32_t conn, std::string_view data) override;
  std::string half_close(uint32_t conn) override;
  std::string finish(uint32_t conn) override;
  std::string fail(uint32_t conn, std::string_view message) override;
  std::string failure_bytes() const override;

 private:
  struct Half {  // A pair of which one stream has come.
    uint32_t error = 0;
    uint32_t data = 0;
    std::string early;  // What came on the data stream before the pair was whole.
    bool fin = false;
  };
  struct Conn {
    uint32_t error = 0;
    uint32_t data = 0;
    bool client_done = false;
    bool server_done = false;
  };

  base::Status handle(const SpdyEvent& event, PortForwardFeed& out);
  void open_stream(const SpdyEvent& event, PortForwardFeed& out);
  void join(const std::string& id, uint16_t port, PortForwardFeed& out);
  base::Status input(const SpdyEvent& event, PortForwardFeed& out);
  void reset(uint32_t stream, PortForwardFeed& out);
  std::string end(uint32_t conn, std::string_view message);

  SpdySession session_;
  std::map<std::string, Half> halves_;          // by request id
  std::map<uint32_t, std::string> half_streams_;  // data stream -> request id
  std::map<uint32_t, Conn> conns_;
  std::map<uint32_t, uint32_t> conn_of_;        // data stream -> conn
  uint32_t next_conn_ = 0;
  uint32_t last_stream_ = 0;
  std::string failure_;
  bool closed_ = false;
};

}  // namespace compat

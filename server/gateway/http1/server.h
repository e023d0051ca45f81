// server/gateway/http1/server.h - one client's HTTP/1.x connection: requests in, one at a time (pipelined ones wait), each
// given to the handler as a Downstream, answers out.
//
// Ownership: the connection belongs to its Host, which is told when it is over. Loop thread only.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "server/gateway/engine/deadlines.h"
#include "server/gateway/engine/socket.h"
#include "server/gateway/engine/stream.h"
#include "server/gateway/http1/parser.h"

namespace server::gateway {

struct Http1Options {
  std::chrono::milliseconds head{60'000};        // For a whole head, from its first byte: 408.
  std::chrono::milliseconds keep_alive{75'000};  // Between requests.
  std::chrono::milliseconds body{60'000};        // Between two reads of a body that is wanted: 408.
  std::chrono::milliseconds send{60'000};        // Between two writes that get anywhere.
  uint32_t requests = 1'000;                     // A connection.
  size_t buffered = 64 * 1024;                   // Of an answer, before kFull.
  http1::HeadLimits limits;
};

class Http1Server final : public Downstream, public Socket::Owner, public Mortal {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    virtual void on_connection_over(Http1Server& connection) = 0;  // To be buried.
    // A request that is not one was answered with `status` (0: closed without an answer).
    virtual void on_refused(const Http1Server& connection, int status, const char* why) = 0;
    // What is answered then; the connection adds framing.
    virtual ResponseHead refusal(int status, std::string* body) = 0;
  };

  Http1Server(std::unique_ptr<Socket> socket, ClientInfo client, RequestHandler& handler, Host& host, Deadlines& deadlines, const Http1Options& options);
  ~Http1Server() override;

  // What has been read of the connection already; may be empty.
  void begin(std::string_view first);
  // No further request than the one under way.
  void drain();
  bool idle() const { return state_ == State::kIdle; }

  const ClientInfo& client() const override { return client_; }
  void set_events(DownstreamEvents* events) override { events_ = events; }
  void hold(size_t bytes) override { held_ = std::max(bytes, options_.buffered); }
  void send_informational(int status, const Headers& headers) override;
  void send_head(const ResponseHead& head, bool end) override;
  Flow send_body(std::string_view data, bool end) override;
  void send_trailers(const Headers& trailers) override;
  void read_body(bool on) override;
  void abort() override;
  void close() override;

 private:
  // kIdle: between requests. kHead: a part of one is there. kRequest: with the handler. kLinger: the answer is out, the
  // client still sends. kOver: to be destroyed.
  enum class State : uint8_t { kIdle, kHead, kRequest, kLinger, kOver };
  enum class BodyState : uint8_t { kNone, kLength, kChunked, kTunnel };
  enum class Response : uint8_t { kNone, kHead, kDone };

  void on_readable() override;
  void on_drained() override;
  void on_broken() override;

  void take(std::string_view data);
  size_t process(std::string_view data);
  size_t process_head(std::string_view data, bool* stop);
  size_t process_body(std::string_view data, bool* stop);
  size_t process_chunks(std::string_view data, bool* stop);
  void process_later();
  void refuse(int status, const char* why);
  void end_of_input();
  void body_done();
  void next_request();
  void finish(bool linger);
  void gone();
  void over();
  void on_deadline();
  void update_reading();

  std::unique_ptr<Socket> socket_;
  const ClientInfo client_;
  RequestHandler& handler_;
  Host& host_;
  Deadlines& deadlines_;
  const Http1Options& options_;
  Deadline deadline_;
  DownstreamEvents* events_ = nullptr;

  State state_ = State::kIdle;
  std::string in_;                 // Read and not used yet.
  bool processing_ = false;
  base::Loop::Id later_ = 0;
  uint32_t served_ = 0;
  bool input_ended_ = false;

  // Of the request under way.
  bool old_ = false, head_method_ = false, keep_alive_ = true, wants_body_ = false;
  bool awaits_continue_ = false;  // Expect: 100-continue came, and 100 was not said.
  BodyState body_ = BodyState::kNone;
  uint64_t left_ = 0;              // kLength
  size_t held_ = 0;                // Of the answer, before kFull.
  std::unique_ptr<http1::ChunkedReader> chunks_;
  uint64_t lingered_ = 0;
  Response response_ = Response::kNone;
  bool chunked_out_ = false, tunnel_out_ = false, close_after_ = false, lingers_ = false;
  bool draining_ = false;
};

}  // namespace server::gateway

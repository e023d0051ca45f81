// server/gateway/http1/client.h - one HTTP/1.1 connection to an endpoint: one request at a time, kept in between.
//
// Ownership: the connection belongs to its Host. Loop thread only.
#pragma once

#include <memory>
#include <string>

#include "server/gateway/engine/socket.h"
#include "server/gateway/engine/stream.h"
#include "server/gateway/http1/parser.h"

namespace server::gateway {

class Http1Client final : public UpstreamStream, public Socket::Owner, public Mortal {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    virtual void on_idle(Http1Client& connection) = 0;             // Its exchange is over and it can take another.
    virtual void on_connection_over(Http1Client& connection) = 0;  // To be buried.
  };

  // `socket` not started, or idle from before.
  Http1Client(std::unique_ptr<Socket> socket, Host& host, size_t max_head);
  // A request may be sent from now on. `connection_header`: instead of none; with "close" it is not kept.
  void begin(UpstreamEvents* events, const std::string& connection_header, bool http10);
  void connect();  // Once, before or after begin().
  bool connected() const { return connected_; }
  // Kept and silent: may be used again.
  bool usable() const { return state_ == State::kIdle && socket_->quiet(); }
  bool reused() const { return uses_ > 1; }
  uint32_t uses() const { return uses_; }
  // Gives up a connection that is being made, or an idle one.
  void drop();

  void send_head(const RequestHead& head, bool end) override;
  Flow send_body(std::string_view data, bool end) override;
  void send_trailers(const Headers& trailers) override;
  void read_body(bool on) override;
  void close() override;

 private:
  enum class State : uint8_t { kIdle, kHead, kBody, kDone, kOver };
  enum class BodyState : uint8_t { kNone, kLength, kChunked, kUntilEnd };

  void on_open() override;
  void on_open_failed(const std::string& why) override;
  void on_readable() override;
  void on_drained() override;
  void on_broken() override;

  void take(std::string_view data);
  size_t process(std::string_view data);
  size_t process_head(std::string_view data, bool* stop);
  size_t process_body(std::string_view data, bool* stop);
  void end_of_input(bool clean);
  void fail(Failure failure, std::string_view text);
  void body_done();
  void over();

  std::unique_ptr<Socket> socket_;
  Host& host_;
  const size_t max_head_;
  UpstreamEvents* events_ = nullptr;
  State state_ = State::kIdle;
  BodyState body_ = BodyState::kNone;
  uint64_t left_ = 0;
  std::unique_ptr<http1::ChunkedReader> chunks_;
  std::string in_;
  std::string method_, connection_header_;
  bool connected_ = false, http10_ = false;
  bool processing_ = false, wants_body_ = true;
  bool keep_alive_ = true, request_done_ = false, chunked_out_ = false, tunnel_ = false, answered_ = false, closed_ = false;
  uint32_t uses_ = 0;
  base::Loop::Id later_ = 0;

 public:
  ~Http1Client() override;
};

}  // namespace server::gateway

// server/gateway/engine/greeter.h - a client's connection until it is known what it speaks: PROXY protocol first where the
// listener expects it, then TLS (or its name only, where bytes pass as they are), then HTTP/2's preface or anything else.
//
// What must not be taken from the stream is only looked at (MSG_PEEK). Loop thread only.
#pragma once

#include <memory>
#include <string>

#include "server/gateway/engine/deadlines.h"
#include "server/gateway/engine/live_table.h"
#include "server/gateway/engine/socket.h"
#include "server/gateway/message/message.h"
#include "store/base/fd.h"

namespace server::gateway {

class Front;

class Greeter final : public Socket::Owner, public Mortal {
 public:
  Greeter(Front& front, base::Fd fd, ClientInfo client);
  ~Greeter() override;
  void start();
  void drop();  // Forgets the connection.

 private:
  enum class Stage : uint8_t { kProxy, kHello, kSpeech };
  void on_open() override;
  void on_open_failed(const std::string& why) override;
  void on_readable() override;
  void on_broken() override;

  void next_stage();
  void watch_raw();
  void peek();
  bool peek_proxy(std::string_view bytes);
  bool peek_hello(std::string_view bytes);
  void begin_speech();
  void wait_for(size_t more_than);

  Front& front_;
  base::Fd fd_;                     // Until the socket has it.
  std::unique_ptr<Socket> socket_;
  ClientInfo client_;
  std::shared_ptr<const LiveListener> listener_;
  Stage stage_ = Stage::kProxy;
  base::Loop::Id watch_ = 0;
  std::string first_;               // Read, not given on yet.
  Deadline deadline_;
};

}  // namespace server::gateway

// libFuzzer: a SPDY client. Even byte 0: the rest is the raw input. Odd: the rest is a script of frames, because no fuzzer
// guesses its way through zlib. The state machines must not mind either, however the bytes are cut.
#include <cstdint>
#include <cstdlib>

#include "kubectl-compat/stream/port_forward.h"
#include "kubectl-compat/stream/remote_command.h"
#include "tests/kubectl-compat/stream/spdy_client.h"
#include "kubectl-compat/stream/spdy.h"

namespace {

class Script {
 public:
  Script(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool done() const { return at_ >= size_; }
  uint8_t next() { return done() ? 0 : data_[at_++]; }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
};

std::string frames(Script script) {
  static const char* kTypes[] = {"error", "data", "stdin", "stdout", "stderr", "resize", "x", ""};
  static const char* kPorts[] = {"80", "0", "65536", "-1", ""};
  compat::SpdyClient client;
  std::string out;
  for (int i = 0; i < 64 && !script.done(); ++i) {
    uint8_t action = script.next();
    uint32_t stream = script.next() % 32;
    bool fin = (action & 0x80) != 0;
    switch (action % 7) {
      case 0:
      case 1: {
        std::map<std::string, std::string> headers = {{"streamtype", kTypes[script.next() % 8]}, {"port", kPorts[script.next() % 5]}};
        uint8_t id = script.next();
        if (id % 4 != 0) headers["requestid"] = std::to_string(id % 4);
        out += client.syn_stream(stream, headers, fin);
        break;
      }
      case 2:
      case 3: out += compat::SpdyClient::data(stream, std::string(script.next(), 'd'), fin); break;
      case 4: out += compat::SpdyClient::reset(stream); break;
      case 5: out += compat::SpdyClient::ping(stream); break;
      default: out += fin ? compat::SpdyClient::go_away() : compat::SpdyClient::control(8, 0, compat::be32(stream) + client.compress(compat::be32(0)));
    }
  }
  return out;
}

void drive_command(std::string_view bytes, size_t cut, bool tty) {
  auto rc = compat::RemoteCommand::make(compat::RemoteProtocol::kSpdyV4, {true, true, true, tty});
  bool ready = false, closed = false;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(cut, bytes.size()))) {
    auto feed = rc->feed(bytes.substr(0, cut));
    if (!feed.ok()) break;
    for (const auto& event : feed->events) {
      bool is_ready = event.kind == compat::RemoteEvent::Kind::kReady;
      if (closed || (is_ready && ready)) abort();
      if (!ready && !is_ready && event.kind != compat::RemoteEvent::Kind::kClosed) abort();
      ready = ready || is_ready;
      closed = event.kind == compat::RemoteEvent::Kind::kClosed;
    }
    rc->stdout_data("x");
  }
  rc->finish(compat::exit_status_json(0));
  if (!rc->finish("").empty()) abort();
}

void drive_forward(std::string_view bytes, size_t cut) {
  auto pf = compat::PortForward::make(compat::PortForwardProtocol::kSpdy, {});
  std::map<uint32_t, bool> open;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(cut, bytes.size()))) {
    auto feed = pf->feed(bytes.substr(0, cut));
    if (!feed.ok()) break;
    for (const auto& event : feed->events) {
      using Kind = compat::PortForwardEvent::Kind;
      if (event.kind == Kind::kClosed) return;
      if (event.kind == Kind::kOpen ? open.contains(event.conn) : !open[event.conn]) abort();
      open[event.conn] = event.kind != Kind::kReset;
      if (event.kind == Kind::kData && event.data.size() % 3 == 0) pf->half_close(event.conn);
      if (event.kind == Kind::kData && event.data.size() % 5 == 0) {
        pf->fail(event.conn, "refused");
        if (!pf->data(event.conn, "x").empty()) abort();
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  size_t cut = data[1] % 64 + 1;
  bool raw = data[0] % 2 == 0;
  std::string bytes = raw ? std::string(reinterpret_cast<const char*>(data) + 2, size - 2) : frames(Script(data + 2, size - 2));
  drive_command(bytes, cut, (data[0] & 2) != 0);
  drive_forward(bytes, cut);
  return 0;
}

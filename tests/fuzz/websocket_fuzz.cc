// libFuzzer: any bytes as a WebSocket client's. Byte 0 says how they are cut; a cut may not matter.
#include <cstdint>
#include <cstdlib>

#include "kubectl-compat/stream/port_forward.h"
#include "kubectl-compat/stream/remote_command.h"
#include "kubectl-compat/stream/websocket.h"

namespace {

std::string run(std::string_view bytes, size_t cut) {
  compat::WsDecoder decoder(1 << 16);
  std::string out;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(cut, bytes.size()))) {
    auto messages = decoder.feed(bytes.substr(0, cut));
    if (!messages.ok()) return "error: " + messages.error().message;  // What came before it depends on the cut.
    for (const auto& message : *messages) out += static_cast<char>(message.opcode) + message.payload + "|";
  }
  return out;
}

template <class Machine>
void drive(Machine& machine, std::string_view bytes, size_t cut) {
  machine.start();
  bool failed = false;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(cut, bytes.size()))) {
    auto feed = machine.feed(bytes.substr(0, cut));
    if (failed && feed.ok()) abort();
    failed = !feed.ok();
  }
  if (machine.failure_bytes().empty()) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  size_t cut = data[0] % 16 + 1;
  if (run(bytes, cut) != run(bytes, bytes.size() + 1)) abort();
  auto v5 = compat::RemoteCommand::make(compat::RemoteProtocol::kWebSocketV5, {true, true, true, true});
  drive(*v5, bytes, cut);
  v5->stdout_data("x");
  v5->finish(compat::exit_status_json(1));
  auto channels = compat::PortForward::make(compat::PortForwardProtocol::kWebSocket, {80, 81});
  drive(*channels, bytes, cut);
  auto tunnel = compat::PortForward::make(compat::PortForwardProtocol::kSpdyTunnel, {});
  drive(*tunnel, bytes, cut);
  return 0;
}

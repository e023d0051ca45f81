#include "kubectl-compat/stream/remote_command.h"

#include <nlohmann/json.hpp>

#include "kubectl-compat/stream/negotiate_stream.h"
#include "kubectl-compat/stream/remote_framing.h"

namespace compat {
namespace {

constexpr std::string_view kV5 = "v5.channel.k8s.io";
constexpr std::string_view kV4 = "v4.channel.k8s.io";
constexpr std::string_view kCommandWebSocketSpoken[] = {kV5, kV4};
constexpr std::string_view kCommandSpdySpoken[] = {kV4};
constexpr size_t kMaxResizeText = 1024;

// Text as a JSON string. Bytes that are no UTF-8 (a program's own words) become replacement characters.
std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

int dimension(const nlohmann::json& size, const char* name) {
  auto it = size.find(name);
  if (it == size.end() || !it->is_number_unsigned()) return 0;
  return static_cast<int>(std::min<uint64_t>(it->get<uint64_t>(), 0xffff));
}

}  // namespace

base::Result<RemoteChoice> choose_websocket_protocol(const std::vector<std::string>& offered) {
  auto offers = split_offers(offered);
  auto name = first_spoken(offers, kCommandWebSocketSpoken);
  if (!name) return base::Error{base::Code::kBadRequest, cannot_negotiate(offers, kCommandWebSocketSpoken)};
  return RemoteChoice{*name == kV5 ? RemoteProtocol::kWebSocketV5 : RemoteProtocol::kWebSocketV4, *name};
}

base::Result<RemoteChoice> choose_spdy_protocol(const std::vector<std::string>& offered) {
  auto offers = split_offers(offered);
  auto name = first_spoken(offers, kCommandSpdySpoken);
  if (!name) return base::Error{base::Code::kForbidden, cannot_negotiate(offers, kCommandSpdySpoken)};
  return RemoteChoice{RemoteProtocol::kSpdyV4, *name};
}

std::unique_ptr<RemoteCommand> RemoteCommand::make(RemoteProtocol protocol, RemoteStreams streams) {
  if (streams.tty) streams.err = false;  // A terminal has one output.
  if (protocol == RemoteProtocol::kSpdyV4) return make_spdy_remote_command(streams);
  return make_websocket_remote_command(streams, protocol == RemoteProtocol::kWebSocketV5);
}

void ResizeParser::feed(std::string_view bytes, std::vector<RemoteEvent>& out) {
  for (char byte : bytes) {
    text_ += byte;
    if (text_.size() > kMaxResizeText) text_.clear();
    if (byte != '}') continue;
    auto size = nlohmann::json::parse(std::exchange(text_, {}), nullptr, false);
    if (!size.is_object()) continue;
    RemoteEvent event;
    event.kind = RemoteEvent::Kind::kResize;
    event.width = dimension(size, "Width");
    event.height = dimension(size, "Height");
    if (event.width > 0 && event.height > 0) out.push_back(std::move(event));
  }
}

std::string exit_status_json(int exit_code) {
  if (exit_code == 0) return R"({"metadata":{},"status":"Success"})";
  std::string code = std::to_string(exit_code);
  return R"({"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: exit status )" + code +
         R"(","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":")" + code + R"("}]}})";
}

std::string error_status_json(std::string_view message) {
  return R"({"metadata":{},"status":"Failure","message":)" + json_text("Internal error occurred: " + std::string(message)) +
         R"(,"reason":"InternalError","details":{"causes":[{"message":)" + json_text(message) + R"(}]},"code":500})";
}

}  // namespace compat

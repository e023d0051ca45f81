#include "server/app/control_protocol.h"

#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <cerrno>

namespace server {
namespace {

constexpr uint32_t kMaxMessage = 64u << 20;

base::Status read_exact(int socket, char* out, size_t size) {
  while (size > 0) {
    ssize_t n = ::read(socket, out, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::os_error("read from the control socket");
    if (n == 0) return base::Error(base::Code::kUnavailable, "the other side closed the control socket");
    out += n;
    size -= static_cast<size_t>(n);
  }
  return {};
}

}  // namespace

base::Status send_message(int socket, const json& body, const std::vector<int>& fds) {
  std::string text = body.dump(-1, ' ', false, json::error_handler_t::replace);
  uint32_t size = static_cast<uint32_t>(text.size());
  std::string framed(reinterpret_cast<const char*>(&size), sizeof size);  // Same machine: host byte order.
  framed += text;
  return base::send_with_fds(socket, framed, fds);
}

base::Result<json> receive_message(int socket, std::vector<base::Fd>* fds) {
  base::Received head = TRY(base::receive_with_fds(socket, sizeof(uint32_t)));
  if (head.data.empty()) return base::Error(base::Code::kUnavailable, "the other side closed the control socket");
  uint32_t size = 0;
  size_t had = head.data.size();
  head.data.resize(sizeof size);
  if (had < sizeof size) TRY_STATUS(read_exact(socket, head.data.data() + had, sizeof size - had));
  std::memcpy(&size, head.data.data(), sizeof size);
  if (size > kMaxMessage) return base::Error(base::Code::kTooLarge, "control message too large");
  std::string text(size, '\0');
  TRY_STATUS(read_exact(socket, text.data(), size));
  json body = json::parse(text, nullptr, false);
  if (!body.is_object()) return base::Error(base::Code::kBadRequest, "control message is not a JSON object");
  if (fds != nullptr) *fds = std::move(head.fds);
  return body;
}

}  // namespace server

#include "server/api/subresources/stream_common.h"

#include <cstdlib>

#include "kubectl-compat/stream/websocket.h"
#include "server/api/status.h"
#include "store/base/text.h"
#include "store/object/access.h"

namespace server {

UpgradeKind upgrade_kind(const HttpRequest& request) {
  const std::string value = base::lower(request.header("upgrade"));
  if (value == "websocket" && !request.header("sec-websocket-key").empty()) return UpgradeKind::kWebSocket;
  if (value == "spdy/3.1") return UpgradeKind::kSpdy;
  return UpgradeKind::kNone;
}

std::vector<std::string> header_values(const HttpRequest& request, const std::string& lower_name) {
  std::vector<std::string> out;
  auto [first, last] = request.headers.equal_range(lower_name);
  for (; first != last; ++first) {
    const std::string& line = first->second;
    for (size_t at = 0; at <= line.size();) {
      size_t comma = std::min(line.find(',', at), line.size());
      size_t from = line.find_first_not_of(" \t", at);
      if (from < comma) {
        std::string value = line.substr(from, comma - from);
        value.erase(value.find_last_not_of(" \t") + 1);
        out.push_back(std::move(value));
      }
      at = comma + 1;
    }
  }
  return out;
}

Headers websocket_headers(const HttpRequest& request, const std::string& protocol) {
  Headers out = {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", compat::websocket_accept(request.header("sec-websocket-key"))}};
  if (!protocol.empty()) out.emplace_back("Sec-WebSocket-Protocol", protocol);
  return out;
}

Headers spdy_headers(const std::string& protocol) {
  Headers out = {{"Connection", "Upgrade"}, {"Upgrade", "SPDY/3.1"}};
  if (!protocol.empty()) out.emplace_back("X-Stream-Protocol-Version", protocol);
  return out;
}

bool makes_streams_late(std::string_view user_agent) {
  if (user_agent.find(") kubernetes/") == std::string_view::npos) return false;  // "kubectl/v1.32.0 (linux/amd64) kubernetes/70d3cc9"
  constexpr std::string_view kKubectl = "kubectl/v1.";
  if (!user_agent.starts_with(kKubectl)) return true;
  return std::atoi(std::string(user_agent.substr(kKubectl.size(), 3)).c_str()) < 33;
}

base::Result<PodRuntime*> find_runtime(const Call& call) {
  auto pod = call.core.pipeline.get(call.resource, call.info.ns, call.info.name);
  if (!pod.ok()) return std::move(pod).error();
  if (store::get_string(pod->tree(), "spec.nodeName").empty()) return bad_request("pod " + call.info.name + " does not have a host assigned");
  PodRuntime* runtime = call.core.runtime;
  if (!runtime) return base::Error(base::Code::kUnavailable, "the node agent is not running");
  return runtime;
}

}  // namespace server

// server/api/subresources/stream_common.h - what exec, attach and port-forward share. Internal.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/api/core.h"

namespace server {

enum class UpgradeKind { kNone, kWebSocket, kSpdy };
UpgradeKind upgrade_kind(const HttpRequest& request);
// All values of a header that may be repeated or comma separated.
std::vector<std::string> header_values(const HttpRequest& request, const std::string& lower_name);
// The headers of the 101.
using Headers = std::vector<std::pair<std::string, std::string>>;
Headers websocket_headers(const HttpRequest& request, const std::string& protocol);
Headers spdy_headers(const std::string& protocol);

// client-go up to 1.32 makes its WebSocket streams while it reads already, and throws away what comes for one that is not
// made yet ("Unknown stream id 1, discarding message"). Programs other than kubectl do not say which client-go they have.
bool makes_streams_late(std::string_view user_agent);

// The pod must exist, and somebody must run pods.
base::Result<PodRuntime*> find_runtime(const Call& call);

}  // namespace server

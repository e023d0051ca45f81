// server/images/app_connection.h - one HTTP connection of AppServer, from its first byte to its last. Blocks; internal.
#pragma once

#include <functional>
#include <string>

#include "server/images/app_server.h"

namespace server::images {

struct ConnectionHooks {
  // Before a wait for a request, and after one's first bytes. False: the server ends; close.
  std::function<bool(bool busy)> set_busy;
};
// Serves requests until either side closes. `fd` stays the caller's.
void serve_http_connection(int fd, const std::string& peer, const AppHandler& handler, const AppTls* tls, const ConnectionHooks& hooks);

}  // namespace server::images

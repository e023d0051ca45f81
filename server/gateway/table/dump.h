// server/gateway/table/dump.h - a table as text: one line a listener, host and route, and one for each thing that is not as it
// usually is. The same for equal tables: for golden tests, and for people. Pure; any thread.
//
//   http :80
//     host shop.example.com
//       prefix /cart -> default/cart:80 [10.244.1.5:8080]
//         redirect 308 https://$host$request_uri_without_slash (without TLS)
//         max body 8388608
#pragma once

#include <string>

#include "server/gateway/table/table.h"

namespace server::gateway {

enum class DumpOrigins { kLeaveOut, kShow };  // "  # Ingress default/shop spec.rules[0].http.paths[0]" at the end of lines.

std::string dump(const Table& table, DumpOrigins origins = DumpOrigins::kLeaveOut);
std::string dump(const Listener& listener, DumpOrigins origins = DumpOrigins::kLeaveOut);

}  // namespace server::gateway

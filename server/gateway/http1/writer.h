// server/gateway/http1/writer.h - messages as they are written. What appends to `out`: any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/gateway/engine/socket.h"

#include "server/gateway/message/headers.h"

namespace server::gateway::http1 {

// `reason` empty: the usual one.
void append_status_line(int status, std::string_view reason, std::string* out);
void append_fields(const Headers& headers, std::string* out);
void append_length(uint64_t length, std::string* out);
void append_date(std::string* out);  // Of this second.
// A piece of body, framed as the head said; `end`: the last one. On the socket's thread.
void write_body(Socket& socket, bool chunked, std::string_view data, bool end);

}  // namespace server::gateway::http1

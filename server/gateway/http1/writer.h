// server/gateway/http1/writer.h - messages as they are written. What appends to `out`: any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/gateway/engine/socket.h"
#include "server/gateway/message/message.h"

namespace server::gateway::http1 {

// `reason` empty: the usual one.
void append_status_line(int status, std::string_view reason, std::string* out);
void append_fields(const Headers& headers, std::string* out);
void append_length(uint64_t length, std::string* out);
void append_date(std::string* out);  // Of this second.
// A whole request's head, framed as `head.body` says (HTTP/1.0 has no chunks: a stream ends with the connection). `connection`: what its
// Connection field says unless an upgrade does; empty: nothing in HTTP/1.1, close in 1.0.
void append_request_head(const RequestHead& head, bool http10, std::string_view connection, std::string* out);
// A piece of body, framed as the head said; `end`: the last one. On the socket's thread.
void write_body(Socket& socket, bool chunked, std::string_view data, bool end);

}  // namespace server::gateway::http1

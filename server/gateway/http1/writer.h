// server/gateway/http1/writer.h - the parts of heads as they are written. Appends to `out`; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/gateway/message/headers.h"

namespace server::gateway::http1 {

// `reason` empty: the usual one.
void append_status_line(int status, std::string_view reason, std::string* out);
void append_fields(const Headers& headers, std::string* out);
void append_length(uint64_t length, std::string* out);
void append_date(std::string* out);  // Of this second.

}  // namespace server::gateway::http1

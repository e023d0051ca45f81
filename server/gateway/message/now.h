// server/gateway/message/now.h - this second as text, made once a second and thread. A view is good until the same thread's next
// call in another second.
#pragma once

#include <string_view>

namespace server::gateway {

std::string_view http_date_now();  // "Mon, 23 Nov 2026 15:25:00 GMT"
std::string_view log_time_now();   // "23/Nov/2026:15:25:00 +0000"

}  // namespace server::gateway

// server/gateway/policy/pages.h - what the gateway itself says to a client, in nginx's words.
#pragma once

#include <string>

namespace server::gateway {

// The body (text/html) of an answer of that status; empty for a status of which nginx has no page (418), or that has no body.
// 408 and 431, of which it has none either, get one of the same make.
// The statuses 494 to 497 are nginx's own and are sent as 400: see sent_status().
std::string error_page(int status);
// 494 (head too large), 495 (bad client certificate), 496 (none), 497 (plain HTTP to the TLS port): 400. Else the same.
int sent_status(int status);

}  // namespace server::gateway

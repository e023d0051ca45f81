// server/app/control_protocol.h - what the CLI and the daemon say to each other over STATE_DIR/control.sock:
// one JSON request, one JSON answer, each with a 4-byte length before it, descriptors beside the first byte.
//
//   {"op":"status"}                          -> {"ok":true, ...}
//   {"op":"place","target":"pod/NS/NAME"}    -> {"ok":true,"have":"umpn"} + namespace descriptors
//   {"op":"apply","manifest":"...","source":"f.yaml","settle":true} -> {"ok":true,"lines":[...]}
//   {"op":"publish","action":"add|remove|list","ports":["8080:svc/web:80"]} -> {"ok":true,"ports":[{...}]}
//   {"op":"explain","subject":"ingress","url":"example.com/app","method":"GET","headers":[["A","b"]],"tls":false} -> {"ok":true,"explanation":{...}}
//   {"op":"verify"}                          -> {"ok":true,"differences":[...]}: nodes' kernels beside what they should have
//   {"op":"down"}                            -> {"ok":true}, then the daemon ends
//   failure                                  -> {"ok":false,"error":"..."}
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "store/base/fd.h"
#include "store/base/result.h"

namespace server {

using json = nlohmann::json;

// Both block. A message is at most 64 MiB. kUnavailable when the peer closed.
base::Status send_message(int socket, const json& body, const std::vector<int>& fds = {});
base::Result<json> receive_message(int socket, std::vector<base::Fd>* fds);

}  // namespace server

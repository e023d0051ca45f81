// Which subresources there are beyond status.
#include "server/api/subresources/handlers.h"

namespace server {

SubresourceHandler find_subresource_handler(const store::Resource& r, const std::string& name) {
  struct Row {
    std::string_view resource;  // Storage name; "" = any.
    std::string_view subresource;
    SubresourceHandler handler;
  };
  static constexpr Row kRows[] = {
      {"", "scale", serve_scale},
      {"pods", "binding", serve_binding},
      {"pods", "eviction", serve_eviction},
      {"pods", "log", serve_log},
      {"pods", "exec", serve_exec},
      {"pods", "attach", serve_attach},
      {"pods", "portforward", serve_port_forward},
      {"pods", "proxy", serve_proxy},
      {"services", "proxy", serve_proxy},
      {"nodes", "proxy", serve_proxy},
      {"certificatesigningrequests.certificates.k8s.io", "approval", serve_approval},
      {"namespaces", "finalize", serve_finalize},
      {"serviceaccounts", "token", serve_token},
  };
  for (const Row& row : kRows) {
    if (row.subresource == name && (row.resource.empty() || row.resource == r.storage_name)) return row.handler;
  }
  return nullptr;
}

}  // namespace server

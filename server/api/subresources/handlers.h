// server/api/subresources/handlers.h - the subresources that are more than a part of their object.
#pragma once

#include "server/api/verbs.h"

namespace server {

HttpResponse serve_scale(const Call& call);
HttpResponse serve_binding(const Call& call);
HttpResponse serve_eviction(const Call& call);
HttpResponse serve_approval(const Call& call);
HttpResponse serve_token(const Call& call);
HttpResponse serve_finalize(const Call& call);
HttpResponse serve_log(const Call& call);
HttpResponse serve_exec(const Call& call);
HttpResponse serve_attach(const Call& call);
HttpResponse serve_port_forward(const Call& call);
HttpResponse serve_proxy(const Call& call);

}  // namespace server

// server/api/respond.h - objects in the form that the client accepts: plain, Table, or metadata only.
#pragma once

#include "kubectl-compat/negotiate/negotiate.h"
#include "kubectl-compat/table/table.h"
#include "server/api/core.h"

namespace server {

// How this request wants its objects; kNotAcceptable or kBadRequest otherwise.
struct Form {
  compat::Negotiated negotiated;
  compat::TableOptions table;
  bool pretty = false;
};
base::Result<Form> choose_form(const Call& call);

// The object as `r` shows it (versions of a kind share storage). Shares the stored bytes when they fit.
std::shared_ptr<const std::string> object_bytes(const store::Resource& r, const store::Object& object);

HttpResponse object_response(const Call& call, int code, const store::Object& object, const std::vector<std::string>& warnings = {});

struct ListMeta {
  store::Revision revision = 0;
  std::string continue_token;
  std::optional<size_t> remaining;
};

void add_warnings(HttpResponse& response, const std::vector<std::string>& warnings);
bool takes_gzip(const HttpRequest& request);
// gzip for large bodies when the client takes it.
void compress(const HttpRequest& request, HttpResponse& response);

}  // namespace server

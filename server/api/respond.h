// server/api/respond.h - objects in the form that the client accepts: plain, Table, or metadata only.
#pragma once

#include <optional>

#include "kubectl-compat/negotiate/negotiate.h"
#include "kubectl-compat/table/table.h"
#include "server/api/core.h"

namespace server {

// How this request wants its objects; kNotAcceptable or kBadRequest otherwise. The metadata of a list are asked for by
// another name than those of one object.
struct Form {
  compat::Negotiated negotiated;
  compat::TableOptions table;
  bool pretty = false;
  bool yaml = false;
};
enum class Shape { kObject, kList, kStream };
base::Result<Form> choose_form(const Call& call, Shape shape);
// Before anything is done for a request: is there a form that it takes? Nothing: there is.
std::optional<HttpResponse> refuse_form(const Call& call);
// Turns an answer in JSON into YAML when that is what the request wants.
void to_yaml(const HttpRequest& request, HttpResponse& response);

// The object as `r` shows it (versions of a kind share storage). Shares the stored bytes when they fit.
std::shared_ptr<const std::string> object_bytes(const store::Resource& r, const store::Object& object);

HttpResponse object_response(const Call& call, int code, const store::Object& object, const std::vector<std::string>& warnings = {});

struct ListMeta {
  store::Revision revision = 0;
  std::string continue_token;
  std::optional<size_t> remaining;
};

// What became of a write that failed: only what decoding had to say is told.
HttpResponse write_error(const base::Error& error, const WriteContext& context);
void add_warnings(HttpResponse& response, const std::vector<std::string>& warnings);
bool takes_gzip(const HttpRequest& request);
// gzip for large bodies when the client takes it.
void compress(const HttpRequest& request, HttpResponse& response);

}  // namespace server

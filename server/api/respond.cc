#include "server/api/respond.h"

#include <nlohmann/json.hpp>
#include <set>

#include "server/api/gzip.h"
#include "server/api/status.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr size_t kCompressFrom = 128 * 1024;  // As upstream: below, the time costs more than the bytes.
constexpr size_t kMaxWarnings = 4096;         // Characters in all headers together.
constexpr size_t kMaxWarning = 256;           // Each, once they are more than that.

HttpResponse text_response(const Form& form, int code, const json& body) {
  HttpResponse response = json_response(code, body);
  if (form.pretty) response.body = body.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  response.content_type = form.negotiated.content_type.empty() ? "application/json" : form.negotiated.content_type;
  return response;
}

// People read what these print; programs name themselves otherwise.
bool wants_pretty(const HttpRequest& request) {
  if (request.param("pretty")) return query_flag(request, "pretty");
  const std::string agent = request.header("user-agent");
  return agent.starts_with("curl") || agent.starts_with("Wget") || agent.starts_with("Mozilla/5.0");
}

}  // namespace

base::Result<Form> choose_form(const Call& call) {
  Form form;
  form.negotiated = TRY(compat::negotiate(call.request.header("accept")));
  // Aggregated discovery is only at /api and /apis.
  if (form.negotiated.as == compat::As::kAggregatedDiscovery) form.negotiated = {};
  form.pretty = form.negotiated.pretty || wants_pretty(call.request);
  form.table.now = call.core.clock.wall();
  form.table.version = form.negotiated.version.empty() ? "v1" : form.negotiated.version;
  std::string include = call.request.param("includeObject").value_or("");
  if (include == "Object") form.table.include = compat::IncludeObject::kObject;
  else if (include == "None") form.table.include = compat::IncludeObject::kNone;
  else if (!include.empty() && include != "Metadata") return bad_request("unrecognized includeObject value: \"" + include + "\"");
  return form;
}

std::shared_ptr<const std::string> object_bytes(const store::Resource& r, const store::Object& object) {
  // Keys are sorted, so apiVersion comes first.
  const std::string start = "{\"apiVersion\":\"" + r.api_version() + "\"";
  if (object.bytes().starts_with(start)) {
    auto holder = std::make_shared<store::Object>(object);
    return {holder, &holder->bytes()};
  }
  json tree = object.tree();
  tree["apiVersion"] = r.api_version();
  tree["kind"] = r.kind;
  return std::make_shared<const std::string>(tree.dump(-1, ' ', false, json::error_handler_t::replace));
}

HttpResponse object_response(const Call& call, int code, const store::Object& object, const std::vector<std::string>& warnings) {
  auto form = choose_form(call);
  if (!form.ok()) return error_response(form.error());
  HttpResponse response;
  switch (form->negotiated.as) {
    case compat::As::kTable: {
      json meta = {{"resourceVersion", std::to_string(object.revision())}};
      response = text_response(*form, code, compat::render_table(call.resource, std::span(&object, 1), meta, form->table));
      break;
    }
    case compat::As::kPartialMetadata:
    case compat::As::kPartialMetadataList:
      response = text_response(*form, code, compat::partial_metadata(object, form->table.version));
      break;
    default:
      if (form->pretty) {
        response = text_response(*form, code, json::parse(*object_bytes(call.resource, object), nullptr, false));
      } else {
        response.status = code;
        response.shared_body = object_bytes(call.resource, object);
      }
  }
  add_warnings(response, warnings);
  return response;
}

void add_warnings(HttpResponse& response, const std::vector<std::string>& warnings) {
  std::set<std::string> seen;
  size_t total = 0, written = 0;
  for (const std::string& warning : warnings) total += warning.size();
  for (const std::string& warning : warnings) {
    if (!seen.insert(warning).second) continue;
    if (written >= kMaxWarnings) break;
    std::string text = total > kMaxWarnings ? warning.substr(0, kMaxWarning) : warning;
    written += text.size();
    std::string quoted = "299 - \"";
    for (char c : text) {
      if (static_cast<unsigned char>(c) < 0x20) continue;  // A header is one line.
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
    response.headers.emplace_back("Warning", quoted + "\"");
  }
}

bool takes_gzip(const HttpRequest& request) { return request.header("accept-encoding").find("gzip") != std::string::npos; }

void compress(const HttpRequest& request, HttpResponse& response) {
  const std::string& body = response.shared_body ? *response.shared_body : response.body;
  if (body.size() < kCompressFrom || response.stream || response.upgrade) return;
  if (!takes_gzip(request)) return;
  std::string out;
  const Write append = [&out](std::string_view part) { return out.append(part), true; };
  Gzip gzip(append);
  if (!gzip.add(body) || !gzip.finish()) return;
  response.shared_body.reset();
  response.body = std::move(out);
  response.headers.emplace_back("Content-Encoding", "gzip");
  response.headers.emplace_back("Vary", "Accept-Encoding");
}

}  // namespace server

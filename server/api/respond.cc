#include "server/api/respond.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "server/api/go_text.h"
#include "server/api/gzip.h"
#include "server/api/status.h"
#include "server/api/yaml_text.h"
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
  if (auto pretty = request.param("pretty"); pretty && !pretty->empty()) return parse_bool(*pretty, false);
  const std::string agent = request.header("user-agent");
  return agent.starts_with("curl") || agent.starts_with("Wget") || agent.starts_with("Mozilla/5.0");
}

// The Go type that upstream keeps objects of a kind in: "*core.ConfigMap".
std::string go_type(const store::Resource& r, Shape shape) {
  if (r.custom) return shape == Shape::kList ? "*unstructured.UnstructuredList" : "*unstructured.Unstructured";
  const std::string_view package = r.group.empty() || r.group == "events.k8s.io" ? "core" : r.group.substr(0, r.group.find('.'));
  return "*" + std::string(package) + "." + std::string(shape == Shape::kList ? r.list_kind : r.kind);
}

base::Status check_shape(const Call& call, compat::As as, Shape shape) {
  const bool one = as == compat::As::kPartialMetadata, many = as == compat::As::kPartialMetadataList;
  if (one && shape == Shape::kList) {
    return base::Error(base::Code::kNotAcceptable, "you requested PartialObjectMetadata, but the requested object is a list (" + go_type(call.resource, shape) + ")");
  }
  if (many && shape == Shape::kObject) {
    return base::Error(base::Code::kNotAcceptable, "you requested PartialObjectMetadataList, but the requested object is not a list (" + go_type(call.resource, shape) + ")");
  }
  return {};
}

bool is_connection(const RequestInfo& info) {
  static constexpr std::string_view kConnections[] = {"exec", "attach", "portforward", "proxy"};
  return std::find(std::begin(kConnections), std::end(kConnections), info.subresource) != std::end(kConnections);
}

}  // namespace

std::optional<HttpResponse> refuse_form(const Call& call) {
  static constexpr std::string_view kObjects[] = {"application/json", "application/yaml", "application/vnd.kubernetes.protobuf"};
  static constexpr std::string_view kLists[] = {"application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "application/json;stream=watch",
                                                "application/vnd.kubernetes.protobuf;stream=watch"};
  static constexpr std::string_view kLogs[] = {"text/plain", "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"};
  if (is_connection(call.info)) return std::nullopt;
  const std::string accept = call.request.header("accept");
  const bool log = call.info.subresource == "log", lists = call.info.verb == Verb::kList || call.info.verb == Verb::kWatch;
  std::span<const std::string_view> produced = kObjects;
  if (log) produced = kLogs;
  if (lists) produced = kLists;
  // Custom kinds are not behind the router that asks this.
  base::Status taken = call.resource.custom ? base::Status() : compat::check_representations(accept, produced);
  if (taken.ok() && !log) {
    auto negotiated = compat::negotiate(accept);
    if (!negotiated.ok()) taken = negotiated.error();
    else if (call.info.verb == Verb::kWatch && negotiated->content_type == "application/yaml") {
      taken = base::Error(base::Code::kNotAcceptable, "only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch");
    }
  }
  if (taken.ok()) return std::nullopt;
  return error_response(taken.error());
}

void to_yaml(const HttpRequest& request, HttpResponse& response) {
  if (response.upgrade || response.stream || !response.content_type.starts_with("application/json") || request.header("accept").find("yaml") == std::string::npos) return;
  const std::string accept = request.header("accept");
  bool wanted = false;
  for (auto endpoint : {compat::Endpoint::kObjects, compat::Endpoint::kDiscovery}) {
    auto negotiated = compat::negotiate(accept, endpoint);
    wanted |= negotiated.ok() && negotiated->content_type.starts_with("application/yaml");
  }
  if (!wanted) return;
  const json tree = json::parse(response.shared_body ? *response.shared_body : response.body, nullptr, false);
  if (tree.is_discarded()) return;
  response.shared_body.reset();
  response.body = render_yaml(tree);
  response.content_type = "application/yaml";
}

base::Result<Form> choose_form(const Call& call, Shape shape) {
  Form form;
  form.negotiated = TRY(compat::negotiate(call.request.header("accept")));
  TRY_STATUS(check_shape(call, form.negotiated.as, shape));
  form.pretty = form.negotiated.pretty || wants_pretty(call.request);
  form.table.now = call.core.clock.wall();
  form.table.version = form.negotiated.version.empty() ? "v1" : form.negotiated.version;
  form.yaml = form.negotiated.content_type == "application/yaml";
  if (form.yaml) form.negotiated.content_type = "application/json";  // Rewritten at the end.
  std::string include = call.request.param("includeObject").value_or("");
  if (include == "Object") form.table.include = compat::IncludeObject::kObject;
  else if (include == "None") form.table.include = compat::IncludeObject::kNone;
  else if (!include.empty() && include != "Metadata" && form.negotiated.as == compat::As::kTable) {
    return bad_request("Unable to convert to Table as requested: includeObject: Invalid value: " + json(include).dump() + ": must be 'Metadata', 'Object', 'None', or empty");
  }
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
  auto form = choose_form(call, Shape::kObject);
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

HttpResponse write_error(const base::Error& error, const WriteContext& context) {
  HttpResponse response = error_response(error);
  add_warnings(response, {context.warnings.begin(), context.warnings.begin() + static_cast<ptrdiff_t>(std::min(context.early, context.warnings.size()))});
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

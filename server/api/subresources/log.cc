// pods/log.
#include <charconv>
#include <nlohmann/json.hpp>

#include "server/api/status.h"
#include "server/api/subresources/handlers.h"
#include "server/api/subresources/stream_common.h"
#include "store/object/access.h"

namespace server {
namespace {

base::Error log_options_error(const std::string& field, const std::string& message, const char* reason) {
  base::Error e(base::Code::kInvalid, "PodLogOptions \"\" is invalid: " + field + ": " + message);
  e.kind = "PodLogOptions";
  e.causes.push_back({reason, message, field});
  return e;
}

base::Result<LogOptions> parse_log_options(const HttpRequest& request) {
  LogOptions out;
  out.container = request.param("container").value_or("");
  out.follow = query_flag(request, "follow");
  out.previous = query_flag(request, "previous");
  out.timestamps = query_flag(request, "timestamps");
  struct Row {
    const char* name;
    std::optional<int64_t>* target;
    int64_t min;
  };
  for (const Row& row : {Row{"tailLines", &out.tail_lines, 0}, Row{"limitBytes", &out.limit_bytes, 1}, Row{"sinceSeconds", &out.since_seconds, 1}}) {
    auto text = request.param(row.name);
    if (!text || text->empty()) continue;
    int64_t value = 0;
    auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size()) return bad_request("strconv.ParseInt: parsing " + json(*text).dump() + ": invalid syntax");
    if (value < row.min) {
      return log_options_error(row.name, "Invalid value: " + *text + ": must be greater than " + (row.min == 0 ? "or equal to 0" : "0"), "FieldValueInvalid");
    }
    *row.target = value;
  }
  if (auto since = request.param("sinceTime"); since && !since->empty()) {
    auto time = base::parse_rfc3339(*since);
    if (!time.ok()) return bad_request("parsing time " + json(*since).dump() + " as RFC 3339");
    out.since_time = *time;
    if (out.since_seconds) return log_options_error("sinceSeconds", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified", "FieldValueForbidden");
  }
  return out;
}

}  // namespace

HttpResponse serve_log(const Call& call) {
  if (call.info.verb != Verb::kGet) {
    return error_response(base::Error(base::Code::kMethodNotAllowed, "the server does not allow this method on the requested resource"));
  }
  auto options = parse_log_options(call.request);
  if (!options.ok()) return error_response(options.error());
  auto pod = call.core.pipeline.get(call.resource, call.info.ns, call.info.name);
  if (!pod.ok()) return error_response(pod.error());
  HttpResponse response;
  response.content_type = "text/plain";
  if (store::get_string(pod->tree(), "spec.nodeName").empty()) return response;  // Nobody has any yet.
  auto runtime = find_runtime(call);
  if (!runtime.ok()) return error_response(runtime.error());
  // The status line goes out before the first byte, so errors are looked for by a first reading of nothing.
  LogOptions probe = *options;
  probe.follow = false;
  probe.tail_lines = 0;
  base::Status readable = (*runtime)->logs(call.info.ns, call.info.name, probe, [](std::string_view) { return false; });
  if (!readable.ok()) return error_response(readable.error());
  response.stream = [runtime = *runtime, options = *options, ns = call.info.ns, name = call.info.name](const auto& write, const auto&) {
    // What fails from here on has nowhere to be told; the text just ends.
    base::ignore(runtime->logs(ns, name, options, [&](std::string_view chunk) { return write(chunk); }), "the response has begun");
  };
  return response;
}

}  // namespace server

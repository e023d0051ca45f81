#include "server/api/list_options.h"

#include <openssl/evp.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/api/decode.h"
#include "server/api/go_text.h"
#include "server/api/request_info.h"
#include "server/api/status.h"
#include "store/object/access.h"

namespace server {
namespace {

std::string base64url_encode(const std::string& in) {
  std::string out(4 * ((in.size() + 2) / 3) + 1, '\0');
  int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(in.data()), static_cast<int>(in.size()));
  out.resize(static_cast<size_t>(n));
  for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (!out.empty() && out.back() == '=') out.pop_back();
  return out;
}

std::optional<std::string> base64url_decode(std::string in) {
  for (char& c : in) c = c == '-' ? '+' : c == '_' ? '/' : c;
  size_t padding = (4 - in.size() % 4) % 4;
  in.append(padding, '=');
  std::string out(in.size() / 4 * 3 + 1, '\0');
  int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(in.data()), static_cast<int>(in.size()));
  if (n < 0 || static_cast<size_t>(n) < padding) return std::nullopt;
  out.resize(static_cast<size_t>(n) - padding);
  return out;
}

// Boolean fields read "false" when they are absent, and some labels name a field elsewhere.
std::string field_value(const json& tree, const std::string& label) {
  static constexpr std::string_view kBooleans[] = {"spec.unschedulable", "spec.hostNetwork"};
  static constexpr std::string_view kNumbers[] = {"status.replicas", "status.successful"};
  std::string path = label;
  if (label == "source") path = "source.component";
  if (label == "reportingComponent") path = "reportingComponent";
  if (label == "status.successful") path = "status.succeeded";
  const json* value = store::find(tree, path);
  if (value && value->is_string()) return value->get<std::string>();
  if (value && !value->is_null()) return value->dump();
  if (std::find(std::begin(kBooleans), std::end(kBooleans), label) != std::end(kBooleans)) return "false";
  if (std::find(std::begin(kNumbers), std::end(kNumbers), label) != std::end(kNumbers)) return "0";
  return "";
}

// What may not be asked for together.
base::Status check_options(const HttpRequest& request, ListUse use, const ListOptions& options) {
  const bool watch = use == ListUse::kWatch, initial = options.send_initial_events.has_value(), continued = !request.param("continue").value_or("").empty();
  const std::string version = request.param("resourceVersion").value_or("");
  std::vector<base::Cause> causes;
  auto forbid = [&](bool when, const char* field, const char* why) {
    if (when) causes.push_back(cause_forbidden(field, why));
  };
  auto unsupported = [&](bool when, const char* supported) {
    if (when) causes.push_back({"FieldValueNotSupported", "Unsupported value: " + json(options.match).dump() + ": supported values: " + supported, "resourceVersionMatch"});
  };
  const char* match = "resourceVersionMatch";
  forbid(watch && initial && options.match != "NotOlderThan", match, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  if (!options.match.empty() && watch) {
    forbid(!initial, match, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    unsupported(options.match != "NotOlderThan", "\"NotOlderThan\"");
    forbid(continued, match, "resourceVersionMatch is forbidden when continue is provided");
  } else if (!options.match.empty()) {
    forbid(version.empty(), match, "resourceVersionMatch is forbidden unless resourceVersion is provided");
    forbid(continued, match, "resourceVersionMatch is forbidden when continue is provided");
    unsupported(options.match != "Exact" && options.match != "NotOlderThan", "\"Exact\", \"NotOlderThan\", \"\"");
    forbid(options.match == "Exact" && version == "0", match, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
  }
  forbid(!watch && initial, "sendInitialEvents", "sendInitialEvents is forbidden for list");
  if (causes.empty()) return {};
  return options_invalid("ListOptions", std::move(causes));
}

// Where in time a list is: by a token, or by a revision.
base::Status parse_place(const HttpRequest& request, ListUse use, ListOptions* out) {
  if (use == ListUse::kWatch) {
    out->revision = TRY(requested_revision(request));
    return {};
  }
  if (std::string token = request.param("continue").value_or(""); !token.empty()) {
    auto parsed = ContinueToken::parse(token);
    if (!parsed.ok()) return bad_request("invalid continue token: " + parsed.error().message);
    const std::string version = request.param("resourceVersion").value_or("");
    if (!version.empty() && version != "0") return bad_request("specifying resource version is not allowed when using continue");
    out->continue_token = std::move(*parsed);
    return {};
  }
  auto revision = requested_revision(request);
  if (!revision.ok()) return bad_request("invalid resource version: " + revision.error().message);
  out->revision = *revision;
  // Pages have always been of exactly the revision that the first was asked for at.
  if (out->limit > 0 && out->revision.value_or(0) > 0 && out->match.empty()) out->match = "Exact";
  if (out->revision == store::Revision{0}) out->limit = 0;  // "Whatever you have": all of it.
  return {};
}

base::Error not_selectable(const store::Resource& r, const std::string& label) {
  if (r.storage_name == "jobs.batch") return bad_request("field label " + json(label).dump() + " not supported for Job");
  // Upstream's words for kinds that have selectable fields of their own, and for those that have not.
  if (r.custom || !r.field_labels.empty()) return bad_request("field label not supported: " + label);
  return bad_request(json(label).dump() + " is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
}

// Kinds that say what can be selected do not name a namespace that they have not.
bool is_selectable(const store::Resource& r, const std::string& label) {
  if (label == "metadata.name") return true;
  if (label == "metadata.namespace") return r.custom || r.namespaced || r.field_labels.empty();
  return std::find(r.field_labels.begin(), r.field_labels.end(), label) != r.field_labels.end();
}

base::Status parse_filter(const HttpRequest& request, const std::string& name, Filter* out) {
  if (auto labels = request.param("labelSelector")) {
    auto parsed = store::LabelSelector::parse(*labels);
    if (!parsed.ok()) return std::move(parsed).error();
    out->labels = std::move(*parsed);
  }
  if (auto fields = request.param("fieldSelector")) {
    auto parsed = store::FieldSelector::parse(*fields);
    if (!parsed.ok()) return std::move(parsed).error();
    out->fields = std::move(*parsed);
  }
  if (!name.empty()) out->fields.terms.push_back({"metadata.name", name, false});
  return {};
}

}  // namespace

bool Filter::matches(const store::Object& object) const {
  for (const store::FieldTerm& term : fields.terms) {
    bool equal;
    if (term.path == "metadata.name") equal = object.name() == term.value;
    else if (term.path == "metadata.namespace") equal = object.ns() == term.value;
    else equal = field_value(object.tree(), term.path) == term.value;
    if (equal == term.negated) return false;
  }
  return labels.empty() || labels.matches_object(object.tree());
}

std::string ContinueToken::render() const {
  json token = {{"v", "meta.k8s.io/v1"}, {"start", ns.empty() ? name + std::string(1, '\0') : ns + "/" + name + std::string(1, '\0')}};
  token["rv"] = revision ? json(*revision) : json(-1);
  return base64url_encode(token.dump());
}

base::Result<ContinueToken> ContinueToken::parse(const std::string& text) {
  auto bytes = base64url_decode(text);
  auto token = bytes ? decode_json(*bytes) : base::Result<json>(bad_request(""));
  if (!token.ok() || !token->is_object()) return bad_request("continue key is not valid: illegal base64 data or JSON");
  if (store::get_string(*token, "v") != "meta.k8s.io/v1") return bad_request("continue key is not valid: server does not recognize this encoded version");
  std::string start = store::get_string(*token, "start");
  if (start.empty()) return bad_request("continue key is not valid: encoded start key is empty");
  if (start.back() == '\0') start.pop_back();
  ContinueToken out;
  int64_t revision = store::get_int(*token, "rv", -1);
  if (revision >= 0) out.revision = static_cast<store::Revision>(revision);
  size_t slash = start.find('/');
  if (slash != std::string::npos) out.ns = start.substr(0, slash);
  out.name = slash == std::string::npos ? start : start.substr(slash + 1);
  return out;
}

base::Result<std::optional<store::Revision>> requested_revision(const HttpRequest& request) {
  const std::string text = request.param("resourceVersion").value_or("");
  if (text.empty()) return std::optional<store::Revision>();
  auto revision = parse_uint(text);
  if (revision.ok()) return std::optional<store::Revision>(*revision);
  return base::Error(base::Code::kInternal, "resourceVersion: Invalid value: " + json(text).dump() + ": " + revision.error().message);
}

// In upstream's order: what cannot be read, what does not go together, what the kind has not, and at last where to begin.
base::Result<ListOptions> parse_list_options(const HttpRequest& request, const store::Resource& r, const std::string& name, ListUse use) {
  ListOptions out;
  TRY_STATUS(parse_filter(request, name, &out.filter));
  if (auto timeout = request.param("timeoutSeconds"); timeout && !timeout->empty()) {
    const int64_t value = TRY(parse_int(*timeout));
    if (value > 0) out.timeout = std::chrono::seconds(std::min<int64_t>(value, 7 * 24 * 3600));
  }
  if (auto limit = request.param("limit"); limit && !limit->empty()) out.limit = static_cast<size_t>(std::max<int64_t>(TRY(parse_int(*limit)), 0));
  out.match = request.param("resourceVersionMatch").value_or("");
  if (request.param("sendInitialEvents")) out.send_initial_events = query_flag(request, "sendInitialEvents");
  out.bookmarks = query_flag(request, "allowWatchBookmarks");
  TRY_STATUS(check_options(request, use, out));
  for (const store::FieldTerm& term : out.filter.fields.terms) {
    if (!is_selectable(r, term.path)) return not_selectable(r, term.path);
  }
  TRY_STATUS(parse_place(request, use, &out));
  return out;
}

}  // namespace server

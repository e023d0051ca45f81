#include "server/api/list_options.h"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "server/api/decode.h"
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

std::optional<uint64_t> parse_number(const std::string& text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

base::Error options_invalid(const char* field, const std::string& message, const char* reason) {
  base::Error e(base::Code::kInvalid, std::string("ListOptions.meta.k8s.io \"\" is invalid: ") + field + ": " + message);
  e.group = "meta.k8s.io";
  e.kind = "ListOptions";
  e.causes.push_back({reason, message, field});
  return e;
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

base::Status parse_revision(const HttpRequest& request, ListUse use, ListOptions* out) {
  std::string version = request.param("resourceVersion").value_or("");
  out->match = request.param("resourceVersionMatch").value_or("");
  if (!version.empty()) {
    out->revision = parse_number(version);
    if (!out->revision) return options_invalid("resourceVersion", "Invalid value: " + json(version).dump() + ": strconv.ParseUint: parsing " + json(version).dump() + ": invalid syntax", "FieldValueInvalid");
  }
  if (auto initial = request.param("sendInitialEvents")) {
    out->send_initial_events = *initial == "true" || *initial == "1" || *initial == "True";
    if (use == ListUse::kList) return options_invalid("sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for list", "FieldValueForbidden");
    if (out->match != "NotOlderThan") {
      return options_invalid("resourceVersionMatch", "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan", "FieldValueForbidden");
    }
    return {};
  }
  if (out->match.empty()) return {};
  if (use == ListUse::kWatch) return options_invalid("resourceVersionMatch", "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided", "FieldValueForbidden");
  if (version.empty()) return options_invalid("resourceVersionMatch", "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided", "FieldValueForbidden");
  if (out->continue_token) return options_invalid("resourceVersionMatch", "Forbidden: resourceVersionMatch is forbidden when continue is provided", "FieldValueForbidden");
  if (out->match != "Exact" && out->match != "NotOlderThan") {
    return options_invalid("resourceVersionMatch", "Unsupported value: " + json(out->match).dump() + ": supported values: \"Exact\", \"NotOlderThan\", \"\"", "FieldValueNotSupported");
  }
  if (out->match == "Exact" && version == "0") {
    return options_invalid("resourceVersionMatch", "Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"", "FieldValueForbidden");
  }
  return {};
}

base::Status parse_filter(const HttpRequest& request, const store::Resource& r, const std::string& name, Filter* out) {
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
  for (const store::FieldTerm& term : out->fields.terms) {
    bool allowed = term.path == "metadata.name" || term.path == "metadata.namespace" ||
                   std::find(r.field_labels.begin(), r.field_labels.end(), term.path) != r.field_labels.end();
    if (allowed) continue;
    // Upstream's words for kinds that have selectable fields of their own, and for those that have not.
    if (r.custom || !r.field_labels.empty()) return bad_request("field label not supported: " + term.path);
    return bad_request(json(term.path).dump() + " is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
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

base::Result<ListOptions> parse_list_options(const HttpRequest& request, const store::Resource& r, const std::string& name, ListUse use) {
  ListOptions out;
  TRY_STATUS(parse_filter(request, r, name, &out.filter));
  if (auto limit = request.param("limit"); limit && !limit->empty()) {
    auto value = parse_number(*limit);
    if (!value) return bad_request("strconv.ParseInt: parsing " + json(*limit).dump() + ": invalid syntax");
    out.limit = *value;
  }
  if (std::string token = request.param("continue").value_or(""); !token.empty() && use == ListUse::kList) out.continue_token = TRY(ContinueToken::parse(token));
  TRY_STATUS(parse_revision(request, use, &out));
  out.bookmarks = query_flag(request, "allowWatchBookmarks");
  if (auto timeout = request.param("timeoutSeconds"); timeout && !timeout->empty()) {
    auto value = parse_number(*timeout);
    if (!value) return bad_request("strconv.ParseInt: parsing " + json(*timeout).dump() + ": invalid syntax");
    if (*value > 0) out.timeout = std::chrono::seconds(std::min<uint64_t>(*value, 7 * 24 * 3600));
  }
  return out;
}

}  // namespace server

#include "server/api/body_kind.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/api/decode.h"
#include "server/api/status.h"
#include "store/object/access.h"

namespace server {
namespace {

std::string given(const json& tree, const char* key, std::string_view otherwise) {
  std::string text = store::get_string(tree, key);
  return text.empty() ? std::string(otherwise) : text;
}

std::string_view version_of(std::string_view api_version) { return api_version.substr(api_version.find('/') == std::string_view::npos ? 0 : api_version.find('/') + 1); }

}  // namespace

const char* go_kind(const json& value) {
  if (value.is_object()) return "object";
  if (value.is_array()) return "array";
  if (value.is_string()) return "string";
  if (value.is_boolean()) return "bool";
  return "number";
}

BodyKind body_kind(const store::Resource& r) { return {r.group, r.version, r.kind}; }

std::string_view go_package(std::string_view group) {
  if (group.empty() || group == "events.k8s.io") return "core";
  return group.substr(0, group.find('.'));
}

std::string body_kind_problem(const json& tree, const BodyKind& wanted) {
  const std::string version = given(tree, "apiVersion", wanted.api_version()), kind = given(tree, "kind", wanted.kind);
  if (version == wanted.api_version() && kind == wanted.kind) return "";
  const std::string item = kind.ends_with("List") && kind.size() > 4 ? kind.substr(0, kind.size() - 4) : kind;
  if (!is_known_kind(version, kind) && !is_known_kind(version, item)) {
    return "no kind \"" + kind + "\" is registered for version \"" + version + "\" in scheme \"pkg/runtime/scheme.go:111\"";
  }
  return "converting (" + std::string(version_of(version)) + "." + kind + ") to (" + std::string(go_package(wanted.group)) + "." + std::string(wanted.kind) + "): unknown conversion";
}

base::Error cannot_be_handled(const json& tree, const BodyKind& wanted, const std::string& why) {
  const std::string version = given(tree, "apiVersion", wanted.api_version()), kind = given(tree, "kind", wanted.kind);
  return bad_request(kind + " in version \"" + std::string(version_of(version)) + "\" cannot be handled as a " + std::string(wanted.kind) + ": " + why);
}

base::Status check_body_kind(const json& tree, const BodyKind& wanted) {
  const std::string version = given(tree, "apiVersion", wanted.api_version()), kind = given(tree, "kind", wanted.kind);
  const std::string group = version.find('/') == std::string::npos ? "" : version.substr(0, version.find('/'));
  // Another version of the same kind is read, and then refused.
  if (kind == wanted.kind && group == wanted.group && version != wanted.api_version() && is_known_kind(version, kind)) {
    return bad_request("the API version in the data (" + version + ") does not match the expected API version (" + wanted.api_version() + ")");
  }
  const std::string problem = body_kind_problem(tree, wanted);
  if (problem.empty()) return {};
  return cannot_be_handled(tree, wanted, problem);
}

std::optional<std::string> head_problem(const json& tree) {
  const std::string prefix = "couldn't get version/kind; json parse error: json: cannot unmarshal ";
  if (!tree.is_object()) {
    return prefix + go_kind(tree) + " into Go value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }";
  }
  for (const char* key : {"apiVersion", "kind"}) {
    const json* value = store::find_key(tree, key);
    if (value && !value->is_string() && !value->is_null()) return prefix + go_kind(*value) + " into Go struct field ." + key + " of type string";
  }
  const std::string version = store::get_string(tree, "apiVersion");
  if (std::count(version.begin(), version.end(), '/') > 1) return "unexpected GroupVersion string: " + version;
  return std::nullopt;
}

}  // namespace server

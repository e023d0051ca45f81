// What a client sent, made a tree of the kind's types: the first steps of a write.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/api/body_kind.h"
#include "server/api/json_syntax.h"
#include "server/api/pipeline.h"
#include "server/api/status.h"
#include "store/custom/definition.h"
#include "store/custom/values.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr size_t kMaxIssues = 100;      // Fields that a body should not have; upstream's decoder stops there.
constexpr size_t kMaxPaths = 100'000;   // Keys of a body that are looked at for the order of issues.

std::string join(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

// A custom kind is in no scheme of Go.
base::Status check_custom_kind(const store::Resource& r, const json& tree) {
  std::string version = store::get_string(tree, "apiVersion"), kind = store::get_string(tree, "kind");
  if (!kind.empty() && kind != r.kind) {
    return bad_request("the object provided is unrecognized (must be of type " + std::string(r.kind) + "): no kind \"" + kind + "\" is registered for version \"" +
                       version + "\" in scheme \"k8s.io/kubernetes/pkg/api/legacyscheme\"");
  }
  if (!version.empty() && version != r.api_version()) {
    return bad_request("the API version in the data (" + version + ") does not match the expected API version (" + r.api_version() + ")");
  }
  return {};
}

// `unknown field "spec.x"` -> spec.x
std::string path_of(const std::string& issue) {
  const size_t from = issue.find('"');
  return from == std::string::npos ? issue : issue.substr(from + 1, issue.size() - from - 2);
}

bool is_within(const std::string& path, const std::string& parent) {
  return path == parent || (path.starts_with(parent) && (path[parent.size()] == '.' || path[parent.size()] == '['));
}

// Upstream meets them in the order of the text, and looks no further into what it does not know.
std::vector<std::string> in_order(std::vector<std::string> unknown, const std::vector<std::string>& duplicates, const std::string* text) {
  std::vector<std::string> out = std::move(unknown);
  const size_t known = out.size();
  for (const std::string& duplicate : duplicates) {
    const std::string path = path_of(duplicate);
    if (std::none_of(out.begin(), out.begin() + static_cast<ptrdiff_t>(known), [&](const std::string& u) { return is_within(path, path_of(u)); })) out.push_back(duplicate);
  }
  if (out.size() < 2 || !text) return out;
  const std::vector<std::string> paths = key_paths(*text, kMaxPaths);
  auto place = [&](const std::string& issue) {
    const std::string path = path_of(issue);
    auto at = std::find(paths.begin(), paths.end(), path);
    if (issue.starts_with("duplicate") && at != paths.end()) at = std::find(at + 1, paths.end(), path);
    return at - paths.begin();
  };
  std::vector<std::pair<ptrdiff_t, std::string>> placed;
  for (std::string& issue : out) placed.emplace_back(place(issue), std::move(issue));
  std::stable_sort(placed.begin(), placed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  out.clear();
  for (auto& [at, issue] : placed) out.push_back(std::move(issue));
  return out;
}

base::Error patch_invalid(const std::string& quoted, const std::string& why) {
  base::Error e(base::Code::kInvalid, "");
  e.causes.push_back({"FieldValueInvalid", "Invalid value: " + json(quoted).dump(-1, ' ', false, json::error_handler_t::replace) + ": " + why, "patch"});
  e.message = " \"\" is invalid: patch: " + e.causes[0].message;
  return e;
}

// check_types() says it of a body; what a patch made has other words around it.
std::string without_prefix(const store::Resource& r, const std::string& message) {
  const std::string prefix = std::string(r.kind) + " in version \"" + std::string(r.version) + "\" cannot be handled as a " + std::string(r.kind) + ": ";
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

// Upstream reads a custom object's metadata by itself, so that it is no field of anything in the message.
base::Error of_metadata_alone(const store::Resource& r, base::Error error) {
  const std::string field = "Go struct field " + std::string(r.kind) + ".metadata of type";
  if (const size_t at = error.message.find(field); at != std::string::npos) error.message.replace(at, field.size(), "Go value of type");
  return error;
}

}  // namespace

// Types and unknown fields. Of a custom object only the metadata has types of Go; the rest is judged by validation.
base::Result<std::vector<std::string>> Pipeline::decode_fields(const store::Resource& r, json& tree) const {
  if (!r.custom) {
    store::drop_nulls(tree, *r.type);
    TRY_STATUS(store::check_types(tree, r));
    std::vector<std::string> issues = store::prune_unknown(tree, *r.type);
    if (r.storage_name == store::kDefinitions) std::erase_if(issues, store::is_dropped_silently);
    return issues;
  }
  json head = json::object();
  if (const json* metadata = store::find_key(tree, "metadata")) head["metadata"] = *metadata;
  store::drop_nulls(head, *r.type);
  if (base::Status typed = store::check_types(head, r); !typed.ok()) return of_metadata_alone(r, typed.error());
  std::vector<std::string> issues = store::prune_unknown(head, *r.type);
  if (head.contains("metadata")) tree["metadata"] = std::move(head["metadata"]);
  auto removed = store::prune_custom(tree, *r.custom);
  if (!removed.ok()) return cannot_be_handled(tree, body_kind(r), removed.error().message);
  for (std::string& issue : *removed) issues.push_back(std::move(issue));
  return issues;
}

base::Status Pipeline::decode(const store::Resource& r, json& tree, WriteContext& context, const Quote* patched) const {
  const BodyKind wanted = body_kind(r);
  if (!tree.is_object()) return cannot_be_handled(json::object(), wanted, "json: cannot unmarshal " + std::string(tree.type_name()) + " into Go value of type " + std::string(r.kind));
  if (r.custom) {
    TRY_STATUS(check_custom_kind(r, tree));
  } else if (patched) {
    if (const std::string problem = body_kind_problem(tree, wanted); !problem.empty()) return patch_invalid((*patched)(), problem);
  } else {
    TRY_STATUS(check_body_kind(tree, wanted));
  }
  tree["apiVersion"] = r.api_version();
  tree["kind"] = r.kind;
  auto unknown = decode_fields(r, tree);
  if (!unknown.ok()) return patched && !r.custom ? patch_invalid((*patched)(), without_prefix(r, unknown.error().message)) : std::move(unknown).error();
  std::vector<std::string> issues = in_order(std::move(*unknown), context.duplicates, patched ? nullptr : context.text);
  if (issues.size() > kMaxIssues) issues.resize(kMaxIssues);
  if (issues.empty() || context.validation == FieldValidation::kIgnore) return {};
  if (context.validation == FieldValidation::kWarn) {
    context.warnings.insert(context.warnings.end(), issues.begin(), issues.end());
    context.early = context.warnings.size();
    return {};
  }
  const std::string text = "strict decoding error: " + join(issues);
  if (!patched) return cannot_be_handled(tree, wanted, text);
  return patch_invalid((*patched)(), text);
}

}  // namespace server

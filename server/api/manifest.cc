#include "server/api/manifest.h"

#include <nlohmann/json.hpp>

#include "server/api/status.h"
#include "server/api/verbs.h"
#include "server/api/yaml.h"
#include "store/object/access.h"

namespace server {
namespace {

// `kind: List` and the lists that kubectl prints stand for their items.
void flatten(std::vector<json> documents, std::vector<json>* out) {
  for (json& document : documents) {
    const bool list = store::get_string(document, "kind").ends_with("List") && store::find(document, "items") && document["items"].is_array();
    if (!list) {
      out->push_back(std::move(document));
      continue;
    }
    for (json& item : document["items"]) out->push_back(std::move(item));
  }
}

struct Applied {
  std::string what;  // "deployment.apps/web"
  std::string verdict;
};

base::Result<Applied> apply_one(Core& core, const json& object, const std::string& default_namespace) {
  if (!object.is_object()) return bad_request("not an object");
  std::string version = store::get_string(object, "apiVersion"), kind = store::get_string(object, "kind"), name = store::get_string(object, "metadata.name");
  if (kind.empty()) return bad_request("Object 'Kind' is missing");
  if (version.empty()) return bad_request("Object 'apiVersion' is missing");
  const store::Resource* r = core.registry.find_kind(version, kind);
  if (!r) return bad_request("no matches for kind \"" + kind + "\" in version \"" + version + "\"");
  WriteContext context;
  context.manager = "kubelan";
  context.validation = FieldValidation::kStrict;
  std::string what = std::string(r->singular) + (r->group.empty() ? "" : "." + std::string(r->group)) + "/";
  std::string ns = r->namespaced ? store::get_string(object, "metadata.namespace", default_namespace) : "";
  if (name.empty()) {
    if (store::get_string(object, "metadata.generateName").empty()) return bad_request("metadata.name is missing");
    store::Object made = TRY(core.pipeline.create(*r, ns, object, context));
    return Applied{what + made.name(), "created"};
  }
  auto before = core.pipeline.get(*r, ns, name);
  bool created = false;
  ApplyRequest request;
  request.ns = ns;
  request.name = name;
  request.force = true;  // The file that `up` was given is the user's word.
  store::Object after = TRY(apply_object(core, *r, request, object, context, &created));
  return Applied{what + name, created ? "created" : before.ok() && before->revision() == after.revision() ? "unchanged" : "configured"};
}

}  // namespace

base::Result<std::vector<std::string>> apply_manifest(Core& core, const std::string& text, const std::string& default_namespace) {
  std::vector<json> objects;
  flatten(TRY(parse_yaml(text)), &objects);
  std::vector<std::string> lines;
  for (size_t i = 0; i < objects.size(); ++i) {
    auto applied = apply_one(core, objects[i], default_namespace);
    if (!applied.ok()) {
      std::string kind = store::get_string(objects[i], "kind"), name = store::get_string(objects[i], "metadata.name");
      return std::move(applied).error().context("document " + std::to_string(i + 1) + (kind.empty() ? "" : " (" + kind + (name.empty() ? "" : " " + name) + ")"));
    }
    lines.push_back(applied->what + " " + applied->verdict);
  }
  return lines;
}

}  // namespace server

#include "server/model/meta.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server {

base::WallTime project_time(const json& tree, std::string_view path) {
  const std::string text = store::get_string(tree, path);
  if (text.empty()) return {};
  auto time = base::parse_rfc3339(text);
  return time.ok() ? *time : base::WallTime{};
}

std::vector<OwnerRef> project_owners(const json& tree) {
  std::vector<OwnerRef> out;
  for (const json& ref : store::get_array(tree, "metadata.ownerReferences")) {
    out.push_back({store::get_string(ref, "apiVersion"), store::get_string(ref, "kind"), store::get_string(ref, "name"),
                   store::get_string(ref, "uid"), store::get_bool(ref, "controller"), store::get_bool(ref, "blockOwnerDeletion")});
  }
  return out;
}

Meta project_meta(const json& tree) {
  const json& metadata = store::get_object(tree, "metadata");
  Meta out;
  out.ns = store::get_string(metadata, "namespace");
  out.name = store::get_string(metadata, "name");
  out.uid = store::get_string(metadata, "uid");
  out.generation = store::get_int(metadata, "generation");
  out.labels = store::get_string_map(metadata, "labels");
  out.annotations = store::get_string_map(metadata, "annotations");
  out.owners = project_owners(tree);
  for (const json& finalizer : store::get_array(metadata, "finalizers")) {
    if (finalizer.is_string()) out.finalizers.push_back(finalizer.get<std::string>());
  }
  out.created = project_time(metadata, "creationTimestamp");
  out.deleting = !store::get_string(metadata, "deletionTimestamp").empty();
  out.deletion_time = project_time(metadata, "deletionTimestamp");
  out.deletion_grace_seconds = store::get_int(metadata, "deletionGracePeriodSeconds", -1);
  return out;
}

const OwnerRef* controller_of(const Meta& meta) {
  auto it = std::find_if(meta.owners.begin(), meta.owners.end(), [](const OwnerRef& ref) { return ref.controller; });
  return it == meta.owners.end() ? nullptr : &*it;
}

json render_controller_ref(const store::Object& owner) {
  return {{"apiVersion", store::get_string(owner.tree(), "apiVersion")},
          {"kind", store::get_string(owner.tree(), "kind")},
          {"name", owner.name()},
          {"uid", owner.uid()},
          {"controller", true},
          {"blockOwnerDeletion", true}};
}

}  // namespace server

#include "server/controllers/revisions.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "server/controllers/deployment_steps.h"
#include "server/informer/writes.h"
#include "server/model/meta.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kRevisions = "controllerrevisions.apps";

json revision_data(const store::Object& owner) {
  json pod_template = store::get_object(owner.tree(), "spec.template");
  pod_template["$patch"] = "replace";
  return {{"spec", {{"template", std::move(pod_template)}}}};
}

bool older(const store::Object& a, const store::Object& b) {
  auto rank = [](const store::Object& r) { return std::tuple(number_of_revision(r), store::get_string(r.tree(), "metadata.creationTimestamp"), r.name()); };
  return rank(a) < rank(b);
}

json render_revision(const store::Object& owner, RevisionLabel label, const std::string& hash, json data, int64_t number) {
  json labels = store::get_object(owner.tree(), "spec.template.metadata.labels");
  labels[label.name] = hash;
  json metadata = {{"name", owner.name() + "-" + hash}, {"namespace", owner.ns()}, {"labels", std::move(labels)}, {"ownerReferences", {render_controller_ref(owner)}}};
  if (const json* annotations = store::find(owner.tree(), "metadata.annotations")) metadata["annotations"] = *annotations;
  return {{"apiVersion", "apps/v1"}, {"kind", "ControllerRevision"}, {"metadata", std::move(metadata)}, {"data", std::move(data)}, {"revision", number}};
}

}  // namespace

int64_t number_of_revision(const store::Object& revision) { return store::get_int(revision.tree(), "revision"); }

json template_of_revision(const store::Object& revision) {
  json out = store::get_object(revision.tree(), "data.spec.template");
  out.erase("$patch");
  return out;
}

base::Result<std::vector<store::Object>> claim_revisions(ControlLoop& loop, const store::Object& owner, const store::LabelSelector& selector) {
  std::vector<store::Object> out;
  const bool deleting = store::find(owner.tree(), "metadata.deletionTimestamp") != nullptr;
  for (const store::Object& revision : loop.cache(kRevisions).list(owner.ns())) {
    const Meta meta = project_meta(revision.tree());
    const OwnerRef* controller = controller_of(meta);
    if (controller != nullptr) {
      if (controller->uid == owner.uid()) out.push_back(revision);
      continue;
    }
    if (deleting || meta.deleting || !selector.matches(meta.labels)) continue;
    json refs = owner_refs_without(revision, owner.uid());
    refs.push_back(render_controller_ref(owner));
    out.push_back(TRY(merge_patch(loop.client(), revision.key(), {{"metadata", {{"uid", meta.uid}, {"ownerReferences", std::move(refs)}}}})));
  }
  std::sort(out.begin(), out.end(), older);
  return out;
}

base::Result<CurrentRevision> ensure_revision(ControlLoop& loop, const store::Object& owner, RevisionLabel label, int64_t collisions,
                                              std::vector<store::Object>& all) {
  json data = revision_data(owner);
  auto same = std::find_if(all.rbegin(), all.rend(), [&data](const store::Object& r) { return store::get_object(r.tree(), "data") == data; });
  const int64_t newest = all.empty() ? 0 : number_of_revision(all.back());
  if (same != all.rend()) {
    store::Object found = *same;
    if (number_of_revision(found) == newest) return CurrentRevision{found, collisions};
    all.erase(std::next(same).base());
    found = TRY(merge_patch(loop.client(), found.key(), {{"revision", newest + 1}}));
    all.push_back(found);
    return CurrentRevision{found, collisions};
  }
  while (true) {
    const std::string hash = template_hash(data, collisions);
    auto created = create_object(loop.client(), kRevisions, render_revision(owner, label, hash, data, newest + 1));
    if (created.ok()) {
      all.push_back(*created);
      return CurrentRevision{*created, collisions};
    }
    if (created.error().code != base::Code::kAlreadyExists) return std::move(created).error();
    // Our own that the cache does not show yet, or one of the same name that is somebody else's.
    const store::Resource* resource = loop.client().registry().find_storage(kRevisions);
    store::Object taken = TRY(loop.client().get(*resource, owner.ns(), owner.name() + "-" + hash));
    const Meta meta = project_meta(taken.tree());
    const OwnerRef* controller = controller_of(meta);
    if (controller != nullptr && controller->uid == owner.uid() && store::get_object(taken.tree(), "data") == data) {
      all.push_back(taken);
      return CurrentRevision{taken, collisions};
    }
    ++collisions;
  }
}

base::Status truncate_revisions(ControlLoop& loop, const std::vector<store::Object>& all, const std::set<std::string>& live, int64_t limit) {
  std::vector<const store::Object*> idle;
  for (const store::Object& revision : all) {
    if (live.count(revision.name()) == 0) idle.push_back(&revision);
  }
  const int64_t surplus = static_cast<int64_t>(idle.size()) - limit;
  for (int64_t i = 0; i < surplus; ++i) TRY_STATUS(remove_object(loop.client(), *idle[static_cast<size_t>(i)]));
  return {};
}

}  // namespace server

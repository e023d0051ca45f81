#include "server/controllers/pod_owners.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "server/informer/writes.h"
#include "store/object/access.h"

namespace server {

PodOwners::PodOwners(ControlLoop& loop, PodIndex& pods, std::string storage, WorkQueue& queue) : storage_(std::move(storage)), queue_(queue) {
  loop.on_change(storage_, [this](const store::Object& before, const store::Object& after) { object_changed(before, after); });
  pods.on_change([this](const Pod* before, const Pod* after) {
    if (before) add_owner(*before);
    if (after) add_owner(*after);
  });
}

void PodOwners::object_changed(const store::Object& before, const store::Object& after) {
  if (before) {
    owners_.erase(before.uid());
    by_namespace_[before.ns()].erase(before.name());
  }
  if (after) {
    owners_[after.uid()] = {after.key(), selector_of(after.tree())};
    by_namespace_[after.ns()][after.name()] = after.uid();
  }
  queue_.add(after ? after.key() : before.key());
}

void PodOwners::add_owner(const Pod& pod) {
  if (const OwnerRef* owner = controller_of(pod.meta)) {
    if (auto it = owners_.find(owner->uid); it != owners_.end()) queue_.add(it->second.key);
    return;
  }
  auto space = by_namespace_.find(pod.meta.ns);
  if (space == by_namespace_.end()) return;
  for (const auto& [name, uid] : space->second) {  // Somebody may adopt it.
    const Owner& owner = owners_.at(uid);
    if (owner.selector.matches(pod.meta.labels)) queue_.add(owner.key);
  }
}

base::Status claim_pods(ControlLoop& loop, PodIndex& pods, const store::Object& owner, const store::LabelSelector& selector,
                        const std::function<bool(const Pod&)>& may_adopt, std::vector<const Pod*>& owned) {
  const bool deleting = store::find(owner.tree(), "metadata.deletionTimestamp") != nullptr;
  const std::string uid = owner.uid();
  auto set_owners = [&loop](const store::Object& pod, json refs) -> base::Status {
    TRY(merge_patch(loop.client(), pod.key(), {{"metadata", {{"uid", pod.uid()}, {"ownerReferences", std::move(refs)}}}}));
    return {};
  };
  for (const auto& [name, pod] : pods.owned_by(uid)) {
    if (deleting || selector.matches(pod->meta.labels)) {
      owned.push_back(pod);
    } else if (!pod->meta.deleting) {
      const store::Object* object = loop.cache("pods").find(pod->meta.ns, name);
      if (object != nullptr) TRY_STATUS(set_owners(*object, owner_refs_without(*object, uid)));
    }
  }
  if (deleting) return {};
  for (const auto& [name, pod] : pods.uncontrolled(owner.ns())) {
    if (pod->meta.deleting || pod->finished() || !selector.matches(pod->meta.labels) || (may_adopt && !may_adopt(*pod))) continue;
    const store::Object* object = loop.cache("pods").find(pod->meta.ns, name);
    if (object == nullptr) continue;
    json refs = owner_refs_without(*object, uid);
    refs.push_back(render_controller_ref(owner));
    TRY_STATUS(set_owners(*object, std::move(refs)));
    owned.push_back(pod);
  }
  return {};
}

json pod_from_template(const json& pod_template, const store::Object& owner) {
  json metadata = {{"namespace", owner.ns()}, {"ownerReferences", {render_controller_ref(owner)}}};
  for (const char* field : {"labels", "annotations", "finalizers"}) {
    if (const json* value = store::find(pod_template, std::string("metadata.") + field)) metadata[field] = *value;
  }
  return {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", std::move(metadata)}, {"spec", store::get_object(pod_template, "spec")}};
}

base::Status create_owned_pod(ControlLoop& loop, EventRecorder& events, const store::Object& owner, json pod) {
  auto created = create_object(loop.client(), "pods", std::move(pod));
  if (created.ok()) {
    events.normal(make_ref(owner), "SuccessfulCreate", "Created pod: " + created->name());
    return {};
  }
  // A namespace on its way out refuses; saying so for every owner in it would only be noise.
  if (created.error().code != base::Code::kForbidden) events.warning(make_ref(owner), "FailedCreate", "Error creating: " + created.error().message);
  return std::move(created).error();
}

base::Status remove_owned_pod(ControlLoop& loop, EventRecorder& events, const store::Object& owner, const Pod& pod) {
  const store::Object* object = loop.cache("pods").find(pod.meta.ns, pod.meta.name);
  if (object == nullptr) return {};
  base::Status removed = remove_object(loop.client(), *object);
  if (removed.ok()) events.normal(make_ref(owner), "SuccessfulDelete", "Deleted pod: " + pod.meta.name);
  else events.warning(make_ref(owner), "FailedDelete", "Error deleting: " + removed.error().message);
  return removed;
}

std::chrono::milliseconds until_available(const std::vector<const Pod*>& pods, std::chrono::seconds min_ready, base::WallTime now) {
  using std::chrono::milliseconds;
  milliseconds wait{0};
  for (const Pod* pod : pods) {
    if (!pod->ready || pod->available(now, min_ready)) continue;
    const auto left = std::chrono::ceil<milliseconds>(pod->ready_since + min_ready - now);
    wait = wait.count() == 0 ? left : std::min(wait, left);
  }
  return wait;
}

}  // namespace server

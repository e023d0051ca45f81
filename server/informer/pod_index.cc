#include "server/informer/pod_index.h"

#include <utility>

namespace server {
namespace {

using Groups = std::map<std::string, PodIndex::ByName>;

const PodIndex::ByName& lookup(const Groups& groups, const std::string& key) {
  static const PodIndex::ByName kNone;
  auto it = groups.find(key);
  return it == groups.end() ? kNone : it->second;
}

void drop(Groups& groups, const std::string& group, const std::string& name) {
  auto it = groups.find(group);
  if (it == groups.end()) return;
  it->second.erase(name);
  if (it->second.empty()) groups.erase(it);
}

}  // namespace

PodIndex::PodIndex(ControlLoop& loop) {
  loop.on_change("pods", [this](const store::Object& before, const store::Object& after) { apply(before, after); });
}

const Pod* PodIndex::find(const std::string& ns, const std::string& name) const {
  auto space = pods_.find(ns);
  if (space == pods_.end()) return nullptr;
  auto it = space->second.find(name);
  return it == space->second.end() ? nullptr : it->second.get();
}

const PodIndex::ByName& PodIndex::owned_by(const std::string& uid) const { return lookup(by_owner_, uid); }
const PodIndex::ByName& PodIndex::uncontrolled(const std::string& ns) const { return lookup(uncontrolled_, ns); }
const PodIndex::ByName& PodIndex::in_namespace(const std::string& ns) const { return lookup(by_namespace_, ns); }
const PodIndex::ByName& PodIndex::on_node(const std::string& node) const { return lookup(by_node_, node); }

void PodIndex::link(const Pod& pod) {
  if (const OwnerRef* owner = controller_of(pod.meta)) {
    by_owner_[owner->uid][pod.meta.name] = &pod;
  } else {
    uncontrolled_[pod.meta.ns][pod.meta.name] = &pod;
  }
  by_namespace_[pod.meta.ns][pod.meta.name] = &pod;
  by_node_[pod.node][pod.meta.ns + "/" + pod.meta.name] = &pod;
}

void PodIndex::unlink(const Pod& pod) {
  if (const OwnerRef* owner = controller_of(pod.meta)) {
    drop(by_owner_, owner->uid, pod.meta.name);
  } else {
    drop(uncontrolled_, pod.meta.ns, pod.meta.name);
  }
  drop(by_namespace_, pod.meta.ns, pod.meta.name);
  drop(by_node_, pod.node, pod.meta.ns + "/" + pod.meta.name);
}

void PodIndex::apply(const store::Object& before, const store::Object& after) {
  const store::Object& key = after ? after : before;
  std::unique_ptr<Pod>& slot = pods_[key.ns()][key.name()];
  std::unique_ptr<Pod> old = std::move(slot);
  if (old) unlink(*old);
  if (after) {
    slot = std::make_unique<Pod>(project_pod(after.tree()));
    link(*slot);
  }
  for (const auto& handler : handlers_) handler(old.get(), slot.get());
  if (!after) {
    auto space = pods_.find(key.ns());
    space->second.erase(key.name());
    if (space->second.empty()) pods_.erase(space);
  }
}

}  // namespace server

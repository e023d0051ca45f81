#include "server/informer/object_cache.h"

#include <utility>

namespace server {

const store::Object* ObjectCache::find(const std::string& ns, const std::string& name) const {
  auto space = by_namespace_.find(ns);
  if (space == by_namespace_.end()) return nullptr;
  auto it = space->second.find(name);
  return it == space->second.end() ? nullptr : &it->second;
}

std::vector<store::Object> ObjectCache::list(const std::string& ns) const {
  std::vector<store::Object> out;
  auto add = [&out](const std::map<std::string, store::Object>& objects) {
    out.reserve(out.size() + objects.size());
    for (const auto& [name, object] : objects) out.push_back(object);
  };
  if (ns.empty()) {
    for (const auto& [name, objects] : by_namespace_) add(objects);
  } else if (auto it = by_namespace_.find(ns); it != by_namespace_.end()) {
    add(it->second);
  }
  return out;
}

store::Object ObjectCache::put(const store::Object& object) {
  store::Object& slot = by_namespace_[object.ns()][object.name()];
  return std::exchange(slot, object);
}

store::Object ObjectCache::erase(const std::string& ns, const std::string& name) {
  auto space = by_namespace_.find(ns);
  if (space == by_namespace_.end()) return {};
  auto it = space->second.find(name);
  if (it == space->second.end()) return {};
  store::Object old = std::move(it->second);
  space->second.erase(it);
  if (space->second.empty()) by_namespace_.erase(space);
  return old;
}

}  // namespace server

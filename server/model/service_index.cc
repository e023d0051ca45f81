#include "server/model/service_index.h"

namespace server::model {

std::set<ServiceKey> ServiceIndex::change_service(const store::Object& before, const store::Object& after) {
  const store::Object& object = after ? after : before;
  const ServiceKey key{object.ns(), object.name()};
  if (!after) {
    entries_[key].service.reset();
    drop_if_empty(key);
    return {key};
  }
  Service service = project_service(after);
  auto& held = entries_[key].service;
  if (held == service) return {};
  held = std::move(service);
  return {key};
}

std::set<ServiceKey> ServiceIndex::change_slice(const store::Object& before, const store::Object& after) {
  const store::Object& object = after ? after : before;
  const std::pair name{object.ns(), object.name()};
  EndpointSlice slice;
  if (after) slice = project_endpoint_slice(after);
  std::set<ServiceKey> changed;
  if (auto owner = owners_.find(name); owner != owners_.end()) {
    const ServiceKey old = owner->second;
    auto& slices = entries_[old].slices;
    if (after && slice.service == old.name && slices[slice.name] == slice) return {};
    slices.erase(object.name());
    owners_.erase(owner);
    drop_if_empty(old);
    changed.insert(old);
  }
  if (after && !slice.service.empty()) {
    const ServiceKey key = slice.service_key();
    owners_[name] = key;
    entries_[key].slices.insert_or_assign(slice.name, std::move(slice));
    changed.insert(key);
  }
  return changed;
}

const Service* ServiceIndex::find(const ServiceKey& key) const {
  auto it = entries_.find(key);
  return it != entries_.end() && it->second.service ? &*it->second.service : nullptr;
}

std::vector<const EndpointSlice*> ServiceIndex::slices(const ServiceKey& key) const {
  std::vector<const EndpointSlice*> out;
  if (auto it = entries_.find(key); it != entries_.end()) {
    for (const auto& [name, slice] : it->second.slices) out.push_back(&slice);
  }
  return out;
}

std::set<ServiceKey> ServiceIndex::keys() const {
  std::set<ServiceKey> out;
  for (const auto& [key, entry] : entries_) {
    if (entry.service) out.insert(key);
  }
  return out;
}

void ServiceIndex::drop_if_empty(const ServiceKey& key) {
  auto it = entries_.find(key);
  if (it != entries_.end() && !it->second.service && it->second.slices.empty()) entries_.erase(it);
}

}  // namespace server::model

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "store/schema/schema.h"
#include "store/schema/tables.h"

namespace store {

const Field* Type::find_field(std::string_view field) const {
  const auto at =
      std::lower_bound(fields.begin(), fields.end(), field, [](const Field& f, std::string_view wanted) { return f.name < wanted; });
  return at != fields.end() && at->name == field ? &*at : nullptr;
}

std::string Resource::api_version() const {
  if (group.empty()) return std::string(version);
  return std::string(group) + "/" + std::string(version);
}

const Subresource* Resource::find_subresource(std::string_view wanted) const {
  const auto at = std::find_if(subresources.begin(), subresources.end(), [&](const Subresource& s) { return s.name == wanted; });
  return at == subresources.end() ? nullptr : &*at;
}

Registry::Registry(std::vector<const Resource*> resources) { publish(std::move(resources)); }
Registry::~Registry() = default;

void Registry::publish(std::vector<const Resource*> resources) {
  lists_.push_back(std::make_unique<const List>(std::move(resources)));
  current_.store(lists_.back().get(), std::memory_order_release);
}

// Linear: a few dozen rows of which the first bytes differ cost less than building a key for a map.
const Resource* Registry::find(std::string_view group, std::string_view version, std::string_view plural) const {
  for (const Resource* r : resources()) {
    if (r->plural == plural && r->group == group && r->version == version) return r;
  }
  return nullptr;
}

const Resource* Registry::find_kind(std::string_view api_version, std::string_view kind) const {
  const size_t slash = api_version.find('/');
  const std::string_view group = slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
  const std::string_view version = slash == std::string_view::npos ? api_version : api_version.substr(slash + 1);
  for (const Resource* r : resources()) {
    if (r->kind == kind && r->group == group && r->version == version) return r;
  }
  return nullptr;
}

const Resource* Registry::find_storage(std::string_view storage_name) const {
  for (const Resource* r : resources()) {
    if (r->storage_name == storage_name && r->is_stored()) return r;
  }
  return nullptr;
}

const Resource* Registry::stored(const Resource& r) const { return r.is_stored() ? &r : find_storage(r.storage_name); }

const Registry& builtin_registry() {
  static const Registry registry = [] {
    std::vector<const Resource*> rows;
    for (const Resource& row : builtin_resources()) rows.push_back(&row);
    return Registry(std::move(rows));
  }();
  return registry;
}

const Type* find_type(std::string_view openapi_name) {
  if (openapi_name.empty()) return nullptr;
  for (const Type& type : builtin_types()) {
    if (type.name == openapi_name) return &type;
  }
  return nullptr;
}

}  // namespace store

#include "server/api/custom_kinds.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/api/meta.h"
#include "store/custom/definition.h"
#include "store/custom/values.h"
#include "store/object/access.h"

namespace server {

CustomKinds::CustomKinds(const store::Store& store, store::Registry& registry, const base::Clock& clock, std::function<void(const std::string& group)> published)
    : store_(store), registry_(registry), clock_(clock), builtin_(registry.resources()), published_(std::move(published)) {}

base::Status CustomKinds::load() {
  store::ListQuery query;
  query.resource = store::kDefinitions;
  store::ListPage page = TRY(store_.list(query));
  std::lock_guard lock(mutex_);
  for (const store::Object& definition : page.items) take(definition.name(), definition.tree());
  if (!page.items.empty()) publish();
  return {};
}

void CustomKinds::complete(const store::Resource& r, json& tree) const {
  if (r.custom) store::tidy_numbers(tree);
  if (r.storage_name != store::kDefinitions) return;
  const std::string own = store::get_string(tree, "metadata.name");
  std::vector<const store::Resource*> others;
  for (const store::Resource* other : registry_.resources()) {
    if (!other->custom || other->storage_name != own) others.push_back(other);
  }
  store::complete_definition_status(tree, others, base::render_rfc3339(clock_.wall()));
}

void CustomKinds::changed(const store::Key& key) {
  if (key.resource != store::kDefinitions) return;
  std::lock_guard lock(mutex_);
  auto definition = store_.get(key);
  if (definition.ok()) take(key.name, definition->tree());
  else if (auto it = known_.find(key.name); it != known_.end()) it->second.served = false;
  publish();
  published_(key.name.substr(key.name.find('.') + 1));
}

void CustomKinds::take(const std::string& name, const json& definition) {
  Known& known = known_[name];
  known.served = store::is_established(definition);
  std::string spec = store::get_object(definition, "spec").dump();
  if (known.kind && known.spec == spec) return;
  known.kind = store::CustomKind::compile(definition);
  known.spec = std::move(spec);
  all_.push_back(known.kind);
}

// Kinds of definitions come after those compiled in: by group, then the preferred version first, then by name.
void CustomKinds::publish() {
  std::vector<const store::Resource*> rows;
  for (const auto& [name, known] : known_) {
    if (!known.served) continue;
    for (const store::Resource* row : known.kind->rows()) rows.push_back(row);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const store::Resource* a, const store::Resource* b) {
    if (a->group != b->group) return a->group < b->group;
    if (a->version != b->version) return store::version_goes_first(a->version, b->version);
    return a->plural < b->plural;
  });
  std::vector<const store::Resource*> all = builtin_;
  all.insert(all.end(), rows.begin(), rows.end());
  registry_.publish(std::move(all));
}

base::Status CustomKinds::check_create(const store::Resource& r) const {
  if (!r.custom) return {};
  auto definition = store_.get({std::string(store::kDefinitions), "", r.storage()});
  if (!definition.ok() || !is_deleting(definition->tree())) return {};
  return base::Error(base::Code::kMethodNotAllowed, "create not allowed while custom resource definition is terminating");
}

}  // namespace server

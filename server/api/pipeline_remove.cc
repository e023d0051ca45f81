// Deletion: grace, finalizers, propagation.
#include <nlohmann/json.hpp>

#include "server/api/meta.h"
#include "server/api/pipeline.h"
#include "server/api/status.h"
#include "store/custom/definition.h"
#include "store/object/access.h"
#include "store/schema/conversions.h"

namespace server {
namespace {

constexpr int kConflictRetries = 64;

// Upstream names the kind here, not the resource.
base::Status check_preconditions(const store::Resource& r, const json& tree, const RemoveOptions& options) {
  store::Resource named = r;
  named.plural = r.kind;
  std::string name = store::get_string(tree, "metadata.name");
  std::string uid = store::get_string(tree, "metadata.uid"), version = store::get_string(tree, "metadata.resourceVersion");
  if (!options.uid.empty() && options.uid != uid) {
    return conflict(named, name, "the UID in the precondition (" + options.uid + ") does not match the UID in record (" + uid + "). The object might have been deleted and then recreated");
  }
  if (!options.resource_version.empty() && options.resource_version != version) {
    return conflict(named, name, "the ResourceVersion in the precondition (" + options.resource_version + ") does not match the ResourceVersion in record (" + version + "). The object might have been modified");
  }
  return {};
}

// The finalizers that the garbage collector acts on. Without a policy what is there stays.
void set_propagation(json& tree, const std::string& propagation) {
  if (propagation.empty()) return;
  json kept = json::array();
  for (const json& f : store::get_array(tree, "metadata.finalizers")) {
    if (f != "foregroundDeletion" && f != "orphan") kept.push_back(f);
  }
  if (propagation == "Foreground") kept.push_back("foregroundDeletion");
  if (propagation == "Orphan") kept.push_back("orphan");
  if (kept.empty()) store::erase(tree, "metadata.finalizers");
  else store::set(tree, "metadata.finalizers", std::move(kept));
}

// Seconds until a pod is gone for good. Nobody runs a pod that has no node or has ended: nothing to wait for.
int64_t pod_grace(const json& pod, const RemoveOptions& options) {
  int64_t grace = options.grace_period_seconds.value_or(store::get_int(pod, "spec.terminationGracePeriodSeconds", 30));
  if (grace < 0) grace = 1;
  std::string phase = store::get_string(pod, "status.phase");
  if (store::get_string(pod, "spec.nodeName").empty() || phase == "Succeeded" || phase == "Failed") return 0;
  return grace;
}

void mark_deleted(json& tree, base::WallTime at, int64_t grace) {
  json& metadata = tree["metadata"];
  metadata["deletionTimestamp"] = base::render_rfc3339(at);
  metadata["deletionGracePeriodSeconds"] = grace;
  if (int64_t generation = store::get_int(metadata, "generation")) metadata["generation"] = generation + 1;
}

}  // namespace

base::Result<store::Object> Pipeline::persist_removal(const store::Object& stored, json tree) {
  auto removed = store_.remove(stored.key(), std::move(tree), stored.revision());
  if (!removed.ok()) return removed;
  if (stored.key().resource == "services") services_.release(stored.tree());
  addresses_.changed(stored.key().resource, &stored.tree(), nullptr);
  note_change(stored.key());
  // The last object of a definition that is being deleted lets it go.
  auto definition = store_.get({std::string(store::kDefinitions), "", stored.key().resource});
  if (definition.ok() && is_deleting(definition->tree())) base::ignore(finish_definition(stored.key().resource), "whoever removes the next one tries again");
  return removed;
}

// The objects of a definition go with it; those with finalizers hold it back.
base::Status Pipeline::remove_objects_of(const std::string& definition) {
  const store::Resource* row = registry_.find_storage(definition);
  store::ListQuery query;
  query.resource = definition;
  store::ListPage page = TRY(store_.list(query));
  for (const store::Object& object : page.items) {
    if (!row || is_deleting(object.tree())) continue;
    auto removed = remove(*row, object.ns(), object.name(), RemoveOptions{});
    if (!removed.ok() && removed.error().code != base::Code::kNotFound) return std::move(removed).error();
  }
  return finish_definition(definition);
}

base::Status Pipeline::finish_definition(const std::string& definition) {
  store::ListQuery query;
  query.resource = definition;
  query.limit = 1;
  if (!TRY(store_.list(query)).items.empty()) return {};
  const store::Resource* r = registry_.find_storage(store::kDefinitions);
  if (!r) return {};
  WriteContext context;
  auto done = rewrite(*r, "", definition, [](const json& stored) -> base::Result<json> {
    json tree = stored;
    json kept = json::array();
    for (const json& finalizer : store::get_array(stored, "metadata.finalizers")) {
      if (finalizer != std::string(store::kCleanupFinalizer)) kept.push_back(finalizer);
    }
    if (kept.empty()) store::erase(tree, "metadata.finalizers");
    else store::set(tree, "metadata.finalizers", std::move(kept));
    return tree;
  }, context);
  if (!done.ok() && done.error().code != base::Code::kNotFound) return std::move(done).error();
  return {};
}

base::Result<Removed> Pipeline::remove(const store::Resource& r, const std::string& ns, const std::string& name, const RemoveOptions& options) {
  static const char* kKept[] = {"default", "kube-system", "kube-public"};
  for (const char* kept : kKept) {
    if (r.storage_name == "namespaces" && name == kept) return forbidden(r, name, "this namespace may not be deleted");
  }
  for (int attempt = 1;; ++attempt) {
    auto stored = store_.get({r.storage(), r.namespaced ? ns : "", name});
    if (!stored.ok()) return stored.error().code == base::Code::kNotFound ? not_found(r, name) : std::move(stored).error();
    TRY_STATUS(check_preconditions(r, stored->tree(), options));
    auto removed = remove_once(r, *stored, options);
    if (removed.ok() && r.storage_name == store::kDefinitions && !removed->gone && !options.dry_run) TRY_STATUS(remove_objects_of(name));
    if (removed.ok()) return Removed{store::view(r, removed->object), removed->gone};
    if (removed.error().code == base::Code::kNotFound) return not_found(r, name);
    if (removed.error().code != base::Code::kConflict) return std::move(removed).error();
    if (attempt == kConflictRetries) return stale(r, name);
  }
}

base::Result<Removed> Pipeline::remove_once(const store::Resource& r, const store::Object& stored, const RemoveOptions& options) {
  const bool pod = r.storage_name == "pods";
  const bool deleting = is_deleting(stored.tree());
  json tree = stored.tree();
  set_propagation(tree, options.propagation);
  int64_t grace = pod ? pod_grace(tree, options) : 0;
  if (deleting && pod) {
    // Only a shorter time may be asked for later.
    int64_t pending = store::get_int(tree, "metadata.deletionGracePeriodSeconds");
    if (!options.grace_period_seconds) grace = pending;
    grace = std::min(grace, pending);
    auto end = base::parse_rfc3339(store::get_string(tree, "metadata.deletionTimestamp"));
    if (grace < pending && end.ok()) {
      json& metadata = tree["metadata"];
      metadata["deletionTimestamp"] = base::render_rfc3339(*end - std::chrono::seconds(pending - grace));
      metadata["deletionGracePeriodSeconds"] = grace;
    }
  } else if (!deleting) {
    mark_deleted(tree, clock_.wall() + std::chrono::seconds(grace), grace);
    if (r.storage_name == "namespaces") store::set(tree, "status.phase", "Terminating");
    if (r.storage_name == store::kDefinitions) store::mark_definition_terminating(tree, base::render_rfc3339(clock_.wall()));
  }
  const bool gone = grace == 0 && !has_finalizers(tree);
  if (options.dry_run) return Removed{store::Object(r.storage(), std::move(tree)), gone};
  if (gone) return Removed{TRY(persist_removal(stored, std::move(tree))), true};
  if (tree == stored.tree()) return Removed{stored, false};
  store::Object marked = TRY(store_.update(stored.key(), std::move(tree), stored.revision()));
  addresses_.changed(stored.key().resource, &stored.tree(), &marked.tree());
  return Removed{std::move(marked), false};
}

}  // namespace server

#include "server/api/client.h"

#include <nlohmann/json.hpp>
#include <set>

#include "server/api/client_impl.h"
#include "server/api/status.h"
#include "server/api/verbs.h"
#include "store/object/access.h"
#include "store/schema/conversions.h"

namespace server {
namespace {

constexpr int kSnapshotAttempts = 16;

WriteContext internal_write() {
  WriteContext context;
  context.manager = "kubelan";
  context.validation = FieldValidation::kIgnore;
  return context;
}

}  // namespace

base::Result<store::Object> ClientImpl::get(const store::Resource& r, const std::string& ns, const std::string& name) {
  return core_.pipeline.get(r, r.namespaced ? ns : "", name);
}

base::Result<std::vector<store::Object>> ClientImpl::list(const store::Resource& r, const std::string& ns, const store::LabelSelector& selector) {
  store::ListQuery query;
  query.resource = r.storage();
  query.ns = ns;
  auto page = TRY(core_.store.list(query));
  if (!selector.empty()) std::erase_if(page.items, [&](const store::Object& o) { return !selector.matches_object(o.tree()); });
  for (store::Object& item : page.items) item = store::view(r, item);
  return std::move(page.items);
}

base::Result<store::Object> ClientImpl::create(const store::Resource& r, json tree) {
  WriteContext context = internal_write();
  std::string ns = store::get_string(tree, "metadata.namespace");
  return core_.pipeline.create(r, ns, std::move(tree), context);
}

base::Result<store::Object> ClientImpl::update(const store::Resource& r, json tree) { return write(r, std::move(tree), ""); }
base::Result<store::Object> ClientImpl::update_status(const store::Resource& r, json tree) { return write(r, std::move(tree), "status"); }

base::Result<store::Object> ClientImpl::write(const store::Resource& r, json tree, const std::string& subresource) {
  WriteContext context = internal_write();
  std::string ns = store::get_string(tree, "metadata.namespace"), name = store::get_string(tree, "metadata.name");
  return core_.pipeline.update(r, ns, name, subresource, std::move(tree), context);
}

base::Result<store::Object> ClientImpl::patch(const store::Resource& r, const std::string& ns, const std::string& name, PatchType type, const json& patch,
                                              const std::string& subresource) {
  WriteContext context = internal_write();
  PatchKind kind = type == PatchType::kJson ? PatchKind::kJson : type == PatchType::kMerge ? PatchKind::kMerge : PatchKind::kStrategic;
  return core_.pipeline.modify(r, ns, name, subresource,
                               [&](const json& stored) -> base::Result<json> {
                                 json tree = TRY(apply_patch(r, kind, stored, patch));
                                 const Pipeline::Quote quote = [&] { return patch.dump(); };
                                 TRY_STATUS(core_.pipeline.decode(r, tree, context, &quote));
                                 return tree;
                               },
                               context);
}

base::Status ClientImpl::remove(const store::Resource& r, const std::string& ns, const std::string& name, const DeleteOptions& options) {
  RemoveOptions remove;
  if (options.grace_period_seconds >= 0) remove.grace_period_seconds = options.grace_period_seconds;
  remove.propagation = options.propagation;
  remove.uid = options.uid;
  auto removed = core_.pipeline.remove(r, ns, name, remove);
  if (!removed.ok()) return std::move(removed).error();
  return {};
}

base::Status ClientImpl::bind(const std::string& ns, const std::string& pod, const std::string& node) {
  WriteContext context = internal_write();
  return bind_pod(core_, ns, pod, node, "", context);
}

base::Result<Client::Snapshot> ClientImpl::snapshot_and_watch() {
  std::set<std::string> resources;
  for (const store::Resource* r : core_.registry.resources()) resources.insert(r->storage());
  // Everything at one revision, and the watch from it on. Only a server that writes faster than this reads could
  // compact that revision away in between.
  base::Error last;
  for (int attempt = 0; attempt < kSnapshotAttempts; ++attempt) {
    Snapshot out;
    store::WatchQuery watch;
    watch.after = core_.store.revision();
    auto opened = core_.store.watch(watch);
    bool expired = !opened.ok();
    if (expired) last = opened.error();
    else out.watch = std::move(*opened);
    for (const std::string& resource : resources) {
      if (expired) break;
      store::ListQuery query;
      query.resource = resource;
      query.at = watch.after;
      auto page = core_.store.list(query);
      expired = !page.ok();
      if (expired) last = page.error();
      else out.objects.insert(out.objects.end(), page->items.begin(), page->items.end());
    }
    if (!expired) return out;
    if (last.code != base::Code::kExpired) break;
  }
  return last;
}

}  // namespace server

#include "server/controllers/namespace.h"

#include <nlohmann/json.hpp>

#include "server/informer/writes.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kNamespaces = "namespaces";

bool deleting(const store::Object& object) { return store::find(object.tree(), "metadata.deletionTimestamp") != nullptr; }

class NamespaceController final : public Controller {
 public:
  explicit NamespaceController(ControlLoop& loop) : loop_(loop), queue_(loop.make_queue("namespace", [this](const store::Key& key) { return reconcile(key); })) {
    loop.on_change(kNamespaces, [this](const store::Object&, const store::Object& after) {
      if (after && deleting(after)) queue_.add(after.key());
    });
    // The last object that goes lets its namespace go.
    loop.on_change("", [this](const store::Object& before, const store::Object& after) {
      if (after || before.ns().empty()) return;
      const store::Object* ns = loop_.cache(kNamespaces).find("", before.ns());
      if (ns != nullptr && deleting(*ns)) queue_.add(ns->key());
    });
  }

 private:
  base::Result<Requeue> reconcile(const store::Key& key) {
    const store::Object* ns = loop_.cache(kNamespaces).find("", key.name);
    if (ns == nullptr || !deleting(*ns)) return Requeue{};
    size_t left = 0;
    for (const store::Resource* resource : loop_.client().registry().resources()) {
      if (!resource->namespaced) continue;
      for (const store::Object& object : loop_.cache(resource->storage()).list(key.name)) {
        ++left;
        if (deleting(object)) continue;
        base::Status removed = remove_object(loop_.client(), object);
        if (!removed.ok() && removed.error().code != base::Code::kConflict) return std::move(removed).error();
      }
    }
    if (left > 0) return Requeue{};  // Each removal comes back as an event.
    base::Result<store::Object> freed = merge_patch(loop_.client(), key, {{"spec", {{"finalizers", nullptr}}}}, "finalize");
    if (!freed.ok() && freed.error().code != base::Code::kNotFound) return std::move(freed).error();
    return Requeue{};
  }

  ControlLoop& loop_;
  WorkQueue& queue_;
};

}  // namespace

std::unique_ptr<Controller> make_namespace_controller(ControlLoop& loop) { return std::make_unique<NamespaceController>(loop); }

}  // namespace server

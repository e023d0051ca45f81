#include "server/controllers/namespace.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "server/informer/writes.h"
#include "server/model/pod.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kNamespaces = "namespaces";
constexpr const char* kOurs = "kubernetes";  // The entry of spec.finalizers that stands for this controller.

bool is_deleting(const store::Object& object) { return store::find(object.tree(), "metadata.deletionTimestamp") != nullptr; }

// What is still there, by "resource.group" (the group may be empty) and by finalizer.
struct Remaining {
  std::map<std::string, int> resources;
  std::map<std::string, int> finalizers;
};

std::string list_counts(const std::string& start, const std::map<std::string, int>& counts, const std::string& verb) {
  std::string out;
  for (const auto& [what, count] : counts)
    out += (out.empty() ? start : ", ") + what + verb + std::to_string(count) + " resource instances";
  return out;
}

// Types, reasons and texts are the API's.
json compile_conditions(const Remaining& left, const json& old, base::WallTime now) {
  struct Row {
    const char *type, *bad_reason;
    std::string bad;  // Empty: all is well.
    const char *good_reason, *good;
  };
  const Row rows[] = {
      {"NamespaceDeletionDiscoveryFailure", "", "", "ResourcesDiscovered", "All resources successfully discovered"},
      {"NamespaceDeletionGroupVersionParsingFailure", "", "", "ParsedGroupVersions", "All legacy kube types successfully parsed"},
      {"NamespaceDeletionContentFailure", "", "", "ContentDeleted", "All content successfully deleted, may be waiting on finalization"},
      {"NamespaceContentRemaining", "SomeResourcesRemain", list_counts("Some resources are remaining: ", left.resources, " has "),
       "ContentRemoved", "All content successfully removed"},
      {"NamespaceFinalizersRemaining", "SomeFinalizersRemain",
       list_counts("Some content in the namespace has finalizers remaining: ", left.finalizers, " in "), "ContentHasNoFinalizers",
       "All content-preserving finalizers finished"},
  };
  json out = json::array();
  for (const Row& row : rows) {
    const bool bad = !row.bad.empty();
    const char* status = bad ? "True" : "False";
    const json* before = find_condition(old, row.type);
    std::string since =
        before != nullptr && store::get_string(*before, "status") == status ? store::get_string(*before, "lastTransitionTime") : "";
    if (since.empty()) since = base::render_rfc3339(now);
    out.push_back({{"type", row.type},
                   {"status", status},
                   {"lastTransitionTime", since},
                   {"reason", bad ? row.bad_reason : row.good_reason},
                   {"message", bad ? row.bad : row.good}});
  }
  return out;
}

class NamespaceController final : public Controller {
 public:
  explicit NamespaceController(ControlLoop& loop)
      : loop_(loop), queue_(loop.make_queue("namespace", [this](const store::Key& key) { return reconcile(key); })) {
    loop.on_change(kNamespaces, [this](const store::Object&, const store::Object& after) {
      if (after && is_deleting(after)) queue_.add(after.key());
    });
    // The last object that goes lets its namespace go. One may also come: created while the deletion was being written.
    loop.on_change("", [this](const store::Object& before, const store::Object& after) {
      const store::Object& object = after ? after : before;
      if (object.ns().empty()) return;
      const store::Object* ns = loop_.cache(kNamespaces).find("", object.ns());
      if (ns == nullptr || !is_deleting(*ns)) return;
      if (!before || !after || is_deleting(before) != is_deleting(after)) queue_.add(ns->key());
    });
  }

 private:
  base::Result<Requeue> reconcile(const store::Key& key) {
    const store::Object* ns = loop_.cache(kNamespaces).find("", key.name);
    if (ns == nullptr || !is_deleting(*ns)) return Requeue{};
    bool pending = false;  // Removed here, but not yet out of the caches.
    Remaining left = TRY(remove_content(key.name, pending));
    if (pending) return Requeue{};  // Each removal comes back as an event.
    if (!left.resources.empty()) return report(*ns, left);
    return finalize(*ns);
  }

  base::Result<Remaining> remove_content(const std::string& ns, bool& pending) {
    Remaining left;
    std::set<std::string> seen;  // Several versions and groups may serve one storage.
    for (const store::Resource* resource : loop_.client().registry().resources()) {
      if (!resource->namespaced || !seen.insert(resource->storage()).second) continue;
      for (const store::Object& object : loop_.cache(resource->storage()).list(ns)) {
        if (!is_deleting(object)) {
          TRY_STATUS(remove_object(loop_.client(), object));
          pending = true;
          continue;
        }
        ++left.resources[std::string(resource->plural) + "." + std::string(resource->group)];
        for (const json& finalizer : store::get_array(object.tree(), "metadata.finalizers"))
          ++left.finalizers[finalizer.get<std::string>()];
      }
    }
    return left;
  }

  base::Result<Requeue> report(const store::Object& ns, const Remaining& left) {
    json conditions = compile_conditions(left, ns.tree(), loop_.clock().wall());
    if (conditions == store::get_array(ns.tree(), "status.conditions")) return Requeue{};
    return done(merge_patch(loop_.client(), ns.key(), {{"status", {{"conditions", std::move(conditions)}}}}, "status"));
  }

  // Other entries belong to whoever put them there; without any the namespace goes with this write.
  base::Result<Requeue> finalize(const store::Object& ns) {
    json left = json::array();
    for (const json& f : store::get_array(ns.tree(), "spec.finalizers")) {
      if (f != kOurs) left.push_back(f);
    }
    json metadata = {{"uid", ns.uid()}, {"resourceVersion", std::to_string(ns.revision())}};
    return done(merge_patch(loop_.client(), ns.key(), {{"metadata", metadata}, {"spec", {{"finalizers", left}}}}, "finalize"));
  }

  static base::Result<Requeue> done(base::Result<store::Object> written) {
    if (written.ok() || written.error().code == base::Code::kNotFound) return Requeue{};
    return std::move(written).error();
  }

  ControlLoop& loop_;
  WorkQueue& queue_;
};

}  // namespace

std::unique_ptr<Controller> make_namespace_controller(ControlLoop& loop) { return std::make_unique<NamespaceController>(loop); }

}  // namespace server

#include "server/controllers/garbage_collector.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "server/informer/writes.h"
#include "server/model/meta.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kForeground = "foregroundDeletion";
constexpr const char* kOrphan = "orphan";

bool has_finalizer(const store::Object& object, const char* finalizer) {
  for (const json& f : store::get_array(object.tree(), "metadata.finalizers")) {
    if (f == finalizer) return true;
  }
  return false;
}

bool deleting(const store::Object& object) { return store::find(object.tree(), "metadata.deletionTimestamp") != nullptr; }

// An index of who owns whom, kept by events: no reconcile looks at more than one object's family.
class GarbageCollector final : public Controller {
 public:
  explicit GarbageCollector(ControlLoop& loop) : loop_(loop), queue_(loop.make_queue("garbage-collector", [this](const store::Key& key) { return reconcile(key); })) {
    loop.on_change("", [this](const store::Object& before, const store::Object& after) { changed(before, after); });
  }

 private:
  void changed(const store::Object& before, const store::Object& after) {
    if (before) {
      for (const OwnerRef& owner : project_owners(before.tree())) dependents_[owner.uid].erase(before.key());
    }
    if (!after) {
      living_.erase(before.uid());
      for (const store::Key& key : dependents_of(before.uid())) queue_.add(key);
      wake_owners(before);  // One that waits for its dependents to go.
      forget_if_empty(before.uid());
      return;
    }
    living_[after.uid()] = after.key();
    std::vector<OwnerRef> owners = project_owners(after.tree());
    for (const OwnerRef& owner : owners) dependents_[owner.uid].insert(after.key());
    bool finishing = deleting(after) && (has_finalizer(after, kForeground) || has_finalizer(after, kOrphan));
    if (finishing || !owners.empty()) queue_.add(after.key());
    if (before && project_owners(before.tree()).size() != owners.size()) wake_owners(before);
  }

  void wake_owners(const store::Object& dependent) {
    for (const OwnerRef& owner : project_owners(dependent.tree())) {
      auto found = living_.find(owner.uid);
      if (found != living_.end()) queue_.add(found->second);
      else forget_if_empty(owner.uid);
    }
  }

  void forget_if_empty(const std::string& uid) {
    auto found = dependents_.find(uid);
    if (found != dependents_.end() && found->second.empty()) dependents_.erase(found);
  }

  std::set<store::Key> dependents_of(const std::string& uid) const {
    auto found = dependents_.find(uid);
    return found == dependents_.end() ? std::set<store::Key>() : found->second;
  }

  const store::Object* find(const store::Key& key) { return loop_.cache(key.resource).find(key.ns, key.name); }

  base::Result<Requeue> reconcile(const store::Key& key) {
    const store::Object* object = find(key);
    if (object == nullptr) return Requeue{};
    if (deleting(*object) && has_finalizer(*object, kOrphan)) return orphan(*object);
    if (deleting(*object) && has_finalizer(*object, kForeground)) return delete_dependents_first(*object);
    return collect(*object);
  }

  // Deleted when no owner is left, in the background; as long as one lives, references to the dead ones are dropped.
  base::Result<Requeue> collect(const store::Object& object) {
    std::vector<OwnerRef> owners = project_owners(object.tree());
    if (owners.empty() || deleting(object)) return Requeue{};
    std::vector<std::string> dead;
    for (const OwnerRef& owner : owners) {
      if (living_.count(owner.uid) == 0) dead.push_back(owner.uid);
    }
    if (dead.empty()) return Requeue{};
    if (dead.size() == owners.size()) return done(remove_object(loop_.client(), object, background()));
    return disown(object, dead.front());
  }

  base::Result<Requeue> orphan(const store::Object& owner) {
    for (const store::Key& key : dependents_of(owner.uid())) {
      const store::Object* dependent = find(key);
      if (dependent != nullptr) TRY(disown(*dependent, owner.uid()));
    }
    return drop_finalizer(owner, kOrphan);
  }

  // Upstream waits for those with blockOwnerDeletion only, and deletes all.
  base::Result<Requeue> delete_dependents_first(const store::Object& owner) {
    bool blocked = false;
    for (const store::Key& key : dependents_of(owner.uid())) {
      const store::Object* dependent = find(key);
      if (dependent == nullptr) continue;
      for (const OwnerRef& ref : project_owners(dependent->tree())) blocked = blocked || (ref.uid == owner.uid() && ref.block_deletion);
      if (deleting(*dependent)) continue;
      DeleteOptions options;
      options.propagation = "Foreground";
      TRY(done(remove_object(loop_.client(), *dependent, options)));
    }
    if (blocked) return Requeue{};  // Each that goes comes back as an event.
    return drop_finalizer(owner, kForeground);
  }

  static DeleteOptions background() {
    DeleteOptions options;
    options.propagation = "Background";
    return options;
  }

  static base::Result<Requeue> done(base::Status status) {
    if (status.ok() || status.error().code == base::Code::kNotFound || status.error().code == base::Code::kConflict) return Requeue{};
    return std::move(status).error();
  }

  base::Result<Requeue> disown(const store::Object& dependent, const std::string& uid) {
    base::Result<store::Object> patched = merge_patch(loop_.client(), dependent.key(), {{"metadata", {{"uid", dependent.uid()}, {"ownerReferences", owner_refs_without(dependent, uid)}}}});
    return done(patched.ok() ? base::Status() : base::Status(patched.error()));
  }

  base::Result<Requeue> drop_finalizer(const store::Object& object, const char* finalizer) {
    json left = json::array();
    for (const json& f : store::get_array(object.tree(), "metadata.finalizers")) {
      if (f != finalizer) left.push_back(f);
    }
    base::Result<store::Object> patched = merge_patch(loop_.client(), object.key(), {{"metadata", {{"uid", object.uid()}, {"finalizers", left}}}});
    return done(patched.ok() ? base::Status() : base::Status(patched.error()));
  }

  ControlLoop& loop_;
  WorkQueue& queue_;
  std::map<std::string, store::Key> living_;                  // By uid.
  std::map<std::string, std::set<store::Key>> dependents_;    // By the owner's uid, whether it lives or not.
};

}  // namespace

std::unique_ptr<Controller> make_garbage_collector(ControlLoop& loop) { return std::make_unique<GarbageCollector>(loop); }

}  // namespace server

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

bool deleting(const store::Object& object) { return store::find(object.tree(), "metadata.deletionTimestamp") != nullptr; }

// Deletion that waits for this finalizer.
bool ends_with(const store::Object& object, const char* finalizer) {
  if (!deleting(object)) return false;
  const json& finalizers = store::get_array(object.tree(), "metadata.finalizers");
  return std::find(finalizers.begin(), finalizers.end(), finalizer) != finalizers.end();
}

std::set<std::string> owner_uids(const store::Object& object) {
  std::set<std::string> out;
  for (const OwnerRef& owner : project_owners(object.tree())) out.insert(owner.uid);
  return out;
}

bool blocks(const store::Object& dependent, const std::string& owner) {
  const std::vector<OwnerRef> owners = project_owners(dependent.tree());
  return std::any_of(owners.begin(), owners.end(), [&](const OwnerRef& ref) { return ref.uid == owner && ref.block_deletion; });
}

// Who lives and who depends on whom, by uid, as the events told it.
class Families {
 public:
  // Returns the owners the object had before.
  std::set<std::string> change(const store::Object& object) {
    Member& member = members_[object.uid()];
    std::set<std::string> before = std::exchange(member.owners, owner_uids(object));
    member.key = object.key();
    for (const std::string& owner : before) {
      if (!member.owners.contains(owner)) drop(owner, object.uid());
    }
    for (const std::string& owner : member.owners) dependents_[owner].insert(object.uid());
    return before;
  }
  std::set<std::string> remove(const std::string& uid) {
    auto node = members_.extract(uid);
    if (node.empty()) return {};
    for (const std::string& owner : node.mapped().owners) drop(owner, uid);
    return std::move(node.mapped().owners);
  }
  const store::Key* find(const std::string& uid) const {  // nullptr: lives no more.
    auto it = members_.find(uid);
    return it == members_.end() ? nullptr : &it->second.key;
  }
  bool has_dependents(const std::string& uid) const { return dependents_.contains(uid); }
  std::vector<store::Key> dependents(const std::string& uid) const {
    std::vector<store::Key> out;
    auto it = dependents_.find(uid);
    if (it == dependents_.end()) return out;
    for (const std::string& dependent : it->second) out.push_back(members_.at(dependent).key);
    return out;
  }

 private:
  struct Member {
    store::Key key;
    std::set<std::string> owners;
  };
  void drop(const std::string& owner, const std::string& dependent) {
    auto it = dependents_.find(owner);
    if (it == dependents_.end()) return;
    it->second.erase(dependent);
    if (it->second.empty()) dependents_.erase(it);
  }

  std::map<std::string, Member> members_;
  std::map<std::string, std::set<std::string>> dependents_;  // By the owner, whether it lives or not.
};

// No reconcile looks at more than one object's family.
class GarbageCollector final : public Controller {
 public:
  explicit GarbageCollector(ControlLoop& loop)
      : loop_(loop), queue_(loop.make_queue("garbage-collector", [this](const store::Key& key) { return reconcile(key); })) {
    loop.on_change("", [this](const store::Object& before, const store::Object& after) { changed(before, after); });
  }

 private:
  void changed(const store::Object& before, const store::Object& after) {
    if (!after) {
      for (const store::Key& key : families_.dependents(before.uid())) queue_.add(key);
      wake(families_.remove(before.uid()));
      return;
    }
    wake(families_.change(after));
    const bool foreground = ends_with(after, kForeground);
    const bool has_owners = !store::get_array(after.tree(), "metadata.ownerReferences").empty();
    if (foreground || has_owners || ends_with(after, kOrphan)) queue_.add(after.key());
  }

  // Owners may wait for the dependent that has just gone, or that has changed its mind about blocking them.
  void wake(const std::set<std::string>& owners) {
    for (const std::string& owner : owners) {
      const store::Object* object = find(owner);
      if (object != nullptr && ends_with(*object, kForeground)) queue_.add(object->key());
    }
  }

  const store::Object* find(const store::Key& key) { return loop_.cache(key.resource).find(key.ns, key.name); }
  const store::Object* find(const std::string& uid) {
    const store::Key* key = families_.find(uid);
    return key == nullptr ? nullptr : find(*key);
  }

  base::Result<Requeue> reconcile(const store::Key& key) {
    const store::Object* object = find(key);
    if (object == nullptr) return Requeue{};
    if (ends_with(*object, kOrphan)) return orphan(*object);
    if (ends_with(*object, kForeground)) return delete_dependents_first(*object);
    return collect(*object);
  }

  // Deleted in the background when no owner is left; while one lives, references to dead ones are dropped.
  base::Result<Requeue> collect(const store::Object& object) {
    const std::set<std::string> owners = owner_uids(object);
    if (owners.empty() || deleting(object)) return Requeue{};
    std::set<std::string> dead;
    std::copy_if(owners.begin(), owners.end(), std::inserter(dead, dead.end()),
                 [this](const std::string& uid) { return families_.find(uid) == nullptr; });
    if (dead.empty()) return Requeue{};
    if (dead.size() < owners.size()) return disown(object, dead);
    TRY_STATUS(remove_object(loop_.client(), object));
    return Requeue{};
  }

  base::Result<Requeue> orphan(const store::Object& owner) {
    for (const store::Key& key : families_.dependents(owner.uid())) {
      const store::Object* dependent = find(key);
      if (dependent != nullptr) TRY(disown(*dependent, {owner.uid()}));
    }
    return drop_finalizer(owner, kOrphan);
  }

  // As upstream: all dependents are deleted, those with blockOwnerDeletion are waited for, and one that another owner
  // keeps is disowned instead.
  base::Result<Requeue> delete_dependents_first(const store::Object& owner) {
    bool blocked = false;
    for (const store::Key& key : families_.dependents(owner.uid())) {
      const store::Object* dependent = find(key);
      if (dependent == nullptr) continue;
      blocked = blocked || blocks(*dependent, owner.uid());
      if (!deleting(*dependent)) TRY(let_go(*dependent));
    }
    if (blocked) return Requeue{};  // Each that goes, or is disowned, comes back as an event.
    return drop_finalizer(owner, kForeground);
  }

  base::Result<Requeue> let_go(const store::Object& dependent) {
    const std::set<std::string> going = owners_that_go(dependent);
    if (going.size() < owner_uids(dependent).size()) return disown(dependent, going);
    DeleteOptions options;
    // Without dependents of its own there is nothing to wait for, and the finalizer would cost two more writes.
    if (families_.has_dependents(dependent.uid())) options.propagation = "Foreground";
    TRY_STATUS(remove_object(loop_.client(), dependent, options));
    return Requeue{};
  }

  std::set<std::string> owners_that_go(const store::Object& dependent) {
    std::set<std::string> out;
    for (const std::string& uid : owner_uids(dependent)) {
      const store::Object* owner = find(uid);
      if (owner == nullptr || ends_with(*owner, kForeground)) out.insert(uid);
    }
    return out;
  }

  base::Result<Requeue> disown(const store::Object& dependent, const std::set<std::string>& uids) {
    json left = json::array();
    for (const json& ref : store::get_array(dependent.tree(), "metadata.ownerReferences")) {
      if (!uids.contains(store::get_string(ref, "uid"))) left.push_back(ref);
    }
    return write_metadata(dependent, {{"ownerReferences", std::move(left)}});
  }

  base::Result<Requeue> drop_finalizer(const store::Object& object, const char* finalizer) {
    json left = json::array();
    for (const json& f : store::get_array(object.tree(), "metadata.finalizers")) {
      if (f != finalizer) left.push_back(f);
    }
    return write_metadata(object, {{"finalizers", std::move(left)}});
  }

  // Lists are replaced as a whole, so only in the very revision that was looked at: a conflict comes back here with
  // what somebody else wrote.
  base::Result<Requeue> write_metadata(const store::Object& object, json metadata) {
    metadata["uid"] = object.uid();
    metadata["resourceVersion"] = std::to_string(object.revision());
    base::Result<store::Object> written = merge_patch(loop_.client(), object.key(), {{"metadata", std::move(metadata)}});
    if (!written.ok() && written.error().code != base::Code::kNotFound) return std::move(written).error();
    return Requeue{};
  }

  ControlLoop& loop_;
  WorkQueue& queue_;
  Families families_;
};

}  // namespace

std::unique_ptr<Controller> make_garbage_collector(ControlLoop& loop) { return std::make_unique<GarbageCollector>(loop); }

}  // namespace server

// server/controllers/pod_owners.h - what all controllers of pods share: whose pods are whose, and pods from templates.
// Control thread only.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "server/informer/control_loop.h"
#include "server/informer/events.h"
#include "server/informer/pod_index.h"
#include "server/model/replica_set.h"

namespace server {

// The objects of one kind by uid, and which of them a pod's change concerns: its controller, or those that may adopt
// it. Queues them at every change of theirs or of such a pod. Make it after the PodIndex.
class PodOwners {
 public:
  PodOwners(ControlLoop& loop, PodIndex& pods, std::string storage, WorkQueue& queue);
  PodOwners(const PodOwners&) = delete;

  bool has(const std::string& uid) const { return owners_.count(uid) > 0; }
  const std::string& storage() const { return storage_; }

 private:
  struct Owner {
    store::Key key;
    store::LabelSelector selector;
  };
  void object_changed(const store::Object& before, const store::Object& after);
  void add_owner(const Pod& pod);

  const std::string storage_;
  WorkQueue& queue_;
  std::map<std::string, Owner> owners_;                        // By uid.
  std::map<std::string, std::map<std::string, std::string>> by_namespace_;  // ns -> name -> uid
};

// The owner's pods that still match, in the order of their names; adopts matching pods without a controller, and
// releases its own that do not match any more. An owner that is being deleted does neither. `may_adopt` says no to pods
// that are not meant; empty: all are.
base::Status claim_pods(ControlLoop& loop, PodIndex& pods, const store::Object& owner, const store::LabelSelector& selector,
                        const std::function<bool(const Pod&)>& may_adopt, std::vector<const Pod*>& owned);

// A pod as the template has it, controlled by `owner`; it has no name yet.
json pod_from_template(const json& pod_template, const store::Object& owner);

// Creates or deletes a pod of `owner`, and says so, or why not, in an Event on it, in upstream's words. A pod that is gone already needs
// no deletion.
base::Status create_owned_pod(ControlLoop& loop, EventRecorder& events, const store::Object& owner, json pod);
base::Status remove_owned_pod(ControlLoop& loop, EventRecorder& events, const store::Object& owner, const Pod& pod);

// The earliest time from now at which a ready pod becomes available; 0: none is waiting.
std::chrono::milliseconds until_available(const std::vector<const Pod*>& pods, std::chrono::seconds min_ready, base::WallTime now);

}  // namespace server

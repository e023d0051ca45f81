// server/informer/pod_index.h - every live pod, projected once per change, found by owner, namespace or node.
// Make it before the handlers that read it, so that they see it updated. Control thread only.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "server/informer/control_loop.h"
#include "server/model/pod.h"

namespace server {

class PodIndex {
 public:
  explicit PodIndex(ControlLoop& loop);  // Must outlive the loop's last event.
  PodIndex(const PodIndex&) = delete;

  // Pointers are valid until the pod's next change. By name, so that iteration is reproducible.
  using ByName = std::map<std::string, const Pod*>;
  const Pod* find(const std::string& ns, const std::string& name) const;
  const ByName& owned_by(const std::string& uid) const;         // By controller.
  const ByName& uncontrolled(const std::string& ns) const;      // Without a controller: may be adopted.
  const ByName& in_namespace(const std::string& ns) const;
  const std::map<std::string, const Pod*>& on_node(const std::string& node) const;  // Keys are ns/name; "" = unbound.

  // Runs after the index was updated; either may be nullptr (added/deleted).
  void on_change(std::function<void(const Pod* before, const Pod* after)> handler) { handlers_.push_back(std::move(handler)); }

 private:
  void apply(const store::Object& before, const store::Object& after);
  void link(const Pod& pod);
  void unlink(const Pod& pod);

  std::map<std::string, std::map<std::string, std::unique_ptr<Pod>>> pods_;
  std::map<std::string, ByName> by_owner_, uncontrolled_, by_namespace_, by_node_;
  std::vector<std::function<void(const Pod*, const Pod*)>> handlers_;
};

}  // namespace server

// server/controllers/replica_set.h - keeps as many pods as each ReplicaSet or ReplicationController asks for.
#pragma once

#include <memory>

#include "server/controllers/controllers.h"
#include "server/informer/pod_index.h"

namespace server {

std::unique_ptr<Controller> make_replica_set_controller(ControlLoop& loop, PodIndex& pods);
std::unique_ptr<Controller> make_replication_controller_controller(ControlLoop& loop, PodIndex& pods);

// The pods to delete first, as upstream ranks them: unbound, pending, not ready, low deletion cost, crowded nodes,
// recently ready, often restarted, young. `crowd` counts a related set's pods on a node. Pure.
void rank_for_deletion(std::vector<const Pod*>& pods, const std::map<std::string, int>& crowd);

}  // namespace server

// server/node_agent/history.h - what a pod's status tells of the time before kubelan was started. Pure.
#pragma once

#include "server/node_agent/pod_run.h"

namespace server {

// After a restart of kubelan the processes are gone, as after a reboot of a node. Takes over restart counts and how
// containers ended; false: nothing of this pod will run again, as its restart policy has it, or it had finished.
bool adopt_history(PodRun& run, const store::Object& pod, base::WallTime now);

}  // namespace server

// server/node_agent/pod_status.h - a pod's status, worded as the kubelet words it. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "server/node_agent/pod_run.h"

namespace server {

// `old_status` gives the transition times of conditions that did not change, and conditions of others (the
// scheduler's PodScheduled, readiness gates), which are kept.
json compile_pod_status(const PodRun& run, const json& old_status, base::WallTime now);

// Phase as the kubelet derives it from container states and restart policy.
const char* pod_phase(const PodRun& run);
bool containers_ready(const PodRun& run);
// Past its startup probe; and, for the second, past its readiness probe.
bool container_started(const ContainerRun& c);
bool container_ready(const ContainerRun& c);
// Does it hold the next containers back no more? A sidecar from when it has started, another when it has succeeded.
bool init_done(const ContainerRun& c);
// An init container has failed, and will not be tried again.
bool init_failed(const PodRun& run);
// Everything but sidecars has ended, or will never start.
bool work_over(const PodRun& run);
// The container's own policy, or the pod's as it holds for it.
RestartPolicy restart_policy(const PodRun& run, const ContainerRun& c);
// Will a container that ended with this code be started again?
bool will_restart(RestartPolicy policy, int exit_code);

}  // namespace server

// server/app/settle.h - "is everything that was applied up?", asked of the control loop's caches. Pure over the
// objects it is given.
#pragma once

#include <string>
#include <vector>

#include "store/object/object.h"

namespace server {

struct Workloads {
  std::vector<store::Object> deployments, replica_sets, pods, services, endpoint_slices;
};
struct Settled {
  bool yes = false;
  bool hopeless = false;   // Waiting longer cannot help (an image that cannot be had).
  std::string missing;     // The first thing that is not up, in a sentence.
};
// Deployments and ReplicaSets fully available, pods Ready (or Succeeded), every Service's slices listing
// exactly its ready pods.
Settled check_settled(const Workloads& workloads);

}  // namespace server

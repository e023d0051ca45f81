// server/app/daemon.h - brings a cluster up in the background: the keeper stays in the host's namespaces and
// holds the state folder's lock; its child, the daemon, is pid 1 in the cluster's own namespaces.
//
//   kubelan up --fork--> keeper --clone(new user,net,mnt,pid,ipc,uts)--> daemon --fork--> spawner --> containers
//
// Whichever of them is killed, the others end, and with pid 1 everything inside: nothing stays behind.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "server/app/options.h"
#include "store/base/fd.h"
#include "store/base/result.h"

namespace server {

using json = nlohmann::json;

struct LaunchOptions {
  ClusterOptions cluster;
  bool log_to_stderr = false;   // --foreground
  bool tie_to_caller = false;   // The cluster ends when Launched::lifetime is closed, at the latest with the caller.
};

struct Launched {
  uint16_t api_port = 0;
  std::string kubeconfig;       // Text.
  pid_t keeper = 0;
  base::Fd lifetime;
};

// Blocks until the cluster is ready. REQUIRES: the process is single-threaded. Errors are for the user as they are.
base::Result<Launched> launch(LaunchOptions options);

}  // namespace server

// server/app/state_dir.h - where a cluster keeps what outlives a process, and who owns it right now.
//
//   version       format number; a newer one is refused
//   lock          flock held by the keeper for as long as the cluster is up
//   info.json     written when ready: pid, API port, context, options
//   store.db      objects (not with --ephemeral)
//   pki/          CA, server and admin certificates
//   kubeconfig    stand-alone, for KUBECONFIG=
//   control.sock  status, enter, apply, down
//   kubelan.log   the daemon's log
//   run/          mount point of the daemon's private tmpfs (empty from outside)
//
// Functions block on the file system. No thread affinity.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/base/fd.h"
#include "store/base/result.h"

namespace server {

// $XDG_STATE_HOME/kubelan or ~/.local/state/kubelan. kInvalid when neither HOME nor XDG_STATE_HOME is set.
base::Result<std::string> state_root();
// kInvalid unless `name` is a DNS label of at most 40 characters.
base::Status check_cluster_name(const std::string& name);
// The state folder of cluster `name`, or `explicit_dir` made absolute when given.
base::Result<std::string> state_dir_for(const std::string& name, const std::string& explicit_dir);
// Clusters with a folder (or a link to one, for --state-dir) under state_root().
std::vector<std::string> known_clusters();

// Makes the folder (0700), checks `version`, takes the lock. kAlreadyExists when the cluster is up.
base::Result<base::Fd> claim_state_dir(const std::string& dir, const std::string& name);
// The address families of the cluster ("ipv4", "ipv6", "dual"): `wanted`, else those of last time, else ipv4; kept in the folder.
// kConflict when it was made with others. REQUIRES: the lock.
base::Result<std::string> settle_ip_family(const std::string& dir, const std::string& wanted);
// True when some keeper holds the lock.
bool is_running(const std::string& dir);
// Waits until the lock is free, at most `seconds`.
bool wait_until_stopped(const std::string& dir, int seconds);
// Removes the cluster's folder. REQUIRES: not running.
base::Status remove_state(const std::string& dir, const std::string& name);

// AF_UNIX stream sockets by path, of any length (through /proc/self/fd, as sun_path holds only 108 bytes).
base::Result<base::Fd> listen_unix(const std::string& dir, const std::string& file);
base::Result<base::Fd> connect_unix(const std::string& dir, const std::string& file);

}  // namespace server

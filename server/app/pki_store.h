// server/app/pki_store.h - the cluster's certificates on disk: made at first `up`, kept as long as the state is.
#pragma once

#include <string>

#include "server/app/options.h"
#include "server/http/pki.h"
#include "store/base/result.h"

namespace server {

struct ClusterPki {
  KeyPair ca;
  KeyPair api_server;
  KeyPair admin;  // CN kubernetes-admin, O system:masters
};

// Reads STATE_DIR/pki, or makes what is missing there (0600). Blocks on the disk.
base::Result<ClusterPki> load_or_make_pki(const std::string& state_dir, const AddressPlan& addresses);

// A kubeconfig (YAML) with one cluster, user and context of that name, certificates inline.
std::string render_kubeconfig(const ClusterPki& pki, const std::string& context, uint16_t api_port);

// "kubelan" for the cluster "default", else "kubelan-NAME".
std::string context_name(const std::string& cluster_name);

}  // namespace server

// server/app/pki_store.h - the cluster's certificates on disk: made at first `up`, kept as long as the state is.
#pragma once

#include <string>
#include <vector>

#include "server/app/options.h"
#include "server/http/pki.h"
#include "store/base/result.h"

namespace server {

struct ClusterPki {
  KeyPair ca;
  KeyPair api_server;
  KeyPair admin;  // CN kubernetes-admin, O system:masters
  std::string token_key_pem;  // Signs service accounts' tokens (sa.key).
};

// Reads STATE_DIR/pki, or makes what is missing there (0600). Blocks on the disk.
base::Result<ClusterPki> load_or_make_pki(const std::string& state_dir, const AddressPlan& addresses);

// The CA of a cluster that has been up at least once, running or not. kNotFound; errors of reading. Blocks on the disk.
base::Result<KeyPair> load_ca(const std::string& state_dir);

// A server's certificate for `hosts` (names, wildcards, addresses; at least one, the first becomes the CN), signed by the CA.
base::Result<KeyPair> sign_for_hosts(const KeyPair& ca, const std::vector<std::string>& hosts, int days);

// A manifest (YAML) of a kubernetes.io/tls Secret. `ns` may be empty.
std::string render_tls_secret(const KeyPair& pair, const std::string& name, const std::string& ns);

// A kubeconfig (YAML) with one cluster, user and context of that name, certificates inline.
std::string render_kubeconfig(const ClusterPki& pki, const std::string& context, uint16_t api_port);

// "kubelan" for the cluster "default", else "kubelan-NAME".
std::string context_name(const std::string& cluster_name);

}  // namespace server

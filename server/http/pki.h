// server/http/pki.h - the cluster's CA and certificates (ECDSA P-256), made at first `up`. Pure over strings
// except the random source. Any thread.
#pragma once

#include <string>
#include <vector>

#include "store/base/result.h"

namespace server {

struct KeyPair {
  std::string cert_pem;
  std::string key_pem;
};
struct CertRequest {
  std::string common_name;
  std::vector<std::string> organizations;   // Groups: "system:masters"
  std::vector<std::string> dns_names;
  std::vector<std::string> ips;
  bool client = false;                      // extended key usage clientAuth, else serverAuth
  int days = 3650;
};
base::Result<KeyPair> make_ca(const std::string& common_name);
base::Result<KeyPair> sign(const KeyPair& ca, const CertRequest& request);

}  // namespace server

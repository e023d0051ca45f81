// server/auth/csr.h - certificate signing requests: what one asks for, and what the built-in signers make of it. Any thread.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "store/base/clock.h"
#include "store/base/result.h"

namespace auth {

struct CertificateRequest {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::string> dns_names, ips;
  bool other_names = false;  // E-mail addresses or URIs.
};
// kInvalid worded as upstream: `PEM block type must be CERTIFICATE REQUEST`, or why it cannot be read or its signature is wrong.
base::Result<CertificateRequest> parse_request(const std::string& pem);

// A signer of kubernetes.io that this cluster has: kube-apiserver-client, kube-apiserver-client-kubelet, kubelet-serving.
bool is_own_signer(const std::string& name);
// Why the signer does not sign that; "" when it does.
std::string signer_problem(const std::string& signer, const CertificateRequest& request, const std::vector<std::string>& usages);

struct Issue {
  std::string request_pem;
  std::vector<std::string> usages;
  std::chrono::seconds lifetime;
};
// The certificate (PEM), signed by the CA: subject, names and key of the request.
base::Result<std::string> issue(const std::string& ca_cert_pem, const std::string& ca_key_pem, const Issue& what);

}  // namespace auth

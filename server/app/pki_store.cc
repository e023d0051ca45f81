#include "server/app/pki_store.h"

#include <errno.h>
#include <unistd.h>

#include "server/auth/jwt.h"
#include "store/base/fd.h"
#include "store/base/ip.h"

namespace server {
namespace {

base::Result<KeyPair> read_pair(const std::string& stem) {
  KeyPair pair;
  pair.cert_pem = TRY(base::read_file(stem + ".crt"));
  pair.key_pem = TRY(base::read_file(stem + ".key"));
  return pair;
}

base::Status write_pair(const std::string& stem, const KeyPair& pair) {
  TRY_STATUS(base::write_file_atomic(stem + ".key", pair.key_pem, 0600));
  return base::write_file_atomic(stem + ".crt", pair.cert_pem, 0600);
}

template <class Make>
base::Result<KeyPair> load_or_make(const std::string& stem, bool& remake, Make make) {
  if (!remake && ::access((stem + ".crt").c_str(), F_OK) == 0) return read_pair(stem);
  KeyPair pair = TRY(make());
  TRY_STATUS(write_pair(stem, pair));
  return pair;
}

std::string base64(const std::string& in) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < in.size(); i += 3) {
    uint32_t chunk = 0;
    for (size_t j = 0; j < 3; ++j) chunk = (chunk << 8) | (i + j < in.size() ? static_cast<uint8_t>(in[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j) out += i + j <= in.size() ? kAlphabet[(chunk >> (18 - 6 * j)) & 63] : '=';
  }
  return out;
}

CertRequest server_request(const AddressPlan& a) {
  CertRequest request;
  request.common_name = "kube-apiserver";
  request.dns_names = {"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + a.domain};
  request.ips = {"127.0.0.1", "::1", a.kubernetes.text(), a.gateway.text()};
  return request;
}

}  // namespace

base::Result<ClusterPki> load_or_make_pki(const std::string& state_dir, const AddressPlan& addresses) {
  std::string dir = state_dir + "/pki/";
  ClusterPki pki;
  // Everything else is signed by the CA, so a new CA means new certificates.
  bool remake = ::access((dir + "ca.crt").c_str(), F_OK) != 0;
  pki.ca = TRY(load_or_make(dir + "ca", remake, [] { return make_ca("kubelan-ca"); }));
  pki.api_server = TRY(load_or_make(dir + "apiserver", remake, [&] { return sign(pki.ca, server_request(addresses)); }));
  pki.admin = TRY(load_or_make(dir + "admin", remake, [&] {
    CertRequest request;
    request.common_name = "kubernetes-admin";
    request.organizations = {"system:masters"};
    request.client = true;
    return sign(pki.ca, request);
  }));
  const std::string token_key = dir + "sa.key";
  if (::access(token_key.c_str(), F_OK) == 0) {
    pki.token_key_pem = TRY(base::read_file(token_key));
  } else {
    pki.token_key_pem = TRY(auth::make_token_key());
    TRY_STATUS(base::write_file_atomic(token_key, pki.token_key_pem, 0600));
  }
  return pki;
}

base::Result<KeyPair> load_ca(const std::string& state_dir) {
  const std::string stem = state_dir + "/pki/ca";
  if (::access((stem + ".crt").c_str(), F_OK) != 0 && errno == ENOENT) {
    return base::Error(base::Code::kNotFound, "there is no CA in " + state_dir + "/pki: it is made at the first 'kubelan up'");
  }
  return read_pair(stem);
}

base::Result<KeyPair> sign_for_hosts(const KeyPair& ca, const std::vector<std::string>& hosts, int days) {
  CertRequest request;
  request.common_name = hosts.front();
  request.days = days;
  for (const std::string& host : hosts) (base::Ip::parse(host).ok() ? request.ips : request.dns_names).push_back(host);
  return sign(ca, request);
}

std::string render_tls_secret(const KeyPair& pair, const std::string& name, const std::string& ns) {
  return "apiVersion: v1\nkind: Secret\nmetadata:\n  name: " + name + (ns.empty() ? "" : "\n  namespace: " + ns) + "\ntype: kubernetes.io/tls\ndata:\n  tls.crt: " +
         base64(pair.cert_pem) + "\n  tls.key: " + base64(pair.key_pem) + "\n";
}

std::string render_kubeconfig(const ClusterPki& pki, const std::string& context, uint16_t api_port) {
  return "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    certificate-authority-data: " + base64(pki.ca.cert_pem) +
         "\n    server: https://127.0.0.1:" + std::to_string(api_port) + "\n  name: " + context + "\ncontexts:\n- context:\n    cluster: " + context +
         "\n    user: " + context + "\n  name: " + context + "\ncurrent-context: " + context + "\npreferences: {}\nusers:\n- name: " + context +
         "\n  user:\n    client-certificate-data: " + base64(pki.admin.cert_pem) + "\n    client-key-data: " + base64(pki.admin.key_pem) + "\n";
}

std::string context_name(const std::string& cluster_name) { return cluster_name == "default" ? "kubelan" : "kubelan-" + cluster_name; }

}  // namespace server

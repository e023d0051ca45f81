#include "server/auth/csr.h"

#include <arpa/inet.h>
#include <openssl/pem.h>

#include <algorithm>
#include <memory>

#include "store/base/openssl.h"

namespace auth {
namespace {

using base::BioPtr;
using base::BnPtr;
using base::CertificatePtr;
using base::ExtensionPtr;
using base::KeyPtr;
using base::NamesPtr;
using base::ssl_error;
using ReqPtr = std::unique_ptr<X509_REQ, base::FreeWith<X509_REQ_free>>;

constexpr const char* kClient = "kubernetes.io/kube-apiserver-client";
constexpr const char* kKubeletClient = "kubernetes.io/kube-apiserver-client-kubelet";
constexpr const char* kKubeletServing = "kubernetes.io/kubelet-serving";
constexpr long kBackdate = 300;  // Clocks differ.

struct UsageRow {
  const char* usage;
  const char* key;       // A bit of keyUsage, or
  const char* extended;  // of extendedKeyUsage.
};
constexpr UsageRow kUsages[] = {
    {"digital signature", "digitalSignature", nullptr}, {"signing", "digitalSignature", nullptr}, {"content commitment", "nonRepudiation", nullptr},
    {"key encipherment", "keyEncipherment", nullptr},   {"key agreement", "keyAgreement", nullptr}, {"data encipherment", "dataEncipherment", nullptr},
    {"server auth", nullptr, "serverAuth"},             {"client auth", nullptr, "clientAuth"},
};

std::string text_of(const ASN1_STRING* value) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, value);
  if (size < 0) return "";
  std::string out(reinterpret_cast<char*>(utf8), static_cast<size_t>(size));
  OPENSSL_free(utf8);
  return out;
}

base::Result<ReqPtr> read_request(const std::string& pem) {
  BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  char *name = nullptr, *header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  const bool read = PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1;
  const bool right = read && std::string(name) == PEM_STRING_X509_REQ;
  const unsigned char* at = data;
  ReqPtr out(right ? d2i_X509_REQ(nullptr, &at, size) : nullptr);
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(data);
  ERR_clear_error();
  if (!right) return base::Error(base::Code::kInvalid, "PEM block type must be CERTIFICATE REQUEST");
  if (!out) return base::Error(base::Code::kInvalid, "asn1: structure error");
  if (X509_REQ_verify(out.get(), X509_REQ_get0_pubkey(out.get())) != 1) {
    ERR_clear_error();
    return base::Error(base::Code::kInvalid, "x509: signature of the request does not verify");
  }
  return out;
}

NamesPtr alt_names(X509_REQ* request) {
  STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(request);
  NamesPtr names(static_cast<GENERAL_NAMES*>(X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr)));
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  return names;
}

bool asks_for(const std::vector<std::string>& list, const char* item) { return std::find(list.begin(), list.end(), item) != list.end(); }
bool only(const std::vector<std::string>& usages, std::initializer_list<const char*> allowed, const char* needed) {
  for (const std::string& usage : usages) {
    if (std::find(allowed.begin(), allowed.end(), usage) == allowed.end()) return false;
  }
  return asks_for(usages, needed);
}

std::string node_problem(const CertificateRequest& r) {
  if (r.organizations != std::vector<std::string>{"system:nodes"}) return "subject organization is not system:nodes";
  if (!r.common_name.starts_with("system:node:")) return "subject common name does not begin with system:node:";
  return "";
}

base::Status extend(X509* cert, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  if (!extension || X509_add_ext(cert, extension.get(), -1) != 1) return ssl_error(std::string("certificate extension ") + OBJ_nid2sn(nid));
  return {};
}

base::Status add_usages(X509* cert, X509* issuer, const std::vector<std::string>& usages) {
  std::string key, extended;
  for (const UsageRow& row : kUsages) {
    if (!asks_for(usages, row.usage)) continue;
    std::string& to = row.key ? key : extended;
    to += (to.empty() ? "" : ",") + std::string(row.key ? row.key : row.extended);
  }
  if (!key.empty()) TRY_STATUS(extend(cert, issuer, NID_key_usage, "critical," + key));
  if (!extended.empty()) TRY_STATUS(extend(cert, issuer, NID_ext_key_usage, extended));
  return {};
}

}  // namespace

base::Result<CertificateRequest> parse_request(const std::string& pem) {
  ReqPtr request = TRY(read_request(pem));
  CertificateRequest out;
  X509_NAME* subject = X509_REQ_get_subject_name(request.get());
  for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
    X509_NAME_ENTRY* entry = X509_NAME_get_entry(subject, i);
    const int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    if (nid == NID_commonName) out.common_name = text_of(X509_NAME_ENTRY_get_data(entry));
    if (nid == NID_organizationName) out.organizations.push_back(text_of(X509_NAME_ENTRY_get_data(entry)));
  }
  NamesPtr names = alt_names(request.get());
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) {
      out.dns_names.push_back(text_of(name->d.dNSName));
    } else if (name->type == GEN_IPADD) {
      char text[INET6_ADDRSTRLEN] = "";
      inet_ntop(ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text);
      out.ips.push_back(text);
    } else {
      out.other_names = true;
    }
  }
  return out;
}

bool is_own_signer(const std::string& name) { return name == kClient || name == kKubeletClient || name == kKubeletServing; }

std::string signer_problem(const std::string& signer, const CertificateRequest& request, const std::vector<std::string>& usages) {
  if (signer == kClient) {
    return only(usages, {"digital signature", "key encipherment", "client auth"}, "client auth") ? "" : "usages did not match [digital signature key encipherment client auth]";
  }
  if (std::string problem = node_problem(request); !problem.empty()) return problem;
  if (request.other_names) return "email address and URI subject alternative names are not allowed";
  if (signer == kKubeletClient) {
    if (!request.dns_names.empty() || !request.ips.empty()) return "DNS and IP subject alternative names are not allowed";
    return only(usages, {"digital signature", "key encipherment", "client auth"}, "client auth") ? "" : "usages did not match [digital signature key encipherment client auth]";
  }
  if (request.dns_names.empty() && request.ips.empty()) return "DNS or IP subject alternative name is required";
  return only(usages, {"digital signature", "key encipherment", "server auth"}, "server auth") ? "" : "usages did not match [digital signature key encipherment server auth]";
}

base::Result<std::string> issue(const std::string& ca_cert_pem, const std::string& ca_key_pem, const Issue& what) {
  ReqPtr request = TRY(read_request(what.request_pem));
  BioPtr cert_bio(BIO_new_mem_buf(ca_cert_pem.data(), static_cast<int>(ca_cert_pem.size()))), key_bio(BIO_new_mem_buf(ca_key_pem.data(), static_cast<int>(ca_key_pem.size())));
  CertificatePtr ca(PEM_read_bio_X509(cert_bio.get(), nullptr, nullptr, nullptr));
  KeyPtr ca_key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
  if (!ca || !ca_key) return ssl_error("read the CA");
  CertificatePtr cert(X509_new());
  BnPtr serial(BN_new());
  if (!cert || !serial || !BN_rand(serial.get(), 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY)) return ssl_error("random serial");
  BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(cert.get()));
  X509_set_version(cert.get(), 2);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -kBackdate);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), static_cast<long>(what.lifetime.count()));
  // Nothing outlives the CA.
  if (ASN1_TIME_compare(X509_get0_notAfter(cert.get()), X509_get0_notAfter(ca.get())) > 0) X509_set1_notAfter(cert.get(), X509_get0_notAfter(ca.get()));
  X509_set_subject_name(cert.get(), X509_REQ_get_subject_name(request.get()));
  X509_set_issuer_name(cert.get(), X509_get_subject_name(ca.get()));
  if (X509_set_pubkey(cert.get(), X509_REQ_get0_pubkey(request.get())) != 1) return ssl_error("the request's key");
  TRY_STATUS(add_usages(cert.get(), ca.get(), what.usages));
  TRY_STATUS(extend(cert.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE"));
  TRY_STATUS(extend(cert.get(), ca.get(), NID_authority_key_identifier, "keyid"));
  if (NamesPtr names = alt_names(request.get()); names && X509_add1_ext_i2d(cert.get(), NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) != 1) {
    return ssl_error("subject alternative names");
  }
  if (!X509_sign(cert.get(), ca_key.get(), EVP_sha256())) return ssl_error("sign certificate");
  BioPtr out(BIO_new(BIO_s_mem()));
  if (!PEM_write_bio_X509(out.get(), cert.get())) return ssl_error("encode certificate");
  return base::bio_text(out.get());
}

}  // namespace auth

#include "server/auth/key_pair.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <functional>
#include <memory>
#include <vector>

#include "store/base/openssl.h"

namespace auth {
namespace {

struct Block {
  std::string type;
  std::string der;
};

std::vector<Block> blocks_of(const std::string& pem) {
  std::vector<Block> out;
  std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free_all);
  char *type = nullptr, *header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  while (bio && PEM_read_bio(bio.get(), &type, &header, &data, &size) == 1) {
    out.push_back({type, std::string(reinterpret_cast<char*>(data), static_cast<size_t>(size))});
    OPENSSL_free(type);
    OPENSSL_free(header);
    OPENSSL_free(data);
  }
  return out;
}

std::string list_of(const std::vector<std::string>& types) {
  std::string out = "[";
  for (const std::string& type : types) out += (out.size() > 1 ? " " : "") + type;
  return out + "]";
}

// The first block that is wanted; what was passed over goes into `skipped`.
const Block* find(const std::vector<Block>& blocks, const std::function<bool(const std::string&)>& wanted, std::vector<std::string>& skipped) {
  for (const Block& block : blocks) {
    if (wanted(block.type)) return &block;
    skipped.push_back(block.type);
  }
  return nullptr;
}

bool is_key(const std::string& type) { return type == "PRIVATE KEY" || type.ends_with(" PRIVATE KEY"); }

using base::KeyPtr;

KeyPtr parse_key(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  return KeyPtr(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(der.size())));
}

std::string match_problem(const Block& certificate, const Block& key) {
  const auto* at = reinterpret_cast<const unsigned char*>(certificate.der.data());
  const base::CertificatePtr cert(d2i_X509(nullptr, &at, static_cast<long>(certificate.der.size())));
  if (!cert) return "x509: malformed certificate";
  const KeyPtr own = parse_key(key.der);
  if (!own) return "tls: failed to parse private key";
  const KeyPtr theirs(X509_get_pubkey(cert.get()));
  if (!theirs) return "tls: unknown public key algorithm";
  if (EVP_PKEY_base_id(own.get()) != EVP_PKEY_base_id(theirs.get())) return "tls: private key type does not match public key type";
  return EVP_PKEY_eq(own.get(), theirs.get()) == 1 ? "" : "tls: private key does not match public key";
}

}  // namespace

std::string key_pair_problem(const std::string& certificate_pem, const std::string& key_pem) {
  std::vector<std::string> skipped;
  const std::vector<Block> certificates = blocks_of(certificate_pem), keys = blocks_of(key_pem);
  const Block* certificate = find(certificates, [](const std::string& type) { return type == "CERTIFICATE"; }, skipped);
  if (!certificate) {
    if (skipped.empty()) return "tls: failed to find any PEM data in certificate input";
    if (skipped.size() == 1 && skipped[0].ends_with("PRIVATE KEY")) {
      return "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched";
    }
    return "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the following types: " + list_of(skipped);
  }
  skipped.clear();
  const Block* key = find(keys, is_key, skipped);
  if (key) return match_problem(*certificate, *key);
  if (skipped.empty()) return "tls: failed to find any PEM data in key input";
  if (skipped.size() == 1 && skipped[0] == "CERTIFICATE") return "tls: found a certificate rather than a key in the PEM for the private key";
  return "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM blocks of the following types: " + list_of(skipped);
}

}  // namespace auth

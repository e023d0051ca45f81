#include "server/gateway/tls/certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <mutex>
#include <optional>
#include <unordered_map>

namespace server::gateway {
namespace {

using InfoStack = std::unique_ptr<STACK_OF(X509_INFO), decltype([](STACK_OF(X509_INFO) * stack) { sk_X509_INFO_pop_free(stack, X509_INFO_free); })>;

BioPtr reader_of(const std::string& text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// In place of OpenSSL's own, which asks on the terminal.
int no_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

base::Error invalid(std::string message) { return base::Error(base::Code::kInvalid, std::move(message)); }

base::Status parse_chain(const std::string& pem, ParsedIdentity* out) {
  BioPtr reader = reader_of(pem);
  out->chain.reset(sk_X509_new_null());
  while (X509* certificate = PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr)) {
    if (out->leaf == nullptr) out->leaf.reset(certificate);
    else sk_X509_push(out->chain.get(), certificate);
  }
  bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  std::string why = take_ssl_error("nothing in it");
  if (out->leaf == nullptr && at_end) return invalid("the certificate is not PEM: it has no BEGIN CERTIFICATE line");
  if (!at_end) return invalid((out->leaf == nullptr ? "the certificate cannot be read: " : "a certificate of the chain cannot be read: ") + why);
  return {};
}

base::Status parse_key(const std::string& pem, ParsedIdentity* out) {
  BioPtr reader = reader_of(pem);
  bool asked = false;
  out->key.reset(PEM_read_bio_PrivateKey(reader.get(), nullptr, no_passphrase, &asked));
  std::string why = take_ssl_error("nothing in it");
  if (out->key != nullptr) return {};
  if (asked) return invalid("the private key has a passphrase: store it without one");
  // OpenSSL would only say "unsupported".
  if (pem.find("PRIVATE KEY-----") == std::string::npos) return invalid("the private key is not PEM: it has no BEGIN PRIVATE KEY line");
  return invalid("the private key cannot be read: " + why);
}

// By a session that nobody uses: it refuses what would be refused in earnest.
base::Status check_usable(const ParsedIdentity& identity) {
  static SSL_CTX* const kScratch = [] {
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    if (context != nullptr) set_common_options(context);
    return context;
  }();
  if (X509_check_private_key(identity.leaf.get(), identity.key.get()) != 1) {
    take_ssl_error("");
    return invalid("the private key does not fit the certificate");
  }
  SslPtr session(SSL_new(kScratch));
  if (session != nullptr && SSL_use_cert_and_key(session.get(), identity.leaf.get(), identity.key.get(), identity.chain.get(), 1) == 1) return {};
  return invalid("the certificate cannot be served: " + take_ssl_error("unknown reason"));
}

base::Result<ParsedIdentityPtr> parse_anew(const std::string& certificate_pem, const std::string& key_pem) {
  auto identity = std::make_shared<ParsedIdentity>();
  TRY_STATUS(parse_chain(certificate_pem, identity.get()));
  TRY_STATUS(parse_key(key_pem, identity.get()));
  TRY_STATUS(check_usable(*identity));
  return ParsedIdentityPtr(std::move(identity));
}

// What was parsed of late. Two generations: when the young one is full, it becomes the old one, and what is asked for moves back.
class ParsedIdentities {
 public:
  std::optional<base::Result<ParsedIdentityPtr>> find(size_t hash, const std::string& certificate_pem, const std::string& key_pem) {
    std::lock_guard lock(mutex_);
    for (Generation* generation : {&young_, &old_}) {
      auto [begin, end] = generation->equal_range(hash);
      for (auto at = begin; at != end; ++at) {
        if (at->second.certificate_pem != certificate_pem || at->second.key_pem != key_pem) continue;
        base::Result<ParsedIdentityPtr> parsed = at->second.parsed;
        if (generation == &old_) {
          Entry entry = std::move(at->second);
          old_.erase(at);
          insert(hash, std::move(entry));
        }
        return parsed;
      }
    }
    return std::nullopt;
  }
  void add(size_t hash, const std::string& certificate_pem, const std::string& key_pem, const base::Result<ParsedIdentityPtr>& parsed) {
    std::lock_guard lock(mutex_);
    insert(hash, {certificate_pem, key_pem, parsed});
  }

 private:
  struct Entry {
    std::string certificate_pem, key_pem;
    base::Result<ParsedIdentityPtr> parsed;
  };
  using Generation = std::unordered_multimap<size_t, Entry>;
  static constexpr size_t kFull = 2048;

  void insert(size_t hash, Entry entry) {
    if (young_.size() >= kFull) {
      old_ = std::move(young_);
      young_.clear();
    }
    young_.emplace(hash, std::move(entry));
  }

  std::mutex mutex_;
  Generation young_, old_;
};

}  // namespace

size_t hash_pem(const std::string& pem) {
  constexpr size_t kEnd = 160;
  return std::hash<std::string_view>()(std::string_view(pem).substr(pem.size() > kEnd ? pem.size() - kEnd : 0)) * 31 + pem.size();
}

std::string take_ssl_error(const char* otherwise) {
  unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return otherwise;
  // Without the number, the library and the function that ERR_error_string() puts before it.
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : otherwise;
}

base::Result<ParsedIdentityPtr> parse_identity(const std::string& certificate_pem, const std::string& key_pem) {
  static ParsedIdentities* const known = new ParsedIdentities;  // Never destroyed: threads may outlive main().
  const size_t hash = hash_pem(certificate_pem);
  if (auto found = known->find(hash, certificate_pem, key_pem)) return *found;
  base::Result<ParsedIdentityPtr> parsed = parse_anew(certificate_pem, key_pem);
  known->add(hash, certificate_pem, key_pem, parsed);
  return parsed;
}

base::Result<Trusted> parse_trusted(const std::string& pem) {
  BioPtr reader = reader_of(pem);
  bool asked = false;
  InfoStack infos(PEM_X509_INFO_read_bio(reader.get(), nullptr, no_passphrase, &asked));
  std::string why = take_ssl_error("no certificate in it");
  Trusted trusted;
  trusted.store.reset(X509_STORE_new());
  if (trusted.store == nullptr) return invalid("the CA certificates cannot be read: no memory");
  bool has_lists = false;
  for (int i = 0; infos != nullptr && i < sk_X509_INFO_num(infos.get()); ++i) {
    X509_INFO* info = sk_X509_INFO_value(infos.get(), i);
    if (info->crl != nullptr) has_lists = X509_STORE_add_crl(trusted.store.get(), info->crl) == 1 || has_lists;
    if (info->x509 == nullptr || X509_STORE_add_cert(trusted.store.get(), info->x509) != 1) continue;
    X509_up_ref(info->x509);
    trusted.certificates.emplace_back(info->x509);
  }
  ERR_clear_error();
  if (trusted.certificates.empty()) return invalid("the CA certificates cannot be read: " + why);
  if (has_lists) X509_STORE_set_flags(trusted.store.get(), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return trusted;
}

std::string distinguished_name(const X509_NAME* name) {
  BioPtr writer(BIO_new(BIO_s_mem()));
  if (name == nullptr || writer == nullptr || X509_NAME_print_ex(writer.get(), name, 0, XN_FLAG_RFC2253) < 0) return "";
  return base::bio_text(writer.get());
}

std::string common_name(const X509_NAME* name) {
  int last = -1;
  for (int at = -1; name != nullptr && (at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0;) last = at;
  if (last < 0) return "";
  unsigned char* text = nullptr;
  int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
  if (size < 0) {
    ERR_clear_error();
    return "";
  }
  std::string out(reinterpret_cast<char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  return out;
}

std::string to_pem(X509* certificate) {
  BioPtr writer(BIO_new(BIO_s_mem()));
  if (certificate == nullptr || writer == nullptr || PEM_write_bio_X509(writer.get(), certificate) != 1) return "";
  return base::bio_text(writer.get());
}

void set_common_options(SSL_CTX* context) {
  // A distribution's stricter level would refuse certificates that people test with: RSA of 1024 bits, say.
  SSL_CTX_set_security_level(context, 1);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS |
                                // The chain is sent as it stands in the Secret.
                                SSL_MODE_NO_AUTO_CHAIN);
  // Peers that close without saying so are the rule; HTTP knows by itself where a message ends.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
}

}  // namespace server::gateway

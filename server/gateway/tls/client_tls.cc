#include "server/gateway/tls/client_tls.h"

#include <openssl/err.h>

#include <deque>
#include <map>
#include <sstream>

#include "server/gateway/tls/certificates.h"
#include "store/base/ip.h"

namespace server::gateway {
namespace {

using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
using ResumePtr = std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>>;

constexpr size_t kMaxContexts = 256;
constexpr size_t kMaxHosts = 512;     // A context.
constexpr size_t kMaxResumable = 4;   // A host: a ticket of TLS 1.3 serves one connection.

// Belongs to an SSL_CTX, and so lives as long as any session made of it.
struct ContextInfo {
  std::vector<std::string> names;  // UpstreamTls::names
  std::string problem;             // Why every handshake fails; empty: none need.
  std::mutex mutex;
  std::map<std::string, std::deque<ResumePtr>> resumable;  // By ClientSessionInfo::key, newest last. Guarded by mutex.
};

struct ClientSessionInfo {
  std::string key;     // Among ContextInfo::resumable.
  std::string wanted;  // What the certificate must name, for messages.
};

void free_context_info(void*, void* info, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<ContextInfo*>(info); }
void free_session_info(void*, void* info, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<ClientSessionInfo*>(info); }

int context_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_context_info);
  return index;
}
int session_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_session_info);
  return index;
}
ContextInfo* info_of(const SSL_CTX* context) { return static_cast<ContextInfo*>(SSL_CTX_get_ex_data(context, context_index())); }
ClientSessionInfo* info_of(const SSL* session) { return static_cast<ClientSessionInfo*>(SSL_get_ex_data(session, session_index())); }

// ---- Resumption --------------------------------------------------------------------------------------------------

// OpenSSL has a session that can be resumed (with TLS 1.3 some time after the handshake). 1: `resumable` is ours now.
int keep_resumable(SSL* session, SSL_SESSION* resumable) {
  ContextInfo* context = info_of(SSL_get_SSL_CTX(session));
  const ClientSessionInfo* info = info_of(session);
  if (context == nullptr || info == nullptr) return 0;
  std::lock_guard lock(context->mutex);
  if (context->resumable.size() >= kMaxHosts && !context->resumable.count(info->key)) context->resumable.erase(context->resumable.begin());
  std::deque<ResumePtr>& kept = context->resumable[info->key];
  kept.emplace_back(resumable);
  if (kept.size() > kMaxResumable) kept.pop_front();
  return 1;
}

void offer_resumable(SSL* session, ContextInfo* context, const std::string& key) {
  std::lock_guard lock(context->mutex);
  auto found = context->resumable.find(key);
  if (found == context->resumable.end()) return;
  std::deque<ResumePtr>& kept = found->second;
  while (!kept.empty() && !SSL_SESSION_is_resumable(kept.back().get())) kept.pop_back();
  if (kept.empty()) return;
  SSL_set_session(session, kept.back().get());
  if (SSL_SESSION_get_protocol_version(kept.back().get()) >= TLS1_3_VERSION) kept.pop_back();
}

// ---- Names -------------------------------------------------------------------------------------------------------

bool has_uri(X509* certificate, std::string_view wanted) {
  NamesPtr names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_STRING* uri = name->d.uniformResourceIdentifier;
    if (wanted == std::string_view(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)), static_cast<size_t>(ASN1_STRING_length(uri)))) return true;
  }
  return false;
}

bool has_name(X509* certificate, const std::string& wanted) {
  if (wanted.find("://") != std::string::npos) return has_uri(certificate, wanted);
  if (base::Ip::parse(wanted).ok()) return X509_check_ip_asc(certificate, wanted.c_str(), 0) == 1;
  constexpr unsigned kFlags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
  return X509_check_host(certificate, wanted.data(), wanted.size(), kFlags, nullptr) == 1;
}

// Called for each certificate of a chain; 0 refuses. OpenSSL itself knows no "one of these names", and no URIs.
int check_names(int good, X509_STORE_CTX* store) {
  if (good == 0 || X509_STORE_CTX_get_error_depth(store) != 0) return good;
  auto* session = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const ContextInfo* context = info_of(SSL_get_SSL_CTX(session));
  X509* certificate = X509_STORE_CTX_get_current_cert(store);
  for (const std::string& name : context->names) {
    if (has_name(certificate, name)) return 1;
  }
  X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
  return 0;
}

// "web.example.com:8443" -> "web.example.com", "[::1]:443" -> "::1".
std::string without_port(const std::string& host) {
  if (host.starts_with("[")) return host.substr(1, host.find(']') - 1);
  size_t colon = host.find(':');
  bool one_colon = colon != std::string::npos && host.find(':', colon + 1) == std::string::npos;
  return one_colon ? host.substr(0, colon) : host;
}

bool want_name(SSL* session, const std::string& name) {
  if (name.empty()) return false;  // OpenSSL would take it for "any".
  SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (base::Ip::parse(name).ok()) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), name.c_str()) == 1;
  return SSL_set1_host(session, name.c_str()) == 1;
}

// ---- Contexts ----------------------------------------------------------------------------------------------------

base::Error unusable(const std::string& why) { return base::Error(base::Code::kInvalid, "TLS to the upstream: " + why); }

// As proxy-ssl-protocols writes them. Everything from the lowest to the highest that is named.
base::Status set_protocols(SSL_CTX* context, const std::string& text) {
  static const std::map<std::string, int> kVersions = {{"TLSv1", TLS1_VERSION}, {"TLSv1.1", TLS1_1_VERSION}, {"TLSv1.2", TLS1_2_VERSION}, {"TLSv1.3", TLS1_3_VERSION}};
  int lowest = 0, highest = 0;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (word == "SSLv2" || word == "SSLv3") continue;  // No library speaks them any more.
    auto found = kVersions.find(word);
    if (found == kVersions.end()) return unusable("unknown protocol \"" + word + "\"");
    lowest = lowest == 0 ? found->second : std::min(lowest, found->second);
    highest = std::max(highest, found->second);
  }
  if (highest == 0) {
    lowest = TLS1_2_VERSION;
    highest = TLS1_3_VERSION;
  }
  // Whoever names only old versions has an upstream that speaks only those; OpenSSL 3 has them at level 0 alone.
  if (highest < TLS1_2_VERSION) SSL_CTX_set_security_level(context, 0);
  SSL_CTX_set_min_proto_version(context, lowest);
  SSL_CTX_set_max_proto_version(context, highest);
  return {};
}

X509_STORE* system_store() {
  static X509_STORE* const store = [] {
    X509_STORE* made = X509_STORE_new();
    if (made != nullptr) X509_STORE_set_default_paths(made);
    ERR_clear_error();
    return made;
  }();
  return store;
}

base::Status set_verification(SSL_CTX* context, const UpstreamTls& tls) {
  if (!tls.verify) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    return {};
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, tls.names.empty() ? nullptr : check_names);
  SSL_CTX_set_verify_depth(context, tls.verify_depth);
  if (tls.trusted_pem.empty()) {
    SSL_CTX_set1_cert_store(context, system_store());
    return {};
  }
  base::Result<Trusted> trusted = parse_trusted(tls.trusted_pem);
  if (!trusted.ok()) return unusable(trusted.error().message);
  SSL_CTX_set1_cert_store(context, trusted->store.get());
  return {};
}

base::Result<SslContextPtr> make_context(const UpstreamTls& tls) {
  SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return unusable(take_ssl_error("no memory"));
  set_common_options(context.get());
  TRY_STATUS(set_protocols(context.get(), tls.protocols));
  if (!tls.ciphers.empty() && SSL_CTX_set_cipher_list(context.get(), tls.ciphers.c_str()) != 1) {
    take_ssl_error("");
    return unusable("none of the ciphers \"" + tls.ciphers + "\" is known");
  }
  TRY_STATUS(set_verification(context.get(), tls));
  if (!tls.certificate_pem.empty()) {
    base::Result<ParsedIdentityPtr> shown = parse_identity(tls.certificate_pem, tls.key_pem);
    if (!shown.ok()) return unusable(shown.error().message);
    if (SSL_CTX_use_cert_and_key(context.get(), (*shown)->leaf.get(), (*shown)->key.get(), (*shown)->chain.get(), 1) != 1) return unusable(take_ssl_error("its certificate"));
  }
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context.get(), keep_resumable);
  return context;
}

// In which no version is allowed: OpenSSL gives up before it says hello.
SslContextPtr make_refusing_context() {
  SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (context != nullptr) SSL_CTX_set_options(context.get(), SSL_OP_NO_SSL_MASK);
  return context;
}

SslContextPtr make_context_or_refuse(const UpstreamTls& tls) {
  auto info = std::make_unique<ContextInfo>();
  info->names = tls.names;
  base::Result<SslContextPtr> made = make_context(tls);
  if (!made.ok()) info->problem = made.error().message;
  SslContextPtr context = made.ok() ? std::move(*made) : make_refusing_context();
  if (context == nullptr || SSL_CTX_set_ex_data(context.get(), context_index(), info.get()) != 1) return nullptr;
  info.release();  // The context's now.
  return context;
}

bool prepare(SSL* session, const UpstreamTls& tls, const std::string& host, bool http2) {
  const std::string name = tls.server_name.empty() ? without_port(host) : tls.server_name;
  auto info = std::make_unique<ClientSessionInfo>();
  info->key = (http2 ? "2 " : "1 ") + host;
  info->wanted = name;
  if (!tls.names.empty()) info->wanted = tls.names.size() == 1 ? tls.names[0] : "one of " + std::to_string(tls.names.size()) + " names";
  offer_resumable(session, info_of(SSL_get_SSL_CTX(session)), info->key);
  if (SSL_set_ex_data(session, session_index(), info.get()) != 1) return false;
  info.release();  // The session's now.
  static constexpr unsigned char kHttp2[] = "\2h2";
  static constexpr unsigned char kHttp1[] = "\x8http/1.1";
  // This one returns 0 for success.
  if (http2 ? SSL_set_alpn_protos(session, kHttp2, sizeof kHttp2 - 1) != 0 : SSL_set_alpn_protos(session, kHttp1, sizeof kHttp1 - 1) != 0) return false;
  if (tls.verify && tls.names.empty() && !want_name(session, name)) SSL_set_options(session, SSL_OP_NO_SSL_MASK);  // No name to check: no session.
  // RFC 6066: never an address.
  if (tls.send_server_name && !name.empty() && !base::Ip::parse(name).ok() && SSL_set_tlsext_host_name(session, name.c_str()) != 1) SSL_set_options(session, SSL_OP_NO_SSL_MASK);
  SSL_set_connect_state(session);
  return true;
}

}  // namespace

struct ClientTls::Entry {
  UpstreamTls tls;
  SslContextPtr context;
};

ClientTls::ClientTls() = default;
ClientTls::~ClientTls() = default;

SSL* ClientTls::new_session(const UpstreamTls& tls, const std::string& host, bool http2) {
  SslPtr session;
  {
    std::lock_guard lock(mutex_);
    auto found = entries_.begin();
    while (found != entries_.end() && !(found->tls == tls)) ++found;
    if (found == entries_.end()) {
      SslContextPtr context = make_context_or_refuse(tls);
      if (context == nullptr) return nullptr;
      if (entries_.size() >= kMaxContexts) entries_.pop_back();
      entries_.push_front({tls, std::move(context)});
    } else if (found != entries_.begin()) {
      entries_.splice(entries_.begin(), entries_, found);
    }
    session.reset(SSL_new(entries_.front().context.get()));
  }
  bool prepared = session != nullptr && prepare(session.get(), tls, host, http2);
  ERR_clear_error();
  return prepared ? session.release() : nullptr;
}

std::string ClientTls::verify_error(SSL* session) {
  const ContextInfo* context = info_of(SSL_get_SSL_CTX(session));
  if (context != nullptr && !context->problem.empty()) return context->problem;
  long result = SSL_get_verify_result(session);
  if (result == X509_V_OK || (SSL_get_verify_mode(session) & SSL_VERIFY_PEER) == 0) return "";
  const ClientSessionInfo* info = info_of(session);
  bool named = result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH;
  return std::string("the upstream's certificate: ") + X509_verify_cert_error_string(result) + (named && info != nullptr ? " (wanted " + info->wanted + ")" : "");
}

}  // namespace server::gateway

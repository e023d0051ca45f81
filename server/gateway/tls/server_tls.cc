#include "server/gateway/tls/server_tls.h"

#include <openssl/err.h>

#include <algorithm>

#include "server/gateway/tls/certificates.h"
#include "server/gateway/tls/fake_certificate.h"
#include "server/gateway/tls/session_info.h"
#include "server/gateway/tls/ticket_keys.h"
#include "server/gateway/tls/tls_context.h"

namespace server::gateway {
namespace {

void free_info(void*, void* info, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<SessionInfo*>(info); }

int info_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_info);
  return index;
}

// Comes before all else, resumption too; a context's own callbacks count from here on.
int on_client_hello(SSL* session, int* alert, void*) {
  SessionInfo* info = session_info(session);
  const unsigned char* data = nullptr;
  size_t size = 0;
  if (SSL_client_hello_get0_ext(session, TLSEXT_TYPE_server_name, &data, &size) == 1) {
    // A name that is none gets what no name gets.
    info->server_name = parse_server_name({reinterpret_cast<const char*>(data), size}).value_or("");
  }
  bool adopted = info->owner->choose(info->server_name).adopt(session);
  info->owner = nullptr;
  if (adopted) return SSL_CLIENT_HELLO_SUCCESS;
  *alert = SSL_AD_INTERNAL_ERROR;
  return SSL_CLIENT_HELLO_ERROR;
}

// Tells the client that its name was heeded.
int acknowledge_name(SSL*, int*, void*) { return SSL_TLSEXT_ERR_OK; }

// Every session begins in this context, of which there is one for all listeners and tables: what it holds (tickets above all)
// outlives them. Never freed: threads may outlive main().
SSL_CTX* front_context() {
  static SSL_CTX* const front = [] {
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    if (context == nullptr) return context;
    set_common_options(context);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // Tickets only: nothing to keep, nothing to fill.
    SSL_CTX_set_num_tickets(context, 1);
    static constexpr unsigned char kName[] = "kubelan";
    SSL_CTX_set_session_id_context(context, kName, sizeof kName - 1);
    TicketKeys::use(context);
    SSL_CTX_set_client_hello_cb(context, on_client_hello, nullptr);
    SSL_CTX_set_tlsext_servername_callback(context, acknowledge_name);
    return context;
  }();
  return front;
}

std::string shown(const Origin& origin) {
  if (origin.name.empty()) return "";
  return " (" + origin.kind + " " + (origin.ns.empty() ? "" : origin.ns + "/") + origin.name + ")";
}

// "b.c" of "a.b.c"; nothing of a name without a dot.
std::string_view parent_of(std::string_view name) {
  size_t dot = name.find('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
}

}  // namespace

SessionInfo* session_info(const SSL* session) { return static_cast<SessionInfo*>(SSL_get_ex_data(session, info_index())); }

// ---- Making ------------------------------------------------------------------------------------------------------

struct ServerTls::Builder {
  const Listener& listener;
  const ServerTls* before;
  std::vector<std::string>* problems;
  ServerTls& made;
  std::unordered_map<std::string, const VirtualHost*> wildcards = {};  // By what follows the "*.".
  const VirtualHost* any = nullptr;

  void complain(const std::string& host, const IdentityPtr& identity, const std::string& message) {
    if (problems == nullptr) return;
    problems->push_back("TLS of " + (host.empty() ? "listener " + listener.name : "host " + host) + ": " + message + (identity ? shown(identity->origin) : ""));
  }

  static TlsContextPtr find(const ServerTls& where, size_t hash, const TlsInputs& inputs) {
    auto [begin, end] = where.contexts_.equal_range(hash);
    for (auto at = begin; at != end; ++at) {
      if (at->second->inputs() == inputs) return at->second;
    }
    return nullptr;
  }

  // nullptr: the identity cannot be served, which was complained of.
  TlsContextPtr context_of(const std::string& host, const TlsInputs& inputs) {
    size_t hash = inputs.hash();
    TlsContextPtr context = find(made, hash, inputs);
    if (context != nullptr) return context;
    if (before != nullptr) context = find(*before, hash, inputs);
    if (context == nullptr) {
      base::Result<TlsContextPtr> fresh = TlsContext::make(inputs);
      if (!fresh.ok()) {
        complain(host, inputs.identity, fresh.error().message);
        return nullptr;
      }
      context = std::move(*fresh);
    }
    if (!context->problem().empty()) complain(host, nullptr, context->problem());
    made.contexts_.emplace(hash, context);
    return context;
  }

  // The identities for `name` in their order, the fake one last.
  std::vector<IdentityPtr> identities(const std::string& name, const VirtualHost* host) const {
    std::vector<IdentityPtr> out;
    auto add = [&](const IdentityPtr& identity) {
      if (identity != nullptr) out.push_back(identity);
    };
    if (host != nullptr) add(host->identity);
    bool direct = true;
    for (std::string_view rest = parent_of(name); !rest.empty(); rest = parent_of(rest)) {
      auto found = wildcards.find(std::string(rest));
      bool fits = found != wildcards.end() && (direct || found->second->wildcard == VirtualHost::Wildcard::kManyLabels);
      if (fits && found->second != host) add(found->second->identity);
      direct = false;
    }
    if (any != nullptr && any != host) add(any->identity);
    add(listener.identity);
    out.push_back(fake_identity());
    return out;
  }

  TlsContextPtr context_for(const std::string& name, const VirtualHost* host) {
    TlsInputs inputs;
    if (host != nullptr) {
      inputs.client_auth = host->client_auth;
      inputs.ciphers = host->ciphers;
    }
    for (IdentityPtr& identity : identities(name, host)) {
      inputs.identity = std::move(identity);
      TlsContextPtr context = context_of(name, inputs);
      if (context != nullptr) return context;
    }
    return nullptr;  // Not even the fake one: no memory.
  }

  void add(const std::string& name, const VirtualHost& host) {
    if (name.empty()) return;
    TlsContextPtr context = context_for(name, &host);
    if (context == nullptr) return;
    if (!name.starts_with("*.")) made.hosts_.exact.emplace(name, std::move(context));
    else if (host.wildcard == VirtualHost::Wildcard::kOneLabel) made.hosts_.one_label.emplace(name.substr(2), std::move(context));
    else made.hosts_.many_labels.emplace(name.substr(2), std::move(context));
  }

  bool build() {
    for (const VirtualHost& host : listener.hosts) {
      if (host.name.empty()) any = &host;
      if (host.name.starts_with("*.")) wildcards.emplace(host.name.substr(2), &host);
    }
    for (const VirtualHost& host : listener.hosts) add(host.name, host);
    for (const VirtualHost& host : listener.hosts) {
      for (const std::string& alias : host.aliases) add(alias, host);
    }
    made.otherwise_ = context_for("", any);
    return made.otherwise_ != nullptr;
  }
};

std::shared_ptr<const ServerTls> ServerTls::make(const Listener& listener, const ServerTls* before, std::vector<std::string>* problems) {
  std::shared_ptr<ServerTls> made(new ServerTls);
  Builder builder{listener, before, problems, *made};
  if (!builder.build()) return nullptr;
  return made;
}

// ---- Sessions ----------------------------------------------------------------------------------------------------

const TlsContext& ServerTls::choose(const std::string& server_name) const {
  if (server_name.empty()) return *otherwise_;
  if (auto found = hosts_.exact.find(server_name); found != hosts_.exact.end()) return *found->second;
  bool direct = true;
  for (std::string_view rest = parent_of(server_name); !rest.empty(); rest = parent_of(rest)) {
    std::string key(rest);
    if (direct) {
      if (auto found = hosts_.one_label.find(key); found != hosts_.one_label.end()) return *found->second;
    }
    if (auto found = hosts_.many_labels.find(key); found != hosts_.many_labels.end()) return *found->second;
    direct = false;
  }
  return *otherwise_;
}

SSL* ServerTls::new_session(Alpn alpn) const {
  SSL_CTX* front = front_context();
  SslPtr session(front != nullptr ? SSL_new(front) : nullptr);
  if (session == nullptr) {
    ERR_clear_error();
    return nullptr;
  }
  auto info = std::make_unique<SessionInfo>(SessionInfo{shared_from_this(), alpn, ""});
  if (SSL_set_ex_data(session.get(), info_index(), info.get()) != 1) return nullptr;
  info.release();  // The session's now.
  SSL_set_accept_state(session.get());
  return session.release();
}

void ServerTls::describe(SSL* session, ClientInfo* client) {
  client->tls = true;
  if (const SessionInfo* info = session_info(session)) client->server_name = info->server_name;
  client->tls_version = SSL_get_version(session);
  client->tls_cipher = SSL_get_cipher_name(session);
  X509* certificate = SSL_get0_peer_certificate(session);
  client->verified = "NONE";
  if (certificate == nullptr) return;
  long result = SSL_get_verify_result(session);
  client->verified = result == X509_V_OK ? "SUCCESS" : std::string("FAILED:") + X509_verify_cert_error_string(result);
  client->subject_dn = distinguished_name(X509_get_subject_name(certificate));
  client->issuer_dn = distinguished_name(X509_get_issuer_name(certificate));
  client->subject_cn = common_name(X509_get_subject_name(certificate));
  client->certificate_pem = to_pem(certificate);
}

bool ServerTls::chose_http2(SSL* session) {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(session, &name, &size);
  return size == 2 && name[0] == 'h' && name[1] == '2';
}

ClientVerdict judge_client(const ClientAuth& rules, const ClientInfo& client) {
  if (rules.broken) return ClientVerdict::kForbidden;
  if (rules.mode == ClientAuth::Mode::kOff) return ClientVerdict::kAccepted;
  if (client.verified == "SUCCESS") return ClientVerdict::kAccepted;
  if (client.verified == "NONE") return rules.mode == ClientAuth::Mode::kRequire ? ClientVerdict::kMissing : ClientVerdict::kAccepted;
  if (rules.mode != ClientAuth::Mode::kOptionalNoCa) return ClientVerdict::kRefused;
  // Those that only say that nobody known has signed it. An expired certificate, say, is refused all the same.
  static constexpr int kUnknownAuthority[] = {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                                              X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED};
  bool unknown = std::any_of(std::begin(kUnknownAuthority), std::end(kUnknownAuthority),
                             [&](int code) { return client.verified == std::string("FAILED:") + X509_verify_cert_error_string(code); });
  return unknown ? ClientVerdict::kAccepted : ClientVerdict::kRefused;
}

}  // namespace server::gateway

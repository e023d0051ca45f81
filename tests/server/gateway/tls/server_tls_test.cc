#include "server/gateway/tls/server_tls.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "server/gateway/tls/tls_context.h"
#include "tests/server/gateway/tls/handshake.h"

namespace server::gateway {
namespace {

// One handshake with a client of that version and name.
struct ServedMeeting {
  EndPtr client, server;
  bool ok = false;
  ClientInfo info;
};
ServedMeeting meet(const ServerTls& tls, TestClient& client, const std::string& name, SSL_SESSION* resume = nullptr, ServerTls::Alpn alpn = ServerTls::Alpn::kHttp2) {
  ServedMeeting out;
  out.client = client.session(name, resume);
  out.server.reset(tls.new_session(alpn));
  out.ok = shake_hands(out.client.get(), out.server.get()) && talk(out.client.get(), out.server.get());
  ServerTls::describe(out.server.get(), &out.info);
  return out;
}

const int kVersions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

TEST(ServerTls, NamesChooseCertificates) {
  VirtualHost deep = host("*.deep.example.com", identity_for("deep", {}));
  deep.wildcard = VirtualHost::Wildcard::kManyLabels;
  VirtualHost aliased = host("a.example.com", identity_for("a", {}));
  aliased.aliases = {"alias.example.com"};
  auto tls = ServerTls::make(https_listener({host("*.example.com", identity_for("wild", {})), aliased, host("bare.example.com", nullptr), host("bare.test", nullptr), deep,
                                             host("x.deep.example.com", nullptr)},
                                            identity_for("default", {})),
                             nullptr, nullptr);
  ASSERT_NE(tls, nullptr);
  struct Row {
    const char* name;
    const char* sni;
    const char* want;
  };
  const Row kRows[] = {
      {"exact", "a.example.com", "a"},
      {"case", "A.Example.COM", "a"},
      {"dot at the end", "a.example.com.", "a"},
      {"alias", "alias.example.com", "a"},
      {"wildcard", "b.example.com", "wild"},
      {"an exact host without its own has the wildcard's", "bare.example.com", "wild"},
      {"nobody's", "bare.test", "default"},
      {"one label only", "b.c.example.com", "default"},
      {"not the parent", "example.com", "default"},
      {"many labels: one", "b.deep.example.com", "deep"},
      {"many labels: three", "b.c.d.deep.example.com", "deep"},
      {"the longer wildcard", "x.deep.example.com", "deep"},
      {"the parent of many is within the other", "deep.example.com", "wild"},
      {"unknown", "other.org", "default"},
      {"no host name", "a b", "default"},
      {"none", "", "default"},
  };
  for (int version : kVersions) {
    TestClient client(version);
    for (const Row& row : kRows) {
      SCOPED_TRACE(row.name);
      ServedMeeting meeting = meet(*tls, client, row.sni);
      EXPECT_TRUE(meeting.ok);
      EXPECT_EQ(served_cn(meeting.client.get()), row.want);
    }
  }
}

TEST(ServerTls, WithoutAnyCertificateTheFakeOne) {
  auto tls = ServerTls::make(https_listener({}), nullptr, nullptr);
  TestClient client;
  ServedMeeting meeting = meet(*tls, client, "web.example.com");
  EXPECT_TRUE(meeting.ok);
  EXPECT_EQ(served_cn(meeting.client.get()), "Kubernetes Ingress Controller Fake Certificate");
}

TEST(ServerTls, AHostWithoutNameComesBeforeTheListener) {
  auto tls = ServerTls::make(https_listener({host("", identity_for("any", {})), host("a.org", nullptr)}, identity_for("default", {})), nullptr, nullptr);
  TestClient client;
  EXPECT_EQ(served_cn(meet(*tls, client, "b.org").client.get()), "any");
  EXPECT_EQ(served_cn(meet(*tls, client, "a.org").client.get()), "any");
}

TEST(ServerTls, SendsTheChainAsItIs) {
  KeyPair intermediate = make_intermediate("intermediate", test_ca());
  auto chained = std::make_shared<Identity>(*identity_for("leaf", {"a.org"}, 30, intermediate));
  chained->certificate_pem += intermediate.cert_pem;
  auto tls = ServerTls::make(https_listener({host("a.org", chained)}), nullptr, nullptr);
  TestClient client;
  ServedMeeting meeting = meet(*tls, client, "a.org");
  ASSERT_TRUE(meeting.ok);
  EXPECT_EQ(sk_X509_num(SSL_get_peer_cert_chain(meeting.client.get())), 2);
}

TEST(ServerTls, WhatCannotBeServedIsToldAndReplaced) {
  auto mixed = std::make_shared<Identity>(*identity_for("mixed", {}));
  mixed->key_pem = identity_for("x", {})->key_pem;
  mixed->origin = {"Secret", "shop", "web-tls", ""};
  VirtualHost odd = host("odd.org", identity_for("odd", {}));
  odd.ciphers = "NO-SUCH-CIPHER";
  VirtualHost asks = host("asks.org", identity_for("asks", {}));
  auto rules = std::make_shared<ClientAuth>();
  rules->mode = ClientAuth::Mode::kRequire;
  rules->trusted_pem = "hello";
  asks.client_auth = rules;
  Listener listener = https_listener({host("mixed.org", mixed), odd, asks}, identity_for("default", {}));
  std::vector<std::string> problems;
  auto tls = ServerTls::make(listener, nullptr, &problems);
  ASSERT_EQ(problems.size(), 3u);
  EXPECT_EQ(problems[0], "TLS of host mixed.org: the private key does not fit the certificate (Secret shop/web-tls)");
  EXPECT_EQ(problems[1], "TLS of host odd.org: none of the ciphers \"NO-SUCH-CIPHER\" is known");
  EXPECT_EQ(problems[2].find("TLS of host asks.org: the CA certificates cannot be read"), 0u) << problems[2];
  TestClient client(TLS1_3_VERSION, client_identity("alice"));
  EXPECT_EQ(served_cn(meet(*tls, client, "mixed.org").client.get()), "default");
  EXPECT_EQ(served_cn(meet(*tls, client, "odd.org").client.get()), "odd");
  ServedMeeting asked = meet(*tls, client, "asks.org");
  EXPECT_TRUE(asked.ok);
  EXPECT_EQ(asked.info.verified.substr(0, 7), "FAILED:");
  std::vector<std::string> again;
  ServerTls::make(listener, tls.get(), &again);
  EXPECT_EQ(again, problems) << "what is taken over is told as well";
}

TEST(ServerTls, VersionsAndCiphers) {
  VirtualHost own = host("own.org", identity_for("own", {}));
  own.ciphers = "ECDHE-ECDSA-AES256-SHA384";
  auto tls = ServerTls::make(https_listener({own}, identity_for("default", {})), nullptr, nullptr);
  TestClient old(TLS1_1_VERSION);
  SSL_CTX_set_security_level(old.context(), 0);
  EXPECT_FALSE(meet(*tls, old, "own.org").ok);
  TestClient client(TLS1_2_VERSION);
  EXPECT_EQ(meet(*tls, client, "own.org").info.tls_cipher, "ECDHE-ECDSA-AES256-SHA384");
  ServedMeeting usual = meet(*tls, client, "other.org");
  EXPECT_EQ(usual.info.tls_cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
  EXPECT_EQ(usual.info.tls_version, "TLSv1.2");
  SSL_CTX_set_cipher_list(client.context(), "ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA");
  EXPECT_FALSE(meet(*tls, client, "other.org").ok) << "no CBC unless the host says so";
}

TEST(ServerTls, NoRenegotiation) {
  auto tls = ServerTls::make(https_listener({}), nullptr, nullptr);
  TestClient client(TLS1_2_VERSION);
  ServedMeeting meeting = meet(*tls, client, "a.org");
  ASSERT_TRUE(meeting.ok);
  SSL_renegotiate(meeting.client.get());
  SSL_do_handshake(meeting.client.get());
  char byte;
  SSL_read(meeting.server.get(), &byte, 1);
  EXPECT_LE(SSL_do_handshake(meeting.client.get()), 0);
  ERR_clear_error();
}

// The name is chosen by the first hello; the second, which the server asked for, changes nothing.
TEST(ServerTls, HelloRetry) {
  auto tls = ServerTls::make(https_listener({host("a.org", identity_for("a", {}))}, identity_for("default", {})), nullptr, nullptr);
  TestClient client;
  EndPtr ours = client.session("a.org"), theirs(tls->new_session());
  SSL_set1_groups_list(ours.get(), "X25519:P-256");
  SSL_set1_groups_list(theirs.get(), "P-256");
  ASSERT_TRUE(shake_hands(ours.get(), theirs.get()));
  EXPECT_EQ(served_cn(ours.get()), "a");
}

TEST(ServerTls, Alpn) {
  using Alpn = ServerTls::Alpn;
  struct Row {
    const char* name;
    Alpn ours;
    std::string offered;
    bool ok;
    std::string want;
  };
  const Row kRows[] = {
      {"both", Alpn::kHttp2, "\x8http/1.1\2h2", true, "h2"},
      {"only 1.1", Alpn::kHttp2, "\x8http/1.1", true, "http/1.1"},
      {"we only 1.1", Alpn::kHttp1, "\2h2\x8http/1.1", true, "http/1.1"},
      {"nothing in common", Alpn::kHttp1, "\2h2", false, ""},
      {"unknown", Alpn::kHttp2, "\4imap", false, ""},
      {"not asked", Alpn::kHttp2, "", true, ""},
      {"not answered", Alpn::kNone, "\4imap", true, ""},
  };
  auto tls = ServerTls::make(https_listener({}), nullptr, nullptr);
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    TestClient client;
    SSL_CTX_set_alpn_protos(client.context(), reinterpret_cast<const unsigned char*>(row.offered.data()), static_cast<unsigned>(row.offered.size()));
    ServedMeeting meeting = meet(*tls, client, "a.org", nullptr, row.ours);
    EXPECT_EQ(meeting.ok, row.ok);
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(meeting.client.get(), &chosen, &size);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), size), row.want);
    EXPECT_EQ(ServerTls::chose_http2(meeting.server.get()), row.want == "h2");
  }
}

TEST(ServerTls, SessionsOutliveTheirMaker) {
  auto tls = ServerTls::make(https_listener({host("a.org", identity_for("a", {}))}), nullptr, nullptr);
  TestClient client;
  EndPtr ours = client.session("a.org"), theirs(tls->new_session()), never(tls->new_session());
  std::weak_ptr<const ServerTls> watch = tls;
  tls = nullptr;
  EXPECT_FALSE(watch.expired());
  EXPECT_TRUE(shake_hands(ours.get(), theirs.get()));
  EXPECT_EQ(served_cn(ours.get()), "a");
  never = nullptr;
  EXPECT_TRUE(watch.expired()) << "after the hello nothing keeps a table's";
  EXPECT_TRUE(talk(ours.get(), theirs.get()));
}

// ---- Resumption --------------------------------------------------------------------------------------------------

TEST(ServerTls, TicketsAreGoodInTheNextTable) {
  Listener first = https_listener({host("a.org", identity_for("a", {})), host("b.org", identity_for("b", {}))});
  // The same by value, and another certificate for b.org.
  Listener second = https_listener({host("a.org", std::make_shared<Identity>(*first.hosts[0].identity)), host("b.org", identity_for("b2", {}))});
  auto before = ServerTls::make(first, nullptr, nullptr);
  auto after = ServerTls::make(second, before.get(), nullptr);
  auto stranger = ServerTls::make(second, nullptr, nullptr);
  EXPECT_EQ(&before->choose("a.org"), &after->choose("a.org"));
  EXPECT_NE(&before->choose("b.org"), &after->choose("b.org"));
  for (int version : kVersions) {
    SCOPED_TRACE(version);
    TestClient client(version);
    EXPECT_FALSE(SSL_session_reused(meet(*before, client, "a.org").client.get()));
    ResumePtr a = std::move(client.resumable);
    ASSERT_NE(a, nullptr);
    for (const ServerTls* tls : {before.get(), after.get(), stranger.get()}) {
      ServedMeeting again = meet(*tls, client, "a.org", a.get());
      EXPECT_TRUE(again.ok);
      EXPECT_TRUE(SSL_session_reused(again.client.get()));
      EXPECT_EQ(again.info.server_name, "a.org");
      // A ticket of TLS 1.3 is good once, and is followed by another.
      if (version == TLS1_3_VERSION) a = std::move(client.resumable);
      ASSERT_NE(a, nullptr);
    }
    EXPECT_TRUE(meet(*before, client, "b.org").ok);
    ResumePtr b = std::move(client.resumable);
    ServedMeeting changed = meet(*after, client, "b.org", b.get());
    EXPECT_TRUE(changed.ok);
    EXPECT_FALSE(SSL_session_reused(changed.client.get()));
    EXPECT_EQ(served_cn(changed.client.get()), "b2");
  }
}

TEST(ServerTls, AThousandHostsAreTakenOver) {
  // Few keys, many certificates: what is counted is contexts.
  Listener listener = https_listener({});
  std::vector<IdentityPtr> some;
  for (int i = 0; i < 20; ++i) some.push_back(identity_for("i" + std::to_string(i), {}));
  for (int i = 0; i < 1000; ++i) {
    auto identity = std::make_shared<Identity>(*some[static_cast<size_t>(i) % some.size()]);
    identity->certificate_pem = "# " + std::to_string(i) + "\n" + identity->certificate_pem;
    listener.hosts.push_back(host("h" + std::to_string(i) + ".org", identity));
  }
  auto before = ServerTls::make(listener, nullptr, nullptr);
  listener.hosts[500].identity = identity_for("changed", {});
  auto after = ServerTls::make(listener, before.get(), nullptr);
  int same = 0;
  for (const VirtualHost& each : listener.hosts) same += &before->choose(each.name) == &after->choose(each.name) ? 1 : 0;
  EXPECT_EQ(same, 999);
  EXPECT_NE(&after->choose("h1.org"), &after->choose("h21.org")) << "distinct although their ends are alike";
}

TEST(ServerTls, HostsWithTheSameShareAContext) {
  IdentityPtr one = identity_for("one", {});
  auto tls = ServerTls::make(https_listener({host("a.org", one), host("b.org", std::make_shared<Identity>(*one))}), nullptr, nullptr);
  EXPECT_EQ(&tls->choose("a.org"), &tls->choose("b.org"));
}

// ---- Clients' certificates ---------------------------------------------------------------------------------------

std::shared_ptr<ClientAuth> rules(ClientAuth::Mode mode, const std::string& trusted, int depth = 1) {
  auto out = std::make_shared<ClientAuth>();
  out->mode = mode;
  out->trusted_pem = trusted;
  out->depth = depth;
  return out;
}

std::shared_ptr<const ServerTls> asking(std::shared_ptr<const ClientAuth> auth) {
  static const IdentityPtr identity = identity_for("a", {});
  VirtualHost with_rules = host("a.org", identity);
  with_rules.client_auth = std::move(auth);
  return ServerTls::make(https_listener({with_rules, host("free.org", identity)}), nullptr, nullptr);
}

TEST(ClientCertificates, ModesAndVerdicts) {
  using Mode = ClientAuth::Mode;
  using V = ClientVerdict;
  enum Shown { kNone, kGood, kForeign, kExpired, kSelfSigned, kShownKinds };
  KeyPair alone = make_certificate("alone", {});
  const IdentityPtr shown[kShownKinds] = {nullptr, client_identity("alice"), client_identity("mallory", other_ca()), client_identity("late", test_ca(), -1), to_identity(alone)};
  struct Row {
    const char* name;
    Mode mode;
    V want[kShownKinds];
  };
  const Row kRows[] = {
      {"off", Mode::kOff, {V::kAccepted, V::kAccepted, V::kAccepted, V::kAccepted, V::kAccepted}},
      {"on", Mode::kRequire, {V::kMissing, V::kAccepted, V::kRefused, V::kRefused, V::kRefused}},
      {"optional", Mode::kOptional, {V::kAccepted, V::kAccepted, V::kRefused, V::kRefused, V::kRefused}},
      {"optional_no_ca", Mode::kOptionalNoCa, {V::kAccepted, V::kAccepted, V::kAccepted, V::kRefused, V::kAccepted}},
  };
  const char* kNoted[kShownKinds] = {"NONE", "SUCCESS", "FAILED:unable to verify the first certificate", "FAILED:certificate has expired", "FAILED:self-signed certificate"};
  for (int version : kVersions) {
    for (const Row& row : kRows) {
      auto auth = rules(row.mode, test_ca().cert_pem);
      auto tls = asking(auth);
      for (int kind = 0; kind < kShownKinds; ++kind) {
        SCOPED_TRACE(std::string(row.name) + ", " + kNoted[kind]);
        TestClient client(version, shown[kind]);
        ServedMeeting meeting = meet(*tls, client, "a.org");
        EXPECT_TRUE(meeting.ok) << "never the handshake";
        EXPECT_EQ(meeting.info.verified, row.mode == Mode::kOff ? "NONE" : kNoted[kind]);
        EXPECT_EQ(judge_client(*auth, meeting.info), row.want[kind]);
        EXPECT_EQ(meet(*tls, client, "free.org").info.verified, "NONE") << "not asked there";
      }
    }
  }
}

TEST(ClientCertificates, BrokenRulesForbid) {
  ClientInfo good;
  good.verified = "SUCCESS";
  ClientAuth broken;
  broken.broken = true;
  EXPECT_EQ(judge_client(broken, good), ClientVerdict::kForbidden);
  broken.mode = ClientAuth::Mode::kOptional;
  EXPECT_EQ(judge_client(broken, good), ClientVerdict::kForbidden);
}

TEST(ClientCertificates, Described) {
  IdentityPtr alice = client_identity("alice");
  auto tls = asking(rules(ClientAuth::Mode::kRequire, test_ca().cert_pem));
  for (int version : kVersions) {
    SCOPED_TRACE(version);
    TestClient client(version, alice);
    ResumePtr resumable;
    for (bool resumed : {false, true}) {
      SCOPED_TRACE(resumed);
      ServedMeeting meeting = meet(*tls, client, "A.org", resumable.get());
      EXPECT_EQ(SSL_session_reused(meeting.server.get()) == 1, resumed);
      EXPECT_TRUE(meeting.info.tls);
      EXPECT_EQ(meeting.info.server_name, "a.org");
      EXPECT_EQ(meeting.info.tls_version, version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2");
      EXPECT_EQ(meeting.info.verified, "SUCCESS");
      EXPECT_EQ(meeting.info.subject_dn, "CN=alice,O=Testers\\, Inc");
      EXPECT_EQ(meeting.info.issuer_dn, "CN=test-ca");
      EXPECT_EQ(meeting.info.subject_cn, "alice");
      EXPECT_EQ(meeting.info.certificate_pem, alice->certificate_pem);
      if (!resumed) resumable = std::move(client.resumable);
      ASSERT_NE(resumable, nullptr);
    }
  }
}

TEST(ClientCertificates, ASessionIsGoodOnlyUnderTheSameRules) {
  auto auth = rules(ClientAuth::Mode::kRequire, test_ca().cert_pem);
  auto tls = asking(auth);
  for (int version : kVersions) {
    SCOPED_TRACE(version);
    TestClient client(version);
    ASSERT_TRUE(meet(*tls, client, "free.org").ok);
    ResumePtr free = std::move(client.resumable);
    // Same certificate, other rules: the session must not carry over.
    ServedMeeting other = meet(*tls, client, "a.org", free.get());
    EXPECT_TRUE(other.ok);
    EXPECT_FALSE(SSL_session_reused(other.server.get()));
    EXPECT_EQ(judge_client(*auth, other.info), ClientVerdict::kMissing);
    // Nor one that was verified by another CA.
    TestClient mallory(version, client_identity("mallory", other_ca()));
    auto lenient = asking(rules(ClientAuth::Mode::kRequire, other_ca().cert_pem));
    ASSERT_EQ(meet(*lenient, mallory, "a.org").info.verified, "SUCCESS");
    ResumePtr verified = std::move(mallory.resumable);
    ASSERT_NE(verified, nullptr);
    EXPECT_EQ(judge_client(*auth, meet(*tls, mallory, "a.org", verified.get()).info), ClientVerdict::kRefused);
  }
}

TEST(ClientCertificates, Depth) {
  KeyPair intermediate = make_intermediate("intermediate", test_ca());
  auto bob = std::make_shared<Identity>(*client_identity("bob", intermediate));
  bob->certificate_pem += intermediate.cert_pem;
  TestClient client(TLS1_3_VERSION, bob);
  EXPECT_EQ(meet(*asking(rules(ClientAuth::Mode::kRequire, test_ca().cert_pem, 1)), client, "a.org").info.verified, "SUCCESS");
  EXPECT_EQ(meet(*asking(rules(ClientAuth::Mode::kRequire, test_ca().cert_pem, 0)), client, "a.org").info.verified, "FAILED:unable to get local issuer certificate")
      << "the search for issuers ends there";
}

std::string revocation_list(const KeyPair& ca, const std::vector<IdentityPtr>& revoked) {
  auto issuer = parse_identity(ca.cert_pem, ca.key_pem);
  std::unique_ptr<X509_CRL, FreeWith<X509_CRL_free>> list(X509_CRL_new());
  std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>> from(X509_gmtime_adj(nullptr, -3600)), to(X509_gmtime_adj(nullptr, 86400));
  X509_CRL_set_version(list.get(), 1);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name((*issuer)->leaf.get()));
  X509_CRL_set1_lastUpdate(list.get(), from.get());
  X509_CRL_set1_nextUpdate(list.get(), to.get());
  for (const IdentityPtr& each : revoked) {
    auto parsed = parse_identity(each->certificate_pem, each->key_pem);
    X509_REVOKED* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber((*parsed)->leaf.get()));
    X509_REVOKED_set_revocationDate(entry, from.get());
    X509_CRL_add0_revoked(list.get(), entry);
  }
  X509_CRL_sign(list.get(), (*issuer)->key.get(), EVP_sha256());
  BioPtr writer(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_CRL(writer.get(), list.get());
  char* data = nullptr;
  long size = BIO_get_mem_data(writer.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

TEST(ClientCertificates, RevocationListsAreHeeded) {
  // The CA of tests may not sign lists.
  KeyPair ca = make_certificate("crl-ca", {{NID_basic_constraints, "critical,CA:TRUE"}, {NID_key_usage, "critical,keyCertSign,cRLSign"}, {NID_subject_key_identifier, "hash"}});
  IdentityPtr good = client_identity("good", ca), gone = client_identity("gone", ca);
  auto tls = asking(rules(ClientAuth::Mode::kRequire, ca.cert_pem + revocation_list(ca, {gone})));
  TestClient first(TLS1_3_VERSION, good), second(TLS1_3_VERSION, gone);
  EXPECT_EQ(meet(*tls, first, "a.org").info.verified, "SUCCESS");
  EXPECT_EQ(meet(*tls, second, "a.org").info.verified, "FAILED:certificate revoked");
}

TEST(ClientCertificates, AuthoritiesAreNamed) {
  auto tls = asking(rules(ClientAuth::Mode::kOptional, test_ca().cert_pem + other_ca().cert_pem));
  TestClient client;
  static std::vector<std::string> named;
  named.clear();
  SSL_CTX_set_client_cert_cb(client.context(), [](SSL* session, X509**, EVP_PKEY**) {
    const STACK_OF(X509_NAME)* names = SSL_get0_peer_CA_list(session);
    for (int i = 0; i < sk_X509_NAME_num(names); ++i) named.push_back(distinguished_name(sk_X509_NAME_value(names, i)));
    return 0;
  });
  EXPECT_TRUE(meet(*tls, client, "a.org").ok);
  EXPECT_EQ(named, (std::vector<std::string>{"CN=test-ca", "CN=other-ca"}));
}

// ---- Threads -----------------------------------------------------------------------------------------------------

TEST(ServerTls, ManyThreadsAtOnce) {
  Listener listener = https_listener({});
  for (int i = 0; i < 4; ++i) listener.hosts.push_back(host("h" + std::to_string(i) + ".org", identity_for("h" + std::to_string(i), {})));
  auto tls = ServerTls::make(listener, nullptr, nullptr);
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      TestClient client;
      for (int i = 0; i < 12; ++i) {
        std::string name = "h" + std::to_string(i % 4);
        ServedMeeting meeting = meet(*tls, client, name + ".org", client.resumable.get());
        if (meeting.ok && meeting.info.server_name == name + ".org") ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 48);
}

}  // namespace
}  // namespace server::gateway

#include "server/gateway/tls/client_tls.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/server/gateway/tls/handshake.h"

namespace server::gateway {
namespace {

struct Meeting {
  EndPtr client, server;
  bool ok = false;
  std::string error;   // ClientTls::verify_error()
  ClientInfo info;     // As the server sees the client.
};

Meeting meet(ClientTls& tls, const ServerTls& upstream, const UpstreamTls& wanted, const std::string& host, bool http2 = false) {
  Meeting out;
  out.client.reset(tls.new_session(wanted, host, http2));
  out.server.reset(upstream.new_session());
  out.ok = shake_hands(out.client.get(), out.server.get()) && talk(out.client.get(), out.server.get());
  out.error = ClientTls::verify_error(out.client.get());
  ServerTls::describe(out.server.get(), &out.info);
  return out;
}

std::shared_ptr<const ServerTls> serving(const IdentityPtr& identity) { return ServerTls::make(https_listener({}, identity), nullptr, nullptr); }

UpstreamTls verifying(const std::string& server_name, std::vector<std::string> names = {}) {
  UpstreamTls tls;
  tls.verify = true;
  tls.trusted_pem = test_ca().cert_pem;
  tls.server_name = server_name;
  tls.names = std::move(names);
  return tls;
}

TEST(ClientTls, Verification) {
  KeyPair intermediate = make_intermediate("intermediate", test_ca());
  auto chained = std::make_shared<Identity>(*identity_for("chained", {"web.org"}, 30, intermediate));
  chained->certificate_pem += intermediate.cert_pem;
  const IdentityPtr good = identity_for("good", {"web.org", "*.wild.org"}), foreign = identity_for("foreign", {"web.org"}, 30, other_ca()),
                    expired = identity_for("expired", {"web.org"}, -1),
                    many = to_identity(make_certificate("cn.org", {{NID_subject_alt_name, "DNS:alt.org,URI:spiffe://web.org/id,IP:127.0.0.1"}}, &test_ca())),
                    cn_only = to_identity(make_certificate("old.org", {}, &test_ca()));
  UpstreamTls other_trust = verifying("web.org");
  other_trust.trusted_pem = other_ca().cert_pem;
  UpstreamTls shallow = verifying("web.org");
  shallow.verify_depth = 0;
  UpstreamTls careless;
  careless.server_name = "web.org";
  UpstreamTls system = verifying("web.org");
  system.trusted_pem = "";
  struct Row {
    const char* name;
    IdentityPtr served;
    UpstreamTls wanted;
    const char* error;  // Part of it; "": accepted.
    const char* host = "10.0.0.1:443";
  };
  const Row kRows[] = {
      {"good", good, verifying("web.org"), ""},
      {"wildcard", good, verifying("a.wild.org"), ""},
      {"other name", good, verifying("shop.org"), "hostname mismatch (wanted shop.org)"},
      {"name of the host", good, verifying(""), "", "web.org:8443"},
      {"other name of the host", good, verifying(""), "hostname mismatch (wanted shop.org)", "shop.org"},
      {"other CA", foreign, verifying("web.org"), "unable to get local issuer certificate"},
      {"we trust another", good, other_trust, "unable to get local issuer certificate"},
      {"the system trusts it not", good, system, "unable to get local issuer certificate"},
      {"expired", expired, verifying("web.org"), "certificate has expired"},
      {"all the same", expired, careless, ""},
      {"all the same, signed by others", foreign, careless, ""},
      {"intermediate", chained, verifying("web.org"), ""},
      {"intermediate, too deep", chained, shallow, "certificate chain too long"},
      {"CN alone", cn_only, verifying("old.org"), ""},
      {"address", many, verifying("127.0.0.1"), ""},
      {"other address", many, verifying("127.0.0.2"), "IP address mismatch (wanted 127.0.0.2)"},
      {"address of the host", many, verifying(""), "", "127.0.0.1:443"},
      {"one of the names", many, verifying("web.org", {"x.org", "alt.org"}), ""},
      {"a URI", many, verifying("web.org", {"spiffe://web.org/id"}), ""},
      {"another URI", many, verifying("alt.org", {"spiffe://web.org/ID"}), "hostname mismatch (wanted spiffe://web.org/ID)"},
      {"names count, not server_name", many, verifying("alt.org", {"x.org", "y.org"}), "hostname mismatch (wanted one of 2 names)"},
      {"an address among the names", many, verifying("web.org", {"127.0.0.1"}), ""},
      {"names are alternative names, never the CN", cn_only, verifying("old.org", {"old.org"}), "hostname mismatch"},
      {"names do not replace the chain", foreign, verifying("web.org", {"web.org"}), "unable to get local issuer certificate"},
  };
  ClientTls tls;
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    for (int time = 0; time < 2; ++time) {  // The second may resume, and must come out the same.
      Meeting meeting = meet(tls, *serving(row.served), row.wanted, row.host);
      EXPECT_EQ(meeting.ok, *row.error == '\0') << meeting.error;
      if (*row.error == '\0') EXPECT_EQ(meeting.error, "");
      else EXPECT_NE(meeting.error.find(row.error), std::string::npos) << meeting.error;
    }
  }
}

TEST(ClientTls, ServerName) {
  auto upstream = serving(identity_for("good", {"web.org"}));
  ClientTls tls;
  UpstreamTls silent;
  silent.server_name = "web.org";
  UpstreamTls telling = silent;
  telling.send_server_name = true;
  UpstreamTls of_host;
  of_host.send_server_name = true;
  EXPECT_EQ(meet(tls, *upstream, silent, "h").info.server_name, "");
  EXPECT_EQ(meet(tls, *upstream, telling, "h").info.server_name, "web.org");
  EXPECT_EQ(meet(tls, *upstream, of_host, "shop.org:8443").info.server_name, "shop.org");
  EXPECT_EQ(meet(tls, *upstream, of_host, "[::1]:8443").info.server_name, "");
  EXPECT_EQ(meet(tls, *upstream, of_host, "127.0.0.1").info.server_name, "");
}

TEST(ClientTls, Alpn) {
  auto upstream = serving(identity_for("good", {"web.org"}));
  ClientTls tls;
  for (bool http2 : {false, true}) EXPECT_EQ(ServerTls::chose_http2(meet(tls, *upstream, {}, "h", http2).server.get()), http2);
}

TEST(ClientTls, ShowsItsCertificate) {
  VirtualHost asks = host("web.org", identity_for("good", {"web.org"}));
  auto rules = std::make_shared<ClientAuth>();
  rules->mode = ClientAuth::Mode::kRequire;
  rules->trusted_pem = test_ca().cert_pem;
  asks.client_auth = rules;
  auto upstream = ServerTls::make(https_listener({asks}), nullptr, nullptr);
  UpstreamTls wanted = verifying("web.org");
  wanted.send_server_name = true;
  ClientTls tls;
  EXPECT_EQ(meet(tls, *upstream, wanted, "h").info.verified, "NONE");
  IdentityPtr own = client_identity("gateway");
  wanted.certificate_pem = own->certificate_pem;
  wanted.key_pem = own->key_pem;
  Meeting meeting = meet(tls, *upstream, wanted, "h");
  EXPECT_EQ(meeting.info.verified, "SUCCESS");
  EXPECT_EQ(meeting.info.subject_cn, "gateway");
}

TEST(ClientTls, ResumesPerContextAndHost) {
  auto upstream = serving(identity_for("good", {"web.org"}));
  for (const char* protocols : {"TLSv1.2", "TLSv1.3"}) {
    SCOPED_TRACE(protocols);
    ClientTls tls;
    UpstreamTls wanted = verifying("web.org");
    wanted.protocols = protocols;
    auto reused = [&](const UpstreamTls& how, const std::string& host, bool http2 = false) {
      Meeting meeting = meet(tls, *upstream, how, host, http2);
      EXPECT_TRUE(meeting.ok);
      EXPECT_EQ(meeting.info.tls_version, protocols);
      return SSL_session_reused(meeting.client.get()) == 1;
    };
    EXPECT_FALSE(reused(wanted, "one"));
    EXPECT_TRUE(reused(wanted, "one"));
    for (int time = 0; time < 3; ++time) EXPECT_TRUE(reused(UpstreamTls(wanted), "one"));
    EXPECT_FALSE(reused(wanted, "two"));
    EXPECT_FALSE(reused(wanted, "one", true));
    UpstreamTls other = wanted;
    other.names = {"web.org"};
    EXPECT_FALSE(reused(other, "one")) << "was verified by other rules";
  }
}

TEST(ClientTls, SessionsOutliveTheirMaker) {
  auto upstream = serving(identity_for("good", {"web.org"}));
  auto tls = std::make_unique<ClientTls>();
  EndPtr client(tls->new_session(verifying("web.org", {"web.org"}), "h", false)), server(upstream->new_session());
  tls = nullptr;
  EXPECT_TRUE(shake_hands(client.get(), server.get()));
  EXPECT_TRUE(talk(client.get(), server.get()));
}

TEST(ClientTls, Protocols) {
  auto upstream = serving(identity_for("good", {"web.org"}));
  struct Row {
    const char* protocols;
    const char* want;   // Version, or part of the problem.
    bool ok;
  };
  const Row kRows[] = {
      {"TLSv1.2 TLSv1.3", "TLSv1.3", true}, {"TLSv1 TLSv1.1 TLSv1.2", "TLSv1.2", true}, {"SSLv3 TLSv1.2", "TLSv1.2", true},
      {"", "TLSv1.3", true},                {"TLSv1.4", "unknown protocol \"TLSv1.4\"", false}, {"TLSv1.1", "", false},
  };
  ClientTls tls;
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.protocols);
    UpstreamTls wanted;
    wanted.protocols = row.protocols;
    Meeting meeting = meet(tls, *upstream, wanted, "h");
    EXPECT_EQ(meeting.ok, row.ok);
    if (row.ok) EXPECT_EQ(meeting.info.tls_version, row.want);
    else EXPECT_NE(meeting.error.find(row.want), std::string::npos) << meeting.error;
  }
}

TEST(ClientTls, WhatCannotBeUsedSendsNothing) {
  UpstreamTls no_ca = verifying("web.org"), no_key, no_cipher, no_name = verifying(""), long_name;
  no_ca.trusted_pem = "hello";
  no_key.certificate_pem = client_identity("x")->certificate_pem;
  no_key.key_pem = client_identity("y")->key_pem;
  no_cipher.ciphers = "NO-SUCH";
  long_name.server_name = std::string(300, 'a');
  long_name.send_server_name = true;
  const std::pair<UpstreamTls, const char*> kRows[] = {
      {no_ca, "TLS to the upstream: the CA certificates cannot be read"},
      {no_key, "TLS to the upstream: the private key does not fit the certificate"},
      {no_cipher, "TLS to the upstream: none of the ciphers \"NO-SUCH\" is known"},
      {no_name, ""},
      {long_name, ""},
  };
  ClientTls tls;
  for (const auto& [wanted, want] : kRows) {
    SCOPED_TRACE(want);
    for (int time = 0; time < 2; ++time) {
      EndPtr session(tls.new_session(wanted, "", false));
      ASSERT_NE(session, nullptr) << "it would be taken for a plain connection";
      EXPECT_EQ(ERR_peek_error(), 0u);
      BIO* out = BIO_new(BIO_s_mem());
      SSL_set_bio(session.get(), BIO_new(BIO_s_mem()), out);
      int result = SSL_do_handshake(session.get());
      EXPECT_EQ(SSL_get_error(session.get(), result), SSL_ERROR_SSL);
      EXPECT_LE(BIO_pending(out), 7) << "an alert, if anything";
      EXPECT_EQ(ClientTls::verify_error(session.get()).find(want), 0u) << ClientTls::verify_error(session.get());
      ERR_clear_error();
    }
  }
}

TEST(ClientTls, ManyContextsAndThreads) {
  auto upstream = serving(identity_for("good", {"web.org"}));
  ClientTls tls;
  // More than are kept: the first one is made anew, and works.
  for (int i = 0; i < 300; ++i) {
    EndPtr session(tls.new_session(verifying("h" + std::to_string(i)), "h", false));
    ASSERT_NE(session, nullptr);
  }
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 12; ++i) good += meet(tls, *upstream, verifying("web.org"), "h" + std::to_string(i % 3)).ok ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 48);
}

}  // namespace
}  // namespace server::gateway

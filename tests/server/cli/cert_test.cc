#include "server/cli/cert_hosts.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "server/app/pki_store.h"
#include "server/cli/verb.h"
#include "store/base/clock.h"
#include "store/base/fd.h"
#include "store/base/text.h"

namespace server {
namespace {

namespace fs = std::filesystem;

TEST(CertHosts, Rows) {
  struct Row {
    const char* in;
    const char* want;  // nullptr: refused.
    const char* why = "this is no host name, wildcard or address";
  };
  const std::string long_label(64, 'a');
  const Row kRows[] = {
      {"web.test", "web.test"},
      {"Web.TEST.", "web.test"},
      {"localhost", "localhost"},
      {"*.web.test", "*.web.test"},
      {"a_b.test", "a_b.test"},
      {"xn--bcher-kva.test", "xn--bcher-kva.test"},
      {"127.0.0.1", "127.0.0.1"},
      {"2001:DB8:0:0::1", "2001:db8::1"},
      {"", nullptr},
      {".", nullptr},
      {"-web.test", nullptr},
      {"web..test", nullptr},
      {"web.test:443", nullptr},
      {"127.0.0.256", nullptr},
      {"web test", nullptr},
      {long_label.c_str(), nullptr},
      {"../etc/passwd", nullptr},
      {"https://web.test", nullptr, "without scheme"},
      {"*", nullptr, "a wildcard is"},
      {"a.*.test", nullptr, "a wildcard is"},
      {"b\xc3\xbc" "cher.test", nullptr, "xn--"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.in);
    base::Result<std::string> got = parse_cert_host(row.in);
    EXPECT_EQ(got.ok(), row.want != nullptr);
    if (got.ok()) {
      EXPECT_STREQ(got->c_str(), row.want);
    } else {
      EXPECT_NE(got.error().message.find(row.why), std::string::npos) << got.error().message;
    }
  }
}

TEST(CertHosts, Names) {
  EXPECT_EQ(cert_file_stem("web.test"), "web.test");
  EXPECT_EQ(cert_file_stem("*.web.test"), "_wildcard.web.test");
  EXPECT_EQ(cert_secret_name("*.web.test"), "wildcard-web-test-tls");
  EXPECT_EQ(cert_secret_name("::1"), "host--1-tls");
  for (const char* host : {"web.test", "*.web.test", "127.0.0.1", "::1", "a_b.test", "_x.test"}) EXPECT_TRUE(check_object_name("", cert_secret_name(host)).ok()) << cert_secret_name(host);
  for (const char* bad : {"", "Web", "a_b", "-a", "a-", "a b", "a/b"}) EXPECT_EQ(check_object_name("--secret", bad).error().message.find("--secret \"" + std::string(bad) + "\": use"), 0u);
}

// ---- The verb ----------------------------------------------------------------------------------------------------

struct Ran {
  int code = 0;
  std::string out, err;
};

class CertVerb : public testing::Test {
 protected:
  void SetUp() override {
    ::unsetenv("KUBELAN_NAME");
    ::unsetenv("KUBELAN_STATE_DIR");
    char dir[] = "/tmp/kubelan-cert-XXXXXX";
    ASSERT_NE(::mkdtemp(dir), nullptr);
    dir_ = dir;
    fs::create_directories(dir_ + "/state/pki");
    fs::create_directories(dir_ + "/out");
    base::Result<ClusterPki> pki = load_or_make_pki(dir_ + "/state", make_address_plan(IpFamily::kIpv4));
    ASSERT_TRUE(pki.ok()) << pki.error().message;
    ca_ = pki->ca;
  }
  void TearDown() override { fs::remove_all(dir_); }

  Ran run(std::vector<std::string> words) {
    words.insert(words.begin(), {"kubelan", "cert", "--state-dir", dir_ + "/state"});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Ran ran;
    ran.code = run_cli(static_cast<int>(argv.size()), argv.data());
    std::fflush(stdout);
    ran.out = testing::internal::GetCapturedStdout();
    ran.err = testing::internal::GetCapturedStderr();
    return ran;
  }
  std::string file(const std::string& name) { return base::read_file(dir_ + "/out/" + name).value(); }
  std::string out_dir() { return dir_ + "/out"; }

  std::string dir_;
  KeyPair ca_;
};

using Certificate = std::unique_ptr<X509, decltype([](X509* c) { X509_free(c); })>;
using Key = std::unique_ptr<EVP_PKEY, decltype([](EVP_PKEY* k) { EVP_PKEY_free(k); })>;
using Bio = std::unique_ptr<BIO, decltype([](BIO* b) { BIO_free(b); })>;

Certificate parse_certificate(const std::string& pem) {
  Bio reader(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Certificate(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
}
Key parse_key(const std::string& pem) {
  Bio reader(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Key(PEM_read_bio_PrivateKey(reader.get(), nullptr, nullptr, nullptr));
}

// Signed by the CA, with its key, for these hosts, and for how many days.
void expect_certificate(const std::string& cert_pem, const std::string& key_pem, const std::string& ca_pem, const std::vector<std::string>& hosts, int days) {
  Certificate certificate = parse_certificate(cert_pem), ca = parse_certificate(ca_pem);
  Key key = parse_key(key_pem);
  ASSERT_NE(certificate, nullptr);
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(X509_check_private_key(certificate.get(), key.get()), 1);
  EXPECT_EQ(X509_verify(certificate.get(), X509_get0_pubkey(ca.get())), 1);
  EXPECT_EQ(X509_check_purpose(certificate.get(), X509_PURPOSE_SSL_SERVER, 0), 1);
  for (const std::string& host : hosts) {
    bool is_ip = base::Ip::parse(host).ok();
    EXPECT_EQ(is_ip ? X509_check_ip_asc(certificate.get(), host.c_str(), 0) : X509_check_host(certificate.get(), host.data(), host.size(), 0, nullptr), 1) << host;
  }
  EXPECT_NE(X509_check_host(certificate.get(), "else.test", 0, 0, nullptr), 1);
  int left = 0, seconds = 0;
  ASSERT_EQ(ASN1_TIME_diff(&left, &seconds, nullptr, X509_get0_notAfter(certificate.get())), 1);
  EXPECT_NEAR(left, days, 1);
}

std::string field(const std::string& yaml, const std::string& key) {
  size_t at = yaml.find(key + ": ");
  if (at == std::string::npos) return "";
  at += key.size() + 2;
  return yaml.substr(at, yaml.find('\n', at) - at);
}

TEST_F(CertVerb, WritesFiles) {
  Ran ran = run({"Web.test", "*.web.test", "127.0.0.1", "::1", "--out", out_dir()});
  EXPECT_EQ(ran.code, 0) << ran.err;
  expect_certificate(file("web.test.crt"), file("web.test.key"), ca_.cert_pem, {"web.test", "a.web.test", "127.0.0.1", "::1"}, 825);
  EXPECT_NE(ran.out.find("for web.test, *.web.test, 127.0.0.1, ::1, until 20"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("kubectl create secret tls web-test-tls --cert='" + out_dir() + "/web.test.crt' --key='" + out_dir() + "/web.test.key'"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find(dir_ + "/state/pki/ca.crt"), std::string::npos) << ran.out;
  struct stat info {};
  ASSERT_EQ(::stat((out_dir() + "/web.test.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(CertVerb, WritesIntoTheCurrentFolder) {
  fs::path before = fs::current_path();
  fs::current_path(out_dir());
  Ran ran = run({"*.web.test", "--days", "7"});
  fs::current_path(before);
  EXPECT_EQ(ran.code, 0) << ran.err;
  expect_certificate(file("_wildcard.web.test.crt"), file("_wildcard.web.test.key"), ca_.cert_pem, {"b.web.test"}, 7);
}

TEST_F(CertVerb, NeverReplacesUnlessTold) {
  ASSERT_EQ(run({"web.test", "--out", out_dir()}).code, 0);
  const std::string certificate = file("web.test.crt"), key = file("web.test.key");
  Ran again = run({"web.test", "--out", out_dir()});
  EXPECT_EQ(again.code, 1);
  EXPECT_EQ(again.out, "");
  EXPECT_EQ(again.err, "kubelan: " + out_dir() + "/web.test.key exists already: give --force to replace it, or --out DIR for another folder\n");
  fs::remove(out_dir() + "/web.test.key");
  again = run({"web.test", "--out", out_dir()});
  EXPECT_EQ(again.code, 1);
  EXPECT_NE(again.err.find("web.test.crt exists already"), std::string::npos) << again.err;
  EXPECT_EQ(file("web.test.crt"), certificate);
  EXPECT_FALSE(fs::exists(out_dir() + "/web.test.key")) << "no key is left whose certificate is not";
  EXPECT_EQ(run({"web.test", "--out", out_dir(), "--force"}).code, 0);
  EXPECT_NE(file("web.test.crt"), certificate);
  expect_certificate(file("web.test.crt"), file("web.test.key"), ca_.cert_pem, {"web.test"}, 825);
}

TEST_F(CertVerb, PrintsASecret) {
  Ran ran = run({"web.test", "--secret", "web-tls", "-n", "shop"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out.find("apiVersion: v1\nkind: Secret\nmetadata:\n  name: web-tls\n  namespace: shop\ntype: kubernetes.io/tls\ndata:\n  tls.crt: "), 0u) << ran.out;
  expect_certificate(base::decode_base64(field(ran.out, "  tls.crt")).value_or(""), base::decode_base64(field(ran.out, "  tls.key")).value_or(""), ca_.cert_pem, {"web.test"}, 825);
  Ran without = run({"web.test", "--secret", "web-tls"});
  EXPECT_EQ(without.out.find("namespace"), std::string::npos);
  EXPECT_TRUE(fs::is_empty(out_dir()));
}

TEST_F(CertVerb, PrintsTheCa) {
  Ran ran = run({"--ca"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, ca_.cert_pem);
}

TEST_F(CertVerb, SaysWhatIsWrong) {
  struct Row {
    std::vector<std::string> words;
    const char* want;
    int code = 1;
  };
  const Row kRows[] = {
      {{}, "cert: say for which host, as in 'kubelan cert web.test'"},
      {{"web test"}, "cert \"web test\": this is no host name, wildcard or address"},
      {{"good.test", "a.*.b"}, "cert \"a.*.b\": a wildcard is"},
      {{"web.test", "--days", "0"}, "--days 0: use 1 to 3650"},
      {{"web.test", "--days", "many"}, "--days", 2},
      {{"web.test", "--bogus"}, "--bogus", 2},
      {{"web.test", "--secret", "Web"}, "--secret \"Web\": use lower case"},
      {{"web.test", "--secret", "web", "-n", "A"}, "-n \"A\": use lower case"},
      {{"web.test", "-n", "shop"}, "needs --secret"},
      {{"web.test", "--secret", "web", "--out", "x"}, "give one of them"},
      {{"web.test", "--ca"}, "takes neither hosts"},
      {{"web.test", "--out", "/nowhere/at/all"}, "/nowhere/at/all/web.test.key: No such file"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.want);
    Ran ran = run(row.words);
    EXPECT_EQ(ran.code, row.code);
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(ran.err.find(row.want), std::string::npos) << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

TEST_F(CertVerb, ClustersThatNeverWere) {
  fs::remove_all(dir_ + "/state/pki");
  Ran ran = run({"web.test", "--out", out_dir()});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, "kubelan: cluster \"default\": there is no CA in " + dir_ + "/state/pki: it is made at the first 'kubelan up'\n");
  EXPECT_TRUE(fs::is_empty(out_dir()));
}

}  // namespace
}  // namespace server

// Every annotation: what it changes in the table, and what is said of those that are unknown, malformed or refused.
#include "server/gateway/ingress/annotations.h"

#include "store/base/regex.h"
#include "server/gateway/tls/fake_certificate.h"
#include "tests/server/gateway/ingress/rig.h"

namespace server::gateway {
namespace {

const std::string kPrefix = "nginx.ingress.kubernetes.io/";
using Annotations = std::map<std::string, std::string>;

struct Row {
  const char* name;
  const char* value;
  const char* want;          // Lines that the annotation adds (+) and takes away (-).
  Annotations beside = {};   // Without which it means nothing.
  bool https = false;        // Look at that listener.
};

void fill(Rig& rig) {
  rig.secret("users", {{"auth", "ann:$apr1$x$y\n# a comment\nbob:{SHA}z:more\n"}, {"not-a-file", "q"}});
  rig.secret("map", {{"cleo", "{SHA}z\n"}});
  rig.secret("digest", {{"auth", "ann:hall:0123\nbob:other:4567\n"}});
  rig.secret("ca", {{"ca.crt", fake_identity()->certificate_pem}});
  rig.secret("pair", {{"ca.crt", fake_identity()->certificate_pem}, {"tls.crt", "C"}, {"tls.key", "K"}});
  rig.secret("far", {{"auth", "ann:x"}}, "far");
  rig.config_map("headers", {{"X-Team", "$request_method"}});
  rig.config_map("empty", {});
  rig.config({{"global-allowed-response-headers", "X-Other, x-team"}});
}

// One Ingress: a.org, TLS with the default certificate, /app.
IngressResult compile(Rig& rig, const Annotations& annotations, const std::string& path = "/app") {
  Ingress ingress;
  ingress.key = {"default", "a"};
  ingress.class_name = "nginx";
  for (const auto& [name, value] : annotations) ingress.annotations[kPrefix + name] = value;
  ingress.rules.push_back({"a.org", true, {{IngressPath::Type::kImplementationSpecific, path, {"web", "80", ""}}}});
  ingress.tls.push_back({{"a.org"}, ""});
  rig.input.ingresses[ingress.key] = ingress;
  return rig.compile();
}

std::string change(const std::string& before, const std::string& after) {
  std::string out;
  auto add = [&out](const std::string& lines, char sign) {
    std::istringstream in(lines);
    for (std::string line; std::getline(in, line);) out += sign + line + "\n";
  };
  add(added_lines(after, before), '-');
  add(added_lines(before, after), '+');
  return out;
}

const Annotations kAffinity = {{"affinity", "cookie"}}, kCors = {{"enable-cors", "true"}}, kRps = {{"limit-rps", "5"}}, kHttps = {{"backend-protocol", "HTTPS"}},
                  kUrl = {{"auth-url", "http://api.default.svc.cluster.local/check"}}, kClient = {{"auth-tls-secret", "ca"}};

const Row kRows[] = {
    // Rewrites and redirects
    {"use-regex", "true", "-host a.org\n-prefix /app -> default/web:80 [10.244.1.5:8080]\n-prefix / -> 404\n+host a.org in order\n+regex //app/i -> default/web:80 [10.244.1.5:8080]\n+regex ///i -> 404\n"},
    {"app-root", "/start", "+exact / -> redirect 302 $scheme://$http_host/start\n"},
    {"ssl-redirect", "false", "-redirect 308 https://$host$request_uri_without_slash (without TLS)\n-redirect 308 https://$host$request_uri_without_slash (without TLS)\n"},
    {"force-ssl-redirect", "true", "+redirect 308 https://$host$request_uri_without_slash (without TLS)\n+redirect 308 https://$host$request_uri_without_slash (without TLS)\n", {{"ssl-redirect", "false"}}},
    {"preserve-trailing-slash", "true", "-redirect 308 https://$host$request_uri_without_slash (without TLS)\n-redirect 308 https://$host$request_uri_without_slash (without TLS)\n+redirect 308 https://$host$request_uri (without TLS)\n+redirect 308 https://$host$request_uri (without TLS)\n"},
    {"use-port-in-redirects", "true", "-redirect 308 https://$host$request_uri_without_slash (without TLS)\n-redirect 308 https://$host$request_uri_without_slash (without TLS)\n+redirect 308 https://$host:443$request_uri_without_slash (without TLS)\n+redirect 308 https://$host:443$request_uri_without_slash (without TLS)\n"},
    {"x-forwarded-prefix", "/pre", "+request header set X-Forwarded-Prefix: /pre\n", {{"rewrite-target", "/new"}}},
    {"permanent-redirect", "https://b.org", "-prefix /app -> default/web:80 [10.244.1.5:8080]\n-redirect 308 https://$host$request_uri_without_slash (without TLS)\n-prefix / -> 404\n-redirect 308 https://$host$request_uri_without_slash (without TLS)\n+prefix /app -> redirect 301 https://b.org\n+prefix / -> redirect 301 https://b.org\n"},
    {"permanent-redirect-code", "308", "-prefix /app -> redirect 301 https://b.org\n-prefix / -> redirect 301 https://b.org\n+prefix /app -> redirect 308 https://b.org\n+prefix / -> redirect 308 https://b.org\n", {{"permanent-redirect", "https://b.org"}}},
    {"temporal-redirect", "https://c.org$request_uri", "-prefix /app -> redirect 301 https://b.org\n-prefix / -> redirect 301 https://b.org\n+prefix /app -> redirect 302 https://c.org$request_uri\n+prefix / -> redirect 302 https://c.org$request_uri\n", {{"permanent-redirect", "https://b.org"}}},
    {"temporal-redirect-code", "307", "-prefix /app -> redirect 302 https://c.org\n-prefix / -> redirect 302 https://c.org\n+prefix /app -> redirect 307 https://c.org\n+prefix / -> redirect 307 https://c.org\n", {{"temporal-redirect", "https://c.org"}}},
    {"relative-redirects", "true", "-exact / -> redirect 302 $scheme://$http_host/start\n+exact / -> redirect 302 /start (relative)\n", {{"app-root", "/start"}}},
    {"from-to-www-redirect", "true", "+host www.a.org\n+otherwise -> redirect 308 $scheme://a.org$request_uri_without_slash\n"},
    // Endpoints
    {"backend-protocol", "grpc", "-prefix /app -> default/web:80 [10.244.1.5:8080]\n+prefix /app -> default/web:80 grpc [10.244.1.5:8080] http2\n"},
    {"backend-protocol", "HTTPS", "-prefix /app -> default/web:80 [10.244.1.5:8080]\n+prefix /app -> default/web:80 tls [10.244.1.5:8080] tls(unverified)\n"},
    {"backend-protocol", "GRPCS", "-prefix /app -> default/web:80 [10.244.1.5:8080]\n+prefix /app -> default/web:80 grpc tls [10.244.1.5:8080] http2 tls(unverified)\n"},
    {"backend-protocol", "AUTO_HTTP", ""},
    {"backend-protocol", "AUTO_HTTP", "-prefix /app -> default/web:80 [10.244.1.5:8080]\n+prefix /app -> default/web:80 tls [10.244.1.5:8080] tls(unverified)\n", {}, true},
    {"proxy-body-size", "8m", "+max body 8388608\n+max body 8388608\n"},
    {"proxy-connect-timeout", "7", "+connect timeout 7s\n"},
    {"proxy-read-timeout", "3600", "+read timeout 3600s\n"},
    {"proxy-send-timeout", "8", "+send timeout 8s\n"},
    {"proxy-next-upstream", "timeout http_502 http_429 non_idempotent invalid_header", "+retry timeout invalid-header 502 429 non-idempotent tries 3\n"},
    {"proxy-next-upstream", "off", "+retry tries 1\n"},
    {"proxy-next-upstream-timeout", "9", "+retry error timeout tries 3 within 9s\n"},
    {"proxy-next-upstream-tries", "2", "+retry error timeout tries 2\n"},
    {"proxy-buffering", "on", "+response buffered\n"},
    {"proxy-buffer-size", "8k", "+header buffer 8192\n+response buffers 32768\n"},
    {"proxy-buffers-number", "2", "+response buffers 8192\n"},
    {"proxy-request-buffering", "off", "+request not buffered\n"},
    {"client-body-buffer-size", "1m", "+request buffer 1048576\n"},
    {"proxy-http-version", "1.0", "+http 1.0\n"},
    {"connection-proxy-header", "keep-alive", "+connection header keep-alive\n"},
    {"upstream-vhost", "inner.example", "+host inner.example\n"},
    {"proxy-redirect-from", "http://inner/", "+location http://inner/ -> \n"},
    {"proxy-redirect-to", "https://outer/", "-location http://inner/ -> \n+location http://inner/ -> https://outer/\n", {{"proxy-redirect-from", "http://inner/"}}},
    {"proxy-cookie-domain", "inner.org outer.org; ~*^x(.*) $1.org", "+cookie domain inner.org -> outer.org\n+cookie domain /^x(.*)/i -> $1.org\n"},
    {"proxy-cookie-path", "/one/ /", "+cookie path /one/ -> /\n"},
    {"service-upstream", "true", "-prefix /app -> default/web:80 [10.244.1.5:8080]\n+prefix /app -> default/web:80 cluster-ip [10.96.0.50:80]\n"},
    {"default-backend", "pages", "+fallback default/pages:80 [10.244.1.7:80]\n"},
    {"custom-http-errors", "404,503", "+error pages 404 503 from default/pages:80 [10.244.1.7:80]\n", {{"default-backend", "pages"}}},
    {"disable-proxy-intercept-errors", "true", "-error pages 404 from default/pages:80 [10.244.1.7:80]\n", {{"default-backend", "pages"}, {"custom-http-errors", "404"}}},
    {"custom-headers", "headers", "+response header set X-Team: $request_method\n"},
    {"enable-access-log", "false", "+no access log\n+no access log\n"},
    // Who may
    {"auth-type", "basic", "+basic \"\" users ann bob\n+basic \"\" users ann bob\n", {{"auth-secret", "default/users"}}},
    {"auth-type", "digest", "+digest \"\" users ann bob\n+digest \"\" users ann bob\n", {{"auth-secret", "digest"}}},
    {"auth-secret", "users", "+basic \"\" users ann bob\n+prefix / -> 404\n", {{"auth-type", "basic"}}},
    {"auth-secret-type", "auth-map", "+basic \"\" users cleo\n", {{"auth-type", "basic"}, {"auth-secret", "map"}}},
    {"auth-realm", "hall", "-digest \"\" users ann bob\n-digest \"\" users ann bob\n+digest \"hall\" users ann\n+digest \"hall\" users ann\n", {{"auth-type", "digest"}, {"auth-secret", "digest"}}},
    {"satisfy", "any", "+satisfy any\n+satisfy any\n"},
    {"auth-url", "http://api.default.svc.cluster.local:8080/check", "+asks http://api.default.svc.cluster.local:8080/check at http://api.default.svc.cluster.local:8080 [10.96.0.51:8080]\n"},
    {"auth-url", "https://192.0.2.1/?u=$remote_addr", "+asks https://192.0.2.1/?u=$remote_addr at https://192.0.2.1:443 [192.0.2.1:443] tls(unverified name 192.0.2.1 sni)\n"},
    {"auth-signin", "https://$host/login", "+sign in at https://$host/login (rd)\n", kUrl},
    {"auth-signin-redirect-param", "back", "+sign in at https://x/login (back)\n", {{"auth-url", "http://192.0.2.1/"}, {"auth-signin", "https://x/login"}}},
    {"auth-method", "POST", "+asks POST http://api.default.svc.cluster.local/check at http://api.default.svc.cluster.local:80 [10.96.0.51:80]\n", kUrl},
    {"auth-response-headers", "X-User, X-Mail", "+takes X-User X-Mail\n", kUrl},
    {"auth-proxy-set-headers", "headers", "+sends X-Team: $request_method\n", kUrl},
    {"auth-request-redirect", "https://x$request_uri", "+redirect https://x$request_uri\n", kUrl},
    {"auth-cache-key", "$remote_addr", "+kept by $remote_addr 200:300s 202:300s 401:300s\n", kUrl},
    {"auth-cache-duration", "200 204 1m, any 5s", "+kept by $remote_addr 200:60s 204:60s any:5s\n", {{"auth-url", "http://192.0.2.1/"}, {"auth-cache-key", "$remote_addr"}}},
    {"auth-always-set-cookie", "true", "+always its cookies\n", kUrl},
    {"enable-cors", "true", "+cors *\n"},
    {"cors-allow-origin", "https://x.org, https://*.y.org:8443", "+cors /https\\:\\/\\/x\\.org$/i /https\\:\\/\\/[A-Za-z0-9-]+\\.y\\.org\\:8443$/i\n", kCors},
    {"cors-allow-methods", "GET, PUT", "+cors * methods GET, PUT\n", kCors},
    {"cors-allow-headers", "X-One", "+cors * headers X-One\n", kCors},
    {"cors-expose-headers", "X-Two", "+cors * expose X-Two\n", kCors},
    {"cors-allow-credentials", "false", "+cors * without credentials\n", kCors},
    {"cors-max-age", "600", "+cors * max-age 600\n", kCors},
    {"limit-rps", "5", "+limits of default/a 5/s\n"},
    {"limit-rpm", "30", "+limits of default/a 30/min\n"},
    {"limit-connections", "2", "+limits of default/a 2 connections\n"},
    {"limit-burst-multiplier", "3", "+limits of default/a 5/s burst 3\n", kRps},
    {"limit-whitelist", "10.0.0.0/8", "+limits of default/a 5/s not 10.0.0.0/8\n", kRps},
    {"limit-allowlist", "192.0.2.7", "+limits of default/a 5/s not 192.0.2.7/32\n", kRps},
    {"limit-rate", "100", "+rate 102400 after 0\n"},
    {"limit-rate-after", "10", "+rate 102400 after 10240\n", {{"limit-rate", "100"}}},
    {"whitelist-source-range", "10.0.0.0/8,fd00::/8", "+allow 10.0.0.0/8 fd00::/8\n"},
    {"allowlist-source-range", "10.0.0.1", "+allow 10.0.0.1/32\n"},
    {"denylist-source-range", "10.0.0.0/8", "+deny 10.0.0.0/8\n"},
    // Which of several
    {"affinity", "cookie", "+affinity INGRESSCOOKIE\n"},
    {"affinity-mode", "persistent", "+affinity INGRESSCOOKIE persistent\n", kAffinity},
    {"session-cookie-name", "route", "+affinity route\n", kAffinity},
    {"session-cookie-path", "/x", "+affinity INGRESSCOOKIE path /x\n", kAffinity},
    {"session-cookie-domain", "x.org", "+affinity INGRESSCOOKIE domain x.org\n", kAffinity},
    {"session-cookie-samesite", "none", "+affinity INGRESSCOOKIE same-site None\n", kAffinity},
    {"session-cookie-conditional-samesite-none", "true", "+affinity INGRESSCOOKIE conditional-none\n", kAffinity},
    {"session-cookie-expires", "60", "+affinity INGRESSCOOKIE expires 60\n", kAffinity},
    {"session-cookie-max-age", "61", "+affinity INGRESSCOOKIE max-age 61\n", kAffinity},
    {"session-cookie-secure", "true", "+affinity INGRESSCOOKIE secure\n", kAffinity},
    {"session-cookie-change-on-failure", "true", "+affinity INGRESSCOOKIE change-on-failure\n", kAffinity},
    {"load-balance", "ewma", "-prefix /app -> default/web:80 [10.244.1.5:8080]\n+prefix /app -> default/web:80 ewma [10.244.1.5:8080] least-time\n"},
    {"upstream-hash-by", "$request_uri", "-prefix /app -> default/web:80 [10.244.1.5:8080]\n+prefix /app -> default/web:80 by $request_uri [10.244.1.5:8080] hash($request_uri)\n"},
    {"upstream-hash-by-subset", "true", "+prefix /app -> default/web:80 by $host in 3s [10.244.1.5:8080] hash($host of 3)\n", {{"upstream-hash-by", "$host"}}},
    {"upstream-hash-by-subset-size", "5", "+prefix /app -> default/web:80 by $host in 5s [10.244.1.5:8080] hash($host of 5)\n", {{"upstream-hash-by", "$host"}, {"upstream-hash-by-subset", "true"}}},
    {"mirror-target", "https://192.0.2.9:8443/m$request_uri", "+mirror https://192.0.2.9:8443 [192.0.2.9:8443] tls(unverified name 192.0.2.9 sni) uri /m$request_uri host 192.0.2.9\n"},
    {"mirror-request-body", "off", "+mirror http://192.0.2.9:80 [192.0.2.9:80] uri - host 192.0.2.9 without body\n", {{"mirror-target", "http://192.0.2.9"}}},
    {"mirror-host", "m.org", "+mirror http://192.0.2.9:80 [192.0.2.9:80] uri - host m.org\n", {{"mirror-target", "http://192.0.2.9"}}},
    // TLS
    {"auth-tls-secret", "ca", "+client certificate required depth 1\n"},
    {"auth-tls-verify-client", "optional", "+client certificate optional depth 1\n", kClient},
    {"auth-tls-verify-client", "off", "-client certificate required depth 1\n", kClient},
    {"auth-tls-verify-depth", "2", "+client certificate required depth 2\n", kClient},
    {"auth-tls-error-page", "https://x/why", "+client certificate required depth 1 else https://x/why\n", kClient},
    {"auth-tls-pass-certificate-to-upstream", "true", "+client certificate required depth 1 passed on\n", kClient},
    {"auth-tls-match-cn", "CN=ann|bob", "+client CN ann|bob\n", kClient},
    {"proxy-ssl-secret", "pair", "tls(unverified ca certificate)\n", kHttps},
    {"proxy-ssl-verify", "on", "tls(verified ca)\n", {{"backend-protocol", "HTTPS"}, {"proxy-ssl-secret", "ca"}}},
    {"proxy-ssl-verify-depth", "3", "tls(unverified depth 3)\n", kHttps},
    {"proxy-ssl-name", "in.org", "tls(unverified name in.org)\n", kHttps},
    {"proxy-ssl-server-name", "on", "tls(unverified sni)\n", kHttps},
    {"proxy-ssl-protocols", "TLSv1.3", "tls(unverified protocols TLSv1.3)\n", kHttps},
    {"proxy-ssl-ciphers", "HIGH:!aNULL", "tls(unverified ciphers HIGH:!aNULL)\n", kHttps},
    {"ssl-ciphers", "HIGH", "+ciphers HIGH\n", {}, true},
    {"ssl-passthrough", "true", "+passthrough default/web:80 passthrough [10.96.0.50:80]\n", {}, true},
    {"server-alias", "X.org,*.y.org", "+alias x.org *.y.org\n"},
};

TEST(Annotations, change_the_table) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(std::string(row.name) + ": " + row.value);
    Rig rig;
    fill(rig);
    const std::string path = std::string(row.name) == "ssl-passthrough" ? "/" : "/app";
    Annotations with = row.beside;
    with[row.name] = row.value;
    const IngressResult before = compile(rig, row.beside, path), after = compile(rig, with, path);
    EXPECT_EQ(problems_of(after), "");
    const std::string got = change(dump(listener_of(before, row.https)), dump(listener_of(after, row.https))), want = row.want;
    // Either all of it, or, where something is replaced by what is still known to it, the line that matters.
    if (want.empty() || want[0] == '-') {
      EXPECT_EQ(got, want);
    } else {
      EXPECT_NE(got.find(want), std::string::npos) << got;
    }
  }
}

TEST(Annotations, rewrites) {
  struct {
    const char *path, *target, *want;
  } const rows[] = {
      {"/something(/|$)(.*)", "/$2", "regex //something(/|$)(.*)/i -> default/web:80 [10.244.1.5:8080]\n      rewrite //something(/|$)(.*)/i -> /$2\n"},
      {"/app", "/x?y=1", "regex //app/i -> default/web:80 [10.244.1.5:8080]\n      rewrite //app/i -> /x?y=1\n"},
  };
  for (const auto& row : rows) {
    Rig rig;
    const std::string got = http_of(compile(rig, {{"rewrite-target", row.target}, {"ssl-redirect", "false"}}, row.path));
    EXPECT_NE(got.find(row.want), std::string::npos) << got;
    EXPECT_NE(got.find("host a.org in order\n"), std::string::npos) << got;
  }
}

// A target that is the path itself rewrites nothing. (The rest of the host, "/", is rewritten, as in ingress-nginx.)
TEST(Annotations, a_target_equal_to_the_path_is_no_rewrite) {
  Rig rig;
  const std::string got = http_of(compile(rig, {{"rewrite-target", "/"}}, "/"));
  EXPECT_NE(got.find("prefix / -> default/web:80 [10.244.1.5:8080]\n"), std::string::npos) << got;
  EXPECT_EQ(got.find("rewrite"), std::string::npos) << got;
}

TEST(Annotations, of_canaries) {
  struct {
    const char* name;
    Annotations annotations;
    const char* want;
  } const rows[] = {
      {"canary", {{"canary", "true"}}, "canary default/api:80 [10.244.1.6:8080]\n"},
      {"canary-weight", {{"canary", "true"}, {"canary-weight", "30"}}, "canary default/api:80 [10.244.1.6:8080] weight 30/100\n"},
      {"canary-weight-total", {{"canary", "true"}, {"canary-weight", "30"}, {"canary-weight-total", "1000"}}, "canary default/api:80 [10.244.1.6:8080] weight 30/1000\n"},
      {"canary-by-header", {{"canary", "true"}, {"canary-by-header", "X-C"}}, "canary default/api:80 [10.244.1.6:8080] header X-C\n"},
      {"canary-by-header-value", {{"canary", "true"}, {"canary-by-header", "X-C"}, {"canary-by-header-value", "yes"}}, "canary default/api:80 [10.244.1.6:8080] header X-C value yes\n"},
      {"canary-by-header-pattern", {{"canary", "true"}, {"canary-by-header", "X-C"}, {"canary-by-header-pattern", "^a|b$"}}, "canary default/api:80 [10.244.1.6:8080] header X-C pattern /^a|b$/\n"},
      {"canary-by-cookie", {{"canary", "true"}, {"canary-by-cookie", "beta"}}, "canary default/api:80 [10.244.1.6:8080] cookie beta\n"},
      {"affinity-canary-behavior", {{"canary", "true"}, {"affinity-canary-behavior", "legacy"}}, "canary default/api:80 [10.244.1.6:8080] legacy\n"},
      {"load-balance", {{"canary", "true"}, {"load-balance", "ewma"}}, "canary default/api:80 ewma [10.244.1.6:8080] least-time\n"},
  };
  for (const auto& row : rows) {
    Rig rig;
    compile(rig, {});
    Ingress ingress = rig.input.ingresses.at({"default", "a"});
    ingress.key.name = "c";
    ingress.created = "2027";
    ingress.rules[0].paths[0].backend.service = "api";
    for (const auto& [name, value] : row.annotations) ingress.annotations[kPrefix + name] = value;
    rig.input.ingresses[ingress.key] = ingress;
    const IngressResult result = rig.compile();
    EXPECT_EQ(problems_of(result), "") << row.name;
    EXPECT_NE(http_of(result).find(row.want), std::string::npos) << row.name << "\n" << http_of(result);
  }
}

TEST(Annotations, global_auth_is_for_all_that_do_not_decline) {
  Rig rig;
  rig.config({{"global-auth-url", "http://api.default.svc.cluster.local/all"}, {"global-auth-method", "HEAD"}});
  const std::string asks = "asks HEAD http://api.default.svc.cluster.local/all at http://api.default.svc.cluster.local:80 [10.96.0.51:80]";
  EXPECT_NE(http_of(compile(rig, {})).find(asks), std::string::npos);
  EXPECT_EQ(http_of(compile(rig, {{"enable-global-auth", "false"}})).find("asks"), std::string::npos);
  EXPECT_EQ(http_of(compile(rig, {{"auth-url", "http://192.0.2.1/"}})).find(asks), std::string::npos);
  EXPECT_EQ(http_of(compile(rig, {}, "/.well-known/acme-challenge/x")).find("prefix /.well-known/acme-challenge/x -> default/web:80 [10.244.1.5:8080]\n      redirect 308 https://$host$request_uri_without_slash (without TLS)\n      asks"), std::string::npos);
}

// Every row that sets something is tried above.
TEST(Annotations, are_all_tested) {
  std::set<std::string> tried = {"rewrite-target", "canary", "canary-weight", "canary-weight-total", "canary-by-header", "canary-by-header-value", "canary-by-header-pattern", "canary-by-cookie", "affinity-canary-behavior", "enable-global-auth"};
  for (const Row& row : kRows) tried.insert(row.name);
  std::set<std::string> seen;
  for (const AnnotationRow* row : annotation_table()) {
    EXPECT_TRUE(seen.insert(row->name).second) << row->name << " is there twice";
    EXPECT_TRUE(row->apply == nullptr || tried.contains(row->name)) << row->name << " has no test";
    EXPECT_TRUE(row->support != Support::kRefused || std::string(row->note).size() > 20) << row->name << " must say why and what to do";
  }
}

struct Bad {
  Annotations annotations;
  const char* reason;
  const char* message;     // Part of it.
  const char* answer = "web";
};

const Bad kBad[] = {
    {{{"proxy-bodysize", "8m"}}, "AnnotationUnknown", "Annotation nginx.ingress.kubernetes.io/proxy-bodysize = \"8m\" has no meaning"},
    {{{"configuration-snippet", "more_set_headers x;"}}, "AnnotationUnsupported", "is not honoured: raw nginx configuration cannot be run here"},
    {{{"enable-modsecurity", "true"}}, "AnnotationUnsupported", "no web application firewall"},
    {{{"proxy-body-size", "8q"}}, "AnnotationInvalid", "proxy-body-size = \"8q\" is not used: it must be a size such as 8m"},
    {{{"ssl-redirect", "yes"}}, "AnnotationInvalid", "it must be true or false."},
    {{{"proxy-read-timeout", "60s"}}, "AnnotationInvalid", "a whole number of seconds"},
    {{{"upstream-vhost", "$nothing"}}, "AnnotationInvalid", "nothing"},
    {{{"whitelist-source-range", "10.0.0.0/8,everyone"}}, "AnnotationInvalid", "requests are answered 503", "503"},
    {{{"auth-type", "bearer"}}, "AnnotationInvalid", "basic or digest", "503"},
    {{{"auth-url", "ftp://x"}}, "AnnotationInvalid", "503 until", "503"},
    {{{"backend-protocol", "FCGI"}}, "AnnotationInvalid", "FastCGI is not spoken", "503"},
    {{{"auth-type", "basic"}, {"auth-secret", "gone"}}, "SecretNotFound", "Secret default/gone does not exist", "503"},
    {{{"auth-type", "basic"}, {"auth-secret", "map"}}, "SecretInvalid", "has no key \"auth\"", "503"},
    {{{"auth-type", "basic"}, {"auth-secret", "far/far"}}, "AnnotationInvalid", "allow-cross-namespace-resources", "503"},
    {{{"auth-type", "basic"}}, "AnnotationIncomplete", "needs the name of a Secret", "503"},
    {{{"auth-secret", "users"}}, "AnnotationIncomplete", "protects nothing without nginx.ingress.kubernetes.io/auth-type"},
    {{{"auth-url", "http://nowhere.example/"}}, "NameNotResolved", "requests are answered 500"},
    {{{"auth-tls-secret", "gone"}}, "SecretNotFound", "answered 403"},
    {{{"auth-tls-secret", "users"}}, "SecretInvalid", "has no ca.crt"},
    {{{"auth-tls-verify-client", "on"}}, "AnnotationIncomplete", "protects nothing without"},
    {{{"proxy-ssl-verify", "on"}, {"backend-protocol", "HTTPS"}}, "AnnotationIncomplete", "proxy-ssl-secret", "503"},
    {{{"default-backend", "gone"}}, "ServiceNotFound", "default-backend: Service default/gone"},
    {{{"custom-http-errors", "404"}}, "DefaultBackendMissing", "add nginx.ingress.kubernetes.io/default-backend"},
    {{{"custom-http-errors", "4xx"}}, "AnnotationInvalid", "\"4xx\" is none"},
    {{{"custom-headers", "gone"}}, "ConfigMapNotFound", "ConfigMap default/gone does not exist", "503"},
    {{{"custom-headers", "bad-headers"}}, "HeaderNotAllowed", "X-Secret is not among global-allowed-response-headers", "503"},
    {{{"canary-weight", "20"}}, "AnnotationIncomplete", "mean nothing without nginx.ingress.kubernetes.io/canary"},
    {{{"cors-allow-origin", "https://x.org, nonsense"}, {"enable-cors", "true"}}, "AnnotationInvalid", "\"nonsense\" is no origin, the others are allowed"},
    {{{"permanent-redirect", "/local"}}, "AnnotationInvalid", "it is no http or https URL"},
    {{{"server-alias", "~^x"}}, "AnnotationInvalid", "regular expressions are not known here"},
    {{{"mirror-target", "http://$host/"}}, "AnnotationInvalid", "whose host is written out"},
    {{{"ssl-passthrough", "true"}}, "AnnotationIncomplete", "needs a rule for path /"},
    {{{"canary-by-header-pattern", "("}}, "AnnotationInvalid", "canary-by-header-pattern"},
};

TEST(Annotations, that_are_not_followed_are_told) {
  for (const Bad& row : kBad) {
    const std::string name = row.annotations.begin()->first;
    Rig rig;
    fill(rig);
    rig.config_map("bad-headers", {{"X-Secret", "1"}});
    Annotations annotations = row.annotations;
    annotations.emplace("ssl-redirect", "false");
    const IngressResult result = compile(rig, annotations);
    ASSERT_EQ(result.problems.size(), 1u) << name << "\n" << problems_of(result);
    const Problem& problem = result.problems[0];
    EXPECT_EQ(problem.reason, row.reason) << name;
    EXPECT_NE(problem.message.find(row.message), std::string::npos) << name << "\n" << problem.message;
    EXPECT_EQ(problem.origin.kind + " " + problem.origin.ns + "/" + problem.origin.name, "Ingress default/a") << name;
    EXPECT_TRUE(problem.origin.field.starts_with("metadata.annotations[nginx.ingress.kubernetes.io/")) << name;
    const std::string want = row.answer;
    EXPECT_EQ(answer(result, "a.org", "/app"), annotations.at("ssl-redirect") == "yes" ? "308" : want) << name;
  }
}

// Whatever is written, a table comes out, and what could not be read is told.
TEST(Annotations, nasty_values_break_nothing) {
  const std::string long_one(600, 'a');
  const std::string values[] = {"", " ", "$", "$1", "$10", "${", "${x}", "$nothing", "/$nothing", "/$", "(", "/(", "~", "~(", "~* (", "a b", "a b;~( c", ";", ",", ",,", "\n", "\r\nX: y", "-1", "0", "1", "65536",
                                "99999999999999999999", "0x10", "1.5", "8m8", "on", "off", "true", "False", "http://", "https://", "http://[::1", "http://[::1]:99999/", "http://x:0", "http://@/", "http://$host/$1",
                                "/", "*", "*.", "*.*", "::", "::/0", "0.0.0.0/0", "10.0.0.0/99", "a/b/c", "/b", "a/", "CN=", "CN=(", "\xff\xfe", "any 1s", "200", "200 x", long_one, "/" + long_one, "https://" + long_one};
  const Annotations usual = {{"auth-url", "http://192.0.2.1/"}, {"auth-type", "basic"}, {"auth-secret", "users"}, {"auth-tls-secret", "ca"}, {"enable-cors", "true"}, {"affinity", "cookie"}, {"auth-cache-key", "$host"},
                             {"mirror-target", "http://192.0.2.2/"}, {"backend-protocol", "HTTPS"}, {"limit-rps", "1"}, {"rewrite-target", "/x"}, {"default-backend", "pages"}};
  Rig rig;
  fill(rig);
  for (const AnnotationRow* row : annotation_table()) {
    for (const std::string& value : values) {
      Annotations annotations = usual;
      annotations[row->name] = value;
      const IngressResult result = compile(rig, annotations);
      ASSERT_EQ(result.table.listeners.size(), 2u) << row->name << " " << value;
      EXPECT_FALSE(dump(result.table).empty());
    }
    Rig bare;
    bare.config({{row->name, "$("}, {std::string("global-") + row->name, "$("}});
    EXPECT_EQ(bare.compile().table.listeners.size(), 2u) << row->name;
  }
}

TEST(Annotations, prefix_can_be_another) {
  Rig rig;
  rig.options.annotation_prefix = "example.com/";
  Ingress ingress;
  ingress.key = {"default", "a"};
  ingress.class_name = "nginx";
  ingress.annotations = {{"example.com/proxy-body-size", "2m"}, {"example.com.more/x", "1"}, {"nginx.ingress.kubernetes.io/proxy-body-size", "3m"}};
  ingress.default_backend = IngressBackend{"web", "80", ""};
  rig.input.ingresses[ingress.key] = ingress;
  const IngressResult result = rig.compile();
  EXPECT_EQ(problems_of(result), "");
  EXPECT_NE(http_of(result).find("max body 2097152"), std::string::npos);
}

}  // namespace
}  // namespace server::gateway

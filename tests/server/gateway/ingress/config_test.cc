// The controller's ConfigMaps: settings for all, and streams.
#include "server/gateway/ingress/config_map.h"

#include <fstream>
#include <sstream>

#include "server/gateway/ingress/annotations.h"
#include "tests/server/gateway/ingress/rig.h"

namespace server::gateway {
namespace {

struct ConfigRow {
  const char* key;
  const char* value;
  const char* want;       // Lines that it adds to the HTTP listener.
  const char* reason = "";
};

const ConfigRow kConfigRows[] = {
    {"proxy-body-size", "20m", "max body 20971520\n"},
    {"proxy-connect-timeout", "6", "connect timeout 6s\n"},
    {"proxy-read-timeout", "120", "read timeout 120s\n"},
    {"proxy-send-timeout", "121", "send timeout 121s\n"},
    {"proxy-buffering", "on", "response buffered\n"},
    {"force-ssl-redirect", "true", "redirect 308 https://$host$request_uri_without_slash (without TLS)\n"},
    {"hsts", "false", "no hsts\n"},
    {"hsts-max-age", "60", "hsts max-age=60; includeSubDomains\n"},
    {"hsts-include-subdomains", "false", "hsts max-age=31536000\n"},
    {"hsts-preload", "true", "hsts max-age=31536000; includeSubDomains; preload\n"},
    {"use-forwarded-headers", "true", "http :80 trusts X-Forwarded-* client by X-Forwarded-For of 0.0.0.0/0\n"},
    {"enable-real-ip", "true", "http :80 client by X-Forwarded-For of 0.0.0.0/0\n"},
    {"proxy-real-ip-cidr", "10.0.0.0/8", ""},
    {"use-proxy-protocol", "true", "http :80 proxy-protocol of 0.0.0.0/0\n"},
    {"compute-full-forwarded-for", "true", ""},
    {"proxy-add-original-uri-header", "true", "request header set X-Original-URI: $request_uri\n"},
    {"whitelist-source-range", "10.0.0.0/8", "allow 10.0.0.0/8\n"},
    {"denylist-source-range", "10.9.0.0/16", "deny 10.9.0.0/16\n"},
    {"block-cidrs", "192.0.2.0/24", "deny 192.0.2.0/24\n"},
    {"load-balance", "ewma", "prefix / -> default/web:80 ewma [10.244.1.5:8080] least-time\n"},
    {"disable-access-log", "true", "no access log\n"},
    {"retry-non-idempotent", "true", "retry error timeout non-idempotent tries 3\n"},
    {"proxy-set-headers", "default/headers", "request header set X-Team: blue\n"},
    {"proxy-set-headers", "default/host", "host inner.org\n"},
    {"add-headers", "default/headers", "response header set X-Team: blue\n"},
    {"global-auth-url", "http://192.0.2.1/", "asks http://192.0.2.1/ at http://192.0.2.1:80 [192.0.2.1:80]\n"},
    {"http-redirect-code", "301", ""},
    {"worker-processes", "4", ""},
    {"strict-validate-path-type", "true", ""},
    {"proxy-body-size", "huge", "", "ConfigKeyInvalid"},
    {"hsts-max-age", "long", "", "ConfigKeyInvalid"},
    {"proxy-set-headers", "default/gone", "", "ConfigMapNotFound"},
    {"annotations-risk-level", "Critical", "", "ConfigKeyUnsupported"},
    {"allow-snippet-annotations", "true", "", "ConfigKeyUnsupported"},
    {"server-snippet", "x", "", "ConfigKeyUnsupported"},
    {"proxy-bodysize", "1m", "", "ConfigKeyUnknown"},
    {"global-auth-colour", "blue", "", "ConfigKeyUnknown"},
    {"ssl-reject-handshake", "true", "", "ConfigKeyUnsupported"},
};

TEST(Config, is_for_all) {
  for (const ConfigRow& row : kConfigRows) {
    Rig rig;
    rig.add("{kind: Ingress, metadata: {name: a}, spec: {ingressClassName: nginx, defaultBackend: {service: {name: web, port: {number: 80}}}}}");
    rig.config_map("headers", {{"X-Team", "blue"}});
    rig.config_map("host", {{"Host", "inner.org"}});
    const std::string before = http_of(rig.compile());
    rig.config({{row.key, row.value}});
    const IngressResult result = rig.compile();
    EXPECT_EQ(added_lines(before, http_of(result)), row.want) << row.key;
    ASSERT_EQ(result.problems.size(), *row.reason == '\0' ? 0u : 1u) << row.key << "\n" << problems_of(result);
    if (result.problems.empty()) continue;
    EXPECT_EQ(result.problems[0].reason, row.reason) << row.key;
    EXPECT_EQ(result.problems[0].origin, (Origin{"ConfigMap", "ingress-nginx", "ingress-nginx-controller", "data[" + std::string(row.key) + "]"}));
  }
}

TEST(Config, of_proxies_in_front) {
  Rig rig;
  rig.config({{"use-forwarded-headers", "true"}, {"proxy-real-ip-cidr", "172.30.0.2,10.0.0.0/8"}, {"forwarded-for-header", "X-Client"}, {"compute-full-forwarded-for", "true"}});
  const std::string got = http_of(rig.compile());
  EXPECT_EQ(got.substr(0, got.find('\n')), "http :80 trusts X-Forwarded-* and appends client by X-Client of 172.30.0.2/32 10.0.0.0/8");
}

TEST(Config, gives_way_to_annotations_and_shapes_them) {
  Rig rig;
  rig.config({{"proxy-read-timeout", "7"}, {"proxy-body-size", "2m"}, {"limit-req-status-code", "429"}, {"allow-cross-namespace-resources", "true"}, {"http-redirect-code", "301"}});
  rig.secret("users", {{"auth", "ann:x"}}, "far");
  rig.add(R"({kind: Ingress, metadata: {name: a, annotations: {nginx.ingress.kubernetes.io/proxy-body-size: 3m, nginx.ingress.kubernetes.io/limit-rps: "1", nginx.ingress.kubernetes.io/auth-type: basic,
    nginx.ingress.kubernetes.io/auth-secret: far/users, nginx.ingress.kubernetes.io/force-ssl-redirect: "true"}}, spec: {ingressClassName: nginx, defaultBackend: {service: {name: web, port: {number: 80}}}}})");
  const IngressResult result = rig.compile();
  EXPECT_EQ(problems_of(result), "");
  EXPECT_EQ(http_of(result), R"(http :80
  host *
    prefix / -> default/web:80 [10.244.1.5:8080]
      redirect 301 https://$host$request_uri_without_slash (without TLS)
      max body 3145728
      limits of default/a 1/s else 429
      basic "" users ann
      read timeout 7s
)");
}

TEST(Streams, of_both_protocols) {
  Rig rig;
  rig.add(R"(
{kind: Service, metadata: {name: dns}, spec: {clusterIP: 10.96.0.70, ports: [{name: udp, port: 53, protocol: UDP}]}}
---
{kind: EndpointSlice, metadata: {name: dns-1, labels: {kubernetes.io/service-name: dns}}, addressType: IPv4, ports: [{name: udp, port: 1053, protocol: UDP}], endpoints: [{addresses: [10.244.1.8]}]}
---
{kind: ConfigMap, metadata: {name: tcp-services, namespace: ingress-nginx}, data: {"9000": "default/api:80", "900": "default/web:http:PROXY", "9001": "default/web:80::PROXY",
  "80": "default/web:80", "x": "default/web:80", "9002": "web:80", "9003": "default/gone:80", "9004": "default/web:81", "9005": "default/web:80:NO"}}
---
{kind: ConfigMap, metadata: {name: udp-services, namespace: ingress-nginx}, data: {"53": "default/dns:53", "54": "default/api:80"}}
)");
  rig.config({{"proxy-stream-timeout", "30s"}});
  const IngressResult result = rig.compile();
  std::string got;
  for (size_t i = 2; i < result.table.listeners.size(); ++i) got += dump(*result.table.listeners[i], DumpOrigins::kShow);
  EXPECT_EQ(got, R"(tcp-900 :900 proxy-protocol idle 30s -> default/web:http [10.244.1.5:8080]  # ConfigMap ingress-nginx/tcp-services data[900]
tcp-9000 :9000 idle 30s -> default/api:80 [10.244.1.6:8080]  # ConfigMap ingress-nginx/tcp-services data[9000]
tcp-9001 :9001 idle 30s -> default/web:80 proxy [10.244.1.5:8080] proxy-protocol  # ConfigMap ingress-nginx/tcp-services data[9001]
udp-53 :53 idle 30s -> default/dns:53 udp [10.244.1.8:1053]  # ConfigMap ingress-nginx/udp-services data[53]
)");
  std::map<std::string, std::string> reasons;
  for (const Problem& p : result.problems) reasons[p.origin.name + " " + p.origin.field] = p.reason;
  const std::map<std::string, std::string> want = {{"tcp-services data[80]", "StreamInvalid"},      {"tcp-services data[x]", "StreamInvalid"},         {"tcp-services data[9002]", "StreamInvalid"},
                                                   {"tcp-services data[9003]", "ServiceNotFound"},   {"tcp-services data[9004]", "ServicePortNotFound"}, {"tcp-services data[9005]", "StreamInvalid"},
                                                   {"udp-services data[54]", "ServicePortNotFound"}};
  EXPECT_EQ(reasons, want) << problems_of(result);
}

// docs/ingress.md shows the same tables as the code has.
TEST(Documentation, names_every_annotation_and_key) {
  std::ifstream in(std::string(KUBELAN_SOURCE_DIR) + "/docs/ingress.md");
  ASSERT_TRUE(in.good());
  const std::map<Support, std::string> words = {{Support::kFull, "yes"}, {Support::kDiffers, "differs"}, {Support::kNoEffect, "no effect"}, {Support::kRefused, "refused"}};
  std::set<std::string> columns;
  for (const auto& [support, word] : words) columns.insert(word);
  std::map<std::string, std::string> rows;  // Name -> the second column.
  std::stringstream all;
  for (std::string line; std::getline(in, line);) {
    all << line << "\n";
    if (!line.starts_with("| `")) continue;
    const size_t name_end = line.find('`', 3), second = line.find("| ", name_end), third = line.find(" |", second + 2);
    const std::string column = line.substr(second + 2, third - second - 2);
    if (columns.contains(column)) rows[line.substr(3, name_end - 3)] = column;  // Other tables have other columns.
  }
  std::set<std::string> known;
  for (const AnnotationRow* row : annotation_table()) {
    known.insert(row->name);
    ASSERT_TRUE(rows.contains(row->name)) << row->name;
    EXPECT_EQ(rows[row->name], words.at(row->support)) << row->name;
    const std::string key = row->config_key != nullptr && row->apply != nullptr ? row->config_key : "hsts";
    EXPECT_NE(all.str().find("`" + key + "`"), std::string::npos) << key;
  }
  for (const auto& [name, support] : rows) EXPECT_TRUE(known.contains(name)) << name << " is not in the table of the code";
  for (std::string_view key : own_config_keys()) EXPECT_NE(all.str().find("`" + std::string(key) + "`"), std::string::npos) << key;
}

}  // namespace
}  // namespace server::gateway

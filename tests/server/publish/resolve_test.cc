// Where each kind of target leads, and what it says while it leads nowhere.
#include "server/publish/resolve.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace server::publish {
namespace {

using json = nlohmann::json;

store::Object service(const std::string& name, json spec, json status = json::object()) {
  return store::Object("services", json{{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", {{"namespace", "default"}, {"name", name}, {"uid", "u"}, {"resourceVersion", "1"}}}, {"spec", std::move(spec)}, {"status", std::move(status)}});
}

const json kPorts = {{{"name", "http"}, {"port", 80}, {"protocol", "TCP"}}, {{"name", "dns"}, {"port", 53}, {"protocol", "UDP"}}};

World make_world(const std::map<std::string, store::Object>& services) {
  World world;
  world.nodes = {{"node-1", base::Ip::v4(172, 30, 0, 11)}, {"node-2", base::Ip::v4(172, 30, 0, 12)}};
  world.inside = {base::Cidr::parse("10.96.0.0/12").value(), base::Cidr::parse("10.244.0.0/16").value()};
  world.find_service = [&services](const std::string& ns, const std::string& name) -> const store::Object* {
    auto it = services.find(name);
    return ns == "default" && it != services.end() ? &it->second : nullptr;
  };
  return world;
}

TEST(PublishResolve, Table) {
  const std::map<std::string, store::Object> services = {
      {"web", service("web", {{"type", "ClusterIP"}, {"clusterIP", "10.96.0.7"}, {"clusterIPs", {"10.96.0.7", "fd00::7"}}, {"ports", kPorts}})},
      {"new", service("new", {{"type", "ClusterIP"}, {"ports", kPorts}})},
      {"bare", service("bare", {{"type", "ClusterIP"}, {"clusterIP", "None"}, {"ports", kPorts}})},
      {"away", service("away", {{"type", "ExternalName"}, {"externalName", "example.test"}})},
      {"lb", service("lb", {{"type", "LoadBalancer"}, {"clusterIP", "10.96.0.8"}, {"ports", kPorts}}, {{"loadBalancer", {{"ingress", {{{"ip", "172.30.255.1"}}}}}}})},
      {"lb-new", service("lb-new", {{"type", "LoadBalancer"}, {"clusterIP", "10.96.0.9"}, {"ports", kPorts}})},
  };
  const World world = make_world(services);
  const struct {
    const char* target;
    const char* want;
  } rows[] = {
      {"30080", "fabric 172.30.0.11:30080"},
      {"node-2:30080", "fabric 172.30.0.12:30080"},
      {"svc/web:80", "node 10.96.0.7:80"},
      {"svc/web:http", "node 10.96.0.7:80"},
      {"web:80", "node 10.96.0.7:80"},
      {"svc/web:dns/udp", "node 10.96.0.7:53"},
      {"svc/web:dns", "service default/web has no TCP port dns"},
      {"svc/web:53", "service default/web has no TCP port 53"},
      {"svc/web:80/udp", "service default/web has no UDP port 80"},
      {"svc/other/web:80", "no service other/web"},
      {"svc/none:80", "no service default/none"},
      {"none:80", "no service default/none"},
      {"svc/new:80", "service default/new has no cluster IP yet"},
      {"svc/bare:80", "service default/bare is headless"},
      {"svc/away:80", "service default/away is of type ExternalName"},
      {"lb/lb:80", "fabric 172.30.255.1:80"},
      {"svc/lb:80", "node 10.96.0.8:80"},
      {"lb/web:80", "service default/web is not of type LoadBalancer"},
      {"lb/lb-new:80", "service default/lb-new has no load balancer address yet"},
      {"172.30.255.1:80", "fabric 172.30.255.1:80"},
      {"10.96.0.7:80", "node 10.96.0.7:80"},
      {"10.244.1.2:8080", "node 10.244.1.2:8080"},
      {"[fd00::7]:80", "fabric [fd00::7]:80"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.target);
    base::Result<Spec> spec = parse_spec(std::string("8080:") + row.target);
    ASSERT_TRUE(spec.ok()) << spec.error().message;
    const Resolution got = resolve(*spec, world);
    EXPECT_EQ(got.to ? (got.to->from == From::kNode ? "node " : "fabric ") + got.to->text() : got.waiting_for, row.want);
  }
  // A socket on [::1] leads to the Service's IPv6 address where it has one.
  EXPECT_EQ(resolve(parse_spec("[::1]:8080:svc/web:80").value(), world).to->text(), "[fd00::7]:80");
  EXPECT_TRUE(concerns(parse_spec("1:svc/web:80").value(), "default", "web"));
  EXPECT_TRUE(concerns(parse_spec("1:web:80").value(), "default", "web"));
  EXPECT_FALSE(concerns(parse_spec("1:svc/web:80").value(), "default", "lb"));
  EXPECT_FALSE(concerns(parse_spec("1:node-1:80").value(), "default", "web"));
}

}  // namespace
}  // namespace server::publish

// Names that a part of kubelan itself asks for.
#include "server/dns/look_up.h"

#include <gtest/gtest.h>

#include "tests/server/proxy/objects.h"

namespace {

using server::DnsAddresses;
using namespace server::dns;

void put(Zone& zone, const std::string& name, const nlohmann::json& service) { zone.set_service({"default", name}, compile_records(proxy_test::service("default", name, service), {})); }

TEST(LookUp, as_a_pod_would) {
  Zone zone("cluster.local", 5);
  zone.set_namespace("default", true);
  put(zone, "web", proxy_test::service_tree("10.96.1.1", R"([{"name":"http","port":80}])"));
  put(zone, "alias", {{"spec", {{"type", "ExternalName"}, {"externalName", "web.default.svc.cluster.local"}}}});
  zone.set_synced();
  struct Row {
    const char* name;
    bool answered;
    const char* ip;
  };
  const Row rows[] = {
      {"web.default.svc.cluster.local", true, "10.96.1.1"},
      {"web.default.svc", true, "10.96.1.1"},
      {"web.default", true, "10.96.1.1"},
      {"alias.default.svc.cluster.local", true, "10.96.1.1"},
      {"gone.default.svc.cluster.local", true, ""},
      {"nowhere.example.org", false, ""},
      {"not..a.name.that.is.longer.than.a.label.may.be.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true, ""},
  };
  for (const Row& row : rows) {
    const DnsAddresses got = find_addresses(zone, row.name, "cluster.local");
    EXPECT_EQ(got.answered, row.answered) << row.name;
    EXPECT_EQ(got.ips.empty() ? "" : got.ips[0].text(), row.ip) << row.name;
    EXPECT_EQ(got.ttl_seconds, 5u) << row.name;
  }
}

}  // namespace

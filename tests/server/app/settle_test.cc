#include "server/app/settle.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace server {
namespace {

using store::json;
using store::Object;

Object deployment(int want, int available) {
  return Object("deployments.apps", json{{"metadata", {{"namespace", "default"}, {"name", "web"}, {"generation", 1}}}, {"spec", {{"replicas", want}}}, {"status", {{"observedGeneration", 1}, {"availableReplicas", available}}}});
}

Object pod(const char* ip, bool ready, const char* waiting = nullptr) {
  json tree = {{"metadata", {{"namespace", "default"}, {"name", "web-1"}, {"labels", {{"app", "web"}}}}},
               {"status", {{"phase", "Running"}, {"podIP", ip}, {"conditions", {{{"type", "Ready"}, {"status", ready ? "True" : "False"}}}}}}};
  if (waiting != nullptr) tree["status"]["containerStatuses"] = json::array({{{"name", "c"}, {"state", {{"waiting", {{"reason", waiting}}}}}}});
  return Object("pods", tree);
}

Object service() { return Object("services", json{{"metadata", {{"namespace", "default"}, {"name", "web"}}}, {"spec", {{"selector", {{"app", "web"}}}}}}); }

Object slice(const char* ip, bool ready) {
  return Object("endpointslices.discovery.k8s.io", json{{"metadata", {{"namespace", "default"}, {"name", "web-x"}, {"labels", {{"kubernetes.io/service-name", "web"}}}}},
                                                        {"endpoints", {{{"addresses", {ip}}, {"conditions", {{"ready", ready}}}}}}});
}

// With an address of each family, and slices of these.
Object dual_pod() {
  Object one = pod("10.0.0.1", true);
  json tree = one.tree();
  tree["status"]["podIPs"] = {{{"ip", "10.0.0.1"}}, {{"ip", "fd00::1"}}};
  return Object("pods", tree);
}
Object service_of(const json& families) {
  json tree = service().tree();
  tree["spec"]["ipFamilies"] = families;
  return Object("services", tree);
}

TEST(Settle, Table) {
  struct Row {
    const char* name;
    Workloads in;
    bool yes;
    bool hopeless;
    const char* missing;
  };
  const Row rows[] = {
      {"nothing", {}, true, false, ""},
      {"all up", {{deployment(1, 1)}, {}, {pod("10.0.0.1", true)}, {service()}, {slice("10.0.0.1", true)}}, true, false, ""},
      {"replicas missing", {{deployment(2, 1)}, {}, {}, {}, {}}, false, false, "deployment default/web: 1 of 2 replicas available"},
      {"pod not ready is named first", {{deployment(1, 0)}, {}, {pod("10.0.0.1", false)}, {}, {}}, false, false, "pod default/web-1 is not ready (phase Running)"},
      {"image that cannot be had", {{deployment(1, 0)}, {}, {pod("", false, "ErrImagePull")}, {}, {}}, false, true, "pod default/web-1: container c: ErrImagePull"},
      {"slice behind", {{}, {}, {pod("10.0.0.1", true)}, {service()}, {}}, false, false, "service default/web: endpoints are behind the pods"},
      {"both families", {{}, {}, {dual_pod()}, {service_of({"IPv4", "IPv6"})}, {slice("10.0.0.1", true), slice("fd00::1", true)}}, true, false, ""},
      {"both families, one slice behind", {{}, {}, {dual_pod()}, {service_of({"IPv4", "IPv6"})}, {slice("10.0.0.1", true)}}, false, false, "service default/web: endpoints are behind the pods"},
      {"the other family alone", {{}, {}, {dual_pod()}, {service_of({"IPv6"})}, {slice("fd00::1", true)}}, true, false, ""},
      {"slice not ready yet", {{}, {}, {pod("10.0.0.1", true)}, {service()}, {slice("10.0.0.1", false)}}, false, false, "service default/web: endpoints are behind the pods"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Settled got = check_settled(row.in);
    EXPECT_EQ(got.yes, row.yes);
    EXPECT_EQ(got.hopeless, row.hopeless);
    EXPECT_EQ(got.missing, row.missing);
  }
}

}  // namespace
}  // namespace server

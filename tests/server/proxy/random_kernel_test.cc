// Services of any kind, changed at random: the kernel takes every transaction, and has in the end what it should have.
#include <random>

#include "tests/server/proxy/behaviour_world.h"

namespace {

using namespace proxy_test;

class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}
  unsigned roll(unsigned sides) { return static_cast<unsigned>(random_() % sides); }
  bool one_in(unsigned n) { return roll(n) == 0; }
  template <class T>
  const T& pick(const std::vector<T>& list) {
    return list[roll(static_cast<unsigned>(list.size()))];
  }

 private:
  std::mt19937 random_;
};

json random_service(Dice& dice, unsigned number) {
  const std::vector<std::string> types = {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"}, policies = {"Local", "Cluster"};
  const std::vector<std::string> ranges = {"0.0.0.0/0", "172.30.0.0/16", "172.30.0.0/24", "172.30.0.2/32", "10.0.0.0/8", "10.244.0.0/16", "192.0.2.0/24", "128.0.0.0/1"};
  json tree = {{"metadata", json::object()}, {"spec", {{"type", dice.pick(types)}, {"externalTrafficPolicy", dice.pick(policies)}, {"internalTrafficPolicy", dice.pick(policies)}}}};
  json& spec = tree["spec"];
  // Two services may claim one address: as when one is made before the change that takes the other's away is seen.
  const std::string ip = dice.one_in(10) ? "None" : "10.96.1." + std::to_string(dice.one_in(6) ? 1 : number + 2);
  spec["clusterIP"] = ip;
  spec["clusterIPs"] = {ip};
  spec["ports"] = json::array();
  const std::vector<std::string> protocols = {"TCP", "UDP", "SCTP"};
  for (unsigned i = 0; i <= dice.roll(3); ++i) {
    spec["ports"].push_back({{"name", "p" + std::to_string(i)}, {"protocol", dice.pick(protocols)}, {"port", 80 + dice.roll(3)}, {"nodePort", 30000 + dice.roll(4)}});
  }
  for (unsigned i = dice.roll(4); i > 0; --i) spec["loadBalancerSourceRanges"].push_back(dice.pick(ranges));
  for (unsigned i = dice.roll(3); i > 0; --i) spec["externalIPs"].push_back("203.0.113." + std::to_string(dice.roll(3)));
  for (unsigned i = dice.roll(3); i > 0; --i) tree["status"]["loadBalancer"]["ingress"].push_back({{"ip", "172.30.255." + std::to_string(dice.roll(4))}});
  if (dice.one_in(2)) {
    spec["sessionAffinity"] = "ClientIP";
    spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"] = 60 + dice.roll(3);
  }
  if (dice.one_in(12)) tree["metadata"]["labels"]["service.kubernetes.io/service-proxy-name"] = "other";
  return tree;
}

json random_slice(Dice& dice, const std::string& service) {
  const std::vector<std::string> states = {"", ":unready", ":serving", ":ended"};
  json tree = {{"metadata", {{"labels", {{"kubernetes.io/service-name", service}}}}}, {"addressType", "IPv4"}, {"endpoints", json::array()}, {"ports", json::array()}};
  for (const PodPlace& pod : kPods) {
    if (dice.one_in(2)) tree["endpoints"].push_back(render_endpoint(pod.name + dice.pick(states) + (dice.one_in(3) ? "+zone=a" : "") + (dice.one_in(3) ? "+node=node-1" : "")));
  }
  const std::vector<std::string> protocols = {"TCP", "UDP", "SCTP"};
  for (unsigned i = 0; i <= dice.roll(3); ++i) tree["ports"].push_back({{"name", "p" + std::to_string(i)}, {"protocol", dice.pick(protocols)}, {"port", 8080 + dice.roll(2)}});
  return tree;
}

TEST(ProxyKernel, any_services_changed_at_random) {
  netns_test::run_isolated([] {
    server::ProxyOptions options = scenario_options({});
    World world(options);
    const char* seed = std::getenv("KUBELAN_TEST_SEED");  // Another one: to look further by hand.
    Dice dice(seed != nullptr ? static_cast<unsigned>(std::atoi(seed)) : 7);
    for (int round = 0; round < 150 && !::testing::Test::HasFailure(); ++round) {
      for (unsigned i = dice.roll(6); i > 0; --i) {
        const unsigned number = dice.roll(12);
        const std::string name = "s" + std::to_string(number);
        if (dice.one_in(4)) {
          world.loop().put("services", "default", name, dice.one_in(4) ? json() : random_service(dice, number));
        } else {
          world.loop().put("endpointslices.discovery.k8s.io", "default", name + "-" + std::to_string(dice.roll(2)), dice.one_in(5) ? json() : random_slice(dice, name));
        }
      }
      if (dice.one_in(15)) world.loop().put("nodes", "", "node-1", render_node("node-1", dice.one_in(2) ? std::map<std::string, std::string>{{"zone", "a"}} : std::map<std::string, std::string>{}));
      if (dice.one_in(10)) world.loop().run_timers();
      world.sync();
      SCOPED_TRACE("round " + std::to_string(round));
      world.expect_as_planned();
    }
  });
}

}  // namespace

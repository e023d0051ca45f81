// What the server gives out to Services and takes back: node ports, addresses, families; and the updates of one.
#include "fixture.h"

namespace server {
namespace {

// Everything that `want` has is in `has`; null in `want`: absent. Elements of lists one by one.
bool holds(const json& has, const json& want) {
  if (want.is_object()) {
    for (const auto& [key, value] : want.items()) {
      if (value.is_null() ? has.contains(key) : !has.contains(key) || !holds(has[key], value)) return false;
    }
    return has.is_object();
  }
  if (want.is_array()) {
    if (!has.is_array() || has.size() != want.size()) return false;
    for (size_t i = 0; i < want.size(); ++i) {
      if (!holds(has[i], want[i])) return false;
    }
    return true;
  }
  return has == want;
}

// Steps against one server: {what it shows, request, wanted}. The answer's spec holds `want`, or its message is it.
struct Step {
  const char* name;
  const char* method;  // POST (a Service `target` with this spec), PUT (the same), PATCH (merge of spec), DELETE
  const char* target;
  const char* spec;
  const char* want;    // JSON: part of the spec; otherwise the message, without `Service "x" is invalid: `.
};

struct ServiceTest : ApiTest {
  Answer make(const std::string& name, const json& spec) {
    json tree = {{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", {{"name", name}}}, {"spec", spec}};
    return call("POST", services, tree);
  }
  void restart(std::vector<base::Cidr> cidrs = {}) {
    if (api) api->close_watches();
    if (!cidrs.empty()) options.service_cidrs = std::move(cidrs);
    api = ApiServer::make(*store, store::builtin_registry(), clock, options);
    auto booted = ensure_boot_objects(api->client(), options);
    ASSERT_TRUE(booted.ok()) << booted.error().message;
  }
  void dual() { restart({*base::Cidr::parse("10.96.0.0/12"), *base::Cidr::parse("fd00:96::/108")}); }

  void run(const std::vector<Step>& steps) {
    for (const Step& step : steps) {
      SCOPED_TRACE(step.name);
      const std::string path = services + "/" + step.target, method = step.method;
      Answer a;
      if (method == "DELETE") {
        EXPECT_EQ(call("DELETE", path).status, 200);
        continue;
      }
      json spec = json::parse(step.spec);
      if (method != "PATCH" && !spec.contains("ports") && spec.value("clusterIP", "") != "None") spec["ports"] = json::array({{{"port", 80}}});
      if (method == "POST") a = make(step.target, spec);
      if (method == "PUT") a = call("PUT", path, json{{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", {{"name", step.target}}}, {"spec", spec}});
      if (method == "PATCH") a = call("PATCH", path, json{{"spec", spec}}.dump(), "application/merge-patch+json");
      const json want = json::parse(step.want, nullptr, false);
      if (want.is_object()) {
        EXPECT_LT(a.status, 300) << a.message();
        EXPECT_TRUE(holds(a.body["spec"], want)) << a.body["spec"].dump(1) << "\nwanted " << want.dump(1);
      } else {
        std::string message = a.message();
        const std::string prefix = "Service \"" + std::string(step.target) + "\" is invalid: ";
        if (message.starts_with(prefix)) message.erase(0, prefix.size());
        EXPECT_EQ(message, step.want);
      }
    }
  }
};

TEST_F(ServiceTest, NodePorts) {
  run({
      {"allocated, from the upper part of the range", "POST", "a", R"({"type":"NodePort"})", R"({"ports":[{"nodePort":30086}],"externalTrafficPolicy":"Cluster"})"},
      {"chosen", "POST", "b", R"({"type":"NodePort","ports":[{"port":80,"nodePort":30080}]})", R"({"ports":[{"nodePort":30080}]})"},
      {"taken", "POST", "c", R"({"type":"NodePort","ports":[{"port":80,"nodePort":30080}]})", "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"},
      {"low", "POST", "c", R"({"type":"NodePort","ports":[{"port":80,"nodePort":29999}]})",
       "spec.ports[0].nodePort: Invalid value: 29999: provided port is not in the valid range. The range of valid ports is 30000-32767"},
      {"high", "POST", "c", R"({"type":"NodePort","ports":[{"port":80,"nodePort":32768}]})",
       "spec.ports[0].nodePort: Invalid value: 32768: provided port is not in the valid range. The range of valid ports is 30000-32767"},
      {"a refused one takes nothing", "POST", "c", R"({"type":"NodePort","ports":[{"port":80,"name":"a","nodePort":30081},{"port":81,"name":"b","nodePort":30080}]})",
       "spec.ports[1].nodePort: Invalid value: 30080: provided port is already allocated"},
      {"free still", "POST", "c", R"({"type":"NodePort","ports":[{"port":80,"nodePort":30081}]})", R"({"ports":[{"nodePort":30081}]})"},
      {"one number for two protocols of a port", "POST", "dns", R"({"type":"NodePort","ports":[{"port":53,"name":"u","protocol":"UDP"},{"port":53,"name":"t"}]})",
       R"({"ports":[{"nodePort":30087,"protocol":"UDP"},{"nodePort":30087,"protocol":"TCP"}]})"},
      {"the same, chosen once", "POST", "dns2", R"({"type":"NodePort","ports":[{"port":53,"name":"u","protocol":"UDP"},{"port":53,"name":"t","nodePort":30053}]})",
       R"({"ports":[{"nodePort":30053},{"nodePort":30053}]})"},
      {"not for two ports", "POST", "d",
       R"({"type":"NodePort","ports":[{"port":80,"name":"a","nodePort":30090},{"port":81,"name":"b","protocol":"UDP","nodePort":30090}]})",
       "spec.ports[1].nodePort: Invalid value: 30090: provided port is already allocated"},
      {"kept by an update without it", "PUT", "b", R"({"type":"NodePort","ports":[{"port":81}]})", R"({"ports":[{"port":81,"nodePort":30080}]})"},
      {"changed", "PATCH", "b", R"({"ports":[{"port":80,"nodePort":30082}]})", R"({"ports":[{"nodePort":30082}]})"},
      {"the old one is free", "POST", "e", R"({"type":"NodePort","ports":[{"port":80,"nodePort":30080}]})", R"({"ports":[{"nodePort":30080}]})"},
      {"changed to a taken one", "PATCH", "b", R"({"ports":[{"port":80,"nodePort":30080}]})", "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"},
      {"deleted", "DELETE", "e", "", ""},
      {"free again", "PATCH", "b", R"({"ports":[{"port":80,"nodePort":30080}]})", R"({"ports":[{"nodePort":30080}]})"},
      {"a port more", "PATCH", "b", R"({"ports":[{"port":80,"name":"a","nodePort":30080},{"port":81,"name":"b"}]})", R"({"ports":[{"nodePort":30080},{"nodePort":30088}]})"},
      {"two ports change places", "PUT", "b", R"({"type":"NodePort","ports":[{"port":80,"name":"b"},{"port":81,"name":"a"}]})",
       R"({"ports":[{"name":"b","nodePort":30088},{"name":"a","nodePort":30080}]})"},
      {"ClusterIP has none", "POST", "f", R"({"ports":[{"port":80,"nodePort":30099}]})", "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"},
  });
  EXPECT_EQ(make("g", {{"type", "NodePort"}, {"ports", json::array({{{"port", 80}, {"nodePort", 30080}}})}}).reason(), "Invalid");
  restart();
  run({{"after a restart", "POST", "g", R"({"type":"NodePort","ports":[{"port":80,"nodePort":30080}]})", "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"}});
}

TEST_F(ServiceTest, TypesChange) {
  run({
      {"ClusterIP", "POST", "a", R"({"clusterIP":"10.97.0.1"})", R"({"type":"ClusterIP","clusterIPs":["10.97.0.1"],"ports":[{"nodePort":null}]})"},
      {"to NodePort", "PATCH", "a", R"({"type":"NodePort"})", R"({"clusterIP":"10.97.0.1","externalTrafficPolicy":"Cluster","ports":[{"nodePort":30086}]})"},
      {"to LoadBalancer", "PATCH", "a", R"({"type":"LoadBalancer"})", R"({"allocateLoadBalancerNodePorts":true,"ports":[{"nodePort":30086}]})"},
      {"which keeps traffic local", "PATCH", "a", R"({"externalTrafficPolicy":"Local"})", R"({"healthCheckNodePort":30087})"},
      {"whose health check port stays", "PATCH", "a", R"({"healthCheckNodePort":30200})", "spec.healthCheckNodePort: Forbidden: field is immutable"},
      {"and that an update need not name", "PUT", "a", R"({"type":"LoadBalancer","externalTrafficPolicy":"Local"})", R"({"healthCheckNodePort":30087,"ports":[{"nodePort":30086}]})"},
      {"back to ClusterIP", "PATCH", "a", R"({"type":"ClusterIP"})",
       R"({"clusterIP":"10.97.0.1","healthCheckNodePort":null,"externalTrafficPolicy":null,"allocateLoadBalancerNodePorts":null,"ports":[{"nodePort":null}]})"},
      {"both ports are free", "POST", "b", R"({"type":"NodePort","ports":[{"port":80,"name":"a","nodePort":30086},{"port":81,"name":"b","nodePort":30087}]})", R"({"type":"NodePort"})"},
      {"to ExternalName", "PATCH", "a", R"({"type":"ExternalName","externalName":"a.example"})",
       R"({"clusterIP":null,"clusterIPs":null,"ipFamilies":null,"ipFamilyPolicy":null,"externalName":"a.example"})"},
      {"the address is free", "POST", "c", R"({"clusterIP":"10.97.0.1"})", R"({"clusterIP":"10.97.0.1"})"},
      {"and back", "PATCH", "a", R"({"type":"ClusterIP","externalName":null})", R"({"type":"ClusterIP","ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack","externalName":null})"},
      {"to ExternalName with an address of its own", "PATCH", "a", R"({"type":"ExternalName","externalName":"b","clusterIP":"10.97.0.9"})",
       "spec.clusterIPs: Forbidden: may not be set for ExternalName services"},
      {"NodePort to ExternalName", "PATCH", "b", R"({"type":"ExternalName","externalName":"b"})", R"({"ports":[{"nodePort":null},{"nodePort":null}],"externalTrafficPolicy":null})"},
      {"to NodePort with a port", "PATCH", "c", R"({"type":"NodePort","ports":[{"port":80,"nodePort":30300}]})", R"({"ports":[{"nodePort":30300}]})"},
      {"to ClusterIP with another", "PATCH", "c", R"({"type":"ClusterIP","ports":[{"port":80,"nodePort":30301}]})",
       "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"},
      {"headless", "POST", "h", R"({"clusterIP":"None","selector":{"a":"b"}})", R"({"clusterIP":"None","clusterIPs":["None"],"ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack"})"},
      {"headless stays", "PATCH", "h", R"({"clusterIP":"10.97.5.5","clusterIPs":["10.97.5.5"],"ports":[{"port":80}]})",
       "spec.clusterIPs[0]: Invalid value: [\"10.97.5.5\"]: may not change once set"},
      {"headless has no node ports", "PATCH", "h", R"({"type":"NodePort","ports":[{"port":80}]})", "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"},
      {"an address stays", "PATCH", "c", R"({"clusterIP":"10.97.0.2"})", "spec.clusterIPs[0]: Invalid value: [\"10.97.0.2\"]: may not change once set"},
      {"and does not become None", "PATCH", "c", R"({"clusterIP":"None"})", 
       "[spec.clusterIPs[0]: Invalid value: [\"None\"]: may not change once set, "
       "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services]"},
      {"clearing it does nothing", "PATCH", "c", R"({"clusterIP":""})", R"({"clusterIP":"10.97.0.1","clusterIPs":["10.97.0.1"]})"},
      {"nor does an old form of it", "PATCH", "c", R"({"clusterIP":"010.97.0.01"})", "spec.clusterIPs[0]: Invalid value: \"010.97.0.01\": must not have leading 0s"},
  });
}

TEST_F(ServiceTest, LoadBalancers) {
  run({
      {"no node ports", "POST", "a", R"({"type":"LoadBalancer","allocateLoadBalancerNodePorts":false})", R"({"ports":[{"nodePort":null}]})"},
      {"but one that was asked for", "POST", "b", R"({"type":"LoadBalancer","allocateLoadBalancerNodePorts":false,"ports":[{"port":80,"nodePort":30100}]})", R"({"ports":[{"nodePort":30100}]})"},
      {"switched on", "PATCH", "a", R"({"allocateLoadBalancerNodePorts":true})", R"({"ports":[{"nodePort":30086}]})"},
      {"switched off, the port stays", "PATCH", "a", R"({"allocateLoadBalancerNodePorts":false})", R"({"ports":[{"nodePort":30086}]})"},
      {"class", "POST", "c", R"({"type":"LoadBalancer","loadBalancerClass":"example.com/x"})", R"({"loadBalancerClass":"example.com/x"})"},
      {"class stays", "PATCH", "c", R"({"loadBalancerClass":"example.com/y"})", "spec.loadBalancerClass: Invalid value: \"example.com/y\": may not change once set"},
      {"class goes with the type", "PATCH", "c", R"({"type":"NodePort"})", R"({"loadBalancerClass":null})"},
      {"health check port chosen", "POST", "d", R"({"type":"LoadBalancer","externalTrafficPolicy":"Local","healthCheckNodePort":30500})", R"({"healthCheckNodePort":30500})"},
      {"health check port taken", "POST", "e", R"({"type":"LoadBalancer","externalTrafficPolicy":"Local","healthCheckNodePort":30500})",
       "Internal error occurred: failed to allocate requested HealthCheck NodePort 30500: provided port is already allocated"},
      {"a node port is one too", "POST", "e", R"({"type":"NodePort","ports":[{"port":80,"nodePort":30500}]})", "spec.ports[0].nodePort: Invalid value: 30500: provided port is already allocated"},
      {"not local any more", "PATCH", "d", R"({"externalTrafficPolicy":"Cluster"})", R"({"healthCheckNodePort":null})"},
      {"and free", "POST", "e", R"({"type":"NodePort","ports":[{"port":80,"nodePort":30500}]})", R"({"ports":[{"nodePort":30500}]})"},
  });
}

TEST_F(ServiceTest, StatusGoesWithTheType) {
  ASSERT_EQ(make("a", json::parse(R"({"type":"LoadBalancer","ports":[{"port":80}]})")).status, 201);
  const std::string status = services + "/a/status", merge = "application/merge-patch+json";
  Answer a = call("PATCH", status, R"({"status":{"loadBalancer":{"ingress":[{"ip":"172.30.255.1","ports":[{"port":80,"protocol":"TCP"}]}]}}})", merge);
  ASSERT_EQ(a.status, 200) << a.text;
  EXPECT_EQ(a.body["status"]["loadBalancer"]["ingress"][0]["ipMode"], "VIP");
  EXPECT_EQ(call("GET", status).body["status"], a.body["status"]);
  EXPECT_EQ(call("PATCH", status, R"({"status":{"loadBalancer":{"ingress":[{"hostname":"1.2.3.4"}]}}})", merge).message(),
            "Service \"a\" is invalid: status.loadBalancer.ingress[0].hostname: Invalid value: \"1.2.3.4\": must be a DNS name, not an IP address");
  EXPECT_EQ(call("PATCH", services + "/a", R"({"spec":{"type":"ClusterIP"}})", merge).body["status"], json::parse(R"({"loadBalancer":{}})"));
  EXPECT_EQ(call("PATCH", status, R"({"status":{"loadBalancer":{"ingress":[{"ip":"172.30.255.1"}]}}})", merge).message(),
            "Service \"a\" is invalid: status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'");
}

TEST_F(ServiceTest, OneFamily) {
  run({
      {"default", "POST", "a", R"({})", R"({"ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack"})"},
      {"prefers two", "POST", "b", R"({"ipFamilyPolicy":"PreferDualStack"})", R"({"ipFamilies":["IPv4"],"ipFamilyPolicy":"PreferDualStack"})"},
      {"demands two", "POST", "c", R"({"ipFamilyPolicy":"RequireDualStack"})",
       "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services"},
      {"the other one", "POST", "c", R"({"ipFamilies":["IPv6"]})", "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster"},
      {"an address of the other one", "POST", "c", R"({"clusterIP":"fd00::1"})", "spec.clusterIPs[0]: Invalid value: [\"fd00::1\"]: IPv6 is not configured on this cluster"},
      {"unknown policy", "POST", "c", R"({"ipFamilyPolicy":"Both"})",
       "spec.ipFamilyPolicy: Unsupported value: \"Both\": supported values: \"PreferDualStack\", \"RequireDualStack\", \"SingleStack\""},
      {"headless without selector: both", "POST", "d", R"({"clusterIP":"None"})", R"({"ipFamilies":["IPv4","IPv6"],"ipFamilyPolicy":"RequireDualStack"})"},
      {"headless without selector, asked for one", "POST", "e", R"({"clusterIP":"None","ipFamilyPolicy":"SingleStack"})", R"({"ipFamilies":["IPv4"]})"},
      {"only the list of addresses", "POST", "f", R"({"clusterIPs":["10.97.0.3"]})", "spec.clusterIPs: Invalid value: [\"10.97.0.3\"]: must be empty when `clusterIP` is not specified"},
  });
}

TEST_F(ServiceTest, TwoFamilies) {
  ASSERT_EQ(make("old", json::parse(R"({"ipFamilyPolicy":"PreferDualStack","ports":[{"port":80}]})")).status, 201);
  dual();
  EXPECT_EQ(call("GET", services + "/kubernetes").body["spec"]["clusterIPs"], json::array({"10.96.0.1"}));
  EXPECT_EQ(call("GET", "/apis/networking.k8s.io/v1/servicecidrs/kubernetes").body["spec"]["cidrs"], json::parse(R"(["10.96.0.0/12","fd00:96::/108"])"));
  run({
      {"single by default", "POST", "a", R"({})", R"({"ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack"})"},
      {"prefers", "POST", "b", R"({"ipFamilyPolicy":"PreferDualStack","clusterIP":"10.97.0.1"})",
       R"({"ipFamilies":["IPv4","IPv6"],"clusterIPs":["10.97.0.1","fd00:96::101"],"clusterIP":"10.97.0.1"})"},
      {"IPv6 alone", "POST", "c", R"({"ipFamilies":["IPv6"]})", R"({"ipFamilies":["IPv6"],"ipFamilyPolicy":"SingleStack","clusterIPs":["fd00:96::102"],"clusterIP":"fd00:96::102"})"},
      {"IPv6 first", "POST", "d", R"({"ipFamilies":["IPv6","IPv4"],"ipFamilyPolicy":"RequireDualStack"})", R"({"clusterIP":"fd00:96::103"})"},
      {"both lists need a policy", "POST", "e", R"({"ipFamilies":["IPv6","IPv4"]})",
       "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"},
      {"both addresses need a policy", "POST", "e", R"({"clusterIP":"10.97.0.2","clusterIPs":["10.97.0.2","fd00:96::2"]})",
       "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified"},
      {"both addresses", "POST", "e", R"({"clusterIP":"10.97.0.2","clusterIPs":["10.97.0.2","fd00:96::2"],"ipFamilyPolicy":"PreferDualStack"})", R"({"ipFamilies":["IPv4","IPv6"]})"},
      {"from one to two", "PATCH", "a", R"({"ipFamilyPolicy":"RequireDualStack"})", R"({"ipFamilies":["IPv4","IPv6"],"clusterIPs":["10.96.1.2","fd00:96::104"]})"},
      {"the second one has to be released by policy", "PATCH", "a", R"({"clusterIPs":["10.96.1.2"]})",
       "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": must be 'SingleStack' to release the secondary cluster IP"},
      {"from two to one", "PATCH", "a", R"({"ipFamilyPolicy":"SingleStack"})", R"({"ipFamilies":["IPv4"],"clusterIPs":["10.96.1.2"]})"},
      {"the second one is free", "POST", "f", R"({"clusterIP":"fd00:96::104"})", R"({"ipFamilies":["IPv6"]})"},
      {"the first one stays", "PATCH", "b", R"({"ipFamilies":["IPv6","IPv4"]})",
       "[spec.clusterIPs[0]: Invalid value: \"10.97.0.1\": expected an IPv6 value as indicated by `ipFamilies[0]`, "
       "spec.clusterIPs[1]: Invalid value: \"fd00:96::101\": expected an IPv4 value as indicated by `ipFamilies[1]`]"},
      {"to a name", "PATCH", "b", R"({"type":"ExternalName","externalName":"x"})", R"({"clusterIPs":null,"ipFamilies":null,"ipFamilyPolicy":null})"},
      {"both are free", "POST", "g", R"({"clusterIP":"10.97.0.1","clusterIPs":["10.97.0.1","fd00:96::101"],"ipFamilyPolicy":"RequireDualStack"})", R"({"ipFamilies":["IPv4","IPv6"]})"},
      {"who preferred two and got one stays so", "PATCH", "old", R"({"sessionAffinity":"ClientIP"})", R"({"ipFamilies":["IPv4"]})"},
      {"until it demands", "PATCH", "old", R"({"ipFamilyPolicy":"RequireDualStack"})", R"({"ipFamilies":["IPv4","IPv6"]})"},
      {"headless", "POST", "h", R"({"clusterIP":"None","selector":{"a":"b"},"ipFamilyPolicy":"PreferDualStack"})", R"({"clusterIPs":["None"],"ipFamilies":["IPv4","IPv6"]})"},
      {"headless changes its families", "PATCH", "h", R"({"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv6"]})", R"({"ipFamilies":["IPv6"]})"},
  });
}

TEST_F(ServiceTest, WritersAtOnceGetDifferentPorts) {
  std::vector<std::thread> writers;
  std::vector<std::vector<int>> got(4);
  for (size_t w = 0; w < got.size(); ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < 50; ++i) {
        Answer a = make("s-" + std::to_string(w) + "-" + std::to_string(i), json::parse(R"({"type":"NodePort","ports":[{"port":80}]})"));
        if (a.status == 201) got[w].push_back(a.body["spec"]["ports"][0]["nodePort"]);
        if (a.status == 201 && i % 3 == 0) call("DELETE", services + "/s-" + std::to_string(w) + "-" + std::to_string(i));
      }
    });
  }
  for (std::thread& w : writers) w.join();
  std::set<int> live;
  std::set<std::string> ips;
  size_t count = 0;
  json listed = call("GET", services).body["items"];
  for (const json& s : listed) {
    ips.insert(s["spec"]["clusterIP"].get<std::string>());
    if (s["spec"]["type"] != "NodePort") continue;
    ++count;
    live.insert(s["spec"]["ports"][0]["nodePort"].get<int>());
  }
  EXPECT_EQ(count, 4u * 33);
  EXPECT_EQ(live.size(), count);
  EXPECT_EQ(ips.size(), listed.size());
}

TEST_F(ServiceTest, RangesGetFull) {
  // A cluster made with it: the ranges of an older one would be kept.
  api->close_watches();
  auto fresh = store::Store::open({});
  ASSERT_TRUE(fresh.ok());
  api.reset();
  store = std::move(*fresh);
  restart({*base::Cidr::parse("10.96.0.0/28")});  // 14 addresses, two of them the cluster's.
  for (int i = 0; i < 12; ++i) EXPECT_EQ(make("s" + std::to_string(i), json::parse(R"({"ports":[{"port":80}]})")).status, 201);
  EXPECT_EQ(make("more", json::parse(R"({"ports":[{"port":80}]})")).message(), "Internal error occurred: failed to allocate a serviceIP: range is full");
}

TEST_F(ServiceTest, DryRunTakesNothing) {
  json tree = service("a", {{"type", "NodePort"}, {"clusterIP", "10.97.0.1"}});
  tree["spec"]["ports"][0]["nodePort"] = 30080;
  EXPECT_EQ(call("POST", services + "?dryRun=All", tree).status, 201);
  EXPECT_EQ(call("POST", services, tree).status, 201);
  EXPECT_EQ(call("PATCH", services + "/a?dryRun=All", R"({"spec":{"type":"ClusterIP"}})", "application/merge-patch+json").status, 200);
  tree["metadata"]["name"] = "b";
  tree["spec"].erase("clusterIP");
  EXPECT_EQ(call("POST", services, tree).status, 422);
}

// --- ServiceCIDR and IPAddress ---

struct AddressTest : ServiceTest {
  const std::string ips = "/apis/networking.k8s.io/v1/ipaddresses";
  const std::string ranges = "/apis/networking.k8s.io/v1/servicecidrs";
  static json range(const std::string& name, const std::string& cidr) {
    return {{"apiVersion", "networking.k8s.io/v1"}, {"kind", "ServiceCIDR"}, {"metadata", {{"name", name}}}, {"spec", {{"cidrs", json::array({cidr})}}}};
  }
  static json address(const std::string& ip) {
    return {{"apiVersion", "networking.k8s.io/v1"}, {"kind", "IPAddress"}, {"metadata", {{"name", ip}}}, {"spec", {{"parentRef", {{"resource", "pods"}, {"namespace", "default"}, {"name", "x"}}}}}};
  }
  std::map<std::string, std::string> owners() {
    std::map<std::string, std::string> out;
    const json listed = call("GET", ips).body;
    for (const json& item : listed["items"]) out[item["metadata"]["name"]] = item["spec"]["parentRef"]["name"];
    return out;
  }
  std::string ready(const std::string& name) {
    json body = call("GET", ranges + "/" + name).body;
    const json& conditions = store::get_array(body, "status.conditions");
    return conditions.empty() ? "" : store::get_string(conditions[0], "status") + " " + store::get_string(conditions[0], "message");
  }
};

TEST_F(AddressTest, EveryAddressHasItsObject) {
  ASSERT_EQ(make("a", json::parse(R"({"clusterIP":"10.97.0.1","ports":[{"port":80}]})")).status, 201);
  const std::map<std::string, std::string> boot = {{"10.96.0.1", "kubernetes"}, {"10.96.0.10", "kube-dns"}};
  auto with = [&](std::map<std::string, std::string> more) {
    more.insert(boot.begin(), boot.end());
    return more;
  };
  EXPECT_EQ(owners(), with({{"10.97.0.1", "a"}}));
  json one = call("GET", ips + "/10.97.0.1").body;
  EXPECT_EQ(one["spec"]["parentRef"], json::parse(R"({"resource":"services","namespace":"default","name":"a"})"));
  EXPECT_EQ(one["metadata"]["labels"], json::parse(R"({"ipaddress.kubernetes.io/ip-family":"IPv4","ipaddress.kubernetes.io/managed-by":"ipallocator.k8s.io"})"));
  ASSERT_EQ(make("b", json::parse(R"({"clusterIP":"10.97.0.2","ports":[{"port":80}]})")).status, 201);
  ASSERT_EQ(call("DELETE", services + "/a").status, 200);
  EXPECT_EQ(owners(), with({{"10.97.0.2", "b"}}));
  EXPECT_EQ(call("DELETE", ips + "/10.97.0.2").status, 200);
  EXPECT_EQ(owners(), with({{"10.97.0.2", "b"}})) << "the Service still has it";
  EXPECT_EQ(call("PATCH", services + "/b", R"({"spec":{"type":"ExternalName","externalName":"x"}})", "application/merge-patch+json").status, 200);
  EXPECT_EQ(owners(), boot);
  // Written while nobody asked, after a restart.
  restart();
  ASSERT_EQ(make("c", json::parse(R"({"clusterIP":"10.97.0.2","ports":[{"port":80}]})")).status, 201);
  ASSERT_EQ(call("DELETE", "/api/v1/namespaces/kube-system/services/kube-dns").status, 200);
  EXPECT_EQ(owners(), (std::map<std::string, std::string>{{"10.96.0.1", "kubernetes"}, {"10.97.0.2", "c"}}));
  json table = call("GET", ips + "/10.97.0.2", "", "", "application/json;as=Table;v=v1;g=meta.k8s.io").body;
  EXPECT_EQ(table["rows"][0]["cells"][1], "services/default/c");
}

TEST_F(AddressTest, WatchesSeeServices) {
  auto lines = watch(ips + "?watch=true&resourceVersion=0", 3, "application/json", [&] { make("a", json::parse(R"({"clusterIP":"10.97.0.1","ports":[{"port":80}]})")); });
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[2]["object"]["metadata"]["name"], "10.97.0.1");
}

TEST_F(AddressTest, ClientsKeepAddressesFromServices) {
  EXPECT_EQ(call("POST", ips, address("10.96.1.1")).status, 201);
  EXPECT_EQ(make("a", json::parse(R"({"ports":[{"port":80}]})")).body["spec"]["clusterIP"], "10.96.1.2");
  run({{"taken", "POST", "b", R"({"clusterIP":"10.96.1.1"})", "spec.clusterIPs: Invalid value: [\"10.96.1.1\"]: failed to allocate IP 10.96.1.1: provided IP is already allocated"}});
  EXPECT_EQ(call("POST", ips, address("10.96.1.2")).message(), "ipaddresses.networking.k8s.io \"10.96.1.2\" already exists");
  restart();
  run({{"taken after a restart", "POST", "b", R"({"clusterIP":"10.96.1.1"})",
        "spec.clusterIPs: Invalid value: [\"10.96.1.1\"]: failed to allocate IP 10.96.1.1: provided IP is already allocated"}});
  EXPECT_EQ(call("DELETE", ips + "/10.96.1.1").status, 200);
  run({{"free", "POST", "b", R"({"clusterIP":"10.96.1.1"})", R"({"clusterIP":"10.96.1.1"})"}});
}

TEST_F(AddressTest, FurtherRanges) {
  EXPECT_EQ(ready("kubernetes"), "True Kubernetes Service CIDR is ready");
  run({{"outside", "POST", "a", R"({"clusterIP":"10.200.0.5"})",
        "spec.clusterIPs: Invalid value: [\"10.200.0.5\"]: failed to allocate IP 10.200.0.5: the provided network does not match the current range"}});
  Answer made = call("POST", ranges, range("more", "10.200.0.0/24"));
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["metadata"]["finalizers"], json::array({"networking.k8s.io/service-cidr-finalizer"}));
  EXPECT_EQ(ready("more"), "True Kubernetes Service CIDR is ready");
  run({{"inside", "POST", "a", R"({"clusterIP":"10.200.0.5"})", R"({"clusterIP":"10.200.0.5"})"}});
  restart();
  Answer deleted = call("DELETE", ranges + "/more");
  EXPECT_EQ(deleted.status, 200);
  EXPECT_EQ(ready("more"), "False There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR");
  run({{"not from a range that goes", "POST", "b", R"({"clusterIP":"10.200.0.6"})",
        "spec.clusterIPs: Invalid value: [\"10.200.0.6\"]: failed to allocate IP 10.200.0.6: the provided network does not match the current range"}});
  EXPECT_EQ(call("DELETE", services + "/a").status, 200);
  EXPECT_EQ(call("GET", ranges + "/more").status, 404);
  // One that a larger one covers goes at once.
  ASSERT_EQ(call("POST", ranges, range("small", "10.200.0.0/28")).status, 201);
  ASSERT_EQ(call("POST", ranges, range("large", "10.200.0.0/24")).status, 201);
  run({{"of both", "POST", "a", R"({"clusterIP":"10.200.0.5"})", R"({"clusterIP":"10.200.0.5"})"}});
  EXPECT_EQ(call("DELETE", ranges + "/small").status, 200);
  EXPECT_EQ(call("GET", ranges + "/small").status, 404);
  // Overflow goes to the next range.
  EXPECT_EQ(call("DELETE", ranges + "/kubernetes").status, 200);
  EXPECT_EQ(ready("kubernetes").substr(0, 5), "False");
  json table = call("GET", ranges + "/large", "", "", "application/json;as=Table;v=v1;g=meta.k8s.io").body;
  EXPECT_EQ(table["rows"][0]["cells"][1], "10.200.0.0/24");
}

TEST_F(AddressTest, TheDefaultRangeComesBack) {
  ASSERT_EQ(call("POST", ranges, range("all", "10.0.0.0/8")).status, 201);
  ASSERT_EQ(call("DELETE", ranges + "/kubernetes").status, 200);
  EXPECT_EQ(ready("kubernetes"), "True Kubernetes Service CIDR is ready");
  EXPECT_EQ(call("GET", ranges + "/kubernetes").body["spec"]["cidrs"], json::array({"10.96.0.0/12"}));
  // A replacement without the finalizer keeps it.
  EXPECT_EQ(call("PUT", ranges + "/all", range("all", "10.0.0.0/8")).body["metadata"]["finalizers"], json::array({"networking.k8s.io/service-cidr-finalizer"}));
}

}  // namespace
}  // namespace server

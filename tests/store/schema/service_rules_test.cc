// Service, IPAddress, ServiceCIDR: each row is an object, and what prepare makes of it, what validation says or what
// is warned of. What needs addresses to be given out is in tests/server/api/service_test.cc.
#include "store/schema/ip_syntax.h"
#include "tests/store/schema/rules_support.h"

namespace store {
namespace {

// A Service of one port, with these fields in its spec.
std::string with(const std::string& fields) { return R"({"spec":{"ports":[{"port":80}])" + (fields.empty() ? "" : "," + fields) + "}}"; }
std::string ports(const std::string& list, const std::string& fields = "") { return R"({"spec":{"ports":[)" + list + "]" + fields + "}}"; }

TEST(ServiceRules, Defaults) {
  struct Row {
    const char* name;
    std::string in;
    const char* want;  // The spec
  };
  const Row rows[] = {
      {"plain", R"({"spec":{"ports":[{"port":80},{"port":81,"targetPort":"http"}]}})",
       R"({"type":"ClusterIP","sessionAffinity":"None","internalTrafficPolicy":"Cluster",
           "ports":[{"port":80,"targetPort":80,"protocol":"TCP"},{"port":81,"targetPort":"http","protocol":"TCP"}]})"},
      {"external name", R"({"spec":{"type":"ExternalName","externalName":"a.example"}})",
       R"({"type":"ExternalName","externalName":"a.example","sessionAffinity":"None"})"},
      {"load balancer", R"({"spec":{"type":"LoadBalancer"}})",
       R"({"type":"LoadBalancer","sessionAffinity":"None","internalTrafficPolicy":"Cluster","externalTrafficPolicy":"Cluster","allocateLoadBalancerNodePorts":true})"},
      {"load balancer without node ports", R"({"spec":{"type":"LoadBalancer","allocateLoadBalancerNodePorts":false,"externalTrafficPolicy":"Local"}})",
       R"({"type":"LoadBalancer","sessionAffinity":"None","internalTrafficPolicy":"Cluster","externalTrafficPolicy":"Local","allocateLoadBalancerNodePorts":false})"},
      {"node port", R"({"spec":{"type":"NodePort"}})",
       R"({"type":"NodePort","sessionAffinity":"None","internalTrafficPolicy":"Cluster","externalTrafficPolicy":"Cluster"})"},
      {"external addresses have a policy", R"({"spec":{"externalIPs":["1.2.3.4"]}})",
       R"({"type":"ClusterIP","externalIPs":["1.2.3.4"],"sessionAffinity":"None","internalTrafficPolicy":"Cluster","externalTrafficPolicy":"Cluster"})"},
      {"affinity", R"({"spec":{"sessionAffinity":"ClientIP"}})",
       R"({"type":"ClusterIP","sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":10800}},"internalTrafficPolicy":"Cluster"})"},
      {"no affinity, no settings", R"({"spec":{"sessionAffinityConfig":{"clientIP":{"timeoutSeconds":5}}}})",
       R"({"type":"ClusterIP","sessionAffinity":"None","internalTrafficPolicy":"Cluster"})"},
      {"empty values are left out", R"({"spec":{"clusterIP":"","externalIPs":[],"publishNotReadyAddresses":false,"healthCheckNodePort":0,"ports":[{"port":1,"nodePort":0,"name":""}]}})",
       R"({"type":"ClusterIP","sessionAffinity":"None","internalTrafficPolicy":"Cluster","ports":[{"port":1,"targetPort":1,"protocol":"TCP"}]})"},
      {"addresses stay as they are written", R"({"spec":{"clusterIP":"FD00:0::1","clusterIPs":["FD00:0::1"]}})",
       R"({"type":"ClusterIP","clusterIP":"FD00:0::1","clusterIPs":["FD00:0::1"],"sessionAffinity":"None","internalTrafficPolicy":"Cluster"})"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const json made = prepared("Service", row.in);
    EXPECT_EQ(made["spec"], json::parse(row.want));
    EXPECT_EQ(prepared("Service", made.dump()), made) << "twice is once";
  }
  const json status = prepared("Service", R"({"spec":{"type":"LoadBalancer"},"status":{"loadBalancer":{"ingress":[{"ip":"1.2.3.4"},{"hostname":"a"},{"ip":"1.2.3.5","ipMode":"Proxy"}]}}})")["status"];
  EXPECT_EQ(status["loadBalancer"]["ingress"], json::parse(R"([{"ip":"1.2.3.4","ipMode":"VIP"},{"hostname":"a"},{"ip":"1.2.3.5","ipMode":"Proxy"}])"));
}

TEST(ServiceRules, Validation) {
  struct Row {
    const char* name;
    std::string in, old;
    std::vector<std::string> want;
  };
  const std::string balanced = R"("type":"LoadBalancer")";
  const Row rows[] = {
      {"fine", with(""), "", {}},
      {"no ports", R"({"spec":{"selector":{"a":"b"}}})", "", {"spec.ports: Required value"}},
      {"headless needs none", R"({"spec":{"clusterIP":"None","clusterIPs":["None"]}})", "", {}},
      {"names, once there are two", ports(R"({"port":80,"name":"a"},{"port":81})"), "", {"spec.ports[1].name: Required value"}},
      {"name twice", ports(R"({"port":80,"name":"a"},{"port":81,"name":"a"})"), "", {"spec.ports[1].name: Duplicate value: \"a\""}},
      {"name is a label", ports(R"({"port":80,"name":"A"})"), "",
       {"spec.ports[0].name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
        "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"}},
      {"port twice", ports(R"({"port":80,"name":"a"},{"port":80,"name":"b"})"), "",
       {R"(spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0})"}},
      {"port twice, of two protocols", ports(R"({"port":80,"name":"a"},{"port":80,"name":"b","protocol":"UDP"})"), "", {}},
      {"no port number", ports(R"({"targetPort":1})"), "", {"spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"}},
      {"port number", ports(R"({"port":65536,"targetPort":1})"), "", {"spec.ports[0].port: Invalid value: 65536: must be between 1 and 65535, inclusive"}},
      {"protocol", ports(R"({"port":80,"protocol":"ICMP"})"), "",
       {R"(spec.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP")"}},
      {"target port", ports(R"({"port":80,"targetPort":70000})"), "", {"spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive"}},
      {"target port's name", ports(R"({"port":80,"targetPort":"a--b"})"), "", {"spec.ports[0].targetPort: Invalid value: \"a--b\": must not contain consecutive hyphens"}},
      {"target port's name, all wrong", ports(R"({"port":80,"targetPort":"50%"})"), "",
       {"spec.ports[0].targetPort: Invalid value: \"50%\": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        "spec.ports[0].targetPort: Invalid value: \"50%\": must contain at least one letter (a-z)"}},
      {"target port's name without letter", ports(R"({"port":80,"targetPort":"8-0"})"), "",
       {"spec.ports[0].targetPort: Invalid value: \"8-0\": must contain at least one letter (a-z)"}},
      {"node port", ports(R"({"port":80,"nodePort":30080})"), "", {"spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"}},
      {"node port twice", ports(R"({"port":80,"nodePort":30080,"name":"a"},{"port":81,"nodePort":30080,"name":"b"})", R"(,"type":"NodePort")"), "",
       {"spec.ports[1].nodePort: Duplicate value: 30080"}},
      {"type", with(R"("type":"Internal")"), "",
       {R"(spec.type: Unsupported value: "Internal": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort")"}},
      {"the kubelet's port", ports(R"({"port":10250})", "," + balanced), "", {}},

      {"address", with(R"("clusterIP":"ten","clusterIPs":["ten"])"), "",
       {R"(spec.clusterIPs[0]: Invalid value: "ten": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff))"}},
      {"first address", with(R"("clusterIP":"10.0.0.1","clusterIPs":["10.0.0.2"])"), "",
       {R"(spec.clusterIPs: Invalid value: ["10.0.0.2"]: first value must match `clusterIP`)"}},
      {"only the list", with(R"("clusterIPs":["10.0.0.2"])"), "", {R"(spec.clusterIPs: Invalid value: ["10.0.0.2"]: must be empty when `clusterIP` is not specified)"}},
      {"None and more", with(R"("clusterIP":"None","clusterIPs":["None","10.0.0.2"])"), "",
       {R"(spec.clusterIPs: Invalid value: ["None","10.0.0.2"]: 'None' must be the first and only value)"}},
      {"two of one family", with(R"("clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1","10.0.0.2"])"), "",
       {R"(spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2"]: may specify no more than one IP for each IP family)"}},
      {"not of the family", with(R"("clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ipFamilies":["IPv6"])"), "",
       {"spec.clusterIPs[0]: Invalid value: \"10.0.0.1\": expected an IPv6 value as indicated by `ipFamilies[0]`"}},
      {"family", with(R"("ipFamilies":["IPv5"])"), "", {R"(spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6")"}},
      {"family twice", with(R"("ipFamilies":["IPv4","IPv4"])"), "", {R"(spec.ipFamilies[1]: Duplicate value: "IPv4")"}},
      {"address changed", with(R"("clusterIP":"10.96.0.9","clusterIPs":["10.96.0.9"])"), with(R"("clusterIP":"10.96.0.8","clusterIPs":["10.96.0.8"])"),
       {R"(spec.clusterIPs[0]: Invalid value: ["10.96.0.9"]: may not change once set)"}},
      {"families changed", with(R"("ipFamilies":["IPv6"])"), with(R"("ipFamilies":["IPv4"])"),
       {R"(spec.ipFamilies[0]: Invalid value: ["IPv6"]: may not change once set)"}},

      {"external name missing", R"({"spec":{"type":"ExternalName"}})", "", {"spec.externalName: Required value"}},
      {"external name with a dot at its end", R"({"spec":{"type":"ExternalName","externalName":"a.example."}})", "", {}},
      {"external name with an address", R"({"spec":{"type":"ExternalName","externalName":"a","clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack"}})", "",
       {"spec.clusterIPs: Forbidden: may not be set for ExternalName services", "spec.ipFamilies: Forbidden: may not be set for ExternalName services",
        "spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services"}},
      {"headless load balancer", with(balanced + R"(,"clusterIP":"None","clusterIPs":["None"])"), "",
       {R"(spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for LoadBalancer services)"}},

      {"affinity", with(R"("sessionAffinity":"Cookie")"), "", {R"(spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None")"}},
      {"affinity's shortest time", with(R"("sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":1}})"), "", {}},
      {"affinity's longest time", with(R"("sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":86400}})"), "", {}},
      {"affinity's time 0", with(R"("sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":0}})"), "",
       {"spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400"}},
      {"affinity's time too long", with(R"("sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":86401}})"), "",
       {"spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400"}},

      {"external address", with(R"("externalIPs":["x"])"), "",
       {R"(spec.externalIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff))"}},
      {"external: an old form", with(R"("externalIPs":["010.0.0.1"])"), "", {R"(spec.externalIPs[0]: Invalid value: "010.0.0.1": must not have leading 0s)"}},
      {"external: an old form that was there", with(R"("externalIPs":["010.0.0.1"])"), with(R"("externalIPs":["010.0.0.1"])"), {}},
      {"external: mapped", with(R"("externalIPs":["::ffff:1.2.3.4"])"), "",
       {R"(spec.externalIPs[0]: Invalid value: "::ffff:1.2.3.4": must not be an IPv4-mapped IPv6 address)"}},
      {"external: unspecified", with(R"("externalIPs":["0.0.0.0"])"), "", {R"(spec.externalIPs[0]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0))"}},
      {"external: loopback", with(R"("externalIPs":["127.0.0.2"])"), "",
       {R"(spec.externalIPs[0]: Invalid value: "127.0.0.2": may not be in the loopback range (127.0.0.0/8, ::1/128))"}},
      {"external: link-local", with(R"("externalIPs":["1.2.3.4","169.254.1.1"])"), "",
       {R"(spec.externalIPs[1]: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10))"}},
      {"external: multicast", with(R"("externalIPs":["224.0.0.5"])"), "",
       {R"(spec.externalIPs[0]: Invalid value: "224.0.0.5": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10))"}},

      {"ranges", with(balanced + R"(,"loadBalancerSourceRanges":["10.0.0.0/8"," 1.2.3.4/32 "])"), "", {}},
      {"ranges: not one", with(balanced + R"(,"loadBalancerSourceRanges":["10.0.0.0"])"), "",
       {R"(spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64))"}},
      {"ranges: host bits", with(balanced + R"(,"loadBalancerSourceRanges":["10.1.0.0/8"])"), "",
       {R"(spec.LoadBalancerSourceRanges[0]: Invalid value: "10.1.0.0/8": must not have bits set beyond the prefix length)"}},
      {"ranges: host bits that were there", with(balanced + R"(,"loadBalancerSourceRanges":["10.1.0.0/8"])"), with(balanced + R"(,"loadBalancerSourceRanges":[" 10.1.0.0/8"])"), {}},
      {"ranges of another type", with(R"("loadBalancerSourceRanges":["10.0.0.0/8"])"), "",
       {"spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'"}},
      {"ranges in the annotation",
       R"({"metadata":{"annotations":{"service.beta.kubernetes.io/load-balancer-source-ranges":" 10.0.0.0/8, 1.2.3.4/32 "}},"spec":{"ports":[{"port":80}],"type":"LoadBalancer"}})", "", {}},
      {"ranges in the annotation: not one",
       R"({"metadata":{"annotations":{"service.beta.kubernetes.io/load-balancer-source-ranges":"10.0.0.0/8,x"}},"spec":{"ports":[{"port":80}],"type":"LoadBalancer"}})", "",
       {R"(metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64))"}},
      {"ranges in the annotation of another type",
       R"({"metadata":{"annotations":{"service.beta.kubernetes.io/load-balancer-source-ranges":""}},"spec":{"ports":[{"port":80}]}})", "",
       {"metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Forbidden: may only be used when `type` is 'LoadBalancer'"}},

      {"class", with(balanced + R"(,"loadBalancerClass":"example.com/internal")"), with(balanced + R"(,"loadBalancerClass":"example.com/internal")"), {}},
      {"class of another type", with(R"("loadBalancerClass":"a/b")"), "", {"spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"}},
      {"class changed", with(balanced + R"(,"loadBalancerClass":"a/c")"), with(balanced + R"(,"loadBalancerClass":"a/b")"),
       {R"(spec.loadBalancerClass: Invalid value: "a/c": may not change once set)"}},
      {"class set later", with(balanced + R"(,"loadBalancerClass":"a/c")"), with(balanced), {R"(spec.loadBalancerClass: Invalid value: "a/c": may not change once set)"}},
      {"class taken away", with(balanced), with(balanced + R"(,"loadBalancerClass":"a/b")"), {"spec.loadBalancerClass: Invalid value: null: may not change once set"}},
      {"class with the type", with(balanced + R"(,"loadBalancerClass":"a/c")"), with(""), {}},
      {"node ports of a load balancer", with(R"("allocateLoadBalancerNodePorts":false)"), "",
       {"spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'"}},

      {"external policy", with(R"("type":"NodePort","externalTrafficPolicy":"Near")"), "",
       {R"(spec.externalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local")"}},
      {"external policy without an outside", with(R"("externalTrafficPolicy":"Local")"), "",
       {R"(spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services)"}},
      {"external policy of external addresses", with(R"("externalTrafficPolicy":"Local","externalIPs":["1.2.3.4"])"), "", {}},
      {"external policy, unknown and without an outside", with(R"("externalTrafficPolicy":"Near")"), "",
       {R"(spec.externalTrafficPolicy: Invalid value: "Near": may only be set for externally-accessible services)"}},
      {"hints that differ",
       R"({"metadata":{"annotations":{"service.kubernetes.io/topology-mode":"Auto","service.kubernetes.io/topology-aware-hints":"auto"}},"spec":{"ports":[{"port":80}]}})", "",
       {R"(metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: "Auto": must match annotations[service.kubernetes.io/topology-aware-hints] when both are specified)"}},
      {"internal policy", with(R"("internalTrafficPolicy":"Near")"), "",
       {R"(spec.internalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local")"}},
      {"health check port of policy Cluster", with(balanced + R"(,"healthCheckNodePort":30000)"), "",
       {"spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"}},
      {"health check port changed", with(balanced + R"(,"externalTrafficPolicy":"Local","healthCheckNodePort":30001)"),
       with(balanced + R"(,"externalTrafficPolicy":"Local","healthCheckNodePort":30000)"), {"spec.healthCheckNodePort: Forbidden: field is immutable"}},
      {"distribution", with(R"("trafficDistribution":"PreferSameNode")"), "", {}},
      {"distribution unknown", with(R"("trafficDistribution":"Near")"), "",
       {R"(spec.trafficDistribution: Unsupported value: "Near": supported values: "PreferClose", "PreferSameZone", "PreferSameNode")"}},

      {"status of no load balancer", R"({"spec":{"ports":[{"port":80}]},"status":{"loadBalancer":{"ingress":[{"ip":"1.2.3.4"}]}}})", "",
       {"status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"}},
      {"status", R"({"spec":{"type":"LoadBalancer","ports":[{"port":80}]},"status":{"loadBalancer":{"ingress":[{"ip":"x"},{"hostname":"1.2.3.4"},{"hostname":"a.b","ipMode":"VIP"},{"ip":"1.2.3.4","ipMode":"NAT"}]}}})", "",
       {R"(status.loadBalancer.ingress[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff))",
        R"(status.loadBalancer.ingress[1].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address)",
        "status.loadBalancer.ingress[2].ipMode: Forbidden: may not be specified when `ip` is not set",
        R"(status.loadBalancer.ingress[3].ipMode: Unsupported value: "NAT": supported values: "Proxy", "VIP")"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(problems("Service", row.in, row.old), row.want);
  }
}

TEST(ServiceRules, Warnings) {
  struct Row {
    const char* name;
    const char* in;  // The spec
    std::vector<std::string> want;
  };
  const Row rows[] = {
      {"nothing", R"({"clusterIP":"10.96.0.1"})", {}},
      {"leading zeros", R"({"clusterIP":"010.96.0.1"})",
       {R"(spec.clusterIPs[0]: non-standard IP address "010.96.0.1" is invalid: use "10.96.0.1")"}},
      {"not canonical", R"({"loadBalancerIP":"FD00::1"})", {R"(spec.loadBalancerIP: IPv6 address "FD00::1" should be in RFC 5952 canonical format ("fd00::1"))"}},
      {"host bits", R"({"loadBalancerSourceRanges":["10.1.0.0/8"]})",
       {R"(spec.loadBalancerSourceRanges[0]: CIDR value "10.1.0.0/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.1.0.0/32"?))"}},
      {"leading zeros of a range", R"({"loadBalancerSourceRanges":["010.0.0.0/8"]})",
       {R"(spec.loadBalancerSourceRanges[0]: non-standard CIDR value "010.0.0.0/8" is invalid: use "10.0.0.0/8")"}},
      {"range not canonical", R"({"loadBalancerSourceRanges":["FD00::/8"]})",
       {R"(spec.loadBalancerSourceRanges[0]: IPv6 CIDR value "FD00::/8" should be in RFC 5952 canonical format ("fd00::/8"))"}},
      {"external addresses", R"({"externalIPs":["1.2.3.4"]})", {"spec.externalIPs is deprecated and may no longer be implemented in some clusters"}},
      {"external addresses of a name", R"({"type":"ExternalName","externalIPs":["1.2.3.4"]})", {R"(spec.externalIPs is ignored when spec.type is "ExternalName")"}},
      {"name of an address", R"({"externalName":"a"})", {R"(spec.externalName is ignored when spec.type is not "ExternalName")"}},
      {"headless", R"({"clusterIP":"None","sessionAffinity":"ClientIP"})", {"spec.SessionAffinity is ignored for headless services"}},
      {"old name of a distribution", R"({"trafficDistribution":"PreferClose"})", {R"(spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone")"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(service_warnings({{"spec", json::parse(row.in)}}), row.want);
  }
}

TEST(AddressRules, Validation) {
  struct Row {
    const char* name;
    const char* kind;
    std::string in, old;
    std::vector<std::string> want;
  };
  auto address = [](const std::string& name) { return R"({"metadata":{"name":")" + name + R"("},"spec":{"parentRef":{"resource":"services","name":"a","namespace":"b"}}})"; };
  auto range = [](const std::string& cidrs) { return R"({"spec":{"cidrs":[)" + cidrs + "]}}"; };
  const Row rows[] = {
      {"address", "IPAddress", address("10.96.0.1"), "", {}},
      {"IPv6 address", "IPAddress", address("fd00::1"), "", {}},
      {"not canonical", "IPAddress", address("FD00::1"), "", {R"(metadata.name: Invalid value: "FD00::1": must be in canonical form ("fd00::1"))"}},
      {"leading zeros", "IPAddress", address("010.0.0.1"), "", {R"(metadata.name: Invalid value: "010.0.0.1": must not have leading 0s)"}},
      {"no address", "IPAddress", address("web"), "", {R"(metadata.name: Invalid value: "web": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff))"}},
      {"no parent", "IPAddress", R"({"metadata":{"name":"10.0.0.1"},"spec":{}})", "", {"spec.parentRef: Required value"}},
      {"empty parent", "IPAddress", R"({"metadata":{"name":"10.0.0.1"},"spec":{"parentRef":{}}})", "",
       {"spec.parentRef.resource: Required value", "spec.parentRef.name: Required value"}},
      {"other parent", "IPAddress", R"({"metadata":{"name":"10.0.0.1"},"spec":{"parentRef":{"name":"x","resource":"services"}}})", address("10.0.0.1"),
       {R"(spec.parentRef: Invalid value: {"name":"x","resource":"services"}: field is immutable)"}},

      {"range", "ServiceCIDR", range(R"("10.96.0.0/12")"), "", {}},
      {"both families", "ServiceCIDR", range(R"("10.96.0.0/12","fd00::/108")"), "", {}},
      {"none", "ServiceCIDR", range(""), "", {"spec.cidrs: Required value: at least one CIDR required"}},
      {"three", "ServiceCIDR", range(R"("10.0.0.0/24","10.0.1.0/24","fd00::/108")"), "",
       {R"(spec.cidrs: Invalid value: {"CIDRs":["10.0.0.0/24","10.0.1.0/24","fd00::/108"]}: may only hold up to 2 values)"}},
      {"one family twice", "ServiceCIDR", range(R"("10.0.0.0/24","10.0.1.0/24")"), "",
       {R"(spec.cidrs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64)"}},
      {"no prefix", "ServiceCIDR", range(R"("10.0.0.0")"), "",
       {R"(spec.cidrs[0]: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64))"}},
      {"host bits", "ServiceCIDR", range(R"("10.0.0.1/24")"), "", {R"(spec.cidrs[0]: Invalid value: "10.0.0.1/24": must not have bits set beyond the prefix length)"}},
      {"changed", "ServiceCIDR", range(R"("10.0.0.0/24")"), range(R"("10.0.1.0/24")"), {R"(spec.cidrs[0]: Invalid value: "10.0.0.0/24": field is immutable)"}},
      {"widened", "ServiceCIDR", range(R"("10.0.0.0/24","fd00::/108")"), range(R"("10.0.0.0/24")"), {}},
      {"narrowed", "ServiceCIDR", range(R"("10.0.0.0/24")"), range(R"("10.0.0.0/24","fd00::/108")"), {R"(spec.cidrs: Invalid value: ["10.0.0.0/24"]: field is immutable)"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(problems(row.kind, row.in, row.old), row.want);
  }
}

TEST(AddressSyntax, LegacyForms) {
  struct Row {
    const char *in, *want;  // "" = not one
  };
  for (const Row& row : {Row{"10.0.0.1", "10.0.0.1"}, {"010.000.0.01", "10.0.0.1"}, {"::FFFF:10.0.0.1", "10.0.0.1"}, {"FD00:0:0::1", "fd00::1"}, {"10.0.0", ""},
                         {"10.0.0.256", ""}, {"10..0.1", ""}, {"", ""}, {" 10.0.0.1", ""}, {"10.0.0.1.", ""}, {"0x0a.0.0.1", ""}}) {
    SCOPED_TRACE(row.in);
    auto ip = parse_legacy_ip(row.in);
    EXPECT_EQ(ip ? ip->text() : "", row.want);
  }
  for (const Row& row : {Row{"10.0.0.0/8", "10.0.0.0/8"}, {"010.1.0.0/08", "10.0.0.0/8"}, {"::ffff:10.0.0.0/104", "10.0.0.0/8"}, {"::ffff:10.0.0.0/8", ""},
                         {"fd00::1/64", "fd00::/64"}, {"10.0.0.0/33", ""}, {"10.0.0.0/-1", ""}, {"10.0.0.0/", ""}, {"10.0.0.0", ""}, {"/8", ""}}) {
    SCOPED_TRACE(row.in);
    auto cidr = parse_legacy_cidr(row.in);
    EXPECT_EQ(cidr ? cidr->text() : "", row.want);
  }
}

}  // namespace
}  // namespace store

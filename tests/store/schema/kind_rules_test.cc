// Kinds that are neither pods nor make any: what is wrong with an object, in upstream's order and words.
#include "tests/store/schema/rules_support.h"

namespace store {
namespace {

struct KindRow {
  const char* name;
  const char* kind;
  std::string in;
  std::string old;  // "": a create.
  std::vector<std::string> want;
};

void check(std::span<const KindRow> rows) {
  for (const KindRow& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(problems(row.kind, row.in, row.old), row.want);
  }
}

const std::string kName = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
                          "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const std::string kDnsSubdomain = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
                               "character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const std::string kLabel = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character "
                           "(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const std::string kBadPrefix = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
const std::string kIp = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";

TEST(EndpointRules, Checks) {
  auto subset = [](const std::string& fields) { return R"({"subsets":[{)" + fields + "}]}"; };
  auto slice = [](const std::string& endpoint, const std::string& type = "IPv4") { return R"({"addressType":")" + type + R"(","endpoints":[{)" + endpoint + "}]}"; };
  const KindRow rows[] = {
      {"no addresses", "Endpoints", subset(""), "", {"subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"}},
      {"no address", "Endpoints", subset(R"("addresses":[{"ip":"x"}])"), "",
       {"subsets[0].addresses[0].ip: Invalid value: \"x\": " + kIp, "subsets[0].addresses[0].ip: Invalid value: \"x\": must be a valid IP address"}},
      {"out of reach", "Endpoints", subset(R"("addresses":[{"ip":"127.0.0.1","hostname":"A","nodeName":""}])"), "",
       {"subsets[0].addresses[0].hostname: Invalid value: \"A\": " + kLabel, "subsets[0].addresses[0].nodeName: Invalid value: \"\": " + kDnsSubdomain,
        "subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)"}},
      {"port", "Endpoints", subset(R"("addresses":[{"ip":"10.0.0.1"}],"ports":[{"appProtocol":""}])"), "",
       {"subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive", "subsets[0].ports[0].appProtocol: Invalid value: \"\": name part must be non-empty",
        "subsets[0].ports[0].appProtocol: Invalid value: \"\": " + kName}},
      {"what was there may stay", "Endpoints", subset(R"("addresses":[{"ip":"x"}])"), subset(R"("addresses":[{"ip":"x"}])"), {}},
      {"slice", "EndpointSlice", slice(R"("addresses":["10.0.0.1"])"), "", {}},
      {"slice: no address", "EndpointSlice", slice(R"("addresses":["x"])"), "", {"endpoints[0].addresses[0]: Invalid value: \"x\": " + kIp}},
      {"slice: of the other family", "EndpointSlice", slice(R"("addresses":["fd00::1"])"), "", {R"(endpoints[0].addresses: Invalid value: "fd00::1": must be an IPv4 address)"}},
      {"slice: IPv6 in its one form", "EndpointSlice", slice(R"("addresses":["FD00::1"])", "IPv6"), "",
       {R"(endpoints[0].addresses[0]: Invalid value: "FD00::1": must be in canonical form ("fd00::1"))"}},
      {"slice: names", "EndpointSlice", slice(R"("addresses":["a.example","a",""])", "FQDN"), "",
       {"endpoints[0].addresses[1]: Invalid value: \"a\": should be a domain with at least two segments separated by dots", "endpoints[0].addresses[2]: Required value"}},
      {"slice: hints", "EndpointSlice", slice(R"("addresses":["10.0.0.1"],"hints":{"forZones":[{"name":"z"},{"name":"z"},{}],"forNodes":[{}]})"), "",
       {R"(endpoints[0].hints.forZones[1].name: Duplicate value: "z")", "endpoints[0].hints.forNodes[0].name: Invalid value: \"\": " + kDnsSubdomain}},
      {"slice: any number is a port", "EndpointSlice", R"({"addressType":"IPv4","endpoints":[],"ports":[{"port":-1}]})", "", {}},
      {"slice: another type", "EndpointSlice", R"({"addressType":"IPv6"})", R"({"addressType":"IPv4"})", {R"(addressType: Invalid value: "IPv6": field is immutable)"}},
      {"slice: no type", "EndpointSlice", R"({})", R"({"addressType":"IPv4"})", {"addressType: Required value", R"(addressType: Invalid value: "": field is immutable)"}},
  };
  check(rows);
}

TEST(NodeRules, Prepare) {
  struct PrepareRow {
    const char *name, *in, *want;
  };
  const PrepareRow rows[] = {
      {"one", R"({"spec":{"podCIDR":"10.0.0.0/24"}})", R"({"podCIDR":"10.0.0.0/24","podCIDRs":["10.0.0.0/24"]})"},
      {"the first of the list", R"({"spec":{"podCIDRs":["10.0.0.0/24","fd00::/64"]}})", R"({"podCIDR":"10.0.0.0/24","podCIDRs":["10.0.0.0/24","fd00::/64"]})"},
      {"the one wins", R"({"spec":{"podCIDR":"10.0.1.0/24","podCIDRs":["10.0.0.0/24","fd00::/64"]}})", R"({"podCIDR":"10.0.1.0/24","podCIDRs":["10.0.1.0/24"]})"},
      {"no settings from the API", R"({"spec":{"configSource":{}}})", "{}"},
  };
  for (const PrepareRow& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(prepared("Node", row.in)["spec"].dump(), row.want);
  }
  EXPECT_EQ(prepared("Node", R"({"status":{"capacity":{"cpu":"2"}}})")["status"]["allocatable"].dump(), R"({"cpu":"2"})");
}

TEST(NodeRules, Checks) {
  const std::string before = R"({"spec":{"podCIDR":"10.0.0.0/24","providerID":"a"}})";
  const KindRow rows[] = {
      {"prefix", "Node", R"({"spec":{"podCIDR":"x"}})", "", {"spec.podCIDRs[0]: Invalid value: \"x\": " + kBadPrefix}},
      {"host bits", "Node", R"({"spec":{"podCIDR":"10.0.0.1/24"}})", "", {R"(spec.podCIDRs[0]: Invalid value: "10.0.0.1/24": must not have bits set beyond the prefix length)"}},
      {"one family twice", "Node", R"({"spec":{"podCIDRs":["10.0.0.0/24","10.0.1.0/24"]}})", "",
       {R"(spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one CIDR for each IP family)"}},
      {"taints", "Node", R"({"spec":{"taints":[{"key":"k","effect":"NoSchedule"},{"key":"k","effect":"NoSchedule"},{}]}})", "",
       {R"(metadata.taints[1]: Duplicate value: {"Key":"k","Value":"","Effect":"NoSchedule","TimeAdded":null}: taints must be unique by key and effect pair)",
        "metadata.taints[2].key: Invalid value: \"\": name part must be non-empty", "metadata.taints[2].key: Invalid value: \"\": " + kName,
        "metadata.taints[2].effect: Required value"}},
      {"changes", "Node", R"({"spec":{"podCIDR":"10.0.1.0/24","externalID":"x"}})", before,
       {"spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid", "spec.providerID: Forbidden: node updates may not change providerID except from \"\" to valid",
        "spec.externalID: Forbidden: may not be updated"}},
  };
  check(rows);
}

TEST(ClaimRules, Sources) {
  struct PrepareRow {
    const char *name, *in, *want;
  };
  const PrepareRow rows[] = {
      {"the other one says the same", R"({"dataSource":{"kind":"PersistentVolumeClaim","name":"o"}})",
       R"({"dataSource":{"kind":"PersistentVolumeClaim","name":"o"},"dataSourceRef":{"kind":"PersistentVolumeClaim","name":"o"}})"},
      {"and back", R"({"dataSourceRef":{"apiGroup":"x.io","kind":"K","name":"o"}})",
       R"({"dataSource":{"apiGroup":"x.io","kind":"K","name":"o"},"dataSourceRef":{"apiGroup":"x.io","kind":"K","name":"o"}})"},
      {"never could be named", R"({"dataSource":{"kind":"K","name":"o"}})", "{}"},
      {"of another namespace", R"({"dataSourceRef":{"kind":"PersistentVolumeClaim","name":"o","namespace":"n"}})", "{}"},
  };
  for (const PrepareRow& row : rows) {
    SCOPED_TRACE(row.name);
    json spec = prepared("PersistentVolumeClaim", std::string(R"({"spec":)") + row.in + "}")["spec"], want = json::parse(row.want);
    for (const char* field : {"dataSource", "dataSourceRef"}) {
      json& source = spec[field];
      if (source.is_object() && source.contains("apiGroup") && source["apiGroup"].is_null()) source.erase("apiGroup");
      EXPECT_EQ(source, want.value(field, json()));
    }
  }
}

TEST(ClaimRules, Changes) {
  auto claim = [](const std::string& fields, const std::string& size = "1Gi", const std::string& phase = "Pending") {
    return R"({"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":")" + size + R"("}})" + (fields.empty() ? "" : "," + fields) +
           R"(},"status":{"phase":")" + phase + R"(","capacity":{"storage":"1Gi"}}})";
  };
  const std::string frozen = "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n";
  const KindRow rows[] = {
      {"nothing", "PersistentVolumeClaim", claim(""), claim(""), {}},
      {"the volume, once", "PersistentVolumeClaim", claim(R"("volumeName":"v")"), claim(""), {}},
      {"a class where none was", "PersistentVolumeClaim", claim(R"("storageClassName":"c")"), claim(""), {}},
      {"bound claims grow", "PersistentVolumeClaim", claim("", "2Gi", "Bound"), claim("", "1Gi", "Bound"), {}},
      {"unbound ones do not", "PersistentVolumeClaim", claim("", "2Gi"), claim(""),
       {frozen + "@@ -6,7 +6,7 @@\n  \"Resources\": {\n   \"Limits\": null,\n   \"Requests\": {\n-   \"storage\": \"1Gi\"\n+   \"storage\": \"2Gi\"\n   }\n  },\n  \"VolumeName\": \"\",\n"}},
      {"not below what there is", "PersistentVolumeClaim", claim("", "1Gi", "Bound"), claim("", "2Gi", "Bound"),
       {"spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"}},
      {"another mode", "PersistentVolumeClaim", claim(R"("volumeMode":"Block","storageClassName":"B d")", "1Gi", "Bound"), claim(R"("storageClassName":"c")", "1Gi", "Bound"),
       {"spec.storageClassName: Invalid value: \"B d\": " + kDnsSubdomain,
        frozen + "@@ -10,8 +10,8 @@\n   }\n  },\n  \"VolumeName\": \"\",\n- \"StorageClassName\": \"c\",\n- \"VolumeMode\": \"Filesystem\",\n+ \"StorageClassName\": \"B d\",\n+ \"VolumeMode\": \"Block\",\n"
                 "  \"DataSource\": null,\n  \"DataSourceRef\": null,\n  \"VolumeAttributesClassName\": null\n",
        "volumeMode: Invalid value: \"Block\": field is immutable"}},
  };
  check(rows);
}

TEST(VolumeRules, Checks) {
  auto volume = [](const std::string& fields) {
    return R"({"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"])" + (fields.empty() ? "" : "," + fields) + "}}";
  };
  const std::string host = R"("hostPath":{"path":"/data"})";
  const KindRow rows[] = {
      {"several sources", "PersistentVolume", volume(host + R"(,"cephfs":{},"flexVolume":{})"), "",
       {"spec.cephFS: Forbidden: may not specify more than 1 volume type", "spec.flexVolume.driver: Required value"}},
      {"affinity", "PersistentVolume", volume(host + R"(,"nodeAffinity":{})"), "", {"spec.nodeAffinity.required: Required value: must specify required node constraints"}},
      {"no terms", "PersistentVolume", volume(host + R"(,"nodeAffinity":{"required":{}})"), "",
       {"spec.nodeAffinity.required.nodeSelectorTerms: Required value: must have at least one node selector term"}},
      {"attributes are for drivers", "PersistentVolume", volume(host + R"(,"volumeAttributesClassName":"x")"), "",
       {"spec.csi: Required value: has to be specified when using volumeAttributesClassName"}},
      {"another mode", "PersistentVolume", volume(host + R"(,"volumeMode":"Block")"), volume(host), {"volumeMode: Invalid value: \"Block\": field is immutable"}},
      {"another path", "PersistentVolume", volume(R"("hostPath":{"path":"/other"})"), volume(host),
       {"spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n@@ -2,7 +2,7 @@\n  \"GCEPersistentDisk\": null,\n"
        "  \"AWSElasticBlockStore\": null,\n  \"HostPath\": {\n-  \"Path\": \"/data\",\n+  \"Path\": \"/other\",\n   \"Type\": \"\"\n  },\n  \"Glusterfs\": null,\n"}},
  };
  check(rows);
}

TEST(QuotaRules, Checks) {
  const KindRow rows[] = {
      {"names", "LimitRange", R"({"spec":{"limits":[{"type":"Container","min":{"x":"1"}}]}})", "",
       {"spec.limits[0].min[x]: Invalid value: \"x\": must be a standard resource type or fully qualified",
        "spec.limits[0].min[x]: Invalid value: \"x\": must be a standard resource for containers",
        "spec.limits[0].defaultRequest[x]: Invalid value: \"x\": must be a standard resource type or fully qualified",
        "spec.limits[0].defaultRequest[x]: Invalid value: \"x\": must be a standard resource for containers"}},
      {"type", "LimitRange", R"({"spec":{"limits":[{"type":"Node"},{}]}})", "",
       {"spec.limits[0].type: Invalid value: \"Node\": must be a standard limit type or fully qualified", "spec.limits[1].type: Invalid value: \"\": name part must be non-empty",
        "spec.limits[1].type: Invalid value: \"\": " + kName}},
      {"ratio", "LimitRange", R"({"spec":{"limits":[{"type":"Pod","min":{"cpu":"5"},"max":{"cpu":"2"},"maxLimitRequestRatio":{"cpu":"10"}}]}})", "",
       {"spec.limits[0].min[cpu]: Invalid value: \"5\": min value 5 is greater than max value 2",
        "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"10\": ratio 10 is greater than max/min = 0.400000"}},
      {"default above the most", "LimitRange", R"({"spec":{"limits":[{"type":"Container","max":{"cpu":"2"},"default":{"cpu":"5"},"defaultRequest":{"cpu":"1"}}]}})", "",
       {"spec.limits[0].default[cpu]: Invalid value: \"2\": default value 5 is greater than max value 2"}},
      {"quota's names", "ResourceQuota", R"({"spec":{"hard":{"x":"1","pods":"1500m"}}})", "",
       {"spec.hard[pods]: Invalid value: \"1500m\": must be an integer", "spec.hard[x]: Invalid value: \"x\": must be a standard resource type or fully qualified",
        "spec.hard[x]: Invalid value: \"x\": must be a standard resource for quota"}},
      {"scope that does not fit", "ResourceQuota", R"({"spec":{"hard":{"cpu":"1","pods":"1"},"scopes":["BestEffort"]}})", "",
       {R"(spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource)"}},
      {"scopes with operators", "ResourceQuota",
       R"({"spec":{"scopeSelector":{"matchExpressions":[{"scopeName":"Terminating","operator":"In"},{"scopeName":"PriorityClass","operator":"Exists","values":["a"]},{}]}}})", "",
       {"spec.scopeSelector.matchExpressions.operator: Invalid value: \"In\": must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
        "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
        "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        "spec.scopeSelector.matchExpressions.values: Invalid value: [\"a\"]: must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        "spec.scopeSelector.matchExpressions.scopeName: Invalid value: \"\": unsupported scope",
        "spec.scopeSelector.matchExpressions.operator: Invalid value: \"\": not a valid selector operator"}},
  };
  check(rows);
}

TEST(AutoscalerRules, Bounds) {
  auto scaler = [](const std::string& fields, const std::string& version = "apps/v1") {
    return R"({"spec":{"scaleTargetRef":{"apiVersion":")" + version + R"(","kind":"Deployment","name":"d"})" + (fields.empty() ? "" : "," + fields) + "}}";
  };
  const KindRow rows[] = {
      {"no maximum", "HorizontalPodAutoscaler", scaler(""), "",
       {"spec.maxReplicas: Required value: must be set and greater than 0", "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`"}},
      {"negative", "HorizontalPodAutoscaler", scaler(R"("maxReplicas":-1)"), "",
       {"spec.maxReplicas: Invalid value: -1: must be greater than or equal to 1", "spec.maxReplicas: Invalid value: -1: must be greater than or equal to `minReplicas`"}},
      {"to zero", "HorizontalPodAutoscaler", scaler(R"("maxReplicas":1,"minReplicas":0)"), "",
       {"spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
        "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas"}},
      {"no group", "HorizontalPodAutoscaler", scaler(R"("maxReplicas":1)", "v1"), "", {"spec.scaleTargetRef.apiVersion: Invalid value: \"v1\": apiVersion must specify API group"}},
      {"no group, as before", "HorizontalPodAutoscaler", scaler(R"("maxReplicas":1)", "v1"), scaler(R"("maxReplicas":2)", "v1"), {}},
      {"no type", "HorizontalPodAutoscaler", scaler(R"("maxReplicas":1,"metrics":[{}])"), "",
       {"spec.metrics[0].type: Required value: must specify a metric source type",
        R"(spec.metrics[0].type: Unsupported value: "": supported values: "ContainerResource", "External", "Object", "Pods", "Resource")",
        R"(spec.metrics[0].type: Unsupported value: "": supported values: "ContainerResource", "External", "Object", "Pods", "Resource")"}},
  };
  check(rows);
}

TEST(WebhookRules, Checks) {
  auto hook = [](const std::string& fields) {
    return R"({"webhooks":[{"name":"a.b.c","sideEffects":"None","admissionReviewVersions":["v1"],)" + fields + "}]}";
  };
  const char* kKind = "ValidatingWebhookConfiguration";
  const std::string url = R"("clientConfig":{"url":"https://a/b"})";
  const KindRow rows[] = {
      {"fine", kKind, hook(url), "", {}},
      {"nothing", kKind, R"({"webhooks":[{}]})", "",
       {"webhooks[0].name: Required value", "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
        "webhooks[0].clientConfig: Required value: exactly one of url or service is required", "webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1"}},
      {"no url", kKind, hook(R"("clientConfig":{"url":"x"})"), "",
       {"webhooks[0].clientConfig.url: Invalid value: \"\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
        "webhooks[0].clientConfig.url: Invalid value: \"\": host must be specified; desired format: https://host[/path]"}},
      {"too much of a url", kKind, hook(R"("clientConfig":{"url":"https://u:p@a/b?c=d#e"})"), "",
       {"webhooks[0].clientConfig.url: Invalid value: \"u:p\": user information is not permitted in the URL",
        "webhooks[0].clientConfig.url: Invalid value: \"e\": fragments are not permitted in the URL",
        "webhooks[0].clientConfig.url: Invalid value: \"c=d\": query parameters are not permitted in the URL"}},
      {"service", kKind, hook(R"("clientConfig":{"service":{"name":"n","port":70000,"path":"a//B"}})"), "",
       {"webhooks[0].clientConfig.service.name: Required value",
        "webhooks[0].clientConfig.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive",
        "webhooks[0].clientConfig.service.path: Invalid value: \"a//B\": must start with a '/'",
        "webhooks[0].clientConfig.service.path: Invalid value: \"a//B\": segment[0] may not be empty",
        "webhooks[0].clientConfig.service.path: Invalid value: \"a//B\": segment[1] may not be empty",
        "webhooks[0].clientConfig.service.path: Invalid value: \"a//B\": segment[2]: " + kDnsSubdomain}},
      {"resources", kKind, hook(url + R"(,"rules":[{"operations":["CREATE"],"apiGroups":[""],"apiVersions":["v1"],"resources":["pods/*","pods/log","*","x",""],"scope":""}])"), "",
       {"webhooks[0].rules[0].resources[1]: Invalid value: \"pods/log\": if 'pods/*' is present, must not specify pods/log", "webhooks[0].rules[0].resources[4]: Required value",
        R"(webhooks[0].rules[0].resources: Invalid value: ["pods/*","pods/log","*","x",""]: if '*' is present, must not specify other resources without subresources)",
        R"(webhooks[0].rules[0].scope: Unsupported value: "": supported values: "*", "Cluster", "Namespaced")"}},
      {"versions", kKind, R"({"webhooks":[{"name":"a.b.c","sideEffects":"None","admissionReviewVersions":["v1","v1"],"clientConfig":{"url":"https://a"}}]})", "",
       {R"(webhooks[0].admissionReviewVersions[1]: Invalid value: "v1": duplicate version)"}},
  };
  check(rows);
}

TEST(AccessRules, Checks) {
  auto binding = [](const std::string& subject) { return R"({"subjects":[)" + subject + R"(],"roleRef":{"kind":"ClusterRole","name":"r"}})"; };
  const KindRow rows[] = {
      {"an account of the same namespace", "RoleBinding", binding(R"({"kind":"ServiceAccount","name":"s"})"), "", {}},
      {"an account of no namespace", "ClusterRoleBinding", binding(R"({"kind":"ServiceAccount","name":"s"})"), "", {"subjects[0].namespace: Required value"}},
      {"another role", "RoleBinding", R"({"roleRef":{"kind":"Role","name":"r"}})", binding(""),
       {R"(roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"r"}: cannot change roleRef)"}},
      {"selector", "ClusterRole", R"({"rules":[],"aggregationRule":{"clusterRoleSelectors":[{"matchExpressions":[{"key":"a","operator":"Is"}]}]}})", "",
       {"aggregationRule.clusterRoleSelectors[0].matchExpressions[0].operator: Invalid value: \"Is\": not a valid selector operator",
        "aggregationRule.clusterRoleSelectors[0]: Invalid value: null: invalid label selector."}},
      {"API service", "APIService", R"({"metadata":{"name":"v1.x.io"},"spec":{"group":"x.io","version":"v1","groupPriorityMinimum":1,"versionPriority":1,"service":{"port":0}}})", "",
       {"spec.service.namespace: Required value", "spec.service.name: Required value",
        "spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive"}},
      {"API service of our own", "APIService",
       R"({"metadata":{"name":"v2."},"spec":{"version":"v2","groupPriorityMinimum":1,"versionPriority":1,"insecureSkipTLSVerify":true,"caBundle":"aGk="}})", "",
       {"spec.group: Required value: only v1 may have an empty group and it better be legacy kube", "spec.caBundle: Invalid value: \"2 bytes\": local APIServices may not have a caBundle",
        "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify"}},
  };
  check(rows);
}

TEST(StorageKinds, Checks) {
  const KindRow rows[] = {
      {"provisioner", "StorageClass", R"({"provisioner":"A B"})", "", {"provisioner: Invalid value: \"a b\": " + kName}},
      {"topologies", "StorageClass", R"({"provisioner":"a","allowedTopologies":[{},{"matchLabelExpressions":[{"key":"k","values":["v","v"]},{"key":"k","values":[]}]}]})", "",
       {"allowedTopologies[0].matchLabelExpressions: Duplicate value: \"\"", "allowedTopologies[1].matchLabelExpressions[0].values[1]: Duplicate value: \"v\"",
        "allowedTopologies[1].matchLabelExpressions[1].values: Required value", "allowedTopologies[1].matchLabelExpressions[1].key: Duplicate value: \"k\""}},
      {"class changed", "StorageClass", R"({"provisioner":"b","volumeBindingMode":"WaitForFirstConsumer"})", R"({"provisioner":"a"})",
       {"provisioner: Invalid value: \"b\": field is immutable", "volumeBindingMode: Invalid value: \"WaitForFirstConsumer\": field is immutable"}},
      {"driver", "CSIDriver", R"({"spec":{"volumeLifecycleModes":["Ever"],"nodeAllocatableUpdatePeriodSeconds":1,"serviceAccountTokenInSecrets":true}})", "",
       {R"(spec.volumeLifecycleModes: Unsupported value: "Ever": supported values: "Persistent", "Ephemeral")",
        "spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 1: must be greater than or equal to 10 seconds",
        "spec.serviceAccountTokenInSecrets: Invalid value: true: serviceAccountTokenInSecrets is set but no tokenRequests are specified"}},
      {"driver changed", "CSIDriver", R"({"spec":{"attachRequired":false}})", R"({"spec":{}})", {"spec.attachedRequired: Invalid value: false: field is immutable"}},
      {"topology of a node", "CSINode", R"({"spec":{"drivers":[{"name":"a","nodeID":"n","topologyKeys":["","k","k"]}]}})", "",
       {"spec.drivers[0]: Required value", "spec.drivers[0]: Invalid value: \"\": name part must be non-empty", "spec.drivers[0]: Invalid value: \"\": " + kName,
        "spec.drivers[0]: Duplicate value: \"k\""}},
      {"a node's driver changed", "CSINode", R"({"spec":{"drivers":[{"name":"a","nodeID":"m"}]}})", R"({"spec":{"drivers":[{"name":"a","nodeID":"n","allocatable":{"count":1}}]}})",
       {R"(spec.drivers: Invalid value: {"Name":"a","NodeID":"m","TopologyKeys":null,"Allocatable":null}: field is immutable)"}},
      {"attachment", "VolumeAttachment", R"({"spec":{"nodeName":"n","source":{"persistentVolumeName":""}}})", "",
       {"spec.attacher: Required value", "spec.source.persistentVolumeName: Required value: must specify non empty persistentVolumeName",
        "spec.source.persistentVolumeName: Invalid value: \"\": " + kDnsSubdomain}},
      {"attachment in place", "VolumeAttachment", R"({"spec":{"attacher":"a","nodeName":"n","source":{"inlineVolumeSpec":{"storageClassName":"c"}}}})", "",
       {"spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the context of inline volumes", "spec.source.inlineVolumeSpec.accessModes: Required value",
        "spec.source.inlineVolumeSpec: Required value: must specify a volume type",
        "spec.source.inlineVolumeSpec.storageClassName: Forbidden: may not be specified in the context of inline volumes"}},
      {"lease", "Lease", R"({"spec":{"leaseDurationSeconds":0,"leaseTransitions":-1}})", "",
       {"spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0", "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"}},
      {"runtime", "RuntimeClass", R"({"handler":"h","scheduling":{"tolerations":[{"key":"k","operator":"Exists"},{"key":"k","operator":"Exists"}]}})", "",
       {R"(scheduling.tolerations[1]: Duplicate value: {"Key":"k","Operator":"Exists","Value":"","Effect":"","TolerationSeconds":null})"}},
      {"basic auth", "Secret", R"({"type":"kubernetes.io/basic-auth"})", "", {"data[username]: Required value", "data[password]: Required value"}},
      {"budget", "PodDisruptionBudget", R"({"spec":{"minAvailable":1,"maxUnavailable":1,"unhealthyPodEvictionPolicy":"Never"}})", "",
       {R"(spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":"Never"}: minAvailable and maxUnavailable cannot be both set)",
        R"(spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", "IfHealthyBudget")"}},
  };
  check(rows);
}

}  // namespace
}  // namespace store

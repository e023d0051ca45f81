// Kinds that kubelan keeps for others: defaults and checks are upstream's all the same.
#include "tests/store/schema/rules_support.h"

namespace store {
namespace {

struct StoredRow {
  const char* name;
  const char* kind;
  std::string in;
  std::string old;  // "": a create.
  std::vector<std::string> want;
};

void check(std::span<const StoredRow> rows) {
  for (const StoredRow& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(problems(row.kind, row.in, row.old), row.want);
  }
}

std::string policy(const std::string& spec) { return R"({"metadata":{"name":"p"},"spec":{)" + spec + "}}"; }

TEST(NetworkPolicy, Defaults) {
  EXPECT_EQ(prepared("NetworkPolicy", policy(""))["spec"].dump(), R"({"podSelector":{},"policyTypes":["Ingress"]})");
  EXPECT_EQ(prepared("NetworkPolicy", policy(R"("egress":[{"ports":[{"port":53}]}])"))["spec"].dump(),
            R"({"egress":[{"ports":[{"port":53,"protocol":"TCP"}]}],"podSelector":{},"policyTypes":["Ingress","Egress"]})");
  EXPECT_EQ(prepared("NetworkPolicy", policy(R"("policyTypes":["Egress"])"))["spec"]["policyTypes"].dump(), R"(["Egress"])");
}

TEST(NetworkPolicy, Checks) {
  const char* kKind = "NetworkPolicy";
  const StoredRow rows[] = {
      {"a range of ports", kKind, policy(R"("ingress":[{"ports":[{"port":80,"endPort":90}],"from":[{"podSelector":{}}]}])"), "", {}},
      {"range backwards", kKind, policy(R"("ingress":[{"ports":[{"port":80,"endPort":70}]}])"), "",
       {"spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`"}},
      {"range of a name", kKind, policy(R"("ingress":[{"ports":[{"port":"web","endPort":70}]}])"), "",
       {"spec.ingress[0].ports[0].endPort: Invalid value: 70: may not be specified when `port` is non-numeric"}},
      {"range without a start", kKind, policy(R"("ingress":[{"ports":[{"endPort":70}]}])"), "",
       {"spec.ingress[0].ports[0].endPort: Invalid value: 70: may not be specified when `port` is not specified"}},
      {"port", kKind, policy(R"("egress":[{"ports":[{"port":0,"protocol":"ICMP"}]}])"), "",
       {R"(spec.egress[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP")",
        "spec.egress[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"}},
      {"peers", kKind, policy(R"("ingress":[{"from":[{},{"ipBlock":{"cidr":"10.0.0.0/8"},"podSelector":{}}]}])"), "",
       {"spec.ingress[0].from[0]: Required value: must specify a peer", "spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer"}},
      {"blocks", kKind, policy(R"("egress":[{"to":[{"ipBlock":{}},{"ipBlock":{"cidr":"10.0.0.0"}},{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16","10.0.0.0/8","11.0.0.0/16"]}}]}])"), "",
       {"spec.egress[0].to[0].ipBlock.cidr: Required value",
        "spec.egress[0].to[1].ipBlock.cidr: Invalid value: \"10.0.0.0\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
        "spec.egress[0].to[2].ipBlock.except[1]: Invalid value: \"10.0.0.0/8\": must be a strict subset of `cidr`",
        "spec.egress[0].to[2].ipBlock.except[2]: Invalid value: \"11.0.0.0/16\": must be a strict subset of `cidr`"}},
      {"types", kKind, policy(R"("policyTypes":["Ingress","Both"])"), "",
       {R"(spec.policyTypes[1]: Unsupported value: "Both": supported values: "Ingress", "Egress")"}},
  };
  check(rows);
}

TEST(Classes, Checks) {
  const StoredRow rows[] = {
      {"priority", "PriorityClass", R"({"metadata":{"name":"high"},"value":1000000000})", "", {}},
      {"too high", "PriorityClass", R"({"metadata":{"name":"high"},"value":1000000001})", "",
       {"value: Forbidden: maximum allowed value of a user defined priority is 1000000000"}},
      {"reserved", "PriorityClass", R"({"metadata":{"name":"system-mine"},"value":1})", "",
       {"metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class"}},
      {"of the system", "PriorityClass", R"({"metadata":{"name":"system-node-critical"},"value":2000001000})", "", {}},
      {"of the system, other value", "PriorityClass", R"({"metadata":{"name":"system-node-critical"},"value":1})", "",
       {"metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: value of system-node-critical PriorityClass must be "
        "2000001000"}},
      {"changed", "PriorityClass", R"({"metadata":{"name":"a"},"value":2,"preemptionPolicy":"Never"})", R"({"metadata":{"name":"a"},"value":1})",
       {"value: Forbidden: may not be changed in an update.", "preemptionPolicy: Invalid value: \"Never\": field is immutable"}},
      {"runtime", "RuntimeClass", R"({"metadata":{"name":"a"},"handler":"runc"})", "", {}},
      {"no handler", "RuntimeClass", R"({"metadata":{"name":"a"},"overhead":{"podFixed":{"cpu":"-1"}}})", "",
       {"handler: Required value",
        "overhead.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0"}},
  };
  check(rows);
}

TEST(Storage, Checks) {
  const std::string volume = R"({"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],"hostPath":{"path":"/data"}}})";
  const StoredRow rows[] = {
      {"volume", "PersistentVolume", volume, "", {}},
      {"empty volume", "PersistentVolume", R"({"spec":{}})", "",
       {"spec.accessModes: Required value", "spec.capacity: Required value", "spec.capacity: Unsupported value: null: supported values: \"storage\"",
        "spec: Required value: must specify a volume type"}},
      {"two sources", "PersistentVolume",
       R"({"spec":{"capacity":{"storage":"0"},"accessModes":["RWO"],"hostPath":{"path":"/"},"local":{"path":"/d"},"persistentVolumeReclaimPolicy":"Recycle"}})", "",
       {R"(spec.accessModes: Unsupported value: "RWO": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")",
        "spec.capacity[storage]: Invalid value: \"0\": must be greater than zero", "spec.local: Forbidden: may not specify more than 1 volume type",
        "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"}},
      {"another source later", "PersistentVolume", R"({"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],"nfs":{"server":"s","path":"/"}}})", volume,
       {"spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n"
        "@@ -1,12 +1,13 @@\n {\n  \"GCEPersistentDisk\": null,\n  \"AWSElasticBlockStore\": null,\n- \"HostPath\": {\n-  \"Path\": \"/data\",\n-  \"Type\": \"\"\n"
        "+ \"HostPath\": null,\n+ \"Glusterfs\": null,\n+ \"NFS\": {\n+  \"Server\": \"s\",\n+  \"Path\": \"/\",\n+  \"ReadOnly\": false\n  },\n"
        "- \"Glusterfs\": null,\n- \"NFS\": null,\n  \"RBD\": null,\n  \"Quobyte\": null,\n  \"ISCSI\": null,\n"}},
      {"class", "StorageClass", R"({"provisioner":"kubernetes.io/no-provisioner"})", "", {}},
      {"class without provisioner", "StorageClass", R"({"reclaimPolicy":"Recycle"})", "",
       {"provisioner: Required value", R"(reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain")"}},
      {"changed class", "StorageClass", R"({"provisioner":"a","parameters":{"x":"y"},"reclaimPolicy":"Retain"})", R"({"provisioner":"a"})",
       {R"(parameters: Invalid value: {"x":"y"}: field is immutable)", R"(reclaimPolicy: Invalid value: "Retain": field is immutable)"}},
      {"attributes class", "VolumeAttributesClass", R"({"driverName":"d.example.com"})", "", {"parameters: Required value: must contain at least one key/value pair"}},
      {"driver", "CSIDriver", R"({"metadata":{"name":"d.example.com"},"spec":{"tokenRequests":[{"audience":"a"},{"audience":"a","expirationSeconds":5}]}})", "",
       {"spec.tokenRequests[1].audience: Duplicate value: \"a\""}},
      {"drivers of a node", "CSINode", R"({"spec":{"drivers":[{"name":"a","nodeID":"n"},{"name":"a","nodeID":""}]}})", "",
       {"spec.drivers[1].nodeID: Required value", "spec.drivers[1].name: Duplicate value: \"a\""}},
      {"attachment", "VolumeAttachment", R"({"spec":{"attacher":"a","nodeName":"n","source":{}}})", "",
       {"spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"}},
      {"capacity", "CSIStorageCapacity", R"({"storageClassName":"fast","capacity":"-1"})", "",
       {"capacity: Invalid value: \"-1\": must be greater than or equal to 0"}},
  };
  check(rows);
}

TEST(Quotas, Checks) {
  const StoredRow rows[] = {
      {"range", "LimitRange", R"({"spec":{"limits":[{"type":"Container","max":{"cpu":"1"},"default":{"cpu":"500m"}}]}})", "", {}},
      {"in the wrong order", "LimitRange", R"({"spec":{"limits":[{"type":"Container","min":{"cpu":"2"},"max":{"cpu":"1"},"maxLimitRequestRatio":{"cpu":"0.5"}}]}})", "",
       {"spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1",
        "spec.limits[0].defaultRequest[cpu]: Invalid value: \"1\": min value 2 is greater than default request value 1",
        "spec.limits[0].default[cpu]: Invalid value: \"2\": min value 2 is greater than default value 1",
        "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"500m\": ratio 500m is less than 1"}},
      {"of pods", "LimitRange", R"({"spec":{"limits":[{"type":"Pod","default":{"cpu":"1"}},{"type":"Pod"}]}})", "",
       {"spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'", "spec.limits[1].type: Duplicate value: \"Pod\""}},
      {"of claims", "LimitRange", R"({"spec":{"limits":[{"type":"PersistentVolumeClaim"}]}})", "",
       {"spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided"}},
      {"quota", "ResourceQuota", R"({"spec":{"hard":{"pods":"5","requests.cpu":"1","count/deployments.apps":"3"}}})", "", {}},
      {"odd quota", "ResourceQuota", R"({"spec":{"hard":{"podz":"5","pods":"-1"},"scopes":["Terminating","NotTerminating","Odd"]}})", "",
       {"spec.hard[pods]: Invalid value: \"-1\": must be greater than or equal to 0", "spec.hard[podz]: Invalid value: \"podz\": must be a standard resource type or fully qualified",
        "spec.hard[podz]: Invalid value: \"podz\": must be a standard resource for quota",
        "spec.scopes: Invalid value: [\"Terminating\",\"NotTerminating\",\"Odd\"]: unsupported scope",
        "spec.scopes: Invalid value: [\"Terminating\",\"NotTerminating\",\"Odd\"]: conflicting scopes"}},
  };
  check(rows);
}

TEST(LimitRange, FillsWhatIsNotSaid) {
  json entry = prepared("LimitRange", R"({"spec":{"limits":[{"type":"Container","max":{"cpu":"2"},"min":{"cpu":"1","memory":"1Gi"}}]}})")["spec"]["limits"][0];
  EXPECT_EQ(entry["default"].dump(), R"({"cpu":"2"})");
  EXPECT_EQ(entry["defaultRequest"].dump(), R"({"cpu":"2","memory":"1Gi"})");
}

TEST(ReplicationController, TakesLabelsFromItsTemplate) {
  const std::string pod = R"("template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"nginx"}]}})";
  json tree = prepared("ReplicationController", R"({"metadata":{"name":"r"},"spec":{)" + pod + "}}");
  EXPECT_EQ(tree["spec"]["selector"].dump(), R"({"a":"b"})");
  EXPECT_EQ(tree["metadata"]["labels"].dump(), R"({"a":"b"})");
  EXPECT_EQ(tree["spec"]["replicas"], 1);
  EXPECT_EQ(problems("ReplicationController", R"({"metadata":{"name":"r"},"spec":{)" + pod + "}}"), std::vector<std::string>{});
  EXPECT_EQ(problems("ReplicationController", R"({"metadata":{"name":"r"},"spec":{"selector":{"a":"c"},)" + pod + "}}"),
            (std::vector<std::string>{R"(spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`)"}));
  EXPECT_EQ(problems("ReplicationController", R"({"metadata":{"name":"r"},"spec":{}})"), (std::vector<std::string>{"spec.selector: Required value", "spec.template: Required value"}));
}

std::string hook(const std::string& fields) {
  return R"({"webhooks":[{"name":"check.example.com","sideEffects":"None","admissionReviewVersions":["v1"],"clientConfig":{"url":"https://h/x"})" +
         (fields.empty() ? "" : "," + fields) + "}]}";
}

TEST(Webhooks, Checks) {
  const char* kKind = "ValidatingWebhookConfiguration";
  const StoredRow rows[] = {
      {"plain", kKind, hook(R"("rules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["pods"]}])"), "", {}},
      {"nothing said", kKind, R"({"webhooks":[{"name":"check"}]})", "",
       {"webhooks[0].name: Invalid value: \"check\": should be a domain with at least three segments separated by dots",
        "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
        "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
        "webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1"}},
      {"rules", kKind, hook(R"("timeoutSeconds":31,"rules":[{"apiGroups":["","*"],"operations":["PATCH"],"resources":["pods"]}])"), "",
       {R"(webhooks[0].rules[0].operations[0]: Unsupported value: "PATCH": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE")",
        R"(webhooks[0].rules[0].apiGroups: Invalid value: ["","*"]: if '*' is present, must not specify other API groups)",
        "webhooks[0].rules[0].apiVersions: Required value", "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds"}},
      {"plain text", "MutatingWebhookConfiguration",
       R"({"webhooks":[{"name":"a.b.c","sideEffects":"Some","admissionReviewVersions":["v2"],"clientConfig":{"url":"http://h"}}]})", "",
       {R"(webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun")",
        R"(webhooks[0].clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path])",
        R"(webhooks[0].admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1)"}},
  };
  check(rows);
}

}  // namespace
}  // namespace store
